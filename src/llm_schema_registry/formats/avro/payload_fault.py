"""What is wrong in a payload and the way up from there, each container adding its part of the path; and the bounds.

Refuses to know an encoding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llm_schema_registry.formats.avro.document import shorten
from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_VALUES, printable
from llm_schema_registry.formats.places import pointer_token
from llm_schema_registry.model import Violation, ViolationKind

# Keys and texts of a payload can be of any length; what is said about them stays a sentence.
_MAX_SHOWN = 100


@dataclass(slots=True)
class Fault:
    """A violation in the making. `tokens` are the path, innermost first; `hint` says how to mend it."""

    kind: ViolationKind
    expected: str
    found: str
    schema_path: str | None = None
    hint: str = ""
    tokens: list[str] = field(default_factory=list)

    def violation(self) -> Violation:
        """Put path and message together; names that are too long are cut."""
        path = "".join(f"/{pointer_token(shorten(token, _MAX_SHOWN))}" for token in reversed(self.tokens))
        found = printable(shorten(self.found, _MAX_SHOWN))
        mend = f"; {self.hint}" if self.hint else ""
        message = printable(f"Expected {self.expected} at {shorten(path) or 'the top'}, found {found}{mend}")
        return Violation(self.kind, path, message, self.expected, found, self.schema_path or "")


class Flawed(Exception):
    """A value with faults. `at` is the offset behind it; None when nothing more can be read."""

    def __init__(self, faults: list[Fault], value: object = None, at: int | None = None) -> None:
        self.faults = faults
        self.value = value
        self.at = at

    def absorb(self, token: str | None, faults: list[Fault], limit: int) -> tuple[Any, int]:
        """Take the faults over into those of a container, and return the value and where to go on.

        `token` leads from the container to the value, None when it is its own. Raises Flawed when it cannot go on, or
        has `limit` faults.
        """
        if token is not None:
            for fault in self.faults:
                fault.tokens.append(token)
        faults += self.faults
        if self.at is None or len(faults) >= limit:
            raise Flawed(faults) from None
        return self.value, self.at


class Unfit(Exception):
    """A value that its logical type does not allow."""

    def __init__(self, kind: ViolationKind, expected: str, found: str) -> None:
        self.kind = kind
        self.expected = expected
        self.found = found


@dataclass(slots=True)
class Bounds:
    """After how many faults reading ends, and how many more values a payload may have."""

    faults: int
    values: int = MAX_PAYLOAD_VALUES

    def enter(self, count: int, depth: int, place: str | None) -> None:
        """Go into a container of so many values, inside of so many others. Raises Flawed."""
        if depth >= MAX_PAYLOAD_DEPTH:
            raise Flawed([Fault(ViolationKind.TOO_DEEP, f"at most {MAX_PAYLOAD_DEPTH} levels", "another one", place)])
        if count > self.values:
            raise Flawed([Fault(ViolationKind.TOO_LARGE, f"at most {self.values} more values", str(count), place)])
        self.values -= count
