"""The page about the catalogue: its commands are run against a server, in their order."""

from __future__ import annotations

import shlex
from pathlib import Path

from cli_command import Cli
from server_process import running_server
from transcript import transcript

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "use-the-catalogue.md"


def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    steps = transcript(PAGE.read_text())
    assert len(steps) == 3
    with running_server() as server:
        cli = Cli(tmp_path, server.url)
        for command, shown in steps:
            name, *arguments = shlex.split(command)
            assert name == "lsr"
            assert cli.run(*arguments) == (0, shown, "")
