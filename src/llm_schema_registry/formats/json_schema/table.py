"""A JSON Schema as a table (compatibility-rules 1.5; the mapping of types: decision 12).

Refuses to judge ranges, and to look at keywords that say nothing of a column's type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.json_schema.references import Resources
from llm_schema_registry.formats.logical_type import (
    TEXT,
    UNBOUNDED,
    Column,
    Conversion,
    ListOf,
    LogicalType,
    MapOf,
    Root,
    Row,
    Scalar,
    Slot,
    decimal,
    sized,
    whole,
)
from llm_schema_registry.formats.places import pointer_token

_CONNECT = "org.apache.kafka.connect.data."
_NUMBERS = {
    "int8": Root.TINYINT,
    "int16": Root.SMALLINT,
    "int32": Root.INT,
    "int64": Root.BIGINT,
    "float32": Root.FLOAT,
    "float64": Root.DOUBLE,
}
_PLAIN = {"boolean": Root.BOOLEAN, "integer": Root.BIGINT, "number": Root.DOUBLE}
_SHAPED = {"properties": "object", "additionalProperties": "object", "items": "array", "prefixItems": "array"}
_SPEAKING = frozenset({"$ref", "allOf", "anyOf", "const", "enum", "oneOf", "type", *_SHAPED})
_CHOICES = ("oneOf", "anyOf")

# The name that Connect gives to the members of a choice, with their index.
_MEMBER = "connect_union_field_"


def to_logical(resources: Resources) -> LogicalType:
    """Convert a schema. Raises InvalidSchema when a part of it has no type that a column can have."""
    root, base = resources.root
    return _JsonConversion(resources).slot(root, base, "").type


class _JsonConversion:
    """Parts are known by the identity of their schema objects, which live as long as the resources."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._conversion = Conversion()

    def slot(self, schema: Any, base: str, place: str | None) -> Slot:  # noqa: ANN401 - any JSON value
        if not isinstance(schema, dict) or not _SPEAKING & schema.keys():
            raise InvalidSchema(f"The schema {_at(place)} says no type, so no column can hold it; write one")
        below = self._resources.base_of(schema, base)
        return self._conversion.once(id(schema), _at(place), lambda: self._slot(schema, below, place))

    def _slot(self, schema: dict[str, Any], base: str, place: str | None) -> Slot:
        if "$ref" in schema:
            return self._reference(schema["$ref"], base, place)
        names = _type_names(schema)
        parts = [self._typed(names, schema, base, place)] if names else []
        parts += [
            self.slot(member, base, _below(place, "allOf", str(index)))
            for index, member in enumerate(schema.get("allOf", ()))
            if isinstance(member, dict) and _SPEAKING & member.keys()
        ]
        if parts:
            return _join(parts, place)
        for keyword in _CHOICES:
            if schema.get(keyword):
                return self._choice(schema[keyword], base, _below(place, keyword))
        raise InvalidSchema(f"The schema {_at(place)} says no type, so no column can hold it; write one")

    def _reference(self, reference: str, base: str, place: str | None) -> Slot:
        target = self._resources.find(reference, base)
        if target is None:
            raise InvalidSchema(f"The $ref '{reference[:200]}' leads to a metaschema, which no column can hold")
        is_local = place is not None and base == self._resources.root.base and reference[:2] in {"#", "#/"}
        return self.slot(target.schema, target.base, unquote(reference[1:]) if is_local else None)

    def _typed(self, names: Sequence[str], schema: dict[str, Any], base: str, place: str | None) -> Slot:
        others = [name for name in names if name != "null"]
        if not others:
            raise InvalidSchema(f"The schema {_at(place)} allows null alone; a column needs another type too")
        types = [self._type(name, schema, base, place) for name in others]
        return _choose(types, [place] * len(types), is_nullable=len(others) < len(names))

    def _choice(self, members: Sequence[Any], base: str, place: str | None) -> Slot:
        slots, places = [], []
        is_nullable = False
        for index, member in enumerate(members):
            if isinstance(member, dict) and _type_names(member) == ["null"]:
                is_nullable = True
                continue
            here = _below(place, str(index))
            slots.append(self.slot(member, base, here))
            places.append(here)
        if not slots:
            raise InvalidSchema(f"The schema {_at(place)} allows null alone; a column needs another type too")
        is_nullable = is_nullable or any(slot.is_nullable for slot in slots)
        return _choose([slot.type for slot in slots], places, is_nullable=is_nullable)

    def _type(self, name: str, schema: dict[str, Any], base: str, place: str | None) -> LogicalType:
        if name == "object":
            return self._object(schema, base, place)
        if name == "array":
            return self._array(schema, base, place)
        if name == "string":
            return _text(schema)
        return _number(name, schema)

    def _object(self, schema: dict[str, Any], base: str, place: str | None) -> LogicalType:
        values = schema.get("additionalProperties")
        is_map = not schema.get("properties") and isinstance(values, dict) and bool(_SPEAKING & values.keys())
        if is_map or schema.get("connect.type") == "map":
            value = self.slot(values, base, _below(place, "additionalProperties"))
            return MapOf(Slot(TEXT, is_nullable=False), value)
        return Row(self._columns(schema, base, place))

    def _columns(self, schema: dict[str, Any], base: str, place: str | None) -> Iterator[Column]:
        """Yield columns as Connect orders them: by `connect.index`, those without it after, by name."""
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        ordered = sorted(properties.items(), key=lambda item: (_index(item[1]), item[0]))
        for name, declaration in ordered:
            here = _below(place, "properties", pointer_token(name))
            slot = self.slot(declaration, base, here)
            is_nullable = slot.is_nullable or name not in required
            yield Column(name, Slot(slot.type, is_nullable), declaration.get("default") is not None, here)

    def _array(self, schema: dict[str, Any], base: str, place: str | None) -> LogicalType:
        items = schema.get("items")
        if isinstance(items, list) or "prefixItems" in schema:
            raise InvalidSchema(f"The tuple {_at(place)} is no list of one type; write an object instead")
        here = _below(place, "items")
        # Connect writes maps whose keys are not text as lists of entries.
        if schema.get("connect.type") == "map" and isinstance(items, dict):
            entry = {column.name: column.slot for column in self._columns(items, base, here)}
            if entry.keys() != {"key", "value"}:
                raise InvalidSchema(f"The map {_at(place)} has to be a list of objects with key and value")
            return MapOf(entry["key"], entry["value"])
        return ListOf(self.slot(items, base, here))


