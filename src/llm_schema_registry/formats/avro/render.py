"""Tree into JSON text: the stored form (as Java writes a schema), the normalized one, and the one without references.

Refuses to own what a schema means; rules: rest-api section 8.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence

from msgspec import UnsetType

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro.document import MAX_DEPTH, Json, refuse_depth, shorten, write
from llm_schema_registry.formats.avro.parse import ORDERS, NamedType
from llm_schema_registry.formats.avro.tree import (
    PRIMITIVES,
    Array,
    Enum,
    Field,
    Map,
    Name,
    Primitive,
    Properties,
    Record,
    Type,
    Union,
)
from llm_schema_registry.model import EntityKind, EntityTags

TAGS = "confluent:tags"

# Java writes a name that is also a word for a type in full, lest it be read as that type.
_TYPE_WORDS = PRIMITIVES | {"record", "enum", "array", "map", "union", "fixed"}

Entity = tuple[EntityKind, str]


class Renderer:
    """Writes one schema once.

    `types` are all names that can be used; those in `written` are only named, all others are written in full where
    they are first used. `tags` replaces the inline tags of the entities it holds. After `text`, `tags_found` has the
    inline tags of every record and field written here, in document order, empty ones included.
    """

    def __init__(
        self,
        types: Collection[str],
        written: Collection[str],
        *,
        is_normalized: bool = False,
        tags: Mapping[Entity, Sequence[str]] | None = None,
    ) -> None:
        self.tags_found: dict[Entity, tuple[str, ...]] = {}
        self._types = types
        self._written = set(written)
        self._is_normalized = is_normalized
        self._tags = tags or {}

    def text(self, root: Type) -> str:
        """Return the schema as compact JSON. Raises InvalidSchema when it would nest too deep to be read again."""
        return write(self._type(root, "", 0))

    def _type(self, node: Type, space: str, depth: int) -> Json:
        if depth > MAX_DEPTH:
            raise refuse_depth()
        match node:
            case Primitive():
                properties = self._sorted(node.properties)
                return {"type": node.type, **properties} if properties else node.type
            case Array():
                items = self._type(node.items, space, depth + 1)
                return {"type": "array", "items": items, **self._sorted(node.properties)}
            case Map():
                values = self._type(node.values, space, depth + 1)
                return {"type": "map", "values": values, **self._sorted(node.properties)}
            case Union():
                return [self._type(branch, space, depth + 1) for branch in node.branches]
            case _:
                if node.name.full in self._written:
                    return self._use(node.name, space)
                self._written.add(node.name.full)
                return self._definition(node, space, depth)

    def _definition(self, node: NamedType, space: str, depth: int) -> Json:
        properties: Properties = node.properties
        if isinstance(node, Record):
            properties = self._tagged(node.properties, (EntityKind.RECORD, node.name.full))
        head: Properties = {"type": "error" if isinstance(node, Record) and node.is_error else node.type}
        head |= self._name(node.name, space)
        if node.doc is not None:
            head["doc"] = node.doc
        match node:
            case Record():
                head["fields"] = [self._field(field, node.name, depth + 3) for field in node.fields.values()]
            case Enum():
                head["symbols"] = list(node.symbols)
                if node.default is not None:
                    head["default"] = node.default
            case _:
                head["size"] = node.size
        head |= self._sorted(properties)
        if node.aliases:
            head["aliases"] = [self._alias(alias, node.name.space) for alias in node.aliases.values()]
        return head

    def _field(self, field: Field, record: Name, depth: int) -> Json:
        properties = self._tagged(field.properties, (EntityKind.FIELD, f"{record.full}.{field.name}"))
        written: Properties = {"name": field.name, "type": self._type(field.type, record.space, depth)}
        if field.doc is not None:
            written["doc"] = field.doc
        if not isinstance(field.default, UnsetType):
            written["default"] = _default(field.type, field.default)
        if field.order != ORDERS[0]:
            written["order"] = field.order
        if field.aliases:
            written["aliases"] = list(field.aliases)
        return written | self._sorted(properties)

    def _name(self, name: Name, space: str) -> Properties:
        if self._is_normalized and name.space:
            return {"name": name.full}
        if name.space == space:
            return {"name": name.simple}
        return {"name": name.simple, "namespace": name.space}

    def _use(self, name: Name, space: str) -> str:
        if name.space == space and name.simple not in _TYPE_WORDS and not self._is_normalized:
            return name.simple
        if not name.space and f"{space}.{name.simple}" in self._types:
            return f".{name.simple}"
        return name.full

    def _alias(self, alias: Name, space: str) -> str:
        if alias.space == space and not self._is_normalized:
            return alias.simple
        return alias.full if alias.space or not space else f".{alias.simple}"

    def _tagged(self, properties: Properties, entity: Entity) -> Properties:
        found = properties.get(TAGS)
        self.tags_found[entity] = tuple(tag for tag in found if isinstance(tag, str)) if isinstance(found, list) else ()
        if entity not in self._tags:
            return properties
        tags = self._tags[entity]
        kept = properties | {TAGS: list(tags)}
        return kept if tags else {key: value for key, value in kept.items() if key != TAGS}

    def _sorted(self, properties: Properties) -> Properties:
        return dict(sorted(properties.items())) if self._is_normalized else properties


def merge_tags(
    found: Mapping[Entity, tuple[str, ...]], add: Sequence[EntityTags], remove: Sequence[EntityTags]
) -> dict[Entity, tuple[str, ...]]:
    """Return the tags of every entity named, removing last. Raises InvalidSchema for an unknown one."""
    merged: dict[Entity, tuple[str, ...]] = {}
    for change in (*add, *remove):
        entity = (change.kind, change.path)
        if entity not in found:
            raise InvalidSchema(
                f"The schema has no {'record' if change.kind is EntityKind.RECORD else 'field'} "
                f"'{shorten(change.path)}' to tag; write the full name of a record, and for a field a dot and its name"
            )
        merged[entity] = found[entity]
    for change in add:
        entity = (change.kind, change.path)
        merged[entity] = tuple(dict.fromkeys((*merged[entity], *change.tags)))
    for change in remove:
        entity = (change.kind, change.path)
        merged[entity] = tuple(tag for tag in merged[entity] if tag not in change.tags)
    return merged


def _default(expected: Type, default: Json) -> Json:
    """Java writes what is no finite number as a string, which a float or double takes as its default."""
    if isinstance(default, float) and not math.isfinite(default) and expected.type in ("float", "double"):
        return json.dumps(default)
    return default
