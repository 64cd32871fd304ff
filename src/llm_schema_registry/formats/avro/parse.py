"""JSON into a tree: which schemas are Avro, equal to Java's verdict (1.12, or 1.11 on request).

Refuses to own JSON syntax (`document`), whether defaults fit (`defaults`), and how a schema is written (`render`).
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import NamedTuple, cast

from msgspec import UNSET, UnsetType

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro.document import Json, read, shorten, show
from llm_schema_registry.formats.avro.tree import (
    PRIMITIVES,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Name,
    Primitive,
    Properties,
    Record,
    Type,
    Union,
)

NamedType = Record | Enum | Fixed

ORDERS = ("ascending", "descending", "ignore")
MAX_FIXED_SIZE = 2**31 - 1
# Java knows no bound; differences repeat names, so one is needed.
MAX_NAME_LENGTH = 1024

# What Java takes as attributes of a type or field, whatever the type; all else is a custom property.
_TYPE_ATTRIBUTES = frozenset(
    {"aliases", "doc", "fields", "items", "name", "namespace", "size", "symbols", "type", "values"}
)
_ENUM_ATTRIBUTES = _TYPE_ATTRIBUTES | {"default"}
_FIELD_ATTRIBUTES = frozenset({"aliases", "default", "doc", "name", "order", "type"})

_ASCII_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo"})
_LAST_PLANE_0 = "\uffff"
_JAVA_DOUBLE = re.compile(
    r"[\x00-\x20]*([+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))[fFdD]?[\x00-\x20]*"
)
_FEW = 10


class AvroRules(StrEnum):
    """Which Java release the validator equals. 1.11 knows no forward references and lets namespaces be anything."""

    V1_11 = "1.11"
    V1_12 = "1.12"


class Place(NamedTuple):
    """Where the reading stands: a path such as `/fields/2/type/items`, its namespace, the field it is under."""

    path: str = ""
    namespace: str = ""
    owner: str = ""

    def at(self, token: str) -> Place:
        return Place(f"{self.path}/{token}", self.namespace, self.owner)

    def refuse(self, problem: str, mend: str) -> InvalidSchema:
        """Build the refusal that names this place."""
        owner = f" ({shorten(self.owner)})" if self.owner else ""
        return InvalidSchema(f"Invalid Avro schema at '{self.path or '/'}'{owner}: {shorten(problem)}; {mend}")


class _Forward(NamedTuple):
    """The use of a name that is defined further on; it stands in for the type until its text is read to the end."""

    name: str
    type: str = "forward"


class DefaultToCheck(NamedTuple):
    """A field whose default must fit its type, once every name is resolved."""

    field: Field
    value: Json
    place: Place


class Reader:
    """Reads texts into one name space, each after those it depends on.

    `types` holds every named type read so far by full name, `places` the JSON Pointers of those that the last text
    defines. With `checks_names` off, only empty names are refused (compatibility-rules 2.8: what is registered already
    is not judged again).
    """

    def __init__(self, rules: AvroRules) -> None:
        self.types: dict[str, NamedType] = {}
        self.places: dict[str, str] = {}
        self.defaults: list[DefaultToCheck] = []
        self._rules = rules
        self._checks_names = True
        self._open: set[int] = set()
        self._composites: list[tuple[Array | Map | Union | Field, Place]] = []

    def read(self, text: str, *, checks_names: bool) -> Type:
        """Return the root type of a text, all its names resolved. Raises InvalidSchema."""
        self._checks_names = checks_names
        self.defaults.clear()
        self.places = {}
        self._composites.clear()
        root = self._type(read(text), Place())
        for composite, place in self._composites:
            self._resolve_in(composite, place)
        return self._resolve(root, Place())

    def _type(self, value: Json, place: Place) -> Type:
        match value:
            case str():
                return self._use(value, place)
            case list():
                return self._union(value, place)
            case dict():
                return self._object(value, place)
            case _:
                raise place.refuse(
                    f"{show(value)} is no schema", 'write a type name, an object with "type" or an array of branches'
                )

    def _object(self, value: dict[str, Json], place: Place) -> Type:
        type_name = value.get("type")
        if not isinstance(type_name, str):
            found = f'"type" is {show(type_name)}' if "type" in value else 'the object has no "type"'
            raise place.refuse(found, 'give "type" the name of a type; write another schema without the outer object')
        if type_name in PRIMITIVES:
            return Primitive(type_name, _properties(value, _TYPE_ATTRIBUTES))
        match type_name:
            case "record" | "error":
                return self._record(value, place, is_error=type_name == "error")
            case "enum":
                return self._enum(value, place)
            case "fixed":
                return self._fixed(value, place)
            case "array":
                array = Array(self._child(value, "items", place), _properties(value, _TYPE_ATTRIBUTES))
                self._composites.append((array, place))
                return array
            case "map":
                a_map = Map(self._child(value, "values", place), _properties(value, _TYPE_ATTRIBUTES))
                self._composites.append((a_map, place))
                return a_map
            case _:
                return self._use(type_name, place)

    def _child(self, value: dict[str, Json], attribute: str, place: Place) -> Type:
        if attribute not in value:
            raise place.refuse(f'{show(value["type"])} has no "{attribute}"', f'add "{attribute}" with a schema')
        return self._type(value[attribute], place.at(attribute))

    def _union(self, value: list[Json], place: Place) -> Union:
        union = Union([])
        for index, branch in enumerate(value):
            if isinstance(branch, list):
                raise place.at(str(index)).refuse(
                    "a union stands directly inside a union", "lift its branches into the outer union"
                )
            union.branches.append(self._type(branch, place.at(str(index))))
        self._composites.append((union, place))
        return union

    def _record(self, value: dict[str, Json], place: Place, *, is_error: bool) -> NamedType:
        name = self._name(value, place)
        record = Record(
            name, _text(value, "doc"), self._aliases(value, name, place), _properties(value, _TYPE_ATTRIBUTES), is_error
        )
        known = self._define(record, place)
        fields = value.get("fields")
        if not isinstance(fields, list):
            raise place.refuse(
                f"record '{name.full}' has no array of fields", 'add "fields", an array that may be empty'
            )
        self._open.add(id(known))
        for index, entry in enumerate(fields):
            self._field(entry, record, Place(f"{place.path}/fields/{index}", name.space, place.owner))
        if known is record:
            self._open.discard(id(known))
        return known

    def _field(self, value: Json, record: Record, place: Place) -> None:
        name = value.get("name") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(name, str):
            raise place.refuse(
                f"a field of record '{record.name.full}' has no name: {show(value)}", 'write {"name": ..., "type": ...}'
            )
        place = Place(place.path, place.namespace, f"field '{name}' of record '{record.name.full}'")
        self._check_name(name, place)
        if name in record.fields:
            raise place.refuse("two fields have this name", "rename or remove one of them")
        if "type" not in value:
            raise place.refuse("the field has no type", 'add "type" with a schema')
        field_type = self._type(value["type"], place.at("type"))
        default = value.get("default", UNSET)
        if isinstance(default, str) and field_type.type in ("float", "double"):
            default = self._number(default, place.at("default"))
        field = Field(
            name=name,
            type=field_type,
            doc=_text(value, "doc"),
            default=default,
            order=_order(value, place),
            aliases=tuple(dict.fromkeys(_alias_texts(value, place))),
            properties=_properties(value, _FIELD_ATTRIBUTES),
        )
        record.fields[name] = field
        self._composites.append((field, place))
        if not isinstance(default, UnsetType):
            self.defaults.append(DefaultToCheck(field, default, place.at("default")))

    def _number(self, text: str, place: Place) -> Json:
        """Java turns a text default of a float or double into a number."""
        match = _JAVA_DOUBLE.fullmatch(text)
        if match is not None:
            return float(match[1])
        if self._checks_names:
            raise place.refuse(f"the default {show(text)} is no number", "write a number")
        return text

    def _enum(self, value: dict[str, Json], place: Place) -> NamedType:
        name = self._name(value, place)
        symbols = value.get("symbols")
        if not isinstance(symbols, list):
            raise place.refuse(
                f"enum '{name.full}' has no array of symbols", 'add "symbols", an array of names that may be empty'
            )
        known: dict[str, None] = {}
        for index, symbol in enumerate(symbols):
            at = place.at("symbols").at(str(index))
            if not isinstance(symbol, str):
                raise at.refuse(f"the symbol {show(symbol)} of enum '{name.full}' is not a string", "write a name")
            self._check_name(symbol, at)
            if symbol in known:
                raise at.refuse(f"enum '{name.full}' has the symbol '{symbol}' twice", "remove one of them")
            known[symbol] = None
        default = _text(value, "default")
        if default is not None and default not in known:
            raise place.at("default").refuse(
                f"the default '{default}' of enum '{name.full}' is not one of its symbols",
                "add the symbol or choose another default",
            )
        aliases = self._aliases(value, name, place)
        return self._define(
            Enum(name, _text(value, "doc"), aliases, _properties(value, _ENUM_ATTRIBUTES), known, default), place
        )

    def _fixed(self, value: dict[str, Json], place: Place) -> NamedType:
        name = self._name(value, place)
        if "size" not in value:
            raise place.refuse(f"fixed '{name.full}' has no size", 'add "size" with a number of bytes')
        size = value["size"]
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_FIXED_SIZE:
            raise place.at("size").refuse(
                f"the size {show(size)} of fixed '{name.full}' is no length",
                f"write a whole number from 0 to {MAX_FIXED_SIZE}",
            )
        aliases = self._aliases(value, name, place)
        return self._define(
            Fixed(name, _text(value, "doc"), aliases, _properties(value, _TYPE_ATTRIBUTES), size), place
        )

    def _define(self, named: NamedType, place: Place) -> NamedType:
        """Enter a type under its name, or return the one that it repeats.

        Java 1.12 accepts a repeated enum or fixed of the same symbols or size while it has no properties, and a record
        inside the record whose name it repeats; the first definition is the one that counts.
        """
        full = named.name.full
        if full in PRIMITIVES:
            raise place.refuse(f"a type may not be called '{full}'", "choose a name that is no primitive type")
        known = self.types.setdefault(full, named)
        if known is named:
            self.places[full] = place.path
        if known is not named and (self._rules is AvroRules.V1_11 or not self._is_repeated(known, named)):
            raise place.refuse(
                f"'{full}' is already defined", "use its name instead of defining it again, or choose another name"
            )
        return known

    def _is_repeated(self, known: NamedType, named: NamedType) -> bool:
        match known, named:
            case Record(), Record():
                return id(known) in self._open
            case Enum(), Enum():
                return list(known.symbols) == list(named.symbols) and not known.properties
            case Fixed(), Fixed():
                return known.size == named.size and not known.properties
            case _:
                return False

    def _use(self, text: str, place: Place) -> Type:
        if text in PRIMITIVES:
            return Primitive(text, {})
        full = _split(text, place.namespace).full
        known = self.types.get(full) or self.types.get(text)
        if known is not None:
            return known
        if self._rules is AvroRules.V1_11:
            raise self._undefined(full, place)
        return cast("Type", _Forward(full))

    def _resolve_in(self, composite: Array | Map | Union | Field, place: Place) -> None:
        match composite:
            case Array():
                composite.items = self._resolve(composite.items, place, "items")
            case Map():
                composite.values = self._resolve(composite.values, place, "values")
            case Field():
                composite.type = self._resolve(composite.type, place, "type")
            case _:
                seen: set[str] = set()
                for index, used in enumerate(composite.branches):
                    branch = composite.branches[index] = self._resolve(used, place, str(index))
                    key = branch.name.full if isinstance(branch, NamedType) else branch.type
                    if key in seen:
                        raise place.at(str(index)).refuse(
                            f"the union has the branch '{key}' twice", "keep one of them, or wrap one in a named type"
                        )
                    seen.add(key)

    def _resolve(self, used: Type, place: Place, token: str = "") -> Type:
        if not isinstance(used, _Forward):
            return used
        if used.name not in self.types:
            raise self._undefined(used.name, place.at(token) if token else place)
        return self.types[used.name]

    def _undefined(self, full: str, place: Place) -> InvalidSchema:
        known = f"; known are {', '.join(self.types)}" if 0 < len(self.types) <= _FEW else ""
        return place.refuse(
            f"the type '{full}' is not defined{known}",
            "define it, correct the name, or add a reference that defines it",
        )

    def _name(self, value: dict[str, Json], place: Place) -> Name:
        text = value.get("name")
        if not isinstance(text, str):
            raise place.refuse(f"the {value['type']} has no name", 'add "name" with a string')
        space = value.get("namespace")
        name = _split(text, space if isinstance(space, str) else place.namespace)
        self._check_full_name(name, place.at("name"))
        return name

    def _aliases(self, value: dict[str, Json], name: Name, place: Place) -> dict[str, Name]:
        aliases = [_split(text, name.space) for text in _alias_texts(value, place)]
        for alias in aliases:
            self._check_full_name(alias, place.at("aliases"))
        return {alias.full: alias for alias in aliases}

    def _check_full_name(self, name: Name, place: Place) -> None:
        self._check_name(name.simple, place)
        if len(name.full) > MAX_NAME_LENGTH:
            raise _too_long(name.full, place)
        if name.space and self._rules is not AvroRules.V1_11:
            for part in name.space.split("."):
                self._check_name(part, place)

    def _check_name(self, text: str, place: Place) -> None:
        """Names are letters (of any alphabet, as Java has it), digits and underscores, and start with no digit."""
        if not text:
            raise place.refuse("a name or a part of a namespace is empty", "write a name, without a dot too many")
        if len(text) > MAX_NAME_LENGTH:
            raise _too_long(text, place)
        if not self._checks_names or _ASCII_NAME.fullmatch(text):
            return
        for index, char in enumerate(text):
            category = unicodedata.category(char) if char <= _LAST_PLANE_0 else ""
            if not (char == "_" or category in _LETTERS or (index and category == "Nd")):
                raise place.refuse(
                    f"the name {show(text)} may not hold {show(char)} at position {index + 1}",
                    "use letters, digits and underscores, and start with no digit",
                )


def _too_long(text: str, place: Place) -> InvalidSchema:
    return place.refuse(
        f"the name {show(text)} has {len(text)} characters", f"use at most {MAX_NAME_LENGTH}, namespace included"
    )


def _split(text: str, namespace: str) -> Name:
    """A dot makes the name a full one; a leading dot stands for the null namespace."""
    space, dot, simple = text.rpartition(".")
    return Name(space if dot else namespace, simple)


def _text(value: dict[str, Json], attribute: str) -> str | None:
    """Java drops a text attribute that is no string."""
    text = value.get(attribute)
    return text if isinstance(text, str) else None


def _properties(value: dict[str, Json], attributes: frozenset[str]) -> Properties:
    return {key: entry for key, entry in value.items() if key not in attributes}


def _alias_texts(value: dict[str, Json], place: Place) -> list[str]:
    aliases = value.get("aliases", [])
    if not isinstance(aliases, list):
        raise place.at("aliases").refuse(f"the aliases {show(aliases)} are no array", "write an array of names")
    texts = [alias for alias in aliases if isinstance(alias, str)]
    if len(texts) != len(aliases):
        raise place.at("aliases").refuse(f"the aliases {show(aliases)} are not all strings", "write an array of names")
    return texts


def _order(value: dict[str, Json], place: Place) -> str:
    order = value.get("order", ORDERS[0])
    if not isinstance(order, str) or order.lower() not in ORDERS:
        raise place.at("order").refuse(f"the order {show(order)} is unknown", f"write one of {', '.join(ORDERS)}")
    return order.lower()
