"""Two applications on one database and one Redis: hints, readiness and metrics; and what is no Redis."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from api.conftest import Log, MakeClient
from llm_schema_registry import telemetry
from llm_schema_registry.rest import hot_path
from llm_schema_registry.server import StartRefused, open_app
from llm_schema_registry.settings import Settings
from polling import until
from redis_server import PrivateRedis

Pair = tuple[httpx.AsyncClient, httpx.AsyncClient]


@pytest.fixture
def redis() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
async def pair(postgres_url: str, redis: PrivateRedis, make_client: MakeClient, log: Log) -> AsyncIterator[Pair]:
    """Clients of the two, once both use Redis."""
    settings = Settings(database_url=postgres_url, redis_url=redis.url)
    writer = telemetry.open_log("warning", log)
    async with open_app(settings, writer) as here, open_app(settings, writer) as there:
        clients = make_client(here), make_client(there)
        for client in clients:
            await ready_with(client, "available")
        yield clients


async def ready_with(client: httpx.AsyncClient, state: str) -> None:
    async def ask() -> httpx.Response:
        return await client.get("/health/ready")

    answer = await until(lambda found: found.json()["dependencies"].get("redis") == state, ask)
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "dependencies": {"database": "available", "redis": state}},
    )


async def register(client: httpx.AsyncClient, schema: str = '"string"') -> None:
    answer = await client.post("/subjects/s/versions", json={"schema": schema})
    assert answer.status_code == 200, answer.text


async def test_a_deletion_there_is_told_here(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = pair
    await register(there)
    assert (await here.get("/schemas/ids/1")).status_code == 200
    # The wait that has begun ends by itself; from then on only a hint ends one.
    waited = hot_path.POLL_SECONDS
    monkeypatch.setattr(hot_path, "POLL_SECONDS", 3600)
    await asyncio.sleep(2 * waited)
    for query in ("", "?permanent=true"):
        assert (await there.delete(f"/subjects/s{query}")).status_code == 200

    async def ask() -> httpx.Response:
        return await here.get("/schemas/ids/1")

    await until(lambda answer: answer.status_code == 404, ask)


async def test_without_redis_all_is_answered_and_ready(pair: Pair, redis: PrivateRedis) -> None:
    _, there = pair
    redis.freeze()
    for schema in ('"string"', '"bytes"'):
        await register(there, schema)
        for client in pair:
            assert (await client.get("/subjects/s/versions/latest")).json()["schema"] == schema
    for client in pair:
        await ready_with(client, "unavailable")
    redis.thaw()
    for client in pair:
        await ready_with(client, "available")


async def test_both_caches_are_counted(pair: Pair) -> None:
    here, there = pair
    before = counts()
    await register(there)
    assert (await there.get("/subjects/s/versions/latest")).status_code == 200

    async def ask() -> Counter[str]:
        # Another version by its number each time, until what the other has shared of it is there.
        await register(there, f'{{"type": "enum", "name": "E", "symbols": ["A{len(asked)}"]}}')
        asked.append(1)
        number = len(asked) + 1
        for client in (there, here, here):
            assert (await client.get(f"/subjects/s/versions/{number}")).status_code == 200
            await asyncio.sleep(0.01)
        return counts() - before

    asked: list[int] = []
    assert (await there.put("/config/s", json={"compatibility": "NONE"})).status_code == 200
    every = {f"{what}/{cache}" for what in ("hits", "misses") for cache in ("process", "redis")}
    await until(lambda found: set(found) == every, ask)


def counts() -> Counter[str]:
    """Return what the caches counted, as `hits/redis`."""
    pattern = r'^schema_registry_cache_(\w+)_total{cache_type="(\w+)"} (\S+)$'
    found = re.findall(pattern, telemetry.exposition().decode(), re.MULTILINE)
    return Counter({f"{what}/{cache}": int(float(number)) for what, cache, number in found})


@pytest.mark.parametrize("url", ["http://user:secret@host", "redis://:secret@host:port"])
async def test_what_is_no_redis_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StartRefused) as caught:
        async with open_app(Settings(database_url="sqlite://", redis_url=url), telemetry.open_log("error")):
            pass
    assert "redis_url" in str(caught.value) or "cannot be used" in str(caught.value)
    assert "secret" not in str(caught.value)
