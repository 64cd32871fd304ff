"""`SqlStore`: transactions and locks over SQLite and PostgreSQL.

Refuses to know what is asked or changed (`reader`, `writer`), how connections come (`engine`) and tables came to be
(`migrations`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Literal
from weakref import WeakSet

from sqlalchemy import select
from sqlalchemy.sql import Executable

from llm_schema_registry.errors import RegistryError, StoreFailed
from llm_schema_registry.model import Subject
from llm_schema_registry.store import migrations
from llm_schema_registry.store.base import Reader, Writer
from llm_schema_registry.store.cached import CachedReader, ValueCache, ask_log
from llm_schema_registry.store.engine import Database, is_postgresql, open_database, translated
from llm_schema_registry.store.fence import Fence, open_fence
from llm_schema_registry.store.freshness import Freshness
from llm_schema_registry.store.guard import UNWATCHED, Guard, Watch
from llm_schema_registry.store.pool import Connection, Lock
from llm_schema_registry.store.reader import SqlReader
from llm_schema_registry.store.rows import Change, Parameters, Rows
from llm_schema_registry.store.writer import SqlWriter

_PING = select(1)


class SqlStore:
    """A `base.Store` in a SQLite file, in memory, or in PostgreSQL."""

    def __init__(
        self,
        database: Database,
        fence: Fence,
        watch: Watch = UNWATCHED,
        replica: SqlStore | None = None,
        cache: ValueCache | None = None,
    ) -> None:
        self._database = database
        self._fence = fence
        # What was checked, and by which connections.
        self._is_checked = False
        self._at_home: WeakSet[Connection] = WeakSet()
        self._replica = replica
        self._guard = Guard(self._probe, watch)
        self._readers, self._writers = database.pools
        self._reader = SqlReader(self.ask)
        self._lagging_reader = SqlReader(self._read_replica)
        self._cache = cache
        # Always asked of the database itself: a replica does not know what it lacks.
        self.freshness = Freshness(ask_log(self.ask))

    @classmethod
    def open(
        cls,
        url: str,
        watch: Watch = UNWATCHED,
        *,
        replica_url: str = "",
        pool_size: int = 10,
        lock_timeout_seconds: float = 10.0,
        statement_timeout_seconds: float = 30.0,
        cache: ValueCache | None = None,
    ) -> SqlStore:
        """Prepare a store for `sqlite:///path`, `sqlite://` or `postgresql://...`; the first use connects.

        Folders on a file's path are made. `pool_size` bounds the connections that read, and again those that write.
        A lock or connection that is not had within `lock_timeout_seconds` raises TimedOut, and so does a statement
        that PostgreSQL does not finish in time. `replica_url` is a copy of a PostgreSQL that follows it. `watch` is
        told when the database goes away. With a `cache`, what was read is answered from there while it holds. Raises
        ValueError for a URL of another kind.
        """
        opened = partial(
            open_database,
            pool_size=pool_size,
            lock_timeout_seconds=lock_timeout_seconds,
            statement_timeout_seconds=statement_timeout_seconds,
        )
        if replica_url and not (is_postgresql(url) and is_postgresql(replica_url)):
            raise ValueError("A replica is a PostgreSQL that follows another one; SQLite has none")
        replica = cls(opened(replica_url), open_fence(replica_url)) if replica_url else None
        return cls(opened(url), open_fence(url), watch, replica, cache)

    @property
    def reader(self) -> Reader:
        """Read outside of transactions, see `base.Store.reader`."""
        return self._reader if self._cache is None else CachedReader(self.ask, self.freshness, self._cache)

    @property
    def lagging_reader(self) -> Reader:
        """Read where answers may be a moment old, see `base.Store.lagging_reader`."""
        return self._lagging_reader

    @property
    def shared_cache(self) -> Literal["available", "unavailable"] | None:
        """State of the shared cache, see `base.Store.shared_cache`."""
        return self._cache.shared.state if self._cache is not None and self._cache.shared is not None else None

    @property
    def is_private(self) -> bool:
        """Whether the database is in this process's memory."""
        return self._database.is_private

    @asynccontextmanager
    async def transaction(
        self, lock: Collection[Subject] = (), share: Collection[Subject] = ()
    ) -> AsyncIterator[Writer]:
        """Open a transaction, see `base.Store.transaction`."""
        connection = await self._guard.begin(partial(self._begin, sorted(_locks(lock, share))))
        try:
            # A database in memory has one connection, which this transaction holds.
            committed = None if self._cache is None or self.is_private else self.reader
            writer = SqlWriter(partial(_run, connection), partial(_run_together, connection), committed)
            yield writer
            await _see_through(_end(connection, writer, self._fence))
        except StoreFailed:
            self._guard.note("transaction")
            raise
        finally:
            with translated():
                await _see_through(self._writers.release(connection))
        if writer.log_position and self._cache is not None and self._cache.shared is not None:
            self._cache.shared.announce(writer.log_position)

    async def migrate(self) -> str:
        """Bring the tables up to date, see `base.Store.migrate`."""
        with translated():
            await self._database.migrate(migrations.upgrade, _MIGRATION)
            connection = await self._writers.acquire()
            try:
                warning = await self._check_fence(connection)
            finally:
                await _see_through(self._writers.release(connection))
        self._is_checked = True
        return warning

    async def ping(self) -> None:
        """Ask for a trivial answer. Raises StoreFailed."""
        await self.ask(_PING, {})

    async def close(self) -> None:
        """Give all connections back."""
        await self._guard.close()
        await self._database.close()
        if self._replica is not None:
            await self._replica.close()
        self._fence.close()

    async def ask(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        """Ask a question outside of transactions."""
        return await self._guard.read(partial(self._read_once, statement, parameters))

    async def _read_replica(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        """Ask the replica; without one, or when it cannot answer, the database itself."""
        if self._replica is not None:
            with suppress(RegistryError):
                return await self._replica.ask(statement, parameters)
        return await self.ask(statement, parameters)

    async def _read_once(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        with translated():
            connection = await self._readers.acquire()
            try:
                return await connection.run(statement, parameters)
            finally:
                await self._readers.release(connection)

    async def _probe(self) -> None:
        """Ask on a connection apart, as those of the pools may all be lost in silence."""
        connection = await self._database.connect()
        try:
            await connection.run(_PING, {})
        finally:
            await connection.close()

    async def _begin(self, locks: list[Lock]) -> Connection:
        with translated():
            connection = await self._writers.acquire()
            try:
                await self._fence_off(connection)
                await connection.begin(locks)
            except BaseException:
                await _see_through(self._writers.release(connection))
                raise
            return connection

    async def _fence_off(self, connection: Connection) -> None:
        """Check the database behind a new connection: it may be a replica that was promoted since the start."""
        if not self._is_checked or connection in self._at_home:
            return
        if not await self._fence.is_home(partial(_run, connection)):
            await self._check_fence(connection)
        self._at_home.add(connection)

    async def _check_fence(self, connection: Connection) -> str:
        await connection.begin([_MIGRATION])
        warning = await self._fence.check(partial(_run, connection))
        await connection.commit()
        return warning


def _key_of(kind: str, *names: str) -> int:
    digest = hashlib.blake2b("\0".join((kind, *names)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


_MIGRATION = Lock(_key_of("migration"), is_shared=False)


def _locks(lock: Collection[Subject], share: Collection[Subject]) -> list[Lock]:
    """Name the locks of a transaction, each key once.

    A transaction over several contexts would meet their counters in no certain order; it excludes all others from
    these contexts instead.
    """
    own_contexts = {subject.context for subject in lock}
    modes = {_key_of("subject", subject.context, subject.name): True for subject in share}
    modes |= {_key_of("context", context): len(own_contexts) == 1 for context in own_contexts}
    modes |= {_key_of("subject", subject.context, subject.name): False for subject in lock}
    return [Lock(key, is_shared) for key, is_shared in modes.items()]


async def _run(connection: Connection, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
    with translated():
        return await connection.run(statement, parameters)


async def _run_together(connection: Connection, changes: Sequence[Change]) -> Rows:
    with translated():
        return await connection.run_together(changes)


async def _end(connection: Connection, writer: SqlWriter, fence: Fence) -> None:
    await writer.write_events()
    standing = await fence.measure(partial(_run, connection)) if writer.log_position else None
    with translated():
        await connection.commit()
    fence.keep(standing)


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
