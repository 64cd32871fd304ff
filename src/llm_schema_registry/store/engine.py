"""Connections: a user's URL into pools of connections, and what drivers raise into the registry's errors.

Refuses to know a table.
"""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import aiosqlite
import asyncpg
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from llm_schema_registry.errors import RegistryError, StoreFailed, TimedOut

KNOWN_URLS = "sqlite:///path/to/file, sqlite:// (in memory) and postgresql://user@host/database"
_CONNECT_SECONDS = 10
_STATEMENT_SECONDS = 60
# A process that hangs inside a transaction must not keep its locks for ever.
_IDLE_MILLISECONDS = 60_000
# lock_not_available, query_canceled, deadlock_detected, serialization_failure
_LATE = frozenset({"55P03", "57014", "40P01", "40001"})


_Answer = TypeVar("_Answer")


class Pool:
    """The connections of an engine, given to whoever has waited longest.

    SQLAlchemy's own queue lets a task that comes back at once overtake those that wait, for ever if need be.
    """

    def __init__(self, engine: AsyncEngine, size: int, timeout_seconds: float) -> None:
        self.engine = engine
        self._free = asyncio.Semaphore(size)
        self._timeout_seconds = timeout_seconds

    async def acquire(self) -> AsyncConnection:
        """Wait for a connection. Raises TimeoutError."""
        if self._free.locked():
            async with asyncio.timeout(self._timeout_seconds):
                await self._free.acquire()
        else:
            await self._free.acquire()
        try:
            return await self.engine.connect()
        except BaseException:
            self._free.release()
            raise

    async def release(self, connection: AsyncConnection) -> None:
        """Give a connection back; what it did not commit is rolled back."""
        try:
            await connection.close()
        finally:
            self._free.release()


class Pools(NamedTuple):
    """Where to read and where to write. `keeper` holds a database in memory alive between connections."""

    readers: Pool
    writers: Pool
    keeper: sqlite3.Connection | None = None


def open_pools(url: str, *, pool_size: int, lock_timeout_seconds: float) -> Pools:
    """Prepare connections for a URL; nothing connects yet. Raises ValueError for a URL of no known kind."""
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and separator and rest in ("", "/:memory:"):
        return _open_memory(lock_timeout_seconds)
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return _open_file(Path(rest[1:]), pool_size, lock_timeout_seconds)
    if scheme in ("postgresql", "postgres"):
        return _open_postgresql(url, pool_size, lock_timeout_seconds)
    # The rest of the URL may hold a password.
    raise ValueError(f"A store's URL of the kind '{scheme}' is not known. Known are {KNOWN_URLS}")


@contextmanager
def translated() -> Iterator[None]:
    """Raise the registry's errors instead of the drivers'."""
    try:
        yield
    except DBAPIError as error:
        raise _translate(error) from error
    except TimeoutError as error:
        raise TimedOut("The store did not answer in time; try again") from error
    except (SQLAlchemyError, OSError, sqlite3.Error) as error:
        raise StoreFailed(f"The store failed: {error}") from error


def _translate(error: DBAPIError) -> RegistryError:
    if getattr(error.orig, "sqlstate", None) in _LATE or _is_busy(error.orig):
        return TimedOut("The store is busy: a lock could not be had in time; try again")
    return StoreFailed(f"The store failed: {error.orig}")


