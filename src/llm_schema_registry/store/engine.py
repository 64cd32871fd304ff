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

from llm_schema_registry.store.faults import translate
from llm_schema_registry.store.pool import Connection, Lock, Pools
from llm_schema_registry.store.postgresql import PostgresDatabase
from llm_schema_registry.store.sqlite import SqliteDatabase

_IN_MEMORY = frozenset({"sqlite://", "sqlite:///:memory:"})
KNOWN_URLS = "sqlite:///path/to/file, sqlite:// (in memory) and postgresql://user@host/database"


class Database(Protocol):
    """A database that can be connected to; nothing connects before it is used."""

    @property
    def is_private(self) -> bool:
        """Whether no other process can open it."""

    @property
    def pools(self) -> Pools:
        """Where to read and where to write."""

    async def connect(self) -> Connection:
        """Make one connection more, in no pool."""

    async def migrate(self, upgrade: Callable[[MigrationConnection], None], lock: Lock) -> None:
        """Run a migration in one transaction that no other migration overlaps."""

    async def close(self) -> None:
        """Close every connection."""


def open_database(
    url: str, *, pool_size: int, lock_timeout_seconds: float, statement_timeout_seconds: float
) -> Database:
    """Prepare for a URL; nothing connects yet. Raises ValueError for a URL of no known kind."""
    file = file_of(url)
    if file is not None or url in _IN_MEMORY:
        return SqliteDatabase(file, pool_size=pool_size, lock_timeout_seconds=lock_timeout_seconds)
    if is_postgresql(url):
        return PostgresDatabase(
            url,
            pool_size=pool_size,
            lock_timeout_seconds=lock_timeout_seconds,
            statement_timeout_seconds=statement_timeout_seconds,
        )
    # The rest of the URL may hold a password.
    raise ValueError(f"A store's URL of the kind '{url.partition('://')[0]}' is not known. Known are {KNOWN_URLS}")


def file_of(url: str) -> Path | None:
    """Return the file that a URL of SQLite names; None for one in memory, and of any other kind."""
    scheme, _, rest = url.partition("://")
    is_file = scheme == "sqlite" and rest.startswith("/") and rest != "/" and url not in _IN_MEMORY
    return Path(rest[1:]) if is_file else None


def is_postgresql(url: str) -> bool:
    """Tell whether a URL is one of PostgreSQL."""
    return url.partition("://")[0] in ("postgresql", "postgres")


@contextmanager
def translated() -> Iterator[None]:
    """Raise the registry's errors instead of the drivers'."""
    try:
        yield
    except DBAPIError as error:
        # A migration's error is wrapped by SQLAlchemy's adapter and by SQLAlchemy.
        raise translate((error.orig and error.orig.__cause__) or error.orig or error) from error
    except (SQLAlchemyError, OSError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise translate(error) from error
