"""The ways to satisfy a part that leaves a choice, and the ways to deny a shape.

Refuses to look for values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from llm_schema_registry.formats.json_schema.inclusion.goal import Case, Choice, Json
from llm_schema_registry.formats.json_schema.inclusion.parts import Meanings, Part, PartKind, Shape


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
        if shape.id <= case.held:
            return found
        waiting = list(reversed(shape.parts))
        seen: set[int] = set()
        while waiting:
            part = waiting.pop()
            if id(part) in seen or case.atom not in part.kind.atoms:
                continue
            seen.add(id(part))
            if part.id in case.held or (part.kind is PartKind.ALL and part.shapes[0].id <= case.held):
                continue
            if part.kind is PartKind.TYPES:
                if case.atom not in part.value:
                    return None
            elif part.kind is PartKind.ALL:
                waiting.extend(reversed(part.shapes[0].parts))
            else:
                found.extend(choice._replace(source=part.id) for choice in self._to_deny_part(part, case))
        return found

    def _to_deny_part(self, part: Part, case: Case) -> Iterator[Choice]:
        kind, shapes = part.kind, part.shapes
        if kind is PartKind.ANY:
            yield Choice(negative=shapes)
        elif kind is PartKind.ONE:
            yield Choice(negative=shapes)
            for pair in overlapping(_possible(shapes, case)):
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


def _possible(shapes: Iterable[Shape], case: Case) -> list[Shape]:
    """Those that take values of the case's type, as far as they say themselves."""
    return [
        shape
        for shape in shapes
        if not any(part.kind is PartKind.TYPES and case.atom not in part.value for part in shape.parts)
    ]


def overlapping(shapes: list[Shape]) -> Iterator[tuple[Shape, Shape]]:
    """The pairs that may have a value in common.

    Members of a tagged union have none: they list different values for a property that they require. The property that
    most of them have so decides.
    """
    tags = [tags_of(shape) for shape in shapes]
    counts = Counter(name for each in tags for name, (_, is_required) in each.items() if is_required)
    name = counts.most_common(1)[0][0] if counts else None
    buckets: dict[object, list[int]] = {}
    loose: list[int] = []
    pairs: dict[tuple[int, int], None] = {}
    for index, each in enumerate(tags):
        values, is_required = each.get(name, ((), False)) if name is not None else ((), False)
        if is_required:
            for value in values:
                for other in buckets.setdefault(value, []):
                    pairs[other, index] = None
                buckets[value].append(index)
            pairs.update(dict.fromkeys((other, index) for other in loose))
        else:
            pairs.update(dict.fromkeys((other, index) for other in range(index)))
            loose.append(index)
    yield from ((shapes[one], shapes[other]) for one, other in pairs)


def are_disjoint(one: Shape, other: Shape) -> bool:
    """Whether it is plain that no object satisfies both: they list different values for a property that one requires.

    `one` is known to speak of objects only.
    """
    known = tags_of(one)
    return any(
        name in known and (is_required or known[name][1]) and values.keys().isdisjoint(known[name][0])
        for name, (values, is_required) in tags_of(other).items()
    )


def tags_of(shape: Shape) -> dict[str, tuple[dict[object, Json], bool]]:
    """The properties with listed values, and whether they are required."""
    parts = list(shape.parts)
    for part in parts[:_LOOKED_INTO]:
        if part.kind is PartKind.ALL:
            parts.extend(part.shapes[0].parts)
    required = {part.value for part in parts if part.kind is PartKind.REQUIRED}
    tags = {}
    for part in parts:
        if part.kind is PartKind.PROPERTY:
            listed = next((inner for inner in part.shapes[0].parts if inner.kind is PartKind.VALUES), None)
            if listed is not None:
                tags[part.value] = (listed.value, part.value in required)
    return tags


_LOOKED_INTO = 20
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