def _is_busy(error: BaseException | None) -> bool:
    code: int = getattr(error, "sqlite_errorcode", 0)
    # The low byte is the primary result code.
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class _OneVisitCursor:
    """Runs a statement, fetches its rows and closes it in one visit to the connection's thread.

    Each visit costs more than SQLite needs for a small answer, and SQLAlchemy would make four.
    """

    def __init__(self, connection: _OneVisitConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> _OneVisitCursor:
        def work(connection: sqlite3.Connection) -> None:
            cursor = connection.execute(sql, parameters)
            self._rows, self.description = cursor.fetchall(), cursor.description
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
            cursor.close()

        await self._connection.visit(work)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        await self._connection.visit(lambda connection: connection.executemany(sql, parameters).close())

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        """Nothing is left open."""


class _OneVisitConnection(aiosqlite.Connection):
    """A connection that visits its thread once per statement, and not at all to end a transaction never begun."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, iter_chunk_size=64)
        # A store that nobody closed must not keep the process from ending.
        self._thread.daemon = True

    def cursor(self) -> _OneVisitCursor:  # type: ignore[override]  # SQLAlchemy uses no more of a cursor than this has
        return _OneVisitCursor(self)

    async def rollback(self) -> None:
        if self.in_transaction:
            await super().rollback()

    async def visit(self, work: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """Run `work` in the connection's thread."""
        answer: _Answer = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]  # aiosqlite's own
        return answer


def _open_memory(lock_timeout_seconds: float) -> Pools:
    # One connection at a time: this kind of database knows no snapshots, and waiting for a turn is cheaper and fairer
    # than SQLite's sleeping. Unlike `:memory:` it outlives a connection that a cancelled task broke.
    database = f"file:/{uuid.uuid4().hex}?vfs=memdb"
    keeper = sqlite3.connect(database, uri=True, check_same_thread=False)
    pool = _sqlite_pool(partial(_connect_sqlite, database, lock_timeout_seconds, ()), 1, lock_timeout_seconds)
    return Pools(pool, pool, keeper)


def _open_file(path: Path, pool_size: int, lock_timeout_seconds: float) -> Pools:
    path.parent.mkdir(parents=True, exist_ok=True)
    # FULL: what was committed survives the loss of power.
    pragmas = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL")
    connect = partial(_connect_sqlite, path.absolute().as_uri(), lock_timeout_seconds, pragmas)
    readers = _sqlite_pool(connect, pool_size, lock_timeout_seconds)
    # SQLite has one writer at a time; those of one process take turns here, without polling.
    return Pools(readers, _sqlite_pool(connect, 1, lock_timeout_seconds))


def _connect_sqlite(uri: str, lock_timeout_seconds: float, pragmas: Sequence[str]) -> _OneVisitConnection:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=lock_timeout_seconds, isolation_level=None)
        for pragma in (*pragmas, "PRAGMA foreign_keys = ON", "PRAGMA case_sensitive_like = ON"):
            connection.execute(pragma)
        return connection

    return _OneVisitConnection(connect)


def _sqlite_pool(connect: Callable[[], _OneVisitConnection], size: int, timeout_seconds: float) -> Pool:
    # The driver stays in autocommit, so a question is one statement; transactions begin by an explicit BEGIN.
    engine = create_async_engine(
        "sqlite+aiosqlite://", async_creator=connect, poolclass=AsyncAdaptedQueuePool, pool_size=size, max_overflow=0
    )
    return Pool(engine, size, timeout_seconds)


def _open_postgresql(url: str, pool_size: int, lock_timeout_seconds: float) -> Pools:
    settings = {
        "application_name": "llm-schema-registry",
        "lock_timeout": str(round(lock_timeout_seconds * 1000)),
        "idle_in_transaction_session_timeout": str(_IDLE_MILLISECONDS),
    }

    async def connect() -> asyncpg.Connection:
        # asyncpg reads the URL itself: it knows all of libpq's parameters, `sslmode` and several hosts included.
        try:
            return await asyncpg.connect(
                url, timeout=_CONNECT_SECONDS, command_timeout=_STATEMENT_SECONDS, server_settings=settings
            )
        except ValueError as error:
            raise StoreFailed(f"The URL of PostgreSQL cannot be used: {error}") from error

    def pool(isolation_level: IsolationLevel) -> Pool:
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            isolation_level=isolation_level,
            pool_size=pool_size,
            max_overflow=0,
        )
        return Pool(engine, pool_size, lock_timeout_seconds)

    # Two pools: transactions that wait for each other must not keep readers waiting.
    return Pools(pool("AUTOCOMMIT"), pool("READ COMMITTED"))
