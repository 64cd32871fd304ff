"""The JSON text of a payload into a value: strictly, in bounds, and fast where nothing is wrong.

Refuses to know any schema or format. The fast way decodes and counts; only what that cannot vouch for is read again,
slowly, to say what is wrong and where.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from math import isinf
from typing import Any, NamedTuple

import msgspec

from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_VALUES, Reading
from llm_schema_registry.formats.places import pointer_token
from llm_schema_registry.model import Violation, ViolationKind

MAX_INTEGER_DIGITS = 1_000
"""Digits of a number without fraction; what has one, or an exponent, is a double."""

_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_LONG_DIGITS = re.compile(rb"[0-9]{%d}" % (MAX_INTEGER_DIGITS + 1))
_BOM = b"\xef\xbb\xbf"


def read_json(data: bytes, limit: int = 100) -> Reading:
    """Decode UTF-8 without byte order mark that holds one JSON value; of repeated names the last one wins.

    Violations, at most `limit`: what is not JSON or not Unicode, a name that an object has twice, numbers beyond a
    double or MAX_INTEGER_DIGITS, more than MAX_PAYLOAD_DEPTH levels or MAX_PAYLOAD_VALUES values.
    """
    if _holds_too_many(data):
        return _refused(ViolationKind.TOO_LARGE, "payload", f"at most {MAX_PAYLOAD_VALUES} values", "more")
    try:
        value = msgspec.json.decode(data)
        if not (_is_deep(data, value) or _may_be_flawed(data, value) or _LONG_DIGITS.search(data)):
            return Reading(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    return _read_slowly(data, limit)


def _holds_too_many(data: bytes) -> bool:
    if len(data) <= 2 * MAX_PAYLOAD_VALUES or _separators(data) < MAX_PAYLOAD_VALUES:
        return False
    return _separators(_STRINGS.sub(b"", data)) >= MAX_PAYLOAD_VALUES


def _separators(data: bytes) -> int:
    """Every value but the first follows one of these; names are no values."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _is_deep(data: bytes, value: object) -> bool:
    if data.count(b"[") + data.count(b"{") <= MAX_PAYLOAD_DEPTH:
        return False
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_PAYLOAD_DEPTH):
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


def _refused(kind: ViolationKind, what: str, expected: str, found: str) -> Reading:
    message = f"The {what} is refused: expected {expected}, found {found}"
    return Reading(None, (Violation(kind, "", message, expected=expected, found=found),))


class _Flawed(NamedTuple):
    """A number that is none, or is out of range, in the place of its value."""

    kind: ViolationKind
    expected: str
    text: str


class _Repeating(dict[str, Any]):
    """An object some of whose names stand in it more than once."""

    names: tuple[str, ...]


def _read_slowly(data: bytes, limit: int) -> Reading:
    if data.startswith(_BOM):
        return _refused(ViolationKind.MALFORMED, "payload", "JSON", "a byte order mark before it")
    try:
        value = _decoder.decode(data.decode())
    except UnicodeDecodeError as error:
        return _refused(
            ViolationKind.INVALID_TEXT, "payload", "UTF-8", f"the byte 0x{data[error.start]:02x} at {error.start}"
        )
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        return _refused(ViolationKind.MALFORMED, "payload", "JSON", f"{error.msg} at {at}")
    except RecursionError:
        return _too_deep("")
    violations = []
    for violation in _flaws(value):
        violations.append(violation)
        if len(violations) >= limit or violation.kind is ViolationKind.TOO_DEEP:
            break
    return Reading(value, tuple(violations))


def _flaws(root: object) -> Iterator[Violation]:
    """Yield what is wrong with a value of the decoder below, in document order."""
    waiting: list[tuple[str, int, Any]] = [("", 1, root)]
    while waiting:
        path, depth, value = waiting.pop()
        if isinstance(value, dict | list) and depth > MAX_PAYLOAD_DEPTH:
            yield from _too_deep(path).violations
        elif isinstance(value, dict):
            yield from _flaws_of_names(path, value)
            below = [(f"{path}/{pointer_token(name)}", depth + 1, item) for name, item in value.items()]
            waiting.extend(reversed(below))
        elif isinstance(value, _Flawed):
            shown = value.text if len(value.text) <= 40 else f"{value.text[:20]}... of {len(value.text)} characters"
            message = f"The number at '{path}' is refused: expected {value.expected}, found {shown}"
            yield Violation(value.kind, path, message, expected=value.expected, found=shown)
        elif isinstance(value, list):
            waiting.extend(reversed([(f"{path}/{index}", depth + 1, item) for index, item in enumerate(value)]))
        elif isinstance(value, str) and not _is_unicode(value):
            yield _half_pair(path, "string")


def _flaws_of_names(path: str, value: dict[str, Any]) -> Iterator[Violation]:
    for name in value:
        if not _is_unicode(name):
            yield _half_pair(path, "name in the object")
    for name in value.names if isinstance(value, _Repeating) else ():
        at = f"{path}/{pointer_token(name)}"
        message = f"The name at '{at}' stands more than once in its object; readers differ in which one they take"
        yield Violation(ViolationKind.FIELD_REPEATED, at, message, expected="each name once", found="a name again")


def _half_pair(path: str, what: str) -> Violation:
    message = f"The {what} at '{path}' holds half of a surrogate pair; both halves have to be written"
    return Violation(ViolationKind.INVALID_TEXT, path, message, expected="Unicode", found="half of a surrogate pair")


def _is_unicode(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _too_deep(path: str) -> Reading:
    expected = f"at most {MAX_PAYLOAD_DEPTH} levels of objects and lists"
    message = f"The payload is nested too deeply: expected {expected}, found more"
    return Reading(None, (Violation(ViolationKind.TOO_DEEP, path, message, expected=expected, found="more"),))


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
