"""Random pairs of Protobuf messages, the one a mutation of the other, and random values of messages."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field, replace

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

INTEGERS = ("int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64")
SCALARS = (*INTEGERS, "bool", "float", "double", "string", "bytes")
KEYS = (*INTEGERS, "bool", "string")
SYNTAXES = ("proto2", "proto3", "2023")
# Types that read each other's bytes: mutations that stay inside are the ones worth a look.
NEAR = (
    ("int32", "int64", "uint32", "uint64", "bool", "E", "F"),
    ("sint32", "sint64"),
    ("fixed32", "sfixed32", "float"),
    ("fixed64", "sfixed64", "double"),
    ("string", "bytes", "A", "B"),
)


@dataclass
class Field:
    """A field; `label` is adapted to what a syntax knows."""

    name: str
    number: int
    type: str
    label: str = ""
    oneof: str = ""
    default: str = ""
    json_name: str = ""
    is_packed: bool | None = None
    is_delimited: bool = False
    is_extension: bool = False

    @property
    def is_map(self) -> bool:
        return self.type.startswith("map<")


@dataclass
class Body:
    """A message with two nested messages, of the same fields if `twins`, and two enums."""

    fields: list[Field]
    nested: dict[str, list[Field]]
    enums: dict[str, list[tuple[str, int]]]
    is_closed: bool = False
    reserved: set[int] = field(default_factory=set)
    reserved_names: set[str] = field(default_factory=set)


def random_field(rng: random.Random, number: int, types: tuple[str, ...], *, may_extend: bool = False) -> Field:
    kind = rng.choice(types)
    if rng.random() < 0.12:
        kind = f"map<{rng.choice(KEYS)}, {rng.choice(types)}>"
    found = Field(f"f{number}", number, kind, rng.choice(("", "", "optional", "repeated", "repeated", "required")))
    if rng.random() < 0.25 and found.label != "repeated":
        found.oneof = rng.choice("op")
    if rng.random() < 0.2:
        found.default = rng.choice(("1", "0", "7"))
    if rng.random() < 0.1:
        found.json_name = rng.choice(("j1", "j2", "f3"))
    if rng.random() < 0.3:
        found.is_packed = rng.random() < 0.5
    found.is_delimited = rng.random() < 0.15
    if may_extend and rng.random() < 0.08:
        found.is_extension = True
        found.number += 100
    return found


def random_body(rng: random.Random) -> Body:
    types = (*SCALARS, "E", "E", "F", "A", "A", "B")
    fields = [
        random_field(rng, number, types, may_extend=True) for number in rng.sample(range(1, 9), rng.randint(1, 5))
    ]
    first = [random_field(rng, number, (*SCALARS, "E")) for number in range(1, rng.randint(1, 4))]
    second = copy.deepcopy(first) if rng.random() < 0.5 else [random_field(rng, 1, SCALARS)]
    values = [("E_Z", 0), *[(f"E_{number}", number) for number in rng.sample(range(1, 5), rng.randint(0, 3))]]
    others = [(name.replace("E_", "F_"), number) for name, number in values]
    return Body(fields, {"A": first, "B": second}, {"E": values, "F": others}, rng.random() < 0.3)


def mutate(rng: random.Random, body: Body) -> Body:
    changed = copy.deepcopy(body)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        rng.choice((_mutate_fields, _mutate_fields, _mutate_fields, _mutate_nested, _mutate_enum))(rng, changed)
    return changed


def _mutate_nested(rng: random.Random, body: Body) -> None:
    _mutate_list(rng, body, body.nested[rng.choice("AB")])


def _mutate_fields(rng: random.Random, body: Body) -> None:
    _mutate_list(rng, body, body.fields)


def _mutate_list(rng: random.Random, body: Body, fields: list[Field]) -> None:
    if not fields or rng.random() < 0.15:
        free = [number for number in range(1, 12) if number not in {one.number for one in fields}]
        fields.append(random_field(rng, rng.choice(free), SCALARS))
        return
    index = rng.randrange(len(fields))
    one = fields[index]
    match rng.randrange(13):
        case 0:
            fields.pop(index)
            if fields is body.fields and one.number < 100 and rng.random() < 0.5:
                body.reserved.add(one.number)
                body.reserved_names.add(one.name)
        case 1:
            one.number = rng.choice([number for number in range(1, 12) if number not in {x.number for x in fields}])
        case 2:
            one.name = f"g{rng.randint(1, 3)}"
        case 3 | 4 | 5 if not one.is_map:
            one.type = rng.choice(next((near for near in NEAR if one.type in near), SCALARS))
        case 3 | 4 | 5:
            key, value = one.type.removeprefix("map<").removesuffix(">").split(", ")
            near_keys = [kind for kind in next(near for near in NEAR if key in near) if kind in KEYS]
            value = rng.choice(next((near for near in NEAR if value in near), SCALARS))
            one.type = f"map<{rng.choice(near_keys)}, {value}>"
        case 6:
            one.label = rng.choice(("", "optional", "repeated", "required"))
        case 7:
            one.default = rng.choice(("", "1", "7"))
        case 8:
            one.json_name = rng.choice(("", "j1", "f1"))
        case 9:
            one.oneof = rng.choice(("", "o", "p", "q"))
        case 10:
            one.is_packed = rng.choice((None, True, False))
        case 11:
            one.type = rng.choice(SCALARS)
        case 12:
            one.is_delimited = not one.is_delimited


def _mutate_enum(rng: random.Random, body: Body) -> None:
    name = rng.choice("EEF")
    values = body.enums[name]
    index = rng.randrange(len(values))
    match rng.randrange(6):
        case 0:
            values.append((f"{name}_N{rng.randint(1, 3)}", rng.randint(5, 7)))
        case 1:
            values.insert(index, (f"{name}_ALIAS", values[index][1]))
        case 2:
            values[index] = (f"{name}_R", values[index][1])
        case 3 if index:
            values[index] = (values[index][0], rng.randint(1, 9))
        case 4 if index:
            values.pop(index)
        case _:
            body.is_closed = not body.is_closed


def write_file(bodies: list[Body], syntax: str) -> str:
    """Return a .proto text with the messages M0, M1, ..."""
    head = f'edition = "{syntax}";' if syntax == "2023" else f'syntax = "{syntax}";'
    return "\n".join([head, *(_message(f"M{index}", body, syntax) for index, body in enumerate(bodies))]) + "\n"


def _message(name: str, body: Body, syntax: str) -> str:
    lines = [f"message {name} {{"]
    own = [one for one in _distinct(body.fields) if not one.is_extension]
    lines += _fields(own, body, syntax)
    extensions = [one for one in _distinct(body.fields) if one.is_extension and not one.is_map and one.number >= 100]
    if syntax != "proto3":
        lines.append("extensions 100 to 120;")
        for one in extensions:
            label = "repeated" if one.label == "repeated" else "optional"
            plain = replace(one, label=label, oneof="", json_name="", is_delimited=False)
            lines.append(f"extend {name} {{ {_field(plain, body, syntax, set())} }}")
    used = {one.number for one in own} | {one.name for one in own}
    lines += [f"reserved {number};" for number in sorted(body.reserved) if number not in used]
    names = [one for one in sorted(body.reserved_names) if one not in used]
    lines += [f"reserved {one};" if syntax == "2023" else f'reserved "{one}";' for one in names]
    for nested, fields in body.nested.items():
        lines += [f"message {nested} {{", *_fields(_distinct(fields), body, syntax), "}"]
    for enum, values in body.enums.items():
        lines += [f"enum {enum} {{", *_values(values, body, syntax), "}"]
    return "\n".join([*lines, "}"])


def _distinct(fields: list[Field]) -> list[Field]:
    names: dict[str, Field] = {}
    numbers: set[int] = set()
    for one in fields:
        if one.name not in names and one.number not in numbers:
            names[one.name] = one
            numbers.add(one.number)
    return list(names.values())


def _values(values: list[tuple[str, int]], body: Body, syntax: str) -> list[str]:
    distinct = dict(values)
    ordered = sorted(distinct.items(), key=lambda item: item[1] != 0)
    lines = ["option allow_alias = true;"] if len(set(distinct.values())) < len(distinct) else []
    if syntax == "2023" and body.is_closed:
        lines.append("option features.enum_type = CLOSED;")
    return lines + [f"{name} = {number};" for name, number in ordered]


def _fields(fields: list[Field], body: Body, syntax: str) -> list[str]:
    taken = {one.name for one in fields}
    lines = []
    oneofs: dict[str, list[str]] = {}
    for one in fields:
        text = _field(one, body, syntax, taken)
        if _is_member(one):
            oneofs.setdefault(one.oneof, []).append(text)
        else:
            lines.append(text)
    return lines + [f"oneof {name} {{ {' '.join(members)} }}" for name, members in oneofs.items()]


def _is_member(one: Field) -> bool:
    return bool(one.oneof) and not one.is_map and one.label != "repeated"


def _field(one: Field, body: Body, syntax: str, taken: set[str]) -> str:
    options = []
    is_list = one.label == "repeated" and not one.is_map
    is_message = one.type in {"A", "B"}
    is_member = _is_member(one)
    label = "repeated" if is_list else ""
    if syntax == "proto2" and not (one.is_map or is_member):
        label = one.label or "optional"
    elif syntax == "proto3" and one.label == "optional" and not (one.is_map or is_member):
        label = "optional"
    is_implicit = syntax == "proto3" and label == ""
    if syntax == "2023" and not (one.is_map or is_list or is_member or one.is_extension):
        if one.label == "required":
            options.append("features.field_presence = LEGACY_REQUIRED")
        elif one.label == "" and not is_message and not (one.type in {"E", "F"} and body.is_closed):
            options.append("features.field_presence = IMPLICIT")
            is_implicit = True
    can_default = not (is_implicit or syntax == "proto3" or is_list or one.is_map or is_message)
    if one.default and can_default and one.type not in {"E", "F"}:
        value = {"bool": str(one.default != "0").lower(), "string": f'"{one.default}"', "bytes": f'"{one.default}"'}
        options.append(f"default = {value.get(one.type, one.default)}")
    if one.json_name and one.json_name not in taken:
        taken.add(one.json_name)
        options.append(f'json_name = "{one.json_name}"')
    if is_list and one.is_packed is not None and one.type not in {"string", "bytes", "A", "B"}:
        encoding = "PACKED" if one.is_packed else "EXPANDED"
        feature = f"features.repeated_field_encoding = {encoding}"
        options.append(feature if syntax == "2023" else f"packed = {str(one.is_packed).lower()}")
    if one.is_delimited and is_message and syntax == "2023":
        options.append("features.message_encoding = DELIMITED")
    end = f" [{', '.join(options)}]" if options else ""
    if one.is_delimited and is_message and syntax == "proto2":
        plain = [replace(inner, oneof="", is_delimited=False) for inner in body.nested[one.type]]
        group = f"{one.name.capitalize()}"
        return f"{label} group {group} = {one.number} {{ {' '.join(_fields(_distinct(plain), body, syntax))} }}"
    return f"{label} {one.type} {one.name} = {one.number}{end};"


def random_message(rng: random.Random, message: Message, depth: int = 2) -> None:
    """Fill a message with values that are valid for its type."""
    extensions = message.DESCRIPTOR.file.pool.FindAllExtensions(message.DESCRIPTOR)
    for one in (*message.DESCRIPTOR.fields, *extensions):
        if not (one.is_required or rng.random() < 0.6):
            continue
        if one.is_extension:
            _fill_extension(rng, message, one, depth)
        elif one.message_type is not None and one.message_type.GetOptions().map_entry:
            _fill_map(rng, getattr(message, one.name), one.message_type, depth)
        elif one.is_repeated:
            _fill_list(rng, getattr(message, one.name), one, depth)
        elif one.message_type is None:
            setattr(message, one.name, random_value(rng, one))
        elif depth or one.is_required:
            getattr(message, one.name).SetInParent()
            random_message(rng, getattr(message, one.name), depth - 1)


def _fill_list(rng: random.Random, values: object, one: FieldDescriptor, depth: int) -> None:
    for _ in range(rng.randint(1, 3)):
        if one.message_type is None:
            values.append(random_value(rng, one))  # type: ignore[attr-defined] # a repeated container
        elif depth:
            random_message(rng, values.add(), depth - 1)  # type: ignore[attr-defined] # a repeated container


def _fill_extension(rng: random.Random, message: Message, one: FieldDescriptor, depth: int) -> None:
    if one.is_repeated:
        _fill_list(rng, message.Extensions[one], one, depth)
    elif one.message_type is None:
        message.Extensions[one] = random_value(rng, one)
    elif depth:
        message.Extensions[one].SetInParent()
        random_message(rng, message.Extensions[one], depth - 1)


def _fill_map(rng: random.Random, values: object, entry: Descriptor, depth: int) -> None:
    key, value = entry.fields
    for _ in range(rng.randint(1, 3)):
        name = random_value(rng, key)
        if value.message_type is None:
            values[name] = random_value(rng, value)  # type: ignore[index] # a map container
        else:
            random_message(rng, values[name], depth - 1)  # type: ignore[index] # a map container


_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def random_value(rng: random.Random, one: FieldDescriptor) -> object:
    if one.cpp_type in _BOUNDS:
        least, most = _BOUNDS[one.cpp_type]
        return rng.choice((0, 1, 2, least, most, rng.randint(least, most), max(least, -1)))
    if one.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        numbers = [value.number for value in one.enum_type.values]
        return rng.choice(numbers if one.enum_type.is_closed else [*numbers, *numbers, 77, -1])
    if one.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if one.cpp_type in {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}:
        return rng.choice((0.0, 1.5, -2.0, float("inf")))
    if one.type == FieldDescriptor.TYPE_BYTES:
        return rng.choice((b"", b"a", b"\xff\x00", b"\x08\x01"))
    return rng.choice(("", "a", "\u00e9\U0001f600", "AAAA", "1"))
