"""The page about validating events: its commands print what it shows, against a fresh server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from server_process import ServerProcess
from transcript import is_shown, transcript

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "howto" / "validate-events.md").read_text()


def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    steps = transcript(PAGE)
    assert len(steps) == 16
    with ServerProcess(tmp_path, "--database-url", "sqlite://") as server:
        for command, shown in steps:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=ROOT / "examples" / "flows",
                env={
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                    "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                    "SCHEMA_REGISTRY_URL": server.url,
                    "OUT": str(tmp_path),
                    "NO_COLOR": "1",
                    "COLUMNS": "120",
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.stderr == "", command
            # Curl ends its line where the page begins a new one.
            assert is_shown(shown.rstrip("\n"), done.stdout.rstrip("\n")), done.stdout


def test_the_page_shows_each_flow() -> None:
    steps = transcript(PAGE)
    for what in ("dropped: 1", "known_model", "exit code 100", "error 42215", "error 42210", "\nincompatible: "):
        assert any(what in f"\n{shown}" for _, shown in steps), what
