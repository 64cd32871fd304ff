"""Several processes that serve one port: started, started again when one ends by itself, stopped together.

Refuses to know what they serve. A worker is told what to do by one line on its standard input, which stays open for as
long as its parent lives, and says by one line on its standard output that it serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from structlog.typing import FilteringBoundLogger

MAX_DEATHS = 5
DEATHS_SECONDS = 60.0
"""So many workers may end by themselves within so many seconds; then something is wrong with all of them."""


class WorkersFailed(Exception):
    """Workers end as soon as they are started; what they logged says why."""


class Workers:
    """The worker processes of one server. `told` is the line that each of them is told, without its end."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        told: bytes,
        log: FilteringBoundLogger,
        stop_seconds: float,
    ) -> None:
        self._command = command
        self._environment = environment
        self._told = told
        self._log = log
        self._stop_seconds = stop_seconds
        self._running: set[Process] = set()
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        self._awaited = 0
        self._on_ready: Callable[[], None] = lambda: None
        self._is_stopping = False
        self._has_failed = False

    async def run(self, count: int, on_ready: Callable[[], None]) -> None:
        """Keep so many workers running until `stop`; tell when all of them serve. Raises WorkersFailed."""
        self._awaited, self._on_ready = count, on_ready
        await asyncio.gather(*(self._keep_one() for _ in range(count)))
        if self._has_failed:
            raise WorkersFailed(
                f"Workers ended {MAX_DEATHS} times within {DEATHS_SECONDS:g} seconds; what they logged says why"
            )

    def stop(self) -> None:
        """Let every worker finish what it has begun, and end those that take too long."""
        self._is_stopping = True
        for process in self._running:
            _signal(process.terminate)
        asyncio.get_running_loop().call_later(self._stop_seconds, self._kill)

    def _kill(self) -> None:
        for process in self._running:
            _signal(process.kill)

    async def _keep_one(self) -> None:
        """Start a worker, and another one whenever it ends, until all are to end."""
        while not self._is_stopping:
            process = await self._start()
            code = await process.wait()
            self._running.discard(process)
            if self._is_stopping:
                return
            self._log.error("worker ended", pid=process.pid, code=code)
            now = time.monotonic()
            self._deaths.append(now)
            if len(self._deaths) == MAX_DEATHS and now - self._deaths[0] < DEATHS_SECONDS:
                self._has_failed = True
                self.stop()

    async def _start(self) -> Process:
        """Start a worker and wait until it serves or has ended."""
        # In a session of its own: what a terminal sends to all of its processes must come through the parent alone.
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, env=self._environment, start_new_session=True
        )
        self._running.add(process)
        if self._is_stopping:
            _signal(process.terminate)
        # It may have ended already, which uvloop does not take as asyncio does; its end is noticed by whoever waits.
        with contextlib.suppress(RuntimeError):
            cast("StreamWriter", process.stdin).write(self._told + b"\n")
        if await cast("StreamReader", process.stdout).readline():
            self._awaited -= 1
            if self._awaited == 0:
                self._on_ready()
        return process


def _signal(send: Callable[[], None]) -> None:
    # It may have ended a moment ago.
    with contextlib.suppress(ProcessLookupError):
        send()
