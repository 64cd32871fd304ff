"""Constraints on fields beyond the schema's language, the same for every format, kept in a version's metadata.

The property `constraints:<path>` holds a JSON object (`ConstraintTerms`) for the fields whose full names the path
means; wildcards are those of `metadata.tags`. Refuses to repeat what the schema's own language checks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

from msgspec import UNSET

from llm_schema_registry.contracts.constraints.checks import Check
from llm_schema_registry.contracts.constraints.terms import ConstraintTerms, Target, checks_of, default_of, parse_terms
from llm_schema_registry.contracts.fields import FieldPaths, Spot, json_path, name_matcher
from llm_schema_registry.contracts.jsonable import key_text, shown
from llm_schema_registry.contracts.text_formats import Test
from llm_schema_registry.errors import InvalidConstraint
from llm_schema_registry.formats.places import pointer_token
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind, walk_shapes
from llm_schema_registry.model import Metadata, Violation, ViolationKind, ViolationSource

PREFIX = "constraints:"
"""What the keys of properties begin with that hold constraints."""

MAX_CONSTRAINTS = 1_000
MAX_WILDCARDS = 100
"""Constraints of one schema, and how many of them may have wildcards: each is held against every field."""


MAX_MEANT = 10_000
"""Fields that the constraints of one schema mean, a field counted for each constraint."""


class _Ruled(NamedTuple):
    """What is asked of one field. `default` is UNSET when there is none."""

    checks: tuple[Check, ...]
    is_nullable: bool
    default: object


class Constraints:
    """All constraints of one schema, compiled. Immutable; safe to share between threads.

    What is asked of a field that holds arrays or maps is asked of each of their items, except for `nullable` and
    `default`, which are about the field itself.
    """

    def __init__(self, shape: Shape, ruled: dict[int, _Ruled]) -> None:
        """Take what is asked of the fields of a shape, by the identity of the field."""
        self._shape = shape
        self._ruled = ruled
        self._checked = FieldPaths(shape, lambda field: id(field) in ruled)
        self._filled = FieldPaths(shape, lambda field: id(field) in ruled and ruled[id(field)].default is not UNSET)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to check, nor to fill."""
        return not self._ruled

    def check(self, plain: object, limit: int = 100) -> list[Violation]:
        """Return up to `limit` ways in which a plain value breaks the constraints. Raises nothing."""
        return list(islice(self._violations(plain), limit))

    def fill(self, plain: object) -> object:
        """Return the value with defaults where fields that have one are absent or null."""
        return plain if self._filled.is_empty else self._filled.replace(plain, self._default, absent=True)

    def _default(self, spot: Spot) -> object:
        return self._ruled[id(spot.field)].default if spot.value is None or spot.value is UNSET else spot.value

    def _violations(self, plain: object) -> Iterator[Violation]:
        if not self._ruled:
            return
        for spot in self._checked.visit(plain):
            ruled = self._ruled[id(spot.field)]
            if spot.value is None or spot.value is UNSET:
                if not ruled.is_nullable and ruled.default is UNSET:
                    yield _nothing(spot, json_path(self._shape, spot.path))
                continue
            if not ruled.checks:
                continue
            for path, value in _items(spot.path, spot.field.shape, spot.value):
                for check in ruled.checks:
                    if not check.is_met(value):
                        yield _broken(spot.field, json_path(self._shape, path), value, check)


