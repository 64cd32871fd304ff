"""A small pool of processes that run protoc, and how their answers become descriptors or `InvalidSchema`.

Refuses to look inside a schema. protoc never runs in the server's own process: 700 bytes of text can abort it.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from llm_schema_registry.errors import InvalidSchema, TimedOut

# The frames of worker.py, which this process must not import: it would load protoc.
READY = b"\1"
LENGTH = struct.Struct(">I")
ANSWER = struct.Struct(">iII")

MAX_WORKERS = 4
MAX_REQUEST_BYTES = 64 << 20
MAX_ANSWER_BYTES = 256 << 20
MAX_COMPLAINTS = 20
COMPILE_SECONDS = 10.0
QUEUE_SECONDS = 60.0
START_SECONDS = 30.0
# A worker is replaced after so many requests, so that whatever protoc leaks stays small.
REQUESTS_PER_WORKER = 5000

HERE = Path(__file__).parent
# protoc's warnings, and what its logging library writes to the same place.
_CHATTER = re.compile(r"^(.*: warning: |WARNING: All log messages |[IWE]\d{4} )")
_UNRESOLVED = re.compile(r"^(?P<name>.+): File not found\.$")
# How a process ends that somebody else ended; protoc's own crashes are SIGABRT, SIGSEGV, SIGBUS and the CPU limit.
_ENDED_FROM_OUTSIDE = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, 0})


def built_in_directories() -> tuple[str, ...]:
    """Return protoc's path mappings for the files that need no reference: google/protobuf, google/type, confluent."""
    tools = importlib.util.find_spec("grpc_tools")
    types = importlib.util.find_spec("google.type")
    if tools is None or types is None or not tools.submodule_search_locations or not types.submodule_search_locations:
        raise ImportError("the Protobuf format needs the packages grpcio-tools and googleapis-common-protos")
    return (
        f"google/protobuf={Path(tools.submodule_search_locations[0], '_proto/google/protobuf')}",
        f"google/type={Path(types.submodule_search_locations[0])}",
        f"confluent={HERE / 'include/confluent'}",
    )


class _Crashed(Exception):
    """The worker ended in the middle of a request; `code` is how."""

    def __init__(self, code: int) -> None:
        self.code = code


class _Worker:
    """One process and the socket to it. Serves one request at a time."""

    def __init__(self) -> None:
        self.connection, theirs = socket.socketpair()
        # Nothing of the server's environment may reach a process that handles hostile input.
        environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 # our own script, by absolute path
                [sys.executable, "-I", str(HERE / "worker.py"), *built_in_directories()],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                close_fds=True,
                cwd="/",
                env=environment,
            )
        self.requests = 0
        self._await_start()

    def _await_start(self) -> None:
        """Wait until protoc is loaded: whatever goes wrong before is no schema's fault. Raises RuntimeError."""
        self.connection.settimeout(START_SECONDS)
        try:
            is_ready = self.connection.recv(1) == READY
        except OSError:
            is_ready = False
        if not is_ready:
            self.stop()
            raise RuntimeError(
                f"the process that compiles Protobuf schemas did not start (exit code {self.process.returncode}); "
                "are the packages grpcio-tools and googleapis-common-protos installed for this Python?"
            )

    def ask(self, request: bytes, seconds: float) -> tuple[int, bytes, bytes]:
        """Send a request and return exit code, descriptors and complaints. Raises TimeoutError or _Crashed."""
        self.requests += 1
        deadline = time.monotonic() + seconds
        try:
            self.connection.settimeout(seconds)
            self.connection.sendall(LENGTH.pack(len(request)) + request)
            code, compiled, complaints = ANSWER.unpack(self._receive(ANSWER.size, deadline))
            if compiled + complaints > MAX_ANSWER_BYTES:
                raise InvalidSchema(f"protoc's answer is larger than {MAX_ANSWER_BYTES >> 20} MiB: split the schema")
            return code, self._receive(compiled, deadline), self._receive(complaints, deadline)
        except (ConnectionError, EOFError):
            raise _Crashed(self.process.wait()) from None

    def _receive(self, size: int, deadline: float) -> bytes:
        buffer = bytearray(size)
        view = memoryview(buffer)
        while view:
            self.connection.settimeout(max(deadline - time.monotonic(), 0.001))
            received = self.connection.recv_into(view)
            if not received:
                raise EOFError
            view = view[received:]
        return bytes(buffer)

    def stop(self) -> None:
        """End the process, however busy it is, and reap it."""
        self.connection.close()
        self.process.kill()
        self.process.wait()

    def forget(self) -> None:  # pragma: no cover # in a forked process, which no coverage follows
        """Close this process's copy of a socket that belongs to the process it was forked from."""
        self.connection.close()
        self.process.returncode = 0  # not our child: nothing to reap, nothing to warn about


