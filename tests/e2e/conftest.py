"""Fixtures of the end-to-end tests: one server process for all of them, and a topic of each test's own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient

from server_process import ServerProcess, running_server


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """A server that tests share; whoever changes what is global starts one of their own."""
    with running_server() as process:
        yield process


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic named after the test."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())


@pytest.fixture
def client(server: ServerProcess) -> Iterator[SchemaRegistryClient]:
    """Confluent's Python client, with empty caches."""
    with SchemaRegistryClient({"url": server.url}) as opened:
        yield opened
