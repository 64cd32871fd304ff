"""S3: what one server has acknowledged, the other one shows at once, whatever becomes of the Redis that they share.

Each round changes something on one of two servers and reads it on the other, then on the first: `latest`, the version
by its number, the list of versions, the settings. The negative control shows that the test can fail: servers that look
at the log once a second only, as caches by time to live do, do not pass it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from faults.scale import scaled, tell
from faults.servers import Servers
from polling import until
from redis_server import PrivateRedis

ROUNDS = scaled(120, 10_000)
LANES = 8
"""Subjects that are changed at once, each by a client of its own."""
TURNS = 100
"""Rounds on one subject, before the next one."""
LEVELS = ("NONE", "BACKWARD", "FULL_TRANSITIVE")
STALE = (sys.executable, str(Path(__file__).with_name("stale_server.py")), "serve")


@dataclass(slots=True)
class Course:
    """What came of the rounds; `wrong` are the reads that showed less than what was acknowledged, or failed."""

    urls: Sequence[str]
    rounds: int = 0
    reads: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"rounds {self.rounds}, reads {self.reads}, stale or failed {len(self.wrong)}, slowest read "
            f"{self.slowest_seconds * 1000:.0f} ms"
        )

    async def count(self) -> int:
        """Return how many rounds are over."""
        return self.rounds

    async def run(self, rounds: int) -> None:
        """Change and read on all lanes at once."""
        await asyncio.gather(*(self._run_lane(lane, rounds // LANES) for lane in range(LANES)))

    async def _run_lane(self, lane: int, rounds: int) -> None:
        async with httpx.AsyncClient(timeout=60) as http:
            numbers: list[int] = []
            for round_ in range(rounds):
                if round_ % TURNS == 0:
                    numbers = []
                subject = f"lane-{lane}-{round_ // TURNS}"
                here, there = self.urls[round_ % 2], self.urls[1 - round_ % 2]
                versions = f"/subjects/{subject}/versions"
                if round_ % 5 == 4 and len(numbers) > 1:
                    change = http.delete(f"{here}{versions}/{numbers.pop()}")
                else:
                    text = json.dumps({"type": "record", "name": "R", "doc": f"{lane}, {round_}", "fields": []})
                    change = http.post(f"{here}{versions}", json={"schema": text})
                answer = await change
                assert answer.status_code == 200, answer.text
                if answer.request.method == "POST":
                    numbers.append(answer.json()["version"])
                level = LEVELS[round_ % len(LEVELS)]
                answer = await http.put(f"{here}/config/{subject}", json={"compatibility": level})
                assert answer.status_code == 200, answer.text
                for url in (there, here):
                    await self._read(http, f"{url}{versions}/latest", "version", numbers[-1])
                    await self._read(http, f"{url}{versions}/{numbers[-1]}", "version", numbers[-1])
                    await self._read(http, f"{url}{versions}", None, numbers)
                    await self._read(http, f"{url}/config/{subject}", "compatibilityLevel", level)
                self.rounds += 1

    async def _read(self, http: httpx.AsyncClient, url: str, member: str | None, expected: object) -> None:
        answer = await http.get(url)
        self.reads += 1
        self.slowest_seconds = max(self.slowest_seconds, answer.elapsed.total_seconds())
        found = answer.json()
        if member is not None:
            found = found.get(member)
        if answer.status_code != 200 or found != expected:
            self.wrong.append(f"{url} answered {answer.status_code} {answer.text[:300]}, not {expected}")


async def counted(urls: Sequence[str], line: str) -> int:
    """Sum a counter over the servers."""
    total = 0.0
    async with httpx.AsyncClient() as http:
        for url in urls:
            lines = (await http.get(f"{url}/metrics")).text.splitlines()
            total += sum(float(found.split()[-1]) for found in lines if found.startswith(line))
    return int(total)


HARMS: dict[str, Callable[[PrivateRedis], object] | None] = {
    "left alone": None,
    "frozen": PrivateRedis.freeze,
    "killed": PrivateRedis.kill,
    "flushed": PrivateRedis.flush,
    "damaged": PrivateRedis.damage,
    "exchanged": PrivateRedis.exchange,
    "replaced": PrivateRedis.replace,
}
ONCE = ("frozen", "killed")


@pytest.mark.parametrize("harm", HARMS)
async def test_no_answer_is_stale(durable_postgres_url: str, tmp_path: Path, harm: str) -> None:
    with PrivateRedis() as redis:
        flags = ("--database-url", durable_postgres_url, "--redis-url", redis.url, "--log-level", "warning")
        with Servers(tmp_path, *flags) as servers:
            course = Course(servers.urls)
            await is_used(servers.urls)
            running = asyncio.create_task(course.run(ROUNDS))
            doing = HARMS[harm]
            while doing is not None and not running.done():
                # In the middle of it, again and again.
                await asyncio.sleep(0.05)
                if harm not in ONCE:
                    await asyncio.to_thread(doing, redis)
                elif course.rounds > ROUNDS // 3:
                    await asyncio.to_thread(doing, redis)
                    await until(lambda rounds: rounds > 2 * ROUNDS // 3, course.count, 3600)
                    await asyncio.to_thread(redis.thaw if harm == "frozen" else redis.start)
                    break
            await running
            hits = await counted(servers.urls, 'schema_registry_cache_hits_total{cache_type="redis"}')
            kept = await counted(servers.urls, 'schema_registry_cache_hits_total{cache_type="process"}')
            servers.stop()
            tell(f"S3, Redis {harm}", f"{course}, answered by Redis {hits}, by a process {kept}")
            assert not course.wrong, course.wrong[:5]
            assert not servers.errors
    assert course.rounds == ROUNDS
    assert kept
    assert hits or harm in {"flushed", "damaged", "exchanged", "replaced"}


async def is_used(urls: Sequence[str]) -> None:
    """Wait until every server uses its Redis."""
    async with httpx.AsyncClient() as http:
        for url in urls:
            await until(
                lambda answer: answer.json()["dependencies"]["redis"] == "available",
                partial(http.get, f"{url}/health/ready"),
            )


async def test_caches_by_time_to_live_fail_it(durable_postgres_url: str, tmp_path: Path) -> None:
    flags = ("--database-url", durable_postgres_url, "--log-level", "warning")
    with Servers(tmp_path, *flags, command=STALE) as servers:
        course = Course(servers.urls)
        await course.run(10 * LANES)
        tell("S3, negative control", str(course))
        assert course.wrong
