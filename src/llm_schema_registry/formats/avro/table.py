"""An Avro schema as a table (compatibility-rules 1.5; the mapping of types: decision 12).

Refuses to judge ranges: a decimal or length that no table can have is converted as it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro.document import Json
from llm_schema_registry.formats.avro.tree import Array, Enum, Fixed, Map, Named, Primitive, Record, Type, Union
from llm_schema_registry.formats.logical_type import (
    TEXT,
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

_PLAIN = {
    "boolean": Root.BOOLEAN,
    "int": Root.INT,
    "long": Root.BIGINT,
    "float": Root.FLOAT,
    "double": Root.DOUBLE,
}
# By physical and logical type, with the precision where none is given. time-micros is left out: Flink reads BIGINT.
_TEMPORAL = {
    ("int", "date"): (Root.DATE, 0),
    ("int", "time-millis"): (Root.TIME, 3),
    ("long", "timestamp-millis"): (Root.TIMESTAMP_LTZ, 3),
    ("long", "timestamp-micros"): (Root.TIMESTAMP_LTZ, 6),
    ("long", "timestamp-nanos"): (Root.TIMESTAMP_LTZ, 9),
    ("long", "local-timestamp-millis"): (Root.TIMESTAMP, 3),
    ("long", "local-timestamp-micros"): (Root.TIMESTAMP, 6),
    ("long", "local-timestamp-nanos"): (Root.TIMESTAMP, 9),
}
_SMALL = {"int8": Root.TINYINT, "int16": Root.SMALLINT}
_MAP_ENTRY = ("io.confluent.connect.avro", "MapEntry")


def to_logical(root: Type, referenced: frozenset[str]) -> LogicalType:
    """Convert a schema; `referenced` are the full names of types in references. Raises InvalidSchema."""
    return _AvroConversion(referenced).slot(root, "").type


class _AvroConversion:
    """Parts are known by identity: a named type is one object, anything else one for each mention."""

    def __init__(self, referenced: frozenset[str]) -> None:
        self._referenced = referenced
        self._conversion = Conversion()

    def slot(self, node: Type, place: str | None) -> Slot:
        what = node.name.full if isinstance(node, Named) else node.type
        return self._conversion.once(id(node), what, lambda: self._slot(node, place))

    def _slot(self, node: Type, place: str | None) -> Slot:
        if isinstance(node, Union):
            return self._union(node, place)
        made: LogicalType
        if isinstance(node, Primitive):
            made = _primitive(node)
        elif isinstance(node, Enum):
            made = TEXT
        elif isinstance(node, Fixed):
            made = _decimal(node.properties) or Scalar(Root.BINARY, node.size)
        elif isinstance(node, Array):
            made = self._list(node, place)
        elif isinstance(node, Map):
            made = MapOf(Slot(TEXT, is_nullable=False), self.slot(node.values, _below(place, "values")))
        elif node.properties.get("logicalType") == "variant":
            made = Scalar(Root.VARIANT)
        else:
            made = Row(self._columns(node, None if node.name.full in self._referenced else place))
        return Slot(made, is_nullable=False)

    def _columns(self, record: Record, place: str | None) -> Iterator[Column]:
        for index, field in enumerate(record.fields.values()):
            here = _below(place, f"fields/{index}")
            slot = self.slot(field.type, _below(here, "type"))
            yield Column(field.name, slot, field.has_default and field.default is not None, here)

    def _list(self, node: Array, place: str | None) -> LogicalType:
        items = _below(place, "items")
        # Connect writes maps whose keys are not text as lists of entries.
        if isinstance(node.items, Record) and _is_map_entry(node.items):
            key, value = (column.slot for column in self._columns(node.items, items))
            return MapOf(key, value)
        return ListOf(self.slot(node.items, items))

    def _union(self, node: Union, place: str | None) -> Slot:
        branches = [
            (branch, _below(place, str(index))) for index, branch in enumerate(node.branches) if branch.type != "null"
        ]
        is_nullable = len(branches) < len(node.branches)
        if len(branches) == 1:
            branch, here = branches[0]
            return Slot(self.slot(branch, here).type, is_nullable)
        simple = Counter(_simple_name(branch) for branch, _ in branches)
        members = [
            Column(
                branch.name.full if isinstance(branch, Named) and simple[branch.name.simple] > 1 else branch_name,
                Slot(self.slot(branch, here).type, is_nullable=True),
                has_default=False,
                place=here,
            )
            for branch, here in branches
            for branch_name in (_simple_name(branch),)
        ]
        return Slot(Row(members, is_union=True), is_nullable)


def _primitive(node: Primitive) -> Scalar:
    properties = node.properties
    if node.type == "null":
        raise InvalidSchema("A column of a table cannot be null alone; write a union of null with another type")
    if node.type == "string":
        return sized(Root.CHAR, Root.VARCHAR, properties.get("flink.minLength"), properties.get("flink.maxLength"))
    if node.type == "bytes":
        # A fixed length is what `fixed` is for.
        bounded = Scalar(Root.VARBINARY, whole(properties.get("flink.maxLength"), TEXT.size))
        return _decimal(properties) or bounded
    root = _PLAIN[node.type]
    temporal = _TEMPORAL.get((node.type, str(properties.get("logicalType"))))
    if temporal is not None:
        root, precision = temporal
        return Scalar(root, precision and whole(properties.get("flink.precision"), precision))
    if root is Root.INT:
        root = _SMALL.get(str(properties.get("connect.type")), root)
    return Scalar(root)


def _decimal(properties: Mapping[str, Json]) -> Scalar | None:
    if properties.get("logicalType") != "decimal":
        return None
    return decimal(properties.get("precision"), properties.get("scale"))


def _is_map_entry(record: Record) -> bool:
    is_marked = record.properties.get("connect.internal.type") == "MapEntry"
    return (is_marked or record.name == _MAP_ENTRY) and list(record.fields) == ["key", "value"]


def _simple_name(branch: Type) -> str:
    return branch.name.simple if isinstance(branch, Named) else branch.type


def _below(place: str | None, tokens: str) -> str | None:
    return None if place is None else f"{place}/{tokens}"
