"""The violations found in one payload, and the way down to the value that is being looked at.

Refuses to look at any value.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_VALUES, printable
from llm_schema_registry.formats.places import Trail, pointer
from llm_schema_registry.model import Violation, ViolationKind

MAX_PAYLOAD_SLOTS = 8_000_000
"""Fields of all messages in a payload, set or not: the runtime keeps 8 to 16 bytes for each."""

_MAX_FOUND = 80


class Enough(Exception):
    """Nothing more is to be looked for: the limit is reached, or the rest cannot be read."""


class Findings:
    """Collects up to `limit` violations, and counts what a payload holds."""

    def __init__(self, limit: int) -> None:
        self.violations: list[Violation] = []
        self._limit = max(limit, 1)
        self._values = 0
        self._slots = 0

    def add(self, kind: ViolationKind, trail: Trail, expected: str, found: str, schema_path: str = "") -> None:
        """Note a violation. Raises Enough when it is the last that is wanted."""
        path = pointer(trail)
        if kind is ViolationKind.FIELD_MISSING and any(known.path == path for known in self.violations):
            return  # it is there, but wrong
        found = shorten(found)
        message = f"{path or 'The payload'}: expected {expected}, found {found}"
        if len(self.violations) < self._limit:
            self.violations.append(Violation(kind, path, message, expected, found, schema_path))
        if len(self.violations) >= self._limit:
            raise Enough

    def put_before(self, violations: Sequence[Violation]) -> None:
        """Take up violations that come before those noted so far."""
        self.violations = [*violations, *self.violations][: self._limit]

    def stop(self, kind: ViolationKind, trail: Trail, expected: str, found: str, schema_path: str = "") -> Enough:
        """Note a violation after which the rest cannot be read, and return what to raise."""
        with suppress(Enough):
            self.add(kind, trail, expected, found, schema_path)
        return Enough()

    def count(self, values: int, trail: Trail, slots: int = 0) -> None:
        """Count values read, and the fields that their messages may have. Raises Enough beyond a bound."""
        self._values += values
        self._slots += slots
        if self._values > MAX_PAYLOAD_VALUES:
            raise self.stop(ViolationKind.TOO_LARGE, trail, f"at most {MAX_PAYLOAD_VALUES:,} values", "more")
        if self._slots > MAX_PAYLOAD_SLOTS:
            raise self.stop(ViolationKind.TOO_LARGE, trail, f"messages of {MAX_PAYLOAD_SLOTS:,} fields in all", "more")

    def enter(self, depth: int, trail: Trail) -> None:
        """Check how many messages are inside each other. Raises Enough beyond the bound."""
        if depth > MAX_PAYLOAD_DEPTH:
            raise self.stop(
                ViolationKind.TOO_DEEP, trail, f"at most {MAX_PAYLOAD_DEPTH} messages in each other", "more"
            )


def shorten(text: str) -> str:
    """Return text of a payload as it may stand in a message."""
    return printable(text if len(text) <= _MAX_FOUND else f"{text[:_MAX_FOUND]}...")
