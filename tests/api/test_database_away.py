"""The whole server while its database is lost or says nothing: what goes on, what is refused, how that is told."""

from __future__ import annotations

import asyncio
import threading
from urllib.parse import urlsplit

import asyncpg
import httpx
import msgspec
import pytest

from api.conftest import Log, MakeClient, Serve
from api.test_errors import raising
from llm_schema_registry import errors, telemetry
from llm_schema_registry.errors import RegistryError
from llm_schema_registry.registry import engines
from llm_schema_registry.server import StartRefused, open_app
from llm_schema_registry.settings import Settings
from polling import until
from postgres import PrivatePostgres

RECOVERY_SECONDS = 5
VERSIONS = "/subjects/s/versions"
STRING, LONG = {"schema": '"string"'}, {"schema": '"long"'}
NOBODY = "postgresql://nobody:secret@127.0.0.1:1/none"


@pytest.fixture
def settings(postgres_url: str) -> Settings:
    return Settings(database_url=postgres_url, comparison_milliseconds=10_000, request_timeout_seconds=30)


def metric(text: str, name: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return float(line.split()[-1])


async def register(client: httpx.AsyncClient) -> str:
    """Register a schema and return the path of its id."""
    return f"/schemas/ids/{(await client.post(VERSIONS, json=STRING)).json()['id']}"


async def test_without_the_database_it_goes_on_with_what_it_keeps(
    client: httpx.AsyncClient, private_postgres: PrivatePostgres, log: Log
) -> None:
    kept = await register(client)
    before = await client.get(kept)
    text = (await client.get("/metrics")).text
    assert metric(text, 'schema_registry_storage_connection_status{storage_type="postgresql"}') == 1
    await asyncio.to_thread(private_postgres.stop, "immediate")
    try:
        refusals = [client.post(VERSIONS, json=LONG) for _ in range(3)]
        refusals += [client.get("/subjects"), client.put("/config", json={"compatibility": "FULL"})]
        for found in await asyncio.gather(*refusals):
            assert (found.status_code, found.json()["error_code"]) == (503, 50301)
            assert "cannot be reached" in found.json()["message"]
            assert int(found.headers["retry-after"]) > 0
        assert "nothing was changed" in (await client.put("/config", json={"compatibility": "FULL"})).json()["message"]
        for _ in range(10):
            again = await client.get(kept)
            assert (again.status_code, again.content) == (200, before.content)
        health = await client.get("/health/ready")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert (await client.get("/health/live")).status_code == 200
        text = (await client.get("/metrics")).text
        assert metric(text, 'schema_registry_storage_connection_status{storage_type="postgresql"}') == 0
        assert metric(text, 'schema_registry_storage_operation_errors_total{operation="read"}') > 0
    finally:
        await asyncio.to_thread(private_postgres.start)

    async def change() -> int:
        return (await client.post(VERSIONS, json=STRING)).status_code

    await until(lambda status: status == 200, change, RECOVERY_SECONDS)
    assert (await client.get("/health/ready")).json() == {"status": "ready", "dependencies": {"database": "available"}}
    assert (await client.get(VERSIONS)).json() == [1]
    assert (await client.get("/config")).json() == {"compatibilityLevel": "BACKWARD"}
    told = [line["event"] for line in log.lines if line["event"].startswith("the database")]
    assert told == ["the database is away", "the database is back"]
    assert not [line for line in log.lines if "exception" in line]


async def test_a_database_that_says_nothing_keeps_nobody_else_waiting(
    client: httpx.AsyncClient, private_postgres: PrivatePostgres
) -> None:
    kept = await register(client)
    assert (await client.get(kept)).status_code == 200
    with private_postgres.frozen():
        stuck = [asyncio.create_task(client.get("/subjects")) for _ in range(50)]
        stuck += [asyncio.create_task(client.post(VERSIONS, json=LONG)) for _ in range(50)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            for _ in range(100):
                assert (await client.get(kept)).status_code == 200
            assert (await client.get("/health/ready")).json()["status"] == "degraded"
        assert not any(task.done() for task in stuck)
    assert {answer.status_code for answer in await asyncio.gather(*stuck)} <= {200, 409}


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", VERSIONS, STRING, "Whether it changed anything is not known"),
        ("GET", VERSIONS, None, "took longer than 0.4 seconds"),
    ],
)
async def test_a_request_ends_in_time_though_its_statement_waits(
    make_client: MakeClient, settings: Settings, log: Log, method: str, path: str, body: object, says: str
) -> None:
    settings = msgspec.structs.replace(settings, request_timeout_seconds=0.4)
    other = await asyncpg.connect(settings.database_url)
    async with open_app(settings, telemetry.open_log("info", log)) as app:
        client = make_client(app)
        async with other.transaction():
            await other.execute("LOCK TABLE versions IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(3):
                found = await client.request(method, path, json=body)
        assert (found.status_code, found.json()["error_code"], found.headers["retry-after"]) == (500, 50002, "1")
        assert says in found.json()["message"]
        assert (await client.get(VERSIONS)).status_code == 404
        assert (await client.get("/schemas")).json() == []
    await other.close()


async def test_it_waits_at_its_start_for_a_database_that_is_late(
    make_client: MakeClient, settings: Settings, log: Log, private_postgres: PrivatePostgres
) -> None:
    await asyncio.to_thread(private_postgres.stop, "immediate")
    starting = asyncio.create_task(asyncio.to_thread(private_postgres.start))
    async with open_app(settings, telemetry.open_log("info", log)) as app:
        await starting
        assert (await make_client(app).get("/subjects")).json() == []
    assert "waiting for the database" in [line["event"] for line in log.lines]


@pytest.mark.parametrize("seconds", [0, 0.5])
async def test_it_does_not_wait_for_ever(log: Log, seconds: float) -> None:
    settings = Settings(database_url=NOBODY, database_wait_seconds=seconds)
    with pytest.raises(StartRefused, match="cannot be used") as caught:
        async with open_app(settings, telemetry.open_log("info", log)):
            pass
    assert "secret" not in str(caught.value)


async def test_what_waiting_does_not_heal_is_refused_at_once(log: Log, postgres_url: str) -> None:
    absent = urlsplit(postgres_url)._replace(path="/absent").geturl()
    settings = Settings(database_url=absent.replace("postgresql:/a", "postgresql:///a"), database_wait_seconds=600)
    with pytest.raises(StartRefused, match="absent"):
        async with open_app(settings, telemetry.open_log("info", log)):
            pass


def leaves(kind: type[RegistryError]) -> list[type[RegistryError]]:
    return [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)] + [kind] * hasattr(kind, "code")


