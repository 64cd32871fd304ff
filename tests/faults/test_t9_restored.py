"""T9: a backup taken under load is restored: it is whole, and no id is ever given out twice.

A dump that is older than what was registered since cannot know of it. The servers notice that the database is another
one and leave a gap in the ids of each context, so that ids which clients have seen are not given to other contents.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from faults.check import check
from faults.history import Clients, History, Intent, record, send
from faults.scale import scaled, tell
from faults.servers import Servers
from postgres import PrivatePostgres

SECONDS = scaled(0.7, 30.0)
WAYS = ["into another database", "into the database made anew", "over the database"]
GAP = 1_000_000
CONTEXTS = ("", ":.other:")


@pytest.mark.parametrize("way", scaled(WAYS[:1], WAYS))
async def test_an_older_dump(durable_postgres: PrivatePostgres, tmp_path: Path, way: str) -> None:
    database = durable_postgres.create_database()
    dump = durable_postgres.folder(f"of-{database}") / "dump"
    history = History()
    with Servers(tmp_path, "--database-url", durable_postgres.url(database)) as servers:
        history.intents += [await register(servers.urls[0], context, "before") for context in CONTEXTS]
        async with Clients(lambda: servers.urls, history):
            await history.grow(10, SECONDS)
            known = history.acknowledged
            await asyncio.to_thread(
                durable_postgres.run, "pg_dump", *durable_postgres.connection, "-Fc", "-f", str(dump), database
            )
            await history.grow(10, SECONDS)
        history.intents += [await register(servers.urls[1], context, "since") for context in CONTEXTS]
        servers.stop()
    largest = {context: max(i.id for i in history.acknowledged if is_in(context, i)) for context in CONTEXTS}
    restored = restore(durable_postgres, database, dump, way)
    with Servers(tmp_path / "restored", "--database-url", durable_postgres.url(restored)) as servers:
        added = [
            await register(url, context, f"{name}{number}")
            for name in ("after", "again")
            for number, url in enumerate(servers.urls)
            for context in CONTEXTS
        ]
        # What was acknowledged before the dump began is in it; of the rest each may be, as a whole.
        unsure = [replace(intent, status=None) for intent in history.intents if intent not in known]
        url = durable_postgres.url(restored)
        count = await check(History([*known, *unsure, *added]), url, servers.urls, is_restored=True)
        servers.stop()
    told = {context or "default": [i.id for i in added if is_in(context, i)] for context in CONTEXTS}
    tell(
        f"T9 restored {way}",
        f"{count}, of these {len(known)} acknowledged before the dump began, largest ids ever given "
        f"{list(largest.values())}, ids given after it was restored {list(told.values())}",
    )
    assert not count.faults
    assert count.versions < len({(i.subject, i.version) for i in history.acknowledged}), "the dump is not older"
    for context in CONTEXTS:
        assert min(i.id for i in added if is_in(context, i)) > max(GAP, largest[context])


def is_in(context: str, intent: Intent) -> bool:
    return intent.subject.rpartition(":")[0] == context.rpartition(":")[0]


def restore(postgres: PrivatePostgres, database: str, dump: Path, way: str) -> str:
    """Bring a dump back; return the database in which it then is."""
    if way == "over the database":
        postgres.run("pg_restore", *postgres.connection, "--clean", "--if-exists", "--dbname", database, str(dump))
        return database
    if way == "into the database made anew":
        postgres.run("dropdb", *postgres.connection, database)
        postgres.run("createdb", *postgres.connection, "--template", "template0", database)
        target = database
    else:
        target = postgres.create_database()
    postgres.run("pg_restore", *postgres.connection, "--dbname", target, str(dump))
    return target


async def register(url: str, context: str, name: str) -> Intent:
    """Register a content that is the subject's own."""
    intent = Intent(f"{context}{name}", record(name))
    async with httpx.AsyncClient() as http:
        await send(http, url, intent)
    assert intent.is_acknowledged, intent
    return intent
