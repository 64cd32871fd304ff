"""A consistent look at all rows while others write: one read transaction, streamed, equal for both databases.

Refuses to change anything, to know what the rows mean, and to read tables of another release.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Boolean, Select, select
from sqlalchemy.dialects import postgresql, sqlite

from llm_schema_registry.errors import StoreFailed
from llm_schema_registry.store import migrations, tables
from llm_schema_registry.store.engine import file_of, is_postgresql

ROWS_AT_ONCE = 500

_NO_DATA = frozenset({tables.homes.name})
TABLES = {str(table.name): table for table in tables.metadata.sorted_tables if table.name not in _NO_DATA}
"""All tables that hold data, those that are referred to before those that refer to them."""

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Snapshot:
    """The tables as they were at one moment. `stream` yields the rows of a statement."""

    revision: str
    log_position: int
    _stream: Callable[[str], AsyncIterator[list[Row]]]
    _render: Callable[[Select[Any]], str]

    async def rows(self, table: str) -> AsyncIterator[Row]:
        """Yield a table's rows in the order of its primary key. Truth values are bool on either database."""
        source = TABLES[table]
        truths = [index for index, column in enumerate(source.columns) if isinstance(column.type, Boolean)]
        statement = self._render(select(*source.columns).order_by(*source.primary_key.columns))
        async for rows in self._stream(statement):
            for row in rows:
                if truths:
                    changed = list(row)
                    for index in truths:
                        changed[index] = bool(row[index])
                    yield tuple(changed)
                else:
                    yield tuple(row)


def columns_of(table: str) -> tuple[str, ...]:
    """Answer the names of a table's columns in the order of `Snapshot.rows`."""
    return tuple(str(column.name) for column in TABLES[table].columns)


def key_length(table: str) -> int:
    """Answer how many of the first columns are the primary key."""
    return len(TABLES[table].primary_key.columns)


@asynccontextmanager
async def open_snapshot(url: str) -> AsyncIterator[Snapshot]:
    """Open a snapshot of a store's URL. Raises StoreFailed, and ValueError for a URL that cannot be looked at."""
    file = file_of(url)
    try:
        if file is not None:
            async with _open_file(file) as snapshot:
                yield snapshot
        elif is_postgresql(url):
            async with _open_postgresql(url) as snapshot:
                yield snapshot
        else:
            raise ValueError("Only a database in a file or of PostgreSQL can be looked at from outside")
    except (sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise StoreFailed(f"The database cannot be read: {error}") from error


@asynccontextmanager
async def _open_file(path: Path) -> AsyncIterator[Snapshot]:
    connection = _connect(path)

    async def stream(statement: str) -> AsyncIterator[list[Row]]:
        cursor = await asyncio.to_thread(connection.execute, statement)
        while rows := await asyncio.to_thread(cursor.fetchmany, ROWS_AT_ONCE):
            yield rows

    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        found = connection.execute("SELECT name FROM sqlite_master WHERE name = ?", (migrations.VERSION_TABLE,))
        dialect = sqlite.dialect()
        yield await _begun(bool(found.fetchall()), stream, lambda statement: str(statement.compile(dialect=dialect)))
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StoreFailed(f"There is no database at {path}")
    # Not `mode=ro`: a reader of a database in WAL mode takes part in the index of its log.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False, timeout=60)


@asynccontextmanager
async def _open_postgresql(url: str) -> AsyncIterator[Snapshot]:
    connection = await asyncpg.connect(url, timeout=10)

    async def stream(statement: str) -> AsyncIterator[list[Row]]:
        cursor = await connection.cursor(statement)
        while rows := await cursor.fetch(ROWS_AT_ONCE):
            yield rows

    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await connection.fetchval("SELECT to_regclass($1)", migrations.VERSION_TABLE)
            dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
            yield await _begun(found is not None, stream, lambda statement: str(statement.compile(dialect=dialect)))
    finally:
        await connection.close()


async def _begun(
    has_tables: bool,
    stream: Callable[[str], AsyncIterator[list[Row]]],
    render: Callable[[Select[Any]], str],
) -> Snapshot:
    revision = ""
    if has_tables:
        [[(revision,)]] = [rows async for rows in stream(f"SELECT version_num FROM {migrations.VERSION_TABLE}")]  # noqa: S608 - a constant
    if revision != migrations.HEAD:
        raise StoreFailed(
            f"The database's tables are of revision '{revision}', and this release reads {migrations.HEAD}: use the "
            "release that serves it"
        )
    [[(position,)]] = [rows async for rows in stream("SELECT last FROM counters WHERE name = 'events'")]
    return Snapshot(revision, position, stream, render)
