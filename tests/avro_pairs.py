"""Random Avro schemas and changes of them: a writer, and a reader that grew out of it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, TypeAlias

from hypothesis import strategies as st

# A schema in JSON, or a part of one.
Json: TypeAlias = Any

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
# In unions each before what it is promoted to, and bytes without string: a decoder that takes the first branch that
# fits then takes the same as one that looks for an equal one, and only a change can make them differ.
IN_UNIONS = (*PRIMITIVES[:6], "string")
# Without two types of one simple name, of which a decoder may take the wrong one in an unchanged schema.
NAMES = ("m.A", "m.B", "n.C", "n.D")
LOGICAL: dict[str, Sequence[dict[str, Any]]] = {
    "int": [{"logicalType": "date"}, {"logicalType": "time-millis"}, {"logicalType": "unknown"}],
    "long": [
        {"logicalType": name}
        for name in ("time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos", "local-timestamp-millis")
    ],
    "bytes": [
        {"logicalType": "decimal", "precision": precision, "scale": scale}
        for precision, scale in ((4, 2), (5, 2), (4, 1), (4, 0), (2, 4))
    ],
    "string": [{"logicalType": "uuid"}],
}
NEUTRAL: dict[str, Any] = {"int": 1, "null": None, "string": "s", "bytes": "b", "double": 0.5, "boolean": True}

_SEEDS = st.integers(0, 2**64 - 1)


@st.composite
def schemas(draw: st.DrawFn) -> Json:
    """A schema of few names, so that readers and writers often meet, with types used again or in themselves."""
    return _Maker(draw(_SEEDS)).schema()


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Json, Json]:
    """A schema and mostly one that grew out of it, so that many pairs are compatible, or nearly."""
    maker = _Maker(draw(_SEEDS))
    first = maker.schema()
    return first, maker.schema() if maker.is_one_in(20) else changed(first, maker.random)


class _Maker:
    """Makes schemas from a seed: Hypothesis keeps the seeds that fail, and would make too few large schemas itself."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._unused: list[str] = []
        self._used: list[str] = []

    def is_one_in(self, count: int) -> bool:
        return self.random.randrange(count) == 0

    def schema(self) -> Json:
        while True:
            self._unused, self._used = list(NAMES), []
            made = self._part() if self.is_one_in(4) else self._named("record")
            if is_valid(made):
                return made

    def _named(self, kind: str) -> Json:
        if not self._unused:
            return self._plain(PRIMITIVES)
        name = self._unused.pop(self.random.randrange(len(self._unused)))
        self._used.append(name)
        schema: dict[str, Any] = {"type": kind, "name": name}
        if self.is_one_in(8):
            schema["aliases"] = [self.random.choice(NAMES)]
        if kind == "fixed":
            decimal = {"logicalType": "decimal", "precision": 2, "scale": self.random.randrange(3)}
            return schema | {"size": self.random.randint(1, 2)} | self.random.choice([{}, decimal])
        if kind == "enum":
            symbols = self.random.sample("XYZ", self.random.randint(1, 3))
            return schema | {"symbols": symbols} | self.random.choice([{}, {"default": symbols[0]}])
        fields = self.random.sample("opqr", self.random.randint(0, 4))
        return schema | {"fields": [self._field(name) for name in fields]}

    def _field(self, name: str) -> Json:
        kind = self.random.choice(["any"] * 8 + list(NEUTRAL))
        made: dict[str, Any] = {"name": name, "type": self._part() if kind == "any" else kind}
        if kind != "any" and self.is_one_in(2):
            made["default"] = NEUTRAL[kind]
        if self.is_one_in(30):
            made["aliases"] = [self.random.choice("opqr")]
        return made

    def _plain(self, names: Sequence[str]) -> Json:
        name = self.random.choice(names)
        if name in LOGICAL and self.is_one_in(4):
            return {"type": name, **self.random.choice(LOGICAL[name])}
        return name

    def _part(self, *, is_branch: bool = False) -> Json:
        kinds = ["plain"] * 4 + ["record", "enum", "fixed", "array", "map", "again"] + ["union"] * (2 * (not is_branch))
        match self.random.choice(kinds):
            case "again" if self._used:
                return self.random.choice(self._used)
            case "record" | "enum" | "fixed" as kind:
                return self._named(kind)
            case "array":
                return {"type": "array", "items": self._part()}
            case "map":
                return {"type": "map", "values": self._part()}
            case "union":
                branches = [self._part(is_branch=True) for _ in range(self.random.randint(1, 4))]
                return in_order(list({branch_key(one): one for one in branches if branch_key(one) != "bytes"}.values()))
            case _:
                return self._plain(IN_UNIONS if is_branch else PRIMITIVES)


def branch_key(branch: Json) -> str:
    """What a union may hold once."""
    if isinstance(branch, dict):
        return str(branch.get("name", branch["type"]))
    return str(branch)


