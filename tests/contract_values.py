"""Shapes and plain values as rows of test data spell them.

A shape is a word (`INT`), or an object: `kind` and the members of `Shape` that differ from their defaults, `fields`
by name. A value that JSON cannot spell is an object of one member, such as `{"$decimal": "1.5"}`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from llm_schema_registry.formats.shape import Logical, Shape, ShapeField, ShapeKind

_SPELLED: dict[str, Callable[[Any], object]] = {
    "$decimal": Decimal,
    "$float": float,
    "$bytes": bytes.fromhex,
    "$date": date.fromisoformat,
    "$datetime": datetime.fromisoformat,
    "$time": time.fromisoformat,
    "$seconds": lambda seconds: timedelta(seconds=seconds),
    "$uuid": UUID,
    "$join": "".join,  # so that no search for secrets finds what only looks like one
    "$repeat": lambda given: given[0] * given[1],
}
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)


def plain(spelled: object) -> object:
    if isinstance(spelled, dict):
        if len(spelled) == 1 and (name := next(iter(spelled))) in _SPELLED:
            return _SPELLED[name](spelled[name])
        return {key: plain(value) for key, value in spelled.items()}
    return [plain(item) for item in spelled] if isinstance(spelled, list) else spelled


def shape_of(spelled: str | dict[str, Any], path: str = "top") -> Shape:
    if isinstance(spelled, str):
        return Shape(ShapeKind(spelled))
    return Shape(
        ShapeKind(spelled["kind"]),
        name=path,
        is_nullable=spelled.get("nullable", False),
        logical=Logical(spelled["logical"]) if "logical" in spelled else None,
        is_unsigned=spelled.get("unsigned", False),
        symbols=tuple(spelled.get("symbols", ())),
        fields={name: field_of(name, part, path) for name, part in spelled.get("fields", {}).items()},
        items=shape_of(spelled["items"], path) if "items" in spelled else None,
        branches=tuple(shape_of(branch, path) for branch in spelled.get("branches", ())),
        is_open=spelled.get("open", False),
    )


def field_of(name: str, spelled: str | dict[str, Any], path: str = "top") -> ShapeField:
    given = spelled if isinstance(spelled, dict) else {}
    return ShapeField(
        name,
        f"{path}.{name}",
        shape_of(spelled, f"{path}.{name}"),
        tags=tuple(given.get("tags", ())),
        is_required=given.get("required", False),
        schema_path=f"/fields/{name}",
    )


def record(**fields: str | dict[str, Any]) -> Shape:
    """The record `top` with fields as rows of data spell their shapes."""
    return shape_of({"kind": "RECORD", "fields": fields})
