"""Finished answers that are kept: which, for whom, how large, until when. A counting handler tells who answers."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import httpx
import pytest

from api.conftest import Log, Serve
from llm_schema_registry import telemetry
from llm_schema_registry.errors import SchemaNotFound, StoreFailed
from llm_schema_registry.rest.app import Options
from llm_schema_registry.rest.request import IMMUTABLE, Query, Request, Response, empty_answer, json_answer
from llm_schema_registry.rest.routing import Route

BY_ID = "/schemas/ids/{id}"


class Schemas:
    """Rows of a registry that knows what it was asked. Every read of the same thing has another answer."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.cache_control: str | None = IMMUTABLE
        self.refusal: Exception | None = None
        self.padding = ""
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.gate.set()
        query = (Query("format", "string", "", "A style."),)
        self.routes = (
            Route("GET", BY_ID, self.read, "Read.", "test", query=query),
            Route("GET", "/reports/{id}", self.read, "Read.", "test"),
            Route("PUT", "/config", self.change, "Change.", "test"),
            Route("DELETE", "/subjects/{subject}", self.change, "Change.", "test"),
            Route("POST", "/subjects/{subject}", self.change, "Add.", "test"),
        )

    async def read(self, request: Request) -> Response:
        self.asked["read"] += 1
        number = self.asked["read"]
        self.begun.set()
        await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        return json_answer([request.path("id"), number, self.padding], cache_control=self.cache_control)

    async def change(self, _request: Request) -> Response:
        if self.refusal is not None:
            raise self.refusal
        return empty_answer()


@pytest.fixture
def schemas() -> Schemas:
    return Schemas()


@pytest.fixture
def client(serve: Serve, schemas: Schemas) -> httpx.AsyncClient:
    return serve(*schemas.routes)


async def test_the_second_of_equal_reads_is_answered_without_the_handler(
    client: httpx.AsyncClient, schemas: Schemas
) -> None:
    first = await client.get("/schemas/ids/1")
    second = await client.get("/schemas/ids/1")
    assert schemas.asked["read"] == 1
    assert (first.status_code, first.content) == (second.status_code, second.content) == (200, b'["1",1,""]')
    made = [answer.headers.pop("x-request-id") for answer in (first, second)]
    assert sorted(first.headers.multi_items()) == sorted(second.headers.multi_items())
    assert len({uuid.UUID(text) for text in made}) == 2
    assert [uuid.UUID(text).version for text in made] == [4, 4]
    assert [uuid.UUID(text).variant for text in made] == [uuid.RFC_4122] * 2


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/schemas/ids/2", {}),
        ("/contexts/.c/schemas/ids/1", {}),
        ("/schemas/ids/1?format=x", {}),
        ("/schemas/ids/1/", {}),
        ("/schemas/ids/1", {"accept": "application/json"}),
    ],
    ids=str,
)
async def test_another_read_is_another_answer(
    client: httpx.AsyncClient, schemas: Schemas, path: str, headers: dict[str, str]
) -> None:
    await client.get("/schemas/ids/1")
    for _ in range(2):
        assert (await client.get(path, headers=headers)).json()[1] == 2
    assert schemas.asked["read"] == 2


@pytest.mark.parametrize(("first", "second"), [("GET", "HEAD"), ("HEAD", "GET"), ("HEAD", "HEAD")])
async def test_head_and_get_have_one_answer(
    client: httpx.AsyncClient, schemas: Schemas, first: str, second: str
) -> None:
    for method in (first, second):
        found = await client.request(method, "/schemas/ids/1")
        assert found.headers["content-length"] == "10"
        assert found.content == (b'["1",1,""]' if method == "GET" else b"")
    assert schemas.asked["read"] == 1


