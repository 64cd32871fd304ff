"""Workers that are scripts: told, awaited, replaced, given up, stopped."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry import workers
from llm_schema_registry.telemetry import open_log
from llm_schema_registry.workers import Workers, WorkersFailed
from polling import until

NOTE = "import os, sys, time; open(f'{os.environ[\"NOTES\"]}/{os.getpid()}', 'w').write(sys.stdin.readline())\n"
WAIT = "print('serving', flush=True); sys.stdin.read()"
SERVE = NOTE + WAIT
MUTE = NOTE + "sys.stdin.read()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE
DIE = NOTE + "sys.exit(3)"
DIE_ONCE = NOTE + "len(os.listdir(os.environ['NOTES'])) > 1 or sys.exit(3)\n" + WAIT


class Run:
    """Workers of a script while they run. Each leaves a note of what it was told, under its process id."""

    def __init__(self, folder: Path, script: str, count: int = 2, stop_seconds: float = 30) -> None:
        self.folder = folder
        self.errors = io.StringIO()
        command = (sys.executable, "-I", "-c", script)
        environment = {**os.environ, "NOTES": str(folder)}
        self.workers = Workers(command, environment, b"do it", open_log("info", self.errors), stop_seconds)
        self.times_ready = 0
        self.task = asyncio.create_task(self.workers.run(count, self._ready))

    def _ready(self) -> None:
        self.times_ready += 1

    async def until(self, is_so: Callable[[], bool]) -> None:
        async def ask() -> bool:
            return is_so()

        await until(bool, ask)

    async def stop(self) -> None:
        self.workers.stop()
        await asyncio.wait_for(self.task, 30)

    @property
    def notes(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.folder.iterdir()}

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.errors.getvalue().splitlines()]


async def test_all_of_them_are_told_and_stopped(tmp_path: Path) -> None:
    run = Run(tmp_path, SERVE, count=3)
    await run.until(lambda: run.times_ready == 1)
    assert list(run.notes.values()) == ["do it\n"] * 3
    await run.stop()
    assert (run.times_ready, run.log) == (1, [])


async def test_it_is_ready_only_when_all_of_them_are(tmp_path: Path) -> None:
    run = Run(tmp_path, MUTE)
    await run.until(lambda: len(run.notes) == 2)
    await run.stop()
    assert run.times_ready == 0


async def test_one_that_ends_is_replaced(tmp_path: Path) -> None:
    run = Run(tmp_path, DIE_ONCE, count=1)
    await run.until(lambda: run.times_ready == 1)
    [line] = run.log
    assert (line["event"], line["level"], line["code"]) == ("worker ended", "error", 3)
    assert str(line["pid"]) in run.notes
    assert len(run.notes) == 2
    await run.stop()


async def test_when_they_end_again_and_again_all_are_stopped(tmp_path: Path) -> None:
    run = Run(tmp_path, DIE)
    with pytest.raises(WorkersFailed, match="Workers ended 5 times within 60 seconds"):
        await asyncio.wait_for(run.task, 30)
    assert run.times_ready == 0
    assert 5 <= len(run.log) <= 6


async def test_those_that_end_seldom_are_replaced_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "DEATHS_SECONDS", 0)
    run = Run(tmp_path, DIE, count=1)
    await run.until(lambda: len(run.log) > workers.MAX_DEATHS)
    await run.stop()


async def test_one_that_does_not_listen_is_ended(tmp_path: Path) -> None:
    run = Run(tmp_path, DEAF, stop_seconds=0.2)
    await run.until(lambda: run.times_ready == 1)
    await run.stop()


async def test_one_that_is_just_being_started_is_stopped_too(tmp_path: Path) -> None:
    run = Run(tmp_path, MUTE)
    # One turn of the loop for the run, one for what it begins.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await run.stop()
    assert run.times_ready == 0
