"""The JSON text of a payload into a value: strictly, in bounds, and fast where nothing is wrong.

Refuses to know any schema or format. The fast way decodes and counts; only what that cannot vouch for is read again,
slowly, to say what is wrong and where.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from math import isinf
from typing import Any, NamedTuple

import msgspec

from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_VALUES, Reading, printable
from llm_schema_registry.formats.places import Trail, pointer
from llm_schema_registry.model import Violation, ViolationKind

MAX_INTEGER_DIGITS = 1_000
"""Digits of a number without fraction; what has one, or an exponent, is a double."""

_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TO_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * (MAX_INTEGER_DIGITS + 1)
_EMPTY = re.compile(rb"[\[{][ \t\r\n]*+[\]}]")
_MAX_SHOWN = 40
_BOM = b"\xef\xbb\xbf"


def read_json(
    data: bytes, limit: int = 100, *, depth: int = MAX_PAYLOAD_DEPTH, has_nan_as_text: bool = False
) -> Reading:
    """Decode UTF-8 without byte order mark that holds one JSON value; of repeated names the last one wins.

    Violations, at most `limit`: what is not JSON or not Unicode, a name that an object has twice, numbers beyond a
    double or MAX_INTEGER_DIGITS, more than `depth` objects and lists inside each other, or more than
    MAX_PAYLOAD_VALUES values. `has_nan_as_text` says that the format writes NaN and the infinities as strings.
    """
    if _holds_too_many(data):
        return _refused(ViolationKind.TOO_LARGE, f"at most {MAX_PAYLOAD_VALUES} values", "more")
    try:
        value = msgspec.json.decode(data)
        if not (
            _is_deep(data, value, depth) or _may_be_flawed(data, value) or _LONG_NUMBER in data.translate(_TO_ZEROS)
        ):
            return Reading(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    return _read_slowly(data, limit, depth, has_nan_as_text)


def _holds_too_many(data: bytes) -> bool:
    if len(data) <= 2 * MAX_PAYLOAD_VALUES or _separators(data) < MAX_PAYLOAD_VALUES:
        return False
    return _separators(_EMPTY.sub(b"", _STRINGS.sub(b"0", data))) >= MAX_PAYLOAD_VALUES


def _separators(data: bytes) -> int:
    """Every value but the first follows one of these, unless something is empty; names are no values."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _is_deep(data: bytes, value: object, depth: int) -> bool:
    if data.count(b"[") + data.count(b"{") <= depth:
        return False
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        level = [
            item
            for holder in level
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _may_be_flawed(data: bytes, value: object) -> bool:
    """Whether a name may stand twice in an object, or a string may hold half of a surrogate pair.

    A colon follows a name or stands inside a string. The value written again has fewer of them if it lost a name, and
    as many if it did not, unless a string spells one as an escape. Raises UnicodeDecodeError for half a pair.
    """
    written = msgspec.json.encode(value)
    if b"\\u" in data:
        written.decode()
        if b"\\u003a" in data or b"\\u003A" in data:
            return True
    return data.count(b":") != written.count(b":")


def _refused(kind: ViolationKind, expected: str, found: str) -> Reading:
    return Reading(None, (_violation(kind, None, "payload", expected, found),))


def _violation(kind: ViolationKind, trail: Trail, what: str, expected: str, found: str, hint: str = "") -> Violation:
    path = pointer(trail)
    where = f" at '{printable(path)}'" if path else ""
    message = f"The {what}{where} is refused: expected {expected}, found {found}{hint and '; '}{hint}"
    return Violation(kind, path, message, expected=expected, found=found)


class _Flawed(NamedTuple):
    """A number that is none, or is out of range, in the place of its value."""

    kind: ViolationKind
    expected: str
    text: str


class _Repeating(dict[str, Any]):
    """An object some of whose names stand in it more than once."""

    names: tuple[str, ...]


def _read_slowly(data: bytes, limit: int, depth: int, has_nan_as_text: bool) -> Reading:
    if data.startswith(_BOM):
        return _refused(ViolationKind.MALFORMED, "JSON", "a byte order mark before it")
    try:
        value = _decoder.decode(data.decode())
    except UnicodeDecodeError as error:
        found = f"the byte 0x{data[error.start]:02x} at offset {error.start}"
        return _refused(ViolationKind.INVALID_TEXT, "UTF-8", found)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        return _refused(ViolationKind.MALFORMED, "JSON", f"{error.msg} at {at}")
    except RecursionError:
        return Reading(None, (_too_deep(None, depth),))
    violations = []
    for violation in _flaws(value, depth, has_nan_as_text):
        violations.append(violation)
        if len(violations) >= limit or violation.kind is ViolationKind.TOO_DEEP:
            break
    return Reading(value, tuple(violations))


def _flaws(root: object, depth: int, has_nan_as_text: bool) -> Iterator[Violation]:
    """Yield what is wrong with a value of the decoder below, in document order."""
    # Ways are written out where something is wrong only: a long name can stand above a million values.
    waiting: list[Iterator[tuple[Trail, Any]]] = [iter([(None, root)])]
    while waiting:
        place = next(waiting[-1], None)
        if place is None:
            waiting.pop()
            continue
        trail, value = place
        if isinstance(value, dict | list) and len(waiting) > depth:
            yield _too_deep(trail, depth)
        elif isinstance(value, dict):
            yield from _flaws_of_names(trail, value)
            waiting.append(_inside(trail, value.items()))
        elif isinstance(value, list):
            waiting.append(_inside(trail, enumerate(value)))
        elif isinstance(value, _Flawed):
            yield _bad_number(trail, value, has_nan_as_text)
        elif isinstance(value, str) and not _is_unicode(value):
            yield _half_pair(trail, "string")


def _inside(trail: Trail, parts: Iterable[tuple[str | int, Any]]) -> Iterator[tuple[Trail, Any]]:
    for part, value in parts:
        yield (trail, part), value


def _flaws_of_names(trail: Trail, value: dict[str, Any]) -> Iterator[Violation]:
    for name in value:
        if not _is_unicode(name):
            yield _half_pair((trail, name), "name")
    for name in value.names if isinstance(value, _Repeating) else ():
        expected, hint = "each name once", "readers differ in which one counts"
        yield _violation(ViolationKind.FIELD_REPEATED, (trail, name), "name", expected, "it again", hint)


def _half_pair(trail: Trail, what: str) -> Violation:
    return _violation(ViolationKind.INVALID_TEXT, trail, what, "Unicode", "half of a surrogate pair")


def _is_unicode(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _bad_number(trail: Trail, number: _Flawed, has_nan_as_text: bool) -> Violation:
    kind, expected, text = number
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:20]}... of {len(text)} characters"
    hint = f'write it as a string: "{text}"' if has_nan_as_text and kind is ViolationKind.MALFORMED else ""
    return _violation(kind, trail, "number", expected, shown, hint)


def _too_deep(trail: Trail, depth: int) -> Violation:
    expected = f"at most {depth} levels of objects and lists"
    return _violation(ViolationKind.TOO_DEEP, trail, "payload", expected, "more")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    repeating = _Repeating(value)
    counts = Counter(name for name, _ in pairs)
    repeating.names = tuple(name for name, count in counts.items() if count > 1)
    return repeating


def _integer(text: str) -> int | _Flawed:
    if len(text) > MAX_INTEGER_DIGITS:
        return _Flawed(ViolationKind.OUT_OF_RANGE, f"at most {MAX_INTEGER_DIGITS} digits", text)
    return int(text)


def _fraction(text: str) -> float | _Flawed:
    number = float(text)
    return (
        _Flawed(ViolationKind.OUT_OF_RANGE, "a number within the range of a double", text) if isinf(number) else number
    )


def _constant(name: str) -> _Flawed:
    return _Flawed(ViolationKind.MALFORMED, "a number of JSON", name)


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
