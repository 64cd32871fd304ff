"""The ways to satisfy a part that leaves a choice, and the ways to deny a shape.

Refuses to look for values.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from llm_schema_registry.formats.json_schema.inclusion.goal import Case, Choice
from llm_schema_registry.formats.json_schema.inclusion.parts import Meanings, Part, PartKind, Shape, Where


class Beyond(Exception):
    """Something that cannot be reasoned about decides; `where` says what."""

    def __init__(self, where: Where) -> None:
        super().__init__(str(where))
        self.where = where


class Choices:
    """Makes choices with the ids of one comparison."""

    def __init__(self, meanings: Meanings) -> None:
        """Use these meanings."""
        self._meanings = meanings

    def to_satisfy(self, part: Part) -> list[Choice]:
        """Every way in which a pending part holds; together they cover all of them."""
        shapes = part.shapes
        if part.kind is PartKind.ANY:
            return [Choice(shapes=(shape,), settled=part) for shape in shapes]
        if part.kind is PartKind.ONE:
            return [
                Choice(shapes=(shape,), negative=(*shapes[:index], *shapes[index + 1 :]), settled=part)
                for index, shape in enumerate(shapes)
            ]
        if part.kind is PartKind.IF:
            condition, then, otherwise = shapes
            return [
                Choice(shapes=(condition, then), settled=part),
                Choice(shapes=(otherwise,), negative=(condition,), settled=part),
            ]
        if part.kind is PartKind.DEPENDENT_SCHEMA:
            name, more = part.value, Choice(parts=(self.required(part.value),), shapes=shapes, settled=part)
        else:
            name = part.value[0]
            more = Choice(parts=(self.required(part.value[1]),), settled=part)
        return [Choice(parts=(self.absent(name),), settled=part), more]

    def to_deny(self, shape: Shape, case: Case) -> list[Choice] | None:
        """Every way in which a shape is not satisfied in a case; None when it is not in any way."""
        found: list[Choice] = []
        waiting = list(reversed(shape.parts))
        seen: set[int] = set()
        while waiting:
            part = waiting.pop()
            if part.id in case.parts or part.id in seen or case.atom not in part.kind.atoms:
                continue
            seen.add(part.id)
            if part.kind is PartKind.TYPES:
                if case.atom not in part.value:
                    return None
            elif part.kind is PartKind.ALL:
                waiting.extend(reversed(part.shapes[0].parts))
            else:
                found.extend(self._to_deny_part(part))
        return found

    def _to_deny_part(self, part: Part) -> Iterator[Choice]:
        kind, shapes = part.kind, part.shapes
        if kind is PartKind.ANY:
            yield Choice(negative=shapes)
        elif kind is PartKind.ONE:
            yield Choice(negative=shapes)
            for pair in combinations(shapes, 2):
                yield Choice(shapes=pair)
        elif kind is PartKind.NOT:
            yield Choice(shapes=shapes)
        elif kind is PartKind.IF:
            condition, then, otherwise = shapes
            yield Choice(shapes=(condition,), negative=(then,))
            yield Choice(negative=(condition, otherwise))
        elif kind is PartKind.REQUIRED:
            yield Choice(parts=(self.absent(part.value),))
        elif kind is PartKind.DEPENDENT_REQUIRED:
            yield Choice(parts=(self.required(part.value[0]), self.absent(part.value[1])))
        elif kind is PartKind.DEPENDENT_SCHEMA:
            yield Choice(parts=(self.required(part.value),), negative=shapes)
        elif kind in _ALL_INSIDE and not shapes[0].id:
            # It takes everything.
            return
        else:
            yield Choice(denied=part)

    def required(self, name: str) -> Part:
        """The part that asks for a property."""
        return self._meanings.make(PartKind.REQUIRED, name)

    def absent(self, name: str) -> Part:
        """The part that refuses a property."""
        return self._meanings.make(PartKind.PROPERTY, name, (self._meanings.false,))


_ALL_INSIDE = frozenset(
    {
        PartKind.PREFIX,
        PartKind.REST,
        PartKind.PROPERTY,
        PartKind.PATTERN_PROPERTY,
        PartKind.ADDITIONAL,
        PartKind.PROPERTY_NAMES,
    }
)
