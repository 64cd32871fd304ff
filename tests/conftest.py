"""Fixtures that several suites share: databases of each kind, and stores on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import delete

from llm_schema_registry.store.sql import SqlStore
from llm_schema_registry.store.tables import homes
from postgres import PrivatePostgres

STORES = ("sqlite-memory", "sqlite-file", "postgresql")


@pytest.fixture(scope="session")
def private_postgres() -> Iterator[PrivatePostgres]:
    """A private PostgreSQL of this test process."""
    server = PrivatePostgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def migrated_template(private_postgres: PrivatePostgres) -> str:
    """A database with all tables, to copy from."""
    name = private_postgres.create_database()

    async def migrate() -> None:
        store = SqlStore.open(private_postgres.url(name))
        await store.migrate()
        async with store.transaction() as writer:
            # What is copied from the template lives elsewhere, and is no older copy of anything.
            await writer._run(delete(homes), {})  # type: ignore[attr-defined]  # a SqlWriter
        await store.close()

    asyncio.run(migrate())
    return name


@pytest.fixture
def postgres_url(private_postgres: PrivatePostgres, migrated_template: str) -> str:
    """A fresh PostgreSQL database with all tables."""
    return private_postgres.url(private_postgres.create_database(migrated_template))


@pytest.fixture
def empty_postgres_url(private_postgres: PrivatePostgres) -> str:
    """A fresh PostgreSQL database without tables."""
    return private_postgres.url(private_postgres.create_database())


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database, once per kind."""
    if request.param == "sqlite-memory":
        return "sqlite://"
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path}/registry.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest_asyncio.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    """A migrated, empty store, once per kind of database."""
    opened = SqlStore.open(store_url, lock_timeout_seconds=60)
    await opened.migrate()
    yield opened
    await opened.close()
