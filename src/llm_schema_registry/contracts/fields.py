"""The way through a plain value to the fields that a rule, a tag or a constraint is about, and their full names.

Refuses to judge a value, and to know any format: values are plain (`formats.base.Payloads.plain`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from msgspec import UNSET

from llm_schema_registry.contracts.text_formats import searcher
from llm_schema_registry.formats.places import pointer_token, token_name
from llm_schema_registry.formats.shape import (
    Shape,
    ShapeField,
    ShapeKind,
    choices_of,
    parts_of,
    walk_fields,
    walk_shapes,
)
from llm_schema_registry.model import Metadata

Record = dict[str, object]

_WILDCARD = re.compile(r"(\*+|\?)")
_MEANING = {"*": "[^.]*", "**": r"[\s\S]*", "?": "[^.]"}


_Place = tuple[str, Shape, object]


class Spot(NamedTuple):
    """A field of one record in a value. `value` is UNSET when the record lacks the field.

    `path` is a JSON Pointer by the keys of plain values; `json_path` makes it one that a violation can tell.
    """

    path: str
    field: ShapeField
    value: object
    record: Record


class FieldTags:
    """The tags of a schema's fields: those in its text, and those that its metadata gives by full name.

    A key of `metadata.tags` may hold wildcards as Confluent's clients read them: `*` within a part of the name, `**`
    across parts, `?` for one character.
    """

    def __init__(self, metadata: Metadata | None) -> None:
        given = ((metadata and metadata.tags) or {}).items()
        self._given = [(name_matcher(path), frozenset(tags)) for path, tags in given]

    def of(self, field: ShapeField) -> frozenset[str]:
        """Return all tags of a field."""
        tags = frozenset(field.tags)
        for is_meant, given in self._given:
            if is_meant(field.full_name):
                tags |= given
        return tags


def name_matcher(pattern: str) -> Callable[[str], bool]:
    """Return the test whether a full name is meant by a pattern with wildcards; it takes linear time.

    A pattern that is longer than any engine should compile means no name.
    """
    if not _WILDCARD.search(pattern):
        return pattern.__eq__
    # `**.*` means `**` to Confluent's clients. The engine is linear; Python's own is not when wildcards repeat.
    pieces = _WILDCARD.split(pattern.replace("**.*", "**"))
    text = "".join(_MEANING.get(piece[:2]) or re.escape(piece) for piece in pieces)
    try:
        return searcher(f"^{text}$")
    except ValueError:
        return lambda _: False


class _Step(NamedTuple):
    """A field on the way, with its part of a JSON Pointer."""

    name: str
    token: str
    field: ShapeField
    is_wanted: bool
    is_leading: bool


class FieldPaths:
    """The ways from the top of a shape to the fields that are wanted; what leads to none is never looked at."""

    def __init__(self, shape: Shape, is_wanted: Callable[[ShapeField], bool]) -> None:
        self._shape = shape
        self.wanted = tuple(field for field in walk_fields(shape) if is_wanted(field))
        self._wanted = {id(field) for field in self.wanted}
        self._leading = _leading(shape, self._wanted)
        self._steps: dict[int, list[_Step]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no field is wanted."""
        return not self._wanted

    def visit(self, value: object) -> Iterator[Spot]:
        """Yield every wanted field of every record in a value, in its order, a record's own first; absent ones too."""
        # Parts are made when they are looked at: a payload of a megabyte can hold an array of a million.
        waiting: list[Iterator[_Place]] = [iter([("", self._shape, value)])]
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
                continue
            path, shape, current = entry
            if id(shape) not in self._leading:
                continue
            if isinstance(current, dict) and shape.kind is ShapeKind.RECORD:
                inside: list[_Place] = []
                for name, token, field, is_wanted, is_leading in self._steps.get(id(shape)) or self._plan(shape):
                    found = current.get(name, UNSET)
                    if is_wanted:
                        yield Spot(f"{path}{token}", field, found, current)
                    if is_leading and found is not UNSET and found is not None:
                        inside.append((f"{path}{token}", field.shape, found))
                waiting.append(iter(inside))
            elif isinstance(current, dict) and shape.items is not None:
                waiting.append(_values(path, shape.items, current))
            elif isinstance(current, list) and shape.items is not None:
                waiting.append(_items(path, shape.items, current))
            elif shape.kind is ShapeKind.COMBINED:
                waiting.append(iter([(path, branch, current) for branch in branches_of(shape, current)]))

    def _plan(self, shape: Shape) -> list[_Step]:
        """Return the fields of a record that are wanted or lead to such, and remember them."""
        steps = [
            _Step(name, f"/{pointer_token(name)}", field, id(field) in self._wanted, id(field.shape) in self._leading)
            for name, field in shape.fields.items()
        ]
        return self._steps.setdefault(id(shape), [step for step in steps if step.is_wanted or step.is_leading])

    def replace(self, value: object, change: Callable[[Spot], object], *, absent: bool = False) -> object:
        """Return the value with each wanted field that is there changed; untouched parts are shared, not copied.

        With `absent` fields that a record lacks are changed too, from UNSET; a change to UNSET leaves a field out.
        """
        return self._replace(self._shape, "", value, change, absent)

    def _replace(
        self, shape: Shape, path: str, value: object, change: Callable[[Spot], object], absent: bool
    ) -> object:
        if id(shape) not in self._leading:
            return value
        if isinstance(value, dict) and shape.kind is ShapeKind.RECORD:
            changed: Record = dict(value)
            for name, token, field, is_wanted, is_leading in self._steps.get(id(shape)) or self._plan(shape):
                if name not in value and not (absent and is_wanted):
                    continue
                found = value.get(name, UNSET)
                if is_leading:
                    found = self._replace(field.shape, f"{path}{token}", found, change, absent)
                if is_wanted:
                    found = change(Spot(f"{path}{token}", field, found, value))
                if found is not UNSET:
                    changed[name] = found
            return changed
        if isinstance(value, dict) and shape.items is not None:
            return {
                key: self._replace(shape.items, f"{path}/{pointer_token(str(key))}", item, change, absent)
                for key, item in value.items()
            }
        if isinstance(value, list) and shape.items is not None:
            return [
                self._replace(shape.items, f"{path}/{index}", item, change, absent) for index, item in enumerate(value)
            ]
        if shape.kind is ShapeKind.COMBINED:
            for branch in branches_of(shape, value):
                return self._replace(branch, path, value, change, absent)
        return value


