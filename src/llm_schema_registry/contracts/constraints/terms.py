"""The terms of one constraint: what its JSON object may say, which fields that fits, and the test of each term.

Refuses to know where terms are kept, and the way to the fields (`contracts.constraints.constraints`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from msgspec import UNSET, UnsetType

from llm_schema_registry.contracts.constraints.checks import (
    COMPARISONS,
    TYPES,
    Check,
    any_of,
    digit_check,
    enum_check,
    length_check,
    of_text,
    range_check,
)
from llm_schema_registry.contracts.jsonable import shown
from llm_schema_registry.contracts.text_formats import TEXT_FORMATS, Test, searcher
from llm_schema_registry.errors import InvalidConstraint
from llm_schema_registry.formats.shape import Logical, Shape, ShapeField, ShapeKind, walk_shapes
from llm_schema_registry.model import ViolationKind

MAX_TEXT = 20_000
"""Characters of one constraint."""

MAX_ENUM = 1_000
MAX_PATTERNS = 200
"""Different patterns in the constraints of a schema: each may take a quarter of a megabyte."""

MAX_DIGITS = 400
"""Digits of a number in a constraint, on either side of the point."""


class ConstraintTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What a constraint may say. Numbers may be written as decimal strings; `type` is a word or a list of words.

    `minLength` and `maxLength` count characters of text, or bytes. `precision` counts all digits of a number,
    `scale` those behind the point, trailing zeros not. `pattern` is searched, so it says `^` and `$` when it means
    the whole. `nullable` false asks for a value, neither null nor absent; a `default` stands in for both.
    """

    type: str | list[str] | UnsetType = UNSET
    minimum: object = UNSET
    maximum: object = UNSET
    exclusive_minimum: object = UNSET
    exclusive_maximum: object = UNSET
    precision: int | UnsetType = UNSET
    scale: int | UnsetType = UNSET
    pattern: str | UnsetType = UNSET
    min_length: int | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    format: str | UnsetType = UNSET
    nullable: bool | UnsetType = UNSET
    enum: list[object] | UnsetType = UNSET
    default: object = UNSET


class Target(NamedTuple):
    """A field that a constraint is about. `descriptor` is set for fields of Protobuf's messages."""

    field: ShapeField
    descriptor: FieldDescriptor | None = None

    @property
    def numbers(self) -> Mapping[str, int]:
        """The numbers of Protobuf's enum by name: its values are numbers; empty for other fields."""
        field = self.descriptor
        if field is not None and field.message_type is not None and field.message_type.GetOptions().map_entry:
            field = field.message_type.fields_by_name["value"]
        enum = None if field is None else field.enum_type
        return {} if enum is None else {value.name: value.number for value in enum.values}

    @property
    def is_choice(self) -> bool:
        """Whether other fields exclude this one (`oneof`)."""
        choice = None if self.descriptor is None else self.descriptor.containing_oneof
        return choice is not None and len(choice.fields) > 1


_WHOLE = frozenset({"integer", "number"})
_NUMERIC = frozenset({"integer", "number", "decimal"})
_SCALAR = _NUMERIC | {"string", "boolean"}
_FITTING = {
    "minimum": _NUMERIC,
    "maximum": _NUMERIC,
    "exclusiveMinimum": _NUMERIC,
    "exclusiveMaximum": _NUMERIC,
    "precision": _NUMERIC,
    "scale": _NUMERIC,
    "pattern": frozenset({"string"}),
    "format": frozenset({"string"}),
    "minLength": frozenset({"string", "bytes"}),
    "maxLength": frozenset({"string", "bytes"}),
    "enum": _SCALAR,
    "default": _SCALAR,
}
_WORDS = {
    ShapeKind.RECORD: frozenset({"object"}),
    ShapeKind.ENUM: frozenset({"string"}),
    ShapeKind.FIXED: frozenset({"bytes"}),
    ShapeKind.STRING: frozenset({"string"}),
    ShapeKind.BYTES: frozenset({"bytes"}),
    ShapeKind.INT: _WHOLE,
    ShapeKind.LONG: _WHOLE,
    ShapeKind.FLOAT: _WHOLE,
    ShapeKind.DOUBLE: _WHOLE,
    ShapeKind.BOOLEAN: frozenset({"boolean"}),
    ShapeKind.NULL: frozenset[str](),
    ShapeKind.ANY: frozenset(TYPES),
}
_LOGICAL_WORDS = {
    Logical.DATE: "date",
    Logical.TIME: "time",
    Logical.TIMESTAMP: "timestamp",
    Logical.DURATION: "duration",
    Logical.DECIMAL: "decimal",
    Logical.UUID: "uuid",
}
_LIMITS = {
    (ShapeKind.INT, False): (-(2**31), 2**31 - 1),
    (ShapeKind.INT, True): (0, 2**32 - 1),
    (ShapeKind.LONG, False): (-(2**63), 2**63 - 1),
    (ShapeKind.LONG, True): (0, 2**64 - 1),
}
_UNLIMITED = (-math.inf, math.inf)
_MAX_FLOAT = 3.4028234663852886e38


