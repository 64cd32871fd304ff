"""The command in a folder of its own, without any server."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_command import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)
