"""The store's contract, sentence by sentence: what one caller reads and writes, on every kind of database."""

from __future__ import annotations

import pytest

from llm_schema_registry import errors
from llm_schema_registry.model import (
    EVERYWHERE,
    LATEST,
    Config,
    Event,
    EventType,
    Metadata,
    Mode,
    Reference,
    Rule,
    RuleSet,
    Schema,
    State,
    Subject,
    Version,
    VersionKey,
)
from llm_schema_registry.store.base import IdTaken, Page, VersionTaken, Visibility
from llm_schema_registry.store.sql import SqlStore
from store_rows import NOW, content, delete, event, guid_of, named, numbers, register, soft_delete, write

FULL = content(
    '{"type": "record", "name": "Prompt", "fields": []} \U0001f980 é',
    [Reference("a.B", "b", 3), Reference("c", ":.other:c", 1)],
    Metadata(tags={"Prompt.text": ["PII", "private"]}, properties={"owner": "team"}, sensitive=["owner"]),
    RuleSet(domain_rules=[Rule(name="r", type="CEL", expr="true")], migration_rules=[], encoding_rules=None),
)


async def test_a_schema_is_read_as_it_was_written(store: SqlStore) -> None:
    async with store.transaction(lock=[named("s")]) as writer:
        added = await writer.add_schema(".", "guid-1", FULL)
        assert added == Schema(".", 1, "guid-1", FULL)
    assert await store.reader.find_schema(".", 1) == added
    assert await store.reader.find_schema(".", 2) is None
    assert await store.reader.find_schema(".other", 1) is None


async def test_a_version_is_read_with_its_schema(store: SqlStore) -> None:
    subject = named("s", ".ctx")
    async with store.transaction(lock=[subject]) as writer:
        schema = await writer.add_schema(".ctx", "guid-1", FULL)
        await writer.add_version(subject, 4, schema.id, registered_at=NOW, registered_by="é", state=State.ACTIVE)
    expected = Version(subject, 4, schema, False, NOW, "é", State.ACTIVE)
    assert await store.reader.find_version(subject, 4) == expected
    assert await store.reader.find_version_by_guid(subject, "guid-1") == expected
    assert await store.reader.list_versions(subject) == [expected]
    assert await store.reader.find_version(subject, 3) is None
    assert await store.reader.find_version(named("s"), 4) is None


async def test_schemas_of_a_guid_come_by_context_and_id(store: SqlStore) -> None:
    for context, schema_id in ((".b", 7), (".b", 3), (".a", 9), (".", 1)):
        await register(store, named(f"s{schema_id}", context), "x", schema_id)
    found = await store.reader.list_schemas_by_guid(guid_of("x"))
    assert [(schema.context, schema.id) for schema in found] == [(".", 1), (".a", 9), (".b", 3), (".b", 7)]
    assert [schema.id for schema in await store.reader.list_schemas_by_guid(guid_of("x"), ".b")] == [3, 7]
    assert await store.reader.list_schemas_by_guid("nothing") == []
    assert await store.reader.list_schemas_by_guid(guid_of("x"), ".c") == []


async def test_latest_is_the_newest_that_is_not_deleted(store: SqlStore) -> None:
    subject = named("s")
    for text in "abc":
        await register(store, subject, text)
    await soft_delete(store, subject, 3)
    for visibility in Visibility:
        found = await store.reader.find_version(subject, LATEST, visibility)
        assert found is not None
        assert found.version == 2
    await soft_delete(store, subject, 1, 2)
    assert await store.reader.find_version(subject, LATEST, Visibility.ALL) is None


async def test_visibility_decides_which_versions_are_seen(store: SqlStore) -> None:
    subject = named("s")
    for text in "abc":
        await register(store, subject, text)
    await soft_delete(store, subject, 2)
    assert await numbers(store, subject) == [1, 3]
    assert await numbers(store, subject, Visibility.ALL) == [1, 2, 3]
    assert await numbers(store, subject, Visibility.DELETED) == [2]
    assert await store.reader.find_version(subject, 2) is None
    assert await store.reader.find_version(subject, 1, Visibility.DELETED) is None
    for visibility in (Visibility.ALL, Visibility.DELETED):
        found = await store.reader.find_version(subject, 2, visibility)
        assert found is not None
        assert found.is_deleted
    assert await store.reader.list_version_keys(subject, Visibility.DELETED) == [VersionKey(subject, 2, 2, True)]
    assert await store.reader.find_version_by_guid(subject, guid_of("b")) is None
    assert await store.reader.find_version_by_guid(subject, guid_of("b"), Visibility.ALL) is not None


