"""PostgreSQL by asyncpg.

Refuses to know a table.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import asyncpg
from sqlalchemy import BigInteger, NullPool, bindparam, func, select
from sqlalchemy import Connection as MigrationConnection
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.sql import Executable

from llm_schema_registry.errors import StoreFailed, StoreUnavailable
from llm_schema_registry.store.pool import Lock, Pool, Pools
from llm_schema_registry.store.rows import Change, Parameters, Rows
from llm_schema_registry.store.texts import Texts

_CONNECT_SECONDS = 3
# A process that hangs inside a transaction must not keep its locks for ever.
_IDLE_MILLISECONDS = 60_000
_PREPARED_STATEMENTS = 250
_PLACE = re.compile(r"\$(\d+)")
# A commit is seen through when its caller has given up, but not for ever.
_COMMIT_SECONDS = 10.0
# How long a connection may take to end in order after a statement of it was given up.
_CANCEL_SECONDS = 1.0


class PostgresDatabase:
    """A database of PostgreSQL. A statement that takes longer than `statement_timeout_seconds` is cancelled."""

    is_private = False

    def __init__(
        self, url: str, *, pool_size: int, lock_timeout_seconds: float, statement_timeout_seconds: float
    ) -> None:
        self._url = url
        self._settings = {
            "application_name": "llm-schema-registry",
            "lock_timeout": str(round(lock_timeout_seconds * 1000)),
            "statement_timeout": str(round(statement_timeout_seconds * 1000)),
            "idle_in_transaction_session_timeout": str(_IDLE_MILLISECONDS),
        }
        # The server's own limit comes first; this one is for a server that does not answer at all.
        self._command_timeout = statement_timeout_seconds + 1
        self._texts = Texts(dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy left it untyped
        # Two pools: transactions that wait for each other must not keep readers waiting.
        self.pools = Pools(
            Pool(self.connect, pool_size, lock_timeout_seconds), Pool(self.connect, pool_size, lock_timeout_seconds)
        )

    async def migrate(self, upgrade: Callable[[MigrationConnection], None], lock: Lock) -> None:
        """Run a migration in one transaction, under a lock."""
        engine = create_async_engine("postgresql+asyncpg://", async_creator=self._open, poolclass=NullPool)
        async with engine.connect() as connection:
            await connection.execute(select(func.pg_advisory_xact_lock(bindparam("key", lock.key, type_=BigInteger))))
            await connection.run_sync(upgrade)
            await connection.commit()

    async def close(self) -> None:
        """Close every connection."""
        await self.pools.readers.close()
        await self.pools.writers.close()

    async def _open(self) -> asyncpg.Connection:
        # asyncpg reads the URL itself: it knows all of libpq's parameters, `sslmode` and several hosts included.
        try:
            return await asyncpg.connect(
                self._url,
                timeout=_CONNECT_SECONDS,
                command_timeout=self._command_timeout,
                statement_cache_size=_PREPARED_STATEMENTS,
                server_settings=self._settings,
            )
        except TimeoutError as error:
            raise StoreUnavailable(f"The database took no connection within {_CONNECT_SECONDS} seconds") from error
        except ValueError as error:
            raise StoreFailed(f"The URL of PostgreSQL cannot be used: {error}") from error

    async def connect(self) -> PostgresConnection:
        """Make one connection more."""
        return PostgresConnection(await self._open(), self._texts)


class PostgresConnection:
    """A `pool.Connection`."""

    def __init__(self, raw: asyncpg.Connection, texts: Texts) -> None:
        self._raw = raw
        self._texts = texts
        self._is_interrupted = False

    @property
    def is_usable(self) -> bool:
        """Whether the connection is open, and no statement was left in its middle."""
        return not (self._is_interrupted or self._raw.is_closed())

    async def run(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        """Run a statement."""
        if isinstance(parameters, list):
            sql, rows = self._texts.bind_many(statement, parameters)
            with self._watched():
                await self._raw.executemany(sql, rows)
            return []
        return await self._fetch(*self._texts.bind(statement, parameters))

    async def run_together(self, changes: Sequence[Change]) -> Rows:
        """Make changes in one round trip, as one statement of several parts, and answer the rows of the last."""
        bound = [self._texts.bind(*change) for change in changes]
        sql = _joined(tuple(part for part, _ in bound))
        return await self._fetch(sql, [value for _, values in bound for value in values])

    async def begin(self, locks: Sequence[Lock]) -> None:
        """Begin a transaction and take its locks.

        Advisory ones: subjects need no row to be locked, and a rollback leaves none behind. Keys are integers of our
        own making, so they may stand in the text, which saves a round trip; a row's columns are evaluated in order.
        """
        taken = ", ".join(f"pg_advisory_xact_lock{'_shared' if lock.is_shared else ''}({lock.key})" for lock in locks)
        await self._say("BEGIN ISOLATION LEVEL READ COMMITTED" + ("; SELECT " + taken if taken else ""))

    async def commit(self) -> None:
        """End the transaction. Raises StoreFailed when PostgreSQL rolled it back instead, and StoreUnavailable when
        nobody knows what it did."""
        try:
            said = await self._say("COMMIT", _COMMIT_SECONDS)
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
            raise StoreUnavailable(
                "The database was lost while it committed: whether the change was made is not known. Look for it, or "
                "send it again"
            ) from error
        if said != "COMMIT":
            raise StoreFailed("The store rolled the transaction back")

    async def reset(self) -> None:
        """Undo what was not committed."""
        if self.is_usable and self._raw.is_in_transaction():
            await self._say("ROLLBACK")

    async def close(self) -> None:
        """Break the connection off; the server undoes what was not committed."""
        if self._is_interrupted and not self._raw.is_closed():
            # Breaking off at once would take with it the message that cancels the statement, which would go on in the
            # server, its transaction's locks held, until it is done with waiting for those of others.
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._raw.close(timeout=_CANCEL_SECONDS)
        else:
            self._raw.terminate()

    async def _fetch(self, sql: str, values: Sequence[object]) -> Rows:
        with self._watched():
            return await self._raw.fetch(sql, *values)  # type: ignore[no-any-return]  # asyncpg has no types

    async def _say(self, command: str, seconds: float | None = None) -> str:
        with self._watched():
            return await self._raw.execute(command, timeout=seconds)  # type: ignore[no-any-return]  # asyncpg has no types

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Mind whether a statement was left in its middle."""
        try:
            yield
        except asyncpg.InternalClientError as error:
            # The server has told that it ends the connection, and asyncpg has not seen its end yet.
            self._raw.terminate()
            raise asyncpg.ConnectionDoesNotExistError("the server ended the connection") from error
        except asyncpg.PostgresError:
            raise
        except BaseException:
            self._is_interrupted = True
            raise


@lru_cache(maxsize=256)
def _joined(parts: tuple[str, ...]) -> str:
    """Make one statement of several that change something; each goes on counting where the one before ended."""
    counted, numbered = 0, []
    for part in parts:
        numbered.append(_PLACE.sub(lambda place, before=counted: f"${int(place[1]) + before}", part))  # type: ignore[misc]  # a default that binds
        counted += max((int(number) for number in _PLACE.findall(part)), default=0)
    *first, last = numbered
    named = ", ".join(f"change_{index} AS ({part})" for index, part in enumerate(first))
    return f"WITH {named} {last}" if named else last
