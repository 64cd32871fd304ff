"""T3: PostgreSQL is restarted as by a crash, and stopped for a while, under load.

What needs the database is answered 503 with `Retry-After`; what is kept by its id is answered on; readiness says
degraded; within 5 seconds of its return each server works again, without a restart; nothing acknowledged is lost.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from faults.check import check
from faults.history import Clients, History, Intent, record, send
from faults.scale import scaled, tell
from faults.servers import Servers
from faults.watch import Watch
from postgres import PrivatePostgres

WARM_SECONDS = scaled(0.7, 10.0)
STOPPED_SECONDS = scaled(2.5, 30.0)
RECOVERY_SECONDS = 5.0


@pytest.mark.parametrize("way", ["restarted", "stopped"])
async def test_postgresql_goes_and_comes_back(durable_postgres: PrivatePostgres, tmp_path: Path, way: str) -> None:
    database_url = durable_postgres.url(durable_postgres.create_database())
    history = History([Intent("kept", record("kept"))])
    [kept] = history.intents
    with Servers(tmp_path, "--database-url", database_url) as servers:
        try:
            async with AsyncExitStack() as stack:
                async with httpx.AsyncClient() as http:
                    await send(http, servers.urls[0], kept)
                cached = [await stack.enter_async_context(Watch(u, f"/schemas/ids/{kept.id}")) for u in servers.urls]
                others = [await stack.enter_async_context(Watch(u, "/subjects")) for u in servers.urls]
                ready = [await stack.enter_async_context(Watch(u, "/health/ready", 0.1)) for u in servers.urls]
                await stack.enter_async_context(Clients(lambda: servers.urls, history))
                await history.grow(10, WARM_SECONDS)
                await asyncio.to_thread(durable_postgres.stop, "immediate" if way == "restarted" else "fast")
                gone_at = time.monotonic()
                await asyncio.sleep(0 if way == "restarted" else STOPPED_SECONDS)
                returns_at = time.monotonic()
                await asyncio.to_thread(durable_postgres.start)
                back_at = time.monotonic()
                recoveries = [await history.recovery(url, back_at) for url in servers.urls]
                await history.grow(10, WARM_SECONDS)
        finally:
            if not durable_postgres.is_running():
                durable_postgres.start()
        count = await check(history, database_url, servers.urls)
        servers.stop()
        gone = {
            name: [look for watch in watches for look in watch.between(gone_at, returns_at)]
            for name, watches in (("cached", cached), ("others", others), ("ready", ready))
        }
        told = [look for watch in (*cached, *others) for look in watch.looks]
        slowest = max((look.seconds for look in gone["others"]), default=0.0)
        tell(
            f"T3 PostgreSQL {way}",
            f"{count}, registrations answered {dict(Counter(i.status for i in history.intents))}, away for "
            f"{back_at - gone_at:.1f} s, reads meanwhile: by id {Counter(x.status for x in gone['cached'])}, others "
            f"{Counter(x.status for x in gone['others'])}, slowest refusal {slowest:.2f} s, recovered in "
            f"{', '.join(f'{seconds:.2f} s' for seconds in recoveries)}",
        )
        assert not count.faults
        assert {look.status for watch in cached for look in watch.looks} == {200}
        assert {record("kept") in look.text.replace("\\", "") for watch in cached for look in watch.looks} == {True}
        assert {look.status for look in told} | {intent.status for intent in history.intents} <= {200, 503}
        waits = [look.retry_after for look in told if look.status == 503]
        waits += [intent.retry_after for intent in history.answered(503)]
        assert all(wait is not None and int(wait) >= 1 for wait in waits)
        assert max(recoveries) < RECOVERY_SECONDS
        assert not [line for line in servers.errors if line["event"] == "unhandled"]
        if way == "stopped":
            assert {look.status for look in gone["others"]} == {503}
            assert all("degraded" in look.text for look in gone["ready"])
        assert [json.loads(watch.looks[-1].text)["status"] for watch in ready] == ["ready"] * 2
