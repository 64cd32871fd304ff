"""T7: the n-th storage call fails, for every n, in every way, during a registration, a permanent delete and a change of
settings: each time all of it is there or nothing, and the next request is served."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from faults.failing_storage import How, PostgresProxy, Trigger, failing_connect
from faults.history import record
from faults.scale import tell
from llm_schema_registry.model import EventType, Subject
from llm_schema_registry.names import parse_subject
from llm_schema_registry.store.base import VersionFilter, Visibility
from llm_schema_registry.store.sql import SqlStore
from postgres import PrivatePostgres
from registry_client import Registry

REGISTER, DELETE, CONFIGURE = "registration", "permanent delete", "change of settings"
MAX_CALLS = 200


@dataclass
class Bench:
    """A database, the URL under which the trigger may fail its calls, and a store on it that looks on."""

    kind: str
    url: str
    trigger: Trigger
    onlooker: SqlStore

    @property
    def ways(self) -> list[How]:
        return list(How) if self.kind == "sqlite" else [How.BEFORE, How.AFTER]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Open a registry with new connections, so that the calls of an operation are always the same."""
        store = SqlStore.open(self.url)
        registry = Registry(store)
        yield Client(registry.http)
        await registry.close()
        await store.close()

    async def effects(self, operation: str, name: str) -> dict[str, bool]:
        """Tell of each thing that the operation does whether it is done."""
        reader, subject = self.onlooker.reader, parse_subject(name)
        versions = await reader.list_version_keys(subject, Visibility.ALL)
        contents = await self._contents(subject)
        events = [e for _, e in await reader.list_events(limit=10_000) if e.subject == subject]
        if operation == REGISTER:
            return {"version": bool(versions), "content": contents > 0, "event": bool(events)}
        if operation == DELETE:
            told = [event.type for event in events if event.type is EventType.VERSION_DELETED]
            return {"version": not versions, "content": contents == 0, "event": bool(told)}
        return {"config": await reader.find_config(subject) is not None, "event": bool(events)}

    async def _contents(self, subject: Subject) -> int:
        """Count the contents of a subject's text, those too that no version uses. They are among the newest."""
        largest = await self.onlooker.reader.find_max_schema_id(subject.context)
        found = [await self.onlooker.reader.find_schema(subject.context, largest - back) for back in range(4)]
        return sum(schema is not None and schema.content.text == record(subject.name) for schema in found)


@dataclass
class Client:
    """What asks the registry whose storage fails."""

    http: httpx.AsyncClient

    async def prepare(self, operation: str, subject: str) -> None:
        """Bring a subject to where the operation can begin."""
        if operation == DELETE:
            assert await self._ask("POST", f"/subjects/{subject}/versions", _body(subject)) == 200
            assert await self._ask("DELETE", f"/subjects/{subject}") == 200

    async def perform(self, operation: str, subject: str) -> int:
        """Do the operation and return the status of its answer."""
        if operation == REGISTER:
            return await self._ask("POST", f"/subjects/{subject}/versions", _body(subject))
        if operation == DELETE:
            return await self._ask("DELETE", f"/subjects/{subject}?permanent=true")
        return await self._ask("PUT", f"/config/{subject}", {"compatibility": "NONE"})

    async def _ask(self, method: str, path: str, body: object = None) -> int:
        return (await self.http.request(method, path, json=body)).status_code


def _body(subject: str) -> dict[str, str]:
    return {"schema": record(subject)}


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def bench(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    trigger = Trigger()
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            direct = url = f"sqlite:///{tmp_path}/registry.db"
            monkeypatch.setattr(sqlite3, "connect", failing_connect(trigger))
        else:
            postgres: PrivatePostgres = request.getfixturevalue("durable_postgres")
            database = postgres.create_database()
            direct = postgres.url(database)
            url = f"postgresql:///{database}?host={tmp_path}&user=postgres"
            await stack.enter_async_context(PostgresProxy(tmp_path, postgres.sockets, trigger))
        onlooker = SqlStore.open(direct)
        await onlooker.migrate()
        yield Bench(request.param, url, trigger, onlooker)
        await onlooker.close()


@pytest.mark.parametrize("operation", [REGISTER, DELETE, CONFIGURE])
async def test_every_call_fails_once(bench: Bench, operation: str) -> None:
    outcomes: Counter[str] = Counter()
    calls: dict[str, int] = {}
    for how in bench.ways:
        for number in count(1):
            assert number < MAX_CALLS
            subject = f"{how.name.lower()}_{number}"
            async with bench.client() as client:
                # What has been done once on these connections is prepared on them.
                await client.prepare(operation, f"{subject}_first")
                assert await client.perform(operation, f"{subject}_first") == 200
                await client.prepare(operation, subject)
                bench.trigger.arm(number, how)
                status = await client.perform(operation, subject)
                has_failed = bench.trigger.disarm()
                # The next request finds everything in order, also this one again.
                await client.prepare(operation, f"{subject}_next")
                assert await client.perform(operation, f"{subject}_next") == 200
            effects = await bench.effects(operation, subject)
            told = f"call {number} failed {how}: answered {status}, {json.dumps(effects)}"
            assert len(set(effects.values())) == 1, told
            is_whole = all(effects.values())
            assert is_whole or status >= 500, told
            # Only a call that was done may leave the server in doubt.
            assert how is How.AFTER or status == 200 or not is_whole, told
            if not has_failed:
                assert status == 200, told
                calls[how.value] = number - 1
                break
            outcomes["answered 200, all there" if status == 200 else f"refused, {_words(is_whole=is_whole)} there"] += 1
    # The commit is among the calls: the only one that leaves its caller in doubt.
    assert outcomes["refused, all there"] == 1
    positions = [position for position, _ in await bench.onlooker.reader.list_events(limit=10_000)]
    assert positions == list(range(1, len(positions) + 1))
    everything = VersionFilter(visibility=Visibility.ALL)
    versions = await bench.onlooker.reader.search_versions(everything)
    assert len({version.schema.id for version in versions}) == len(versions)
    counted = ", ".join(f"{words}: {n}" for words, n in outcomes.items())
    tell(f"T7 {operation} on {bench.kind}", f"calls that failed, each once, {calls}; {counted}")


def _words(*, is_whole: bool) -> str:
    return "all" if is_whole else "nothing"
