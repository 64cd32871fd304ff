"""The store's contract on transactions: order, locks, cancellation and failures, on every kind of database."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio

from llm_schema_registry import errors
from llm_schema_registry.model import Config, Subject
from llm_schema_registry.store.base import Visibility
from llm_schema_registry.store.fence import PositionFile
from llm_schema_registry.store.pool import Connection
from llm_schema_registry.store.postgresql import PostgresConnection
from llm_schema_registry.store.sql import SqlStore
from store_rows import delete, event, guid_of, named, numbers, register, soft_delete, write

TASKS = 32


@pytest_asyncio.fixture
async def hasty_store(store_url: str) -> AsyncIterator[SqlStore]:
    """A store that waits for locks no longer than a moment."""
    opened = SqlStore.open(store_url, lock_timeout_seconds=0.1)
    await opened.migrate()
    yield opened
    await opened.close()


async def check_order(store: SqlStore, context: str = ".") -> None:
    """Ids and positions have no gaps, and ids rise in the order of commits."""
    log = await store.reader.list_events()
    assert [position for position, _ in log] == list(range(1, len(log) + 1))
    given = [line.schema_id for _, line in log if line.subject.context == context]
    firsts = list(dict.fromkeys(given))
    assert firsts == list(range(1, len(firsts) + 1))
    assert await store.reader.find_max_schema_id(context) == len(firsts)


def has_free_connections(store: SqlStore) -> bool:
    return store._readers.in_use == store._writers.in_use == 0


async def test_ids_rise_in_commit_order_without_gaps(store: SqlStore) -> None:
    async def run(index: int) -> None:
        async with store.transaction(lock=[named(f"s{index}")]) as writer:
            await write(writer, named(f"s{index}"), f"text {index}")
            if index % 4 == 0:
                raise ZeroDivisionError

    results = await asyncio.gather(*(run(index) for index in range(TASKS)), return_exceptions=True)
    assert [type(result) for result in results if result] == [ZeroDivisionError] * (TASKS // 4)
    await check_order(store)
    assert await store.reader.find_max_schema_id(".") == TASKS - TASKS // 4


async def test_ids_become_visible_in_rising_order(store: SqlStore) -> None:
    writers = [asyncio.create_task(register(store, named(f"s{index}"), f"text {index}")) for index in range(TASKS)]
    is_done = False
    while not is_done:
        is_done = all(task.done() for task in writers)
        largest = await store.reader.find_max_schema_id(".")
        for schema_id in range(1, largest + 1):
            assert await store.reader.find_schema(".", schema_id) is not None
    await asyncio.gather(*writers)
    assert largest == TASKS


async def test_one_content_gets_one_id_from_many_at_once(store: SqlStore) -> None:
    keys = await asyncio.gather(*(register(store, named(f"s{index}"), "same") for index in range(TASKS)))
    assert {key.schema_id for key in keys} == {1}
    assert len(await store.reader.list_versions_of_schema(".", 1)) == TASKS


async def test_one_subject_gets_contiguous_versions_from_many_at_once(store: SqlStore) -> None:
    await asyncio.gather(*(register(store, named("s"), f"text {index}") for index in range(TASKS)))
    assert await numbers(store, named("s")) == list(range(1, TASKS + 1))
    await check_order(store)


async def test_a_content_outlives_a_deletion_that_races_with_its_new_use(store: SqlStore) -> None:
    for turn in range(8):
        old, new = named(f"old{turn}"), named(f"new{turn}")
        key = await register(store, old, f"text {turn}")
        await soft_delete(store, old, 1)
        await asyncio.gather(delete(store, old, 1), register(store, new, f"text {turn}"))
        version = await store.reader.find_version(new, 1)
        assert version is not None
        assert version.schema.id in (key.schema_id, key.schema_id + 1)
        assert await store.reader.find_schema(".", version.schema.id) == version.schema


async def test_changes_under_a_lock_are_never_lost(store: SqlStore) -> None:
    scope = named("counter")

    async def add_one() -> None:
        async with store.transaction(lock=[scope]) as writer:
            config = await writer.find_config(scope) or Config(alias="0")
            await writer.list_subjects()
            await writer.put_config(scope, Config(alias=str(int(config.alias or "") + 1)))

    await asyncio.gather(*(add_one() for _ in range(TASKS)))
    assert await store.reader.find_config(scope) == Config(alias=str(TASKS))


LOCKED: list[tuple[dict[str, list[Subject]], dict[str, list[Subject]]]] = [
    ({"lock": [named("a")]}, {"lock": [named("b"), named("a")]}),
    ({"lock": [named("a")]}, {"share": [named("a")]}),
    ({"share": [named("a"), named("c")]}, {"lock": [named("a")]}),
    ({"lock": [named("a")], "share": [named("a")]}, {"share": [named("a")]}),
    ({"lock": [named("", ".c")]}, {"lock": [named("", ".c")]}),
]


@pytest.mark.parametrize(("first", "second"), LOCKED)
async def test_a_locked_subject_keeps_others_out_until_the_end(
    hasty_store: SqlStore, first: dict[str, list[Subject]], second: dict[str, list[Subject]]
) -> None:
    async def enter() -> None:
        async with hasty_store.transaction(**second) as writer:
            await writer.next_version(named("a"))

    async with hasty_store.transaction(**first):
        with pytest.raises(errors.TimedOut):
            await enter()
    await enter()


async def test_locks_in_any_order_never_circle(store: SqlStore) -> None:
    chance = random.Random(7)
    subjects = [named(name, context) for name in "abcde" for context in (".", ".x", ".y")]

    async def run(turn: int) -> None:
        chosen = chance.sample(subjects, 6)
        changed = chosen[:3]
        async with store.transaction(lock=changed, share=chosen[2:]) as writer:
            for subject in changed:
                await write(writer, subject, f"{turn} of {subject}")

    await asyncio.gather(*(run(turn) for turn in range(TASKS)))
    for context in (".", ".x", ".y"):
        await check_order(store, context)
    assert len(await store.reader.list_events()) == 3 * TASKS


async def test_a_transaction_may_lock_very_many_subjects(store: SqlStore) -> None:
    many = [named(f"s{index}") for index in range(1200)]
    async with store.transaction(lock=many[:600], share=many[600:]) as writer:
        await write(writer, many[0], "x")
    assert await store.reader.list_subjects() == [many[0]]


async def test_a_reader_shows_only_what_is_committed(store: SqlStore) -> None:
    class Refused(Exception):
        pass

    async def run() -> None:
        async with store.transaction(lock=[named("s")]) as writer:
            await write(writer, named("s"), "x")
            reads.append(asyncio.create_task(store.reader.list_subjects()))
            await writer.list_subjects()
            raise Refused

    reads: list[asyncio.Task[list[Subject]]] = []
    with pytest.raises(Refused):
        await run()
    assert await reads[0] == []


async def test_a_block_that_ended_is_committed_although_its_task_is_cancelled(store: SqlStore) -> None:
    async def run() -> None:
        async with store.transaction(lock=[named("s")]) as writer:
            await write(writer, named("s"), "x")
            task.cancel()

    task = asyncio.create_task(run())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await numbers(store, named("s")) == [1]
    await check_order(store)
    assert has_free_connections(store)


async def test_a_second_cancellation_does_not_break_a_commit(store: SqlStore) -> None:
    async def run() -> None:
        async with store.transaction(lock=[named("s")]) as writer:
            await write(writer, named("s"), "x")
            asyncio.get_running_loop().call_soon(task.cancel)
            task.cancel()

    task = asyncio.create_task(run())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await numbers(store, named("s")) == [1]
    await register(store, named("s"), "y")
    assert has_free_connections(store)


@contextmanager
def at_statement(store: SqlStore, number: int, act: Callable[[], object]) -> Iterator[list[int]]:
    """Do something when a transaction's connection is asked to run its n-th statement; count all."""
    seen = [0]
    acquire = store._writers.acquire

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        async def counting(*args: object) -> object:
            seen[0] += 1
            if seen[0] == number:
                act()
            return await call(*args)

        return counting

    async def acquire_counted() -> Connection:
        connection = await acquire()
        # SQLite makes changes together by running each.
        together = ("run_together",) if isinstance(connection, PostgresConnection) else ()
        for name in ("begin", "run", "commit", *together):
            patch.setattr(connection, name, counted(getattr(type(connection), name).__get__(connection)))
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store._writers, "acquire", acquire_counted)
        yield seen


