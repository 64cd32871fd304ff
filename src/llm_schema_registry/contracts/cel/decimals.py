"""Exact decimal numbers in rules: how one travels through the engine, and what rules can do with it.

Refuses to know the engine. A decimal is a `confluent.type.Decimal` there, so that a Protobuf payload's own are decimals
without being converted. Functions mean what Confluent's mean; numbers are bounded in width, so none can fill memory.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from llm_schema_registry.contracts.cel.ast import DECIMAL, DIFFERENT, EQUAL
from llm_schema_registry.contracts.cel.engine import Function

MAX_DIGITS = 1000
"""The widest number; also how far an exponent may be from zero. Columns of databases end at 38 digits, or 76."""

_DIVIDING = decimal.Context(prec=38, rounding=ROUND_HALF_UP)
_EXACT = decimal.Context(prec=3 * MAX_DIGITS, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


def decimal_file() -> FileDescriptorProto:
    """Return the file that defines the type, for a pool that lacks it."""
    file = FileDescriptorProto(name="confluent/type/decimal.proto", package="confluent.type", syntax="proto3")
    message = file.message_type.add(name="Decimal")
    for number, (name, kind) in enumerate(
        (
            ("value", FieldDescriptorProto.TYPE_BYTES),
            ("precision", FieldDescriptorProto.TYPE_UINT32),
            ("scale", FieldDescriptorProto.TYPE_INT32),
        ),
        start=1,
    ):
        message.field.add(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    return file


def _message_class() -> type[Message]:
    pool = DescriptorPool()
    pool.Add(decimal_file())
    return GetMessageClass(pool.FindMessageTypeByName(DECIMAL))


_Message = _message_class()


def to_message(number: Decimal) -> Message:
    """Return a number as the engine carries it. Raises ValueError when it is not finite or too wide."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{number} is not a finite number")  # noqa: TRY004 - the value is at fault, not its type
    if len(digits) > MAX_DIGITS or abs(exponent) > MAX_DIGITS:
        raise ValueError(f"a decimal has at most {MAX_DIGITS} digits")
    unscaled = int(number.scaleb(-exponent, _EXACT)) if digits else 0
    size = unscaled.bit_length() // 8 + 1
    return _Message(value=unscaled.to_bytes(size, signed=True), precision=len(digits), scale=-exponent)


def to_decimal(value: object) -> Decimal:
    """Return what an expression holds as a number: a decimal, an int, a double or a text. Raises ValueError."""
    if isinstance(value, Message) and value.DESCRIPTOR.full_name == DECIMAL:
        return _scaled(value.value, value.scale)  # type: ignore[attr-defined] # a class made at run time has no type
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        found = "null" if value is None else type(value).__name__
        raise ValueError(f"a value of type {found} is not a decimal")  # noqa: TRY004 - the rule's value is at fault
    text = str(value)
    if len(text) > 2 * MAX_DIGITS or "_" in text or text != text.strip():
        raise ValueError("not a decimal number")
    try:
        number = Decimal(text)
    except decimal.InvalidOperation:
        raise ValueError("not a decimal number") from None
    to_message(number)
    return number or number.copy_abs()


def is_decimal(value: object) -> bool:
    """Whether the engine holds a value as a decimal."""
    return isinstance(value, Message) and value.DESCRIPTOR.full_name == DECIMAL


def plain(value: object) -> str:
    """Write a decimal out without an exponent."""
    return format(to_decimal(value), "f")


def _scaled(unscaled: bytes, scale: int) -> Decimal:
    if len(unscaled) > MAX_DIGITS * 5 // 12 or abs(scale) > MAX_DIGITS:
        raise ValueError(f"a decimal has at most {MAX_DIGITS} digits")
    return Decimal(int.from_bytes(unscaled, signed=True)).scaleb(-scale, _EXACT)


def _equal(left: object, right: object) -> bool:
    return is_decimal(left) and is_decimal(right) and to_decimal(left) == to_decimal(right)


