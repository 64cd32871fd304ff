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
from functools import partial
from pathlib import Path

import httpx
import pytest

from faults.check import check
from faults.failing_storage import PostgresProxy, Trigger
from faults.history import Clients, History, Intent, record, send
from faults.scale import scaled, tell
from faults.servers import Servers
from faults.watch import Watch
from llm_schema_registry.store.sql import SqlStore
from polling import until
from postgres import PrivatePostgres
from registry_client import Registry

WARM_SECONDS = scaled(0.7, 10.0)
STOPPED_SECONDS = scaled(4.0, 30.0)
"""Longer than servers try a question again before they refuse it."""
RECOVERY_SECONDS = 5.0
ON_ITS_WAY_SECONDS = 0.2
"""How long an answer from before the stop may take to arrive."""
_AFTER = {"schema": record("after")}


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
            name: [look for watch in watches for look in watch.ended_between(gone_at + ON_ITS_WAY_SECONDS, returns_at)]
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
        strange = [(look.status, look.text) for look in told if look.status not in (200, 503)]
        strange += [(intent.status, intent.answer) for intent in history.intents if intent.status not in (200, 503)]
        assert not strange
        waits = [look.retry_after for look in told if look.status == 503]
        waits += [intent.retry_after for intent in history.answered(503)]
        assert all(wait is not None and int(wait) >= 1 for wait in waits)
        assert max(recoveries) < RECOVERY_SECONDS
        assert not [line for line in servers.errors if line["event"] == "unhandled"]
        if way == "stopped":
            assert {look.status for look in gone["others"]} == {503}
            assert all("degraded" in look.text for look in gone["ready"])
        assert [json.loads(watch.looks[-1].text)["status"] for watch in ready] == ["ready"] * 2


async def test_a_connection_is_told_to_end_before_it_ends(durable_postgres: PrivatePostgres, tmp_path: Path) -> None:
    database = durable_postgres.create_database()
    proxied = f"postgresql:///{database}?host={tmp_path}&user=postgres"
    async with PostgresProxy(tmp_path, durable_postgres.sockets, Trigger(), is_lingering=True):
        direct, store = SqlStore.open(durable_postgres.url(database)), SqlStore.open(proxied)
        await direct.migrate()
        await direct.close()
        registry = Registry(store)
        await registry.register("before", record("before"))
        end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        end_all = f"{end_all} AND pid <> pg_backend_pid()"
        durable_postgres.run("psql", *durable_postgres.connection, "--dbname", database, "--command", end_all)
        # The server's word has arrived.
        await asyncio.sleep(0.2)
        for method, path, body in (("GET", "/subjects", None), ("POST", "/subjects/after/versions", _AFTER)):
            answer = await registry.ask(method, path, body)
            assert answer.status_code in (200, 503), answer.text
            answer = await until(lambda last: last.status_code == 200, partial(registry.ask, method, path, body), 5)
            assert answer.status_code == 200
        await registry.close()
        await store.close()
