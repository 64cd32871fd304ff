"""The `format` of rules: `%s %d %f %e %x %X %o %b`, as Confluent's clients read it.

Refuses to know the engine. Widths are bounded, so that a result is never longer than its arguments and the bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from llm_schema_registry.contracts.cel.decimals import is_decimal, plain

MAX_PRECISION = 100
_CLAUSE = re.compile(r"%(?:%|(?:\.(\d*))?(.))", re.DOTALL)
_ESCAPED = str.maketrans(
    {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\", '"': r"\""}
)


def format_text(pattern: str, values: list[object]) -> str:
    """Fill the clauses of a pattern with values, in order. Raises ValueError when they do not fit each other."""
    waiting = iter(values)
    missing = object()
    parts: list[str] = []
    end = 0
    for match in _CLAUSE.finditer(pattern):
        parts.append(pattern[end : match.start()])
        end = match.end()
        if match[0] == "%%":
            parts.append("%")
            continue
        value = next(waiting, missing)
        if value is missing:
            raise ValueError("format has fewer values than clauses")
        parts.append(_clause(match[2], 6 if match[1] is None else int(match[1][:4] or 0), value))
    rest = pattern[end:]
    if "%" in rest:
        raise ValueError("format ends inside a clause")
    if next(waiting, missing) is not missing:
        raise ValueError("format has more values than clauses")
    return "".join((*parts, rest))


def _clause(kind: str, precision: int, value: object) -> str:
    if precision > MAX_PRECISION:
        raise ValueError(f"format writes at most {MAX_PRECISION} digits behind the point")
    if kind in {"f", "e"} and isinstance(value, float):
        return f"{value:.{precision}{kind}}"
    if kind not in _WRITERS:
        raise ValueError(f"format knows no clause %{kind}")
    return _WRITERS[kind](value)


def _integer(value: object, base: str = "d") -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("format wants an integer")  # noqa: TRY004 - the rule's value is at fault
    return f"{value:{base}}"


def _binary(value: object) -> str:
    return f"{value:b}" if isinstance(value, bool) else _integer(value, "b")


def _hexadecimal(value: object) -> str:
    if isinstance(value, str):
        return value.encode().hex()
    if isinstance(value, bytes | bytearray):
        return value.hex()
    return _integer(value, "x")


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_item, value))}]"
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if is_decimal(value):
        return plain(value)
    return str(value)


def _item(value: object) -> str:
    return f'"{value.translate(_ESCAPED)}"' if isinstance(value, str) else _text(value)


_WRITERS: dict[str, Callable[[object], str]] = {
    "d": _integer,
    "f": _integer,
    "e": _integer,
    "s": _text,
    "x": _hexadecimal,
    "X": lambda value: _hexadecimal(value).upper(),
    "o": lambda value: _integer(value, "o"),
    "b": _binary,
}
