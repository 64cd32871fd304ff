"""Plain values as JSON can hold them: for answers, logs and the words of a violation.

Refuses to hide anything (`contracts.sensitive.masking` does), and to be read back: `formats.base.Payloads` restores
values.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal

MAX_SHOWN = 60
"""Characters of a value that a violation quotes."""

# What every reader of JSON can hold as a number.
_INTEGERS = range(-(2**63), 2**64)


def to_jsonable(value: object) -> object:
    """Return a plain value with bytes as base64, decimals, dates, times, UUIDs and integers beyond 64 bits as text,
    moments as RFC 3339 (local ones without a zone), durations as seconds (`1.5s`), NaN and infinities by name.

    Nothing is cut. Values inside each other are few (`MAX_PAYLOAD_DEPTH`). Raises nothing.
    """
    if isinstance(value, Mapping):
        return {key_text(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_jsonable(item) for item in value]
    return scalar_to_jsonable(value)


def scalar_to_jsonable(value: object) -> str | int | float | bool | None:
    """Return a value that holds no others, as `to_jsonable` does."""
    match value:
        case None | bool():
            return value
        case str():
            return readable(value)
        case int():
            return value if value in _INTEGERS else _digits(value)
        case float():
            return value if math.isfinite(value) else str(value).replace("inf", "Infinity").replace("nan", "NaN")
        case bytes() | bytearray() | memoryview():
            return b64encode(value).decode()
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return _seconds(value)
        case _:
            return readable(str(value))


def key_text(key: object) -> str:
    """Return the key of a map as JSON writes it."""
    written = scalar_to_jsonable(key)
    return json.dumps(written) if isinstance(written, bool) else str(written)


def readable(text: str) -> str:
    """Return text that can be written as UTF-8: halves of surrogate pairs become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def shown(value: object) -> str:
    """Return a value as a violation quotes it: JSON on one line, cut short. Raises nothing."""
    if isinstance(value, Mapping | list):
        kind = "an object" if isinstance(value, Mapping) else "an array"
        return f"{kind} of {len(value)}"
    if isinstance(value, str | bytes):
        value = value[: MAX_SHOWN + 1]
    written = scalar_to_jsonable(value)
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    text = str(written) if is_number else json.dumps(written, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _digits(number: int) -> str:
    # Python refuses to write thousands of digits, whose time grows with their square.
    return str(number) if number.bit_length() <= 4096 else hex(number)


def _seconds(duration: timedelta) -> str:
    whole = duration.days * 86_400 + duration.seconds
    if not duration.microseconds:
        return f"{whole}s"
    return f"{Decimal(whole * 1_000_000 + duration.microseconds).scaleb(-6).normalize():f}s"
