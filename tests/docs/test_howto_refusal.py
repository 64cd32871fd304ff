"""The page about refusals: its commands print what it shows, and say what the page claims."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transcript import is_shown, transcript

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "howto" / "understand-a-refusal.md").read_text()


@pytest.mark.parametrize(("command", "shown"), transcript(PAGE))
def test_every_command_prints_what_the_page_shows(command: str, shown: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT / "examples" / "changes",
        env={"PATH": path, "NO_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert is_shown(shown, done.stdout), done.stdout
    assert (done.returncode, done.stderr) == (100 if "\nincompatible: " in shown else 0, "")


def test_the_page_shows_each_mistake_with_its_remedy() -> None:
    steps = transcript(PAGE)
    assert len(steps) == 6
    for kind in ("OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", "MISSING_ENUM_SYMBOLS", "WIRE_VALUE_NARROWED"):
        assert any(kind in shown and "  fix: " in shown for _, shown in steps)
