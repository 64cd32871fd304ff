"""Any interleaving of registrations, imports and deletions equals a model of a few lines, on every kind of database."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from llm_schema_registry.model import LATEST, Subject, VersionKey
from llm_schema_registry.store.base import IdTaken, VersionFilter, VersionTaken, Visibility
from llm_schema_registry.store.sql import SqlStore
from store_rows import content, guid_of, named, write

STEPS = 80
SUBJECTS = [named(name, context) for context in (".", ".x") for name in ("a", "B", "ä")]
TEXTS = [f"text {index}" for index in range(5)]


class Model:
    """What the contract says about ids and versions, in dictionaries."""

    def __init__(self) -> None:
        self.last_ids = {".": 0, ".x": 0}
        self.contents: dict[str, dict[int, str]] = {".": {}, ".x": {}}
        self.versions: dict[Subject, dict[int, VersionKey]] = {subject: {} for subject in SUBJECTS}

    def register(self, subject: Subject, text: str, schema_id: int | None, version: int | None) -> bool:
        contents = self.contents[subject.context]
        if schema_id is None:
            known = [key for key, value in contents.items() if value == text]
            schema_id = min(known) if known else self.last_ids[subject.context] + 1
        if contents.get(schema_id, text) != text:
            return False
        held = self.versions[subject]
        version = version or max(held, default=0) + 1
        if version in held:
            return False
        contents[schema_id] = text
        self.last_ids[subject.context] = max(schema_id, self.last_ids[subject.context])
        held[version] = VersionKey(subject, version, schema_id)
        return True

    def soft_delete(self, subject: Subject, versions: Sequence[int]) -> None:
        held = self.versions[subject]
        for version in set(versions) & set(held):
            held[version] = VersionKey(subject, version, held[version].schema_id, True)

    def delete(self, subject: Subject, versions: Sequence[int]) -> None:
        freed = {held.schema_id for version in versions if (held := self.versions[subject].pop(version, None))}
        used = {
            key.schema_id
            for other in SUBJECTS
            if other.context == subject.context
            for key in self.versions[other].values()
        }
        for schema_id in freed - used:
            del self.contents[subject.context][schema_id]


def visible(keys: Sequence[VersionKey], visibility: Visibility) -> list[VersionKey]:
    wanted = {Visibility.ALL: (False, True), Visibility.ACTIVE: (False,), Visibility.DELETED: (True,)}[visibility]
    return [key for key in keys if key.is_deleted in wanted]


async def check(store: SqlStore, model: Model) -> None:
    """Ask every question whose answer the model knows."""
    held = {subject: sorted(keys.values()) for subject, keys in model.versions.items()}
    by_name = sorted(SUBJECTS, key=str)
    for visibility in Visibility:
        for subject, keys in held.items():
            assert await store.reader.list_version_keys(subject, visibility) == visible(keys, visibility)
        listed = [
            version.version for version in await store.reader.search_versions(VersionFilter(visibility=visibility))
        ]
        assert listed == [key.version for subject in by_name for key in visible(held[subject], visibility)]
    for subject, keys in held.items():
        newest = await store.reader.find_version(subject, LATEST)
        active = visible(keys, Visibility.ACTIVE)
        assert (newest and newest.version) == (active[-1].version if active else None)
    subjects = await store.reader.list_subjects()
    assert subjects == [subject for subject in by_name if visible(held[subject], Visibility.ACTIVE)]
    deleted = await store.reader.list_subjects(visibility=Visibility.DELETED)
    assert deleted == [subject for subject in by_name if held[subject] and subject not in subjects]
    for context, contents in model.contents.items():
        assert await store.reader.find_max_schema_id(context) == max(contents, default=0)
        for schema_id in range(1, model.last_ids[context] + 1):
            schema = await store.reader.find_schema(context, schema_id)
            assert (schema and schema.content.text) == contents.get(schema_id)
            uses = await store.reader.list_versions_of_schema(context, schema_id, Visibility.ALL)
            assert uses == sorted(
                key
                for subject, keys in held.items()
                for key in keys
                if subject.context == context and key.schema_id == schema_id
            )


class RolledBack(Exception):
    """Ends a transaction without a trace."""


def maybe_fail(chance: random.Random) -> None:
    if chance.random() < 0.15:
        raise RolledBack


async def register(store: SqlStore, model: Model, chance: random.Random) -> None:
    subject, text = chance.choice(SUBJECTS), chance.choice(TEXTS)
    is_import = chance.random() < 0.3
    schema_id = chance.randint(1, 12) if is_import else None
    version = chance.randint(1, 9) if is_import else None
    try:
        async with store.transaction(lock=[subject]) as writer:
            await write(writer, subject, text, schema_id, version)
            maybe_fail(chance)
    except RolledBack:
        return
    except (IdTaken, VersionTaken):
        assert not model.register(subject, text, schema_id, version)
    else:
        assert model.register(subject, text, schema_id, version)


async def remove(store: SqlStore, model: Model, chance: random.Random) -> None:
    subject = chance.choice(SUBJECTS)
    chosen = chance.sample(range(1, 10), chance.choice((1, 2, 9)))
    is_permanent = chance.random() < 0.5
    async with store.transaction(lock=[subject]) as writer:
        if is_permanent:
            await writer.delete_versions(subject, chosen)
        else:
            await writer.soft_delete_versions(subject, chosen)
    if is_permanent:
        model.delete(subject, chosen)
    else:
        model.soft_delete(subject, chosen)


@pytest.mark.parametrize("seed", range(3))
async def test_any_interleaving_equals_the_model(store: SqlStore, store_url: str, seed: int) -> None:
    chance = random.Random(seed)
    model = Model()
    for step in range(STEPS):
        await chance.choice((register, register, remove))(store, model, chance)
        if step % 10 == 0:
            await check(store, model)
    await check(store, model)
    if store_url != "sqlite://":
        reopened = SqlStore.open(store_url)
        await check(reopened, model)
        await reopened.close()


async def test_a_rolled_back_deletion_is_undone(store: SqlStore) -> None:
    subject = SUBJECTS[0]

    async def fail() -> None:
        async with store.transaction(lock=[subject]) as writer:
            await writer.soft_delete_versions(subject, [1])
            await writer.delete_versions(subject, [1])
            raise RolledBack

    async with store.transaction(lock=[subject]) as writer:
        await write(writer, subject, "x")
    with pytest.raises(RolledBack):
        await fail()
    assert await store.reader.list_version_keys(subject) == [VersionKey(subject, 1, 1)]
    assert [schema.content for schema in await store.reader.list_schemas_by_guid(guid_of("x"))] == [content("x")]
