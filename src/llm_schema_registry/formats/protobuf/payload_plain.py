"""Messages as plain Python values and back.

Refuses to check a message: `restore` takes what it can set, and the runtime refuses the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

from google.protobuf.message import Message

from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH
from llm_schema_registry.formats.protobuf.payload_checks import (
    DURATION_SECONDS,
    MAX_DECIMAL_DIGITS,
    MAX_DECIMAL_SCALE,
    key_text,
)
from llm_schema_registry.formats.protobuf.payload_scalars import Unfit, read_key
from llm_schema_registry.formats.protobuf.plan import (
    DECIMAL,
    DURATION,
    LIST_VALUE,
    STRUCT,
    TIMESTAMP,
    VALUE,
    WRAPPERS,
    FieldPlan,
    MessagePlan,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_MICROSECOND = timedelta(microseconds=1)


def to_plain(message: Any, plan: MessagePlan) -> object:  # noqa: ANN401 # fields of well-known types by name
    """Return a message as a dict by field name, or as what a well-known type stands for.

    Fields with presence are absent when they are not set, but wrappers outside of oneofs are None. Nanoseconds below a
    microsecond are cut off.
    """
    name = plan.known
    if name == TIMESTAMP:
        return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)
    if name == DURATION:
        return timedelta(seconds=message.seconds, microseconds=int(message.nanos / 1000))
    if name in WRAPPERS:
        return message.value
    if name == DECIMAL:
        return _EXACT.create_decimal(int.from_bytes(message.value, signed=True)).scaleb(-message.scale, _EXACT)
    if name in _JSON:
        return _JSON[name](message)
    found: dict[str, object] = {}
    for field in plan.fields:
        if field.is_map:
            found[field.name] = _plain_map(field, message)
        elif field.is_repeated:
            values = field.get(message)
            inner = field.message
            found[field.name] = list(values) if inner is None else [to_plain(value, inner) for value in values]
        elif not field.has_presence or field.is_set(message):
            value = field.get(message)
            found[field.name] = value if field.message is None else to_plain(value, field.message)
        elif _is_nullable(field):
            found[field.name] = None
    return found


def _is_nullable(field: FieldPlan) -> bool:
    return field.message is not None and field.message.known in WRAPPERS and not field.oneof


def _plain_map(field: FieldPlan, message: Message) -> dict[str, object]:
    inner = field.held
    items = field.get(message).items()
    return {key_text(key): value if inner is None else to_plain(value, inner) for key, value in items}


def _plain_value(message: Any) -> object:  # noqa: ANN401 # a Value
    kind = message.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    value = getattr(message, kind)
    if kind == "struct_value":
        return _plain_struct(value)
    return _plain_list(value) if kind == "list_value" else value


def _plain_struct(message: Any) -> object:  # noqa: ANN401 # a Struct
    return {key: _plain_value(value) for key, value in message.fields.items()}


def _plain_list(message: Any) -> object:  # noqa: ANN401 # a ListValue
    return [_plain_value(value) for value in message.values]


_JSON = {VALUE: _plain_value, STRUCT: _plain_struct, LIST_VALUE: _plain_list}


def fill(message: Any, plan: MessagePlan, plain: object, depth: int = 0) -> None:  # noqa: ANN401 # as above
    """Set an empty message to what a plain value says. Raises ValueError or TypeError for what does not fit."""
    if depth > MAX_PAYLOAD_DEPTH:
        raise ValueError(f"a value holds more than {MAX_PAYLOAD_DEPTH} values in each other")
    name = plan.known
    if name == TIMESTAMP:
        _fill_timestamp(message, plain)
    elif name == DURATION:
        _fill_duration(message, plain)
    elif name in WRAPPERS:
        message.value = plain
    elif name == DECIMAL:
        _fill_decimal(message, plain)
    elif name == VALUE:
        _fill_value(message, plan, plain, depth)
    elif name == STRUCT:
        _fill_map(plan.by_number[1], message, plain, depth)
    elif name == LIST_VALUE:
        _fill_list(plan.by_number[1], message, plain, depth)
    else:
        _fill_fields(message, plan, plain, depth)


def _fill_fields(message: Message, plan: MessagePlan, plain: object, depth: int) -> None:
    for key, value in _mapping(plain, plan.full_name).items():
        field = plan.by_key.get(str(key))
        if field is None or field.name != key:
            raise ValueError(f"{plan.full_name} has no field {key!r}")
        if value is not None or not _is_nullable(field):
            _fill_field(field, message, value, depth)


def _fill_field(field: FieldPlan, message: Message, plain: object, depth: int) -> None:
    if field.is_map:
        _fill_map(field, message, plain, depth)
    elif field.is_repeated:
        _fill_list(field, message, plain, depth)
    elif field.message is None:
        field.put(message, plain)
    else:
        inner = field.get(message)
        inner.SetInParent()
        fill(inner, field.message, plain, depth + 1)


def _mapping(plain: object, what: str) -> Mapping[object, object]:
    if not isinstance(plain, Mapping):
        raise TypeError(f"{what} needs a mapping, not {type(plain).__name__}")
    return plain


def _fill_map(field: FieldPlan, message: Message, plain: object, depth: int) -> None:
    entries = field.get(message)
    inner = field.held
    for written, value in _mapping(plain, field.full_name).items():
        try:
            key = read_key(field.key, key_text(written))
        except Unfit:
            raise ValueError(f"{field.full_name} cannot have the key {written!r}") from None
        if inner is None:
            entries[key] = value
        else:
            fill(entries[key], inner, value, depth + 1)


def _fill_list(field: FieldPlan, message: Message, plain: object, depth: int) -> None:
    if not isinstance(plain, Iterable) or isinstance(plain, str | bytes | Mapping):
        raise TypeError(f"{field.full_name} needs a list, not {type(plain).__name__}")
    values = field.get(message)
    if field.message is None:
        values.extend(plain)
    else:
        for value in plain:
            fill(values.add(), field.message, value, depth + 1)


def _fill_value(message: Any, plan: MessagePlan, plain: object, depth: int) -> None:  # noqa: ANN401 # a Value
    if plain is None:
        message.null_value = 0
    elif isinstance(plain, bool):
        message.bool_value = plain
    elif isinstance(plain, int | float):
        message.number_value = plain
    elif isinstance(plain, str):
        message.string_value = plain
    else:
        _fill_field(plan.by_number[5 if isinstance(plain, Mapping) else 6], message, plain, depth)


def _fill_timestamp(message: Any, plain: object) -> None:  # noqa: ANN401 # a Timestamp
    if not isinstance(plain, datetime) or plain.tzinfo is None:
        raise ValueError(f"a Timestamp needs a datetime with a time zone, not {plain!r}")
    since = plain - _EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    message.nanos = since.microseconds * 1000


def _fill_duration(message: Any, plain: object) -> None:  # noqa: ANN401 # a Duration
    if not isinstance(plain, timedelta):
        raise TypeError(f"a Duration needs a timedelta, not {plain!r}")
    microseconds = plain // _MICROSECOND
    sign = -1 if microseconds < 0 else 1
    seconds, rest = divmod(abs(microseconds), 1_000_000)
    if seconds > DURATION_SECONDS:
        raise ValueError(f"a Duration has at most {DURATION_SECONDS} seconds")
    message.seconds, message.nanos = sign * seconds, sign * rest * 1000


def _fill_decimal(message: Any, plain: object) -> None:  # noqa: ANN401 # a confluent.type.Decimal
    if not isinstance(plain, Decimal) or not plain.is_finite():
        raise ValueError(f"a Decimal needs a finite Decimal, not {plain!r}")
    sign, digits, exponent = plain.as_tuple()
    if len(digits) > MAX_DECIMAL_DIGITS or abs(int(exponent)) > MAX_DECIMAL_SCALE:
        raise ValueError("a Decimal has too many digits or too large a scale")
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    message.value = unscaled.to_bytes(unscaled.bit_length() // 8 + 1, signed=True)
    message.precision = len(digits)
    message.scale = -int(exponent)