async def test_the_newest_version_of_a_guid_is_found(store: SqlStore) -> None:
    subject = named("s")
    await register(store, subject, "a")
    await soft_delete(store, subject, 1)
    await register(store, subject, "a")
    found = await store.reader.find_version_by_guid(subject, guid_of("a"), Visibility.ALL)
    assert found is not None
    assert (found.version, found.schema.id) == (2, 1)


async def test_versions_are_listed_newest_first_and_keys_oldest_first(store: SqlStore) -> None:
    subject = named("s")
    for text in "abcd":
        await register(store, subject, text)
    listed = [version.version for version in await store.reader.list_versions(subject)]
    assert listed == [4, 3, 2, 1]
    paged = await store.reader.list_versions(subject, page=Page(1, 2))
    assert [version.version for version in paged] == [3, 2]
    keys = await store.reader.list_version_keys(subject, page=Page(1, 2))
    assert keys == [VersionKey(subject, 2, 2), VersionKey(subject, 3, 3)]
    assert await store.reader.list_versions(subject, page=Page(4)) == []
    assert await store.reader.list_version_keys(subject, page=Page(0, 0)) == []
    assert len(await store.reader.list_version_keys(subject, page=Page(0, 2**70))) == 4


async def test_uses_of_a_schema_are_listed_by_subject_and_version(store: SqlStore) -> None:
    for name in ("b", "a", "é", "Z"):
        await register(store, named(name), "x")
    await register(store, named("a", ".ctx"), "x")
    await soft_delete(store, named("a"), 1)
    await register(store, named("a"), "x")
    uses = await store.reader.list_versions_of_schema(".", 1)
    assert [(key.subject.name, key.version) for key in uses] == [("Z", 1), ("a", 2), ("b", 1), ("é", 1)]
    everything = await store.reader.list_versions_of_schema(".", 1, Visibility.ALL, Page(1, 2))
    assert [(key.subject.name, key.version) for key in everything] == [("a", 1), ("a", 2)]
    assert await store.reader.list_versions_of_schema(".", 1, Visibility.DELETED) == [
        VersionKey(named("a"), 1, 1, True)
    ]
    assert await store.reader.list_versions_of_schema(".", 2) == []


async def test_a_content_has_one_id_per_context(store: SqlStore) -> None:
    first = await register(store, named("a"), "x")
    again = await register(store, named("b"), "x")
    other = await register(store, named("b"), "y")
    elsewhere = await register(store, named("a", ".ctx"), "y")
    assert [key.schema_id for key in (first, again, other, elsewhere)] == [1, 1, 2, 1]
    assert await store.reader.find_max_schema_id(".") == 2
    assert await store.reader.find_max_schema_id(".ctx") == 1
    assert await store.reader.find_max_schema_id(".none") == 0


async def test_an_imported_id_is_kept_and_next_ids_stay_above(store: SqlStore) -> None:
    await register(store, named("a"), "x", schema_id=40)
    await register(store, named("a"), "y", schema_id=7)
    assert (await register(store, named("a"), "z")).schema_id == 41
    assert (await register(store, named("b"), "y")).schema_id == 7
    # The same id and content once more changes nothing.
    assert (await register(store, named("c"), "x", schema_id=40)).schema_id == 40
    with pytest.raises(IdTaken):
        await register(store, named("a"), "other", schema_id=40)
    assert await store.reader.list_schemas_by_guid(guid_of("other")) == []
    # One content may have several ids; the smallest is the one that is reused.
    await register(store, named("d"), "x", schema_id=3)
    assert (await register(store, named("e"), "x")).schema_id == 3
    assert (await register(store, named("e"), "new")).schema_id == 42


async def test_a_refused_id_leaves_the_transaction_usable(store: SqlStore) -> None:
    await register(store, named("a"), "x", schema_id=5)
    async with store.transaction(lock=[named("a")]) as writer:
        with pytest.raises(IdTaken):
            await writer.add_schema(".", "other", content("other"), 5)
        assert (await write(writer, named("a"), "y")).schema_id == 6


async def test_a_version_number_is_taken_once(store: SqlStore) -> None:
    subject = named("s")
    await register(store, subject, "x")
    async with store.transaction(lock=[subject]) as writer:
        with pytest.raises(VersionTaken):
            await writer.add_version(subject, 1, 1, registered_at=NOW, registered_by="")
        # The refusal spoils nothing.
        await writer.add_version(subject, 9, 1, registered_at=NOW, registered_by="")
    await soft_delete(store, subject, 9)
    with pytest.raises(VersionTaken):
        await register(store, subject, "y", version=9)
    assert await numbers(store, subject, Visibility.ALL) == [1, 9]
    assert await store.reader.find_max_schema_id(".") == 1


