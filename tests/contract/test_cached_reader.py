"""Answers from memory equal those of the database, whatever is changed in between, and by whom."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from llm_schema_registry.documents import Document, DocumentKind
from llm_schema_registry.errors import StoreFailed
from llm_schema_registry.model import (
    EVERYWHERE,
    LATEST,
    CompatibilityLevel,
    Config,
    Event,
    EventType,
    Mode,
    Subject,
)
from llm_schema_registry.store import freshness
from llm_schema_registry.store.base import EVERYTHING, IdTaken, Page, Reader, VersionTaken, Visibility, Writer
from llm_schema_registry.store.cached import ValueCache
from llm_schema_registry.store.reader import SqlReader
from llm_schema_registry.store.sql import SqlStore
from store_rows import NOW, content, guid_of, named, register, write

SUBJECTS = [named(name, context) for context in (".", ".x") for name in ("a", "B", "")]
SCOPES = [*SUBJECTS, EVERYWHERE]
TEXTS = [f"text {index}" for index in range(4)]
S = named("s")


class Counted:
    """Counts what a cache is asked for."""

    def __init__(self) -> None:
        self.looks: Counter[tuple[str, bool]] = Counter()

    def __call__(self, cache: str, is_hit: bool) -> None:
        self.looks[cache, is_hit] += 1

    @property
    def hits(self) -> int:
        return self.looks["process", True]


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest_asyncio.fixture
async def cached(store_url: str, counted: Counted) -> AsyncIterator[SqlStore]:
    """A store that answers from memory, once per kind of database."""
    opened = SqlStore.open(store_url, lock_timeout_seconds=60, cache=ValueCache(1 << 20, counted))
    await opened.migrate()
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def store(store_url: str, cached: SqlStore) -> AsyncIterator[SqlStore]:
    """Another store on the same database, as of another process; one in memory has no other."""
    if cached.is_private:
        yield cached
        return
    opened = SqlStore.open(store_url, lock_timeout_seconds=60)
    yield opened
    await opened.close()


async def append(writer: Writer, kind: EventType, subject: Subject, version: int | None = None, id_: int = 0) -> None:
    await writer.append_event(Event(kind, subject, "someone", "r", NOW, version, id_))


async def put_config(store: SqlStore, scope: Subject, level: CompatibilityLevel) -> None:
    async with store.transaction(lock=[scope]) as writer:
        await writer.put_config(scope, Config(compatibility_level=level))
        await append(writer, EventType.CONFIG_CHANGED, scope)


async def change(store: SqlStore, chance: random.Random) -> None:
    """Change something as a use case does: with its events."""
    subject, scope = chance.choice(SUBJECTS), chance.choice(SCOPES)
    async with store.transaction(lock={subject, scope, EVERYWHERE}) as writer:
        match chance.randrange(11):
            case 0 | 1 | 2:
                number = chance.randint(1, 6) if chance.random() < 0.3 else None
                try:
                    await write(writer, subject, chance.choice(TEXTS), version=number)
                except (IdTaken, VersionTaken):
                    return
            case 3:
                for key in chance.sample(keys := await writer.list_version_keys(subject), min(2, len(keys))):
                    await writer.soft_delete_versions(subject, [key.version])
                    await append(writer, EventType.VERSION_SOFT_DELETED, subject, key.version, key.schema_id)
            case 4:
                for key in await writer.list_version_keys(subject, Visibility.DELETED):
                    await writer.delete_versions(subject, [key.version])
                    await append(writer, EventType.VERSION_DELETED, subject, key.version, key.schema_id)
            case 5:
                await writer.put_config(scope, Config(compatibility_level=chance.choice(list(CompatibilityLevel))))
                await append(writer, EventType.CONFIG_CHANGED, scope)
            case 6:
                await writer.put_mode(scope, chance.choice(list(Mode)))
                await append(writer, EventType.MODE_CHANGED, scope)
            case 7:
                await writer.delete_config(scope)
                await append(writer, EventType.CONFIG_DELETED, scope)
            case 8:
                await writer.delete_mode(scope)
                await append(writer, EventType.MODE_DELETED, scope)
            case 9:
                kind, name = chance.choice(list(DocumentKind)), chance.choice("ab")
                latest = await writer.find_document(kind, name)
                number = 1 if latest is None else latest.version + 1
                await writer.add_document(Document(kind, name, number, str(chance.random()), NOW, "someone"), 3)
                await append(writer, EventType.DOCUMENT_CHANGED, EVERYWHERE)
            case 10:
                await writer.delete_document(chance.choice(list(DocumentKind)), chance.choice("ab"))
                await append(writer, EventType.DOCUMENT_DELETED, EVERYWHERE)


async def answers(reader: Reader, chance: random.Random) -> list[object]:
    """Put some of the questions whose answers are kept."""
    subject = chance.choice(SUBJECTS)
    visibility = chance.choice(list(Visibility))
    schema_id = chance.randint(1, 5)
    page = chance.choice((EVERYTHING, Page(1, 2), Page(limit=1)))
    return [
        await reader.find_version(subject, LATEST, visibility),
        await reader.find_version(subject, chance.randint(1, 6), visibility),
        await reader.find_version_by_guid(subject, guid_of(chance.choice(TEXTS)), visibility),
        await reader.list_version_keys(subject, visibility, page),
        await reader.list_subjects(chance.choice((None, ".x")), visibility=visibility, page=page),
        await reader.list_settings(chance.choice(SCOPES)),
        await reader.find_schema(subject.context, schema_id),
        await reader.list_versions_of_schema(subject.context, schema_id, visibility, page),
        await reader.find_document(
            chance.choice(list(DocumentKind)), chance.choice("ab"), chance.choice((LATEST, 1, 2))
        ),
        await reader.list_documents(chance.choice(list(DocumentKind))),
    ]


async def interleave(store: SqlStore, cached: SqlStore, seed: int, steps: int = 150) -> None:
    """Change and ask in turns, and require the answers of the database itself."""
    chance = random.Random(seed)
    for step in range(steps):
        if chance.random() < 0.4:
            # Changes go by either: the log is all that the two have in common.
            await change(chance.choice((store, cached)), chance)
        seed_of_step = chance.random()
        found = await answers(cached.reader, random.Random(seed_of_step))
        expected = await answers(SqlReader(store.ask), random.Random(seed_of_step))
        assert found == expected, step


@pytest.mark.parametrize("seed", range(3))
async def test_any_interleaving_equals_the_database(
    store: SqlStore, cached: SqlStore, counted: Counted, seed: int
) -> None:
    await interleave(store, cached, seed)
    assert counted.hits > 100


CHANGED = set(EventType) - {EventType.CONTEXT_DELETED, EventType.COPY_RESTORED}
"""What `change` writes."""


@pytest.mark.parametrize("kind", sorted(CHANGED))
async def test_an_event_that_changed_nothing_would_be_noticed(kind: EventType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "CHANGES", {**freshness.CHANGES, kind: lambda _: ()})
    store = SqlStore.open("sqlite://", cache=ValueCache(1 << 20, Counted()))
    await store.migrate()
    with pytest.raises(AssertionError):
        await interleave(store, store, 1, 2_000)
    await store.close()


async def test_readers_and_writers_at_once_see_what_was_committed_before(store: SqlStore, cached: SqlStore) -> None:
    """Each reader may see more than what was acknowledged when it asked, never less."""
    acknowledged = 0
    is_over = False

    async def change_on() -> None:
        nonlocal acknowledged, is_over
        for number in range(1, 41):
            await register(store, S, f"text {number}")
            acknowledged = number
            await asyncio.sleep(0)
        is_over = True

    async def read_on() -> int:
        rounds = 0
        while not is_over:
            before = acknowledged
            latest = await cached.reader.find_version(S, LATEST)
            assert (latest.version if latest else 0) >= before
            before = acknowledged
            assert len(await cached.reader.list_version_keys(S)) >= before
            rounds += 1
        return rounds

    _, *rounds = await asyncio.gather(change_on(), *(read_on() for _ in range(5)))
    assert min(rounds) > 1


async def test_what_holds_is_not_read_again(store: SqlStore, cached: SqlStore, counted: Counted) -> None:
    await register(store, S, "x")
    first = await cached.reader.find_version(S, LATEST)
    await register(store, named("t"), "y")
    assert await cached.reader.find_version(S, LATEST) is first
    assert counted.looks == {("process", False): 1, ("process", True): 1}


async def test_nothing_is_kept_of_what_is_not_there(cached: SqlStore, counted: Counted) -> None:
    for _ in range(2):
        assert await cached.reader.find_version(S, LATEST) is None
        assert await cached.reader.list_version_keys(S) == []
    assert counted.hits == 0


async def test_a_list_is_the_callers_own(store: SqlStore, cached: SqlStore) -> None:
    await register(store, S, "x")
    for _ in range(2):
        keys = await cached.reader.list_version_keys(S)
        assert len(keys) == 1
        keys.clear()


async def test_a_transaction_sees_its_own_changes_and_leaves_none_behind(store: SqlStore, cached: SqlStore) -> None:
    await put_config(store, S, CompatibilityLevel.FULL)
    before = await cached.reader.list_settings(S)

    async def fail() -> None:
        async with cached.transaction(lock=[S]) as writer:
            await writer.put_config(S, Config(compatibility_level=CompatibilityLevel.NONE))
            await append(writer, EventType.CONFIG_CHANGED, S)
            assert (await writer.list_settings(S))[0].config == Config(compatibility_level=CompatibilityLevel.NONE)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await cached.reader.list_settings(S) == before


async def test_memory_is_bounded(counted: Counted) -> None:
    max_bytes = 100_000
    cache = ValueCache(max_bytes, counted)
    cached = SqlStore.open("sqlite://", cache=cache)
    await cached.migrate()
    async with cached.transaction(lock=[S]) as writer:
        for number in range(60):
            await write(writer, S, content("x" * 2_000 + f"{number}"))
        await write(writer, named("large"), content("x" * max_bytes))
    for _ in range(2):
        for number in range(1, 61):
            await cached.reader.find_version(S, number)
            assert cache._kept.currsize <= max_bytes
        await cached.reader.find_version(named("large"), 1)
    assert 10 < len(cache._kept) < 40
    assert counted.hits == 0
    await cached.close()


async def test_nothing_is_answered_without_the_log(counted: Counted) -> None:
    # Nothing listens on this port: it is reserved, and cannot be bound without being asked for.
    away = SqlStore.open(
        "postgresql://nobody@127.0.0.1:1/none", lock_timeout_seconds=1, cache=ValueCache(1000, counted)
    )
    with pytest.raises(StoreFailed):
        await away.reader.find_version(S, LATEST)
    assert not counted.looks
    await away.close()
