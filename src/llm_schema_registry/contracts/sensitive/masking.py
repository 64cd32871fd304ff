"""What may be kept of a payload that broke its contract: JSON with sensitive fields masked, cut to a small size.

Refuses to keep anything of bytes that could not be decoded: nobody knows what is in them.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.jsonable import key_text, scalar_to_jsonable
from llm_schema_registry.contracts.sensitive.pii_shapes import find_pii, may_hold_pii
from llm_schema_registry.contracts.sensitive.tagged import Part, TaggedFields
from llm_schema_registry.formats.places import token_name
from llm_schema_registry.formats.shape import Shape
from llm_schema_registry.model import Violation, ViolationKind

MASK = "***"
"""What stands in place of a sensitive value."""

CUT = "…"
"""What stands where something was left out, as text, as an item or as a member."""

MAX_BYTES = 16 * 1024
"""Bytes of a masked value when it is written as JSON, at most."""

MAX_TEXT = 256
"""Characters of one text or key in a masked value."""

_RESERVE = 6 * 1024
"""Bytes for the member in hand when the rest is spent, every character escaped, and for a cut at every open depth."""

_WITHOUT_VALUE = frozenset(
    {
        ViolationKind.FIELD_MISSING,
        ViolationKind.FRAME_BROKEN,
        ViolationKind.NOT_NULLABLE,
        ViolationKind.NOT_PROTECTED,
        ViolationKind.PII_FOUND,
        ViolationKind.RULE_FAILED,
        ViolationKind.TOO_DEEP,
        ViolationKind.TOO_LARGE,
        ViolationKind.TRAILING_BYTES,
        ViolationKind.TRUNCATED,
    }
)
"""The kinds whose message tells of no value."""


class Masker:
    """Masks what lies in sensitive fields of one schema's values.

    If a schema has such fields, whatever it does not know is masked too: a misspelt name must not show a secret.
    """

    def __init__(self, shape: Shape, tags: FieldTags) -> None:
        self._fields = TaggedFields(shape, tags)

    def mask(self, plain: object) -> object:
        """Return a value that JSON can hold, of at most `MAX_BYTES`, with sensitive fields masked. Raises nothing."""
        return _Masking(self._fields).of(self._fields.top, plain)

    def mask_violation(self, violation: Violation) -> Violation:
        """Return the violation without what it tells of a sensitive field's value."""
        if self._fields.is_empty:
            return violation
        part = self._fields.at(violation.path)
        if part is not None and not self._fields.reaches(part):
            return violation
        beyond = self._fields.beyond(violation.path)
        return _without_value(violation, violation.path if beyond is None else _shown(violation.path, beyond))


def mask_pii(violation: Violation) -> Violation:
    """Return the violation without personal data or secrets in what it tells of a value, or in the keys of its path.

    A text that was cut is hidden where it might have held some.
    """
    keys = [MASK if _tells_pii(token_name(token)) else token for token in violation.path.split("/")]
    path = "/".join(keys)
    is_safe = violation.kind in _WITHOUT_VALUE or not (_tells_pii(violation.found) or _tells_pii(violation.message))
    return violation if is_safe and path == violation.path else _without_value(violation, path)


def mask_keys(masked: object) -> object:
    """Return a masked value without personal data or secrets in keys."""
    if isinstance(masked, dict):
        return {MASK if find_pii(key) else key: mask_keys(item) for key, item in masked.items()}
    return [mask_keys(item) for item in masked] if isinstance(masked, list) else masked


def _without_value(violation: Violation, path: str) -> Violation:
    message = violation.message
    if violation.kind not in _WITHOUT_VALUE or path != violation.path:
        by = f" of the rule '{violation.rule}'" if violation.rule else ""
        message = f"The value at '{path}' is hidden, it is sensitive: {violation.kind}{by}"
    return msgspec.structs.replace(violation, path=path, message=message, found=violation.found and MASK)


def _shown(path: str, depth: int) -> str:
    """Return a path without what it tells of the inside of a sensitive field, where keys may be values."""
    tokens = path.split("/")
    return "/".join((*tokens[: depth + 1], *(MASK for _ in tokens[depth + 1 :])))


def _tells_pii(text: str) -> bool:
    is_cut = CUT in text or "..." in text
    return may_hold_pii(text.encode(errors="replace")) if is_cut else bool(find_pii(text))


def hide(masked: object, path: str) -> object:
    """Return a masked value without what a JSON Pointer by its keys leads to; without anything if the way is lost."""
    tokens = [token_name(token) for token in path.split("/")[1:]]
    holder: Any = None
    current: Any = masked
    for token in tokens:
        holder = current
        if isinstance(current, dict) and token in current:
            current = current[token]
        elif isinstance(current, list) and token.isdecimal() and int(token) < len(current):
            current = current[int(token)]
        elif isinstance(current, dict | list) and CUT in current:
            # What is behind the cut is not shown anyway.
            return masked
        elif current == MASK:
            return masked
        else:
            return MASK
    if isinstance(holder, dict):
        holder[tokens[-1]] = MASK
    elif isinstance(holder, list):
        holder[int(tokens[-1])] = MASK
    else:
        return MASK
    return masked


class _Masking:
    """The masking of one value, with the bytes that are left for it."""

    def __init__(self, fields: TaggedFields) -> None:
        self._fields = fields
        self._left = MAX_BYTES - _RESERVE

    def of(self, part: Part, value: object) -> object:
        """Return a part of the value, masked. Depth is bounded by what readers let through."""
        if value is None:
            return self._spend(value)
        if not (part.shapes or self._fields.is_empty):  # sensitive, or not known
            return self._spend(MASK)
        if isinstance(value, dict):
            return self._object(part, value)
        if isinstance(value, list):
            return self._array(part, value)
        written = scalar_to_jsonable(value[: MAX_TEXT + 1] if isinstance(value, str | bytes) else value)
        return self._spend(_cut(written) if isinstance(written, str) else written)

    def _spend(self, written: object) -> object:
        self._left -= len(json.dumps(written)) + 2
        return written

    def _object(self, part: Part, value: dict[object, object]) -> dict[str, object]:
        self._left -= 4
        masked: dict[str, object] = {}
        for name, item in value.items():
            if self._left <= 0:
                masked[CUT] = CUT
                break
            key = key_text(name)
            short = _cut(key)
            self._spend(short)
            masked[short] = self.of(self._fields.member(part, key), item)
        return masked

    def _array(self, part: Part, value: list[object]) -> list[object]:
        self._left -= 4
        masked: list[object] = []
        inside = self._fields.item(part)
        for item in value:
            if self._left <= 0:
                masked.append(CUT)
                break
            masked.append(self.of(inside, item))
        return masked


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}{CUT}"
