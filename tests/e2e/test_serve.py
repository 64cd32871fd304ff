"""The command `serve` as a process of its own: it starts, answers, stops in order, and says why when it cannot."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from llm_schema_registry import __version__
from server_process import COMMAND, DEADLINE_SECONDS, ServerProcess, environment_of


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path) as server:
        yield server


def refused(folder: Path, *flags: str, **environment: str) -> str:
    """Run `serve` where it must not start, and return what it said."""
    found = subprocess.run(
        [*COMMAND, *flags],
        cwd=folder,
        env=environment_of(**environment),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert found.returncode == 1, found.stderr
    assert "Traceback" not in found.stderr
    return found.stderr


def test_a_refusal_that_reads_no_body_leaves_the_connection_usable(running: ServerProcess) -> None:
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"))
    for _ in range(300):
        connection.request("POST", "/nowhere", b"x" * 24, {"content-type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["error_code"]) == (404, 404)
        assert answer.getheader("connection") is None
    connection.close()


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    received = b""
    while mark not in received:
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk
    return received


def test_it_keeps_what_it_was_given_over_a_restart(tmp_path: Path) -> None:
    path = "/subjects/a%2Fb/versions"
    with ServerProcess(tmp_path) as first:
        registered = httpx.post(first.url + path, json={"schema": '"string"'})
        assert registered.status_code == 200
        assert first.stop() == 0
    with ServerProcess(tmp_path) as second:
        assert httpx.get(f"{second.url}{path}/latest").json()["id"] == registered.json()["id"]
        assert second.stop(signal.SIGINT) == 0


def test_it_says_where_it_is(running: ServerProcess) -> None:
    name, address, docs, database = (line.split() for line in running.banner)
    assert name == ["LLM-Schema-Registry", __version__]
    assert address == ["address", running.url]
    assert docs == ["docs", f"{running.url}/docs"]
    assert database == ["database", "sqlite:///data/registry.db"]
    assert httpx.get(f"{running.url}/health/ready").json()["status"] == "ready"
    assert httpx.get(f"{running.url}/docs").status_code == 200
    assert running.stop() == 0
    events = [line["event"] for line in running.log]
    assert (events[0], events[-1]) == ("started", "stopped")
    assert events.count("request") == 2


def test_a_request_that_has_begun_is_finished_after_the_signal(running: ServerProcess) -> None:
    body = json.dumps({"schema": '"string"'}).encode()
    head = (
        f"POST /subjects/s/versions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", running.port), DEADLINE_SECONDS) as connection:
        connection.sendall(head.encode())
        # The server asks for the body only when the handler reads it: the request has begun.
        read_until(connection, b"100 Continue")
        running.process.send_signal(signal.SIGTERM)
        connection.sendall(body)
        answer = read_until(connection, b'"id":1')
    assert b"HTTP/1.1 200 OK" in answer
    assert running.process.wait(DEADLINE_SECONDS) == 0


def test_a_request_that_never_ends_does_not_keep_it_alive(running: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", running.port), DEADLINE_SECONDS) as connection:
        connection.sendall(
            b"POST /subjects/s/versions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        read_until(connection, b"100 Continue")
        assert running.stop() == 0
    assert "stopped before every request was finished" in {line["event"] for line in running.log}


def test_an_idle_connection_does_not_keep_it_alive(running: ServerProcess) -> None:
    with httpx.Client() as client:
        client.get(running.url)
        assert running.stop() == 0


def test_a_port_in_use_is_refused(tmp_path: Path, running: ServerProcess) -> None:
    said = refused(tmp_path, "--port", str(running.port))
    assert f"Cannot listen on 127.0.0.1:{running.port}" in said


@pytest.mark.parametrize(
    ("flags", "environment", "says"),
    [
        ((), {"SCHEMA_REGISTRY_PROT": "1"}, "SCHEMA_REGISTRY_PORT"),
        (("--port", "70000"), {}, "--port makes no sense"),
        (("--config", "absent.toml"), {}, "absent.toml cannot be read"),
        (("--database-url", "mysql://user:secret@host/db"), {}, "sqlite://"),
        (
            ("--database-url", "postgresql://user:secret@127.0.0.1:1/db", "--database-wait-seconds", "0.5"),
            {},
            "postgresql://user:***@127.0.0.1:1/db",
        ),
        (("--database-url", "sqlite:////proc/nowhere/registry.db"), {}, "cannot be"),
        (("--host", "256.0.0.1"), {}, "Cannot listen on 256.0.0.1"),
    ],
    ids=str,
)
def test_it_says_why_it_does_not_start(
    tmp_path: Path, flags: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    said = refused(tmp_path, "--port", "0", *flags, **environment)
    assert says in said
    assert "secret" not in said
