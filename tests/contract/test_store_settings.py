"""The store's contract on settings and contexts, on every kind of database."""

from __future__ import annotations

from llm_schema_registry.model import (
    EVERYWHERE,
    TOP_LEVEL,
    CompatibilityLevel,
    Config,
    Event,
    EventType,
    Metadata,
    Mode,
    Rule,
    RuleSet,
)
from llm_schema_registry.store.base import Page, ScopeSettings, Visibility
from llm_schema_registry.store.sql import SqlStore
from store_rows import NOW, delete, named, numbers, register, soft_delete, write


async def test_the_settings_that_decide_for_a_subject_come_together(store: SqlStore) -> None:
    nothing = ScopeSettings()
    subject = named("s", ".ctx")
    assert await store.reader.list_settings(subject) == (nothing, nothing, nothing)
    own, context, everywhere = Config(alias="own"), Config(alias="context"), Config(alias="everywhere")
    for scope, config in ((subject, own), (named("", ".ctx"), context), (EVERYWHERE, everywhere)):
        async with store.transaction(lock=[scope]) as writer:
            await writer.put_config(scope, config)
    async with store.transaction(lock=[subject]) as writer:
        await writer.put_mode(subject, Mode.IMPORT)
    of_context, of_all = ScopeSettings(context), ScopeSettings(everywhere)
    assert await store.reader.list_settings(subject) == (ScopeSettings(own, Mode.IMPORT), of_context, of_all)
    assert await store.reader.list_settings(named("S", ".ctx")) == (nothing, of_context, of_all)
    assert await store.reader.list_settings(named("", ".ctx")) == (of_context, of_context, of_all)
    assert await store.reader.list_settings(named("s")) == (nothing, nothing, of_all)
    assert await store.reader.list_settings(EVERYWHERE) == (of_all, of_all, of_all)
    # A name that cannot be stored has no settings of its own; those around it decide all the same.
    assert await store.reader.list_settings(named("a\0b", ".ctx")) == (nothing, of_context, of_all)


async def test_settings_belong_to_exactly_one_scope(store: SqlStore) -> None:
    config = Config(
        compatibility_level=CompatibilityLevel.FULL,
        alias="other",
        normalize=True,
        override_metadata=Metadata(properties={"nul": "\0"}),
        default_rule_set=RuleSet(domain_rules=[Rule(name="r", type="CEL")]),
    )
    scopes = [TOP_LEVEL, EVERYWHERE, named("", ".ctx"), named("s", ".ctx"), named("s")]
    for scope in scopes:
        assert await store.reader.find_config(scope) is None
        assert await store.reader.find_mode(scope) is None
        async with store.transaction(lock=[scope]) as writer:
            await writer.put_config(scope, Config(alias="first"))
            await writer.put_config(scope, config)
            await writer.put_mode(scope, Mode.READONLY)
            await writer.put_mode(scope, Mode.IMPORT)
        assert await store.reader.find_config(scope) == config
        assert await store.reader.find_mode(scope) is Mode.IMPORT
    assert await store.reader.list_subjects(visibility=Visibility.ALL) == [], "settings make no subject"
    assert await store.reader.list_configs(".ctx") == [(named("", ".ctx"), config), (named("s", ".ctx"), config)]
    listed = [str(scope) for scope, _ in await store.reader.list_configs()]
    assert listed == ["", ":.__GLOBAL:", ":.ctx:", ":.ctx:s", "s"]
    assert await store.reader.list_configs(".none") == []
    assert await store.reader.list_modes(".") == [(TOP_LEVEL, Mode.IMPORT), (named("s"), Mode.IMPORT)]
    assert await store.reader.list_modes(".none") == []
    for scope in scopes:
        async with store.transaction(lock=[scope]) as writer:
            await writer.delete_config(scope)
            await writer.delete_config(scope)
        assert await store.reader.find_config(scope) is None
        assert await store.reader.find_mode(scope) is Mode.IMPORT, "a mode outlives the settings"
        async with store.transaction(lock=[scope]) as writer:
            await writer.delete_mode(scope)
            await writer.delete_mode(scope)
        assert await store.reader.find_mode(scope) is None
    assert await store.reader.list_modes(".ctx") == []


async def test_settings_and_versions_of_a_subject_live_apart(store: SqlStore) -> None:
    subject = named("s")
    await register(store, subject, "x")
    async with store.transaction(lock=[subject]) as writer:
        await writer.put_mode(subject, Mode.READONLY)
    await soft_delete(store, subject, 1)
    await delete(store, subject, 1)
    assert await store.reader.find_mode(subject) is Mode.READONLY
    assert await store.reader.list_subjects(visibility=Visibility.ALL) == []
    await register(store, subject, "x")
    async with store.transaction(lock=[subject]) as writer:
        await writer.delete_mode(subject)
    assert await numbers(store, subject) == [1]


async def test_contexts_are_listed_once_written_to(store: SqlStore) -> None:
    assert await store.reader.list_contexts() == ["."]
    await register(store, named("s", ".b"), "x")
    async with store.transaction(lock=[named("s", ".a")]) as writer:
        await writer.put_config(named("s", ".a"), Config(normalize=True))
    async with store.transaction(lock=[named("", ".A")], share=[named("s", ".shared")]) as writer:
        await writer.put_mode(named("", ".A"), Mode.READONLY)
    async with store.transaction(lock=[named("s", ".c")]) as writer:
        assert await writer.find_config(named("s", ".c")) is None
    assert await store.reader.list_contexts() == [".", ".A", ".a", ".b"]
    assert await store.reader.list_contexts(page=Page(1, 2)) == [".A", ".a"]
    assert await store.reader.list_contexts(prefix=".b") == [".b"]
    assert await store.reader.list_contexts(prefix=".%") == []
    assert await store.reader.list_contexts(page=Page(9)) == []


async def test_a_deleted_context_is_forgotten_but_not_its_ids(store: SqlStore) -> None:
    subject, scope = named("s", ".ctx"), named("", ".ctx")
    await register(store, subject, "x")
    async with store.transaction(lock=[scope]) as writer:
        await writer.put_config(scope, Config(normalize=True))
        await writer.put_mode(scope, Mode.IMPORT)
    await soft_delete(store, subject, 1)
    async with store.transaction(lock=[subject, scope]) as writer:
        await writer.delete_versions(subject, [1])
        await writer.delete_context(".ctx")
        await writer.append_event(Event(EventType.CONTEXT_DELETED, scope, "someone", "r", NOW))
    assert await store.reader.list_contexts() == ["."]
    assert await store.reader.find_config(scope) is None
    assert await store.reader.find_mode(scope) is None
    assert (await register(store, subject, "x")).schema_id == 2
    assert await store.reader.list_contexts() == [".", ".ctx"]


async def test_a_context_may_be_deleted_and_written_to_in_one_transaction(store: SqlStore) -> None:
    subject = named("s", ".ctx")
    async with store.transaction(lock=[subject]) as writer:
        await writer.put_mode(subject, Mode.IMPORT)
        await writer.delete_context(".ctx")
        await writer.delete_context(".never")
        await writer.delete_context(".")
        await write(writer, subject, "x")
    assert await store.reader.list_contexts() == [".", ".ctx"]
