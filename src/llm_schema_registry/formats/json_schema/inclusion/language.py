"""Is there a string with these lengths that matches these patterns and not those? The shortest one, or the proof.

Refuses patterns that `regular` does not understand; callers test those on the strings found here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache, cached

from llm_schema_registry.formats.json_schema.inclusion.regular import (
    ALWAYS,
    AT_END,
    AT_START,
    LAST,
    Automaton,
    Intervals,
    compile_pattern,
    compile_words,
)

MAX_STATES = 2_000
_PREFERRED = (*map(ord, "axb0A1_-. "), *range(ord("c"), ord("x")), *range(0x21, 0x7F))

_INSIDE = frozenset({ALWAYS})
_FIRST = frozenset({ALWAYS, AT_START})
_LAST = frozenset({ALWAYS, AT_END})
_ANYWHERE = frozenset({ALWAYS, AT_START, AT_END})
_MATCHED = frozenset({-1})
_State = frozenset[int]
# Where the halves of surrogate pairs begin.
_NO_CHARACTER = 0xD800


class Wanted(NamedTuple):
    """What is looked for: `matching` all match, `barred` none does; `high` None is no bound."""

    matching: tuple[Automaton, ...] = ()
    barred: tuple[Automaton, ...] = ()
    low: int = 0
    high: int | None = None


_CACHED_STATES = 50_000

# Bounded in states, about half a kilobyte each, whatever the patterns are.
automaton = cached(
    LRUCache(_CACHED_STATES, getsizeof=lambda known: 1 if known is None else len(known.moves)), lock=Lock()
)(compile_pattern)
words = lru_cache(maxsize=4)(compile_words)


class Exhausted(Exception):
    """More states than are looked at."""


def strings(wanted: Wanted, spend: Callable[[int], None]) -> Iterator[str]:
    """Yield members of the language, shorter ones first, at most one for each state that is reached.

    None at all is a proof that there is none. Raises Exhausted before an answer is known.
    """
    everything = (*wanted.matching, *wanted.barred)
    count = len(wanted.matching)
    start = tuple(_close(each, frozenset({0}), _FIRST) for each in everything)
    queue: deque[tuple[tuple[_State, ...], str]] = deque([(start, "")])
    seen: set[tuple[tuple[_State, ...], int]] = {(start, 0)}
    while queue:
        states, text = queue.popleft()
        spend(20)
        if any(state is _MATCHED for state in states[count:]):
            continue
        if len(text) >= wanted.low and _accepts(everything, states, count, is_start=not text):
            yield text
        if wanted.high is not None and len(text) >= wanted.high:
            continue
        for char in _representatives(everything, states):
            following = tuple(_step(each, state, char) for each, state in zip(everything, states, strict=True))
            # Without an upper bound, lengths beyond the lower one are alike.
            length = len(text) + 1 if wanted.high is not None else min(len(text) + 1, wanted.low)
            spend(5)
            if (following, length) not in seen:
                if len(seen) >= MAX_STATES:
                    raise Exhausted
                seen.add((following, length))
                queue.append((following, text + chr(char)))


def _accepts(everything: tuple[Automaton, ...], states: tuple[_State, ...], count: int, *, is_start: bool) -> bool:
    return all(
        _is_match(each, state, is_start=is_start) is (index < count)
        for index, (each, state) in enumerate(zip(everything, states, strict=True))
    )


def _is_match(each: Automaton, state: _State, *, is_start: bool) -> bool:
    """Whether the pattern is found if the text ends here."""
    conditions = _ANYWHERE if is_start else _LAST
    return state is _MATCHED or each.final in _spread(each, state, conditions)


def _close(each: Automaton, state: frozenset[int], conditions: frozenset[int]) -> _State:
    """Follow what takes no character; once the pattern is found, nothing matters any more."""
    closed = _spread(each, state, conditions)
    return _MATCHED if each.final in closed else closed


def _spread(each: Automaton, state: frozenset[int], conditions: frozenset[int]) -> frozenset[int]:
    reached = set(state)
    waiting = list(state)
    while waiting:
        for condition, target in each.jumps[waiting.pop()]:
            if condition in conditions and target not in reached:
                reached.add(target)
                waiting.append(target)
    return frozenset(reached)


def _step(each: Automaton, state: _State, char: int) -> _State:
    if state is _MATCHED:
        return state
    targets = {target for source in state for intervals, target in each.moves[source] if _holds(intervals, char)}
    # A match may begin at any character.
    targets.add(0)
    return _close(each, frozenset(targets), _INSIDE)


def _holds(intervals: Intervals, char: int) -> bool:
    return any(low <= char <= high for low, high in intervals)


def _representatives(everything: tuple[Automaton, ...], states: tuple[_State, ...]) -> Iterator[int]:
    """One character of each class that no automaton tells apart in these states."""
    bounds = {0, _NO_CHARACTER, 0xE000}
    for each, state in zip(everything, states, strict=True):
        if state is not _MATCHED:
            for source in state:
                for intervals, _ in each.moves[source]:
                    for low, high in intervals:
                        bounds.add(low)
                        bounds.add(high + 1)
    ordered = sorted(bounds)
    preferred: dict[int, int] = {}
    for char in _PREFERRED:
        preferred.setdefault(ordered[bisect_right(ordered, char) - 1], char)
    yield from preferred.values()
    yield from (start for start in ordered if start <= LAST and start != _NO_CHARACTER and start not in preferred)
