"""Fixtures of the fault tests: a PostgreSQL that keeps what it has committed, and fresh databases of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres import PrivatePostgres

DATABASES = ("sqlite-file", "postgresql")


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL with fsync and synchronous commits, which a test may stop and start. It logs changes of tables."""
    server = PrivatePostgres("log_statement=ddl", is_durable=True)
    yield server
    server.remove()


@pytest.fixture
def durable_postgres_url(durable_postgres: PrivatePostgres) -> str:
    """An empty database without tables."""
    return durable_postgres.url(durable_postgres.create_database())


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database without tables that keeps what it has committed, once per kind."""
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path}/registry.db"
    url: str = request.getfixturevalue("durable_postgres_url")
    return url
