"""What a page of documentation shows in its console blocks: commands with the output that each prints."""

from __future__ import annotations

import re

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def transcript(page: str) -> list[tuple[str, str]]:
    """The commands of all console blocks with the output that each shows."""
    steps: list[tuple[str, str]] = []
    for block in _BLOCK.findall(page):
        for line in block.splitlines(keepends=True):
            if line.startswith("$ "):
                steps.append((line[2:].strip(), ""))
            else:
                command, output = steps[-1]
                steps[-1] = (command, output + line)
    return steps


def is_shown(shown: str, printed: str) -> bool:
    """Whether an output is the one that a page shows, where `...` stands for anything."""
    return bool(re.fullmatch(".*".join(map(re.escape, shown.split("..."))), printed, re.DOTALL))
