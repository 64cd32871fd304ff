"""Rows into an empty database, in one transaction: all of them, or nothing is left behind.

Refuses a database that holds a registry, and to know where the rows come from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from sqlalchemy import Connection, Executable, create_engine, delete, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from llm_schema_registry.errors import StoreFailed
from llm_schema_registry.store import migrations
from llm_schema_registry.store.engine import file_of, is_postgresql
from llm_schema_registry.store.fence import UNKNOWN_JUMP, raise_ids
from llm_schema_registry.store.rows import Parameters, Rows
from llm_schema_registry.store.snapshot import TABLES, Row

__all__ = ["UNKNOWN_JUMP", "Loading", "finish", "open_loading"]

_FILLED_BY_MIGRATIONS = ("contexts", "counters")


class Loading(Protocol):
    """An open transaction on a database that was empty. It is committed when its block ends without an error."""

    async def create_tables(self, revision: str = migrations.HEAD) -> None:
        """Make the tables of a revision, without rows; of a later one, bring those that are there up to date."""

    async def add(self, table: str, columns: Sequence[str], rows: list[Row]) -> None:
        """Insert rows whose values are in the order of the columns."""

    async def run(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        """Run a statement, see `rows.Run`."""


async def finish(loading: Loading, jump: int, reason: str) -> None:
    """Bring the loaded tables up to date, and let ids go on `jump` behind the largest one given out."""
    await loading.create_tables()
    await raise_ids(loading.run, jump, reason)


@asynccontextmanager
async def open_loading(url: str) -> AsyncIterator[Loading]:
    """Open an empty database for rows. Raises StoreFailed, and ValueError for a URL that cannot be loaded."""
    file = file_of(url)
    try:
        if file is not None:
            async with _open_file(file) as loading:
                yield loading
        elif is_postgresql(url):
            async with _open_postgresql(url) as loading:
                yield loading
        else:
            raise ValueError("Only a database in a file or of PostgreSQL can be restored")
    except (sqlite3.Error, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise StoreFailed(f"The database cannot be written: {error}") from error


class _File:
    """A `Loading` of SQLite. Its statements run where they are called: nothing else happens meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create_tables(self, revision: str = migrations.HEAD) -> None:
        _create(self._connection, revision)

    async def add(self, table: str, columns: Sequence[str], rows: list[Row]) -> None:
        # Positional, so that a row need not become a dictionary.
        dialect = sqlite.dialect(paramstyle="qmark")
        text = str(insert(TABLES[table]).compile(dialect=dialect, column_keys=list(columns)))
        order = [column.name for column in TABLES[table].columns if column.name in columns]
        places = [columns.index(name) for name in order]
        self._connection.exec_driver_sql(text, [tuple(row[place] for place in places) for row in rows])

    async def run(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        result = self._connection.execute(statement, parameters)
        return result.all() if result.returns_rows else []


class _Server:
    """A `Loading` of PostgreSQL; rows go by COPY, on the connection that SQLAlchemy holds a transaction on."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create_tables(self, revision: str = migrations.HEAD) -> None:
        await self._connection.run_sync(_create, revision)

    async def add(self, table: str, columns: Sequence[str], rows: list[Row]) -> None:
        raw = await self._connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.copy_records_to_table(table, records=rows, columns=list(columns))

    async def run(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        result = await self._connection.execute(statement, parameters)
        return result.all() if result.returns_rows else []


@asynccontextmanager
async def _open_file(path: Path) -> AsyncIterator[Loading]:
    with _removed_on_failure(path):
        # An ordinary journal: an empty file needs hardly any, while a write-ahead log would hold all rows once more.
        engine = create_engine("sqlite://", creator=partial(sqlite3.connect, path, isolation_level=None, timeout=10))
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                _refuse_unless_empty(connection)
                yield _File(connection)
                connection.commit()
        finally:
            engine.dispose()


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if is_new:
            path.unlink(missing_ok=True)
        raise


@asynccontextmanager
async def _open_postgresql(url: str) -> AsyncIterator[Loading]:
    engine = create_async_engine("postgresql+asyncpg://", async_creator=partial(asyncpg.connect, url, timeout=10))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_refuse_unless_empty)
            yield _Server(connection)
    finally:
        await engine.dispose()


def _refuse_unless_empty(connection: Connection) -> None:
    if migrations.find_revision(connection):
        raise StoreFailed("The database holds a registry already; restore into a new one")


def _create(connection: Connection, revision: str) -> None:
    is_new = not migrations.find_revision(connection)
    migrations.upgrade(connection, revision)
    if is_new:
        for name in _FILLED_BY_MIGRATIONS:
            connection.execute(delete(TABLES[name]))
