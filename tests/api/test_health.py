"""What operators and probes ask, against the whole server."""

from __future__ import annotations

import httpx
import pytest

from api.conftest import Log, MakeClient
from llm_schema_registry import __version__, telemetry
from llm_schema_registry.registry.engines import Engines
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.rest.app import RestApp
from llm_schema_registry.rest.table import build_routes
from llm_schema_registry.store.sql import SqlStore


async def test_the_root_answers_an_empty_object(client: httpx.AsyncClient) -> None:
    for found in (await client.get("/"), await client.post("/"), await client.post("/", content=b"junk")):
        assert (found.status_code, found.json()) == (200, {})


async def test_metadata(client: httpx.AsyncClient) -> None:
    clusters = {"kafka-cluster": "lkc-1", "schema-registry-cluster": "lsrc-1"}
    assert (await client.get("/v1/metadata/id")).json() == {"scope": {"path": [], "clusters": clusters}}
    assert (await client.get("/v1/metadata/version")).json()["version"] == __version__
    assert (await client.get("/v1/metadata/deployment")).json() == {}


@pytest.mark.parametrize("path", ["/health/live", "/healthz", "/health/ready", "/readyz"])
async def test_a_healthy_server_says_so(client: httpx.AsyncClient, path: str) -> None:
    found = await client.get(path)
    assert found.status_code == 200
    assert found.json()["status"] in {"live", "ready"}
    assert found.headers["cache-control"] == "no-store"
    assert "etag" not in found.headers


async def test_without_its_store_it_lives_and_is_degraded(make_client: MakeClient, log: Log) -> None:
    # Nothing listens on this port: it is reserved, and cannot be bound without being asked for.
    store = SqlStore.open("postgresql://nobody@127.0.0.1:1/none", lock_timeout_seconds=1)
    engines = Engines({})
    call = Call(store=store, engines=engines, clock=lambda: 0)
    client = make_client(RestApp(build_routes(), call, telemetry.open_log("info", log)))
    assert (await client.get("/health/live")).status_code == 200
    for path in ("/health/ready", "/readyz"):
        found = await client.get(path)
        assert found.status_code == 200
        assert found.json() == {"status": "degraded", "dependencies": {"database": "unavailable"}}
    found = await client.get("/subjects")
    assert (found.status_code, found.json()["error_code"]) == (503, 50301)
    assert found.headers["retry-after"] == "2"
    engines.close()
    await store.close()


async def test_metrics_are_labelled_by_route_template(client: httpx.AsyncClient) -> None:
    for path in ("/subjects/one-name/versions", "/subjects/other-name/versions", "/no/such/place"):
        await client.get(path)
    await client.request("BREW", "/subjects")
    found = await client.get("/metrics")
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = found.text
    assert 'schema_registry_requests_total{endpoint="/subjects/{subject}/versions",method="GET",status="404"}' in text
    assert 'schema_registry_requests_total{endpoint="unknown",method="GET",status="404"}' in text
    assert 'schema_registry_requests_total{endpoint="unknown",method="other",status="405"}' in text
    assert (
        'schema_registry_request_duration_seconds_count{endpoint="/subjects/{subject}/versions",method="GET"}' in text
    )
    assert f'version="{__version__}"' in text
    assert "process_resident_memory_bytes" in text
    for raw in ("one-name", "other-name", "/no/such", "BREW", "_created"):
        assert raw not in text


async def test_hooks_count_registrations_and_checks(client: httpx.AsyncClient) -> None:
    telemetry.registration("probe")
    telemetry.compatibility_check("probe")
    text = (await client.get("/metrics")).text
    assert 'schema_registry_schema_registrations_total{status="probe"} 1.0' in text
    assert 'schema_registry_compatibility_checks_total{result="probe"} 1.0' in text


async def test_a_request_is_one_line_without_the_schema(client: httpx.AsyncClient, log: Log) -> None:
    await client.post("/subjects/s/versions", json={"schema": '"string"'}, headers={"x-request-id": "r"})
    (line,) = [line for line in log.lines if line["event"] == "request"]
    assert (line["method"], line["route"], line["request_id"]) == ("POST", "/subjects/{subject}/versions", "r")
    assert (line["subject"], line["level"]) == ("s", "info")
    assert line["duration_ms"] >= 0
    assert "string" not in log.getvalue()