def compile_constraints(metadata: Metadata | None, shape: Shape) -> Constraints:
    """Prepare the constraints in a schema's metadata.

    Raises InvalidConstraint, naming the property, the member and the mend, for what is not well formed, means no
    field, cannot fit a field's type, or contradicts the schema or another constraint.
    """
    properties = (metadata and metadata.properties) or {}
    given = {key: text for key, text in properties.items() if key.startswith(PREFIX)}
    if not given:
        return Constraints(shape, {})
    _check_count(given)
    targets: dict[int, Target] = {}
    for current in walk_shapes(shape):
        message = current.descriptor
        for field in current.fields.values():
            targets[id(field)] = Target(field, None if message is None else message.fields_by_name[field.name])
    by_name: dict[str, list[Target]] = {}
    for target in targets.values():
        by_name.setdefault(target.field.full_name, []).append(target)
    asked: dict[int, list[tuple[str, ConstraintTerms]]] = {}
    for key, text in given.items():
        terms = parse_terms(key, text)
        for target in _meant(key, by_name):
            asked.setdefault(id(target.field), []).append((key, terms))
        meant = sum(map(len, asked.values()))
        if meant > MAX_MEANT:
            raise InvalidConstraint(f"{key}: all constraints together mean {meant} fields, at most {MAX_MEANT} may be")
    patterns: dict[str, Test] = {}
    return Constraints(shape, {which: _compile(targets[which], terms, patterns) for which, terms in asked.items()})


def _check_count(given: Collection[str]) -> None:
    if len(given) > MAX_CONSTRAINTS:
        raise InvalidConstraint(f"{len(given)} properties hold constraints, at most {MAX_CONSTRAINTS} may")
    wild = sum("*" in key or "?" in key for key in given)
    if wild > MAX_WILDCARDS:
        raise InvalidConstraint(f"{wild} constraints have wildcards, at most {MAX_WILDCARDS} may")


def _meant(key: str, by_name: dict[str, list[Target]]) -> list[Target]:
    path = key.removeprefix(PREFIX)
    if "*" in path or "?" in path:
        is_meant = name_matcher(path)
        meant = [target for name, targets in by_name.items() if is_meant(name) for target in targets]
    else:
        meant = by_name.get(path, [])
    if not meant:
        names = ", ".join(repr(name) for name in list(by_name)[:3])
        known = f", such as {names}" if names else ""
        raise InvalidConstraint(f"{key}: no field of the schema has this full name; take one of its own{known}")
    return meant


def _compile(target: Target, asked: list[tuple[str, ConstraintTerms]], patterns: dict[str, Test]) -> _Ruled:
    checks = [check for key, terms in asked for check in checks_of(key, terms, target, patterns)]
    defaults = [(key, default_of(key, terms, target)) for key, terms in asked if terms.default is not UNSET]
    for key, value in defaults:
        what = f"{key}: `default` {shown(value)} of field '{target.field.full_name}'"
        if (type(value), value) != (type(defaults[0][1]), defaults[0][1]):
            raise InvalidConstraint(f"{what} is not that of {defaults[0][0]}; keep one")
        for check in checks:
            if not check.is_met(value):
                raise InvalidConstraint(f"{what} must be {check.expected}")
    return _Ruled(
        checks=tuple(checks),
        is_nullable=all(terms.nullable is not False for _, terms in asked),
        default=defaults[0][1] if defaults else UNSET,
    )


def _items(path: str, shape: Shape | None, value: object) -> Iterator[tuple[str, object]]:
    """Yield a value, or what the arrays and maps that it is made of hold; nulls are left out."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _items(f"{path}/{index}", shape and shape.items, item)
    elif isinstance(value, dict) and shape is not None and shape.kind is ShapeKind.MAP:
        for key, item in value.items():
            yield from _items(f"{path}/{pointer_token(key_text(key))}", shape.items, item)
    elif value is not None:
        yield path, value


def _nothing(spot: Spot, path: str) -> Violation:
    is_null = spot.value is None
    return Violation(
        kind=ViolationKind.NOT_NULLABLE if is_null else ViolationKind.FIELD_MISSING,
        path=path,
        message=f"Field '{spot.field.full_name}' {'is null' if is_null else 'is missing'}, but it must have a value",
        expected="a value",
        found="null" if is_null else "nothing",
        schema_path=spot.field.schema_path,
        source=ViolationSource.CONSTRAINT,
    )


def _broken(field: ShapeField, path: str, value: object, check: Check) -> Violation:
    found = shown(value)
    return Violation(
        kind=check.kind,
        path=path,
        message=f"Field '{field.full_name}' must be {check.expected}, but is {found}",
        expected=check.expected,
        found=found,
        schema_path=field.schema_path,
        source=ViolationSource.CONSTRAINT,
    )
