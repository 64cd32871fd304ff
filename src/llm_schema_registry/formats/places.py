"""JSON Pointers (RFC 6901): how they are written and read, and the line and column in a text that one leads to.

Refuses to judge the text; what is not JSON any more is not looked at further.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Collection
from typing import Any, TypeAlias

from llm_schema_registry.model import Place

# Comments are part of the texts that Java's Avro reads.
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]++|\\.)*+")|(?P<open>[{\[])|(?P<close>[}\]])|(?P<colon>:)|(?P<comma>,)"""
    r"""|(?P<skipped>\s+|//[^\n]*|/\*.*?\*/)|(?P<literal>[^\s{}\[\]:,"/]+)""",
    re.DOTALL,
)

Trail: TypeAlias = "tuple[Trail, str | int] | None"
"""The way to a value, innermost part first; None is the whole. Written out only where something is wrong."""

_MAX_PART = 200

# Wanted pointers as nested dictionaries by token; None marks the pointers themselves.
_Wanted = dict[str | None, Any]


class _Container:
    """An object or array that is not closed yet, with what is wanted inside."""

    __slots__ = ("index", "is_object", "key", "key_at", "wanted")

    def __init__(self, wanted: _Wanted | None, *, is_object: bool) -> None:
        self.wanted = wanted
        self.is_object = is_object
        self.index = 0
        self.key: str | None = None
        self.key_at = 0


def locate_json(text: str, pointers: Collection[str]) -> dict[str, Place]:
    """Return the place of each JSON Pointer (RFC 6901) that leads somewhere; of a member of an object, its name's.

    Linear in the text and without recursion. Of a name that an object has twice the first counts.
    """
    wanted = _tree(pointers)
    offsets: dict[str, int] = {}
    stack: list[_Container] = []
    at, end = 0, len(text)
    while at < end and len(offsets) < len(pointers):
        token = _TOKEN.match(text, at)
        if token is None:
            break
        start, at = at, token.end()
        name = token.lastgroup
        top = stack[-1] if stack else None
        if name == "close":
            if top is None:
                break
            stack.pop()
        elif name == "comma" and top is not None:
            top.index += 1
            top.key = None
        elif name == "string" and top is not None and top.is_object and top.key is None:
            top.key, top.key_at = _text_of(token[0]), start
        elif name in {"string", "literal", "open"}:
            below = _enter(top, start, wanted, offsets)
            if name == "open":
                stack.append(_Container(below, is_object=token[0] == "{"))
    return _places(text, offsets)


def pointer_token(name: str) -> str:
    """Write a name as a part of a JSON Pointer (RFC 6901)."""
    # Most names need nothing, and this is asked for every field of a payload.
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


def token_name(token: str) -> str:
    """Return the name that a part of a JSON Pointer stands for."""
    return token.replace("~1", "/").replace("~0", "~")


def pointer(trail: Trail) -> str:
    """Write a trail as a JSON Pointer. Anything may be a key: long ones are cut, and what is no character spelt out."""
    parts: list[str] = []
    while trail is not None:
        trail, part = trail
        name = str(part)
        parts.append(pointer_token(name if len(name) <= _MAX_PART else f"{name[:_MAX_PART]}..."))
    return "".join(f"/{part}" for part in reversed(parts)).encode(errors="backslashreplace").decode()


def _tree(pointers: Collection[str]) -> _Wanted:
    root: _Wanted = {}
    for pointer in pointers:
        node = root
        for token in pointer.split("/")[1:]:
            node = node.setdefault(token_name(token), {})
        node[None] = pointer
    return root


def _enter(top: _Container | None, start: int, root: _Wanted, offsets: dict[str, int]) -> _Wanted | None:
    """Note the place of a value that begins here, and return what is wanted inside it."""
    wanted: _Wanted | None = root
    if top is not None:
        token = top.key if top.is_object else str(top.index)
        wanted = top.wanted.get(token) if top.wanted else None
        start = top.key_at if top.is_object else start
    if wanted is not None and None in wanted:
        offsets.setdefault(wanted[None], start)
    return wanted


def _text_of(token: str) -> str:
    """Read a string with its quotes; one that JSON does not know is taken as it stands."""
    try:
        text: str = json.loads(token)
    except ValueError:
        return token[1:-1]
    return text


def _places(text: str, offsets: dict[str, int]) -> dict[str, Place]:
    starts = [0, *(found.end() for found in re.finditer("\n", text))] if offsets else [0]
    places = {}
    for pointer, offset in offsets.items():
        line = bisect_right(starts, offset)
        places[pointer] = Place(line, offset - starts[line - 1] + 1)
    return places