def parse_terms(key: str, text: str) -> ConstraintTerms:
    """Read the JSON object of a constraint. Raises InvalidConstraint."""
    if len(text) > MAX_TEXT:
        raise InvalidConstraint(f"{key}: a constraint has at most {MAX_TEXT} characters, not {len(text)}")
    try:
        given = json.loads(text, parse_float=Decimal, parse_constant=Decimal)
        terms = msgspec.convert(given, ConstraintTerms)
    except msgspec.ValidationError as error:
        known = ", ".join(ConstraintTerms.__struct_encode_fields__)
        raise InvalidConstraint(f"{key}: {error}; a constraint is a JSON object with members of {known}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidConstraint(f"{key}: a constraint is a JSON object, but this is no JSON: {error}") from None
    for member in ("precision", "scale", "minLength", "maxLength"):
        _check_count(key, member, _member(terms, member))
    return terms


def checks_of(key: str, terms: ConstraintTerms, target: Target, patterns: dict[str, Test]) -> list[Check]:
    """Return the tests of a constraint for one field; `patterns` are those compiled so far for the schema.

    Raises InvalidConstraint when it cannot fit the field.
    """
    place = _Place(key, target.field, target.numbers)
    field = target.field
    shape = _item_shape(field.shape)
    words = _WHOLE if place.numbers else _words(shape)
    if terms.nullable is True and field.is_required and not field.shape.is_nullable:
        raise place.refused("nullable", "contradicts the schema, which asks for a value; leave it out")
    checks = []
    if terms.type is not UNSET:
        asked = [terms.type] if isinstance(terms.type, str) else terms.type
        words = _check_type(place, asked, words)
        tests = [TYPES[word] for word in asked]
        checks.append(any_of(tests, " or ".join(asked)))
    for member, fitting in _FITTING.items():
        if _member(terms, member) is not UNSET and not words & fitting:
            what = " or ".join(sorted(words)) or "null"
            raise place.refused(member, f"is for {' or '.join(sorted(fitting))}, but the field is {what}")
    checks += _range_checks(place, terms, shape)
    checks += _digit_checks(place, terms)
    checks += _text_checks(place, terms, patterns)
    if terms.enum is not UNSET:
        checks.append(_enum_check(place, terms.enum, shape, words))
    return checks


def default_of(key: str, terms: ConstraintTerms, target: Target) -> object:
    """Return the default of a constraint as a plain value of its field. Raises InvalidConstraint."""
    place = _Place(key, target.field, target.numbers)
    shape = target.field.shape
    if _item_shape(shape) is not shape:
        raise place.refused("default", "is for fields of one value, not for arrays and maps")
    if target.is_choice:
        raise place.refused("default", "would take the place of another field of its `oneof`; leave it out")
    return _scalar(place, "default", terms.default, shape, _WHOLE if place.numbers else _words(shape))


class _Place(NamedTuple):
    key: str
    field: ShapeField
    numbers: Mapping[str, int]

    def refused(self, member: str, why: str) -> InvalidConstraint:
        return InvalidConstraint(f"{self.key}: `{member}` of field '{self.field.full_name}' {why}")


def _member(terms: ConstraintTerms, name: str) -> object:
    return getattr(terms, ConstraintTerms.__struct_fields__[ConstraintTerms.__struct_encode_fields__.index(name)])


def _check_count(key: str, member: str, count: object) -> None:
    most = MAX_DIGITS if member in {"precision", "scale"} else 2**31 - 1
    if isinstance(count, int) and not 0 <= count <= most:
        raise InvalidConstraint(f"{key}: `{member}` must be between 0 and {most}, not {count}")


def _item_shape(shape: Shape) -> Shape:
    """Return what the arrays and maps of a field hold, or its own shape."""
    seen: set[int] = set()
    while shape.items is not None and id(shape) not in seen:
        seen.add(id(shape))
        shape = shape.items
    return shape


def _words(shape: Shape) -> frozenset[str]:
    """Return the words for all that a value of a shape can be, arrays and nulls left out."""
    words: frozenset[str] = frozenset()
    for current in walk_shapes(shape, into_fields=False):
        if current.logical is not None:
            words |= {_LOGICAL_WORDS[current.logical]}
        # JSON knows dates and the like by their text only.
        if current.logical is None or current.kind is ShapeKind.STRING:
            words |= _WORDS.get(current.kind, frozenset())
    return words


def _check_type(place: _Place, asked: list[str], words: frozenset[str]) -> frozenset[str]:
    for word in asked:
        if word not in TYPES:
            mend = "say `nullable`" if word == "null" else f"take {', '.join(TYPES)}; arrays are asked item by item"
            raise place.refused("type", f"does not know {word!r}; {mend}")
    # A decimal is a number too, and an integer may be written as any number.
    possible = words | ({"number", "integer"} if "decimal" in words else set())
    common = possible.intersection(asked)
    if not common:
        raise place.refused("type", f"can never be met: the field is {' or '.join(sorted(words)) or 'null'}")
    return common


def _number(place: _Place, member: str, given: object) -> int | Decimal:
    """Return a number, exactly as it was written. Raises InvalidConstraint."""
    try:
        number = Decimal(given) if isinstance(given, str | int | Decimal) and not isinstance(given, bool) else None
    except ArithmeticError:
        number = None
    if number is None or not number.is_finite():
        raise place.refused(member, f"must be a number or a decimal string, not {shown(given)}")
    exponent = int(number.as_tuple().exponent)
    if not (abs(number.adjusted()) <= MAX_DIGITS and -MAX_DIGITS <= exponent <= MAX_DIGITS):
        raise place.refused(member, f"has more than {MAX_DIGITS} digits on one side of the point")
    return int(number) if number == number.to_integral_value() else number


def _limits(place: _Place, shape: Shape) -> tuple[float, float]:
    """Return the least and the greatest value of a field of whole numbers."""
    # The integers of JSON, where full names are paths from `$`, do not end.
    is_unlimited = place.field.full_name.startswith("$")
    return _UNLIMITED if is_unlimited else _LIMITS.get((shape.kind, shape.is_unsigned), _UNLIMITED)


def _range_checks(place: _Place, terms: ConstraintTerms, shape: Shape) -> Iterator[Check]:
    bounds = {
        member: _number(place, member, _member(terms, member))
        for member in COMPARISONS
        if _member(terms, member) is not UNSET
    }
    least, most = _limits(place, shape)
    for lower, upper in (
        ("minimum", "maximum"),
        ("minimum", "exclusiveMaximum"),
        ("exclusiveMinimum", "maximum"),
        ("exclusiveMinimum", "exclusiveMaximum"),
    ):
        if lower in bounds and upper in bounds:
            low, high = bounds[lower], bounds[upper]
            if low > high or (low == high and (lower, upper) != ("minimum", "maximum")):
                raise place.refused(lower, f"{low} leaves nothing below `{upper}` {high}")
    for member, bound in bounds.items():
        is_lower = member in {"minimum", "exclusiveMinimum"}
        furthest = most if is_lower else least
        if not COMPARISONS[member][0](furthest, bound):
            raise place.refused(member, f"{bound} can never be met: the field ends at {furthest}")
        yield range_check(member, bound)


def _digit_checks(place: _Place, terms: ConstraintTerms) -> Iterator[Check]:
    precision, scale = terms.precision, terms.scale
    if precision is UNSET and scale is UNSET:
        return
    if precision is not UNSET and scale is not UNSET and scale > precision:
        raise place.refused("scale", f"{scale} is more than `precision` {precision}")
    yield digit_check(None if precision is UNSET else precision, None if scale is UNSET else scale)


def _text_checks(place: _Place, terms: ConstraintTerms, patterns: dict[str, Test]) -> Iterator[Check]:
    least, most = terms.min_length, terms.max_length
    if least is not UNSET and most is not UNSET and least > most:
        raise place.refused("minLength", f"{least} is more than `maxLength` {most}")
    if least is not UNSET:
        yield length_check(lambda length: length >= least, f"of a length of at least {least}")
    if most is not UNSET:
        yield length_check(lambda length: length <= most, f"of a length of at most {most}")
    if terms.pattern is not UNSET:
        if terms.pattern not in patterns:
            patterns[terms.pattern] = _compiled(place, terms.pattern, len(patterns))
        test = patterns[terms.pattern]
        yield Check(of_text(test), ViolationKind.PATTERN_MISMATCH, f"text that matches {shown(terms.pattern)}")
    if terms.format is not UNSET:
        named = TEXT_FORMATS.get(terms.format)
        if named is None:
            raise place.refused(
                "format", f"does not know {terms.format!r}; take one of {', '.join(sorted(TEXT_FORMATS))}"
            )
        yield Check(of_text(named), ViolationKind.FORMAT_MISMATCH, f"text of the format {terms.format}")


def _compiled(place: _Place, pattern: str, others: int) -> Test:
    if others >= MAX_PATTERNS:
        raise place.refused("pattern", f"is one too many: a schema's constraints have at most {MAX_PATTERNS} patterns")
    try:
        return searcher(pattern)
    except ValueError as error:
        raise place.refused("pattern", f"cannot be used: {error}; look-around and back-references need to go") from None


def _enum_check(place: _Place, given: list[object], shape: Shape, words: frozenset[str]) -> Check:
    if not 1 <= len(given) <= MAX_ENUM:
        raise place.refused("enum", f"needs between 1 and {MAX_ENUM} values, not {len(given)}")
    values = [_scalar(place, "enum", item, shape, words) for item in given]
    return enum_check(values, given)


def _scalar(place: _Place, member: str, given: object, shape: Shape, words: frozenset[str]) -> object:
    """Return a value of `enum` or `default` as the plain value that the field would have."""
    value = given
    if isinstance(given, str) and given in place.numbers:
        return place.numbers[given]
    if isinstance(given, bool):
        is_fitting = "boolean" in words
    elif isinstance(given, str) and "string" in words:
        is_fitting = not shape.symbols or given in shape.symbols
    elif isinstance(given, str | int | Decimal) and words & _NUMERIC:
        value = _numeric(place, member, given, shape, words)
        is_fitting = value is not None
    else:
        is_fitting = False
    if not is_fitting:
        what = f"one of {', '.join(shape.symbols)}" if shape.symbols else " or ".join(sorted(words & _SCALAR))
        raise place.refused(member, f"has {shown(given)}, but the field is {what}")
    return value


def _numeric(
    place: _Place, member: str, given: str | int | Decimal, shape: Shape, words: frozenset[str]
) -> int | float | Decimal | None:
    """Return a number as the field holds it, or None when it cannot."""
    if isinstance(given, str) and "decimal" not in words:
        return None
    number = _number(place, member, given)
    if place.numbers:
        return number if number in place.numbers.values() else None
    if "number" not in words:
        return Decimal(number)
    if shape.kind in {ShapeKind.INT, ShapeKind.LONG}:
        least, most = _limits(place, shape)
        return number if isinstance(number, int) and least <= number <= most else None
    if isinstance(number, int) and shape.kind not in {ShapeKind.FLOAT, ShapeKind.DOUBLE}:
        return number
    nearest = float(Decimal(number))
    most_of_kind = _MAX_FLOAT if shape.kind is ShapeKind.FLOAT else math.inf
    return nearest if math.isfinite(nearest) and abs(nearest) <= most_of_kind else None
