"""Raw paths find their rows: percent-encoding, empty segments, slashes, context prefixes, methods."""

from __future__ import annotations

import httpx
import pytest

from api.conftest import Serve
from llm_schema_registry.errors import BadRequest, MethodNotAllowed, RouteNotFound
from llm_schema_registry.rest.request import Request, Response, json_answer
from llm_schema_registry.rest.routing import Match, Route, Router


async def echo(request: Request) -> Response:
    return json_answer({"subject": str(request.subject()), "context": request.context})


PATHS = (
    ("GET", "/"),
    ("GET", "/subjects"),
    ("DELETE", "/subjects/{subject}"),
    ("POST", "/subjects/{subject}"),
    ("GET", "/subjects/{subject}/versions"),
    ("POST", "/subjects/{subject}/versions"),
    ("GET", "/subjects/{subject}/versions/{version}"),
    ("GET", "/config"),
    ("GET", "/config/{subject}"),
    ("GET", "/schemas/types"),
    ("GET", "/schemas/{other}"),
    ("GET", "/contexts"),
    ("DELETE", "/contexts/{context}"),
    ("POST", "/associations:batchGet"),
    ("GET", "/associations/resources/{resource}"),
    ("GET", "/associations/resources/{namespace}/{name}"),
)
ROUTER = Router(Route(method, path, echo, "Echo.", "test") for method, path in PATHS)


def match(method: str, path: str) -> Match:
    return ROUTER.match(method, path.encode("latin-1"))


@pytest.mark.parametrize(
    ("method", "path", "template", "values", "context"),
    [
        ("GET", "/", "/", {}, "."),
        ("GET", "/subjects", "/subjects", {}, "."),
        ("GET", "/subjects/", "/subjects", {}, "."),
        ("GET", "/subjects/a/versions", "/subjects/{subject}/versions", {"subject": "a"}, "."),
        ("GET", "/subjects/a/versions/", "/subjects/{subject}/versions", {"subject": "a"}, "."),
        ("HEAD", "/subjects/a/versions", "/subjects/{subject}/versions", {"subject": "a"}, "."),
        ("GET", "/subjects/a%2Fb/versions", "/subjects/{subject}/versions", {"subject": "a/b"}, "."),
        (
            "GET",
            "/subjects/a%2fb%2Fversions/versions",
            "/subjects/{subject}/versions",
            {"subject": "a/b/versions"},
            ".",
        ),
        ("GET", "/subjects/a%252Fb/versions", "/subjects/{subject}/versions", {"subject": "a%2Fb"}, "."),
        ("GET", "/subjects/a+b%20c/versions", "/subjects/{subject}/versions", {"subject": "a+b c"}, "."),
        ("GET", "/subjects/e%CC%81/versions", "/subjects/{subject}/versions", {"subject": "e\u0301"}, "."),
        ("GET", "/subjects/%C3%A9/versions", "/subjects/{subject}/versions", {"subject": "é"}, "."),
        ("GET", "/subjects/\xc3\xa9/versions", "/subjects/{subject}/versions", {"subject": "é"}, "."),
        ("GET", "/subjects//versions", "/subjects/{subject}/versions", {"subject": ""}, "."),
        ("GET", "/subjects/../versions", "/subjects/{subject}/versions", {"subject": ".."}, "."),
        ("GET", "/subjects/versions/versions", "/subjects/{subject}/versions", {"subject": "versions"}, "."),
        ("GET", "/%73ubjects", "/subjects", {}, "."),
        ("POST", "/subjects/", "/subjects/{subject}", {"subject": ""}, "."),
        ("GET", "/config/", "/config", {}, "."),
        ("GET", "/schemas/types", "/schemas/types", {}, "."),
        ("GET", "/schemas/other", "/schemas/{other}", {"other": "other"}, "."),
        ("POST", "/associations:batchGet", "/associations:batchGet", {}, "."),
        ("POST", "/associations%3AbatchGet", "/associations:batchGet", {}, "."),
        ("GET", "/associations/resources/r", "/associations/resources/{resource}", {"resource": "r"}, "."),
        (
            "GET",
            "/associations/resources/-/t",
            "/associations/resources/{namespace}/{name}",
            {"namespace": "-", "name": "t"},
            ".",
        ),
        ("GET", "/contexts", "/contexts", {}, "."),
        ("DELETE", "/contexts/.a", "/contexts/{context}", {"context": ".a"}, "."),
        ("DELETE", "/contexts/.a/", "/contexts/{context}", {"context": ".a"}, "."),
        ("GET", "/contexts/.a/subjects", "/subjects", {}, ".a"),
        ("GET", "/contexts/a/subjects/", "/subjects", {}, ".a"),
        ("GET", "/contexts/:.a:/subjects", "/subjects", {}, ".a"),
        ("GET", "/contexts/%3A.a%3A/subjects", "/subjects", {}, ".a"),
        ("GET", "/contexts/.a.b/subjects/x%2Fy/versions", "/subjects/{subject}/versions", {"subject": "x/y"}, ".a.b"),
        ("GET", "/contexts/./config", "/config", {}, "."),
        ("GET", "/contexts//config", "/config", {}, "."),
        ("GET", "/contexts/a/contexts", "/contexts", {}, ".a"),
    ],
)
def test_a_path_finds_its_row(method: str, path: str, template: str, values: dict[str, str], context: str) -> None:
    found = match(method, path)
    assert (found.route.path, found.values, found.context) == (template, values, context)


