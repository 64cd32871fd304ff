"""What goes out: two-key refusals, negotiation, and the headers of every answer."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from api.conftest import Log, Serve
from llm_schema_registry.errors import IncompatibleSchema, StoreFailed, SubjectNotFound
from llm_schema_registry.model import Report
from llm_schema_registry.rest.app import Options
from llm_schema_registry.rest.request import (
    CONFLUENT_MEDIA_TYPES,
    IMMUTABLE,
    Request,
    Response,
    empty_answer,
    json_answer,
    negotiate,
    text_answer,
)
from llm_schema_registry.rest.routing import Route

V1, VENDOR, PLAIN = CONFLUENT_MEDIA_TYPES


class Panic(BaseException):
    """What an engine written in Rust raises when it breaks."""


async def answer(_request: Request) -> Response:
    return json_answer({"a": "é"})


async def fixed(_request: Request) -> Response:
    return text_answer("text", media_type="text/plain", cache_control=IMMUTABLE)


async def nothing(_request: Request) -> Response:
    return empty_answer()


async def wait(_request: Request) -> Response:
    await asyncio.Event().wait()
    return empty_answer()


def raising(error: BaseException) -> Route:
    async def fail(_request: Request) -> Response:
        raise error

    return Route("GET", "/fail/{subject}", fail, "Fail.", "test")


ANSWER = Route("GET", "/answer", answer, "Answer.", "test")
FIXED = Route("GET", "/fixed", fixed, "Answer.", "test", media_types=("text/plain", "text/html"))
NOTHING = Route("DELETE", "/answer", nothing, "Answer nothing.", "test", status=204)


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (SubjectNotFound("s"), 404, 40401, "Subject 's' not found."),
        (StoreFailed("The store failed: gone"), 500, 50001, "The store failed: gone"),
        (ValueError("secret"), 500, 500, "Internal Server Error"),
        (RecursionError(), 500, 500, "Internal Server Error"),
        (Panic("secret"), 500, 500, "Internal Server Error"),
    ],
)
async def test_a_refusal_has_two_keys(serve: Serve, error: BaseException, status: int, code: int, message: str) -> None:
    found = await serve(raising(error)).get("/fail/s")
    assert (found.status_code, found.json()) == (status, {"error_code": code, "message": message})
    assert found.headers["content-type"] == V1


async def test_an_incompatible_schema_may_wear_its_old_code(serve: Serve) -> None:
    route = raising(IncompatibleSchema("s", Report(is_compatible=False, messages=("m",))))
    for legacy, code in ((False, 40901), (True, 409)):
        found = await serve(route, options=Options(legacy_409_code=legacy)).get("/fail/s")
        assert (found.status_code, found.json()["error_code"]) == (409, code)


async def test_a_failure_is_logged_with_its_request(serve: Serve, log: Log) -> None:
    await serve(raising(ValueError("what broke"))).get("/fail/s", headers={"x-request-id": "mine"})
    failure, line = log.lines
    assert (failure["level"], failure["request_id"]) == ("error", "mine")
    assert "what broke" in failure["exception"]
    assert (line["route"], line["status"], line["subject"]) == ("/fail/{subject}", 500, "s")


async def test_a_log_line_cannot_be_forged(serve: Serve, log: Log) -> None:
    await serve(raising(SubjectNotFound("s"))).get('/fail/a%0A{"event":"forged"}%1B[31m%C2%9B%E2%80%A8' + "x" * 5000)
    text = log.getvalue()
    assert text.isascii()
    assert text.count("\n") == 1
    assert len(text) < 1000


async def test_a_request_takes_no_longer_than_it_may(serve: Serve) -> None:
    client = serve(Route("GET", "/wait", wait, "Wait.", "test"), options=Options(request_timeout_seconds=0.01))
    found = await client.get("/wait")
    assert (found.status_code, found.json()["error_code"]) == (500, 50002)


async def test_the_router_refuses_in_two_keys_too(serve: Serve) -> None:
    client = serve(ANSWER, NOTHING)
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("PUT", "/answer", 405),
        ("OPTIONS", "/answer", 405),
        ("BREW", "/answer", 405),
        ("GET", "/%ff", 400),
    ):
        found = await client.request(method, path)
        assert found.status_code == status
        assert set(found.json()) == {"error_code", "message"}
        assert found.json()["error_code"] == status
    assert (await client.put("/answer")).headers["allow"] == "DELETE, GET, HEAD"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, V1),
        ("", V1),
        ("*/*", V1),
        ("*", V1),
        ("application/*", V1),
        ("application/json", PLAIN),
        ("APPLICATION/JSON", PLAIN),
        ("application/json; charset=utf-8", PLAIN),
        (VENDOR, VENDOR),
        (f"{PLAIN}, {VENDOR}, {V1}", V1),
        (f"{V1};q=0.1, {PLAIN};q=0.9", PLAIN),
        (f"{V1};q=0, */*", VENDOR),
        ("*/*;q=0.1, application/json", PLAIN),
        ("text/html, */*;q=0.8", V1),
        ("application/json;q=1.000", PLAIN),
        ("text/html", None),
        ("text/*", None),
        ("application/json;q=0", None),
        ("application/json;q=2", None),
        ("application/json;q=x", None),
        ("junk", None),
        ("application/vnd.schemaregistry.v2+json", None),
    ],
)
def test_negotiation(accept: str | None, media_type: str | None) -> None:
    assert negotiate(accept, CONFLUENT_MEDIA_TYPES) == media_type


async def test_an_answer_wears_the_negotiated_type(serve: Serve) -> None:
    client = serve(ANSWER, FIXED)
    found = await client.get("/answer", headers={"accept": PLAIN})
    assert (found.headers["content-type"], found.headers["vary"]) == (PLAIN, "Accept")
    found = await client.get("/answer", headers={"accept": "text/html"})
    assert (found.status_code, found.json()) == (406, {"error_code": 406, "message": "HTTP 406 Not Acceptable"})
    assert (await client.get("/fixed", headers={"accept": PLAIN})).status_code == 406
    assert (await client.get("/fixed")).headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        (["mine"], True),
        (["two words"], True),
        (["x" * 128], True),
        (["x" * 129], False),
        ([""], False),
        ([" "], False),
        (["a\tb"], False),
        (["\xe9"], False),
        (["a", "b"], False),
        ([], False),
    ],
)
async def test_a_request_id_is_echoed_or_made(serve: Serve, sent: list[str], echoed: bool) -> None:
    headers = httpx.Headers([(b"x-request-id", value.encode("latin-1")) for value in sent])
    found = (await serve(ANSWER).get("/answer", headers=headers)).headers["x-request-id"]
    assert (found == "".join(sent)) is echoed
    assert found


async def test_an_answer_is_cached_only_after_it_was_asked_for_again(serve: Serve) -> None:
    client = serve(ANSWER, FIXED)
    found = await client.get("/answer")
    assert found.headers["cache-control"] == "no-cache"
    assert found.headers["x-content-type-options"] == "nosniff"
    etag = found.headers["etag"]
    assert etag.startswith('"')
    assert (await client.get("/answer", headers={"accept": PLAIN})).headers["etag"] != etag
    assert (await client.get("/fixed")).headers["cache-control"] == IMMUTABLE
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await client.get("/answer", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["etag"], again.headers["vary"]) == (etag, "Accept")
        assert "content-type" not in again.headers
        assert "content-length" not in again.headers
    for unknown in ('"other"', etag.strip('"'), ""):
        assert (await client.get("/answer", headers={"if-none-match": unknown})).status_code == 200


async def test_only_what_was_read_well_has_a_tag(serve: Serve) -> None:
    client = serve(ANSWER, NOTHING, raising(SubjectNotFound("s")))
    assert "etag" not in (await client.get("/fail/s")).headers
    assert (await client.get("/fail/s", headers={"if-none-match": "*"})).status_code == 404
    deleted = await client.delete("/answer", headers={"if-none-match": "*"})
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert not {"etag", "content-type", "content-length"} & set(deleted.headers)


async def test_head_answers_like_get_without_a_body(serve: Serve) -> None:
    client = serve(ANSWER)
    got, head = await client.get("/answer"), await client.head("/answer")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "vary"):
        assert head.headers[name] == got.headers[name]
    assert (await client.head("/nowhere")).content == b""