def fail() -> None:
    raise sqlite3.OperationalError("No space left on device")


async def test_a_failure_of_any_statement_leaves_nothing(store: SqlStore) -> None:
    """Fail the n-th call for every n (failure-and-attack-tests T7)."""
    await register(store, named("s"), "first")
    number, has_failed = 0, True
    while has_failed:
        number += 1
        with at_statement(store, number, fail):
            try:
                await register(store, named("s"), "second")
                has_failed = False
            except errors.StoreFailed:
                assert await numbers(store, named("s"), Visibility.ALL) == [1]
                await check_order(store)
    assert number > 8
    assert await numbers(store, named("s")) == [1, 2]
    await check_order(store)
    assert has_free_connections(store)


async def test_a_cancellation_at_any_statement_is_all_or_nothing(store: SqlStore) -> None:
    # Whoever is cancelled leaves a connection behind that is replaced; what the fence asks of a new one is not counted.
    store._is_checked = False
    # The first version of a subject takes one statement more.
    await register(store, named("s"), "first")
    committed: list[int] = []
    number, is_cancelled = 0, True
    while is_cancelled:
        number += 1
        task = asyncio.create_task(register(store, named("s"), f"text {number}"))
        with at_statement(store, number, task.cancel):
            await asyncio.wait([task])
        is_cancelled = task.cancelled()
        if len(await numbers(store, named("s"), Visibility.ALL)) - 1 > len(committed):
            committed.append(number)
        await check_order(store)
    # What is asked after the end of the block can no longer be stopped: two statements for the event, one for the
    # position of a file, and the commit. What SQLite does on the event loop leaves no moment for a cancellation before.
    unstoppable = 4 if isinstance(store._fence, PositionFile) else 3
    assert committed[-unstoppable - 1 :] == list(range(number - unstoppable, number + 1))
    assert has_free_connections(store)


