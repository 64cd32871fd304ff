"""A small value of a type, in Avro's JSON encoding, to show what happens to data.

Refuses to find values that show a particular harm; who finds the harm knows them.
"""

from __future__ import annotations

import json

from llm_schema_registry.formats.avro.document import Json
from llm_schema_registry.formats.avro.tree import Array, Enum, Fixed, Map, Primitive, Record, Type, Union

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


def sample_of(schema: Type) -> str:
    """Return a value as JSON text; empty when there is none, or none that is small."""
    try:
        return json.dumps(_Sampler().value(schema, 0))
    except _NoneFound:
        return ""


class _NoneFound(Exception):
    """No value can be made here, or none within the bounds."""


class _Sampler:
    def __init__(self) -> None:
        self._nodes = 0

    def value(self, schema: Type, depth: int) -> Json:
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise _NoneFound
        match schema:
            case Primitive():
                return _PRIMITIVES[schema.type]
            case Array():
                return []
            case Map():
                return {}
            case Enum():
                if not schema.symbols:
                    raise _NoneFound
                return next(iter(schema.symbols))
            case Fixed():
                if schema.size > _MAX_NODES:
                    raise _NoneFound
                return "\0" * schema.size
            case Record():
                return {name: self.value(field.type, depth + 1) for name, field in schema.fields.items()}
            case _:
                return self._branch(schema, depth)

    def _branch(self, union: Union, depth: int) -> Json:
        for branch in union.branches:
            try:
                value = self.value(branch, depth + 1)
            except _NoneFound:
                continue
            return value if value is None else {name_of(branch): value}
        raise _NoneFound


def name_of(schema: Type) -> str:
    """Return what a type is called as a branch of a union."""
    return schema.name.full if isinstance(schema, (Record, Enum, Fixed)) else schema.type
