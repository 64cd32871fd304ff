"""The registry that the suite of the wire contract asks: a whole server over a fresh store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from llm_schema_registry import telemetry
from llm_schema_registry.registry.operation import Policy
from llm_schema_registry.rest.app import Options
from llm_schema_registry.store.cached import ValueCache
from llm_schema_registry.store.sql import SqlStore
from registry_client import OpenRegistry, Registry


@pytest.fixture
async def open_registry() -> AsyncIterator[OpenRegistry]:
    """Open registries with a policy or options of their own."""
    async with AsyncExitStack() as stack:

        async def opened(policy: Policy | None = None, options: Options | None = None) -> Registry:
            # Answers from memory, as a server's do.
            store = SqlStore.open("sqlite://", cache=ValueCache(1 << 20, telemetry.cache_looked_into))
            stack.push_async_callback(store.close)
            await store.migrate()
            registry = Registry(store, policy, options)
            stack.push_async_callback(registry.close)
            return registry

        yield opened


@pytest.fixture
async def registry(open_registry: OpenRegistry) -> Registry:
    """A fresh registry."""
    return await open_registry()
