"""Regular expressions as automata: the patterns whose language can be reasoned about.

Refuses to match text by backtracking, and patterns beyond regular languages or this syntax (`compile_pattern` answers
None): look-around, back-references, word boundaries, Unicode properties, set operations in classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

Intervals = tuple[tuple[int, int], ...]
"""Sorted, disjoint ranges of code points, both ends included."""

LAST = 0x10FFFF
MAX_STATES = 2_000
MAX_NESTING = 50
MAX_STEPS = 5_000
"""Characters that are read, those of repeated parts again for each copy."""
_SURROGATES = (0xD800, 0xDFFF)

# Edges that take no character: always, only before the first character, only after the last.
ALWAYS, AT_START, AT_END = range(3)


class Automaton(NamedTuple):
    """A nondeterministic automaton; states count from 0, which is the start.

    `moves[state]` are (intervals, target); `jumps[state]` are (condition, target). `final` is the accepting state. The
    pattern is searched for: a match may begin and end anywhere.
    """

    moves: tuple[tuple[tuple[Intervals, int], ...], ...]
    jumps: tuple[tuple[tuple[int, int], ...], ...]
    final: int


def compile_pattern(pattern: str) -> Automaton | None:
    """Build the automaton of a pattern; None when it is beyond what is understood here."""
    try:
        parser = _Parser(pattern)
        start, final = parser.alternatives(0)
    except _Beyond:
        return None
    if parser.at != len(pattern):
        return None
    # The start is state 0 by construction of `_Parser`.
    parser.jump(0, start)
    return Automaton(
        tuple(tuple(moves) for moves in parser.moves), tuple(tuple(jumps) for jumps in parser.jumps), final
    )


def compile_words(words: Iterable[str]) -> Automaton:
    """Build the automaton that matches exactly these words, as a trie."""
    moves: list[list[tuple[Intervals, int]]] = [[], []]
    jumps: list[list[tuple[int, int]]] = [[(AT_START, 1)], []]
    ends: list[int] = []
    children: dict[tuple[int, str], int] = {}
    for word in words:
        state = 1
        for char in word:
            target = children.get((state, char))
            if target is None:
                target = children[state, char] = len(moves)
                moves.append([])
                jumps.append([])
                moves[state].append((((ord(char), ord(char)),), target))
            state = target
        ends.append(state)
    final = len(moves)
    moves.append([])
    jumps.append([])
    for state in ends:
        jumps[state].append((AT_END, final))
    return Automaton(tuple(map(tuple, moves)), tuple(map(tuple, jumps)), final)


def union(*parts: Intervals) -> Intervals:
    """Join sets of characters."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(interval for part in parts for interval in part):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(part: Intervals) -> Intervals:
    """Every character that is not in a set; halves of surrogate pairs are no characters."""
    found = []
    start = 0
    for low, high in (*union(part, (_SURROGATES,)), (LAST + 1, LAST + 1)):
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    return tuple(found)


def _chars(text: str) -> Intervals:
    return union(tuple((ord(char), ord(char)) for char in text))