def _type_names(schema: dict[str, Any]) -> list[str]:
    """Return the names of a schema's types, told by `type`, its values or its keywords; none for a combination."""
    if "type" in schema:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    elif "const" in schema or "enum" in schema:
        names = [_name_of(value) for value in ([schema["const"]] if "const" in schema else schema["enum"])]
    else:
        names = [name for keyword, name in _SHAPED.items() if keyword in schema]
    if "number" in names:
        names = [name for name in names if name != "integer"]
    return list(dict.fromkeys(names))


def _name_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict | list):
        raise InvalidSchema("An enum of objects or arrays has no type that a column can have; describe them by type")
    if isinstance(value, str):
        return "string"
    return "integer" if isinstance(value, int) else "number"


def _join(parts: Sequence[Slot], place: str | None) -> Slot:
    """Put the parts of an allOf together: columns of all objects, or the one type there is."""
    if len(parts) == 1:
        return parts[0]
    columns: dict[str, Column] = {}
    for part in parts:
        if not isinstance(part.type, Row) or part.type.is_union:
            raise InvalidSchema(f"The parts of the allOf {_at(place)} are not all objects, so they are no row")
        columns |= part.type.columns
    return Slot(Row(columns.values()), all(part.is_nullable for part in parts))


def _choose(types: Sequence[LogicalType], places: Sequence[str | None], *, is_nullable: bool) -> Slot:
    """Make a union of several types."""
    if len(types) == 1:
        return Slot(types[0], is_nullable)
    members = [
        Column(f"{_MEMBER}{index}", Slot(made, is_nullable=True), has_default=False, place=place)
        for index, (made, place) in enumerate(zip(types, places, strict=True))
    ]
    return Slot(Row(members, is_union=True), is_nullable)


def _text(schema: dict[str, Any]) -> Scalar:
    if schema.get("connect.type") == "bytes":
        return sized(Root.BINARY, Root.VARBINARY, schema.get("flink.minLength"), schema.get("flink.maxLength"))
    return sized(Root.CHAR, Root.VARCHAR, schema.get("minLength"), schema.get("maxLength"))


def _number(name: str, schema: dict[str, Any]) -> Scalar:
    title, connect_type = schema.get("title"), schema.get("connect.type")
    if name == "boolean" or connect_type is None:
        return Scalar(_PLAIN[name])
    if connect_type == "bytes" and title == f"{_CONNECT}Decimal":
        parameters = schema.get("connect.parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        return decimal(parameters.get("connect.decimal.precision"), parameters.get("scale"))
    root = _NUMBERS.get(connect_type) if isinstance(connect_type, str) else None
    if root is None:
        raise InvalidSchema(f"A number cannot have the connect.type {str(connect_type)[:80]!r}")
    if root is Root.INT and title == f"{_CONNECT}Date":
        return Scalar(Root.DATE)
    if root is Root.INT and title == f"{_CONNECT}Time":
        return Scalar(Root.TIME, whole(schema.get("flink.precision"), 3))
    if root is Root.BIGINT and title == f"{_CONNECT}Timestamp":
        zone = Root.TIMESTAMP if schema.get("flink.type") == "timestamp" else Root.TIMESTAMP_LTZ
        return Scalar(zone, whole(schema.get("flink.precision"), 3))
    return Scalar(root)


def _index(declaration: object) -> int:
    return whole(declaration.get("connect.index"), UNBOUNDED) if isinstance(declaration, dict) else UNBOUNDED


def _below(place: str | None, *tokens: str) -> str | None:
    return None if place is None else "/".join((place, *tokens))


def _at(place: str | None) -> str:
    return "in a reference" if place is None else f"at '#{place[:200]}'"
