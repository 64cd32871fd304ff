"""The page about backups: its commands print what it shows, on a database with two versions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

from server_process import ServerProcess
from transcript import is_shown, transcript

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "howto" / "back-up-and-restore.md").read_text()


def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    steps = transcript(PAGE)
    assert len(steps) == 6
    with ServerProcess(tmp_path, "--database-url", "sqlite:///data/registry.db") as server:
        for schema in ('"int"', '"long"'):
            httpx.post(f"{server.url}/subjects/orders-value/versions", json={"schema": schema}).raise_for_status()
        for command, shown in steps:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env={
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                    "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                    "NO_COLOR": "1",
                    "COLUMNS": "120",
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert is_shown(shown, done.stdout), done.stdout
        assert server.stop() == 0
    with ServerProcess(tmp_path, "--database-url", "sqlite:///data/moved.db") as server:
        added = httpx.post(f"{server.url}/subjects/orders-value/versions", json={"schema": '"double"'}).json()
        assert (added["id"], added["version"]) == (3, 3)
        assert server.stop() == 0
