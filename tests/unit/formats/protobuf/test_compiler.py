"""The workers: crashes, time limits, forks, threads, signals and the end of the server."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from llm_schema_registry.errors import InvalidSchema, TimedOut
from llm_schema_registry.formats.protobuf import compiler as module
from llm_schema_registry.formats.protobuf import worker
from llm_schema_registry.formats.protobuf.compiler import Compiler

GOOD = 'syntax = "proto3"; message M { int32 a = 1; }'
# 120 option values inside one another: protoc aborts.
BOMB = (
    'import "google/protobuf/descriptor.proto"; message R { optional R r = 1; } '
    "extend google.protobuf.FileOptions { optional R root = 50000; } option (root) = "
    + "{ r " * 120 + "{}" + "}" * 120 + ";"
)  # fmt: skip


@pytest.fixture
def compiler() -> Iterator[Compiler]:
    made = Compiler()
    yield made
    made.close()


def compiles(compiler: Compiler, text: str = GOOD) -> bool:
    return compiler.compile("m.proto", {"m.proto": text}).file[-1].name == "m.proto"


def children(pid: int | None = None) -> set[int]:
    return {child.pid for child in psutil.Process(pid).children()}


def test_both_ends_speak_of_the_same_frames() -> None:
    assert (worker.LENGTH.format, worker.ANSWER.format) == (module.LENGTH.format, module.ANSWER.format)
    assert worker.READY == module.READY


def test_a_crash_is_an_answer_and_the_next_request_works(compiler: Compiler) -> None:
    for _ in range(2):
        with pytest.raises(InvalidSchema, match="it crashed"):
            compiles(compiler, BOMB)
        assert compiles(compiler)


def test_a_request_beyond_its_time_is_refused() -> None:
    compiler = Compiler(seconds=0.001)
    slow = 'syntax = "proto3";' + "".join(f"message M{number} {{}}" for number in range(20_000))
    with pytest.raises(InvalidSchema, match=r"within 0\.001 seconds"):
        compiles(compiler, slow)


def test_a_worker_that_somebody_killed_is_replaced(compiler: Compiler) -> None:
    before = children()
    assert compiles(compiler)
    (pid,) = children() - before
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait()
    assert compiles(compiler)
    assert pid not in children()


def test_a_worker_killed_during_a_request_is_tried_once_more(compiler: Compiler) -> None:
    before = children()
    assert compiles(compiler)
    (pid,) = children() - before
    os.kill(pid, signal.SIGSTOP)
    killer = threading.Timer(0.05, os.kill, (pid, signal.SIGKILL))
    killer.start()
    assert compiles(compiler)
    killer.join()


def test_workers_ignore_signals_to_the_group(compiler: Compiler) -> None:
    before = children()
    assert compiles(compiler)
    (pid,) = children() - before
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    assert compiles(compiler)
    assert pid in children()


def test_workers_are_replaced_after_many_requests(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUESTS_PER_WORKER", 2)
    before = children()
    pids = set()
    for _ in range(4):
        assert compiles(compiler)
        pids |= children() - before
    assert len(pids) == 2


def test_threads_share_a_bounded_number_of_workers(compiler: Compiler) -> None:
    before = children()
    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(lambda n: compiles(compiler, f"message M{n} {{}}"), range(200)))
    assert 1 <= len(children() - before) <= module.MAX_WORKERS


def test_when_no_worker_is_free_the_caller_is_told(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_SECONDS", 0.01)
    while compiler._free.acquire(blocking=False):
        pass
    with pytest.raises(TimedOut, match="no Protobuf compiler was free"):
        compiles(compiler)


def test_requests_and_answers_are_bounded(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 10)
    with pytest.raises(InvalidSchema, match="answer is larger"):
        compiles(compiler)
    monkeypatch.setattr(module, "MAX_REQUEST_BYTES", 10)
    with pytest.raises(InvalidSchema, match="together are larger"):
        compiles(compiler)


@pytest.mark.parametrize("program", ["exit 3", "exec cat"])
def test_a_compiler_that_does_not_start_is_no_fault_of_the_schema(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    executable = tmp_path / "python"
    executable.write_text(f"#!/bin/sh\n{program}\n")
    executable.chmod(0o755)
    with monkeypatch.context() as broken:
        broken.setattr(module, "START_SECONDS", 0.2)
        broken.setattr("sys.executable", str(executable))
        with pytest.raises(RuntimeError, match="did not start"):
            compiles(compiler)
    assert compiles(compiler)


def test_a_silent_refusal_has_a_message() -> None:
    assert module.explain("") == "protoc refused this schema without saying why"


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ImportError, match="grpcio-tools"):
        module.built_in_directories()


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_forked_process_starts_its_own_workers() -> None:
    done = run("""
        import os, sys
        from llm_schema_registry.formats.protobuf import ProtobufFormat
        fmt = ProtobufFormat()
        fmt.parse("message A {}")
        pid = os.fork()
        if pid == 0:
            assert fmt.parse("message B {}")
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert fmt.parse("message C {}")
        print("well")
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("well\n", "", 0)


@pytest.mark.parametrize("end", ["pass", "os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_workers_end_with_the_server(end: str) -> None:
    done = run(f"""
        import os, psutil, signal
        from llm_schema_registry.formats.protobuf import ProtobufFormat
        fmt = ProtobufFormat()
        fmt.parse("message A {{}}")
        print(psutil.Process().children()[0].pid, flush=True)
        {end}
    """)
    pid = int(done.stdout)
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    readable, _, _ = select.select([ended], [], [], 10)
    os.close(ended)
    assert readable


def test_a_worker_has_nothing_of_the_server_and_little_of_the_machine(compiler: Compiler) -> None:
    before = children()
    assert compiles(compiler)
    (pid,) = children() - before
    worker_process = Path(f"/proc/{pid}")
    targets = [str(link.readlink()) for link in (worker_process / "fd").iterdir()]
    assert all(target.startswith(("socket:", "/dev/null", "/memfd:")) for target in targets)
    assert len([target for target in targets if target.startswith("socket:")]) == 1
    assert str((worker_process / "cwd").readlink()).endswith("(deleted)")
    assert "Max address space         1073741824" in (worker_process / "limits").read_text()
    assert b"PATH=" not in (worker_process / "environ").read_bytes()