async def test_the_next_version_counts_deleted_ones_until_they_are_gone(store: SqlStore) -> None:
    subject = named("s")
    async with store.transaction(lock=[subject]) as writer:
        assert await writer.next_version(subject) == 1
    await register(store, subject, "x")
    await register(store, subject, "y")
    await soft_delete(store, subject, 2)
    await soft_delete(store, subject, 2)
    async with store.transaction(lock=[subject]) as writer:
        assert await writer.next_version(subject) == 3
        await writer.delete_versions(subject, [2])
        assert await writer.next_version(subject) == 2


async def test_a_version_of_a_content_that_is_not_there_is_refused(store: SqlStore) -> None:
    with pytest.raises(errors.StoreFailed):
        async with store.transaction(lock=[named("s")]) as writer:
            await writer.add_version(named("s"), 1, 1, registered_at=NOW, registered_by="")
    assert await store.reader.list_subjects(visibility=Visibility.ALL) == []


async def test_a_content_goes_with_its_last_use(store: SqlStore) -> None:
    metadata = Metadata(properties={"tags": "t", "k": "v"})
    body = content("x", [Reference("n", "r", 1)], metadata, RuleSet(domain_rules=[Rule(type="CEL")]))
    await register(store, named("a"), body)
    await register(store, named("b"), body)
    await register(store, named("a", ".ctx"), body)
    await soft_delete(store, named("a"), 1)
    await delete(store, named("a"), 1)
    assert await store.reader.find_schema(".", 1) is not None
    await soft_delete(store, named("b"), 1)
    assert await store.reader.find_schema(".", 1) is not None, "ids stay readable after a soft delete"
    await delete(store, named("b"), 1)
    assert await store.reader.find_schema(".", 1) is None
    assert await store.reader.find_schema(".ctx", 1) is not None
    assert await store.reader.list_subjects(visibility=Visibility.ALL) == [named("a", ".ctx")]
    # Its id is not given to another content, nor to the same one.
    assert (await register(store, named("b"), body)).schema_id == 2


async def test_deleting_what_is_not_there_does_nothing(store: SqlStore) -> None:
    await soft_delete(store, named("s", ".none"), 1, 2)
    await delete(store, named("s", ".none"), 1, 2)
    await delete(store, named("s"))
    assert await store.reader.list_contexts() == ["."]


async def test_thousands_of_versions_are_deleted_at_once(store: SqlStore) -> None:
    subject = named("s")
    async with store.transaction(lock=[subject]) as writer:
        first = await write(writer, subject, "x")
        for version in range(2, 1203):
            await writer.add_version(subject, version, first.schema_id, registered_at=NOW, registered_by="")
    everything = range(1, 1203)
    await soft_delete(store, subject, *everything)
    assert await numbers(store, subject, Visibility.DELETED) == list(everything)
    await delete(store, subject, *everything)
    assert await numbers(store, subject, Visibility.ALL) == []


async def test_events_have_positions_in_the_order_of_commits(store: SqlStore) -> None:
    assert await store.reader.list_events() == []
    assert await store.reader.find_log_position() == 0
    full = Event(
        EventType.CONFIG_CHANGED, named("é", ".c"), "actor", "r", NOW, 3, 2**40, {"from": "\0", "to": "\U0001f980"}
    )
    bare = Event(EventType.MODE_DELETED, EVERYWHERE, "", "", 0)
    async with store.transaction() as writer:
        await writer.append_event(full)
        await writer.append_event(bare)
        assert await writer.find_log_position() == 2

    async def fail() -> None:
        async with store.transaction() as writer:
            await writer.append_event(event(named("lost")))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with store.transaction() as writer:
        await writer.append_event(event(named("s")))
    assert await store.reader.list_events() == [(1, full), (2, bare), (3, event(named("s")))]
    assert await store.reader.list_events(after=1, limit=1) == [(2, bare)]
    assert await store.reader.list_events(after=3) == []
    assert await store.reader.find_log_position() == 3


async def test_a_transaction_sees_its_own_changes(store: SqlStore) -> None:
    subject = named("s")
    async with store.transaction(lock=[subject]) as writer:
        key = await write(writer, subject, "x")
        assert await writer.list_version_keys(subject) == [key]
        assert await writer.find_schema(".", key.schema_id) is not None
        assert await writer.list_subjects() == [subject]
        assert [position for position, _ in await writer.list_events()] == [1]
        await writer.append_event(event(subject))
        await writer.soft_delete_versions(subject, [1])
        assert await writer.list_version_keys(subject) == []
        await writer.delete_versions(subject, [1])
        assert await writer.find_schema(".", key.schema_id) is None
    assert [position for position, _ in await store.reader.list_events()] == [1, 2]


