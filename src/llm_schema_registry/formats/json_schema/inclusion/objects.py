"""Objects that satisfy some parts and not others, or the proof that there are none.

Refuses to decide on the values of properties: it asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, product
from typing import NamedTuple

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
from llm_schema_registry.formats.json_schema.inclusion.parts import NOWHERE, STRING, Part, PartKind, Shape

_MAX_SIZE = 1_000
_MAX_NAMES = 4


class _Gap(Exception):
    """Reasoning gives up here."""


class _Facts:
    """What the parts of a case say about properties."""

    def __init__(self, case: Case) -> None:
        self.names: dict[str, list[Shape]] = {}
        self.patterns: dict[str, list[Shape]] = {}
        self.additional: list[tuple[frozenset[str], tuple[str, ...], Shape]] = []
        self.required: dict[str, None] = {}
        self.name_shapes: list[Shape] = []
        self.low, self.high = 0, 10**18
        for part in case.parts.values():
            self._add(part)
        # Every name that is spoken of, required ones first; all others are alike but for the patterns.
        self.known = dict.fromkeys((*self.required, *self.names))
        for names, patterns, _ in self.additional:
            self.known.update(dict.fromkeys(name for name in sorted(names) if name not in self.known))
            for pattern in patterns:
                self.patterns.setdefault(pattern, [])

    def _add(self, part: Part) -> None:
        kind = part.kind
        if kind is PartKind.PROPERTY:
            self.names.setdefault(part.value, []).append(part.shapes[0])
        elif kind is PartKind.PATTERN_PROPERTY:
            self.patterns.setdefault(part.value, []).append(part.shapes[0])
        elif kind is PartKind.ADDITIONAL:
            self.additional.append((*part.value, part.shapes[0]))
        elif kind is PartKind.UNEVALUATED_PROPERTIES:
            perhaps = part.value[1]
            if not perhaps.is_everything:
                self.additional.append((perhaps.names, perhaps.patterns, part.shapes[0]))
        elif kind is PartKind.REQUIRED:
            self.required[part.value] = None
        elif kind is PartKind.PROPERTY_NAMES:
            self.name_shapes.append(part.shapes[0])
        elif kind is PartKind.MIN_PROPERTIES:
            self.low = max(self.low, part.value)
        elif kind is PartKind.MAX_PROPERTIES:
            self.high = min(self.high, part.value)


class _Pick(NamedTuple):
    """A property that makes an object fail a denied part."""

    name: str
    negative: tuple[Shape, ...] = ()


class _Picks(NamedTuple):
    """Ways to fail a denied part; `is_complete` if there are no others, `is_forced` if it must be this property."""

    picks: list[_Pick]
    is_complete: bool = True
    is_forced: bool = False


def find_object(tools: Tools, case: Case) -> Asking[Answer]:
    """Find objects of a case."""
    facts = case.cache.get("object")
    if facts is None:
        facts = case.cache["object"] = _Facts(case)
        tools.spend(len(case.parts) // 2)
    return (yield from _Finder(tools, case, facts).find())


class _Finder:
    def __init__(self, tools: Tools, case: Case, facts: _Facts) -> None:
        self._tools = tools
        self._case = case
        self._facts = facts
        self._low, self._high = facts.low, facts.high

    def find(self) -> Asking[Answer]:
        picked: list[_Picks] = []
        for part in self._case.denials:
            if part.kind is PartKind.MIN_PROPERTIES:
                self._high = min(self._high, part.value - 1)
            elif part.kind is PartKind.MAX_PROPERTIES:
                self._low = max(self._low, part.value + 1)
            elif part.kind is not PartKind.VALUES and part.kind is not PartKind.OPAQUE:
                picks = yield from self._ways(part)
                if not picks.picks:
                    return EMPTY if picks.is_complete else self._gap(part)
                picked.append(picks)
        if self._low > self._high or len(self._facts.required) > self._high:
            return EMPTY
        try:
            return (yield from self._build_all(picked))
        except _Gap:
            return self._gap(*self._case.denials)

    def _gap(self, *parts: Part) -> Answer:
        named = [part.where for part in (*parts, *self._case.parts.values()) if part.where.parent is not None]
        return Answer((), tuple(named[:1]) or (NOWHERE,))

    def _build_all(self, picked: list[_Picks]) -> Asking[Answer]:
        """Build objects: for each way to fail the denied parts together, as far as there is room.

        One name of a kind stands for all of them, which is exact for one denied part alone.
        """
        found: list[Json] = []
        is_exact = len(picked) < 2 or all(picks.is_forced for picks in picked)
        is_exact = is_exact and all(picks.is_complete and len(picks.picks) <= MAX_VALUES for picks in picked)
        chosen: list[dict[str, tuple[Shape, ...]]] = []
        for combination in islice(product(*(picks.picks for picks in picked)), MAX_VALUES):
            merged: dict[str, tuple[Shape, ...]] = {}
            for pick in combination:
                merged[pick.name] = (*merged.get(pick.name, ()), *pick.negative)
            chosen.append(merged)
        for names in chosen:
            options: list[tuple[str, tuple[Json, ...]]] = []
            for name, negative in names.items():
                answer = yield Goal(tuple(self._applying(name)), negative)
                if not answer.values:
                    is_exact = is_exact and answer.is_empty
                    break
                options.append((name, answer.values))
            else:
                built = yield from self._build({name: values[0] for name, values in options})
                if built is not None:
                    name, values = options[0] if len(options) == 1 else ("", ())
                    more = [{**built, name: value} for value in values[1:]]
                    kept = self._checked([built, *more])
                    found += kept
                    is_exact = is_exact and bool(kept)
            if len(found) >= MAX_VALUES:
                break
        if found or is_exact:
            return Answer(tuple(found[:MAX_VALUES]))
        raise _Gap

    def _checked(self, values: Iterable[Json]) -> list[Json]:
        """Drop values that miss what building does not look at."""
        return [value for value in values if self._is_right(value)]

    def _is_right(self, value: Json) -> bool:
        for part in self._case.parts.values():
            if part.kind in _CHECKED and not self._is_unsure_or(part, value, expected=True):
                return False
        return all(
            self._is_unsure_or(part, value, expected=False)
            for part in self._case.denials
            if part.kind in _CHECKED_DENIALS
        )

    def _is_unsure_or(self, part: Part, value: Json, *, expected: bool) -> bool:
        try:
            return self._tools.evaluator.holds(part, value) is expected
        except Unsure:
            return True

    def _build(self, chosen: dict[str, Json]) -> Asking[Json | None]:
        """Build an object around chosen properties; None if what is required cannot be had. Raises _Gap."""
        built = dict(chosen)
        for name in self._facts.required:
            if name not in built:
                self._tools.spend(2)
                answer = yield Goal(tuple(self._applying(name)))
                if answer.is_empty or not self._is_name(name):
                    return None
                built[name] = self._first(answer)
        if len(built) > self._high:
            return None
        if len(built) < self._low and not (yield from self._fill(built)):
            return None
        return built

    def _fill(self, built: dict[str, Json]) -> Asking[bool]:
        """Add properties until there are enough; return False if there cannot be so many. Raises _Gap."""
        is_sure = True
        for name in self._facts.known:
            if len(built) < self._low and name not in built and self._is_name(name):
                answer = yield Goal(tuple(self._applying(name)))
                is_sure = is_sure and not answer.gaps
                if answer.values:
                    built[name] = answer.values[0]
        if len(built) < self._low and is_sure and not (yield from self._has_others()):
            return False
        if self._low > _MAX_SIZE:
            raise _Gap
        while len(built) < self._low:
            fresh = yield from self._fresh((), (), built)
            for name in fresh.values:
                answer = yield Goal(tuple(self._applying(name)))
                if answer.values:
                    built[name] = answer.values[0]
                    break
            else:
                built.update((yield from self._fresh_by_pattern(built)))
        return True

    def _has_others(self) -> Asking[bool]:
        """Whether properties that nothing names are possible, as far as is known."""
        for _, shapes in self._kinds_of_names(()):
            if not (yield Goal(tuple(shapes))).is_empty:
                return True
        return False

    def _fresh_by_pattern(self, built: dict[str, Json]) -> Asking[dict[str, Json]]:
        """One more property whose name matches a pattern. Raises _Gap."""
        for pattern in self._facts.patterns:
            fresh = yield from self._fresh((pattern,), (), built)
            for name in fresh.values:
                answer = yield Goal(tuple(self._applying(name)))
                if answer.values:
                    return {name: answer.values[0]}
        raise _Gap

    def _first(self, answer: Answer) -> Json:
        if not answer.values:
            raise _Gap
        return answer.values[0]

    def _applying(self, name: str) -> list[Shape]:
        """The shapes that a property of this name must satisfy."""
        facts, is_match = self._facts, self._tools.evaluator.is_match
        found = list(facts.names.get(name, ()))
        try:
            for pattern, shapes in facts.patterns.items():
                if shapes and is_match(pattern, name):
                    found += shapes
            for names, patterns, shape in facts.additional:
                if name not in names and not any(is_match(pattern, name) for pattern in patterns):
                    found.append(shape)
        except Unsure:
            # Not all that applies is known: fewer constraints are right for proofs, and witnesses are checked.
            pass
        return found

    def _is_name(self, name: str) -> bool:
        try:
            return all(self._tools.evaluator.is_valid(shape, name) for shape in self._facts.name_shapes)
        except Unsure:
            return True

    def _ways(self, part: Part) -> Asking[_Picks]:
        """Find properties by which an object fails a part."""
        shape = part.shapes[0]
        if part.kind is PartKind.PROPERTY:
            if not self._is_name(part.value):
                return _Picks([])
            answer = yield Goal(tuple(self._applying(part.value)), (shape,))
            return _Picks([_Pick(part.value, (shape,))] if answer.values else [], not answer.gaps, is_forced=True)
        if part.kind is PartKind.PATTERN_PROPERTY:
            return (yield from self._undeclared((part.value,), frozenset(), (), shape))
        if part.kind is PartKind.ADDITIONAL:
            names, patterns = part.value
            return (yield from self._undeclared((), names, patterns, shape))
        if part.kind is PartKind.PROPERTY_NAMES:
            return (yield from self._bad_names(shape))
        surely, perhaps = part.value
        lower = yield from self._undeclared((), surely.names, surely.patterns, shape)
        if not lower.picks or perhaps.is_everything:
            return lower._replace(is_complete=lower.is_complete and not lower.picks)
        upper = yield from self._undeclared((), perhaps.names, perhaps.patterns, shape)
        return upper if upper.picks else lower._replace(is_complete=False)

    def _undeclared(
        self, matching: tuple[str, ...], declared: frozenset[str], barred: tuple[str, ...], shape: Shape
    ) -> Asking[_Picks]:
        """Find properties whose name matches, is not declared and matches no barred pattern, and whose value fails."""
        picks: list[_Pick] = []
        is_complete = True
        facts = self._facts
        forced = [part.value for part in self._case.denials if part.kind is PartKind.PROPERTY]
        for name in dict.fromkeys((*forced, *facts.known)):
            if name in declared:
                continue
            self._tools.spend(1)
            if not self._is_in(name, matching, barred) or not self._is_name(name):
                continue
            answer = yield Goal(tuple(self._applying(name)), (shape,))
            is_complete = is_complete and not answer.gaps
            if answer.values:
                picks.append(_Pick(name, (shape,)))
                if len(picks) >= MAX_VALUES:
                    return _Picks(picks, is_complete=False)
        for extra, shapes in self._kinds_of_names(matching):
            answer = yield Goal(tuple(shapes), (shape,))
            if answer.is_empty:
                continue
            found = yield from self._fresh_pick(extra, matching, barred, declared, (shape,))
            if found is None:
                is_complete = False
            picks += found or []
        return _Picks(picks, is_complete)

    def _is_in(self, name: str, matching: Iterable[str], barred: Iterable[str]) -> bool:
        is_match = self._tools.evaluator.is_match
        try:
            return all(is_match(pattern, name) for pattern in matching) and not any(
                is_match(pattern, name) for pattern in barred
            )
        except Unsure:
            return True

    def _kinds_of_names(self, matching: tuple[str, ...]) -> Iterator[tuple[str | None, list[Shape]]]:
        """Every kind of name that nothing declares, with what surely holds for its values; together they are all.

        A kind is a pattern that matches; the others need not. None is the kind that no pattern matches.
        """
        facts = self._facts
        known = [pattern for pattern in matching if pattern in facts.patterns]
        surely = [shape for pattern in known for shape in facts.patterns[pattern]]
        if known:
            # Every such name matches that pattern, whatever else it matches.
            yield known[0], surely
            return
        yield from facts.patterns.items()
        yield None, [shape for _, _, shape in facts.additional]

    def _fresh_pick(
        self,
        extra: str | None,
        matching: tuple[str, ...],
        barred: tuple[str, ...],
        declared: frozenset[str],
        negative: tuple[Shape, ...],
    ) -> Asking[list[_Pick] | None]:
        """Find undeclared names of a kind whose value can fail: none, some, or None if that is not known."""
        facts = self._facts
        others = tuple(pattern for pattern in facts.patterns if pattern != extra and pattern not in matching)
        must = matching if extra is None or extra in matching else (*matching, extra)
        # Names that match as little as possible fail more easily; but first, are there any at all?
        for index, avoid in enumerate([barred, (*barred, *others)] if extra is not None else [(*barred, *others)]):
            fresh = yield from self._fresh(must, tuple(dict.fromkeys(avoid)), declared)
            if fresh.is_empty:
                return None if index else []
            for name in fresh.values[:_MAX_NAMES]:
                answer = yield Goal(tuple(self._applying(name)), negative)
                if answer.values:
                    return [_Pick(name, negative)]
        return None

    def _fresh(
        self, must: tuple[str, ...], avoid: tuple[str, ...], excluded: Iterable[str], negative: tuple[Shape, ...] = ()
    ) -> Asking[Answer]:
        """Find names that nothing declares and that match these patterns and not those."""
        make = self._tools.meanings.make
        settle = self._tools.meanings.settle_one
        names = {name: name for name in (*self._facts.known, *excluded)}
        parts = [make(PartKind.TYPES, frozenset({STRING})), *(make(PartKind.PATTERN, pattern) for pattern in must)]
        barred = [settle(Shape([make(PartKind.PATTERN, pattern)])) for pattern in avoid]
        if names:
            self._tools.spend(len(names) // 4)
            barred.append(settle(Shape([make(PartKind.VALUES, names)])))
        positive = (settle(Shape(parts)), *self._facts.name_shapes)
        return (yield Goal(positive, (*barred, *negative)))

    def _bad_names(self, shape: Shape) -> Asking[_Picks]:
        """Find properties whose name fails a shape."""
        facts = self._facts
        text = self._tools.meanings.make(PartKind.TYPES, frozenset({STRING}))
        any_text = self._tools.meanings.settle_one(Shape([text]))
        bad = yield Goal((any_text, *facts.name_shapes), (shape,))
        if bad.is_empty:
            return _Picks([])
        picks: list[_Pick] = []
        is_complete = not bad.gaps
        for name in facts.known:
            if not self._is_name(name) or self._is_good(shape, name):
                continue
            answer = yield Goal(tuple(self._applying(name)))
            is_complete = is_complete and not answer.gaps
            if answer.values:
                picks.append(_Pick(name))
                if len(picks) >= MAX_VALUES:
                    return _Picks(picks, is_complete=False)
        for extra, shapes in self._kinds_of_names(()):
            answer = yield Goal(tuple(shapes))
            if answer.is_empty:
                continue
            must = () if extra is None else (extra,)
            avoid = tuple(facts.patterns) if extra is None else ()
            fresh = yield from self._fresh(must, avoid, (), (shape,))
            found = False
            for name in fresh.values[:_MAX_NAMES]:
                answer = yield Goal(tuple(self._applying(name)))
                if answer.values:
                    picks.append(_Pick(name))
                    found = True
                    break
            is_complete = is_complete and (found or fresh.is_empty)
        return _Picks(picks, is_complete)

    def _is_good(self, shape: Shape, name: str) -> bool:
        try:
            return self._tools.evaluator.is_valid(shape, name)
        except Unsure:
            return False


_CHECKED = frozenset({PartKind.UNEVALUATED_PROPERTIES, PartKind.MAX_PROPERTIES, PartKind.VALUES})
_CHECKED_DENIALS = frozenset({PartKind.UNEVALUATED_PROPERTIES, PartKind.VALUES})
