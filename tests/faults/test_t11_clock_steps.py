"""T11: the clocks of two servers step an hour ahead and back under load: ids, versions and their order do not mind.

Each server is a real process under libfaketime, whose clock is told by a file. Like a step of a real clock, it leaves
the monotonic clock alone.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from pathlib import Path

from faults.check import check
from faults.history import Clients, History
from faults.scale import scaled, tell
from faults.servers import Servers
from llm_schema_registry.store.sql import SqlStore

SECONDS = scaled(0.8, 15.0)
HOUR = 3600
# What each server's clock is ahead, step by step.
STEPS = [(0, 0), (HOUR, -HOUR), (-HOUR, HOUR)]


class SteppedClock:
    """The clock of a process that is started with `environment`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.step(0)
        self.environment = {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Otherwise it meddles with how threads wait for each other, and Python's take a tenth of a second.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def step(self, seconds: int) -> None:
        """Let it be so far ahead of the real one."""
        told = self._file.with_suffix(".new")
        told.write_text(f"{seconds:+d}\n")
        told.replace(self._file)


def _library() -> Path:
    found = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), *Path("/usr/lib").glob("faketime/*MT.so.1")]
    if not found:
        raise RuntimeError("faketime is not installed: run make setup-test")
    return found[0]


async def test_clocks_step_under_load(database_url: str, tmp_path: Path) -> None:
    history = History()
    clocks = [SteppedClock(tmp_path / f"clock-{number}") for number in range(2)]
    started = time.time()
    with Servers(
        tmp_path, "--database-url", database_url, environments=[clock.environment for clock in clocks]
    ) as servers:
        async with Clients(lambda: servers.urls, history):
            for step in STEPS:
                for clock, seconds in zip(clocks, step, strict=True):
                    clock.step(seconds)
                await history.grow(20, SECONDS)
        count = await check(history, database_url, servers.urls)
        servers.stop()
        store = SqlStore.open(database_url)
        told = [event.at / 1000 for _, event in await store.reader.list_events(limit=1_000_000)]
        await store.close()
        hours = Counter(round((at - started) / HOUR) for at in told)
        backwards = sum(later < earlier for earlier, later in itertools.pairwise(told))
        tell(
            f"T11 on {database_url.partition(':')[0]}",
            f"{count}, by hours ahead {dict(sorted(hours.items()))}, commits at an earlier time than the one before "
            f"{backwards}",
        )
        assert not count.faults
        assert {intent.status for intent in history.intents} == {200}
        assert not servers.errors
    # The clocks did step.
    assert hours.keys() == {-1, 0, 1}
    assert backwards > 0
