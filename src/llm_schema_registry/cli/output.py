"""How answers look: JSON, tables, lines and schema texts on standard output.

Refuses to know which command answers. What a server sent can never steer the terminal.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum

_UNLIMITED_COLUMNS = 100_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_EXCEPT_LAYOUT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Output(StrEnum):
    """What a command writes to standard output."""

    TABLE = "table"
    JSON = "json"


class Colour(StrEnum):
    """When to write colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"

    @property
    def is_wanted(self) -> bool:
        """Unless said: on a terminal whose user has not set NO_COLOR (no-color.org)."""
        if self is Colour.AUTO:
            return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return self is Colour.ALWAYS


def print_json(value: object) -> None:
    """Write a value as indented JSON."""
    print(harmless(json.dumps(value, indent=2, ensure_ascii=False)))


def print_text(text: str) -> None:
    """Write an answer as it was laid out."""
    print(harmless(text))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under their titles; off a terminal no cell is wrapped or cut."""
    from rich.console import Console  # noqa: PLC0415  # not needed for JSON, so not loaded for it
    from rich.table import Table  # noqa: PLC0415  # as above
    from rich.text import Text  # noqa: PLC0415  # as above

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column.upper(), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console = Console(width=None if sys.stdout.isatty() else _UNLIMITED_COLUMNS, highlight=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def print_schema(text: str) -> None:
    """Write a schema's text: as stored, or on a terminal laid out for people."""
    if not sys.stdout.isatty():
        print(text)
        return
    import msgspec  # noqa: PLC0415  # only a terminal needs it

    # A schema language that is not JSON comes laid out from the server. JSON is laid out without reading its numbers,
    # so that none of them changes.
    with suppress(msgspec.DecodeError):
        text = msgspec.json.format(text, indent=2)
    print(harmless(text))


def harmless(text: str) -> str:
    """Write out the control characters of a text except tabs and ends of lines; JSON keeps its meaning."""
    return _CONTROL_EXCEPT_LAYOUT.sub(_escape, text)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return visible(", ".join(str(item) for item in value))
    return visible(json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value))


def visible(text: str) -> str:
    """Write out every control character of a text, ends of lines too, so that it is one line."""
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
