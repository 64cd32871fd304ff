"""Where SQLite's statements run, and what becomes of those that are interrupted or meet a lock."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, delete, func, insert, literal, select

from llm_schema_registry.store.sqlite import LOOP_CHARACTERS, TURNS, SqliteConnection, SqliteDatabase

NOTES = Table("notes", MetaData(), Column("id", Integer, primary_key=True), Column("text", Text), Column("by", Text))
ADD = insert(NOTES).values(by=func.here())
WHERE = select(func.here())


def counting(to: int) -> object:
    """A question that takes so many steps, and then says where it ran."""
    numbers = select(literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < to))
    return select(func.count(), func.here()).select_from(numbers)


async def connected(database: SqliteDatabase) -> SqliteConnection:
    connection = await database.pools.writers.acquire()
    assert isinstance(connection, SqliteConnection)
    connection._raw.create_function("here", 0, lambda: threading.current_thread().name)
    return connection


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "notes.db", pool_size=2, lock_timeout_seconds=0.3)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def connection(database: SqliteDatabase) -> AsyncIterator[SqliteConnection]:
    """A connection to a table of notes, each of which says in which thread it was written."""
    opened = await connected(database)
    opened._raw.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, by TEXT)")
    yield opened
    await database.pools.writers.release(opened)


def thread_of(name: str) -> str:
    return "loop" if name == threading.main_thread().name else "thread" if name.startswith("sqlite") else name


@pytest.mark.parametrize(("steps", "place"), [(10, "loop"), (100_000, "thread")])
async def test_a_long_question_begins_again_in_a_thread(connection: SqliteConnection, steps: int, place: str) -> None:
    [(count, name)] = await connection.run(counting(steps), {})  # type: ignore[arg-type]  # a select
    assert (count, thread_of(name)) == (steps, place)
    assert [thread_of(name) for [name] in await connection.run(WHERE, {})] == ["loop"]


@pytest.mark.parametrize(("length", "place"), [(10, "loop"), (LOOP_CHARACTERS + 1, "thread")])
async def test_a_long_text_is_written_in_a_thread(connection: SqliteConnection, length: int, place: str) -> None:
    await connection.run(ADD, {"text": "x" * length})
    [(kept, name)] = await connection.run(select(func.length(NOTES.c.text), NOTES.c.by), {})
    assert (kept, thread_of(name)) == (length, place)


async def test_rows_are_written_and_removed_in_a_thread(connection: SqliteConnection) -> None:
    await connection.run(ADD, [{"text": "one"}])
    await connection.run(ADD, [{"text": "two"}, {"text": "three"}])
    rows = await connection.run(select(NOTES.c.text, NOTES.c.by).order_by(NOTES.c.id), {})
    assert [(text, thread_of(name)) for text, name in rows] == [("one", "loop"), ("two", "thread"), ("three", "thread")]
    gone = await connection.run(
        delete(NOTES).where(NOTES.c.id > bindparam("above")).returning(func.here()), {"above": 1}
    )
    assert [thread_of(name) for [name] in gone] == ["thread", "thread"]


async def test_others_get_a_turn(connection: SqliteConnection) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(other())
    for _ in range(TURNS * 6):
        await connection.run(WHERE, {})
    task.cancel()
    assert turns >= 5


async def test_what_is_cancelled_in_a_thread_ends_before_the_connection_is_used_again(
    connection: SqliteConnection,
) -> None:
    await connection.begin(())
    await connection.run(ADD, {"text": "lost"})
    task = asyncio.create_task(connection.run(counting(10**9), {}))  # type: ignore[arg-type]  # a select
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await connection.reset()
    assert await connection.run(select(func.count()).select_from(NOTES), {}) == [(0,)]


async def test_a_lock_of_another_process_is_waited_for(
    database: SqliteDatabase, connection: SqliteConnection, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "notes.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.1, other.execute, "COMMIT")
    await connection.begin(())
    await connection.run(ADD, {"text": "kept"})
    await connection.commit()
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await connection.begin(())
    assert await connection.run(select(NOTES.c.text), {}) == [("kept",)], "readers do not wait for writers"
    other.close()


@pytest.mark.parametrize("is_released", [True, False])
async def test_who_opens_waits_for_a_lock_that_sqlite_does_not_wait_for(tmp_path: Path, is_released: bool) -> None:
    """Changing the journal is refused at once while another process reads, or recovers after a kill."""
    other = sqlite3.connect(tmp_path / "notes.db", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE notes (id INTEGER)")
    other.execute("BEGIN")
    other.execute("SELECT * FROM notes").fetchall()
    if is_released:
        asyncio.get_running_loop().call_later(0.1, other.execute, "COMMIT")
    database = SqliteDatabase(tmp_path / "notes.db", pool_size=1, lock_timeout_seconds=0.5)
    if is_released:
        connection = await database.pools.readers.acquire()
        assert await connection.run(select(literal(1)), {}) == [(1,)]
        await database.pools.readers.release(connection)
    else:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await database.pools.readers.acquire()
    await database.close()
    other.close()


async def test_an_error_of_a_question_comes_out(connection: SqliteConnection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await connection.run(select(Table("absent", MetaData(), Column("id", Integer))), {})
