"""Server processes on one database, any of which may be killed and started again.

Refuses to hide what they logged: every start writes into a folder of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from server_process import COMMAND, ServerProcess


class Servers:
    """`count` servers, started at once and killed at the end of the block. `flags` are each one's own."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        count: int = 2,
        command: Sequence[str] = COMMAND,
        environments: Sequence[dict[str, str]] = (),
    ) -> None:
        self._folder = folder
        self._flags = flags
        self._command = command
        self._environments = environments or [{}] * count
        self._starts: list[ServerProcess] = []
        self.running: list[ServerProcess] = []

    @property
    def urls(self) -> list[str]:
        """Where the servers are now; one that is being started again is still named by where it was."""
        return [server.url for server in self.running]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Every line of level error, of servers that were killed too."""
        return [line for server in self._starts for line in _lines(server.errors) if line["level"] == "error"]

    async def restart(self, index: int) -> None:
        """Kill a server with SIGKILL and start it again."""
        self.running[index].kill()
        self.running[index] = await asyncio.to_thread(self._start, index)

    def stop(self) -> None:
        """Let every server end in order."""
        for server in self.running:
            assert server.stop() == 0, server.errors.read_text()

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(len(self._environments)) as threads:
            starting = [threads.submit(self._start, index) for index in range(len(self._environments))]
        try:
            self.running = [start.result() for start in starting]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._starts:
            server.kill()

    def _start(self, index: int) -> ServerProcess:
        folder = self._folder / f"server-{index}-{len(self._starts)}"
        folder.mkdir(parents=True)
        server = ServerProcess(folder, *self._flags, command=self._command, **self._environments[index])
        self._starts.append(server)
        return server


def _lines(log: Path) -> Iterator[dict[str, Any]]:
    """Read a log; a process that was killed, or had no room, may have left half a line, also before a whole one."""
    for line in log.read_text().splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line)
