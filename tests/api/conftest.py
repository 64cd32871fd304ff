"""The server in process: the whole one over a fresh store in memory, or the transport alone over rows of a test."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from llm_schema_registry import telemetry
from llm_schema_registry.registry.engines import Engines
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.rest.app import Options, RestApp
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.server import open_app
from llm_schema_registry.settings import Settings
from llm_schema_registry.store.sql import SqlStore
from registry_client import Registry

Serve = Callable[..., httpx.AsyncClient]
MakeClient = Callable[[RestApp], httpx.AsyncClient]


class Log(io.StringIO):
    """What the server logged."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Each line as the object that it is."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def log() -> Log:
    """The log of the server under test."""
    return Log()


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    """Make clients of applications."""
    async with AsyncExitStack() as stack:

        def make(app: RestApp) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, raise_app_exceptions=True)
            client = httpx.AsyncClient(transport=transport, base_url="http://registry")
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
def settings() -> Settings:
    """The settings of `client`; a test module may replace them."""
    return Settings(
        database_url="sqlite://", comparison_milliseconds=10_000, kafka_cluster="lkc-1", registry_cluster="lsrc-1"
    )


@pytest.fixture
async def client(make_client: MakeClient, settings: Settings, log: Log) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole server over a fresh store in memory."""
    async with open_app(settings, telemetry.open_log("info", log)) as app:
        yield make_client(app)


@pytest.fixture
async def serve(make_client: MakeClient, log: Log) -> AsyncIterator[Serve]:
    """Serve rows of a test's own: `serve(*routes, options=...)`."""
    store = SqlStore.open("sqlite://")
    engines = Engines({})

    def start(*routes: Route, options: Options | None = None) -> httpx.AsyncClient:
        call = Call(store=store, engines=engines, clock=lambda: 0)
        return make_client(RestApp(routes, call, telemetry.open_log("info", log), options))

    yield start
    engines.close()
    await store.close()


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    """A fresh store in memory."""
    opened = SqlStore.open("sqlite://")
    await opened.migrate()
    yield opened
    await opened.close()


@pytest.fixture
async def registry(store: SqlStore) -> AsyncIterator[Registry]:
    """A registry over the store."""
    opened = Registry(store)
    yield opened
    await opened.close()
