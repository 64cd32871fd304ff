"""Several processes on one port: they answer as one, replace one that died, and end together."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from server_process import DEADLINE_SECONDS, ServerProcess

STOP_SECONDS = 8.0
"""What requests that have begun may take, twice."""


@pytest.fixture(params=["sqlite-file", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path}/registry.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def two(database_url: str, tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, "--workers", "2", "--database-url", database_url) as server:
        yield server


def workers_of(server: ServerProcess) -> set[int]:
    return {child.pid for child in psutil.Process(server.process.pid).children()}


def until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def has_ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def ask(server: ServerProcess, method: str, path: str, schema: str | None = None) -> httpx.Response:
    """Ask over a connection of its own, so that any of the workers may answer."""
    body = None if schema is None else {"schema": schema}
    return httpx.request(method, server.url + path, timeout=DEADLINE_SECONDS, json=body)


def said_started(server: ServerProcess) -> int:
    return [line["event"] for line in server.log].count("started")


def test_they_answer_as_one(two: ServerProcess) -> None:
    assert len(workers_of(two)) == 2
    for number in range(1, 21):
        schema = f'{{"type":"fixed","name":"F","size":{number}}}'
        subject = f"s{number}"
        registered = ask(two, "POST", f"/subjects/{subject}/versions", schema).json()
        for _ in range(3):
            assert ask(two, "GET", f"/subjects/{subject}/versions/latest").json()["id"] == registered["id"] == number
            assert f'"size":{number}' in ask(two, "GET", f"/schemas/ids/{number}").json()["schema"]
    assert two.stop() == 0
    assert not [line for line in two.log if line["level"] == "error"]
    events = [line["event"] for line in two.log]
    assert (events.count("started"), events.count("stopped")) == (2, 2)


def test_a_deletion_shows_in_all_of_them(two: ServerProcess) -> None:
    ask(two, "POST", "/subjects/s/versions", '"string"')
    assert {ask(two, "GET", "/schemas/ids/1").status_code for _ in range(20)} == {200}
    for query in ("", "?permanent=true"):
        assert ask(two, "DELETE", f"/subjects/s{query}").status_code == 200
    time.sleep(2)
    assert {ask(two, "GET", "/schemas/ids/1").status_code for _ in range(20)} == {404}


def test_their_metrics_are_those_of_all(two: ServerProcess) -> None:
    for _ in range(20):
        ask(two, "GET", "/schemas/types")
    line = 'schema_registry_requests_total{endpoint="/schemas/types",method="GET",status="200"} 20.0'
    for _ in range(5):
        assert line in ask(two, "GET", "/metrics").text.splitlines()


def test_one_that_died_is_replaced_and_the_others_go_on(two: ServerProcess) -> None:
    ask(two, "POST", "/subjects/s/versions", '"string"')
    before = workers_of(two)
    os.kill(min(before), signal.SIGKILL)
    until(lambda: min(before) not in workers_of(two))
    # The port of one that is dead takes no more connections.
    assert {ask(two, "GET", "/schemas/ids/1").status_code for _ in range(20)} == {200}
    until(lambda: said_started(two) == 3)
    assert len(workers_of(two)) == 2
    assert {ask(two, "GET", "/schemas/ids/1").status_code for _ in range(20)} == {200}
    assert [(line["pid"], line["code"]) for line in two.log if line["event"] == "worker ended"] == [(min(before), -9)]
    assert two.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_in_time(tmp_path: Path, number: signal.Signals) -> None:
    with ServerProcess(tmp_path, "--workers", "3") as server:
        pids = workers_of(server)
        assert len(pids) == 3
        # A request that never ends does not keep them.
        with socket.create_connection(("127.0.0.1", server.port), DEADLINE_SECONDS) as connection:
            connection.sendall(
                b"POST /subjects/s/versions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
            )
            assert b"100" in connection.recv(100)
            started = time.monotonic()
            assert server.stop(number) == 0
        assert time.monotonic() - started < STOP_SECONDS
        assert all(has_ended(pid) for pid in pids)


def test_a_worker_that_hangs_is_ended(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--workers", "2") as server:
        pids = workers_of(server)
        os.kill(min(pids), signal.SIGSTOP)
        assert server.stop() == 0
        assert all(has_ended(pid) for pid in pids)


def test_they_end_with_their_parent(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--workers", "2") as server:
        pids = workers_of(server)
        server.kill()
        until(lambda: all(has_ended(pid) for pid in pids))


def test_it_gives_up_when_they_die_again_and_again(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--workers", "2") as server:
        killed: set[int] = set()
        while server.process.poll() is None and len(killed) < 5:
            for pid in workers_of(server) - killed:
                if len(killed) < 5:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
            time.sleep(0.02)
        assert server.process.wait(DEADLINE_SECONDS) == 1
    assert "error: Workers ended 5 times within 60 seconds" in server.errors.read_text()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_has_one_process(tmp_path: Path, url: str) -> None:
    with pytest.raises(AssertionError, match=r"in the memory of one process.*--workers 1"):
        ServerProcess(tmp_path, "--workers", "2", "--database-url", url)


def test_a_port_in_use_is_refused_to_them_too(tmp_path: Path, two: ServerProcess) -> None:
    with pytest.raises(AssertionError, match="Cannot listen on"):
        ServerProcess(tmp_path, "--workers", "2", "--port", str(two.port))
