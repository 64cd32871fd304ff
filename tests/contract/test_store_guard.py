"""A database that is lost, frozen or overrun: what its users are told, how soon, and how soon all is well again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from llm_schema_registry import errors
from llm_schema_registry.store import guard, postgresql
from llm_schema_registry.store.guard import Use
from llm_schema_registry.store.sql import SqlStore
from polling import until
from postgres import PrivatePostgres
from store_rows import named, numbers, register, write

RECOVERY_SECONDS = 5
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
IN_TRANSACTION = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"


class Told:
    """What a store told of its database."""

    def __init__(self) -> None:
        self.failures: Counter[Use] = Counter()
        self.changes: list[bool] = []

    def failed(self, use: Use) -> None:
        self.failures[use] += 1

    def changed(self, *, is_available: bool) -> None:
        self.changes.append(is_available)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest_asyncio.fixture
async def away(postgres_url: str, told: Told) -> AsyncIterator[SqlStore]:
    """A store whose database a test takes away."""
    store = SqlStore.open(postgres_url, told)
    yield store
    await store.close()


async def answers(store: SqlStore) -> bool:
    try:
        await store.ping()
    except errors.StoreUnavailable:
        return False
    return True


async def wait_for_recovery(store: SqlStore) -> None:
    await until(bool, lambda: answers(store), RECOVERY_SECONDS)


async def test_a_restart_under_load_goes_by_unseen(
    private_postgres: PrivatePostgres, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was only asked or about to begin fails when PostgreSQL restarts (failure-and-attack-tests T3)."""
    # However slow the machine is at restarting it.
    monkeypatch.setattr(guard, "RETRY_SECONDS", 30.0)
    away = SqlStore.open(postgres_url)
    await register(away, named("s"), "x")
    is_over = asyncio.Event()

    async def ask() -> int:
        asked = 0
        while not is_over.is_set():
            assert await away.reader.list_subjects() == [named("s")]
            asked += 1
        return asked

    def restart() -> None:
        private_postgres.stop("immediate")
        private_postgres.start()

    asking = [asyncio.create_task(ask()) for _ in range(8)]
    await asyncio.to_thread(restart)
    assert (await register(away, named("s"), "y")).version == 2
    is_over.set()
    assert all(await asyncio.gather(*asking))
    await away.close()


async def test_a_lost_database_is_refused_at_once_and_comes_back(
    private_postgres: PrivatePostgres, away: SqlStore, told: Told
) -> None:
    await register(away, named("s"), "x")
    await asyncio.to_thread(private_postgres.stop, "immediate")
    try:
        attempts = [away.ping(), register(away, named("s"), "y"), away.reader.list_subjects()]
        failures = await asyncio.gather(*attempts, return_exceptions=True)
        assert [type(failure) for failure in failures] == [errors.StoreUnavailable] * 3
        await until(bool, lambda: asyncio.sleep(0, told.changes))
        # Each refusal waits for nothing: what waited, however short, would take a thousand times as long.
        async with asyncio.timeout(30):
            for _ in range(1000):
                with pytest.raises(errors.StoreUnavailable, match="nothing was changed"):
                    await register(away, named("s"), "y")
    finally:
        await asyncio.to_thread(private_postgres.start)
    await wait_for_recovery(away)
    assert (await register(away, named("s"), "y")).version == 2
    assert told.changes == [False, True]
    assert told.failures == {"read": 2, "begin": 1}


