"""`SqlStore`: transactions and locks over SQLite and PostgreSQL.

Refuses to know what is asked or changed (`reader`, `writer`), how connections come (`engine`) and tables came to be
(`migrations`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, bindparam, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Executable

from llm_schema_registry.model import Subject
from llm_schema_registry.store import migrations
from llm_schema_registry.store.base import Reader, Writer
from llm_schema_registry.store.cached import CachedReader, ValueCache, ask_log
from llm_schema_registry.store.engine import Pools, open_pools, translated
from llm_schema_registry.store.freshness import Freshness
from llm_schema_registry.store.reader import SqlReader
from llm_schema_registry.store.rows import Parameters, Rows
from llm_schema_registry.store.writer import SqlWriter

# Columns of one PostgreSQL statement that takes locks.
_LOCKS_AT_ONCE = 500


class SqlStore:
    """A `base.Store` in a SQLite file, in memory, or in PostgreSQL."""

    def __init__(self, pools: Pools, cache: ValueCache | None = None) -> None:
        self._readers, self._writers, self._keeper = pools
        self._reader = SqlReader(self._read)
        self._cache = cache
        self.freshness = Freshness(ask_log(self._read))

    @classmethod
    def open(
        cls, url: str, *, pool_size: int = 10, lock_timeout_seconds: float = 10.0, cache: ValueCache | None = None
    ) -> SqlStore:
        """Prepare a store for `sqlite:///path`, `sqlite://` or `postgresql://...`; the first use connects.

        Folders on a file's path are made. `pool_size` bounds the connections that read, and again those that write.
        With a `cache`, what was read is answered from there while it holds.
        A lock or connection that is not had within `lock_timeout_seconds` raises TimedOut. Raises ValueError for a
        URL of another kind.
        """
        return cls(open_pools(url, pool_size=pool_size, lock_timeout_seconds=lock_timeout_seconds), cache)

    @property
    def reader(self) -> Reader:
        """Read outside of transactions, see `base.Store.reader`."""
        return self._reader if self._cache is None else CachedReader(self._read, self.freshness, self._cache)

    @property
    def shared_cache(self) -> str | None:
        """State of the shared cache, see `base.Store.shared_cache`."""
        return self._cache.shared.state if self._cache is not None and self._cache.shared is not None else None

    @property
    def is_private(self) -> bool:
        """Whether the database is in this process's memory."""
        return self._keeper is not None

    @asynccontextmanager
    async def transaction(
        self, lock: Collection[Subject] = (), share: Collection[Subject] = ()
    ) -> AsyncIterator[Writer]:
        """Open a transaction, see `base.Store.transaction`."""
        async with self._connected(_locks(lock, share)) as connection:
            writer = SqlWriter(partial(_run, connection))
            yield writer
            await _see_through(_end(connection, writer))
        if writer.log_position and self._cache is not None and self._cache.shared is not None:
            self._cache.shared.announce(writer.log_position)

    async def migrate(self) -> None:
        """Bring the tables up to date, see `base.Store.migrate`."""
        async with self._connected([_MIGRATION]) as connection:
            with translated():
                await connection.run_sync(migrations.upgrade)
                await _commit(connection)

    async def ping(self) -> None:
        """Ask for a trivial answer. Raises StoreFailed."""
        await self._read(select(1), {})

    async def close(self) -> None:
        """Give all connections back."""
        await self._readers.engine.dispose()
        await self._writers.engine.dispose()
        if self._keeper is not None:
            self._keeper.close()

    async def _read(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        with translated():
            try:
                return await self._read_once(statement, parameters)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # The server went away since this connection was made, and SQLAlchemy now distrusts the others of its age.
            return await self._read_once(statement, parameters)

    async def _read_once(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        connection = await self._readers.acquire()
        try:
            return (await connection.execute(statement, parameters)).all()
        finally:
            await self._readers.release(connection)

    @asynccontextmanager
    async def _connected(self, locks: Iterable[_Lock]) -> AsyncIterator[AsyncConnection]:
        """Give a connection with an open transaction that holds locks; roll back at the end if not committed."""
        with translated():
            try:
                connection = await self._begin(locks)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                connection = await self._begin(locks)
        try:
            yield connection
        finally:
            with translated():
                await _see_through(self._writers.release(connection))

    async def _begin(self, locks: Iterable[_Lock]) -> AsyncConnection:
        connection = await self._writers.acquire()
        try:
            if connection.dialect.name == "sqlite":
                # One writer at a time: the lock on the database is every lock.
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                await _take(connection, sorted(locks))
        except BaseException:
            await _see_through(self._writers.release(connection))
            raise
        return connection


class _Lock(NamedTuple):
    """An advisory lock of PostgreSQL: subjects need no row to be locked, and a rollback leaves none behind.

    Two names of the same key merely wait for each other.
    """

    key: int
    is_shared: bool


def _key_of(kind: str, *names: str) -> int:
    digest = hashlib.blake2b("\0".join((kind, *names)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


_MIGRATION = _Lock(_key_of("migration"), is_shared=False)


def _locks(lock: Collection[Subject], share: Collection[Subject]) -> list[_Lock]:
    """Name the locks of a transaction, each key once.

    A transaction over several contexts would meet their counters in no certain order; it excludes all others from
    these contexts instead.
    """
    own_contexts = {subject.context for subject in lock}
    modes = {_key_of("subject", subject.context, subject.name): True for subject in share}
    modes |= {_key_of("context", context): len(own_contexts) == 1 for context in own_contexts}
    modes |= {_key_of("subject", subject.context, subject.name): False for subject in lock}
    return [_Lock(key, is_shared) for key, is_shared in modes.items()]


async def _take(connection: AsyncConnection, locks: list[_Lock]) -> None:
    """Take locks in the order given: PostgreSQL evaluates the columns of a row from left to right."""
    for start in range(0, len(locks), _LOCKS_AT_ONCE):
        columns = [
            (func.pg_advisory_xact_lock_shared if is_shared else func.pg_advisory_xact_lock)(
                bindparam(f"key_{index}", key, type_=BigInteger)
            )
            for index, (key, is_shared) in enumerate(locks[start : start + _LOCKS_AT_ONCE])
        ]
        await connection.execute(select(*columns))


async def _run(connection: AsyncConnection, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
    with translated():
        result = await connection.execute(statement, parameters)
        return result.all() if result.returns_rows else []


async def _end(connection: AsyncConnection, writer: SqlWriter) -> None:
    await writer.write_events()
    with translated():
        await _commit(connection)


async def _commit(connection: AsyncConnection) -> None:
    try:
        await connection.commit()
    except BaseException:
        # SQLAlchemy takes the transaction for ended; SQLite keeps it open, and the pool would pass it on.
        await connection.invalidate()
        raise


async def _see_through(work: Coroutine[Any, Any, None]) -> None:
    """Await the end of `work` even when this task is cancelled; the cancellation follows afterwards."""
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation from task.exception()
    task.result()
