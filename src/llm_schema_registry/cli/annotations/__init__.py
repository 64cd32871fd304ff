"""The forms in which programs take what a check found: one module each.

Refuses to check, and to print. Each writer takes the files of a command and returns its whole answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from llm_schema_registry.cli.annotations.github import write_github
from llm_schema_registry.cli.annotations.gitlab import write_gitlab
from llm_schema_registry.cli.annotations.json import write_json
from llm_schema_registry.cli.annotations.junit import write_junit
from llm_schema_registry.cli.annotations.sarif import write_sarif
from llm_schema_registry.cli.checked import Checked


class Writer(Protocol):
    """Writes the whole answer of a command; infos stand in it only when they were asked for."""

    def __call__(self, files: Sequence[Checked], *, is_verbose: bool) -> str: ...


WRITERS: Mapping[str, Writer] = {
    "json": write_json,
    "github-actions": write_github,
    "gitlab": write_gitlab,
    "junit": write_junit,
    "sarif": write_sarif,
}
"""By the name that `--error-format` takes."""