def _values(path: str, shape: Shape, value: Record) -> Iterator[_Place]:
    for key, item in value.items():
        yield f"{path}/{pointer_token(str(key))}", shape, item


def _items(path: str, shape: Shape, value: list[object]) -> Iterator[_Place]:
    for index, item in enumerate(value):
        yield f"{path}/{index}", shape, item


def branches_of(shape: Shape, value: object) -> Iterator[Shape]:
    """Yield the branch of a COMBINED that a value fits by its outline, or nothing.

    Of several records the one that knows most of the value's fields is taken, of equal branches the first.
    """
    best: tuple[int, Shape] | None = None
    for branch in choices_of(shape):
        known = _known(branch, value)
        if known is not None and (best is None or known > best[0]):
            best = known, branch
    if best is not None:
        yield best[1]


def _known(branch: Shape, value: object) -> int | None:
    """Return how many fields of a value a branch knows, None when the value does not fit."""
    if isinstance(value, list):
        return 0 if branch.kind is ShapeKind.ARRAY else None
    if not isinstance(value, dict):
        return None
    if branch.kind is ShapeKind.MAP:
        return 0
    if branch.kind is not ShapeKind.RECORD or not _fits(branch, value):
        return None
    return sum(name in branch.fields for name in value)


def json_path(shape: Shape, path: str) -> str:
    """Return a JSON Pointer by the keys of plain values as one into the format's JSON.

    Only Protobuf calls fields differently there, whose shapes have no branches.
    """
    tokens = []
    current: Shape | None = shape
    for token in path.split("/")[1:]:
        field = current and current.fields.get(token_name(token))
        if field:
            tokens.append(f"/{pointer_token(field.json_name)}" if field.json_name else f"/{token}")
            current = field.shape
        else:
            tokens.append(f"/{token}")
            current = current and current.items
    return "".join(tokens)


def _fits(record: Shape, value: Mapping[str, object]) -> bool:
    return all(name in record.fields or record.is_open for name in value) and all(
        name in value or not field.is_required for name, field in record.fields.items()
    )


def _leading(shape: Shape, wanted: set[int]) -> set[int]:
    """Return the shapes from which a wanted field can be reached; circles are followed once."""
    holders: dict[int, list[int]] = {}
    leading: set[int] = set()
    for current in walk_shapes(shape):
        if any(id(field) in wanted for field in current.fields.values()):
            leading.add(id(current))
        for part in parts_of(current):
            holders.setdefault(id(part), []).append(id(current))
    reached = list(leading)
    while reached:
        for holder in holders.get(reached.pop(), ()):
            if holder not in leading:
                leading.add(holder)
                reached.append(holder)
    return leading
