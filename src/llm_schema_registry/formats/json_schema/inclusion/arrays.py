"""Arrays that satisfy some parts and not others, or the proof that there are none.

Refuses to decide on the values of items: it asks for them.
"""

from __future__ import annotations

from llm_schema_registry.formats.json_schema.inclusion.evaluate import Unsure
from llm_schema_registry.formats.json_schema.inclusion.goal import (
    EMPTY,
    MAX_VALUES,
    Answer,
    Asking,
    Case,
    Goal,
    Json,
    Tools,
)
from llm_schema_registry.formats.json_schema.inclusion.parts import NOWHERE, Part, PartKind, Shape, value_key

_MAX_LENGTH = 1_000
_MAX_DISTINCT = 30
_ENDLESS = 10**18


class _Gap(Exception):
    """Reasoning gives up here."""


class _Facts:
    """What the parts of a case say about items. Positions from `kinds - 1` on are all alike."""

    def __init__(self, case: Case) -> None:
        self.prefix: dict[int, list[Shape]] = {}
        self.rest: list[tuple[int, Shape]] = []
        self.contains: list[Part] = case.of(PartKind.CONTAINS)
        self.low, self.high = 0, _ENDLESS
        self.is_unique = bool(case.of(PartKind.UNIQUE))
        for part in case.parts.values():
            if part.kind is PartKind.PREFIX:
                self.prefix.setdefault(part.value, []).append(part.shapes[0])
            elif part.kind is PartKind.REST:
                self.rest.append((part.value, part.shapes[0]))
            elif part.kind is PartKind.UNEVALUATED_ITEMS and not part.value[1].is_everything:
                self.rest.append((part.value[1].length, part.shapes[0]))
            elif part.kind is PartKind.MIN_ITEMS:
                self.low = max(self.low, part.value)
            elif part.kind is PartKind.MAX_ITEMS:
                self.high = min(self.high, part.value)
        self.kinds = 1 + max((*(index + 1 for index in self.prefix), *(start for start, _ in self.rest), 0))

    def applying(self, index: int) -> list[Shape]:
        """The shapes that an item at a position must satisfy."""
        return [*self.prefix.get(index, ()), *(shape for start, shape in self.rest if index >= start)]


def find_array(tools: Tools, case: Case) -> Asking[Answer]:
    """Find arrays of a case."""
    return (yield from _Finder(tools, case).find())


