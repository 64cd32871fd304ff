"""The tests of constraints: whether a plain value is in a range, of a length, among some values.

Refuses to know fields, and to doubt the numbers that it is given (`contracts.constraints.terms` does).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from llm_schema_registry.contracts.jsonable import shown
from llm_schema_registry.model import ViolationKind


class Check(NamedTuple):
    """One term, ready to be asked. `is_met` takes any plain value; one that the term is not about meets it."""

    is_met: Callable[[object], bool]
    kind: ViolationKind
    expected: str


def _is_integer(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


TYPES: Final[dict[str, Callable[[object], bool]]] = {
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "number": _is_number,
    "decimal": lambda value: isinstance(value, Decimal),
    "string": lambda value: isinstance(value, str),
    "bytes": lambda value: isinstance(value, bytes),
    "object": lambda value: isinstance(value, dict),
    "date": lambda value: isinstance(value, date) and not isinstance(value, datetime),
    "time": lambda value: isinstance(value, time),
    "timestamp": lambda value: isinstance(value, datetime),
    "duration": lambda value: isinstance(value, timedelta),
    "uuid": lambda value: isinstance(value, UUID),
}
"""The words of `type`, with the test of each."""


def any_of(tests: list[Callable[[object], bool]], expected: str) -> Check:
    """Return the test that a value is of one of some types."""
    is_met = tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)
    return Check(is_met, ViolationKind.TYPE_MISMATCH, f"of type {expected}")


COMPARISONS: Final[dict[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "minimum": (operator.ge, "at least"),
    "exclusiveMinimum": (operator.gt, "more than"),
    "maximum": (operator.le, "at most"),
    "exclusiveMaximum": (operator.lt, "less than"),
}
"""The bounds of a range by member: what holds between a value and the bound, and in words."""


def range_check(member: str, bound: int | Decimal) -> Check:
    """Return the test that a number is on its side of a bound; `member` is one of `COMPARISONS`."""
    holds, words = COMPARISONS[member]
    # A double is held against the double that the bound is: 0.1 is not more than 0.1.
    nearest = float(Decimal(bound))

    def is_met(value: object) -> bool:
        if type(value) is float:
            return holds(value, nearest)
        if isinstance(value, Decimal):
            return not value.is_nan() and holds(value, bound)
        return type(value) is not int or holds(value, bound)

    return Check(is_met, ViolationKind.OUT_OF_RANGE, f"{words} {bound}")


def digit_check(total: int | None, behind: int | None) -> Check:
    """Return the test that a number has so many digits at most, in all and behind the point."""
    most = None if total is None else 10**total

    def is_met(value: object) -> bool:
        if type(value) is int:
            return most is None or -most < value < most
        if type(value) is float:
            value = Decimal(repr(value))
        if not isinstance(value, Decimal):
            return True
        if not value.is_finite():
            return False
        whole, fraction = _digits(value)
        return (total is None or whole + fraction <= total) and (behind is None or fraction <= behind)

    parts = [f"{total} digits"] if total is not None else []
    parts += [f"{behind} digits behind the point"] if behind is not None else []
    return Check(is_met, ViolationKind.NOT_PRECISE, f"a number of at most {', '.join(parts)}")


def _digits(number: Decimal) -> tuple[int, int]:
    """Return how many digits a finite number has before and behind the point, zeros at the ends not counted."""
    if not number:
        return 0, 0
    _, digits, exponent = number.as_tuple()
    zeros = 0
    while digits[-1 - zeros] == 0:
        zeros += 1
    return max(number.adjusted() + 1, 0), max(-int(exponent) - zeros, 0)


def length_check(fits: Callable[[int], bool], expected: str) -> Check:
    """Return the test of the length of text, in characters, or of bytes."""
    return Check(
        lambda value: not isinstance(value, str | bytes) or fits(len(value)),
        ViolationKind.LENGTH_OUT_OF_RANGE,
        expected,
    )


def enum_check(values: Sequence[object], named: Sequence[object]) -> Check:
    """Return the test that a value is one of some; `named` is how they were written."""
    # True equals 1 in Python; a decimal does not equal the double that is next to it.
    allowed = {(isinstance(value, bool), value) for value in values}
    allowed |= {(False, float(value)) for value in values if isinstance(value, Decimal)}

    def is_met(value: object) -> bool:
        if isinstance(value, Decimal) and value.is_nan():
            return False
        if not isinstance(value, str | int | float | Decimal):
            return False
        return (isinstance(value, bool), value) in allowed

    expected = ", ".join(shown(value) for value in named[:5]) + (", …" if len(named) > 5 else "")
    return Check(is_met, ViolationKind.VALUE_NOT_ALLOWED, f"one of {expected}")


def of_text(test: Callable[[str], bool]) -> Callable[[object], bool]:
    """Make a test of text one of any value, which meets it when it is no text."""
    return lambda value: not isinstance(value, str) or test(value)