_DIGITS: Intervals = ((0x30, 0x39),)
_WORD: Intervals = union(_DIGITS, ((0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)))
# White space of ECMA-262.
_SPACE: Intervals = union(_chars("\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"), ((0x2000, 0x200A),))
# The validators' dot leaves out the line feed alone.
_DOT = complement(_chars("\n"))
_CLASSES = {
    "d": _DIGITS,
    "D": complement(_DIGITS),
    "w": _WORD,
    "W": complement(_WORD),
    "s": _SPACE,
    "S": complement(_SPACE),
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_PUNCTUATION = frozenset("^$\\.*+?()[]{}|/-")
_SPECIAL = frozenset("*+?{}[]()|")
# Characters of two counts, a comma and a brace.
_MAX_COUNTS = 10
_HEX = {"x": 2, "u": 4}


class _Beyond(Exception):
    """The pattern cannot be reasoned about."""


class _Parser:
    """Recursive descent, bounded by MAX_NESTING; each part becomes a start and an end state."""

    def __init__(self, pattern: str) -> None:
        self.at = 0
        self._steps = 0
        self.moves: list[list[tuple[Intervals, int]]] = [[]]
        self.jumps: list[list[tuple[int, int]]] = [[]]
        self._pattern = pattern

    def jump(self, start: int, end: int, condition: int = ALWAYS) -> None:
        self.jumps[start].append((condition, end))

    def alternatives(self, depth: int) -> tuple[int, int]:
        if depth > MAX_NESTING:
            raise _Beyond
        start, end = self._state(), self._state()
        while True:
            first, last = self._sequence(depth)
            self.jump(start, first)
            self.jump(last, end)
            if self._peek() != "|":
                return start, end
            self.at += 1

    def _state(self) -> int:
        if len(self.moves) >= MAX_STATES:
            raise _Beyond
        self.moves.append([])
        self.jumps.append([])
        return len(self.moves) - 1

    def _peek(self) -> str:
        return self._pattern[self.at : self.at + 1]

    def _take(self) -> str:
        char = self._peek()
        self._steps += 1
        if not char or self._steps > MAX_STEPS:
            raise _Beyond
        self.at += 1
        return char

    def _sequence(self, depth: int) -> tuple[int, int]:
        start = end = self._state()
        while self._peek() not in {"", "|", ")"}:
            first, last = self._repeated(depth)
            self.jump(end, first)
            end = last
        return start, end

    def _repeated(self, depth: int) -> tuple[int, int]:
        begin = self.at
        part = self._atom(depth)
        low, high = self._quantifier()
        if (low, high) == (1, 1):
            return part
        start = end = self._state()
        for index in range(max(low, 1) if high is None else high):
            if index:
                # Each further copy is parsed again.
                rest, self.at = self.at, begin
                part = self._atom(depth)
                self.at = rest
            self.jump(end, part[0])
            if index >= low:
                self.jump(end, part[1])
            end = part[1]
        if high is None:
            self.jump(part[1], part[0])
        return start, end

    def _quantifier(self) -> tuple[int, int | None]:
        char = self._peek()
        if char in {"*", "+", "?"}:
            self.at += 1
            bounds: tuple[int, int | None] = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        elif char == "{":
            self.at += 1
            bounds = self._counts()
        else:
            return 1, 1
        if self._peek() == "?":
            # Lazy or not, the language is the same.
            self.at += 1
        if self._peek() in {"*", "+", "?", "{"}:
            raise _Beyond
        return bounds

    def _counts(self) -> tuple[int, int | None]:
        text, brace, _ = self._pattern[self.at : self.at + _MAX_COUNTS].partition("}")
        low, comma, high = text.partition(",")
        if not brace or not _is_number(low) or not (_is_number(high) or not high):
            raise _Beyond
        self.at += len(text) + 1
        bounds = (int(low), None if comma and not high else int(high or low))
        if bounds[1] is not None and bounds[1] < bounds[0]:
            raise _Beyond
        return bounds

    def _atom(self, depth: int) -> tuple[int, int]:
        char = self._take()
        if char == "(":
            return self._group(depth)
        if char in {"^", "$"}:
            start, end = self._state(), self._state()
            self.jump(start, end, AT_START if char == "^" else AT_END)
            if self._peek() in {"*", "+", "?", "{"}:
                raise _Beyond
            return start, end
        if char == ".":
            found = _DOT
        elif char == "[":
            found = self._class()
        elif char == "\\":
            found = self._escape(is_in_class=False)
        elif char in _SPECIAL:
            raise _Beyond
        else:
            found = _chars(char)
        start, end = self._state(), self._state()
        self.moves[start].append((found, end))
        return start, end

    def _group(self, depth: int) -> tuple[int, int]:
        if self._peek() == "?":
            self.at += 1
            kind = self._take()
            if kind == "<" and self._peek() not in {"=", "!"}:
                while self._take() != ">":
                    pass
            elif kind != ":":
                raise _Beyond
        part = self.alternatives(depth + 1)
        # Alternatives end at this or at the end.
        self._take()
        return part

    def _class(self) -> Intervals:
        is_negated = self._peek() == "^"
        self.at += is_negated
        parts: list[Intervals] = []
        while self._peek() != "]":
            low = self._member()
            if self._peek() == "-" and self._pattern[self.at + 1 : self.at + 2] not in {"]", ""}:
                self.at += 1
                high = self._member()
                if len(low) != 1 or len(high) != 1 or low[0][0] != low[0][1] or high[0][0] != high[0][1]:
                    raise _Beyond
                if low[0][0] > high[0][0]:
                    raise _Beyond
                low = ((low[0][0], high[0][0]),)
            parts.append(low)
        self.at += 1
        if not parts:
            raise _Beyond
        found = union(*parts)
        return complement(found) if is_negated else found

    def _member(self) -> Intervals:
        char = self._take()
        if char == "\\":
            return self._escape(is_in_class=True)
        # Engines differ in what these mean inside a class.
        if char == "[" or (char in "&-~" and self._peek() == char):
            raise _Beyond
        return _chars(char)

    def _escape(self, *, is_in_class: bool) -> Intervals:
        char = self._take()
        if char in _CLASSES:
            return _CLASSES[char]
        if char in _CONTROLS:
            return _chars(_CONTROLS[char])
        if char in _HEX:
            digits = self._pattern[self.at : self.at + _HEX[char]]
            if len(digits) != _HEX[char] or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                raise _Beyond
            self.at += len(digits)
            code = int(digits, 16)
            if _SURROGATES[0] <= code <= _SURROGATES[1]:
                raise _Beyond
            return ((code, code),)
        if char in _PUNCTUATION and not (char == "-" and not is_in_class):
            return _chars(char)
        raise _Beyond


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 5
