"""Numbers and strings that satisfy some parts and not others, or the proof that there are none.

Refuses types with values inside (`arrays`, `objects`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal
from fractions import Fraction
from itertools import islice, takewhile
from math import gcd, lcm

from llm_schema_registry.formats.json_schema.inclusion.evaluate import Unsure
from llm_schema_registry.formats.json_schema.inclusion.goal import EMPTY, Answer, Case, Json, Tools
from llm_schema_registry.formats.json_schema.inclusion.language import Exhausted, Wanted, automaton, strings, words
from llm_schema_registry.formats.json_schema.inclusion.parts import (
    FRACTION,
    INTEGER,
    NOWHERE,
    WHOLE,
    Part,
    PartKind,
    atom_of,
    fraction,
)

_TRIES = 500
_MAX_TEXT = 100_000
# Letters of words that are excluded as a language; of more, strings that are found are held against them.
_MAX_LETTERS = 10_000
_SAMPLES = 50
# Enough that the clock is looked at for each pattern.
_COMPILE_STEPS = 256
_EXACT = Context(prec=2_000)

# What every string of a format looks like; the formats themselves are narrower.
_FORMAT_SHAPES = {
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].{8,}$",
    "email": "@",
    "ipv4": "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$",
    "ipv6": "^[0-9A-Fa-f:.]{2,45}$",
    "time": "^[0-9]{2}:[0-9]{2}:[0-9]{2}.+$",
    "uri": ":",
}
_FORMAT_SAMPLES = (
    "a@b.co",
    "127.0.0.1",
    "::1",
    "2020-01-01",
    "2020-01-01T00:00:00Z",
    "00:00:00Z",
    "example.com",
    "http://example.com/",
    "http://example.com/ä",
    "/a",
    "/a/{b}",
    "a/b?c#d",
    "1/a",
    "P1D",
    "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
    "^a$",
    "(",
    "{}",
    "e30=",
    "YQ==",
    "%",
    "\\",
)


def spellings(value: Json) -> tuple[Json, ...]:
    """A whole number in both spellings, 1 and 1.0, which draft 4 tells apart; any other value as it is."""
    number = fraction(value) if atom_of(value) in _WHOLE_NUMBERS else None
    return (value,) if number is None else (int(number), Decimal(f"{int(number)}.0"))


_WHOLE_NUMBERS = frozenset({INTEGER, WHOLE})


def find_number(tools: Tools, case: Case) -> Answer:
    """Find numbers of the case's atom: integers, whole numbers written with a fraction, or others."""
    found: list[Json] = []
    is_complete = False
    for number in _candidates(case):
        if number is None:
            is_complete = True
            break
        tools.spend(2)
        if (number.denominator == 1) is (case.atom is FRACTION):
            continue
        value = _written(number, case)
        if all(tools.evaluator.holds(part, value) for part in case.parts.values() if part.kind in _NUMERIC) and not any(
            tools.evaluator.holds(part, value) for part in case.denials if part.kind in _NUMERIC
        ):
            found.append(value)
            break
    if found or is_complete:
        return Answer(tuple(found))
    return Answer((), tuple(part.where for part in case.denials[:1]) or (NOWHERE,))


_NUMERIC = frozenset({PartKind.VALUES, PartKind.MINIMUM, PartKind.MAXIMUM, PartKind.MULTIPLE_OF})


def _written(number: Fraction, case: Case) -> Json:
    if case.atom is INTEGER:
        return int(number)
    if case.atom is WHOLE:
        return Decimal(f"{int(number)}.0")
    return _EXACT.divide(Decimal(number.numerator), Decimal(number.denominator))


def _candidates(case: Case) -> Iterator[Fraction | None]:
    """Numbers worth trying; None at the end if no other could do either."""
    low, high = _interval(case)
    steps = [part.value for part in case.of(PartKind.MULTIPLE_OF)]
    if case.atom is not FRACTION:
        steps.append(Fraction(1))
    tries = _TRIES + sum(len(part.value) for part in case.denials if part.kind is PartKind.VALUES)
    if low is not None and high is not None and (low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))):
        yield None
    elif not steps:
        yield from _fractions(low, high, tries)
    else:
        step = steps[0]
        for other in steps[1:]:
            step = Fraction(lcm(step.numerator, other.numerator), gcd(step.denominator, other.denominator))
        denied = [part.value for part in case.denials if part.kind is PartKind.MULTIPLE_OF]
        if any((step / other).denominator == 1 for other in denied) or (
            case.atom is FRACTION and step.denominator == 1
        ):
            yield None
        else:
            yield from _multiples(step, low, high, tries)


def _interval(case: Case) -> tuple[tuple[Fraction, bool] | None, tuple[Fraction, bool] | None]:
    """The tightest bounds, each with whether it is excluded itself. A denied bound is one from the other side."""
    lows = [part.value for part in case.parts.values() if part.kind is PartKind.MINIMUM]
    highs = [part.value for part in case.parts.values() if part.kind is PartKind.MAXIMUM]
    for part in case.denials:
        if part.kind is PartKind.MINIMUM:
            highs.append((part.value[0], not part.value[1]))
        elif part.kind is PartKind.MAXIMUM:
            lows.append((part.value[0], not part.value[1]))
    low = max(lows, default=None)
    high = min(highs, key=lambda bound: (bound[0], not bound[1]), default=None)
    return low, high


