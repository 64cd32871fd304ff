"""T6: the disk of the database, or of the log, fills up under load, and is freed again.

Meanwhile writes are refused with 503 or 507 and reads go on; afterwards each server works again without a restart,
nothing is damaged, and nothing acknowledged is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from faults.check import check
from faults.disk import SmallDisk
from faults.history import Clients, History, Intent, record, send
from faults.scale import scaled, tell
from faults.servers import Servers
from faults.watch import Watch
from postgres import PrivatePostgres

WARM_SECONDS = scaled(0.5, 10.0)
FULL_SECONDS = scaled(1.5, 30.0)
PATIENCE_SECONDS = 60.0
RECOVERY_SECONDS = 5.0


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """A disk that the smallest PostgreSQL fits on."""
    with SmallDisk(160) as small:
        yield small


async def run(disk: SmallDisk, database_url: str, folder: Path, ends_itself: PrivatePostgres | None = None) -> None:
    """Let clients register while the disk fills up and is freed, and hold what became of it.

    `ends_itself` is a PostgreSQL that is brought to where it cannot write its log ahead, and ends itself; it is started
    again as soon as there is room, as a service is by its supervisor.
    """
    history = History([Intent("kept", record("kept"))])
    [kept] = history.intents
    with Servers(folder, "--database-url", database_url) as servers:
        async with AsyncExitStack() as stack:
            async with httpx.AsyncClient() as http:
                await send(http, servers.urls[0], kept)
            cached = [await stack.enter_async_context(Watch(u, f"/schemas/ids/{kept.id}")) for u in servers.urls]
            await stack.enter_async_context(Clients(lambda: servers.urls, history))
            await history.grow(10, WARM_SECONDS)
            await fill_until_refused(disk, history)
            if ends_itself:
                await asyncio.to_thread(exhaust_log, disk, ends_itself)
            await asyncio.sleep(FULL_SECONDS)
            disk.free()
            if ends_itself:
                await asyncio.to_thread(ends_itself.start)
            freed_at = time.monotonic()
            recoveries = [await history.recovery(url, freed_at) for url in servers.urls]
            await history.grow(10, WARM_SECONDS)
        count = await check(history, database_url, servers.urls)
        servers.stop()
        answers = dict(Counter(intent.status for intent in history.intents))
        tell(
            f"T6 {database_url.partition(':')[0]}",
            f"{count}, registrations answered {answers}, PostgreSQL ended itself: {ends_itself is not None}, "
            f"recovered in {', '.join(f'{seconds:.2f} s' for seconds in recoveries)}",
        )
        assert not count.faults
        assert {look.status for watch in cached for look in watch.looks} == {200}
        assert not [intent for intent in history.intents if intent.status not in (200, 503, 507)]
        assert all(intent.retry_after for intent in history.answered(503))
        assert max(recoveries) < RECOVERY_SECONDS
        assert not [line for line in servers.errors if line["event"] == "unhandled"]


async def fill_until_refused(disk: SmallDisk, history: History) -> None:
    """Take all room again and again: a database has some of its own that it may still use."""
    refused = len(history.intents) - len(history.acknowledged)
    end = time.monotonic() + PATIENCE_SECONDS
    while len(history.intents) - len(history.acknowledged) <= refused + 20:
        assert time.monotonic() < end, "the full disk was not met"
        disk.fill()
        await asyncio.sleep(0.05)


def exhaust_log(disk: SmallDisk, postgres: PrivatePostgres) -> None:
    """Take all room, and let PostgreSQL begin new files of its log until it ends itself for want of them."""
    end = time.monotonic() + PATIENCE_SECONDS
    while postgres.is_running():
        assert time.monotonic() < end, "PostgreSQL did not end itself"
        disk.fill()
        with contextlib.suppress(RuntimeError):
            postgres.run("psql", *postgres.connection, "--command", "SELECT pg_switch_wal()")


async def test_the_disk_of_sqlite(disk: SmallDisk) -> None:
    file = disk.place / "registry.db"
    # The servers log onto the same disk.
    await run(disk, f"sqlite:///{file}", disk.place)
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@pytest.mark.parametrize("full", scaled(["its tables"], ["its tables", "its log"]))
async def test_the_disk_of_postgresql(disk: SmallDisk, tmp_path: Path, full: str) -> None:
    postgres = PrivatePostgres("min_wal_size=32MB", "max_wal_size=48MB", is_durable=True, place=disk.place)
    try:
        database = postgres.create_database()
        await run(disk, postgres.url(database), tmp_path, postgres if full == "its log" else None)
        postgres.run("pg_amcheck", *postgres.connection, "--install-missing", "--heapallindexed", database)
    finally:
        postgres.remove()


async def test_the_disk_of_the_log(disk: SmallDisk, tmp_path: Path) -> None:
    history = History()
    database_url = f"sqlite:///{tmp_path}/registry.db"
    with Servers(disk.place, "--database-url", database_url) as servers:
        async with Clients(lambda: servers.urls, history, name="before"):
            await history.grow(10, WARM_SECONDS)
        disk.fill()
        logged = [server.errors.stat().st_size for server in servers.running]
        async with Clients(lambda: servers.urls, history, name="full"):
            await history.grow(10, FULL_SECONDS)
        disk.free()
        async with Clients(lambda: servers.urls, history, name="after"):
            await history.grow(10, WARM_SECONDS)
        count = await check(history, database_url, servers.urls)
        grown = [server.errors.stat().st_size > size for server, size in zip(servers.running, logged, strict=True)]
        servers.stop()
    tell("T6 log", f"{count}, answered {dict(Counter(intent.status for intent in history.intents))}")
    assert not count.faults
    assert {intent.status for intent in history.intents} == {200}
    assert grown == [True, True]