async def test_a_block_that_raises_leaves_nothing(store: SqlStore) -> None:
    subject = named("s", ".ctx")

    async def fail() -> None:
        async with store.transaction(lock=[subject]) as writer:
            await write(writer, subject, FULL)
            await writer.put_config(subject, Config(normalize=True))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await store.reader.list_contexts() == ["."]
    assert await store.reader.list_subjects(visibility=Visibility.ALL) == []
    assert await store.reader.find_schema(".ctx", 1) is None
    assert await store.reader.find_config(subject) is None
    assert await store.reader.list_events() == []
    key = await register(store, subject, "x")
    assert (key.version, key.schema_id) == (1, 1), "a rollback leaves no gap"
    assert [position for position, _ in await store.reader.list_events()] == [1]


UNSTORABLE = ["a\0b", "\ud800", "\udfff tail", "ok \udc80"]


@pytest.mark.parametrize("text", UNSTORABLE)
async def test_text_that_cannot_be_stored_is_refused_whole(store: SqlStore, text: str) -> None:
    subject = named("s")
    bodies = [
        content(text),
        content("a", [Reference("n", text, 1)]),
        content("b", metadata=Metadata(properties={"k": text})),
        content("c", metadata=Metadata(properties={text: "v"})),
        content("d", metadata=Metadata(tags={"p": [text]})),
        content("e", rule_set=RuleSet(domain_rules=[Rule(type=text)])),
    ]
    async with store.transaction(lock=[subject]) as writer:
        for body in bodies:
            with pytest.raises(errors.InvalidSchema, match="cannot be stored"):
                await writer.add_schema(".", "guid", body)
        with pytest.raises(errors.InvalidSchema):
            await writer.add_schema(".", text, content("f"))
        with pytest.raises(errors.InvalidSchema):
            await write(writer, named(text), "x")
        with pytest.raises(errors.InvalidSchema):
            await writer.put_mode(named("s", text), Mode.IMPORT)
        with pytest.raises(errors.InvalidSchema):
            await writer.append_event(event(subject, actor=text))
        # None of these refusals spoils what follows.
        assert (await write(writer, subject, "y")).schema_id == 2
    assert await store.reader.find_schema(".", 1) is not None


async def test_text_that_cannot_be_stored_is_absent(store: SqlStore) -> None:
    await register(store, named("s"), "x")
    for text in UNSTORABLE:
        assert await store.reader.find_version(named(text), 1) is None
        assert await store.reader.find_schema(text, 1) is None
        assert await store.reader.list_schemas_by_guid(text) == []
        assert await store.reader.list_subjects(prefix=text) == []
        assert await store.reader.list_subjects(pattern=f"{text}*") == []
        assert await store.reader.list_contexts(prefix=text) == []
        assert await store.reader.find_max_schema_id(text) == 0
        assert await store.reader.find_mode(named(text)) is None


async def test_numbers_beyond_the_columns_are_absent_or_refused(store: SqlStore) -> None:
    await register(store, named("s"), "x")
    for number in (2**31, 2**63, 10**30, -(2**63), -(10**30)):
        assert await store.reader.find_schema(".", number) is None
        assert await store.reader.find_version(named("s"), number) is None
        assert await store.reader.list_referrers(named("s"), number) == []
    assert await store.reader.list_events(after=10**30) == []
    assert await store.reader.list_versions(named("s"), page=Page(10**30)) == []
    with pytest.raises(errors.InvalidSchema, match="64 bits"):
        await register(store, named("s"), "y", schema_id=2**63)


async def test_a_name_too_long_for_an_index_is_refused(store: SqlStore) -> None:
    longest = Subject(".", "".join(chr(0x1F300 + index % 700) for index in range(650)))
    await register(store, longest, "x")
    assert await store.reader.list_subjects() == [longest]
    for refused in (Subject(".", longest.name + "a"), Subject("." + longest.name, "s")):
        with pytest.raises(errors.InvalidSubject, match="2600 bytes"):
            await register(store, refused, "y")


async def test_a_name_that_reads_as_another_one_is_refused(store: SqlStore) -> None:
    for refused in (Subject(".", ":.ctx:s"), Subject(".", ":.ctx"), Subject("ctx", "s"), Subject(".a:b", "s")):
        with pytest.raises(errors.InvalidSubject, match="reads as another"):
            await register(store, refused, "x")
    for kept in (Subject(".", ":s"), Subject(".ctx", ":s"), Subject(".ctx", ":.b:s")):
        await register(store, kept, "x")
    assert len(await store.reader.list_subjects()) == 3


async def test_long_tags_and_properties_are_stored(store: SqlStore) -> None:
    noise = "".join(chr(0x4E00 + index * 7919 % 20000) for index in range(20000))
    metadata = Metadata(tags={"p": [noise]}, properties={noise: noise})
    key = await register(store, named("s"), content(noise, metadata=metadata))
    schema = await store.reader.find_schema(".", key.schema_id)
    assert schema is not None
    assert schema.content.metadata == metadata


async def test_ping_answers(store: SqlStore) -> None:
    await store.ping()
