"""Fixtures of the suites about backups: databases that are not there yet, and a place for backups."""

from __future__ import annotations

from pathlib import Path

import pytest

from backups import Fresh
from llm_schema_registry.backup.objects import Objects


@pytest.fixture
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """Answer the URL of a database that is not there yet (SQLite) or empty (PostgreSQL)."""
    made: list[str] = []

    def make(kind: str) -> str:
        made.append(kind)
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/new/{len(made)}.db"
        server = request.getfixturevalue("private_postgres")
        url: str = server.url(server.create_database())
        return url

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def objects(folder: Path) -> Objects:
    return Objects(str(folder), is_new=True)
