"""T5: Redis is killed, frozen, flushed, and filled with wrong data, while two servers answer reads and changes.

Every answer is right throughout: what was acknowledged by one server is what the other one answers, never another
schema, and no request fails. A server that starts meanwhile, with nothing in its memory, answers right as well.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from faults.check import check
from faults.history import CLIENT_SECONDS, Clients, History, Intent, record, send
from faults.scale import IS_LONG, scaled, tell
from faults.servers import Servers
from faults.watch import percentile
from redis_server import PrivateRedis

SUBJECTS, VERSIONS = scaled(5, 20), 3
READERS = 2
"""For each server; with the clients that register, as many as two cores can serve at their ease."""
SECONDS = scaled(1.0, 20.0)
BREAKER_SECONDS = scaled(1.0, 3.0)
"""How long a server may take to find out that Redis is of no use."""
MAX_P99_SECONDS = 0.05
AGAIN_SECONDS = 0.2

ONCE: dict[str, Callable[[PrivateRedis], object]] = {"killed": PrivateRedis.kill, "frozen": PrivateRedis.freeze}
AGAIN: dict[str, Callable[[PrivateRedis], int]] = {
    "flushed": PrivateRedis.flush,
    "exchanged": PrivateRedis.exchange,
    "damaged": PrivateRedis.damage,
    "replaced": PrivateRedis.replace,
}


@dataclass(slots=True)
class Readers:
    """Clients that read what is known, from a server for each, and hold every answer against what was acknowledged."""

    known: list[Intent]
    reads: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    is_stopping: bool = False

    async def read_on(self, url: str, number: int) -> None:
        """Read at random until told to stop."""
        chance = random.Random(number)
        async with httpx.AsyncClient(base_url=url, timeout=CLIENT_SECONDS) as http:
            while not self.is_stopping:
                await self._read(http, chance.choice(self.known), chance.choice(_PATHS))
                await asyncio.sleep(0.005)

    async def read_all(self, url: str) -> None:
        """Read everything that is known in every way."""
        async with httpx.AsyncClient(base_url=url, timeout=CLIENT_SECONDS) as http:
            for intent in self.known:
                for path in _PATHS:
                    await self._read(http, intent, path)

    async def _read(self, http: httpx.AsyncClient, intent: Intent, path: str) -> None:
        if path.endswith("latest") and intent.version != VERSIONS:
            path = _PATHS[0]
        began_at = time.monotonic()
        answer = await http.get(path.format(subject=intent.subject, version=intent.version, id=intent.id))
        self.seconds.append((began_at, time.monotonic() - began_at))
        self.reads += 1
        found = answer.json()
        expected = {"subject": intent.subject, "version": intent.version, "id": intent.id, "schema": intent.text}
        named = {name: found[name] for name in expected if name in found}
        if answer.status_code != 200 or "schema" not in named or not named.items() <= expected.items():
            self.wrong.append(f"{answer.url} answered {answer.status_code} {answer.text}, not {expected}")


# By id the answer may name any subject that uses it; here each content has one.
_PATHS = ("/subjects/{subject}/versions/{version}", "/subjects/{subject}/versions/latest", "/schemas/ids/{id}")


@pytest.mark.parametrize("harm", scaled(["frozen", "exchanged"], [*ONCE, *AGAIN]))
async def test_redis_fails(durable_postgres_url: str, tmp_path: Path, harm: str) -> None:
    history = History()
    harmed = 0
    # Without answers kept ahead of the router, so that every read is one of the cache's.
    with PrivateRedis() as redis:
        flags = ("--database-url", durable_postgres_url, "--redis-url", redis.url, "--answer-cache-bytes", "0")
        with Servers(tmp_path, *flags) as servers:
            readers = Readers(await fill(history, servers.urls[0]))
            async with asyncio.timeout(10):
                while not await asyncio.to_thread(redis.keys):
                    for url in servers.urls:
                        await readers.read_all(url)
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(Clients(lambda: servers.urls, history, count=2, subjects=2))
                reading = [
                    asyncio.create_task(readers.read_on(url, number))
                    for number in range(READERS)
                    for url in servers.urls
                ]
                stack.callback(setattr, readers, "is_stopping", True)
                await asyncio.sleep(SECONDS)
                harmed_at = time.monotonic()
                end = harmed_at + BREAKER_SECONDS + SECONDS
                if harm in ONCE:
                    await asyncio.to_thread(ONCE[harm], redis)
                    harmed = 1
                    await asyncio.sleep(end - time.monotonic())
                else:
                    while time.monotonic() < end:
                        harmed += await asyncio.to_thread(AGAIN[harm], redis)
                        await asyncio.sleep(AGAIN_SECONDS)
                ended_at = time.monotonic()
                await servers.restart(1)
                if harm in AGAIN:
                    harmed += await asyncio.to_thread(AGAIN[harm], redis)
                await readers.read_all(servers.urls[1])
                if harm in ONCE:
                    await asyncio.to_thread(redis.start if harm == "killed" else redis.thaw)
                await asyncio.sleep(SECONDS)
                for url in servers.urls:
                    await readers.read_all(url)
            results = await asyncio.gather(*reading, return_exceptions=True)
            count = await check(history, durable_postgres_url, servers.urls)
            servers.stop()
            within = partial(_between, readers.seconds)
            at_first, later = (
                within(harmed_at, harmed_at + BREAKER_SECONDS),
                within(harmed_at + BREAKER_SECONDS, ended_at),
            )
            tell(
                f"T5 Redis {harm}",
                f"{count}, reads {readers.reads}, wrong {len(readers.wrong)}, keys harmed {harmed}, slowest read at "
                f"first {max(at_first) * 1000:.0f} ms, then p99 {percentile(later, 0.99) * 1000:.1f} ms",
            )
            assert not readers.wrong, readers.wrong[:3]
            assert not count.faults
            assert not servers.errors
    # The server that was killed and started again takes its readers' connections with it, and nobody else's.
    assert {type(result) for result in results} <= {
        type(None),
        httpx.ReadError,
        httpx.ConnectError,
        httpx.RemoteProtocolError,
    }
    assert {intent.status for intent in history.intents} <= {200, None}
    assert harmed
    if IS_LONG:
        assert percentile(later, 0.99) < MAX_P99_SECONDS


async def fill(history: History, url: str) -> list[Intent]:
    """Register some versions at subjects that nobody changes afterwards."""
    known = [
        Intent(f"known-{subject}", record(f"known_{subject}_{version}"))
        for subject in range(SUBJECTS)
        for version in range(VERSIONS)
    ]
    async with httpx.AsyncClient() as http:
        for intent in known:
            await send(http, url, intent)
            assert intent.is_acknowledged, intent
    history.intents += known
    return known


def _between(seconds: list[tuple[float, float]], start: float, end: float) -> list[float]:
    return [took for at, took in seconds if start <= at < end]
