"""Does a property name match a pattern: unanchored search with bounded time, each pattern compiled once a run.

Refuses Python's `re`, whose time on a hostile pattern is exponential.
"""

from __future__ import annotations

from collections.abc import Callable

import jsonschema_rs

MAX_PATTERN = 20_000
"""Characters of a pattern that is compiled: engines read all of it before they look at the size of what comes out."""

_SIZE_LIMIT = 256 * 1024
_LINEAR = jsonschema_rs.RegexOptions(size_limit=_SIZE_LIMIT)
# Look-around and back-references need an engine that goes back; it gives up, which counts as no match.
_BACKTRACKING = jsonschema_rs.FancyRegexOptions(backtrack_limit=1_000, size_limit=_SIZE_LIMIT)
_MAX_COMPILED = 1_000
# Steps of the comparison that an action is worth, by measured time.
_COMPILE_STEPS = 500
_BACKTRACK_STEPS = 100

_Compiled = tuple[jsonschema_rs.Validator, int]


class Patterns:
    """Compiled patterns of one comparison."""

    def __init__(self) -> None:
        """Begin with none."""
        self._compiled: dict[str, _Compiled | None] = {}

    def is_match(self, pattern: str, name: str, spend: Callable[[int], None]) -> bool:
        """Search a name and report the work to `spend`; a pattern that no engine can run in bounds matches nothing."""
        if pattern not in self._compiled:
            spend(_COMPILE_STEPS)
            if len(self._compiled) >= _MAX_COMPILED:
                self._compiled.clear()
            self._compiled[pattern] = _compile(pattern)
        compiled = self._compiled[pattern]
        if compiled is None:
            return False
        validator, steps = compiled
        spend(steps + len(name) // 100)
        return validator.is_valid(name)


def _compile(pattern: str) -> _Compiled | None:
    if len(pattern) > MAX_PATTERN:
        return None
    for options, steps in ((_LINEAR, 1), (_BACKTRACKING, _BACKTRACK_STEPS)):
        try:
            validator = jsonschema_rs.Draft7Validator({"pattern": pattern}, offline=True, pattern_options=options)
        except jsonschema_rs.ValidationError:
            continue
        return validator, steps
    return None
