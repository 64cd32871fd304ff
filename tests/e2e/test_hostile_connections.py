"""Connections that send too much, too slowly or nothing at all: the server cuts them and goes on serving others."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from server_process import ServerProcess, running_server

MIB = 1 << 20
DEADLINE_SECONDS = 60
POST = b"POST /subjects/s/versions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def hostile_server() -> Iterator[ServerProcess]:
    """A server of this module's own, which gives a request 2 seconds."""
    with running_server("--request-timeout-seconds", "2") as server:
        yield server


@contextlib.contextmanager
def connected(server: ServerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE_SECONDS) as connection:
        yield connection


def send_while_taken(connection: socket.socket, chunk: bytes, times: int) -> int:
    """Send a chunk again and again until the server closes, and return how often."""
    for sent in range(times):
        try:
            connection.sendall(chunk)
        except OSError:
            return sent
    return times


def answer(connection: socket.socket) -> bytes:
    """Read what the server says until it closes, or cuts, the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65536):
            received += chunk
    return received


def refusal(received: bytes) -> tuple[int, int]:
    """Return status and code of an answer, whose body must have two keys."""
    head, _, body = received.partition(b"\r\n\r\n")
    refused = json.loads(body)
    assert set(refused) == {"error_code", "message"}
    return int(head.split()[1]), refused["error_code"]


def assert_serves(server: ServerProcess) -> None:
    """Require that the server answers somebody else."""
    assert httpx.get(f"{server.url}/subjects", timeout=DEADLINE_SECONDS).status_code == 200


def test_a_chunked_body_of_1_gib_is_cut(hostile_server: ServerProcess) -> None:
    with connected(hostile_server) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = send_while_taken(connection, b"100000\r\n" + b" " * MIB + b"\r\n", 1024)
        received = answer(connection)
    print(f"cut after about {sent} MiB")
    assert sent < 128
    assert refusal(received) == (413, 413)


def test_a_body_that_announces_1_gib_is_refused(hostile_server: ServerProcess) -> None:
    with connected(hostile_server) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n")
        assert refusal(answer(connection)) == (413, 413)


UNENDING = {
    "announced": b"Content-Length: 100\r\n\r\n{",
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "without a byte": b"Content-Length: 100\r\n\r\n",
}


@pytest.mark.parametrize("end", UNENDING.values(), ids=UNENDING)
def test_a_body_that_never_ends_is_given_up(hostile_server: ServerProcess, end: bytes) -> None:
    with connected(hostile_server) as connection:
        connection.sendall(POST + end)
        assert_serves(hostile_server)
        assert refusal(answer(connection)) == (408, 408)


def test_hundreds_of_slow_clients_block_nobody(hostile_server: ServerProcess) -> None:
    beginnings = (b"", b"GET /subjects HTTP/1.1\r\nHost: x\r\n", *(POST + end for end in UNENDING.values()))
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(hostile_server)) for _ in range(500)]
        for number, connection in enumerate(slow):
            connection.sendall(beginnings[number % len(beginnings)])
        body = {"schema": '"int"'}
        registered = httpx.post(f"{hostile_server.url}/subjects/s/versions", json=body, timeout=DEADLINE_SECONDS)
        assert registered.status_code == 200
        assert_serves(hostile_server)


MALFORMED = {
    "10,000 headers": (431, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n"),
    "a header of 1 MiB": (431, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * MIB + b"\r\n\r\n"),
    "an address of 1 MiB": (431, b"GET /subjects/" + b"a" * MIB + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "no HTTP": (400, b"\x00\x01\x02 not HTTP\r\n\r\n"),
    "a TLS greeting": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500),
    "a negative length": (400, POST + b"Content-Length: -5\r\n\r\n"),
    "two lengths": (400, POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
    "a length that is no number": (400, POST + b"Content-Length: 0x5\r\n\r\nabcde"),
    "a chunk without a size": (400, POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_http_is_refused(hostile_server: ServerProcess, name: str) -> None:
    status, sent = MALFORMED[name]
    with connected(hostile_server) as connection:
        connection.sendall(sent)
        received = answer(connection)
    # Below HTTP no route can speak; the HTTP library answers without a body.
    assert received.startswith(f"HTTP/1.1 {status} ".encode()), received[:200]
    assert_serves(hostile_server)


def test_a_client_that_leaves_early_leaves_nothing_behind(hostile_server: ServerProcess) -> None:
    for end in UNENDING.values():
        with connected(hostile_server) as connection:
            connection.sendall(POST + end)
    assert_serves(hostile_server)
