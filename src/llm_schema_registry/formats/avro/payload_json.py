"""Avro's JSON encoding into values, strictly: a schema compiled once into functions that take JSON values.

Refuses to guess a union's branch, to fill in defaults and to convert between types. Like Java's decoder it wants every
field, since defaults are for readers of other schemas; other than that, NaN and the infinities are strings as Java's
encoder writes them, and a null is never wrapped. Paths lead into the JSON text, so through the names of branches.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from types import MappingProxyType, NoneType

from llm_schema_registry.formats.avro.document import shorten
from llm_schema_registry.formats.avro.payload_compile import Compiler, below
from llm_schema_registry.formats.avro.payload_fault import Bounds, Fault, Flawed, Unfit
from llm_schema_registry.formats.avro.payload_json_values import (
    PRIMITIVES,
    Read,
    described,
    mismatch,
    raw_bytes,
    sample,
    wrong,
)
from llm_schema_registry.formats.avro.payload_logical import Conversion
from llm_schema_registry.formats.avro.samples import name_of
from llm_schema_registry.formats.avro.spot import Places
from llm_schema_registry.formats.avro.tree import Array, Enum, Map, Record, Type, Union
from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH, Reading
from llm_schema_registry.formats.strict_json import read_json
from llm_schema_registry.model import ViolationKind

_OUTLINES: Mapping[str, type | tuple[type, ...]] = MappingProxyType(
    {"null": NoneType, "boolean": bool, "int": int, "long": int, "float": (int, float), "double": (int, float)}
)
# Around each record, array and map there may be the name of its branch, and around a value inside the last.
_MAX_LEVELS = 2 * MAX_PAYLOAD_DEPTH + 1
_NO_DEFAULTS = "every field is written, whether it has a default or not"


class JsonReader:
    """Reads payloads of one schema; `places` are those of its text. Immutable; safe to share between threads."""

    def __init__(self, root: Type, places: Places) -> None:
        self._read = _JsonCompiler(places).compile(root)

    def read(self, data: bytes, limit: int) -> Reading:
        """Read a payload wholly, with up to `limit` violations; what is wrong as JSON is not looked at further."""
        value, violations = read_json(data, limit, depth=_MAX_LEVELS, has_nan_as_text=True)
        if violations:
            return Reading(None, violations)
        try:
            return Reading(self._read(value, Bounds(limit), 0))
        except Flawed as flawed:
            return Reading(flawed.value, tuple(fault.violation() for fault in flawed.faults[:limit]))


class _JsonCompiler(Compiler[Read]):
    def record(self, fields: dict[str, Read], place: str | None) -> Read:
        def read(value: object, bounds: Bounds, depth: int) -> object:
            if not isinstance(value, dict):
                raise mismatch("an object with the fields of a record", value, place)
            bounds.enter(len(value), depth, place)
            depth += 1
            faults: list[Fault] = []
            record: dict[str, object] = {}
            for name, member in value.items():
                read_field = fields.get(name)
                if read_field is None:
                    _note(wrong(ViolationKind.FIELD_UNKNOWN, "no such field", "one", place), name, faults, bounds)
                    continue
                try:
                    record[name] = read_field(member, bounds, depth)
                except Flawed as flawed:
                    record[name], _ = flawed.absorb(name, faults, bounds.faults)
            if len(record) < len(fields):
                _note_missing(fields, record, faults, bounds, place)
            return _whole(record, faults)

        return read

    def map(self, read_value: Read, place: str | None) -> Read:
        def read(value: object, bounds: Bounds, depth: int) -> object:
            if not isinstance(value, dict):
                raise mismatch("an object with the entries of a map", value, place)
            bounds.enter(len(value), depth, place)
            depth += 1
            faults: list[Fault] = []
            entries: dict[str, object] = {}
            for key, member in value.items():
                try:
                    entries[key] = read_value(member, bounds, depth)
                except Flawed as flawed:
                    entries[key], _ = flawed.absorb(key, faults, bounds.faults)
            return _whole(entries, faults)

        return read

    def array(self, read_item: Read, place: str | None) -> Read:
        def read(value: object, bounds: Bounds, depth: int) -> object:
            if not isinstance(value, list):
                raise mismatch("an array", value, place)
            bounds.enter(len(value), depth, place)
            depth += 1
            faults: list[Fault] = []
            items: list[object] = []
            for index, item in enumerate(value):
                try:
                    items.append(read_item(item, bounds, depth))
                except Flawed as flawed:
                    items.append(flawed.absorb(str(index), faults, bounds.faults)[0])
            return _whole(items, faults)

        return read

    def union(self, schema: Union, branches: list[Read], place: str | None) -> Read:
        names = [name_of(branch) for branch in schema.branches]
        readers = dict(zip(names, branches, strict=True))
        # A null is never wrapped.
        is_nullable = readers.pop("null", None) is not None
        expected = shorten(f"a value of one of the branches {', '.join(names)}")

        def read(value: object, bounds: Bounds, depth: int) -> object:
            if value is None:
                if is_nullable:
                    return None
                raise wrong(ViolationKind.NOT_NULLABLE, expected, "null", place)
            members = value if isinstance(value, dict) else {}
            name = next(iter(members), "") if len(members) == 1 else ""
            if name not in readers:
                kind = ViolationKind.BRANCH_UNKNOWN if isinstance(value, dict) else ViolationKind.TYPE_MISMATCH
                raise wrong(kind, expected, described(value), place, _wrapping(schema, value))
            try:
                return readers[name](members[name], bounds, depth)
            except Flawed as flawed:
                faults: list[Fault] = []
                unwrapped, _ = flawed.absorb(name, faults, bounds.faults)
                raise Flawed(faults, unwrapped, 0) from None

        return read

    def enum(self, symbols: tuple[str, ...], place: str | None) -> Read:
        known = frozenset(symbols)
        expected = shorten(f"one of {', '.join(symbols)}")

        def read(value: object, bounds: Bounds, depth: int) -> object:
            if not isinstance(value, str):
                raise mismatch(expected, value, place)
            if value not in known:
                raise wrong(ViolationKind.SYMBOL_UNKNOWN, expected, sample(value), place)
            return value

        return read

    def fixed(self, size: int, place: str | None) -> Read:
        def read(value: object, bounds: Bounds, depth: int) -> object:
            raw = raw_bytes(value, place)
            if len(raw) != size:
                raise wrong(ViolationKind.LENGTH_OUT_OF_RANGE, f"a string of {size} bytes", str(len(raw)), place)
            return raw

        return read

    def primitive(self, name: str, place: str | None) -> Read:
        return PRIMITIVES[name](place)

    def meant(self, read: Read, convert: Conversion, place: str | None) -> Read:
        def read_meaning(value: object, bounds: Bounds, depth: int) -> object:
            raw = read(value, bounds, depth)
            try:
                return convert(raw)
            except Unfit as unfit:
                raise wrong(unfit.kind, unfit.expected, unfit.found, place) from None

        return read_meaning


def _note(flawed: Flawed, token: str, faults: list[Fault], bounds: Bounds) -> None:
    """Add what is wrong with a part to the faults of the whole."""
    flawed.absorb(token, faults, bounds.faults)


def _note_missing(
    fields: Collection[str], record: Collection[str], faults: list[Fault], bounds: Bounds, place: str | None
) -> None:
    for index, name in enumerate(fields):
        if name not in record:
            here = below(place, f"fields/{index}")
            _note(wrong(ViolationKind.FIELD_MISSING, "a field", "nothing", here, _NO_DEFAULTS), name, faults, bounds)


def _whole(value: object, faults: list[Fault]) -> object:
    """Return a container that was read to its end."""
    if faults:
        raise Flawed(faults, value, 0)
    return value


def _wrapping(schema: Union, value: object) -> str:
    """Show how a value is written that stands there bare."""
    branch = next((branch for branch in schema.branches if _resembles(branch, value)), None)
    if branch is None:
        return ""
    return f"a union's value stands under the name of its branch: {{{json.dumps(name_of(branch))}: {sample(value)}}}"


def _resembles(branch: Type, value: object) -> bool:
    """Whether a JSON value is what such a branch is written as, by its outline."""
    match branch:
        case Record():
            return isinstance(value, dict) and value.keys() <= branch.fields.keys()
        case Enum():
            return isinstance(value, str) and value in branch.symbols
        case Map():
            return isinstance(value, dict)
        case Array():
            return isinstance(value, list)
        case _:
            if isinstance(value, bool):
                return branch.type == "boolean"
            return isinstance(value, _OUTLINES.get(branch.type, str))
