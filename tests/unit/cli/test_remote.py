"""What goes over the wire, and what is made of answers that are no registry's. The peer is a real HTTP server."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from llm_schema_registry.cli.failure import Failure, Refused
from llm_schema_registry.cli.remote import Remote, path


class Peer(BaseHTTPRequestHandler):
    """Answers what the last segment of the path asks for, or repeats what it was sent."""

    answers: ClassVar = {
        "html": (200, "text/html", b"<html>"),
        "gateway": (502, "text/html", b"<html>bad gateway</html>"),
        "odd": (500, "application/json", b'{"error_code": "x", "message": 1}'),
        "list": (400, "application/json", b'["no object"]'),
        "refused": (404, "application/json", b'{"error_code": 40401, "message": "Subject \'x\' not found."}'),
        "moved": (302, "text/plain", b""),
    }

    def do_GET(self) -> None:  # the name that http.server calls
        echo = json.dumps({"target": self.path, "authorization": self.headers.get("authorization")}).encode()
        status, media_type, body = self.answers.get(self.path.rpartition("/")[2], (200, "application/json", echo))
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the signature of http.server
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Peer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("segment", "quoted"),
    [
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        (":.ctx:a b", "%3A.ctx%3Aa%20b"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("é?#", "%C3%A9%3F%23"),
        ("", ""),
    ],
)
def test_a_segment_reaches_the_server_as_one(port: int, segment: str, quoted: str) -> None:
    answer = Remote(f"http://127.0.0.1:{port}/").get(path("subjects", segment, "versions", 1))
    assert answer["target"] == f"/subjects/{quoted}/versions/1"


def test_the_path_of_the_base_url_is_kept(port: int) -> None:
    answer = Remote(f"http://127.0.0.1:{port}/registry/").get(path("mode"))
    assert answer["target"] == "/registry/mode"


def test_what_was_not_said_is_no_parameter(port: int) -> None:
    query = {"tag": ["a", "b&c"], "deleted": True, "latest": False, "prefix": None, "limit": 3}
    answer = Remote(f"http://127.0.0.1:{port}").get(path("v1"), query)
    assert answer["target"] == "/v1?tag=a&tag=b%26c&deleted=true&limit=3"


@pytest.mark.parametrize(
    ("place", "credentials"),
    [("127.0.0.1", ("ann", "se:cret")), ("ann:se%3Acret@127.0.0.1", None), ("bob:x@127.0.0.1", ("ann", "se:cret"))],
)
def test_credentials_are_sent(port: int, place: str, credentials: tuple[str, str] | None) -> None:
    answer = Remote(f"http://{place}:{port}", credentials).get(path("mode"))
    assert answer["authorization"] == f"Basic {base64.b64encode(b'ann:se:cret').decode()}"


def test_an_error_of_the_registry_keeps_its_code_and_gets_a_hint(port: int) -> None:
    with pytest.raises(Refused) as caught:
        Remote(f"http://127.0.0.1:{port}").get("/refused")
    assert (caught.value.title, str(caught.value)) == ("error 40401", "Subject 'x' not found.")
    assert "schema list" in caught.value.hint


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        ("gateway", 502, "Bad Gateway"),
        ("odd", 500, "Internal Server Error"),
        ("list", 400, "Bad Request"),
        ("moved", 302, "Found"),
    ],
)
def test_an_error_of_someone_else_keeps_its_status(port: int, answer: str, code: int, message: str) -> None:
    with pytest.raises(Refused) as caught:
        Remote(f"http://127.0.0.1:{port}").get(f"/{answer}")
    assert (caught.value.code, str(caught.value)) == (code, message)


def test_an_answer_that_is_not_json_is_said_so(port: int) -> None:
    with pytest.raises(Failure, match="not JSON"):
        Remote(f"http://127.0.0.1:{port}").get("/html")


@pytest.mark.parametrize(
    "url",
    ["localhost:8081", "ftp://x", "http://", "http://a:secret@x:port", "http://[x", "http://x:0", "http://x\x07", ""],
)
def test_what_is_no_url_is_refused_with_the_form(url: str) -> None:
    with pytest.raises(Failure) as caught:
        Remote(url).get("/mode")
    assert "secret" not in str(caught.value)
    assert "http://HOST:PORT" in caught.value.hint


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with pytest.raises(Failure, match=r"cannot connect to http://ann:\*\*\*@127\.0\.0\.1:1") as caught:
        Remote("http://ann:secret@127.0.0.1:1").get("/mode")
    assert "secret" not in str(caught.value)
    assert "llm-schema-registry serve" in caught.value.hint