def _multiples(
    step: Fraction, low: tuple[Fraction, bool] | None, high: tuple[Fraction, bool] | None, tries: int
) -> Iterator[Fraction | None]:
    first, direction = Fraction(0), 1
    if low is not None:
        first = step * -((-low[0]) // step)
    elif high is not None:
        first, direction = step * (high[0] // step), -1

    def is_inside(number: Fraction) -> bool:
        return (low is None or number >= low[0]) and (high is None or number <= high[0])

    yield from takewhile(is_inside, (first + direction * step * index for index in range(tries)))
    if not is_inside(first + direction * step * (tries - 1)):
        yield None
    elif low is None and high is None:
        yield from (-step * index for index in range(1, tries))


def _fractions(
    low: tuple[Fraction, bool] | None, high: tuple[Fraction, bool] | None, tries: int
) -> Iterator[Fraction | None]:
    """Numbers of an interval that need not be whole; there are infinitely many unless it is a point."""
    if low is not None and high is not None:
        yield low[0]
        if low[0] == high[0]:
            yield None
        yield high[0]
        size = high[0] - low[0]
        # Finite decimals, as many as are asked for.
        parts = 2 ** tries.bit_length()
        yield from (low[0] + size * part / parts for part in range(1, tries))
    else:
        base = low[0] if low is not None else high[0] if high is not None else Fraction(0)
        sign = -1 if low is None and high is not None else 1
        yield from (base + sign * Fraction(part, 8) for part in range(2 * tries))


def find_string(tools: Tools, case: Case) -> Answer:
    """Find strings: by the languages of the patterns, by samples where only a validator knows the language."""
    low = max((part.value for part in case.of(PartKind.MIN_LENGTH)), default=0)
    high = min((part.value for part in case.of(PartKind.MAX_LENGTH)), default=None)
    matching, barred, excluded, opaque = [], [], [], []
    for part in case.parts.values():
        if part.kind is PartKind.PATTERN:
            tools.spend(_COMPILE_STEPS)
            known = automaton(part.value)
            matching.append(known) if known is not None else opaque.append(part)
        elif part.kind is PartKind.FORMAT:
            opaque.append(part)
            known = automaton(_FORMAT_SHAPES.get(part.value[1], "") if part.value[0] == "format" else "")
            matching += [known] if known is not None else []
    for part in case.denials:
        if part.kind is PartKind.MIN_LENGTH:
            high = part.value - 1 if high is None else min(high, part.value - 1)
        elif part.kind is PartKind.MAX_LENGTH:
            low = max(low, part.value + 1)
        elif part.kind is PartKind.PATTERN:
            tools.spend(_COMPILE_STEPS)
            known = automaton(part.value)
            barred.append(known) if known is not None else opaque.append(part)
        elif part.kind is PartKind.VALUES:
            excluded += [value for value in part.value.values() if isinstance(value, str)]
        else:
            opaque.append(part)
    if high is not None and high < low:
        return EMPTY
    wanted = Wanted(tuple(matching), tuple(barred), low, high)
    return _search(tools, case, wanted, set(excluded), opaque)


def _search(tools: Tools, case: Case, wanted: Wanted, excluded: set[str], opaque: list[Part]) -> Answer:
    # A shortcut that the search itself would take long for.
    if not wanted.matching and not wanted.barred and not opaque and wanted.low <= _MAX_TEXT:
        for text in _plain_texts(wanted):
            if text not in excluded:
                return Answer((text,))
    try:
        free = wanted._replace(low=0, high=None)
        if (wanted.low > 1 or wanted.high is not None) and next(strings(free, tools.spend), None) is None:
            return EMPTY
        barred = wanted.barred
        is_filtered = bool(opaque)
        if sum(map(len, excluded)) > _MAX_LETTERS:
            is_filtered = True
        elif excluded:
            barred = (*barred, words(tuple(sorted(excluded))))
        found = []
        is_any = False
        for text in islice(strings(wanted._replace(barred=barred), tools.spend), _SAMPLES if is_filtered else 1):
            is_any = True
            if text not in excluded and _is_wanted(tools, case, text, opaque):
                found.append(text)
                break
        if not is_any or (not found and wanted.high == 0):
            return EMPTY
    except Exhausted:
        found = []
    if not found:
        found = [text for text in _FORMAT_SAMPLES if _is_wanted(tools, case, text, case.parts.values())][:1]
    if found:
        return Answer(tuple(found))
    return Answer((), tuple(part.where for part in (*opaque, *case.denials)[:1]) or (NOWHERE,))


def _plain_texts(wanted: Wanted) -> Iterator[str]:
    base = "a" * wanted.low
    yield base
    if wanted.high is None or wanted.high > wanted.low:
        limit = wanted.low + 6 if wanted.high is None else min(wanted.high, wanted.low + 6)
        yield from (base + str(index) for index in range(1_000) if len(base) + len(str(index)) <= limit)


def _is_wanted(tools: Tools, case: Case, text: str, parts: object) -> bool:
    try:
        return all(
            tools.evaluator.holds(part, text)
            for part in parts  # type: ignore[attr-defined]
            if part.kind in _TEXTUAL and part not in case.denials
        ) and not any(tools.evaluator.holds(part, text) for part in case.denials if part.kind in _TEXTUAL)
    except Unsure:
        return True


_TEXTUAL = frozenset({PartKind.VALUES, PartKind.MIN_LENGTH, PartKind.MAX_LENGTH, PartKind.PATTERN, PartKind.FORMAT})
