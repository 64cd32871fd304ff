"""Does a value satisfy a shape? The reasoner's own answer, for candidates and for single values.

Refuses to have the last word: witnesses are held against the real validators (`witness`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import jsonschema_rs

from llm_schema_registry.formats.json_schema.drafts import VALIDATORS, Draft
from llm_schema_registry.formats.json_schema.inclusion.language import automaton
from llm_schema_registry.formats.json_schema.inclusion.parts import Part, PartKind, Shape, atom_of, fraction, value_key
from llm_schema_registry.formats.json_schema.patterns import Patterns

MAX_DEPTH = 60
_Value = Any  # any JSON value


class Unsure(Exception):
    """A part that cannot be evaluated here was met, or the shape is too deep."""


class Evaluator:
    """Evaluates with compiled patterns of its own; `spend` is told of the work."""

    def __init__(self, spend: Callable[[int], None]) -> None:
        """Begin with no patterns."""
        self.spend = spend
        self._patterns = Patterns()

    def is_match(self, pattern: str, text: str) -> bool:
        """Search a pattern. Raises Unsure when the search may have been given up."""
        if self._patterns.is_match(pattern, text, self.spend):
            return True
        if automaton(pattern) is None:
            raise Unsure
        return False

    def is_valid(self, shape: Shape, value: _Value, depth: int = 0) -> bool:
        """Whether a value satisfies a shape. Raises Unsure."""
        return all(self.holds(part, value, depth) for part in shape.parts)

    def holds(self, part: Part, value: _Value, depth: int = 0) -> bool:
        """Whether a value satisfies a part. Raises Unsure."""
        self.spend(1)
        if depth > MAX_DEPTH or not part.is_certain:
            raise Unsure
        if atom_of(value) not in part.kind.atoms:
            return True
        return _RULES[part.kind](self, part, value, depth + 1)

    def types(self, part: Part, value: _Value, _: int) -> bool:
        return atom_of(value) in part.value

    def values(self, part: Part, value: _Value, _: int) -> bool:
        return value_key(value) in part.value

    def all_of(self, part: Part, value: _Value, depth: int) -> bool:
        return all(self.is_valid(shape, value, depth) for shape in part.shapes)

    def any_of(self, part: Part, value: _Value, depth: int) -> bool:
        return any(self.is_valid(shape, value, depth) for shape in part.shapes)

    def one_of(self, part: Part, value: _Value, depth: int) -> bool:
        return sum(self.is_valid(shape, value, depth) for shape in part.shapes) == 1

    def negation(self, part: Part, value: _Value, depth: int) -> bool:
        return not self.is_valid(part.shapes[0], value, depth)

    def condition(self, part: Part, value: _Value, depth: int) -> bool:
        condition, then, otherwise = part.shapes
        return self.is_valid(then if self.is_valid(condition, value, depth) else otherwise, value, depth)

    def opaque(self, part: Part, value: _Value, depth: int) -> bool:
        raise Unsure

    def length(self, part: Part, value: _Value, _: int) -> bool:
        limit: int = part.value
        return len(value) >= limit if part.kind in _LOWER else len(value) <= limit

    def pattern(self, part: Part, value: _Value, _: int) -> bool:
        return self.is_match(part.value, value)

    def format(self, part: Part, value: _Value, _: int) -> bool:
        keyword, name = part.value
        return format_validator(keyword, name).is_valid(value)

    def bound(self, part: Part, value: _Value, _: int) -> bool:
        limit: Fraction = part.value[0]
        is_exclusive: bool = part.value[1]
        number = _exact(value)
        if number == limit:
            return not is_exclusive
        is_above: bool = number > limit
        return is_above is (part.kind is PartKind.MINIMUM)

    def multiple(self, part: Part, value: _Value, _: int) -> bool:
        step: Fraction = part.value
        return (_exact(value) / step).denominator == 1

    def prefix(self, part: Part, value: _Value, depth: int) -> bool:
        return part.value >= len(value) or self.is_valid(part.shapes[0], value[part.value], depth)

    def rest(self, part: Part, value: _Value, depth: int) -> bool:
        return all(self.is_valid(part.shapes[0], item, depth) for item in value[part.value :])

    def contains(self, part: Part, value: _Value, depth: int) -> bool:
        low, high = part.value
        count = sum(self.is_valid(part.shapes[0], item, depth) for item in value)
        return low <= count and (high is None or count <= high)

    def unique(self, part: Part, value: _Value, _: int) -> bool:
        return len(set(map(value_key, value))) == len(value)

    def named(self, part: Part, value: _Value, depth: int) -> bool:
        return part.value not in value or self.is_valid(part.shapes[0], value[part.value], depth)

    def matched(self, part: Part, value: _Value, depth: int) -> bool:
        return all(
            self.is_valid(part.shapes[0], item, depth)
            for name, item in value.items()
            if self.is_match(part.value, name)
        )

    def additional(self, part: Part, value: _Value, depth: int) -> bool:
        names, patterns = part.value
        return all(
            self.is_valid(part.shapes[0], item, depth)
            for name, item in value.items()
            if name not in names and not self.matches_any(patterns, name)
        )

    def matches_any(self, patterns: Iterable[str], name: str) -> bool:
        """Whether one of these patterns is found in a name."""
        return any(self.is_match(pattern, name) for pattern in patterns)

    def required(self, part: Part, value: _Value, _: int) -> bool:
        return part.value in value

    def names(self, part: Part, value: _Value, depth: int) -> bool:
        return all(self.is_valid(part.shapes[0], name, depth) for name in value)

    def dependent_required(self, part: Part, value: _Value, _: int) -> bool:
        name, other = part.value
        return name not in value or other in value

    def dependent_schema(self, part: Part, value: _Value, depth: int) -> bool:
        return part.value not in value or self.is_valid(part.shapes[0], value, depth)

    def unevaluated(self, part: Part, value: _Value, depth: int) -> bool:
        inner, beside = part.shapes
        done = self._evaluated(beside, value, depth)
        members = enumerate(value) if isinstance(value, list) else value.items()
        return all(key in done or self.is_valid(inner, item, depth) for key, item in members)

    def _evaluated(self, shape: Shape, value: _Value, depth: int) -> set[int | str]:
        """The names or indexes that a shape which the value satisfies evaluates."""
        done: set[int | str] = set()
        for part in shape.parts:
            self.spend(1)
            if atom_of(value) in part.kind.atoms:
                done |= self._evaluated_by(part, value, depth + 1)
        return done

    def _evaluated_by(self, part: Part, value: _Value, depth: int) -> set[int | str]:
        kind = part.kind
        everything = set(range(len(value))) if isinstance(value, list) else set(value)
        if kind is PartKind.PROPERTY or kind is PartKind.PREFIX:
            return {part.value} & everything
        if kind is PartKind.PATTERN_PROPERTY:
            return {name for name in value if self.is_match(part.value, name)}
        if kind in _EVALUATE_THE_REST:
            return everything
        if kind is PartKind.CONTAINS:
            return {index for index, item in enumerate(value) if self.is_valid(part.shapes[0], item, depth)}
        applied: list[Shape] = []
        if kind in _APPLY_WHAT_PASSES:
            applied = [shape for shape in part.shapes if self.is_valid(shape, value, depth)]
        elif kind is PartKind.DEPENDENT_SCHEMA and part.value in value:
            applied = [part.shapes[0]]
        elif kind is PartKind.IF:
            condition, then, otherwise = part.shapes
            applied = [condition, then] if self.is_valid(condition, value, depth) else [otherwise]
        done: set[int | str] = set()
        for shape in applied:
            done |= self._evaluated(shape, value, depth)
        return done


def _exact(value: _Value) -> Fraction:
    number = fraction(value)
    if number is None:
        raise Unsure
    return number


@lru_cache(maxsize=1_000)
def format_validator(keyword: str, name: str) -> jsonschema_rs.Validator:
    """A validator for a format or a content keyword, as drafts 4 to 7 assert them."""
    return jsonschema_rs.Draft7Validator({keyword: name}, offline=True)


@lru_cache(maxsize=1_000)
def is_asserted(draft: Draft, keyword: str, name: str) -> bool:
    """Whether validators of a draft know a format; content keywords always count."""
    try:
        VALIDATORS[draft]({keyword: name}, offline=True, validate_formats=True, ignore_unknown_formats=False)
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


_LOWER = frozenset({PartKind.MIN_LENGTH, PartKind.MIN_ITEMS, PartKind.MIN_PROPERTIES})
_EVALUATE_THE_REST = frozenset(
    {PartKind.ADDITIONAL, PartKind.REST, PartKind.UNEVALUATED_PROPERTIES, PartKind.UNEVALUATED_ITEMS}
)
_APPLY_WHAT_PASSES = frozenset({PartKind.ALL, PartKind.ANY, PartKind.ONE})
_RULES: dict[PartKind, Callable[[Evaluator, Part, _Value, int], bool]] = {
    PartKind.TYPES: Evaluator.types,
    PartKind.VALUES: Evaluator.values,
    PartKind.ALL: Evaluator.all_of,
    PartKind.ANY: Evaluator.any_of,
    PartKind.ONE: Evaluator.one_of,
    PartKind.NOT: Evaluator.negation,
    PartKind.IF: Evaluator.condition,
    PartKind.OPAQUE: Evaluator.opaque,
    **dict.fromkeys(
        (
            PartKind.MIN_LENGTH,
            PartKind.MAX_LENGTH,
            PartKind.MIN_ITEMS,
            PartKind.MAX_ITEMS,
            PartKind.MIN_PROPERTIES,
            PartKind.MAX_PROPERTIES,
        ),
        Evaluator.length,
    ),
    PartKind.PATTERN: Evaluator.pattern,
    PartKind.FORMAT: Evaluator.format,
    PartKind.MINIMUM: Evaluator.bound,
    PartKind.MAXIMUM: Evaluator.bound,
    PartKind.MULTIPLE_OF: Evaluator.multiple,
    PartKind.PREFIX: Evaluator.prefix,
    PartKind.REST: Evaluator.rest,
    PartKind.CONTAINS: Evaluator.contains,
    PartKind.UNIQUE: Evaluator.unique,
    PartKind.PROPERTY: Evaluator.named,
    PartKind.PATTERN_PROPERTY: Evaluator.matched,
    PartKind.ADDITIONAL: Evaluator.additional,
    PartKind.REQUIRED: Evaluator.required,
    PartKind.PROPERTY_NAMES: Evaluator.names,
    PartKind.DEPENDENT_REQUIRED: Evaluator.dependent_required,
    PartKind.DEPENDENT_SCHEMA: Evaluator.dependent_schema,
    PartKind.UNEVALUATED_PROPERTIES: Evaluator.unevaluated,
    PartKind.UNEVALUATED_ITEMS: Evaluator.unevaluated,
}
