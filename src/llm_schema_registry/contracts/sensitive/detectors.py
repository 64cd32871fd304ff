"""Personal data and secrets in fields that have no tag to say so: warnings, never with the thing itself.

Refuses to look into fields that are tagged as sensitive (`contracts.sensitive.policies` checks those), and to know the
shapes of such data (`contracts.sensitive.pii_shapes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import cast

from llm_schema_registry.contracts.fields import FieldTags, json_path
from llm_schema_registry.contracts.jsonable import key_text
from llm_schema_registry.contracts.sensitive.pii_shapes import find_pii, may_hold_pii
from llm_schema_registry.contracts.sensitive.tagged import Part, TaggedFields
from llm_schema_registry.formats.places import pointer_token
from llm_schema_registry.formats.shape import Shape, ShapeKind
from llm_schema_registry.model import Encoding, ValidationLevel, Violation, ViolationKind, ViolationSource

MAX_TEXT = 10_000
"""Characters of one text that are searched; what follows is not."""

MAX_ALL_TEXT = 200_000
MAX_TEXTS = 1_000
MAX_PARTS = 20_000
"""Characters and texts of one value that are searched, and parts that are looked into for them."""

_SHORTEST = 7
_CONTAINERS = frozenset({dict, list})
_MAX_MASKED = 40
_Place = tuple[str, Part, object]
_WORD_CHAR = re.compile(r"\w")


class Detectors:
    """The search through all text of a value outside sensitive fields; keys of maps are not searched."""

    def __init__(self, shape: Shape, tags: FieldTags) -> None:
        self._shape = shape
        self._fields = TaggedFields(shape, tags)

    def check(self, plain: object, limit: int = 100) -> list[Violation]:
        """Return up to `limit` findings of level WARN, at most one of each shape for a text. Raises nothing."""
        return [self._violation(*found) for found in islice(self._found(plain), limit)]

    def places(self, plain: object) -> Iterator[str]:
        """Yield a JSON Pointer by the keys of the value for each finding."""
        return (path for path, _, _, _ in self._found(plain))

    def _violation(self, path: str, schema_path: str, what: str, text: str) -> Violation:
        path = json_path(self._shape, path)
        return Violation(
            kind=ViolationKind.PII_FOUND,
            path=path,
            message=f"The text at '{path}' seems to hold {what}; tag the field, mask it or leave it out",
            expected="neither personal data nor secrets in a field without a tag",
            found=_WORD_CHAR.sub("*", text[:_MAX_MASKED]),
            schema_path=schema_path,
            source=ViolationSource.SENSITIVITY,
            level=ValidationLevel.WARN,
        )

    def _found(self, plain: object) -> Iterator[tuple[str, str, str, str]]:
        """Yield path, schema path, what was found and its text."""
        # Most events hold nothing, and that is seen at once, without knowing what field a text is in.
        texts = _all_texts(plain, [])
        whole = "\n".join(texts)
        if not may_hold_pii(_bytes_of(whole)):
            return
        if len(whole) <= MAX_TEXT and not any(map(_holds_pii, texts)):
            return
        left = MAX_ALL_TEXT
        for path, schema_path, text in islice(self._texts(plain), MAX_TEXTS):
            searched = text[: min(MAX_TEXT, left)]
            left -= len(searched)
            if not may_hold_pii(_bytes_of(searched)):
                continue
            for what, value in find_pii(searched).items():
                yield path, schema_path, what, value

    def _texts(self, plain: object) -> Iterator[tuple[str, str, str]]:
        """Yield path, schema path and text of every text that may hold something, in the order of the value."""
        waiting: list[Iterator[_Place]] = [iter([("", self._fields.top, plain)])]
        left = MAX_PARTS
        while waiting and left:
            place = next(waiting[-1], None)
            if place is None:
                waiting.pop()
                continue
            left -= 1
            path, part, value = place
            if part.is_sensitive:
                continue
            if isinstance(value, str):
                if len(value) >= _SHORTEST and not _is_symbol(part):
                    yield path, part.schema_path, value
            elif isinstance(value, dict):
                waiting.append(self._members(path, part, value))
            else:
                # Nothing else is waited for, and a value that is something else itself was done with before.
                waiting.append(self._items(path, part, cast("list[object]", value)))

    def _members(self, path: str, part: Part, value: dict[object, object]) -> Iterator[_Place]:
        for name, item in value.items():
            if isinstance(item, str | dict | list):
                key = key_text(name)
                yield f"{path}/{pointer_token(key)}", self._fields.member(part, key), item

    def _items(self, path: str, part: Part, value: list[object]) -> Iterator[_Place]:
        inside = self._fields.item(part)
        for index, item in enumerate(value):
            if isinstance(item, str | dict | list):
                yield f"{path}/{index}", inside, item


def may_find(encoding: Encoding, data: bytes) -> bool:
    """Whether it is worth looking into a payload, by its bytes: in binary ones texts stand as they are."""
    return encoding is not Encoding.BINARY or may_hold_pii(data)


def _holds_pii(text: str) -> bool:
    return may_hold_pii(_bytes_of(text)) and bool(find_pii(text))


def _bytes_of(text: str) -> bytes:
    return text.encode(errors="replace")


def _all_texts(value: object, texts: list[str]) -> list[str]:
    """Collect every text of a value. Payloads are nested within bounds."""
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            if type(part) is str:
                texts.append(part)
            elif part.__class__ in _CONTAINERS:
                _all_texts(part, texts)
    return texts


def _is_symbol(part: Part) -> bool:
    return bool(part.shapes) and all(shape.kind is ShapeKind.ENUM for shape in part.shapes)
