"""Logical types: which a type has, as Java reads them, and what a value means under one.

Refuses to compare schemas. Rules: the Avro specification, "Logical Types".
"""

from __future__ import annotations

import json
import math
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from llm_schema_registry.formats.avro.tree import Fixed, Primitive, Type

_UNITS = {"millis": 10**3, "micros": 10**6, "nanos": 10**9}
_BASES = {
    "date": "int",
    "time-millis": "int",
    "time-micros": "long",
    **{f"{zone}timestamp-{unit}": "long" for zone in ("", "local-") for unit in _UNITS},
    "uuid": "string",
    "big-decimal": "bytes",
}
_UUID_SIZE = 16
_DURATION_SIZE = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 24 * 60 * 60
# Noon, and the first day of 2024.
_NUMBERS = {
    "date": 19_723,
    **{f"time-{unit}": _DAY // 2 * count for unit, count in _UNITS.items()},
    **{f"{zone}timestamp-{unit}": 19_723 * _DAY * count for zone in ("", "local-") for unit, count in _UNITS.items()},
}
# More digits or bytes show nothing more to a person.
_MAX_SHOWN = 60


class Logical(NamedTuple):
    """A logical type. `precision` and `scale` are those of a decimal."""

    name: str
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"decimal({self.precision}, {self.scale})" if self.name == "decimal" else self.name


def logical_type(schema: Type) -> Logical | None:
    """Return the logical type of a type; unknown and invalid ones count for nothing, as the specification asks."""
    if not isinstance(schema, (Primitive, Fixed)) or "logicalType" not in schema.properties:
        return None
    name = schema.properties["logicalType"]
    if name == "decimal":
        return _decimal(schema)
    if isinstance(schema, Fixed):
        size = {"uuid": _UUID_SIZE, "duration": _DURATION_SIZE}.get(str(name))
        return Logical(str(name)) if schema.size == size else None
    return Logical(str(name)) if _BASES.get(str(name)) == schema.type else None


def _decimal(schema: Primitive | Fixed) -> Logical | None:
    precision, scale = schema.properties.get("precision"), schema.properties.get("scale", 0)
    if not isinstance(precision, int) or not isinstance(scale, int) or isinstance(precision, bool):
        return None
    if isinstance(scale, bool) or not 0 <= scale <= precision or precision == 0:
        return None
    if isinstance(schema, Fixed):
        # The digits that always fit into two's complement of this size.
        fits = precision <= math.floor(math.log10(2) * (8 * schema.size - 1))
    else:
        fits = schema.type == "bytes"
    return Logical("decimal", precision, scale) if fits else None


def number_sample(writer: Logical | None, reader: Logical | None) -> int:
    """Return an int or long of the writer that shows how the reader's meaning differs. One of both has a meaning."""
    return next(_NUMBERS[logical.name] for logical in (writer, reader) if logical is not None)


def bytes_sample(schema: Type, writer: Logical | None, *, has_all_digits: bool) -> bytes | None:
    """Return bytes for a writer of bytes or fixed, as a decimal a number of three digits or all; None when too long."""
    size = schema.size if isinstance(schema, Fixed) else 0
    digits = 0
    if writer is not None and writer.name == "decimal":
        digits = writer.precision if has_all_digits else min(writer.precision, 3)
    if max(digits, size) > _MAX_SHOWN:
        return None
    if digits == 0:
        return bytes(range(1, (size or 1) + 1))
    number: int = 10 ** (digits - 1)
    return number.to_bytes(size or number.bit_length() // 8 + 1)


def bytes_text(raw: bytes) -> str:
    """Return bytes as Avro's JSON encoding writes them."""
    return json.dumps(raw.decode("latin-1"))


def read_number(logical: Logical | None, value: int) -> str:
    """Say what an int or long means under a logical type."""
    if logical is None:
        return str(value)
    if logical.name == "date":
        moment = _moment(value * _DAY, 1)
        return moment.date().isoformat() if moment else f"day {value}, beyond the year 9999"
    kind, unit = logical.name.rsplit("-", 1)
    moment = _moment(value, _UNITS[unit])
    if moment is None:
        return f"{value} {unit} after 1970, beyond the year 9999"
    if kind == "time":
        return (
            moment.time().isoformat() if value < _DAY * _UNITS[unit] else f"{value} {unit}, which are no time of a day"
        )
    return moment.replace(tzinfo=None).isoformat() + ("Z" if kind == "timestamp" else " local time")


def _moment(value: int, per_second: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=value * 10**6 // per_second)
    except OverflowError:
        return None


def read_bytes(logical: Logical | None, raw: bytes) -> str:
    """Say what bytes mean under a logical type."""
    match logical:
        case Logical("decimal"):
            number = int.from_bytes(raw, signed=True)
            if logical.scale > _MAX_SHOWN:
                return f"{number}E-{logical.scale}"
            return f"{Decimal(number).scaleb(-logical.scale):f}"
        case Logical("uuid"):
            return str(uuid.UUID(bytes=raw))
        case Logical("duration"):
            months, days, millis = (int.from_bytes(raw[at : at + 4], "little") for at in (0, 4, 8))
            return f"{months} months, {days} days, {millis} ms"
        case _:
            return f"the bytes {raw.hex(' ')}"
