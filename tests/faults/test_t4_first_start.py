"""T4: four servers start at once on a fresh database: all become ready, and the tables are made once."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import httpx

from faults.check import check
from faults.history import History, Intent, record, send
from faults.scale import scaled, tell
from faults.servers import Servers
from postgres import PrivatePostgres

ROUNDS = scaled(1, 20)
SERVERS = 4


async def start_at_once(database_url: str, folder: Path, count: int = SERVERS) -> None:
    """Start servers on an empty database; let each register the same and then something of its own."""
    history = History()
    with Servers(folder, "--database-url", database_url, count=count) as servers:
        async with httpx.AsyncClient() as http:
            for url in servers.urls:
                assert (await http.get(f"{url}/health/ready")).json()["status"] == "ready"
            intents = [Intent("shared", record("same")) for _ in servers.urls]
            intents += [Intent("shared", record(f"own_{number}")) for number in range(count)]
            history.intents += intents
            await asyncio.gather(*(send(http, url, i) for url, i in zip(servers.urls * 2, intents, strict=True)))
        counted = await check(history, database_url, servers.urls)
        servers.stop()
        assert not counted.faults
        assert not servers.errors
    assert (counted.acknowledged, counted.versions) == (2 * count, count + 1)


async def test_four_servers_on_a_file(tmp_path: Path) -> None:
    def changes_of_schema(file: Path) -> int:
        connection = sqlite3.connect(file)
        [(changes,)] = connection.execute("PRAGMA schema_version")
        connection.close()
        return int(changes)

    await start_at_once(f"sqlite:///{tmp_path}/alone.db", tmp_path / "alone", count=1)
    expected = changes_of_schema(tmp_path / "alone.db")
    for number in range(ROUNDS):
        file = tmp_path / f"{number}.db"
        await start_at_once(f"sqlite:///{file}", tmp_path / f"at-once-{number}")
        # SQLite counts every change of its tables: four servers made as many as one.
        assert changes_of_schema(file) == expected
    tell(
        "T4 on sqlite", f"rounds {ROUNDS}, servers {SERVERS}, all ready, {expected} changes of tables as by one server"
    )


async def test_four_servers_on_postgresql(durable_postgres: PrivatePostgres, tmp_path: Path) -> None:
    async def tables_made(folder: str, count: int) -> int:
        before = len(durable_postgres.log)
        await start_at_once(durable_postgres.url(durable_postgres.create_database()), tmp_path / folder, count)
        logged = durable_postgres.log[before:]
        assert "ERROR" not in logged
        return logged.count("CREATE TABLE")

    expected = await tables_made("alone", 1)
    for number in range(ROUNDS):
        assert await tables_made(f"at-once-{number}", SERVERS) == expected > 0
    tell("T4 on postgresql", f"rounds {ROUNDS}, servers {SERVERS}, all ready, {expected} tables made as by one server")
