"""T2: two servers, one subject, 64 clients at once: they number versions as one and name contents as one.

The negative control shows that the test can fail: servers without the locks of their transactions do not pass it.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from faults.check import check
from faults.history import History, Intent, record, send
from faults.scale import scaled, tell
from faults.servers import Servers

CLIENTS = 64
ROUNDS = scaled(1, 20)
CONTROL_ROUNDS = 20
UNLOCKED = (sys.executable, str(Path(__file__).with_name("unlocked_server.py")), "serve")


async def register_at_once(urls: Sequence[str], subject: str, texts: Sequence[str], history: History) -> list[Intent]:
    """Register each text at the subject, each over a connection of its own, in turns on the servers."""

    async def register(number: int, intent: Intent) -> None:
        url = urls[number % len(urls)]
        await http.get(url)
        await gate.wait()
        await send(http, url, intent)

    gate = asyncio.Barrier(len(texts))
    intents = [Intent(subject, text) for text in texts]
    history.intents += intents
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None)) as http:
        await asyncio.gather(*(register(number, intent) for number, intent in enumerate(intents)))
    return intents


def statuses(intents: Sequence[Intent]) -> dict[int | None, int]:
    return dict(Counter(intent.status for intent in intents))


async def test_distinct_same_and_few_contents(database_url: str, tmp_path: Path) -> None:
    history = History()
    with Servers(tmp_path, "--database-url", database_url) as servers:
        for number in range(ROUNDS):
            distinct = [record(f"r{number}_{client}") for client in range(CLIENTS)]
            intents = await register_at_once(servers.urls, f"distinct-{number}", distinct, history)
            assert statuses(intents) == {200: CLIENTS}, [each.answer for each in intents if each.status != 200]
            in_order = sorted(intents, key=lambda intent: intent.version)
            assert [intent.version for intent in in_order] == list(range(1, CLIENTS + 1))
            # Ids are given out in the order of the versions, whichever server did it.
            ids = [intent.id for intent in in_order]
            assert ids == list(range(ids[0], ids[0] + CLIENTS))

            intents = await register_at_once(servers.urls, f"same-{number}", [record(f"s{number}")] * CLIENTS, history)
            assert statuses(intents) == {200: CLIENTS}
            assert {(intent.version, intent.id) for intent in intents} == {(1, intents[0].id)}

            few = [record(f"f{number}_{client // 2 % 4}") for client in range(CLIENTS)]
            intents = await register_at_once(servers.urls, f"few-{number}", few, history)
            assert statuses(intents) == {200: CLIENTS}
            assert sorted(Counter((i.version, i.id) for i in intents).values()) == [CLIENTS // 4] * 4
            assert {intent.version for intent in intents} == {1, 2, 3, 4}
        count = await check(history, database_url, servers.urls)
        servers.stop()
        tell(f"T2 on {database_url.partition(':')[0]}", f"clients {CLIENTS}, rounds {ROUNDS}, {count}")
        assert not count.faults
        assert not servers.errors
    assert count.acknowledged == 3 * CLIENTS * ROUNDS


async def test_without_locks_it_fails(durable_postgres_url: str, tmp_path: Path) -> None:
    # SQLite has one writer at a time, whatever locks are asked for; only PostgreSQL can show what they are for.
    history = History()
    with Servers(tmp_path, "--database-url", durable_postgres_url, command=UNLOCKED) as servers:
        for number in range(CONTROL_ROUNDS):
            texts = [record(f"r{number}_{client}") for client in range(CLIENTS)]
            intents = await register_at_once(servers.urls, f"distinct-{number}", texts, history)
            count = await check(history, durable_postgres_url)
            if count.faults or statuses(intents) != {200: CLIENTS}:
                break
        else:
            pytest.fail(f"{CONTROL_ROUNDS} rounds without locks met no fault, so this test proves nothing about locks")
    tell("T2 without locks", f"fails in round {number + 1}: answers {statuses(intents)}, {count}")
