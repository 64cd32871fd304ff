"""Whether a field's default fits its type (compatibility-rules 2.8).

Refuses to read schemas: it is asked once a text is read and its names are resolved.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UnsetType

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro.document import MAX_DEPTH, Json, show
from llm_schema_registry.formats.avro.parse import AvroRules, DefaultToCheck
from llm_schema_registry.formats.avro.tree import Array, Enum, Field, Fixed, Map, Primitive, Record, Type, Union

MAX_STEPS = 100_000

_INT = range(-(2**31), 2**31)
_LONG = range(-(2**63), 2**63)


def check_defaults(defaults: list[DefaultToCheck], rules: AvroRules) -> None:
    """Raise InvalidSchema for the first default that does not fit, or when the check would take too long."""
    check = _Check(takes_any_branch=rules is not AvroRules.V1_11)
    for field, value, place in defaults:
        if not check.fits(field.type, value, 0):
            raise place.refuse(
                f"the default {show(value)} does not fit the type {_described(field.type)}",
                "write a value of that type, or remove the default",
            )


def can_be_filled_in(field: Field) -> bool:
    """Whether a reader can use the field's default, which asks more of it than Java asks of a new schema.

    A symbol must be one of the enum's, a byte at most U+00FF, and bytes as many as a fixed has. Defaults in old schemas
    were never judged.
    """
    try:
        return _Check(takes_any_branch=True, is_exact=True).fits(field.type, field.default, 0)
    except InvalidSchema:
        return False


class _Check:
    """One check of all defaults of a text.

    Verdicts on arrays and objects are kept by identity, since unions of records would be tried again and again. A
    verdict that is asked for while it is being found is "no": such a default has no end.
    """

    def __init__(self, *, takes_any_branch: bool, is_exact: bool = False) -> None:
        self._takes_any_branch = takes_any_branch
        self._is_exact = is_exact
        self._verdicts: dict[tuple[int, int], bool] = {}
        self._steps = 0

    def fits(self, expected: Type, value: Json | UnsetType, depth: int) -> bool:
        self._steps += 1
        if depth > MAX_DEPTH or self._steps > MAX_STEPS:
            raise InvalidSchema(
                f"The defaults of the schema nest deeper than {MAX_DEPTH} levels or take more than {MAX_STEPS} steps "
                "to check; write smaller ones"
            )
        match expected:
            case Primitive():
                return _fits_primitive(expected.type, value) and not (
                    self._is_exact and expected.type == "bytes" and not _are_bytes(value)
                )
            case Enum():
                return isinstance(value, str) and (not self._is_exact or value in expected.symbols)
            case Fixed():
                return isinstance(value, str) and (
                    not self._is_exact or (len(value) == expected.size and _are_bytes(value))
                )
            case Union():
                branches = expected.branches if self._takes_any_branch else expected.branches[:1]
                return self._kept(expected, value, ((branch, value) for branch in branches), depth, is_any=True)
            case Array() if isinstance(value, list):
                return self._kept(expected, value, ((expected.items, entry) for entry in value), depth)
            case Map() if isinstance(value, dict):
                return self._kept(expected, value, ((expected.values, entry) for entry in value.values()), depth)
            case Record() if isinstance(value, dict):
                entries = ((field.type, value.get(name, field.default)) for name, field in expected.fields.items())
                return self._kept(expected, value, entries, depth)
            case _:
                return False

    def _kept(
        self,
        expected: Type,
        value: Json | UnsetType,
        parts: Iterable[tuple[Type, Json | UnsetType]],
        depth: int,
        *,
        is_any: bool = False,
    ) -> bool:
        """Judge by all parts, or by any. Values live as long as the check, so an identity is never used twice."""
        key = (id(expected), id(value))
        if key not in self._verdicts:
            self._verdicts[key] = False
            # A loop, where `any` or `all` would put a third frame per level on the stack.
            verdict = not is_any
            for part, entry in parts:
                if self.fits(part, entry, depth + 1) is is_any:
                    verdict = is_any
                    break
            self._verdicts[key] = verdict
        return self._verdicts[key]


def _fits_primitive(expected: str, value: Json | UnsetType) -> bool:
    match expected:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool) and value in _INT
        case "long":
            return isinstance(value, int) and not isinstance(value, bool) and value in _LONG
        case "float" | "double":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case _:
            return isinstance(value, str)


def _are_bytes(value: Json | UnsetType) -> bool:
    """Whether a text default stands for bytes, a character each."""
    return isinstance(value, str) and max(value, default="") <= "\xff"


def _described(expected: Type) -> str:
    match expected:
        case Union():
            return "[" + ", ".join(_described(branch) for branch in expected.branches) + "]"
        case Array():
            return f"array of {_described(expected.items)}"
        case Map():
            return f"map of {_described(expected.values)}"
        case Primitive():
            return expected.type
        case _:
            return f"{expected.type} '{expected.name.full}'"
