"""A user's URL into a database, and what drivers raise into the registry's errors.

Refuses to know a table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import asyncpg
from sqlalchemy import Connection as MigrationConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from llm_schema_registry.errors import RegistryError, StoreFailed, TimedOut
from llm_schema_registry.store.pool import Lock, Pools
from llm_schema_registry.store.postgresql import PostgresDatabase
from llm_schema_registry.store.sqlite import SqliteDatabase, is_busy

KNOWN_URLS = "sqlite:///path/to/file, sqlite:// (in memory) and postgresql://user@host/database"

# lock_not_available, query_canceled, deadlock_detected, serialization_failure
_LATE = frozenset({"55P03", "57014", "40P01", "40001"})


class Database(Protocol):
    """A database that can be connected to; nothing connects before it is used."""

    @property
    def is_private(self) -> bool:
        """Whether no other process can open it."""

    @property
    def pools(self) -> Pools:
        """Where to read and where to write."""

    async def migrate(self, upgrade: Callable[[MigrationConnection], None], lock: Lock) -> None:
        """Run a migration in one transaction that no other migration overlaps."""

    async def close(self) -> None:
        """Close every connection."""


def open_database(
    url: str, *, pool_size: int, lock_timeout_seconds: float, statement_timeout_seconds: float
) -> Database:
    """Prepare for a URL; nothing connects yet. Raises ValueError for a URL of no known kind."""
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and separator and rest in ("", "/:memory:"):
        return SqliteDatabase(None, pool_size=pool_size, lock_timeout_seconds=lock_timeout_seconds)
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return SqliteDatabase(Path(rest[1:]), pool_size=pool_size, lock_timeout_seconds=lock_timeout_seconds)
    if is_postgresql(url):
        return PostgresDatabase(
            url,
            pool_size=pool_size,
            lock_timeout_seconds=lock_timeout_seconds,
            statement_timeout_seconds=statement_timeout_seconds,
        )
    # The rest of the URL may hold a password.
    raise ValueError(f"A store's URL of the kind '{scheme}' is not known. Known are {KNOWN_URLS}")


def is_postgresql(url: str) -> bool:
    """Tell whether a URL is one of PostgreSQL."""
    return url.partition("://")[0] in ("postgresql", "postgres")


@contextmanager
def translated() -> Iterator[None]:
    """Raise the registry's errors instead of the drivers'."""
    try:
        yield
    except TimeoutError as error:
        raise TimedOut("The store did not answer in time; try again") from error
    except (SQLAlchemyError, OSError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _translate(error) from error


def is_lost(error: BaseException) -> bool:
    """Tell whether a connection that was there has gone, so that another one may be asked the same."""
    return isinstance(
        error,
        ConnectionError | asyncpg.InterfaceError | asyncpg.PostgresConnectionError | asyncpg.OperatorInterventionError,
    ) and not isinstance(error, asyncpg.QueryCanceledError)


def _translate(error: Exception) -> RegistryError:
    # A migration's error is wrapped by SQLAlchemy.
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if getattr(cause, "sqlstate", None) in _LATE or (isinstance(cause, sqlite3.Error) and is_busy(cause)):
        return TimedOut("The store is busy: a lock could not be had in time; try again")
    return StoreFailed(f"The store failed: {cause}")