def in_order(branches: list[Any]) -> list[Any]:
    """Primitives first, each before what it is promoted to; others keep their order, since names refer back."""
    plain = [branch for branch in branches if branch_key(branch) in PRIMITIVES]
    others = [branch for branch in branches if branch_key(branch) not in PRIMITIVES]
    return [*sorted(plain, key=lambda branch: PRIMITIVES.index(branch_key(branch))), *others]


def changed(schema: Json, random: Random) -> Json:
    """Change a schema here and there: promote, annotate, widen, drop, add, rename and reorder."""
    rarity = random.choice([2, 3, 5, 8])

    def is_due() -> bool:
        return random.randrange(rarity) == 0

    def change(part: Json) -> Json:
        if isinstance(part, list):
            return change_union(part)
        key = branch_key(part)
        if key in PRIMITIVES:
            return change_plain(key, part) if is_due() else part
        if isinstance(part, str):
            return part
        match part["type"]:
            case "record":
                return change_record(part)
            case "array":
                return part | {"items": change(part["items"])}
            case "map":
                return part | {"values": change(part["values"])}
            case "enum" if is_due():
                symbols = random.choice([[*part["symbols"], "W"], part["symbols"][::-1], part["symbols"][:1]])
                default = random.choice([{}, {"default": symbols[0]}])
                return {key: value for key, value in part.items() if key != "default"} | {"symbols": symbols} | default
            case "fixed" if is_due():
                return part | random.choice([{"size": 2}, {"precision": 1}, {"scale": 1}, {"logicalType": "none"}])
            case _:
                return part

    def change_plain(key: str, part: Json) -> Json:
        promoted = {"int": ["long", "double", "float"], "long": ["double"], "float": ["double"], "string": ["bytes"]}
        options = [key, *promoted.get(key, ["int"]), ["null", key] if key != "null" else key]
        options += [{"type": key, **logical} for logical in LOGICAL.get(key, ())]
        return random.choice([*options, part])

    def change_union(branches: list[Any]) -> list[Any]:
        new = [branch if isinstance(made := change(branch), list) else made for branch in branches]
        if is_due():
            added = random.choice(IN_UNIONS)
            new = random.choice([in_order([*new, added]), [added, *new], in_order(new), new[1:] or new])
        distinct = {branch_key(branch): branch for branch in reversed(new)}
        return list(distinct.values())[::-1]

    def change_record(record: dict[str, Any]) -> dict[str, Any]:
        fields = [change_field(field) for field in record["fields"]]
        if is_due():
            fields.append({"name": "s", "type": "null", **random.choice([{}, {"default": None}])})
        if fields and is_due():
            fields = random.choice([fields[:-1], [fields[-1], *fields[:-1]]])
        return record | {"fields": fields}

    def change_field(field: dict[str, Any]) -> dict[str, Any]:
        if "default" not in field:
            field = field | {"type": change(field["type"])}
        if is_due():
            field = random.choice([field | {"name": "t", "aliases": [field["name"]]}, field | {"name": "t"}, field])
            if isinstance(field["type"], str) and field["type"] in NEUTRAL:
                field = field | {"default": NEUTRAL[field["type"]]}
        return field

    result = change(schema)
    if is_due():
        names = [branch_key(part) for part in definitions(result)]
        result = renamed(result, {name: f"x.{name.split('.')[1]}" for name in names})
    # What was dropped or doubled may have defined a name that is used further on.
    return result if is_valid(result) else schema


def definitions(part: Json) -> list[Any]:
    if not isinstance(part, (list, dict)):
        return []
    is_named = isinstance(part, dict) and part.get("type") in ("record", "enum", "fixed")
    below = part.values() if isinstance(part, dict) else part
    return [*([part] if is_named else []), *(found for one in below for found in definitions(one))]


def is_valid(schema: Json) -> bool:
    """Whether names are defined before they are used and once, and no union or record holds one twice."""
    known: set[str] = set(PRIMITIVES)

    def check(part: Json) -> bool:
        if isinstance(part, str):
            return part in known
        if isinstance(part, list):
            return len({branch_key(one) for one in part}) == len(part) and all(check(one) for one in part)
        if "name" not in part:
            return all(check(part[key]) for key in ("items", "values") if key in part)
        if part["name"] in known:
            return False
        known.add(part["name"])
        fields = part.get("fields", [])
        return len({one["name"] for one in fields}) == len(fields) and all(check(one["type"]) for one in fields)

    return check(schema)


def renamed(part: Json, names: dict[str, str]) -> Json:
    """Move all types to other names, where they are defined and where they are used; aliases stay."""
    if isinstance(part, str):
        return names.get(part, part)
    if isinstance(part, list):
        return [renamed(one, names) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: value if key in ("aliases", "default", "symbols") else renamed(value, names) for key, value in part.items()
    }
