"""Kept answers of one process and changes by another: two applications with stores of their own on one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from api.conftest import Log, MakeClient
from llm_schema_registry import telemetry
from llm_schema_registry.model import EventType, Subject
from llm_schema_registry.registry import changes
from llm_schema_registry.registry.engines import Engines
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.rest import hot_path
from llm_schema_registry.server import open_app
from llm_schema_registry.settings import Settings
from llm_schema_registry.store.sql import SqlStore
from polling import until
from postgres import PrivatePostgres

BOUND_SECONDS = 3.0
"""How long a change by another process may go unseen here: six times what it takes on a machine that is not busy."""


class Pair(NamedTuple):
    """Clients of two applications on one database."""

    here: httpx.AsyncClient
    there: httpx.AsyncClient


async def open_pair(url: str, make_client: MakeClient, log: Log) -> AsyncIterator[Pair]:
    settings = Settings(database_url=url)
    writer = telemetry.open_log("warning", log)
    async with open_app(settings, writer) as here, open_app(settings, writer) as there:
        yield Pair(make_client(here), make_client(there))


@pytest.fixture(params=["sqlite-file", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path}/registry.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def pair(shared_url: str, make_client: MakeClient, log: Log) -> AsyncIterator[Pair]:
    async for opened in open_pair(shared_url, make_client, log):
        yield opened


async def register(client: httpx.AsyncClient, subject: str, schema: str = '"string"', **members: int) -> dict[str, Any]:
    answer = await client.post(f"/subjects/{subject}/versions", json={"schema": schema, **members})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def delete_for_good(client: httpx.AsyncClient, subject: str) -> None:
    for query in ("", "?permanent=true"):
        answer = await client.delete(f"/subjects/{subject}{query}")
        assert answer.status_code == 200, answer.text


async def soon(client: httpx.AsyncClient, path: str, is_enough: Callable[[httpx.Response], bool]) -> None:
    def ask() -> Awaitable[httpx.Response]:
        return client.get(path)

    await until(is_enough, ask, BOUND_SECONDS)


def is_gone(answer: httpx.Response) -> bool:
    return answer.status_code == 404 and answer.json()["error_code"] == 40403


async def test_what_is_deleted_here_is_gone_here_at_once(pair: Pair) -> None:
    guid = (await register(pair.here, "s"))["guid"]
    paths = ("/schemas/ids/1", "/schemas/ids/1/schema", "/v1/schemas/ids/1", f"/schemas/guids/{guid}")
    for path in (*paths, f"/v1/schemas/guids/{guid}"):
        assert [(await pair.here.get(path)).status_code for _ in range(2)] == [200, 200]
    await delete_for_good(pair.here, "s")
    for path in (*paths, f"/v1/schemas/guids/{guid}"):
        assert is_gone(await pair.here.get(path))


async def test_what_is_deleted_there_is_gone_here_soon(pair: Pair) -> None:
    guid = (await register(pair.there, "s"))["guid"]
    for path in ("/schemas/ids/1", f"/v1/schemas/guids/{guid}"):
        assert (await pair.here.get(path)).status_code == 200
    await delete_for_good(pair.there, "s")
    for path in ("/schemas/ids/1", f"/v1/schemas/guids/{guid}"):
        await soon(pair.here, path, is_gone)


async def test_it_is_gone_also_after_a_long_time_with_nothing_kept(pair: Pair) -> None:
    await register(pair.there, "s")
    await delete_for_good(pair.there, "s")
    await register(pair.there, "t")
    await asyncio.sleep(1.2 * hot_path.POLL_SECONDS)
    assert (await pair.here.get("/schemas/ids/2")).status_code == 200
    await delete_for_good(pair.there, "t")
    await soon(pair.here, "/schemas/ids/2", is_gone)


async def test_an_id_that_an_import_binds_to_another_content_is_answered_anew(pair: Pair) -> None:
    await register(pair.there, "s")
    assert (await pair.here.get("/schemas/ids/1")).json()["schema"] == '"string"'
    await delete_for_good(pair.there, "s")
    assert (await pair.there.put("/mode/s", json={"mode": "IMPORT"})).status_code == 200
    await register(pair.there, "s", '"long"', id=1, version=1)
    await soon(pair.here, "/schemas/ids/1", lambda answer: answer.json().get("schema") == '"long"')


async def test_an_alias_that_leads_into_another_context_is_followed(pair: Pair) -> None:
    await register(pair.there, "s")
    await register(pair.there, ":.c:t", '"long"')
    path = "/schemas/ids/1?subject=s"
    assert [(await pair.here.get(path)).json()["schema"] for _ in range(2)] == ['"string"'] * 2
    for alias, schema in ((":.c:t", '"long"'), ("", '"string"')):
        assert (await pair.there.put("/config/s", json={"alias": alias})).status_code == 200
        await soon(pair.here, path, lambda answer, schema=schema: answer.json()["schema"] == schema)


async def test_what_a_subject_may_come_to_use_is_not_kept(pair: Pair) -> None:
    await register(pair.here, "s")
    for suffix in ("", "/schema"):
        answer = await pair.here.get(f"/schemas/ids/1{suffix}?subject=unused")
        assert "string" in answer.text
        assert answer.headers["cache-control"] == "no-cache"
    await register(pair.there, ":.c:unused", '"long"')
    assert (await pair.here.get("/schemas/ids/1?subject=unused")).json()["schema"] == '"long"'
    assert (await pair.here.get("/schemas/ids/1/schema?subject=unused")).text == '"long"'
    for subject in ("s", ":.c:unused", ":.c:other"):
        answer = await pair.here.get(f"/schemas/ids/1?subject={subject}")
        assert "immutable" in answer.headers["cache-control"]


@pytest.fixture
def postgres_that_stops(private_postgres: PrivatePostgres) -> Iterator[PrivatePostgres]:
    yield private_postgres
    # Whatever a test did, those that follow have their server.
    private_postgres.stop()
    private_postgres.start()


async def test_without_its_store_it_answers_what_it_keeps_and_drops_it_afterwards_if_need_be(
    postgres_url: str,
    postgres_that_stops: PrivatePostgres,
    make_client: MakeClient,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hot_path, "PATIENCE_SECONDS", 0.6)
    async for here, there in open_pair(postgres_url, make_client, log):
        await register(there, "s")
        assert (await here.get("/schemas/ids/1")).status_code == 200

        def told() -> list[str]:
            return [line["reason"] for line in log.lines if line["event"] == "answers are kept without the store"]

        async def ask() -> list[str]:
            return told()

        postgres_that_stops.stop("immediate")
        await until(bool, ask)
        await asyncio.sleep(3 * hot_path.POLL_SECONDS)
        assert len(told()) == 1
        assert (await here.get("/schemas/ids/1")).json()["schema"] == '"string"'
        postgres_that_stops.start()
        assert (await here.get("/schemas/ids/1")).json()["schema"] == '"string"'
        await delete_for_good(there, "s")
        await soon(here, "/schemas/ids/1", is_gone)


UNSETTLING = {"VERSION_DELETED", "CONTEXT_DELETED", "CONFIG_CHANGED", "CONFIG_DELETED", "COPY_RESTORED"}


@pytest.mark.parametrize(("kind", "is_unsettling"), [(kind, kind.value in UNSETTLING) for kind in EventType])
async def test_which_events_unsettle(store: SqlStore, kind: EventType, is_unsettling: bool) -> None:
    call = call_on(store)
    is_found, start = await changes.look_for_rebinding(call, store.freshness.mark)
    assert (is_found, start.position) == (False, 0)
    await append(call, kind, 1)
    is_found, end = await changes.look_for_rebinding(call, start)
    assert (is_found, end.position) == (is_unsettling, 1)
    assert await changes.look_for_rebinding(call, end) == (False, end)


def call_on(store: SqlStore) -> Call:
    return Call(store=store, engines=Engines({}), clock=lambda: 0)


async def append(call: Call, kind: EventType, times: int) -> None:
    async with call.store.transaction() as writer:
        for _ in range(times):
            await writer.append_event(call.event(kind, Subject(".", "s")))
