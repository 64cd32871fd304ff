"""The README's console blocks are run against a real server; what they print must be what the README shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from server_process import running_server
from transcript import transcript

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def test_every_command_prints_what_the_readme_shows() -> None:
    steps = transcript(README.read_text())
    assert len(steps) >= 6
    with running_server() as server:
        for command, shown in steps:
            local = command.replace("http://127.0.0.1:8081", server.url).replace(
                ".venv/bin/", f"{Path(sys.executable).parent}/"
            )
            result = subprocess.run(
                ["bash", "-c", local],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                env={"PATH": "/usr/bin:/bin", "SCHEMA_REGISTRY_URL": server.url, "NO_COLOR": "1", "COLUMNS": "120"},
            )
            printed = result.stdout + result.stderr
            assert printed.rstrip("\n") == shown.rstrip("\n"), command


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README.read_text()))))
def test_what_the_readme_points_to_is_there(target: str) -> None:
    assert (ROOT / target).exists()