async def test_who_has_it_already_is_told_so(client: httpx.AsyncClient, schemas: Schemas) -> None:
    etag = (await client.get("/schemas/ids/1")).headers["etag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        for method in ("GET", "HEAD"):
            found = await client.request(method, "/schemas/ids/1", headers={"if-none-match": known})
            assert (found.status_code, found.content, found.headers["etag"]) == (304, b"", etag)
            assert found.headers["cache-control"] == IMMUTABLE
            assert "content-type" not in found.headers
            assert "content-length" not in found.headers
    assert (await client.get("/schemas/ids/1", headers={"if-none-match": '"x"'})).status_code == 200
    assert schemas.asked["read"] == 1


async def test_an_answer_that_became_304_is_kept_whole(client: httpx.AsyncClient, schemas: Schemas) -> None:
    assert (await client.get("/schemas/ids/1", headers={"if-none-match": "*"})).status_code == 304
    assert (await client.get("/schemas/ids/1")).json() == ["1", 1, ""]
    assert schemas.asked["read"] == 1


async def test_kept_answers_are_logged_and_counted_like_others(
    client: httpx.AsyncClient, schemas: Schemas, log: Log
) -> None:
    await client.get("/schemas/ids/1")
    await client.get("/schemas/ids/1", headers={"x-request-id": "mine", "if-none-match": "*"})
    found = await client.get("/schemas/ids/1", headers={"x-request-id": "mine"})
    assert found.headers["x-request-id"] == "mine"
    assert schemas.asked["read"] == 1
    lines = [(line["event"], line["method"], line["route"], line["status"]) for line in log.lines]
    assert lines == [("request", "GET", BY_ID, status) for status in (200, 304, 200)]
    assert [line["request_id"] for line in log.lines[1:]] == ["mine", "mine"]
    assert all(0 <= line["duration_ms"] < 10_000 for line in log.lines)


async def test_the_metrics_count_kept_answers(client: httpx.AsyncClient) -> None:
    line = f'schema_registry_requests_total{{endpoint="{BY_ID}",method="HEAD",status="200"}} '

    def counted() -> float:
        found = [text for text in telemetry.exposition().decode().splitlines() if text.startswith(line)]
        return float(found[0].removeprefix(line)) if found else 0.0

    before = counted()
    for _ in range(5):
        await client.head("/schemas/ids/1")
    assert counted() - before == 5


async def test_what_was_sent_twice_is_read_with_care(client: httpx.AsyncClient, schemas: Schemas) -> None:
    await client.get("/schemas/ids/1")
    twice = [("accept", "application/json"), ("accept", "text/html")]
    for number in (2, 3):
        assert (await client.get("/schemas/ids/1", headers=httpx.Headers(twice))).json()[1] == number
    etag = (await client.get("/schemas/ids/1")).headers["etag"]
    known = [("if-none-match", '"x"'), ("if-none-match", etag)]
    schemas.asked.clear()
    assert (await client.get("/schemas/ids/1", headers=httpx.Headers(known))).status_code == 304


async def test_a_body_that_nobody_reads_is_taken_off_the_connection(serve: Serve, schemas: Schemas) -> None:
    client = serve(*schemas.routes)
    await client.get("/schemas/ids/1")
    given: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        for part in ("one", "two"):
            given.append(part)
            yield part.encode()

    found = await client.request("GET", "/schemas/ids/1", content=body())
    assert (found.json()[1], given) == (1, ["one", "two"])
    found = await client.request("GET", "/schemas/ids/1", content=b"three")
    assert found.json()[1] == 1


@pytest.mark.parametrize("cache_control", [None, "no-store", "max-age=60"])
async def test_only_what_can_never_change_is_kept(
    client: httpx.AsyncClient, schemas: Schemas, cache_control: str | None
) -> None:
    schemas.cache_control = cache_control
    assert [(await client.get("/schemas/ids/1")).json()[1] for _ in range(2)] == [1, 2]


async def test_only_reads_of_schemas_are_kept(client: httpx.AsyncClient) -> None:
    assert [(await client.get("/reports/1")).json()[1] for _ in range(2)] == [1, 2]


async def test_a_refusal_is_not_kept(client: httpx.AsyncClient, schemas: Schemas) -> None:
    schemas.refusal = SchemaNotFound(1)
    assert (await client.get("/schemas/ids/1")).status_code == 404
    schemas.refusal = None
    assert (await client.get("/schemas/ids/1")).status_code == 200


@pytest.mark.parametrize("limit", [0, 40_000])
async def test_no_answer_takes_more_than_a_quarter(serve: Serve, schemas: Schemas, limit: int) -> None:
    client = serve(*schemas.routes, options=Options(answer_cache_bytes=limit))
    schemas.padding = "x" * 10_000
    assert [(await client.get("/schemas/ids/1")).json()[1] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("padded", ["answer", "query", "accept"])
async def test_the_bytes_are_bounded_and_the_least_asked_for_goes_first(
    serve: Serve, schemas: Schemas, padded: str
) -> None:
    client = serve(*schemas.routes, options=Options(answer_cache_bytes=40_000))
    padding = "x" * 7_000
    schemas.padding = padding if padded == "answer" else ""
    query = f"?format={padding}" if padded == "query" else ""
    headers = {"accept": f"*/*, {padding}"} if padded == "accept" else {}

    async def read(number: int) -> int:
        found = await client.get(f"/schemas/ids/{number}{query}", headers=headers)
        counted: int = found.json()[1]
        return counted

    assert [await read(number) for number in (1, 2, 3, 4, 1)] == [1, 2, 3, 4, 1]
    assert await read(5) == 5
    assert [await read(number) for number in (1, 3, 4, 5)] == [1, 3, 4, 5]
    assert await read(2) == 6


@pytest.mark.parametrize(("method", "path"), [("PUT", "/config"), ("DELETE", "/subjects/s")])
async def test_a_change_drops_what_is_kept(client: httpx.AsyncClient, schemas: Schemas, method: str, path: str) -> None:
    await client.get("/schemas/ids/1")
    schemas.refusal = SchemaNotFound(1)
    assert (await client.request(method, path)).status_code == 404
    assert (await client.get("/schemas/ids/1")).json()[1] == 1
    # A fault may come after the change.
    schemas.refusal = StoreFailed("lost")
    assert (await client.request(method, path)).status_code == 500
    schemas.refusal = None
    assert (await client.get("/schemas/ids/1")).json()[1] == 2
    assert (await client.request(method, path)).status_code == 204
    assert (await client.get("/schemas/ids/1")).json()[1] == 3


async def test_a_registration_drops_nothing(client: httpx.AsyncClient) -> None:
    await client.get("/schemas/ids/1")
    assert (await client.post("/subjects/s")).status_code == 204
    assert (await client.get("/schemas/ids/1")).json()[1] == 1


async def test_an_answer_begun_before_a_change_is_not_kept_after_it(
    client: httpx.AsyncClient, schemas: Schemas
) -> None:
    schemas.gate.clear()
    reading = asyncio.create_task(client.get("/schemas/ids/1"))
    await schemas.begun.wait()
    await client.delete("/subjects/s")
    schemas.gate.set()
    assert (await reading).json()[1] == 1
    assert (await client.get("/schemas/ids/1")).json()[1] == 2


@pytest.mark.parametrize(("http_version", "is_awaited"), [("1.1", False), ("2", True)])
async def test_only_http_1_says_by_its_headers_that_no_body_follows(
    serve: Serve, schemas: Schemas, http_version: str, is_awaited: bool
) -> None:
    client = serve(*schemas.routes)
    await client.get("/schemas/ids/1", headers={"accept": "*/*"})
    events: list[str] = []

    async def receive() -> dict[str, object]:
        events.append("asked")
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        events.append(message["type"])

    scope = {
        "type": "http",
        "method": "GET",
        "raw_path": b"/schemas/ids/1",
        "query_string": b"",
        "headers": [(b"accept", b"*/*")],
        "http_version": http_version,
    }
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    await transport.app(scope, receive, send)
    assert events == ["asked"] * is_awaited + ["http.response.start", "http.response.body"]
    assert schemas.asked["read"] == 1
