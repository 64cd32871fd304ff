"""JSON text into values and back: bounded, exact about numbers, in one spelling.

Refuses to know what a JSON Schema is; any JSON value passes here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, Self

import msgspec

from llm_schema_registry.errors import InvalidSchema

MAX_BYTES = 10 * 1024 * 1024
MAX_VALUES = 1_000_000
MAX_DEPTH = 100
MAX_NUMBER_LENGTH = 1_000


class ExactNumber(Decimal):
    """A number with a fraction or an exponent; `text` is how the author wrote it (`1.0` is not `1`)."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Keep the literal. Raises decimal.InvalidOperation when the exponent is beyond arithmetic."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def read_json(text: str) -> object:
    """Parse a JSON text: of equal keys the last one wins, numbers stay exact.

    Raises InvalidSchema for what is not JSON (NaN and Infinity included) and beyond MAX_BYTES of UTF-8, MAX_VALUES
    values, MAX_DEPTH levels or MAX_NUMBER_LENGTH characters of one number.
    """
    _check_size(text)
    try:
        value: object = json.loads(
            text, parse_int=_read_integer, parse_float=_read_fraction, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise InvalidSchema(
            f"The schema is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidSchema(_too_deep()) from None
    _check_depth(value)
    try:
        write_json(value)
    except UnicodeEncodeError:
        raise InvalidSchema("The schema holds half of a surrogate pair; write both \\u escapes") from None
    return value


def write_json(value: object) -> str:
    """Write a value compactly: key order kept, non-ASCII as it is, numbers as their author wrote them."""
    return msgspec.json.encode(value, enc_hook=lambda number: msgspec.Raw(number.text.encode())).decode()


def write_sorted(value: object) -> str:
    """Write a value compactly with the keys of every object sorted; the order of lists is kept."""
    return msgspec.json.encode(
        value, enc_hook=lambda number: msgspec.Raw(number.text.encode()), order="deterministic"
    ).decode()


def write_pretty(text: str) -> bytes:
    """Spread a compact JSON text over lines, two spaces a level, in UTF-8."""
    return msgspec.json.format(text.encode(), indent=2)


def plain(text: str) -> Any:  # noqa: ANN401 - JSON as jsonschema-rs takes it
    """Parse a text that `read_json` accepted into what jsonschema-rs understands."""
    return json.loads(text, parse_float=Decimal)


def _check_size(text: str) -> None:
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise InvalidSchema("The schema is not Unicode: it holds half of a surrogate pair") from None
    if size > MAX_BYTES:
        raise InvalidSchema(f"The schema has {size} bytes of UTF-8; {MAX_BYTES} are allowed. Split it by references")
    # Every value but the first follows one of these; those inside strings only make the estimate larger.
    if text.count(",") + text.count("[") + text.count("{") + text.count(":") > 2 * MAX_VALUES:
        raise InvalidSchema(f"The schema holds more than {MAX_VALUES} values. Split it by references")


def _check_depth(root: object) -> None:
    stack: list[tuple[object, int]] = [(root, 1)]
    while stack:
        value, depth = stack.pop()
        children: Iterator[object] = iter(())
        if isinstance(value, dict):
            children = iter(value.values())
        elif isinstance(value, list):
            children = iter(value)
        for child in children:
            if isinstance(child, dict | list):
                if depth >= MAX_DEPTH:
                    raise InvalidSchema(_too_deep())
                stack.append((child, depth + 1))


def _too_deep() -> str:
    return (
        f"The schema is nested deeper than {MAX_DEPTH} levels of objects and lists. Move inner parts to definitions "
        "and refer to them with $ref"
    )


def _read_integer(text: str) -> int:
    _check_number(text)
    return int(text)


def _read_fraction(text: str) -> ExactNumber:
    _check_number(text)
    try:
        return ExactNumber(text)
    except InvalidOperation:
        raise InvalidSchema(f"The exponent of the number {text[:60]} is out of range") from None


def _check_number(text: str) -> None:
    if len(text) > MAX_NUMBER_LENGTH:
        raise InvalidSchema(f"The number {text[:20]}... has {len(text)} characters; {MAX_NUMBER_LENGTH} are allowed")


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidSchema(f"The schema is not JSON: {name} is not a JSON number")
