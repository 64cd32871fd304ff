"""The server as a process of its own on a free port: start, wait until it answers, signal, read what it logged.

Refuses to outlive its block, whatever happens inside.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

COMMAND = (sys.executable, "-c", "from llm_schema_registry.cli import main; main()", "serve")
DEADLINE_SECONDS = 30


def environment_of(**changes: str) -> dict[str, str]:
    """Return this process's environment without settings of the server, then with those given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SCHEMA_REGISTRY_")}
    return {**inherited, **changes}


class ServerProcess:
    """A running server, killed at the end of its block. It says its address on its second line, once it listens.

    `command` is what starts it, to which the flags are added.
    """

    def __init__(self, folder: Path, *flags: str, command: Sequence[str] = COMMAND, **environment: str) -> None:
        self.errors = folder / "stderr"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*command, "--port", "0", *flags],
                cwd=folder,
                env=environment_of(**environment),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        patience = threading.Timer(DEADLINE_SECONDS, self.process.kill)
        patience.start()
        self.banner = [self.process.stdout.readline().rstrip() for _ in range(4)]
        patience.cancel()
        if not self.banner[1]:
            self.kill()
            raise AssertionError(f"the server did not start:\n{self.errors.read_text()}")
        self.url = self.banner[1].split()[1]
        self.port = int(self.url.rpartition(":")[2])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the process and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    def kill(self) -> None:
        """End the process, also one that has ended."""
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def log(self) -> list[dict[str, Any]]:
        """What the process logged."""
        return [json.loads(line) for line in self.errors.read_text().splitlines()]


@contextmanager
def running_server(*flags: str, **environment: str) -> Iterator[ServerProcess]:
    """Run a server on an empty database in memory, and require that it met no fault of its own and stopped in order."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder), "--database-url", "sqlite://", *flags, **environment) as server,
    ):
        yield server
        assert server.stop() == 0
        assert not [line for line in server.log if line["level"] == "error"]
