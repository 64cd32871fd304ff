"""Values on their way into rules and out of them.

Refuses to know the engine. Into a rule go plain values (`formats.base.Payloads.plain`) in which each logical type is
what it is to Confluent's clients: an instant a timestamp, a date its days since 1970, a time of day its milli- or
microseconds as on the wire, a UUID its text, a decimal a decimal. Protobuf messages go in as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import BytesValue, StringValue, UInt64Value

from llm_schema_registry.contracts.cel.decimals import is_decimal, to_decimal, to_message
from llm_schema_registry.contracts.fields import branches_of
from llm_schema_registry.formats.shape import Logical, Shape, ShapeKind

Change = Callable[[object], object]

_EPOCH = date(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)


def inward(shape: Shape) -> Change | None:
    """Return what makes a plain value ready for rules, or None when it is ready as it is. Raises ValueError."""
    return _inward(shape, {})


def guarded(value: object) -> object:
    """Return a value of which the engine sees all: it ends each text and bytes at a zero, unless they are a message.

    Raises ValueError for a key that holds one.
    """
    if isinstance(value, str):
        return StringValue(value=value) if "\0" in value else value
    if isinstance(value, bytes):
        return BytesValue(value=value) if b"\0" in value else value
    if isinstance(value, list):
        return [guarded(item) for item in value]
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            raise ValueError("the payload has a key with a zero byte, which rules can not see")
        return {key: guarded(item) for key, item in value.items()}
    return value


def instant(moment: datetime) -> Timestamp:
    """Return a moment as the engine knows it; one without a time zone is taken as UTC."""
    known = Timestamp()
    known.FromDatetime(moment if moment.tzinfo is None else moment.astimezone(UTC))
    return known


def outward(shape: Shape, value: object) -> object:
    """Return a rule's result as a plain value of a shape, as far as it is one. Raises ValueError or OverflowError."""
    if shape.kind is ShapeKind.COMBINED:
        shape = branch_for(shape, value)
    if isinstance(value, dict):
        fields, items = shape.fields, shape.items or _UNKNOWN
        return {str(key): outward(fields[key].shape if key in fields else items, part) for key, part in value.items()}
    if isinstance(value, list):
        return [outward(shape.items or _UNKNOWN, item) for item in value]
    if shape.logical in _OUTWARD and isinstance(value, int | str) and not isinstance(value, bool):
        return _OUTWARD[shape.logical](shape, value)
    return known(value)


def branch_for(shape: Shape, value: object) -> Shape:
    """Return the type among a union's that a value is of, by its outline."""
    if isinstance(value, dict | list):
        return next(branches_of(shape, value), _UNKNOWN)
    kinds = _KINDS.get(type(value), frozenset())
    for branch in shape.branches:
        if isinstance(value, _CLASSES[branch.logical]) if branch.logical else branch.kind in kinds:
            return branch
    return next((branch for branch in shape.branches if branch.kind in kinds), _UNKNOWN)


def known(value: object) -> object:
    """Return a scalar of a rule's result in plain Python."""
    if isinstance(value, bytearray):
        return bytes(value)
    return to_decimal(value) if is_decimal(value) else value


def _inward(shape: Shape, made: dict[int, Change | None]) -> Change | None:
    key = id(shape)
    if key in made:
        return made[key]
    if shape.logical is not None or shape.is_unsigned or shape.kind in _BINARY:
        made[key] = lambda value: _scalar(shape, value)
    elif shape.kind is ShapeKind.COMBINED:
        made[key] = _union(shape, made)
    elif shape.fields or shape.items is not None:
        # A type that contains itself asks for itself here: it is then taken to need a change.
        made[key] = lambda value: value if whole is None else whole(value)
        whole = _record(shape, made) if shape.fields else _items(shape, made)
        made[key] = whole
    else:
        made[key] = None
    return made[key]


def _record(shape: Shape, made: dict[int, Change | None]) -> Change | None:
    changes = [
        (name, change) for name, field in shape.fields.items() if (change := _inward(field.shape, made)) is not None
    ]

    def change_fields(value: object) -> object:
        if not isinstance(value, dict):
            return value
        changed = dict(value)
        for name, change in changes:
            part = changed.get(name)
            if part is not None:
                changed[name] = change(part)
        return changed

    return change_fields if changes else None


def _items(shape: Shape, made: dict[int, Change | None]) -> Change | None:
    change = None if shape.items is None else _inward(shape.items, made)
    if change is None:
        return None

    def change_items(value: object) -> object:
        if isinstance(value, list):
            return [item if item is None else change(item) for item in value]
        if isinstance(value, dict):
            return {key: item if item is None else change(item) for key, item in value.items()}
        return value

    return change_items


def _union(shape: Shape, made: dict[int, Change | None]) -> Change | None:
    changes = {id(branch): change for branch in shape.branches if (change := _inward(branch, made)) is not None}
    if not changes:
        return None

    def change_branch(value: object) -> object:
        branch = branch_for(shape, value)
        change = changes.get(id(branch))
        return value if change is None else change(value)

    return change_branch


def _scalar(shape: Shape, value: object) -> object:
    """Return a scalar as the engine knows it."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Decimal):
        return to_message(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, date):
        return (value - _EPOCH).days
    if isinstance(value, time):
        since = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
        return since // _unit(shape)
    if isinstance(value, timedelta):
        length = Duration()
        length.FromTimedelta(value)
        return length
    if shape.is_unsigned and isinstance(value, int):
        return UInt64Value(value=value)
    return guarded(value)


def _unit(shape: Shape) -> timedelta:
    return _MILLISECOND if shape.kind is ShapeKind.INT else _MICROSECOND


def _to_time(shape: Shape, value: int | str) -> object:
    if not isinstance(value, int):
        return value
    return (datetime(1970, 1, 1, tzinfo=UTC) + value * _unit(shape)).time()


def _to_date(_shape: Shape, value: int | str) -> object:
    return _EPOCH + timedelta(days=value) if isinstance(value, int) else value


def _to_uuid(_shape: Shape, value: int | str) -> object:
    return UUID(value) if isinstance(value, str) else value


_BINARY = frozenset({ShapeKind.BYTES, ShapeKind.FIXED})
_UNKNOWN = Shape(ShapeKind.ANY)
_CLASSES: dict[Logical, type] = {
    Logical.DATE: date,
    Logical.TIME: time,
    Logical.TIMESTAMP: datetime,
    Logical.DURATION: timedelta,
    Logical.DECIMAL: Decimal,
    Logical.UUID: UUID,
}
_KINDS: dict[type, frozenset[ShapeKind]] = {
    type(None): frozenset({ShapeKind.NULL}),
    bool: frozenset({ShapeKind.BOOLEAN}),
    int: frozenset({ShapeKind.INT, ShapeKind.LONG}),
    float: frozenset({ShapeKind.FLOAT, ShapeKind.DOUBLE}),
    str: frozenset({ShapeKind.STRING, ShapeKind.ENUM}),
    bytes: frozenset({ShapeKind.BYTES, ShapeKind.FIXED}),
}
_OUTWARD: dict[Logical | None, Callable[[Shape, int | str], object]] = {
    Logical.DATE: _to_date,
    Logical.TIME: _to_time,
    Logical.UUID: _to_uuid,
}