@pytest.mark.parametrize("kind", leaves(RegistryError), ids=lambda kind: kind.__name__)
async def test_whoever_may_ask_again_is_told_when(serve: Serve, kind: type[RegistryError]) -> None:
    refusal = kind.__new__(kind)
    Exception.__init__(refusal, "no")
    if isinstance(refusal, errors.MethodNotAllowed):
        refusal.allowed = ()
    if isinstance(refusal, errors.IncompatibleSchema):
        return
    found = await serve(raising(refusal)).get("/fail/s")
    may_ask_again = found.status_code in {429, 503} or kind is errors.TimedOut
    assert ("retry-after" in found.headers) == may_ask_again


async def test_only_so_much_may_wait_for_the_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "MAX_CALLS", 5)
    pool = engines.Engines({})
    gate = threading.Event()
    calls = [asyncio.create_task(pool.run(gate.wait)) for _ in range(8)]
    await asyncio.wait(calls, timeout=0.1)
    assert [type(call.exception()) for call in calls if call.done()] == [errors.Overloaded] * 3
    # What is given up while it waits leaves its place, and is never begun.
    calls[4].cancel()
    await asyncio.wait([calls[4]])
    following = asyncio.create_task(pool.run(gate.wait))
    await asyncio.sleep(0)
    gate.set()
    assert await following
    assert await asyncio.gather(*calls[:4]) == [True] * 4
    pool.close()