class _Finder:
    def __init__(self, tools: Tools, case: Case) -> None:
        self._tools = tools
        self._case = case
        self._facts = _Facts(case)
        self._low, self._high = self._facts.low, self._facts.high
        # What items that are not chosen should satisfy, or not, beside what they must.
        self._liked: tuple[Shape, ...] = ()
        self._disliked: tuple[Shape, ...] = ()

    def find(self) -> Asking[Answer]:
        for part in self._case.denials:
            if part.kind is PartKind.MIN_ITEMS:
                self._high = min(self._high, part.value - 1)
            elif part.kind is PartKind.MAX_ITEMS:
                self._low = max(self._low, part.value + 1)
        yield from self._shorten()
        if self._low > self._high or (yield from self._is_contains_impossible()):
            return EMPTY
        ways: list[list[dict[int, Json]]] = []
        for part in self._case.denials:
            if part.kind in _DENIED_INSIDE:
                found, is_complete = yield from self._ways(part)
                if not found and is_complete:
                    return EMPTY
                ways.append(found)
        if all(ways):
            values = yield from self._build_all(ways)
            if values:
                return Answer(tuple(values))
        return self._gap()

    def _gap(self) -> Answer:
        parts = (*self._case.denials, *self._case.parts.values())
        return Answer((), tuple([part.where for part in parts if part.where.parent is not None][:1]) or (NOWHERE,))

    def _shorten(self) -> Asking[None]:
        """Lower the upper bound of the length to the first position that takes no value."""
        for index in range(min(self._facts.kinds, self._high)):
            self._tools.spend(1)
            if (yield Goal(tuple(self._facts.applying(index)))).is_empty:
                self._high = min(self._high, index)
                return

    def _is_contains_impossible(self) -> Asking[bool]:
        for part in self._facts.contains:
            low, high = part.value
            if high is not None and high < low:
                return True
            if low > 0:
                possible = yield from self._count(part.shapes[0], is_matching=True, length=self._high)
                if possible < low:
                    return True
        return False

    def _count(self, shape: Shape, *, is_matching: bool, length: int) -> Asking[int]:
        """How many of the first `length` positions can satisfy a shape, or if not `is_matching` can fail it."""
        count = 0
        for index in range(min(self._facts.kinds, length)):
            shapes = tuple(self._facts.applying(index))
            goal = Goal((*shapes, shape)) if is_matching else Goal(shapes, (shape,))
            if not (yield goal).is_empty:
                count += 1 if index < self._facts.kinds - 1 else length - index
        return count

    def _ways(self, part: Part) -> Asking[tuple[list[dict[int, Json]], bool]]:
        """Items, by position, that make an array fail a part; and whether there are no other ways."""
        if part.kind is PartKind.UNIQUE:
            return (yield from self._repeated())
        shape = part.shapes[0]
        if part.kind is PartKind.CONTAINS:
            return (yield from self._miscounted(part))
        if part.kind is PartKind.UNEVALUATED_ITEMS:
            surely, perhaps = part.value
            found, is_complete = yield from self._failing_from(surely.length, shape)
            if not found or perhaps.is_everything:
                return found, is_complete and not found
            upper, _ = yield from self._failing_from(perhaps.length, shape)
            return (upper, True) if upper else (found, False)
        if part.kind is PartKind.REST:
            return (yield from self._failing_from(part.value, shape))
        return (yield from self._failing_at([part.value], shape))

    def _failing_from(self, start: int, shape: Shape) -> Asking[tuple[list[dict[int, Json]], bool]]:
        return (yield from self._failing_at(range(start, max(self._facts.kinds, start + 1)), shape))

    def _failing_at(self, indexes: object, shape: Shape) -> Asking[tuple[list[dict[int, Json]], bool]]:
        found: list[dict[int, Json]] = []
        is_complete = True
        for index in indexes:  # type: ignore[attr-defined]
            if index >= self._high:
                break
            answer = yield Goal(tuple(self._facts.applying(index)), (shape,))
            found += [{index: value} for value in answer.values]
            is_complete = is_complete and not answer.gaps
            if len(found) >= MAX_VALUES:
                break
        return found, is_complete

    def _repeated(self) -> Asking[tuple[list[dict[int, Json]], bool]]:
        """Two equal items."""
        facts = self._facts
        is_complete = not facts.contains
        if facts.is_unique or self._high <= 1:
            return [], True
        last = min(facts.kinds + 1, self._high)
        for one in range(last):
            for other in range(one + 1, last):
                answer = yield Goal((*facts.applying(one), *facts.applying(other)))
                is_complete = is_complete and not answer.gaps
                if answer.values:
                    return [{one: answer.values[0], other: answer.values[0]}], True
        return [], is_complete

    def _miscounted(self, part: Part) -> Asking[tuple[list[dict[int, Json]], bool]]:
        """Too few or too many items that match: no items are chosen, but what the others should be."""
        low, high = part.value
        shape = part.shapes[0]
        facts = self._facts
        can_be_few = low > 0
        for known in facts.contains:
            if can_be_few and known.value[0] >= low:
                can_be_few = not (yield Goal(known.shapes, (shape,))).is_empty
        if can_be_few:
            able = yield from self._count(shape, is_matching=False, length=self._low)
            can_be_few = self._low - able < low
        can_be_many = high is not None and self._high > high
        for known in facts.contains:
            if can_be_many and known.value[1] is not None and known.value[1] <= high:
                can_be_many = not (yield Goal((shape,), known.shapes)).is_empty
        if can_be_many:
            able = yield from self._count(shape, is_matching=True, length=self._high)
            can_be_many = able > high
        if can_be_few:
            self._disliked = (*self._disliked, shape)
        elif can_be_many:
            self._liked = (*self._liked, shape)
            self._low = max(self._low, high + 1)
        return ([{}], True) if can_be_few or can_be_many else ([], True)

    def _build_all(self, ways: list[list[dict[int, Json]]]) -> Asking[list[Json]]:
        found: list[Json] = []
        if len(ways) == 1:
            chosen = ways[0]
        else:
            merged: dict[int, Json] = {}
            for options in ways:
                merged.update(options[0])
            chosen = [merged]
        for items in chosen[:MAX_VALUES]:
            try:
                value = yield from self._build(items)
            except _Gap:
                continue
            if self._is_right(value):
                found.append(value)
        return found

    def _is_right(self, value: Json) -> bool:
        holds = self._tools.evaluator.holds
        try:
            return all(holds(part, value) for part in self._case.parts.values() if part.kind in _CHECKED) and not any(
                holds(part, value) for part in self._case.denials if part.kind is not PartKind.OPAQUE
            )
        except Unsure:
            return True

    def _build(self, chosen: dict[int, Json]) -> Asking[list[Json]]:
        """Build an array around chosen items. Raises _Gap."""
        length = max((self._low, *(index + 1 for index in chosen)))
        if length > _MAX_LENGTH:
            raise _Gap
        built: list[Json] = []
        for index in range(length):
            if index in chosen:
                built.append(chosen[index])
            else:
                built.append((yield from self._item(index, built)))
        for part in self._facts.contains:
            yield from self._satisfy(part, built, chosen)
        return built

    def _item(self, index: int, before: list[Json]) -> Asking[Json]:
        """An item for a position, as liked if that is possible."""
        shapes = tuple(self._facts.applying(index))
        used = self._unlike(before)
        avoided = (*self._disliked, *(part.shapes[0] for part in self._facts.contains if part.value[1] is not None))
        for liked, disliked in ((self._liked, avoided), (self._liked, self._disliked), ((), ())):
            answer = yield Goal((*shapes, *liked), (*disliked, *used))
            if answer.values:
                return answer.values[0]
        raise _Gap

    def _satisfy(self, part: Part, built: list[Json], chosen: dict[int, Json]) -> Asking[None]:
        """Put in items that `contains` asks for: in place of others, or behind. Raises _Gap."""
        low = part.value[0]
        shape = part.shapes[0]
        for index in range(len(built) + low + self._facts.kinds):
            if self._matching(shape, built) >= low:
                return
            if index < len(built) and (index in chosen or self._matching(shape, [built[index]])):
                continue
            if index >= min(self._high, _MAX_LENGTH):
                raise _Gap
            others = [value for at, value in enumerate(built) if at != index]
            unlike = self._unlike(others)
            answer = yield Goal((*self._facts.applying(index), shape), (*self._disliked, *unlike))
            if not answer.values and self._disliked:
                answer = yield Goal((*self._facts.applying(index), shape), unlike)
            if answer.values:
                built[index : index + 1] = [answer.values[0]]
            elif index == len(built):
                built.append((yield from self._item(index, built)))

    def _unlike(self, values: list[Json]) -> tuple[Shape, ...]:
        """What an item must not satisfy to differ from others, where all must. Raises _Gap."""
        if not self._facts.is_unique or not values:
            return ()
        if len(values) > _MAX_DISTINCT:
            raise _Gap
        meanings = self._tools.meanings
        listed = meanings.make(PartKind.VALUES, {value_key(value): value for value in values})
        return (meanings.settle_one(Shape([listed])),)

    def _matching(self, shape: Shape, values: list[Json]) -> int:
        try:
            return sum(self._tools.evaluator.is_valid(shape, value) for value in values)
        except Unsure:
            raise _Gap from None


_DENIED_INSIDE = frozenset(
    {PartKind.PREFIX, PartKind.REST, PartKind.CONTAINS, PartKind.UNIQUE, PartKind.UNEVALUATED_ITEMS}
)
_CHECKED = frozenset(
    {
        PartKind.CONTAINS,
        PartKind.UNIQUE,
        PartKind.UNEVALUATED_ITEMS,
        PartKind.MIN_ITEMS,
        PartKind.MAX_ITEMS,
        PartKind.VALUES,
    }
)