async def test_a_frozen_database_is_found_out(
    private_postgres: PrivatePostgres, away: SqlStore, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that stay open and say nothing (SIGSTOP)."""
    monkeypatch.setattr(guard, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(guard, "PROBE_PATIENCE_SECONDS", 0.5)
    await register(away, named("s"), "x")
    with private_postgres.frozen():
        stuck = [asyncio.create_task(work) for work in (away.ping(), register(away, named("s"), "y"))]
        await asyncio.sleep(0.3)
        stuck.append(asyncio.create_task(away.ping()))
        await until(bool, lambda: asyncio.sleep(0, told.changes), 3)
        with pytest.raises(errors.StoreUnavailable):
            await away.ping()
        with pytest.raises(errors.StoreUnavailable):
            await register(away, named("s"), "z")
        # A deadline ends those that wait, whatever the database does.
        stuck[0].cancel()
        await asyncio.wait(stuck[:1], timeout=1)
        assert stuck[0].cancelled()
    await asyncio.gather(*stuck[1:])
    await wait_for_recovery(away)
    assert await numbers(away, named("s")) == [1, 2]
    assert told.changes == [False, True]


async def test_waiting_for_one_another_is_no_sign_of_a_lost_database(
    postgres_url: str, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "SILENCE_SECONDS", 0.1)
    store = SqlStore.open(postgres_url, told, pool_size=1, lock_timeout_seconds=30)
    async with store.transaction(lock=[named("s")]):
        waiting = [asyncio.create_task(register(store, named("s"), f"text {index}")) for index in range(3)]
        await asyncio.sleep(0.3)
        waiting.append(asyncio.create_task(register(store, named("s"), "late")))
        await asyncio.sleep(0.3)
    await asyncio.gather(*waiting)
    assert told.changes == []
    assert not told.failures
    await store.close()


async def test_only_so_many_may_wait(
    private_postgres: PrivatePostgres, away: SqlStore, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_CALLERS", 4)
    await register(away, named("s"), "x")
    with private_postgres.frozen():
        reads = [asyncio.create_task(away.reader.list_subjects()) for _ in range(9)]
        await asyncio.wait(reads, timeout=0.3)
        refused = [read.exception() for read in reads if read.done()]
        assert [type(error) for error in refused] == [errors.Overloaded] * 5
        # Those who read take no place of those who write.
        begun = asyncio.create_task(register(away, named("s"), "y"))
        await asyncio.sleep(0.1)
        assert not begun.done()
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert [result for result in results if not isinstance(result, Exception)] == [[named("s")]] * 4
    assert (await begun).version == 2
    assert not told.failures


@pytest.mark.parametrize("then", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_commit_whose_end_nobody_saw_says_so(
    postgres_url: str, away: SqlStore, told: Told, monkeypatch: pytest.MonkeyPatch, then: signal.Signals
) -> None:
    """The process that commits dies, or says nothing any more."""
    if then is signal.SIGSTOP:
        monkeypatch.setattr(postgresql, "_COMMIT_SECONDS", 0.5)
    other = await asyncpg.connect(postgres_url)
    pids = []

    async def run() -> None:
        async with away.transaction(lock=[named("s")]) as writer:
            await write(writer, named("s"), "x")
            await writer.write_events()  # so that the commit is all that is left
            pids.extend([row["pid"] for row in await other.fetch(IN_TRANSACTION)])
            os.kill(pids[0], signal.SIGSTOP)

    running = asyncio.create_task(run())
    await until(bool, lambda: asyncio.sleep(0, pids))
    await asyncio.wait([running], timeout=0.3)
    assert not running.done()
    os.kill(pids[0], then)
    with pytest.raises(errors.StoreUnavailable, match="whether the change was made is not known"):
        await running
    assert told.failures == {"transaction": 1}
    if then is signal.SIGSTOP:
        os.kill(pids[0], signal.SIGCONT)
    await wait_for_recovery(away)
    assert await numbers(away, named("s")) in ([], [1])
    other.terminate()


async def test_a_statement_whose_caller_gave_up_is_cancelled(postgres_url: str, away: SqlStore) -> None:
    """Nothing waits on in the database for a request whose time is over, and nothing was written."""
    other = await asyncpg.connect(postgres_url)
    async with other.transaction():
        await other.execute("LOCK TABLE versions IN ACCESS EXCLUSIVE MODE")
        for work in (register(away, named("s"), "x"), away.reader.list_subjects()):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(work, 0.3)
        await until(lambda count: count == 0, lambda: other.fetchval(WAITING), 3)
    assert await numbers(away, named("s")) == []
    assert (await register(away, named("s"), "x")).version == 1
    await other.close()


async def test_a_full_disk_is_no_fault_of_the_store(tmp_path: Path, told: Told) -> None:
    """What waiting may heal is told apart from what it does not (failure-and-attack-tests T6)."""
    store = SqlStore.open(f"sqlite:///{tmp_path}/r.db", told)
    await store.migrate()
    await register(store, named("s"), "x")
    connection = await store._writers.acquire()
    connection._raw.execute("PRAGMA max_page_count = 1")
    await store._writers.release(connection)
    with pytest.raises(errors.StoreUnavailable, match="full"):
        await register(store, named("s"), "y" * 1_000_000)
    assert await numbers(store, named("s")) == [1]
    assert told.failures == {"transaction": 1}
    await store.close()
