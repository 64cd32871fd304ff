"""What a difference means to a person, and what its author can write to mend it.

Refuses to find differences. Every kind has an entry in `_ADVICE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from llm_schema_registry.formats.avro import kinds
from llm_schema_registry.formats.avro.document import shorten
from llm_schema_registry.formats.avro.excerpt import MAX_LENGTH, dump, excerpt, field_json, type_json
from llm_schema_registry.formats.avro.kinds import KINDS
from llm_schema_registry.formats.avro.samples import name_of
from llm_schema_registry.formats.avro.spot import End, Places, Spot, find_spot
from llm_schema_registry.formats.avro.tree import Array, Enum, Field, Fixed, Map, Primitive, Record, Type, Union
from llm_schema_registry.model import Detail, Difference

_OF_FIELDS = frozenset(
    {
        kinds.READER_FIELD_MISSING_DEFAULT_VALUE,
        kinds.AMBIGUOUS_FIELD_ALIASES,
        kinds.FIELD_ALIAS_UNRELIABLE,
        kinds.DEFAULT_UNUSABLE,
    }
)
_OF_UNIONS = frozenset(
    {kinds.MISSING_UNION_BRANCH, kinds.UNION_BRANCH_AMBIGUOUS, kinds.UNION_BRANCH_UNREADABLE, kinds.TYPE_MISMATCH}
)
_NEUTRAL: Mapping[str, object] = MappingProxyType(
    {"boolean": False, "int": 0, "long": 0, "float": 0.0, "double": 0.0, "bytes": "", "string": ""}
)
_WIDER = {"int": "long", "float": "double"}
_MAX_COMPARED_FIELDS = 200
# What is to be written is cut later than what stands there.
_MAX_REMEDY = 1_000


class _Advice(NamedTuple):
    explanation: str
    remedy: str


def explain(difference: Difference, reader: tuple[Type, Places], writer: tuple[Type, Places]) -> Detail:
    """Explain a difference between two roots, each with the places of the types that its text defines."""
    spot = find_spot(
        difference.path,
        End(*reader),
        End(*writer),
        is_ambiguous=difference.kind == kinds.AMBIGUOUS_FIELD_ALIASES,
    )
    is_field = difference.kind in _OF_FIELDS
    if not is_field and difference.kind not in _OF_UNIONS:
        spot.enter_union()
    advice = _ADVICE[difference.kind](spot, difference)
    return Detail(
        reader_path=spot.reader.pointer,
        writer_path=spot.writer.pointer,
        before=excerpt(spot.writer, spot.attribute, is_field=is_field),
        after=excerpt(spot.reader, spot.attribute, is_field=is_field),
        explanation=advice.explanation,
        remedy=advice.remedy or KINDS[difference.kind].remedy,
    )


def _subject(spot: Spot) -> str:
    """Return what the difference is about, to begin a sentence with."""
    field = spot.reader.field
    return f'The field "{field.name}"' if field is not None else "The schema"


def _names(spot: Spot, difference: Difference) -> _Advice:
    written = difference.info.removeprefix("expected: ")
    found = name_of(spot.reader.type) if spot.reader.type is not None else "another name"
    return _Advice(
        f"{_subject(spot)} is of the named type {found} for the reader and of {written} for the writer, and the reader "
        "does not say that they are the same.",
        f'Keep the name, or if it is the same type renamed, write "aliases": ["{written}"] beside the name {found}.',
    )


def _sizes(spot: Spot, difference: Difference) -> _Advice:
    size = difference.info.removeprefix("expected: ").partition(",")[0]
    name = name_of(spot.reader.type) if spot.reader.type is not None else "the fixed"
    return _Advice(
        f"The reader takes another number of bytes for {name} than the {size} that the writer writes.",
        f'Keep "size": {size} for {name}, or add a field of a new fixed type with a default beside it.',
    )


def _symbols(spot: Spot, difference: Difference) -> _Advice:
    missing = shorten(difference.info.strip("[]"), MAX_LENGTH)
    enum = spot.reader.type
    name = name_of(enum) if enum is not None else "The enum"
    first = next(iter(enum.symbols), "UNKNOWN") if isinstance(enum, Enum) else "UNKNOWN"
    return _Advice(
        f"The enum {name} of the reader lacks {missing}, which the writer may write, and has no default to take "
        "instead.",
        f'Keep {missing} in the symbols of {name}, or write "default": "{first}" beside them, which readers then see '
        "in its place.",
    )


def _missing_default(spot: Spot, difference: Difference) -> _Advice:
    field = spot.reader.field
    explanation = (
        f'The reader wants the field "{difference.info}", which the writer does not write, and has no default to fill '
        "it in with."
    )
    if field is None:
        return _Advice(explanation, "")
    remedy = f'Give "{field.name}" a default: {_with_default(field)}.'
    replaced = _vanished(spot, field)
    if replaced is not None:
        remedy += f' If it is "{replaced}" renamed, write "aliases": ["{replaced}"] instead.'
    return _Advice(explanation, remedy)


def _with_default(field: Field) -> str:
    """Return the field as it could be written with a default."""
    schema = field.type
    value: dict[str, object] = {**field_json(field), "type": type_json(schema)}
    match schema:
        case Union() | Record() | Fixed():
            value["type"] = _nullable(schema)
            value["default"] = None
        case Array():
            value["default"] = []
        case Map():
            value["default"] = {}
        case Enum():
            value["default"] = schema.default or next(iter(schema.symbols), None)
        case _:
            value["default"] = _NEUTRAL.get(schema.type)
    return dump(value, _MAX_REMEDY)


def _nullable(schema: Type) -> list[object]:
    """Return a type as a union that begins with null, so that null can be its default in every release of Avro."""
    branches = schema.branches if isinstance(schema, Union) else [schema]
    return ["null", *(type_json(branch) for branch in branches if branch.type != "null")]


def _vanished(spot: Spot, field: Field) -> str | None:
    """Return the one field that the writer alone has and that is of the same type."""
    reader, writer = spot.reader.owner, spot.writer.owner
    if reader is None or writer is None or max(len(reader.fields), len(writer.fields)) > _MAX_COMPARED_FIELDS:
        return None
    wanted = type_json(field.type)
    same = [
        one.name for one in writer.fields.values() if one.name not in reader.fields and type_json(one.type) == wanted
    ]
    return same[0] if len(same) == 1 else None


def _types(spot: Spot, difference: Difference) -> _Advice:
    reader, writer = spot.reader.type, spot.writer.type
    if spot.writer.field is None and spot.reader.field is not None and isinstance(reader, Enum):
        # Java's check calls a missing field so, when the enum has a default (compatibility-rules 2.4).
        return _missing_default(spot, Difference(difference.kind, difference.path, spot.reader.field.name))
    if reader is None or writer is None:
        return _Advice(f"Java's check: {difference.info}.", "")
    written = dump(type_json(writer))
    remedy = f"Keep the type {written}"
    if isinstance(writer, Primitive) and writer.type in _WIDER:
        remedy += f', widen it to "{_WIDER[writer.type]}"'
    if not isinstance(reader, Union):
        remedy += f", or make it a union of both: {dump([type_json(writer), type_json(reader)], _MAX_REMEDY)}"
    return _Advice(
        f"{_subject(spot)} is {dump(type_json(reader))} for the reader, which cannot read the {written} that the "
        "writer writes.",
        f"{remedy}.",
    )


def _branches(spot: Spot, difference: Difference) -> _Advice:
    reader, writer = spot.reader.type, spot.writer.type
    if not isinstance(reader, Union) or writer is None:
        return _Advice(f"Java's check: {difference.info}.", "")
    written = dump(type_json(writer))
    alike = next((one for one in reader.branches if name_of(one) == name_of(writer)), None)
    if alike is not None:
        return _Advice(
            f"{_subject(spot)} may hold {written}; the reader's union has a branch of this name, which cannot read it.",
            f"Undo what changed inside {written}, or make that change one that it can be read with, such as a new "
            "field with a default.",
        )
    branches = [type_json(branch) for branch in reader.branches]
    return _Advice(
        f"{_subject(spot)} may hold {written}, which no branch of the reader's union reads.",
        f"Write the union with it: {dump([*branches, type_json(writer)], _MAX_REMEDY)}.",
    )


def _ambiguous_aliases(spot: Spot, difference: Difference) -> _Advice:
    field = spot.reader.field
    aliases = dump(list(field.aliases)) if field is not None else "the aliases"
    return _Advice(
        f"In the writer more than one field fits by name or alias: {difference.info}.",
        f"Remove aliases from {aliases} until one field of the writer is left.",
    )


def _lossy(spot: Spot, difference: Difference) -> _Advice:
    exact = '"long" or "double"' if difference.info.startswith("int") else '"long"'
    return _Advice(
        _changed(spot, difference), f"Read {exact}, or add a field of the new type with a default beside it."
    )


def _beside(spot: Spot, difference: Difference) -> _Advice:
    """What changes its meaning in place: the new meaning needs a new field."""
    reader, writer, field = spot.reader.type, spot.writer.type, spot.reader.field
    explanation = _changed(spot, difference)
    if reader is None or writer is None:
        return _Advice(explanation, "")
    kept = excerpt(spot.writer, "", is_field=False)
    if field is None or isinstance(reader, Fixed):
        return _Advice(explanation, f"Keep {kept}, and give the new meaning a type or schema of its own.")
    beside = {"name": f"{field.name}_new", "type": _nullable(field.type), "default": None}
    return _Advice(explanation, f"Keep {kept}, and add a field beside it: {dump(beside, _MAX_REMEDY)}.")


def _changed(spot: Spot, difference: Difference) -> str:
    """Say what is read as what, with the sample if there is one."""
    written, _, read = difference.info.partition(" read as ")
    said = f"{_subject(spot)} is written as {written} and read as {read}"
    if not difference.sample:
        return f"{said}."
    if difference.outcome.startswith("fails"):
        return f"{said}: {difference.sample} {difference.outcome}."
    return f"{said}: {difference.sample} arrives as {difference.outcome}."


def _precision(spot: Spot, difference: Difference) -> _Advice:
    writer = spot.writer.type
    precision = writer.properties.get("precision") if isinstance(writer, (Primitive, Fixed)) else None
    return _Advice(
        _changed(spot, difference),
        f'Keep "precision": {precision}, or raise it.',
    )


def _replaced(spot: Spot, difference: Difference) -> _Advice:
    missing = shorten(difference.info.strip("[]"), MAX_LENGTH)
    name = name_of(spot.reader.type) if spot.reader.type is not None else "the enum"
    return _Advice(
        f"The reader sees {difference.outcome} where the writer wrote {missing}, since {name} has no such symbol any "
        "more.",
        f"Keep {missing} in the symbols of {name}.",
    )


def _rivals(spot: Spot, difference: Difference) -> _Advice:
    writer = spot.writer.type
    first = dump(type_json(writer)) if writer is not None else "it"
    return _Advice(
        f"Several branches of the reader's union fit what the writer writes, {difference.info}: a value arrives as "
        f"{difference.outcome}.",
        f"Write the branch {first} first in the union, before every other branch that fits.",
    )


def _unreadable(spot: Spot, difference: Difference) -> _Advice:
    writer = spot.writer.type
    name = name_of(writer) if writer is not None else "the written type"
    return _Advice(
        f"Java's check finds a branch of the reader's union for {name}, but decoding {difference.outcome}.",
        f"Give the union one branch with the full name {name}, and let it read all that the writer writes.",
    )


def _aliased(spot: Spot, difference: Difference) -> _Advice:
    record = spot.writer.owner
    name = record.name.full if record is not None else "the former full name"
    return _Advice(
        f"The reader's {difference.info} stands for a field of the writer, but {difference.outcome}.",
        f"Use each former name in one alias only and in no field's name, and keep the name of the record, or write "
        f'"aliases": ["{name}"] beside its new one.',
    )


def _unusable(spot: Spot, difference: Difference) -> _Advice:
    field = spot.reader.field
    shown = dump(field_json(field)) if field is not None else "the field"
    return _Advice(
        f'The writer does not write the field "{difference.info}", and its default is no value of its type.',
        f"Correct the default of {shown}.",
    )


_ADVICE: Mapping[str, Callable[[Spot, Difference], _Advice]] = MappingProxyType(
    {
        kinds.NAME_MISMATCH: _names,
        kinds.FIXED_SIZE_MISMATCH: _sizes,
        kinds.MISSING_ENUM_SYMBOLS: _symbols,
        kinds.READER_FIELD_MISSING_DEFAULT_VALUE: _missing_default,
        kinds.TYPE_MISMATCH: _types,
        kinds.MISSING_UNION_BRANCH: _branches,
        kinds.AMBIGUOUS_FIELD_ALIASES: _ambiguous_aliases,
        kinds.LOSSY_PROMOTION: _lossy,
        kinds.BYTES_READ_AS_STRING: _beside,
        kinds.STRING_READ_AS_BYTES: _beside,
        kinds.LOGICAL_TYPE_ADDED: _beside,
        kinds.LOGICAL_TYPE_REMOVED: _beside,
        kinds.LOGICAL_TYPE_CHANGED: _beside,
        kinds.DECIMAL_SCALE_CHANGED: _beside,
        kinds.DECIMAL_PRECISION_NARROWED: _precision,
        kinds.ENUM_SYMBOL_REPLACED: _replaced,
        kinds.UNION_BRANCH_AMBIGUOUS: _rivals,
        kinds.UNION_BRANCH_UNREADABLE: _unreadable,
        kinds.FIELD_ALIAS_UNRELIABLE: _aliased,
        kinds.DEFAULT_UNUSABLE: _unusable,
    }
)
