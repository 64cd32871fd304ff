"""What comes in: parameters, media types, bodies and their bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import pytest

from api.conftest import Serve
from llm_schema_registry.rest.app import Options
from llm_schema_registry.rest.request import MAX_DEPTH, PAGING, Query, Request, Response, is_too_deep, json_answer
from llm_schema_registry.rest.routing import Route


class Inner(msgspec.Struct):
    version: int


class Outer(msgspec.Struct):
    schema: str = ""
    references: list[Inner] = []


QUERIES = (
    Query("flag", "boolean", False, "A flag."),
    Query("number", "integer", 7, "A number."),
    Query("text", "string", "", "A text."),
    Query("many", "string", None, "Texts.", repeats=True),
    Query("choice", "string", None, "A choice.", choices=("A", "B")),
    *PAGING,
)


async def show(request: Request) -> Response:
    page = request.page(default_limit=10, max_limit=20)
    return json_answer(
        {
            "flag": request.flag("flag"),
            "number": request.integer("number", 7),
            "text": request.text("text", "none"),
            "many": request.texts("many"),
            "choice": request.text("choice"),
            "page": [page.offset, page.limit],
        }
    )


async def take(request: Request) -> Response:
    return json_answer(await request.body(Outer))


async def number(request: Request) -> Response:
    return json_answer(request.path_int("id"))


async def undeclared(request: Request) -> Response:
    return json_answer(request.flag("nobody"))


SHOW = Route("GET", "/show", show, "Show.", "test", query=QUERIES)
TAKE = Route("POST", "/take", take, "Take.", "test", body=Outer)
NUMBER = Route("GET", "/ids/{id}", number, "Show.", "test")


async def shown(serve: Serve, query: str) -> dict[str, Any]:
    answer = await serve(SHOW).get(f"/show?{query}")
    assert answer.status_code == 200, answer.text
    value: dict[str, Any] = answer.json()
    return value


@pytest.mark.parametrize(
    ("query", "flag"),
    [
        ("flag=true", True),
        ("flag=True", True),
        ("flag=TRUE", True),
        ("flag=1", False),
        ("flag=", False),
        ("flag", False),
        ("flag=yes", False),
        ("", False),
        ("flag=false&flag=true", False),
    ],
)
async def test_a_flag_is_true_or_anything_else(serve: Serve, query: str, flag: bool) -> None:
    assert (await shown(serve, query))["flag"] is flag


@pytest.mark.parametrize(("query", "value"), [("number=0", 0), ("number=-2147483648", -(2**31)), ("number=%2B5", 5)])
async def test_an_integer_is_read(serve: Serve, query: str, value: int) -> None:
    assert (await shown(serve, query))["number"] == value


@pytest.mark.parametrize("text", ["x", "", "1.0", "2147483648", "-2147483649", "9" * 5000, "\u0661", "1_0", " 1"])
async def test_what_is_no_integer_or_choice_is_not_found(serve: Serve, text: str) -> None:
    client = serve(SHOW)
    for query in ({"number": text}, {"offset": text}, {"limit": text}, {"choice": text}):
        answer = await client.get("/show", params=query)
        assert (answer.status_code, answer.json()["error_code"]) == (404, 404)


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", [0, 10]),
        ("offset=3&limit=5", [3, 5]),
        ("limit=0", [0, 10]),
        ("limit=-1", [0, 10]),
        ("limit=21", [0, 10]),
        ("limit=20", [0, 20]),
        ("offset=-4", [0, 10]),
    ],
)
async def test_a_page_is_bounded(serve: Serve, query: str, page: list[int]) -> None:
    assert (await shown(serve, query))["page"] == page


async def test_texts_are_decoded_once_and_repeat(serve: Serve) -> None:
    found = await shown(serve, "text=a%2Bb+c%252F&many=1&many=&many=%C3%A9&choice=B")
    assert (found["text"], found["many"], found["choice"]) == ("a+b c%2F", ["1", "", "é"], "B")


@pytest.mark.parametrize("query", ["text=%", "text=%zz", "text=%ff", "text=%00", "&".join(["a=1"] * 1001)])
async def test_an_undecodable_query_is_refused(serve: Serve, query: str) -> None:
    url = httpx.URL("http://registry", raw_path=f"/show?{query}".encode())
    answer = await serve(SHOW).get(url)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)


async def test_a_parameter_that_no_row_declares_cannot_be_read(serve: Serve) -> None:
    assert (await serve(Route("GET", "/u", undeclared, "U.", "test")).get("/u")).status_code == 500


@pytest.mark.parametrize(("text", "status"), [("1", 200), ("2147483647", 200), ("-1", 404), ("x", 404), ("", 404)])
async def test_a_path_integer_is_bounded(serve: Serve, text: str, status: int) -> None:
    assert (await serve(NUMBER).get(f"/ids/{text}")).status_code == status


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (None, 200),
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("application/vnd.schemaregistry.v1+json", 200),
        ("application/vnd.schemaregistry+json", 200),
        ("application/octet-stream", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/xml", 415),
        ("junk", 415),
    ],
)
async def test_the_media_type_of_a_body(serve: Serve, content_type: str | None, status: int) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await serve(TAKE).post("/take", content=b"{}", headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert answer.json() == {"error_code": 415, "message": "HTTP 415 Unsupported Media Type"}


@pytest.mark.parametrize(
    ("encoding", "status"), [("identity", 200), ("gzip", 415), ("br", 415), ("gzip, identity", 415)]
)
async def test_only_plain_bodies_are_taken(serve: Serve, encoding: str, status: int) -> None:
    answer = await serve(TAKE).post("/take", content=b"{}", headers={"content-encoding": encoding})
    assert answer.status_code == status


@pytest.mark.parametrize("body", [b"", b"  \n", b"null", b" null "])
async def test_no_body_is_unprocessable(serve: Serve, body: bytes) -> None:
    answer = await serve(TAKE).post("/take", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (422, 422)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nul",
        b"[1]",
        b'"x"',
        b"{} {}",
        b'{"schema": 1}',
        b'{"schema": "\x00"}',
        b'{"schema": "a\\u0000"}',
        b'{"schema": "\\\\\\u0000"}',
        b'{"schema": "\xff"}',
        b'{"unknown": "\xff"}',
        b'{"schema": "\xed\xa0\x80"}',
        b'{"schema": "\\ud800"}',
        b'{"schema": "\\ud800x"}',
        b'{"schema": "\\udc00"}',
        b"\xef\xbb\xbf{}",
        b"{'schema': 'x'}",
        b'{"unknown": ' + b"[" * 50,
    ],
    ids=repr,
)
async def test_what_is_no_such_json_is_bad(serve: Serve, body: bytes) -> None:
    answer = await serve(TAKE).post("/take", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)
    assert set(answer.json()) == {"error_code", "message"}


async def test_a_refused_shape_names_the_place(serve: Serve) -> None:
    answer = await serve(TAKE).post("/take", json={"references": [{"version": "x"}]})
    assert "$.references[0].version" in answer.json()["message"]


async def test_unknown_members_and_escaped_backslashes_are_taken(serve: Serve) -> None:
    body = {"schema": r"\u0000 is an escape of the schema's own", "nobody": [{}]}
    answer = await serve(TAKE).post("/take", json=body)
    assert answer.json() == {"schema": body["schema"], "references": []}


@pytest.mark.parametrize("nest", [lambda n: b"[" * n + b"]" * n, lambda n: b'{"a":' * n + b"1" + b"}" * n])
async def test_nesting_is_bounded(serve: Serve, nest: Callable[[int], bytes]) -> None:
    client = serve(TAKE)
    for levels, status in ((MAX_DEPTH - 1, 200), (MAX_DEPTH, 422), (10_000, 422), (1_000_000, 422)):
        answer = await client.post("/take", content=b'{"unknown":' + nest(levels) + b"}")
        assert answer.status_code == status, levels


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * 101 + b"]" * 101, True),
        (b"[" * 100 + b"]" * 100, False),
        (b"[" + b"[]," * 10_000 + b"1]", False),
        (json.dumps("[" * 1000).encode(), False),
        (json.dumps({"a": '"' + "{" * 1000 + "\\"}).encode(), False),
        (b'["\\\\",' + b"[" * 100 + b"]" * 101, True),
        (b'"\\"' + b"[" * 1000, False),
        (b"]" * 50 + b"[" * 100, False),
        (b"[" * 101, True),
    ],
)
def test_depth_ignores_strings(body: bytes, deep: bool) -> None:
    assert is_too_deep(body) is deep


async def test_a_body_over_the_limit_is_refused_by_its_announced_length(serve: Serve) -> None:
    client = serve(TAKE, options=Options(max_body_bytes=20))
    assert (await client.post("/take", content=b'{"schema":"12345678"')).status_code == 400
    answer = await client.post("/take", content=b'{"schema":"123456789"')
    assert (answer.status_code, answer.json()["error_code"]) == (413, 413)


async def test_a_body_over_the_limit_is_not_read_to_its_end(serve: Serve) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1000:
            sent += 1
            yield b" " * (1 << 20)

    answer = await serve(TAKE, options=Options(max_body_bytes=25)).post("/take", content=endless())
    assert answer.status_code == 413
    # A little more is taken, so that a client which writes before it reads sees the refusal.
    assert sent == 66


async def test_a_client_that_asks_first_is_refused_before_it_sends(serve: Serve) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        sent += 1
        yield b" " * 100

    headers = {"expect": "100-continue", "content-length": "100"}
    answer = await serve(TAKE, options=Options(max_body_bytes=25)).post("/take", content=endless(), headers=headers)
    assert (answer.status_code, sent) == (413, 0)


async def test_a_body_that_does_not_arrive_is_given_up(serve: Serve) -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await serve(TAKE, options=Options(request_timeout_seconds=0.01)).post("/take", content=silent())
    assert (answer.status_code, answer.json()["error_code"]) == (408, 408)
