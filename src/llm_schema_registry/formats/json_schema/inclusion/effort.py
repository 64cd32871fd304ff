"""How much work a validator has with a document: bounded beforehand, for nothing can interrupt a validator.

Refuses to validate. A schema that applies to one value many times over (a chain of `allOf` that names the next link
twice) takes validators time that doubles with each link.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llm_schema_registry.formats.json_schema.inclusion.evaluate import Evaluator, Unsure
from llm_schema_registry.formats.json_schema.inclusion.parts import Part, PartKind, Shape, atom_of

MAX_EFFORT = 50_000
"""Constraints that a validator is given to check in one document; each takes it less than a microsecond or two."""

_Value = Any  # any JSON value
_Inner = Iterator[tuple[Shape, _Value]]


def effort_for(root: Shape, document: _Value, evaluator: Evaluator) -> int:
    """How many constraints a validator of a shape checks in a document; no more than MAX_EFFORT are counted.

    What applies to the same value at the same distance from the root is looked at once and counted as often as it
    applies, so that this takes no longer than MAX_EFFORT steps itself. Raises TooComplex.
    """
    waiting = {(id(root), id(document)): (root, document, 1)}
    effort = 0
    while waiting:
        following: dict[tuple[int, int], tuple[Shape, _Value, int]] = {}
        for shape, value, times in waiting.values():
            atom = atom_of(value)
            evaluator.spend(1 + len(shape.parts) // 4)
            for part in shape.parts:
                if atom not in part.kind.atoms:
                    continue
                effort += times * _own(part, value)
                if effort > MAX_EFFORT:
                    return effort
                for inner, item in _inner(part, value, evaluator):
                    key = (id(inner), id(item))
                    known = following.get(key)
                    following[key] = (inner, item, times + (known[2] if known else 0))
        waiting = following
    return effort


def size_of(document: _Value) -> int:
    """How many values a document holds. Its depth is bounded by what reasoning builds."""
    members = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return 1 + sum(map(size_of, members))


def _own(part: Part, value: _Value) -> int:
    if part.kind is PartKind.VALUES:
        return 1 + len(part.value)
    return 1 + len(value) if part.kind is PartKind.UNIQUE else 1


def _inner(part: Part, value: _Value, evaluator: Evaluator) -> _Inner:
    """What a part asks of the value itself and of those inside it."""
    kind = part.kind
    if kind is PartKind.PROPERTY:
        if part.value in value:
            yield part.shapes[0], value[part.value]
    elif kind is PartKind.PREFIX:
        if part.value < len(value):
            yield part.shapes[0], value[part.value]
    elif kind in _OF_ITEMS:
        start = part.value if kind is PartKind.REST else 0
        yield from ((part.shapes[0], item) for item in value[start:])
    elif kind is PartKind.PATTERN_PROPERTY:
        yield from ((part.shapes[0], item) for name, item in value.items() if _may_match(part.value, name, evaluator))
    elif kind is PartKind.ADDITIONAL:
        yield from ((part.shapes[0], item) for name, item in value.items() if name not in part.value[0])
    elif kind is PartKind.PROPERTY_NAMES:
        yield from ((part.shapes[0], name) for name in value)
    elif kind in _OF_THE_REST:
        yield part.shapes[1], value
        yield from ((part.shapes[0], item) for item in (value.values() if isinstance(value, dict) else value))
    else:
        yield from ((shape, value) for shape in part.shapes)


def _may_match(pattern: str, name: str, evaluator: Evaluator) -> bool:
    try:
        return evaluator.is_match(pattern, name)
    except Unsure:
        return True


_OF_ITEMS = frozenset({PartKind.REST, PartKind.CONTAINS})
_OF_THE_REST = frozenset({PartKind.UNEVALUATED_ITEMS, PartKind.UNEVALUATED_PROPERTIES})
