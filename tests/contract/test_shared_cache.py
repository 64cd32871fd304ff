"""What is shared in a Redis: what is found again, what is refused, and that Redis is never needed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from io import StringIO

import msgspec
import pytest

from contract.test_cached_reader import Counted, interleave
from llm_schema_registry.model import LATEST, Schema, Subject, Version
from llm_schema_registry.store import shared as shared_module
from llm_schema_registry.store.base import Visibility
from llm_schema_registry.store.cached import ValueCache
from llm_schema_registry.store.freshness import Mark
from llm_schema_registry.store.shared import MAX_VALUE_BYTES, Place, SharedCache
from llm_schema_registry.store.sql import SqlStore
from llm_schema_registry.telemetry import open_log
from polling import until
from redis_server import PrivateRedis
from store_rows import content, guid_of, named, register

S = named("s")
PLACE = Place("schema:id:1", 60, Schema)
OTHER = Place("schema:id:2", 60, Schema)
VALUE = Schema(".", 1, guid_of("x"), content("x"))
MARK = Mark(5, b"w" * 16)


@pytest.fixture(scope="module")
def redis_of_module() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def redis(redis_of_module: PrivateRedis) -> PrivateRedis:
    """An empty Redis."""
    redis_of_module.flush()
    return redis_of_module


@asynccontextmanager
async def sharing(url: str, prefix: str = "", log: StringIO | None = None) -> AsyncIterator[SharedCache]:
    """A cache that is in use."""
    shared = SharedCache(url, prefix, open_log("info", log or StringIO()))
    async with shared.running(on_hint=lambda: None):
        await state_of(shared, "available")
        yield shared


async def state_of(shared: SharedCache, state: str) -> None:
    async def ask() -> str:
        return shared.state

    await until(lambda found: found == state, ask)


def witness(position: int) -> bytes | None:
    return MARK.witness if position == MARK.position else None


def refused(log: StringIO) -> int:
    """Count the entries that were told to be refused."""
    return log.getvalue().count("an entry of redis was refused")


async def keep(shared: SharedCache, place: Place = PLACE, value: object = VALUE) -> None:
    """Share a value until it is there."""

    async def ask() -> object:
        shared.keep(place, MARK, msgspec.msgpack.encode(value))
        return await shared.find(place, witness)

    await until(lambda found: found is not None, ask)


async def test_a_value_is_found_with_where_it_was_read(redis: PrivateRedis) -> None:
    log = StringIO()
    async with sharing(redis.url, log=log) as shared:
        assert await shared.find(PLACE, witness) is None
        await keep(shared)
        found = await shared.find(PLACE, witness)
        assert found is not None
        assert (found.mark, found.value) == (MARK, VALUE)
        assert 0 < int(redis.ask("TTL", PLACE.key)) <= PLACE.seconds
        assert refused(log) == 0


@pytest.mark.parametrize("harm", ["damage", "exchange", "replace"])
async def test_a_wrong_value_is_refused_and_removed(redis: PrivateRedis, harm: str) -> None:
    log = StringIO()
    async with sharing(redis.url, log=log) as shared:
        await keep(shared)
        await keep(shared, OTHER, Schema(".", 2, guid_of("y"), content("y")))
        assert getattr(redis, harm)() == 2
        for place in (PLACE, OTHER):
            assert await shared.find(place, lambda _: MARK.witness) is None
        assert refused(log) == 2

        async def keys() -> list[str]:
            return redis.keys()

        await until(lambda left: not left, keys)


async def test_the_value_of_another_log_is_refused(redis: PrivateRedis) -> None:
    log = StringIO()
    async with sharing(redis.url, log=log) as shared:
        await keep(shared)
        assert await shared.find(PLACE, lambda _: b"v" * 16) is None
        assert refused(log) == 1


async def test_what_was_read_at_an_unknown_place_is_left_alone(redis: PrivateRedis) -> None:
    async with sharing(redis.url) as shared:
        await keep(shared)
        assert await shared.find(PLACE, lambda _: None) is None
        assert await shared.find(PLACE, witness) is not None


async def test_another_releases_value_is_refused(redis: PrivateRedis) -> None:
    log = StringIO()
    async with sharing(redis.url, log=log) as shared:
        shared.keep(PLACE, MARK, msgspec.msgpack.encode({"context": "."}))

        async def keys() -> list[str]:
            return redis.keys()

        await until(bool, keys)
        assert await shared.find(PLACE, witness) is None
        assert refused(log) == 1


async def test_what_is_huge_is_neither_shared_nor_read(redis: PrivateRedis) -> None:
    log = StringIO()
    async with sharing(redis.url, log=log) as shared:
        shared.keep(PLACE, MARK, b"x" * MAX_VALUE_BYTES)
        await keep(shared, OTHER)
        assert redis.keys() == [OTHER.key]
        # 64 MiB of zeros, of which no more is read than a value may have.
        redis.ask("SETRANGE", PLACE.key, str(64 * 1024 * 1024), "x")
        assert await shared.find(PLACE, lambda _: MARK.witness) is None
        assert refused(log) == 1


async def test_a_key_of_another_kind_is_no_error(redis: PrivateRedis) -> None:
    async with sharing(redis.url) as shared:
        redis.ask("LPUSH", PLACE.key, "x")
        assert await shared.find(PLACE, witness) is None
        await keep(shared, OTHER)
        assert shared.state == "available"


async def test_a_full_redis_still_answers(redis: PrivateRedis) -> None:
    async with sharing(redis.url) as shared:
        await keep(shared)
        redis.ask("CONFIG", "SET", "maxmemory", "1")
        try:
            shared.keep(OTHER, MARK, msgspec.msgpack.encode(VALUE))
            await asyncio.sleep(0.1)
            assert await shared.find(PLACE, witness) is not None
            assert await shared.find(OTHER, witness) is None
        finally:
            redis.ask("CONFIG", "SET", "maxmemory", "0")


async def test_after_a_few_failures_nobody_waits_until_it_is_back() -> None:
    log = StringIO()
    with PrivateRedis() as redis:
        async with sharing(redis.url, log=log) as shared:
            await keep(shared)
            redis.freeze()
            for _ in range(10):
                assert await shared.find(PLACE, witness) is None
            assert shared.state == "unavailable"
            for _ in range(1000):
                assert await shared.find(PLACE, witness) is None
                shared.keep(PLACE, MARK, b"x")
                shared.announce(1)
            # Nothing is asked and nothing is waiting.
            assert shared._waiting.empty()
            redis.thaw()
            await state_of(shared, "available")
            assert await shared.find(PLACE, witness) is not None
            redis.kill()
            await state_of(shared, "unavailable")
            redis.start()
            await state_of(shared, "available")
            await keep(shared)
    told = [line for line in log.getvalue().splitlines() if "redis is" in line]
    assert ["not used" in line for line in told] == [False, True, False, True, False]


async def test_a_server_starts_and_stops_without_its_redis() -> None:
    shared = SharedCache("redis://127.0.0.1:1/0", "", open_log("error", StringIO()))
    async with shared.running(on_hint=lambda: None):
        await asyncio.sleep(0.05)
        assert shared.state == "unavailable"
        assert await shared.find(PLACE, witness) is None


async def test_hints_reach_others_also_after_a_restart(redis: PrivateRedis) -> None:
    heard = asyncio.Event()

    async def hear(speaker: SharedCache) -> None:
        heard.clear()
        async with asyncio.timeout(30):
            while not heard.is_set():
                speaker.announce(7)
                await asyncio.sleep(0.02)

    listener = SharedCache(redis.url, "", open_log("error", StringIO()))
    async with listener.running(on_hint=heard.set), sharing(redis.url) as speaker:
        await asyncio.wait_for(heard.wait(), 30)  # it listens
        await hear(speaker)
        redis.kill()
        await state_of(speaker, "unavailable")
        redis.start()
        await state_of(speaker, "available")
        await asyncio.sleep(0)
        await hear(speaker)


async def test_a_silent_channel_is_asked_and_opened_anew(redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_module, "LISTEN_SECONDS", 0.05)
    monkeypatch.setattr(shared_module, "PROBE_SECONDS", 0.05)
    hints = 0

    def hear() -> None:
        nonlocal hints
        hints += 1

    async def count() -> int:
        return hints

    async def listeners() -> int:
        return redis.ask("CLIENT", "LIST", "TYPE", "pubsub").count("sub=1")

    shared = SharedCache(redis.url, "", open_log("error", StringIO()))
    async with shared.running(on_hint=hear):
        await until(lambda found: found == 1, listeners)
        redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
        before = hints
        await until(lambda found: found > before, count)
        await until(lambda found: found == 1, listeners)


async def test_a_prefix_keeps_registries_apart(redis: PrivateRedis) -> None:
    async with sharing(redis.url, "one:") as one, sharing(redis.url, "two:") as two:
        await keep(one)
        assert redis.keys("*") == [f"one:{PLACE.key}"]
        assert await two.find(PLACE, witness) is None


@pytest.mark.parametrize("url", ["http://localhost", "redis", "redis://localhost:port", "cluster://x"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        SharedCache(url, "", open_log("error", StringIO()))


async def test_a_cluster_is_spoken_to_by_its_own_client() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        bus = probe.getsockname()[1]
    with PrivateRedis("--cluster-enabled", "yes", "--cluster-port", str(bus)) as redis:
        redis.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        async with sharing(redis.url.replace("redis://", "redis+cluster://").removesuffix("/0")) as shared:
            await keep(shared)
            assert redis.keys() == [PLACE.key]
            redis.freeze()
            for _ in range(10):
                assert await shared.find(PLACE, witness) is None
            assert shared.state == "unavailable"
            redis.thaw()
            await state_of(shared, "available")
            await until(lambda found: found is not None, lambda: shared.find(PLACE, witness))


@asynccontextmanager
async def stores(url: str, redis: PrivateRedis, *counts: Counted) -> AsyncIterator[list[SqlStore]]:
    """Stores as of several instances on one database and one Redis, without memory of their own."""
    async with AsyncExitStack() as stack:
        opened = []
        for count in counts:
            shared = await stack.enter_async_context(sharing(redis.url))
            store = SqlStore.open(url, lock_timeout_seconds=60, cache=ValueCache(0, count, shared))
            stack.push_async_callback(store.close)
            opened.append(store)
        await opened[0].migrate()
        yield opened


async def test_the_keys_are_those_of_the_specification(postgres_url: str, redis: PrivateRedis) -> None:
    seconds = {
        "schema:id:1": 3600,
        "schema:subject:s:version:1": 300,
        "schema:subject:s:latest": 60,
        "schema:id:.x:1": 3600,
        "schema:subject::.x:s:version:1": 300,
        "schema:subject::.x:s:latest": 60,
    }
    async with stores(postgres_url, redis, Counted(), Counted()) as (one, two):
        for subject in (S, Subject(".x", "s")):
            await register(one, subject, "x")
            found: list[Schema | Version | None] = []
            for store in (one, two):
                reader = store.reader
                found.append(await reader.find_schema(subject.context, 1))
                found.append(await reader.find_version(subject, 1))
                found.append(await reader.find_version(subject, LATEST))
                found.append(await reader.find_version(subject, 1, Visibility.ALL))
                assert one._cache is not None
                assert one._cache.shared is not None
                await until(lambda waiting: waiting, _is_empty(one._cache.shared))
            assert None not in found
            assert found[:4] == found[4:]
        keys = redis.keys()
        assert keys == sorted(seconds)
        for key in keys:
            assert seconds[key] - 30 < int(redis.ask("TTL", key)) <= seconds[key]
        assert isinstance(two._cache, ValueCache)
        count = two._cache.count
        assert isinstance(count, Counted)
        assert count.looks["redis", True] == 6


def _is_empty(shared: SharedCache) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return shared._waiting.empty()

    return ask


@pytest.mark.parametrize("seed", range(2))
async def test_any_interleaving_equals_the_database(postgres_url: str, redis: PrivateRedis, seed: int) -> None:
    one, two = Counted(), Counted()
    async with stores(postgres_url, redis, one, two) as (here, there):
        await interleave(here, there, seed, 100)
        # Now what the one has shared is asked of the other.
        await interleave(there, here, seed, 100)
    assert one.looks["redis", True] + two.looks["redis", True] > 20
