"""Names, paths and filters that other systems read as code, files or wildcards: here they are text."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from llm_schema_registry.rest.table import build_routes
from server_process import ServerProcess, running_server

DEADLINE_SECONDS = 35.0
SCHEMA = {"schema": '"string"'}
PRESENT = "ordinary_name"
TELLTALES = ("syntax error", "sqlalchemy", "asyncpg", "sqlite3", "traceback", "root:")

# What reads differently in SQL, LIKE, regular expressions, shells, paths, logs, HTML, CSV and format strings.
TEXTS = (
    "'",
    "' OR '1'='1",
    "'; DROP TABLE versions; --",
    '" OR ""="',
    "1) OR 1=1 --",
    "') UNION SELECT sqlite_version() --",
    "' AND 1=CAST((SELECT version()) AS int) --",
    "'; SELECT pg_sleep(20); --",
    "\\'; --",
    "$$; --",
    ":name",
    "%(name)s",
    "$1",
    "?",
    "%",
    "_",
    "%%%",
    "ordinary%name",
    "ordinary_nam_",
    "\\",
    "\\%",
    "\\_",
    "[a-z]",
    "(a+)+$",
    "^(a|a)*b",
    "*" * 1_000,
    "a*" * 500,
    "**********!",
    "?*?*",
    "../../etc/passwd",
    "..",
    ".",
    "/",
    "//",
    "a/b",
    "a//b/",
    "a%2Fb",
    "%00",
    "%u0041",
    "..\\..\\windows",
    "file:///etc/passwd",
    "line\r\nSet-Cookie: a=b",
    '\n{"level": "error"}',
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "{{7*7}}",
    "{0.__class__}",
    "${jndi:ldap://127.0.0.1/a}",
    "`id`",
    "$(id)",
    ":.ctx:name",
    ":.:",
    ":*:",
    ":::",
    "__GLOBAL",
    "__EMPTY",
    ":.__GLOBAL:",
    "é",
    "e\u0301",
    "ǅ",
    "İ",
    "\u202egnirts",
    "\ufeff",
    "\u200b",
    "\ud7ff\ue000\uffff",
    "😀" * 100,
    "\u2028",
    "\x85",
    "\x7f",
    " ",
    "",
    " name ",
    "a" * 1_024,
    "a" * 20_000,
    "-1",
    "0",
    "latest",
    "NaN",
    "9" * 30,
    "null",
    "true",
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hostile_server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server over each kind of database, with one subject of an ordinary name."""
    url = "sqlite://"
    if request.param == "postgresql":
        private = request.getfixturevalue("private_postgres")
        url = private.url(private.create_database(request.getfixturevalue("migrated_template")))
    with running_server("--database-url", url) as server:
        httpx.post(f"{server.url}/subjects/{PRESENT}/versions", json=SCHEMA).raise_for_status()
        yield server


@dataclass(frozen=True)
class Answer:
    """What a request was answered."""

    status: int
    text: str

    def json(self) -> Any:  # noqa: ANN401 - whatever JSON it is
        return json.loads(self.text)