async def cancelled_after(turns: int, work: Coroutine[Any, Any, object]) -> None:
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_cancelled_readers_leave_no_broken_connections(store: SqlStore) -> None:
    await register(store, named("s"), "x")
    for turns in range(30):
        await asyncio.gather(*(cancelled_after(turns + more, store.reader.list_subjects()) for more in range(4)))
        assert await store.reader.list_subjects() == [named("s")]
    assert has_free_connections(store)


async def test_cancelled_writers_leave_no_lock(store: SqlStore) -> None:
    for turns in range(30):
        work = (cancelled_after(turns * 2 + more, register(store, named("s"), f"{turns} {more}")) for more in range(4))
        await asyncio.gather(*work)
    await register(store, named("s"), "last")
    kept = await numbers(store, named("s"), Visibility.ALL)
    assert kept == list(range(1, len(kept) + 1))
    await check_order(store)
    assert has_free_connections(store)


async def test_everything_at_once(store: SqlStore) -> None:
    """More tasks than connections read, write, refuse and are cancelled; the rest stays in order."""
    chance = random.Random(11)

    async def run(turn: int) -> None:
        subject = named(f"s{turn % 5}")
        async with store.transaction(lock=[subject], share=[named("s0")]) as writer:
            await write(writer, subject, f"text {turn % 23}")
            if turn % 7 == 0:
                raise ZeroDivisionError

    async def read(turn: int) -> None:
        for version in await store.reader.list_versions(named(f"s{turn % 5}")):
            assert version.schema.guid == guid_of(version.schema.content.text)

    work = [run(turn) for turn in range(60)] + [read(turn) for turn in range(40)]
    cancelled = [cancelled_after(chance.randrange(60), run(turn)) for turn in range(20)]
    results = await asyncio.gather(*work, *cancelled, return_exceptions=True)
    assert {type(result) for result in results if result} == {ZeroDivisionError}
    await check_order(store)
    for index in range(5):
        kept = await numbers(store, named(f"s{index}"))
        assert kept == list(range(1, len(kept) + 1))
    assert has_free_connections(store)


async def test_events_are_never_told_of_before_their_change(store: SqlStore) -> None:
    async def follow() -> None:
        position = 0
        while position < TASKS:
            for reached, line in await store.reader.list_events(after=position):
                assert await store.reader.find_version(line.subject, line.version or 0) is not None
                position = reached

    writers = [register(store, named(f"s{index}"), f"text {index}") for index in range(TASKS)]
    await asyncio.gather(follow(), *writers)


async def test_an_event_may_stand_alone(store: SqlStore) -> None:
    async def tell(index: int) -> None:
        async with store.transaction() as writer:
            await writer.append_event(event(named(f"s{index}")))

    await asyncio.gather(*(tell(index) for index in range(TASKS)))
    assert [position for position, _ in await store.reader.list_events()] == list(range(1, TASKS + 1))
