"""The search for a value that satisfies some shapes and not others: the tableau behind proofs and witnesses.

Refuses to build values of a type (`scalars`, `arrays`, `objects`) and to have the last word on what it found
(`witness`). Goals wait on a list of their own instead of the interpreter's stack.

A case that a goal leads to is first solved without its choices (anyOf, if, dependencies): if even that has no value,
the case is closed. Otherwise it branches on a choice that the value found does not satisfy. A goal that is met again
inside itself counts as empty: a value is finite, so if there is one, there is one that does not need itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from llm_schema_registry.formats.json_schema.inclusion.arrays import find_array
from llm_schema_registry.formats.json_schema.inclusion.choices import Choices, are_disjoint
from llm_schema_registry.formats.json_schema.inclusion.evaluate import Evaluator, Unsure
from llm_schema_registry.formats.json_schema.inclusion.goal import (
    EMPTY,
    MAX_VALUES,
    Answer,
    Asking,
    Case,
    Choice,
    Goal,
    Json,
)
from llm_schema_registry.formats.json_schema.inclusion.objects import find_object
from llm_schema_registry.formats.json_schema.inclusion.parts import (
    ARRAY,
    ATOMS,
    INTEGER,
    NOWHERE,
    NUMBERS,
    OBJECT,
    STRING,
    WHOLE,
    Atom,
    Meanings,
    Part,
    PartKind,
    Shape,
    Where,
    atom_of,
)
from llm_schema_registry.formats.json_schema.inclusion.scalars import find_number, find_string, spellings

# Denied shapes with several ways each.
_MANY = 8
_Key = tuple[frozenset[frozenset[int]], frozenset[frozenset[int]]]


class _Frame:
    """A goal that is being worked on, `depth` levels inside the document.

    `low` is the lowest frame whose emptiness it assumed.
    """

    __slots__ = ("depth", "key", "low", "provisional", "walk")

    def __init__(self, key: _Key, walk: Asking[Answer], index: int, depth: int) -> None:
        self.key = key
        self.depth = depth
        self.walk = walk
        self.low = index
        self.provisional: list[_Key] = []


class Search:
    """One run over two schemas. `where` of an answer's gaps are places of the shapes handed in."""

    def __init__(self, meanings: Meanings, spend: Callable[[int], None], *, has_whole: bool) -> None:
        """Begin with nothing known. Only draft 4 tells 1.0 from an integer."""
        self.meanings = meanings
        self.spend = spend
        self.evaluator = Evaluator(spend)
        self.choices = Choices(meanings)
        self.has_whole = has_whole
        self._atoms = tuple(atom for atom in ATOMS if has_whole or atom is not WHOLE)
        # Values of the goal that was asked first, so that they are not lost when time runs out.
        self.found: list[Json] = []
        self._has_begun = False
        self._memo: dict[_Key, Answer] = {}
        self._assumed: dict[_Key, int] = {}

    def run(self, goal: Goal) -> Answer:
        """Answer a goal. Raises TooComplex."""
        frames: list[_Frame] = []
        indexes: dict[_Key, int] = {}
        answer: Answer | None = None
        while True:
            if answer is None:
                key = goal.key
                depth = frames[-1].depth + goal.is_inside if frames else 0
                answer = self._known(key, depth, frames, indexes)
                if answer is None:
                    self.spend(10)
                    indexes[key] = len(frames)
                    frames.append(_Frame(key, self._solve(goal), len(frames), depth))
            if not frames:
                assert answer is not None  # noqa: S101 - for the type checker: without frames it is known
                return answer
            frame = frames[-1]
            try:
                goal = next(frame.walk) if answer is None else frame.walk.send(answer)
                answer = None
            except StopIteration as stop:
                answer = stop.value
                frames.pop()
                del indexes[frame.key]
                self._finish(frame, answer, frames)
                if not frames:
                    return answer

    def _known(self, key: _Key, depth: int, frames: list[_Frame], indexes: dict[_Key, int]) -> Answer | None:
        positive, negative = key
        if not negative.isdisjoint(positive) or frozenset() in negative:
            return EMPTY
        index = indexes.get(key)
        if index is not None:
            if frames[index].depth == depth:
                # A schema that asks for itself of the same value says nothing.
                return Answer((), (NOWHERE,))
            frames[-1].low = min(frames[-1].low, index)
            return EMPTY
        answer = self._memo.get(key)
        if answer is not None and key in self._assumed:
            frames[-1].low = min(frames[-1].low, self._assumed[key])
        return answer

    def _finish(self, frame: _Frame, answer: Answer, frames: list[_Frame]) -> None:
        """Remember an answer; one that rests on a goal still open goes with that goal."""
        index = len(frames)
        self._memo[frame.key] = answer
        if answer.is_empty and frame.low < index:
            for key in (*frame.provisional, frame.key):
                self._assumed[key] = frame.low
                frames[frame.low].provisional.append(key)
            frames[-1].low = min(frames[-1].low, frame.low)
            return
        for key in frame.provisional:
            self._assumed.pop(key, None)
            if not answer.is_empty:
                self._memo.pop(key, None)

    def _solve(self, goal: Goal) -> Asking[Answer]:
        finite = _finite(goal.positive)
        if finite is not None:
            return self._try_each(goal, finite.value.values())
        values: list[Json] = [] if self._has_begun else self.found
        self._has_begun = True
        gaps: list[Where] = []
        labels: set[frozenset[int]] = set()
        limit = MAX_VALUES if goal.negative else 1
        for atom in self._possible(goal.positive):
            case = Case(atom)
            case.add(goal.positive)
            case.negative.extend(goal.negative)
            yield from self._explore(case, values, gaps, labels)
            if len(values) >= limit:
                break
        return Answer(tuple(values), tuple(gaps))

    def _possible(self, shapes: Iterable[Shape]) -> Iterable[Atom]:
        """The types of values that shapes take, as far as they say themselves."""
        named = [part.value for shape in shapes for part in shape.parts if part.kind is PartKind.TYPES]
        return [atom for atom in self._atoms if all(atom in atoms for atoms in named)] if named else self._atoms

    def _try_each(self, goal: Goal, candidates: Iterable[Json]) -> Answer:
        """Decide a goal whose values are listed."""
        values: list[Json] = []
        gaps: list[Where] = []
        for candidate in candidates:
            for value in spellings(candidate) if self.has_whole else (candidate,):
                try:
                    is_found = all(self.evaluator.is_valid(shape, value) for shape in goal.positive) and not any(
                        self.evaluator.is_valid(shape, value) for shape in goal.negative
                    )
                except Unsure:
                    is_found = True
                if is_found and len(values) < MAX_VALUES:
                    values.append(value)
        return Answer(tuple(values), tuple(gaps))

    def _explore(self, case: Case, values: list[Json], gaps: list[Where], labels: set[frozenset[int]]) -> Asking[None]:
        limit = MAX_VALUES if case.negative else 1
        # Cases are made one at a time: together they would take memory for each choice of each choice.
        waiting: list[Iterator[Case]] = [iter((case,))]
        while waiting and len(values) < limit:
            following = next(waiting[-1], None)
            if following is None:
                waiting.pop()
                continue
            case = following
            self.spend(3)
            ways = self._propagate(case)
            if case.is_dead:
                continue
            if len(ways) > _MANY and case.pending:
                # A choice made first decides most of them.
                waiting.append(self._branches(case, self.choices.to_satisfy(case.pending[0])))
                continue
            if len(ways) > 1 and not case.is_sifted:
                ways = yield from self._sift(case, ways)
                if case.is_dead:
                    continue
            if len(ways) > 1 and case.denials and (yield from self._find(case)).is_empty:
                continue
            if ways:
                chosen, choices = min(ways, key=lambda way: len(way[1]))
                case.negative.remove(chosen)
                case.refused |= {chosen.id}
                waiting.append(self._branches(case, choices))
                continue
            if case.label in labels:
                # Another value that fails in the same way tells nothing new.
                continue
            answer = yield from self._find(case)
            if answer.is_empty:
                continue
            gaps.extend(part.where for part in case.denials if part.kind is PartKind.OPAQUE)
            failing = self._keep(case, answer, values, labels)
            if failing is not None:
                waiting.append(self._branches(case, self.choices.to_satisfy(failing)))
            elif not answer.values or answer.gaps:
                if case.pending and not answer.values:
                    waiting.append(self._branches(case, self.choices.to_satisfy(case.pending[0])))
                else:
                    gaps.extend(answer.gaps)

    def _branches(self, case: Case, choices: list[Choice]) -> Iterator[Case]:
        """The cases in which one choice each is made; those that ask for what is denied are left out."""
        denied = {shape.id for shape in case.negative}
        for choice in choices:
            self.spend(2 + len(choice.negative) // 50)
            if not any(shape.id in denied for shape in choice.shapes):
                yield case.branch(choice)

    def _propagate(self, case: Case) -> list[tuple[Shape, list[Choice]]]:
        """Apply what leaves no choice; return the denied shapes that leave one, with their ways."""
        while not case.is_dead:
            ways = []
            is_changed = False
            for shape in list(case.negative):
                self.spend(1 + len(shape.parts) // 4)
                choices = None if shape.id in case.refused else self.choices.to_deny(shape, case)
                if choices is None:
                    case.negative.remove(shape)
                elif not choices:
                    case.is_dead = True
                    return []
                elif len(choices) == 1:
                    self._refuse(case, shape, choices[0])
                    is_changed = True
                else:
                    ways.append((shape, choices))
                if case.is_dead:
                    return []
            if not is_changed:
                return ways
        return []

    def _refuse(self, case: Case, shape: Shape, choice: Choice) -> None:
        """Make the only choice there is."""
        case.negative.remove(shape)
        case.refused |= {shape.id}
        changed = case.branch(choice)
        case.parts, case.held, case.cache, case.pending = changed.parts, changed.held, changed.cache, changed.pending
        case.negative, case.denials, case.is_dead = changed.negative, changed.denials, changed.is_dead

    def _sift(self, case: Case, ways: list[tuple[Shape, list[Choice]]]) -> Asking[list[tuple[Shape, list[Choice]]]]:
        """Drop denied shapes that hold none of the case's values; close the case if one holds all of them."""
        whole = Shape(case.parts.values())
        whole.id = frozenset(case.parts)
        typed = self.meanings.settle_one(Shape([Part(PartKind.TYPES, frozenset({case.atom}))]))
        kept = []
        for shape, choices in ways:
            self.spend(5)
            if (case.atom is OBJECT and are_disjoint(whole, shape)) or (
                yield Goal((typed, whole, shape), is_inside=False)
            ).is_empty:
                case.negative.remove(shape)
                continue
            if (yield Goal((typed, whole), (shape,), is_inside=False)).is_empty:
                case.is_dead = True
                return []
            kept.append((shape, choices))
        case.is_sifted = True
        return kept

    def _find(self, case: Case) -> Asking[Answer]:
        listed = case.of(PartKind.VALUES)
        if listed:
            candidates = [
                v for value in listed[0].value.values() for v in (spellings(value) if self.has_whole else (value,))
            ]
            return self._filtered(case, candidates)
        if case.atom in NUMBERS:
            return find_number(self, case)
        if case.atom is STRING:
            return find_string(self, case)
        if case.atom is ARRAY:
            return (yield from find_array(self, case))
        if case.atom is OBJECT:
            return (yield from find_object(self, case))
        return self._filtered(case, _CONSTANTS[case.atom])

    def _filtered(self, case: Case, candidates: Iterable[Json]) -> Answer:
        """Those of the candidates that satisfy every part of a case and none that is denied."""
        found = []
        for value in candidates:
            atom = atom_of(value)
            if (INTEGER if atom is WHOLE and not self.has_whole else atom) != case.atom:
                continue
            try:
                is_found = all(self.evaluator.holds(part, value) for part in case.parts.values()) and not any(
                    self.evaluator.holds(part, value) for part in case.denials
                )
            except Unsure:
                is_found = True
            if is_found:
                found.append(value)
        return Answer(tuple(found))

    def _keep(self, case: Case, answer: Answer, values: list[Json], labels: set[frozenset[int]]) -> Part | None:
        """Keep the values that also satisfy what was left out; if none does, return a choice to branch on."""
        failing: Part | None = None
        is_any_kept = False
        for value in answer.values:
            part = self._failing(case, value)
            if part is None:
                is_any_kept = True
                labels.add(case.label)
                if len(values) < MAX_VALUES:
                    values.append(value)
            elif failing is None:
                failing = part
        return None if is_any_kept else failing

    def _failing(self, case: Case, value: Json) -> Part | None:
        for part in case.pending:
            try:
                if not self.evaluator.holds(part, value):
                    return part
            except Unsure:
                continue
        return None


_CONSTANTS: dict[Atom, tuple[Json, ...]] = {"null": (None,), "boolean": (True, False)}


def _finite(shapes: Iterable[Shape]) -> Part | None:
    """The shortest list of values among what must be satisfied."""
    found: Part | None = None
    waiting = [part for shape in shapes for part in shape.parts]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if part.kind is PartKind.VALUES and (found is None or len(part.value) < len(found.value)):
            found = part
        elif part.kind is PartKind.ALL and id(part) not in seen:
            seen.add(id(part))
            waiting.extend(part.shapes[0].parts)
    return found
