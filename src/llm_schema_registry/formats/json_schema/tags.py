"""Inline tags (`confluent:tags`): where they hang, reading them, writing them.

Refuses to know which tags exist or what they mean.

Paths: the root is `object`; a property adds its name, the elements of an array add `array`. Members of allOf, anyOf
and oneOf and targets of `$ref` inside the document stand for the place that holds them. A property's schema is a
field; any other place is a record when it is an object, otherwise a field. Each definition counts once, where it is
met first in document order, so that recursive and widely shared definitions stay cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.json_schema.document import read_json, write_json
from llm_schema_registry.formats.json_schema.references import Resources
from llm_schema_registry.model import EntityKind, EntityTags

KEYWORD = "confluent:tags"
ROOT = "object"
_ELEMENT = "array"

_Places = dict[tuple[str, EntityKind], list[dict[str, Any]]]


def read_tags(resources: Resources) -> tuple[EntityTags, ...]:
    """List the tags of a document in document order; tags of one place are united."""
    found = []
    for (path, kind), schemas in _places(resources).items():
        tags = dict.fromkeys(tag for schema in schemas for tag in _own(schema))
        if tags:
            found.append(EntityTags(path, kind, tuple(tags)))
    return tuple(found)


def write_tags(canonical: str, resources: Resources, add: Sequence[EntityTags], remove: Sequence[EntityTags]) -> str:
    """Return the text with tags removed, then added. Raises InvalidSchema for a path that does not exist.

    A property that is an object may be named as field or as record; the tags stand in the same place.
    """
    root = read_json(canonical)
    places = _places(Resources(resources.draft, root, resources.references))
    for entity in remove:
        for schema in _named(places, entity):
            _set(schema, [tag for tag in _own(schema) if tag not in entity.tags])
    for entity in add:
        schemas = _named(places, entity)
        present = {tag for schema in schemas for tag in _own(schema)}
        new = [tag for tag in dict.fromkeys(entity.tags) if tag not in present]
        _set(schemas[0], [*_own(schemas[0]), *new])
    return write_json(root)


def _named(places: _Places, entity: EntityTags) -> list[dict[str, Any]]:
    exact = places.get((entity.path, entity.kind))
    if exact is not None:
        return exact
    if entity.kind is EntityKind.RECORD:
        objects = [schema for schema in places.get((entity.path, EntityKind.FIELD), []) if _is_object(schema)]
        if objects:
            return objects
    known = [f"{path} ({kind})" for path, kind in list(places)[:20]]
    raise InvalidSchema(
        f"No {entity.kind} '{entity.path}' in the schema to tag; there are {', '.join(known) or 'none'}"
    )


def _places(resources: Resources) -> _Places:
    places: _Places = {}
    seen: set[int] = set()
    stack: list[tuple[Any, str, str, bool]] = [(*resources.root, ROOT, False)]
    while stack:
        schema, outer, path, is_property = stack.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        base = resources.base_of(schema, outer)
        is_record = not is_property and (path == ROOT or _is_object(schema))
        places.setdefault((path, EntityKind.RECORD if is_record else EntityKind.FIELD), []).append(schema)
        stack.extend(reversed(_inner(resources, schema, base, path, is_property=is_property)))
    return places


def _inner(
    resources: Resources, schema: dict[str, Any], base: str, path: str, *, is_property: bool
) -> list[tuple[Any, str, str, bool]]:
    """The schemas below one, each with base, path and whether it is (part of) a property's schema."""
    found: list[tuple[Any, str, str, bool]] = []
    properties = schema.get("properties")
    if isinstance(properties, dict):
        found.extend((part, base, f"{path}.{name}", True) for name, part in properties.items())
    items = schema.get("items")
    elements = [*(items if isinstance(items, list) else [items]), *_list(schema.get("prefixItems"))]
    found.extend((part, base, f"{path}.{_ELEMENT}", False) for part in elements)
    for keyword in ("allOf", "anyOf", "oneOf"):
        found.extend((member, base, path, is_property) for member in _list(schema.get(keyword)))
    reference = schema.get("$ref")
    target = resources.find(reference, base) if isinstance(reference, str) and reference.startswith("#") else None
    if target is not None:
        found.append((target.schema, target.base, path, is_property))
    return found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _own(schema: dict[str, Any]) -> list[str]:
    return [tag for tag in _list(schema.get(KEYWORD)) if isinstance(tag, str)]


def _set(schema: dict[str, Any], tags: list[str]) -> None:
    if tags:
        schema[KEYWORD] = tags
    else:
        schema.pop(KEYWORD, None)


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema
