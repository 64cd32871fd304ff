"""What a schema's keywords evaluate, for unevaluatedProperties and unevaluatedItems.

Refuses to look at documents: what only some documents evaluate lies between the lower and the upper answer.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from llm_schema_registry.formats.json_schema.inclusion.parts import Part, PartKind, Reach

EVALUATING = frozenset(
    {
        PartKind.ADDITIONAL,
        PartKind.ALL,
        PartKind.ANY,
        PartKind.CONTAINS,
        PartKind.DEPENDENT_SCHEMA,
        PartKind.IF,
        PartKind.ONE,
        PartKind.OPAQUE,
        PartKind.PATTERN_PROPERTY,
        PartKind.PREFIX,
        PartKind.PROPERTY,
        PartKind.REST,
        PartKind.UNEVALUATED_ITEMS,
        PartKind.UNEVALUATED_PROPERTIES,
    }
)
"""Parts that may evaluate properties or items."""

_SOMETIMES = frozenset({PartKind.ANY, PartKind.ONE, PartKind.IF, PartKind.DEPENDENT_SCHEMA})
_REST_OF_OBJECT = frozenset({PartKind.ADDITIONAL, PartKind.UNEVALUATED_PROPERTIES})
_REST_OF_ARRAY = frozenset({PartKind.REST, PartKind.UNEVALUATED_ITEMS})


def reach_of(
    parts: Iterable[Part],
    keyword: PartKind,
    closers: Container[tuple[int, PartKind]],
    *,
    is_upper: bool,
) -> Reach:
    """Return what these parts evaluate: in every document that passes, or with `is_upper` in any of them.

    What `contains` matches counts as evaluated in 2020-12 and for some validators of 2019-09: perhaps, never surely.
    `closers` are identities of shapes that have the keyword themselves, which evaluates everything.
    """
    names: set[str] = set()
    patterns: set[str] = set()
    count = 0
    waiting = list(parts)
    seen = set(map(id, waiting))
    is_items = keyword is PartKind.UNEVALUATED_ITEMS
    rest = _REST_OF_ARRAY if is_items else _REST_OF_OBJECT
    while waiting:
        part = waiting.pop()
        if part.kind in rest or (is_upper and is_items and part.kind is PartKind.CONTAINS):
            return Reach(is_everything=True)
        if part.kind is PartKind.PROPERTY:
            names.add(part.value)
        elif part.kind is PartKind.PATTERN_PROPERTY:
            patterns.add(part.value)
        elif part.kind is PartKind.PREFIX:
            count = max(count, part.value + 1)
        elif part.kind is PartKind.ALL or (is_upper and part.kind in _SOMETIMES):
            if any((id(shape), keyword) in closers for shape in part.shapes):
                return Reach(is_everything=True)
            for inner in (inner for shape in part.shapes for inner in shape.parts):
                if id(inner) not in seen:
                    seen.add(id(inner))
                    waiting.append(inner)
        elif is_upper and part.kind is PartKind.OPAQUE:
            return Reach(is_everything=True)
    return Reach(frozenset(), (), count) if is_items else Reach(frozenset(names), tuple(sorted(patterns)))