class Client:
    """Sends addresses as they stand, where other clients tidy them up, and requires sound answers."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)

    def send(self, method: str, path: str, body: object = None) -> Answer:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"content-type": "application/json"})
        response = self._connection.getresponse()
        answer = Answer(response.status, response.read().decode())
        assert answer.status < 500, (method, path[:300], answer.text[:300])
        assert response.getheader("set-cookie") is None
        # Below the routes an address can be longer than HTTP takes; that is refused without a body.
        if answer.status >= 400 and answer.status not in {414, 431}:
            assert set(answer.json()) == {"error_code", "message"}
            assert not any(word in answer.text.lower() for word in TELLTALES), answer.text[:300]
        return answer

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever JSON it is
        """Return what a GET answers, None when it is refused."""
        answer = self.send("GET", path)
        return answer.json() if answer.status == 200 else None

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def client(hostile_server: ServerProcess) -> Iterator[Client]:
    opened = Client(hostile_server.port)
    yield opened
    opened.close()


def fill(path: str, text: str) -> str:
    """Put a text into every parameter of a path."""
    for name in ("subject", "version", "id", "guid", "context", "namespace", "name", "resource"):
        path = path.replace(f"{{{name}}}", quote(text, safe=""))
    return path


ROUTES = [route for route in build_routes() if route.tag != "documentation"]
READS = [route for route in ROUTES if route.method == "GET"]


def test_every_parameter_of_every_read(client: Client) -> None:
    asked = 0
    for route, text in itertools.product(READS, TEXTS):
        if route.parameters:
            client.send("GET", fill(route.path, text))
            asked += 1
        texts = [query for query in route.query if query.type == "string"]
        if texts:
            query = urlencode({query.name: text for query in texts})
            client.send("GET", f"{fill(route.path, PRESENT)}?{query}")
            asked += 1
    print(f"{asked} reads")
    assert client.get("/subjects") == [PRESENT]


def test_a_filter_finds_only_what_it_names(client: Client) -> None:
    filters = ("prefix", "pattern", "tag", "property", "rule_type", "context")
    for text in TEXTS:
        # These name every subject, or the default context with all that is in it; an asterisk is a pattern's wildcard.
        if not set(text) <= set("*:."):
            assert not client.get(f"/subjects?{urlencode({'subjectPrefix': text})}"), text
            for name in filters:
                found = client.get(f"/v1/schemas?{urlencode({name: text})}")
                assert found is None or found["items"] == [], (name, text)


def test_every_text_is_a_subject_or_is_refused(client: Client) -> None:
    names = []
    # `:.:` is another spelling of the empty subject.
    for text in sorted({*TEXTS} - {":.:"}):
        subject = quote(text, safe="")
        registered = client.send("POST", f"/subjects/{subject}/versions", SCHEMA)
        if registered.status == 200:
            names.append(text)
            assert client.get(f"/subjects/{subject}/versions/latest")["subject"].endswith(text)
            assert client.send("PUT", f"/config/{subject}", {"compatibility": "FULL"}).status == 200
            assert client.get(f"/v1/schemas?{urlencode({'prefix': text})}") is not None
        else:
            assert registered.json()["error_code"] in {400, 42208}, (text, registered.text)
    print(f"{len(names)} of {len(TEXTS)} texts are subjects")
    assert len(client.get("/subjects")) == len(set(names)) + 1
    for text in names:
        subject = quote(text, safe="")
        assert client.send("DELETE", f"/subjects/{subject}").json() == [1], text
        assert client.send("DELETE", f"/subjects/{subject}?permanent=true").json() == [1]
    assert client.get("/subjects?deleted=true") == [PRESENT]


def test_the_log_keeps_one_line_a_request(hostile_server: ServerProcess) -> None:
    """`log` parses each line as JSON, and `running_server` finds no error among them."""
    assert all(set(line) >= {"event", "level", "timestamp"} for line in hostile_server.log)


RAW_PATHS = (
    "/../../etc/passwd",
    "/subjects/../config",
    "/subjects/%2e%2e/versions",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/subjects/%c0%ae%c0%ae/versions",
    "/subjects/%ff/versions",
    "/subjects/%00/versions",
    "/subjects/a%00b/versions",
    "/subjects/%ed%a0%80/versions",
    "/subjects/%/versions",
    "/subjects/%zz/versions",
    "/subjects/a%252Fb/versions",
    "//subjects",
    "/subjects//versions",
    "/subjects/;/versions",
    "/SUBJECTS",
    "/subjects/a/versions/1;drop",
    "/docs/../../settings.py",
    "/docs/%2e%2e/app.py",
    "/contexts/%2e%2e/subjects",
    "/schemas/ids/1%20OR%201=1",
    "/schemas/ids/0x1",
    "/schemas/ids/1e3",
    "/schemas/ids/%D9%A1",
    "/?" + "a=1&" * 5_000,
    "/subjects?deleted=%ff",
    "/subjects?limit=1%00",
    "/subjects?offset=-99999999999999999999",
    "/v1/schemas?cursor=" + "A" * 20_000,
    "/v1/schemas?cursor=W10",
    "/v1/schemas?cursor=WyIuIiwgImEiLCAxZTk5OTld",
    "/v1/schemas?id=99999999999999",
)


@pytest.mark.parametrize("path", RAW_PATHS, ids=lambda path: path[:60])
def test_a_path_as_it_stands(client: Client, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        if method != "DELETE" or "subjects?" not in path:
            client.send(method, path, SCHEMA if method in {"POST", "PUT"} else None)