@pytest.mark.parametrize(
    "path", ["", "*", "/nowhere", "/subjects/a/b/c", "//subjects", "/contexts/a/contexts/b/subjects"]
)
def test_an_unknown_path_is_not_found(path: str) -> None:
    with pytest.raises(RouteNotFound):
        match("PATCH", path)


def test_a_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        match("PUT", "/subjects/a/versions")
    assert caught.value.allowed == ("GET", "HEAD", "POST")
    with pytest.raises(MethodNotAllowed) as caught:
        match("PUT", "/subjects/")
    assert caught.value.allowed == ("DELETE", "GET", "HEAD", "POST")


@pytest.mark.parametrize(
    "path",
    [
        "/subjects/%zz/versions",
        "/subjects/100%/versions",
        "/subjects/%f/versions",
        "/subjects/%ff/versions",
        "/subjects/\xff/versions",
        "/subjects/%ed%a0%80/versions",
        "/subjects/%c0%af/versions",
        "/subjects/a%00b/versions",
        "/contexts/:.a:b/subjects",
    ],
)
def test_an_undecodable_path_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        match("GET", path)


def test_two_rows_for_one_place_are_a_mistake() -> None:
    row = Route("GET", "/subjects", echo, "Echo.", "test")
    with pytest.raises(ValueError, match="two routes"):
        Router([row, row])


@pytest.mark.parametrize(
    "subject", ["a/b", "a%2Fb", "a b", "é", "e\u0301", ".. ", ":.ctx:name", "x" * 300, "+", "?#&="]
)
async def test_a_subject_comes_through_as_it_was_sent(serve: Serve, subject: str) -> None:
    client = serve(Route("GET", "/subjects/{subject}/versions", echo, "Echo.", "test"))
    answer = await client.get(httpx.URL("http://registry", raw_path=f"/subjects/{_quoted(subject)}/versions".encode()))
    assert answer.json() == {"subject": subject, "context": "."}


async def test_a_prefix_qualifies_a_subject(serve: Serve) -> None:
    client = serve(Route("GET", "/subjects/{subject}/versions", echo, "Echo.", "test"))
    for path, subject in (
        ("/contexts/a/subjects/s/versions", ":.a:s"),
        ("/contexts/a/subjects/:.b:s/versions", ":.b:s"),
        ("/contexts/%2E/subjects/s/versions", "s"),
    ):
        answer = await client.get(httpx.URL("http://registry", raw_path=path.encode()))
        assert answer.json()["subject"] == subject


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())
