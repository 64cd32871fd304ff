"""JSON text in the dialect that Java's Avro reads, to values and back: comments are allowed, depth and size are bound.

Refuses to know what a schema is.
"""

from __future__ import annotations

import json
import re
from typing import Never, TypeAlias

from llm_schema_registry.errors import InvalidSchema

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 200
MAX_NUMBER_LENGTH = 1000

# Possessive throughout, and closing marks optional: an unterminated string or comment must not be scanned twice.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?|//[^\n\r]*+|[\[\]{}]', re.DOTALL)

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def read(text: str) -> Json:
    """Return the value that a JSON text stands for; of equal keys in one object the last wins, as in Java.

    Raises InvalidSchema for a text that is too large or too deep, holds a lone surrogate, or is not JSON.
    """
    check_size(text)
    if not text.strip():
        raise InvalidSchema("The schema text is empty; write a type name, an object or an array of branches")
    try:
        value: Json = _DECODER.decode(_scan(text))
    except json.JSONDecodeError as error:
        raise InvalidSchema(
            f"The schema text is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    if _SURROGATE_ESCAPE.search(text):
        _check_characters(json.dumps(value, ensure_ascii=False))
    return value


def write(value: Json, *, indent: int | None = None) -> str:
    """Return a value as JSON text, compact unless `indent` is given. Raises InvalidSchema when it nests too deep."""
    separators = (",", ":") if indent is None else (",", ": ")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=separators, indent=indent)
    except ValueError:
        raise InvalidSchema(
            "The schema holds a number outside the range of a double; write it as a string or nearer to zero"
        ) from None
    _scan(text)
    return text


def show(value: Json) -> str:
    """Return a value as it looks in JSON, shortened for a message."""
    return shorten(json.dumps(value, ensure_ascii=False), 80)


def shorten(text: str, length: int = 400) -> str:
    """Cut a text that may come from a hostile schema, so that a message stays a message."""
    return text if len(text) <= length else text[:length] + "..."


def check_size(text: str) -> None:
    """Raise InvalidSchema for a text above 10 MiB of UTF-8, or one that UTF-8 cannot hold."""
    size = _check_characters(text)
    if size > MAX_BYTES:
        raise InvalidSchema(f"The schema text has {size} bytes; at most {MAX_BYTES} are accepted")


def refuse_depth() -> InvalidSchema:
    """Build the refusal of a schema that nests deeper than the bound."""
    return InvalidSchema(
        f"The schema nests deeper than {MAX_DEPTH} levels with every type written where it is first used; "
        "nest less, or split it into fewer levels"
    )


def _scan(text: str) -> str:
    """Blank out comments, so that positions in messages stay right, and bound the depth before anything recurses."""
    if text.count("[") + text.count("{") <= MAX_DEPTH and "/" not in text:
        return text
    depth = 0
    pieces: list[str] = []
    kept_until = 0
    for match in _TOKEN.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise refuse_depth()
        elif mark in "]}":
            depth -= 1
        elif mark[0] == "/":
            if mark[1] == "*" and (len(mark) < len("/**/") or not mark.endswith("*/")):
                raise InvalidSchema(
                    f"The schema text is not JSON: the comment at character {match.start()} is not closed; add */"
                )
            pieces += text[kept_until : match.start()], "\n".join(" " * len(line) for line in mark.split("\n"))
            kept_until = match.end()
    return "".join((*pieces, text[kept_until:])) if pieces else text


def _check_characters(text: str) -> int:
    """Return the size in UTF-8. A message or a store could not hold half of a surrogate pair, so nothing may."""
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidSchema(
            f"The schema text holds half of a surrogate pair (\\u{ord(text[error.start]):04x}), which is no character; "
            "write both halves or none"
        ) from None


def _read_int(literal: str) -> int:
    _check_number(literal)
    return int(literal)


def _read_float(literal: str) -> float:
    _check_number(literal)
    return float(literal)


def _check_number(literal: str) -> None:
    if len(literal) > MAX_NUMBER_LENGTH:
        raise InvalidSchema(
            f"The schema text holds a number of {len(literal)} characters; at most {MAX_NUMBER_LENGTH} are accepted"
        )


def _refuse_constant(literal: str) -> Never:
    raise InvalidSchema(f'The schema text is not JSON: {literal} is no number there; write it as a string, "{literal}"')


_DECODER = json.JSONDecoder(parse_int=_read_int, parse_float=_read_float, parse_constant=_refuse_constant)