def _divide(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise ZeroDivisionError("division by zero")
    return _DIVIDING.divide(left, right)


def _remainder(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise ZeroDivisionError("division by zero")
    return _EXACT.remainder(left, right)


def _root(number: Decimal) -> Decimal:
    if number < 0:
        raise ValueError("square root of negative number")
    return _DIVIDING.sqrt(number)


def _rounded(rounding: str) -> Callable[[object, int], Message]:
    def to_scale(value: object, scale: int) -> Message:
        if abs(scale) > MAX_DIGITS:
            raise ValueError(f"a decimal has at most {MAX_DIGITS} digits")
        return to_message(to_decimal(value).quantize(Decimal(1).scaleb(-scale), rounding, _EXACT))

    return to_scale


def _truncated(value: object, scale: int) -> Message:
    number = to_decimal(value)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and scale >= -exponent:
        return to_message(number)
    return _rounded(ROUND_DOWN)(value, scale)


def _numbers(operation: Callable[..., Decimal]) -> Callable[..., Message]:
    return lambda *values: to_message(operation(*map(to_decimal, values)))


def _facts(operation: Callable[..., object]) -> Callable[..., object]:
    return lambda *values: operation(*map(to_decimal, values))


_COMPARED: dict[str, Callable[..., object]] = {
    "lt": _facts(lambda left, right: left < right),
    "le": _facts(lambda left, right: left <= right),
    "gt": _facts(lambda left, right: left > right),
    "ge": _facts(lambda left, right: left >= right),
}
_COMPUTED: dict[str, Callable[..., Message]] = {
    "add": _numbers(_EXACT.add),
    "sub": _numbers(_EXACT.subtract),
    "mul": _numbers(_EXACT.multiply),
    "div": _numbers(_divide),
    "mod": _numbers(_remainder),
    "greatest": _numbers(max),
    "least": _numbers(min),
}
_CHANGED: dict[str, Callable[..., Message]] = {
    "neg": _numbers(Decimal.copy_negate),
    "abs": _numbers(Decimal.copy_abs),
    "sqrt": _numbers(_root),
    "round": lambda value: _rounded(ROUND_HALF_UP)(value, 0),
    "trunc": lambda value: _truncated(value, 0),
    "floor": lambda value: _rounded(ROUND_FLOOR)(value, 0),
    "ceil": lambda value: _rounded(ROUND_CEILING)(value, 0),
}
_COMPARISONS = {"_<_": "lt", "_<=_": "le", "_>_": "gt", "_>=_": "ge"}
_ARITHMETIC = {"_+_": "add", "_-_": "sub", "_*_": "mul"}
_WITH_NUMBERS = (("int", DECIMAL), (DECIMAL, "int"))
_WITH_DOUBLES = (("double", DECIMAL), (DECIMAL, "double"))

DECIMAL_FUNCTIONS: tuple[Function, ...] = (
    Function("decimal", ("dyn",), DECIMAL, _numbers(lambda number: number)),
    Function("decimal", ("bytes", "int"), DECIMAL, lambda value, scale: to_message(_scaled(bytes(value), scale))),
    Function("string", (DECIMAL,), "string", plain),
    Function("double", (DECIMAL,), "double", lambda value: float(to_decimal(value))),
    Function("decimals.eq", ("dyn", "dyn"), "bool", _facts(lambda left, right: left == right)),
    Function("decimals.sign", ("dyn",), "int", _facts(lambda number: (number > 0) - (number < 0))),
    Function("decimals.round", ("dyn", "int"), DECIMAL, _rounded(ROUND_HALF_UP)),
    Function("decimals.trunc", ("dyn", "int"), DECIMAL, _truncated),
    *(Function(f"decimals.{name}", ("dyn", "dyn"), "bool", call) for name, call in _COMPARED.items()),
    *(Function(f"decimals.{name}", ("dyn", "dyn"), DECIMAL, call) for name, call in _COMPUTED.items()),
    *(Function(f"decimals.{name}", ("dyn",), DECIMAL, call) for name, call in _CHANGED.items()),
    Function(EQUAL, ("dyn", "dyn"), "bool", _equal),
    Function(DIFFERENT, ("dyn", "dyn"), "bool", lambda left, right: not _equal(left, right)),
    *(
        Function(operator, pair, "bool", _COMPARED[name])
        for operator, name in _COMPARISONS.items()
        for pair in ((DECIMAL, DECIMAL), *_WITH_NUMBERS, *_WITH_DOUBLES)
    ),
    *(
        Function(operator, pair, DECIMAL, _COMPUTED[name])
        for operator, name in _ARITHMETIC.items()
        for pair in ((DECIMAL, DECIMAL), *_WITH_NUMBERS)
    ),
)
