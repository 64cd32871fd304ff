"""From the value that Avro wrote to what it means under a logical type, in plain Python.

Refuses to read payloads. What Python has no value for is refused here and not left as a number: the type of a value
must not hang on its size, and Python clients and SQL engines end at the year 9999 as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any, TypeAlias
from uuid import UUID

from llm_schema_registry.formats.avro.logical import Logical, logical_type
from llm_schema_registry.formats.avro.payload_fault import Unfit
from llm_schema_registry.formats.avro.tree import Fixed, Type
from llm_schema_registry.formats.shape import Logical as Meaning
from llm_schema_registry.model import ViolationKind

Conversion: TypeAlias = Callable[[Any], object]
"""From a raw value of the underlying type. Raises Unfit."""

MAX_DIGITS = 1_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a local timestamp is one without a zone
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY = 24 * 60 * 60 * 10**6
_DAYS_A_MONTH = 30
_UUID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CONTEXT = Context(prec=MAX_DIGITS)
_MEANINGS = {
    "date": Meaning.DATE,
    "time": Meaning.TIME,
    "timestamp": Meaning.TIMESTAMP,
    "duration": Meaning.DURATION,
    "decimal": Meaning.DECIMAL,
    "uuid": Meaning.UUID,
}


def meaning(schema: Type) -> Meaning | None:
    """Return what values of a type mean beyond it."""
    logical = _readable(schema)
    return _MEANINGS[logical.name.removeprefix("local-").partition("-")[0]] if logical is not None else None


def conversion(schema: Type) -> Conversion | None:
    """Return how values of a type are given their meaning, None when they mean themselves."""
    logical = _readable(schema)
    if logical is None:
        return None
    match logical.name:
        case "date":
            return _date
        case "time-millis":
            return _time(10**3)
        case "time-micros":
            return _time(1)
        case "decimal":
            return _decimal(logical)
        case "uuid":
            return _uuid_bytes if isinstance(schema, Fixed) else _uuid_text
        case "duration":
            return _duration
        case name:
            return _timestamp(_LOCAL_EPOCH if name.startswith("local-") else _EPOCH, name.rpartition("-")[2])


def _readable(schema: Type) -> Logical | None:
    """Leave out what Python has no value for: a decimal carries its scale in each value, or too many digits."""
    logical = logical_type(schema)
    if logical is None or logical.name == "big-decimal" or logical.scale > MAX_DIGITS:
        return None
    return logical


def _date(days: int) -> date:
    try:
        return date.fromordinal(days + _EPOCH_DAY)
    except (ValueError, OverflowError):
        raise Unfit(ViolationKind.OUT_OF_RANGE, "a date of the years 1 to 9999", f"day {days} after 1970") from None


def _time(micros: int) -> Conversion:
    def convert(count: int) -> time:
        if not 0 <= count * micros < _DAY:
            raise Unfit(ViolationKind.OUT_OF_RANGE, f"a time of the day below {_DAY // micros}", str(count))
        return (_LOCAL_EPOCH + timedelta(0, 0, count * micros)).time()

    return convert


def _timestamp(epoch: datetime, unit: str) -> Conversion:
    # Python knows no nanoseconds: what is below a microsecond is cut off.
    factor, divisor = {"millis": (10**3, 1), "micros": (1, 1), "nanos": (1, 10**3)}[unit]

    def convert(count: int) -> datetime:
        try:
            return epoch + timedelta(0, 0, count * factor // divisor)
        except OverflowError:
            found = f"{count} {unit} after 1970"
            raise Unfit(ViolationKind.OUT_OF_RANGE, "a timestamp of the years 1 to 9999", found) from None

    return convert


def _decimal(logical: Logical) -> Conversion:
    digits = min(logical.precision, MAX_DIGITS)
    bound: int = 10**digits
    expected = f"a decimal of at most {digits} digits"

    def convert(raw: bytes) -> Decimal:
        if not raw:
            raise Unfit(ViolationKind.MALFORMED, "a decimal of at least one byte", "no bytes")
        number = int.from_bytes(raw, signed=True)
        if not -bound < number < bound:
            raise Unfit(ViolationKind.NOT_PRECISE, expected, f"a number of {number.bit_length()} bits")
        return Decimal(number).scaleb(-logical.scale, _CONTEXT)

    return convert


def _uuid_text(text: str) -> UUID:
    if _UUID.fullmatch(text) is None:
        raise Unfit(ViolationKind.FORMAT_MISMATCH, "a UUID in hexadecimal with hyphens", repr(text))
    return UUID(text)


def _uuid_bytes(raw: bytes) -> UUID:
    return UUID(bytes=raw)


def _duration(raw: bytes) -> timedelta:
    """Take a month as 30 days, like fastavro: only so is it a length of time."""
    months, days, millis = (int.from_bytes(raw[at : at + 4], "little") for at in (0, 4, 8))
    try:
        return timedelta(days=months * _DAYS_A_MONTH + days, milliseconds=millis)
    except OverflowError:
        found = f"{months} months and {days} days"
        raise Unfit(ViolationKind.OUT_OF_RANGE, "a duration below 999,999,999 days", found) from None
