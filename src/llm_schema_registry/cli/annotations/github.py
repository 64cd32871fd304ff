"""Workflow commands of GitHub Actions: an annotation at the line of each finding.

Refuses to write anything else, since a line of a log that looks like a command is one.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_registry.cli.checked import Checked, Note, notes_of
from llm_schema_registry.model import Severity

_COMMANDS = {Severity.BREAKING: "error", Severity.HAZARD: "warning", Severity.INFO: "notice"}


def write_github(files: Sequence[Checked], *, is_verbose: bool) -> str:
    """Write a command for each finding and problem."""
    return "\n".join(_command(note) for checked in files for note in notes_of(checked, is_verbose=is_verbose))


def _command(note: Note) -> str:
    properties = {"file": note.file}
    if note.place is not None:
        properties |= {"line": str(note.place.line), "col": str(note.place.column)}
    properties["title"] = note.kind
    stated = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[note.severity]} {stated}::{_data(note.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
