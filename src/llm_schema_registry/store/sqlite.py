"""SQLite by its own driver: most questions on the event loop, where they cost a few microseconds, the rest in threads.

Refuses to know a table.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection as MigrationConnection
from sqlalchemy import NullPool, create_engine
from sqlalchemy.dialects.sqlite.pysqlite import dialect
from sqlalchemy.sql import Delete, Executable

from llm_schema_registry.store.pool import Lock, Pool, Pools
from llm_schema_registry.store.rows import Change, Parameters, Rows
from llm_schema_registry.store.texts import Texts

T = TypeVar("T")

LOOP_STEPS = 20_000
"""Instructions of SQLite's machine that a question may take on the event loop, about a millisecond; one that needs
more begins again in a thread."""

TURNS = 20
"""Statements of one connection on the event loop after which others get a turn: a caller may ask thousands."""

LOOP_CHARACTERS = 100_000
"""Characters of one value that may be written on the event loop."""

_RETRY_SECONDS = (0.001, 0.01)
# FULL: what was committed survives the loss of power.
_FILE_PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL")
_PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA case_sensitive_like = ON")


class SqliteDatabase:
    """A database in a file, or in memory until it is closed."""

    def __init__(self, path: Path | None, *, pool_size: int, lock_timeout_seconds: float) -> None:
        self._patience = lock_timeout_seconds
        self._texts = Texts(dialect(paramstyle="qmark"))
        # One more than the readers, for the writer.
        self._threads = ThreadPoolExecutor(pool_size + 1, "sqlite")
        self._keeper: sqlite3.Connection | None = None
        self._pragmas: tuple[str, ...] = _PRAGMAS
        if path is None:
            # Unlike `:memory:` it outlives a connection. One at a time: this kind of database knows no snapshots.
            self._uri = f"file:/{uuid.uuid4().hex}?vfs=memdb"
            self._keeper = self._open(0)
            pool = Pool(self.connect, 1, lock_timeout_seconds)
            self.pools = Pools(pool, pool)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._uri = path.absolute().as_uri()
            self._pragmas = (*_FILE_PRAGMAS, *_PRAGMAS)
            # SQLite has one writer at a time; those of one process take turns here, without polling.
            self.pools = Pools(
                Pool(self.connect, pool_size, lock_timeout_seconds), Pool(self.connect, 1, lock_timeout_seconds)
            )

    @property
    def is_private(self) -> bool:
        """Whether the database is in this process's memory."""
        return self._keeper is not None

    async def migrate(self, upgrade: Callable[[MigrationConnection], None], lock: Lock) -> None:
        """Run a migration in one transaction, which excludes every other writer."""

        def work() -> None:
            raw = self._open(self._patience)
            engine = create_engine("sqlite://", creator=lambda: raw, poolclass=NullPool)
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                upgrade(connection)
                connection.commit()

        await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def close(self) -> None:
        """Close every connection; what was in memory is gone."""
        await self.pools.readers.close()
        await self.pools.writers.close()
        self._threads.shutdown(wait=False)
        if self._keeper is not None:
            self._keeper.close()

    def _open(self, timeout_seconds: float) -> sqlite3.Connection:
        raw = sqlite3.connect(
            self._uri, uri=True, timeout=timeout_seconds, isolation_level=None, check_same_thread=False
        )
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                for pragma in self._pragmas:
                    raw.execute(pragma)
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raw.close()
                    raise
            else:
                return raw
            # While another process recovers the file after a kill, SQLite does not wait by itself.
            time.sleep(_RETRY_SECONDS[1])

    async def connect(self) -> SqliteConnection:
        """Make one connection more."""
        # A file may be new, or about to be recovered: the driver waits for other processes, in a thread.
        raw = await asyncio.get_running_loop().run_in_executor(self._threads, self._open, self._patience)
        return SqliteConnection(raw, self._texts, self._threads, self._patience)


class SqliteConnection:
    """A `pool.Connection`. The driver stays in autocommit; transactions begin by an explicit BEGIN."""

    def __init__(
        self, raw: sqlite3.Connection, texts: Texts, threads: ThreadPoolExecutor, patience_seconds: float
    ) -> None:
        self._raw = raw
        self._texts = texts
        self._threads = threads
        self._patience = patience_seconds
        self._unfinished: asyncio.Future[Any] | None = None
        self._is_bounded = False
        self._turns = 0
        self.is_usable = True
        # What is busy is asked for again here; the driver would sleep on the event loop.
        raw.execute("PRAGMA busy_timeout = 0")
        raw.set_progress_handler(lambda: self._is_bounded, LOOP_STEPS)

    async def run(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        """Run a statement: on the event loop when it is a question or a small change."""
        self._turns += 1
        if self._turns % TURNS == 0:
            await asyncio.sleep(0)
        if isinstance(parameters, list):
            sql, rows = self._texts.bind_many(statement, parameters)
            if len(rows) == 1:
                return await self._change(sql, rows[0])
            return await self._in_thread(lambda: self._raw.executemany(sql, rows).fetchall())
        sql, values = self._texts.bind(statement, parameters)
        if statement.is_select:
            return await self._patiently(lambda: self._question(sql, values))
        if isinstance(statement, Delete):
            # It may take any number of rows with it.
            return await self._in_thread(lambda: self._raw.execute(sql, values).fetchall())
        return await self._change(sql, values)

    async def run_together(self, changes: Sequence[Change]) -> Rows:
        """Make changes one after the other; answer the rows of the last."""
        rows: Rows = []
        for statement, parameters in changes:
            rows = await self.run(statement, parameters)
        return rows

    async def begin(self, locks: Sequence[Lock]) -> None:
        """Begin a transaction that excludes every other writer."""

        async def attempt() -> None:
            self._raw.execute("BEGIN IMMEDIATE")

        await self._patiently(attempt)

    async def commit(self) -> None:
        """End the transaction; the disk is waited for in a thread."""
        await self._patiently(lambda: self._in_thread(lambda: self._raw.execute("COMMIT")))

    async def reset(self) -> None:
        """Let what runs in a thread end, and undo what was not committed."""
        if self._unfinished is not None:
            await asyncio.wait([self._unfinished])
            # A failure of what nobody waits for is nobody's.
            self._unfinished.exception()
            self._unfinished = None
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")

    async def close(self) -> None:
        """Close the connection."""
        self.is_usable = False
        self._raw.close()

    async def _question(self, sql: str, values: Sequence[object]) -> Rows:
        self._is_bounded = True
        try:
            return self._raw.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
        finally:
            self._is_bounded = False
        return await self._in_thread(lambda: self._raw.execute(sql, values).fetchall())

    async def _change(self, sql: str, values: Sequence[object]) -> Rows:
        if any(isinstance(value, str) and len(value) > LOOP_CHARACTERS for value in values):
            return await self._in_thread(lambda: self._raw.execute(sql, values).fetchall())
        return self._raw.execute(sql, values).fetchall()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._raw.interrupt()
            self._unfinished = future
            raise

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again while another process has the database locked, as long as there is patience."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while True:
            try:
                return await attempt()
            except sqlite3.OperationalError as error:
                if not is_busy(error) or loop.time() > deadline:
                    raise
            await asyncio.sleep(random.uniform(*_RETRY_SECONDS))  # noqa: S311 - no secret, only not all at once


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection has locked what was wanted."""
    # The low byte is the primary result code; an error that is not SQLite's own has none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