class Compiler:
    """Compiles .proto texts by protoc. Safe to share between threads; a forked process starts its own workers."""

    def __init__(self, seconds: float = COMPILE_SECONDS) -> None:
        self._seconds = seconds
        self._start_empty()
        _COMPILERS.add(self)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: weakref.WeakSet[_Worker] = weakref.WeakSet()
        self._free = threading.BoundedSemaphore(min(os.cpu_count() or 1, MAX_WORKERS))

    def compile(self, main: str, texts: Mapping[str, str]) -> FileDescriptorSet:
        """Return the descriptors of the file named `main` (the last one) and of all it imports, source info left out.

        `texts` holds `main` and whatever it may import by that name, besides the built-in files. Raises InvalidSchema
        with protoc's complaints, or naming the crash or the time limit; TimedOut when no worker was free for a minute.
        """
        request = json.dumps({"main": main, "files": texts, "seconds": self._seconds}, ensure_ascii=False).encode()
        if len(request) > MAX_REQUEST_BYTES:
            raise InvalidSchema(f"schema and references together are larger than {MAX_REQUEST_BYTES >> 20} MiB")
        code, compiled, complaints = self._ask(request)
        if code != 0:
            raise InvalidSchema(explain(complaints.decode(errors="replace")))
        try:
            return FileDescriptorSet.FromString(compiled)
        except DecodeError:
            raise InvalidSchema("the compiled schema cannot be read: it is nested too deeply or too large") from None

    def _ask(self, request: bytes, attempts: int = 2) -> tuple[int, bytes, bytes]:
        try:
            with self._worker() as worker:
                return worker.ask(request, self._seconds)
        except TimeoutError:
            raise InvalidSchema(
                f"protoc could not compile this schema within {self._seconds:g} seconds: make it smaller"
            ) from None
        except _Crashed as crash:
            if attempts > 1 and crash.code in _ENDED_FROM_OUTSIDE:
                return self._ask(request, attempts - 1)
            raise InvalidSchema(
                f"protoc could not compile this schema: it crashed (exit code {crash.code}); "
                "nest option values and messages less deeply, or make the schema smaller"
            ) from None

    @contextlib.contextmanager
    def _worker(self) -> Iterator[_Worker]:
        """Lend a worker. It goes back to the pool only if its request ended well."""
        if not self._free.acquire(timeout=QUEUE_SECONDS):
            raise TimedOut(f"no Protobuf compiler was free for {QUEUE_SECONDS:g} seconds")
        try:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is not None and worker.process.poll() is not None:
                worker.stop()
                worker = None
            if worker is None:
                worker = _Worker()
                self._all.add(worker)
            try:
                yield worker
            except BaseException:
                worker.stop()
                raise
            if worker.requests >= REQUESTS_PER_WORKER:
                worker.stop()
            else:
                with self._lock:
                    self._idle.append(worker)
        finally:
            self._free.release()

    def close(self) -> None:
        """Stop the idle workers. The next request starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.stop()

    def leave_to_parent(self) -> None:  # pragma: no cover # in a forked process, which no coverage follows
        """Start over in a forked process: the workers, and the state of every lock, are the parent's."""
        workers = list(self._all)
        self._start_empty()
        for worker in workers:
            worker.forget()


_COMPILERS: weakref.WeakSet[Compiler] = weakref.WeakSet()


def _close_all() -> None:  # pragma: no cover # at exit, after coverage has ended
    for compiler in list(_COMPILERS):
        compiler.close()


def _after_fork() -> None:  # pragma: no cover # in a forked process, which no coverage follows
    for compiler in list(_COMPILERS):
        compiler.leave_to_parent()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)


def explain(complaints: str) -> str:
    """Return protoc's complaints as one message: warnings left out, each unresolved import with its mend."""
    lines = [line for line in complaints.splitlines() if line and not _CHATTER.match(line)]
    mends = []
    for line in lines:
        if match := _UNRESOLVED.match(line):
            name = match["name"]
            mends.append(
                f'Import "{name}" cannot be resolved: register that file and list it under references '
                f'by the name "{name}"'
            )
    lines = mends + [line for line in lines if not _UNRESOLVED.match(line)]
    if len(lines) > MAX_COMPLAINTS:
        lines = [*lines[:MAX_COMPLAINTS], f"... and {len(lines) - MAX_COMPLAINTS} more"]
    return "; ".join(lines) or "protoc refused this schema without saying why"
