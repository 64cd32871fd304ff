"""A small value of a type, in Avro's JSON encoding, to show what happens to data.

Refuses to find values that show a particular harm; who finds the harm knows them.
"""

from __future__ import annotations

import json
from typing import NamedTuple, TypeAlias

from llm_schema_registry.formats.avro.document import Json
from llm_schema_registry.formats.avro.tree import Array, Enum, Fixed, Map, Primitive, Record, Type, Union

Steps: TypeAlias = "list[str | int | None]"

_MAX_DEPTH = 12
_MAX_NODES = 64
_PRIMITIVES: dict[str, Json] = {
    "null": None,
    "boolean": True,
    "int": 5,
    "long": 5,
    "float": 1.5,
    "double": 1.5,
    "bytes": "a",
    "string": "a",
}


class Trail(NamedTuple):
    """A way into a value: the steps before, and a field, the index of a branch, or None for an item or map value."""

    before: Trail | None
    step: str | int | None


def sample_of(schema: Type, trail: Trail | None = None, symbol: str | None = None) -> str:
    """Return a value as JSON text; empty when there is none, or none that is small.

    With a trail it has a value at its end, of an enum that symbol.
    """
    steps: Steps = []
    while trail is not None and len(steps) < _MAX_DEPTH:
        steps.append(trail.step)
        trail = trail.before
    if trail is not None:
        return ""
    try:
        return json.dumps(_Sampler(symbol).value(schema, 0, steps))
    except _NoneFound:
        return ""


class _NoneFound(Exception):
    """No value can be made here, or none within the bounds."""


class _Sampler:
    """Makes one value. The steps that lead on are a stack, empty at the end of the trail and None beside it."""

    def __init__(self, symbol: str | None) -> None:
        self._symbol = symbol
        self._nodes = 0

    def value(self, schema: Type, depth: int, steps: Steps | None) -> Json:
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise _NoneFound
        match schema:
            case Primitive():
                return _PRIMITIVES[schema.type]
            case Array():
                return [self.value(schema.items, depth + 1, steps[:-1])] if steps else []
            case Map():
                return {"key": self.value(schema.values, depth + 1, steps[:-1])} if steps else {}
            case Enum():
                if not schema.symbols:
                    raise _NoneFound
                return next(iter(schema.symbols)) if self._symbol is None or steps is None else self._symbol
            case Fixed():
                if schema.size > _MAX_NODES:
                    raise _NoneFound
                return "\0" * schema.size
            case Record():
                return {
                    name: self.value(field.type, depth + 1, steps[:-1] if steps and steps[-1] == name else None)
                    for name, field in schema.fields.items()
                }
            case _:
                return self._branch(schema, depth, steps)

    def _branch(self, union: Union, depth: int, steps: Steps | None) -> Json:
        branches = [union.branches[int(steps[-1] or 0)]] if steps else union.branches
        for branch in branches:
            try:
                value = self.value(branch, depth + 1, steps[:-1] if steps else None)
            except _NoneFound:
                continue
            return value if value is None else {name_of(branch): value}
        raise _NoneFound


def name_of(schema: Type) -> str:
    """Return what a type is called as a branch of a union."""
    return schema.name.full if isinstance(schema, (Record, Enum, Fixed)) else schema.type
