"""T1: servers are killed at any moment while clients register; what was acknowledged is there, the rest whole or not.

One round a test, each on an empty database.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from faults.check import check
from faults.history import Clients, History
from faults.scale import scaled, tell
from faults.servers import Servers

ROUNDS = scaled(1, 20)
SECONDS = scaled(3.0, 60.0)
BETWEEN_KILLS = scaled((0.3, 0.8), (2.0, 4.0))


@pytest.mark.parametrize("round_number", range(ROUNDS))
async def test_kill_servers_during_registrations(database_url: str, tmp_path: Path, round_number: int) -> None:
    chance = random.Random(round_number)
    history = History()
    kills = 0
    with Servers(tmp_path, "--database-url", database_url) as servers:
        async with Clients(lambda: servers.urls, history):
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                await asyncio.sleep(chance.uniform(*BETWEEN_KILLS))
                await servers.restart(chance.randrange(2))
                kills += 1
        count = await check(history, database_url, servers.urls)
        servers.stop()
        tell(f"T1 round {round_number + 1} on {database_url.partition(':')[0]}", f"kills {kills}, {count}")
        assert not count.faults
        assert not history.refusals()
        assert not servers.errors
    assert count.acknowledged > kills > 0
