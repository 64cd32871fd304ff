"""How long an expression can take and how much it can build, at most, for a payload of a given size.

Refuses to evaluate it. The engine stops after 10,000 rounds of loops, but neither bounds what a round does nor what is
built: `[a].map(x, [x, x])` twenty-six times over is 4 GiB. So the tree of each expression is walked with sizes in place
of values. Sizes are of the values as JSON, in bytes, and are summed over all rounds: an element of a list counts once
per round, so that what is in proportion to the payload stays so, and what surrounds a loop counts in each round.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

from llm_schema_registry.contracts.cel.ast import Comprehension, Kind, Node, Tree, parts
from llm_schema_registry.contracts.cel.decimals import MAX_DIGITS
from llm_schema_registry.contracts.cel.printf import MAX_PRECISION

MAX_ROUNDS = 10_000
"""The engine's own limit, over all loops of an expression together."""

MAX_NANOSECONDS = 1_000_000_000
MAX_BUILT = 16 << 20
SMALLEST_PAYLOAD = 1 << 10
"""Rules must be able to judge payloads of this size, whatever is in them."""

LARGEST_PAYLOAD = 1 << 24

# Measured, and rounded up: for a node, for a call of a function written in Python, for a byte looked at, for a byte of
# reference data handed over; for an instruction of a regular expression when it is compiled and per byte of its text.
_NODE = 50
_CALL = 2_000
_BYTE = 10
_HANDED_OVER = 20
_CONVERTED = 50
_REGEX_COMPILED = 1_000
_REGEX_RUN = 8

_SCALAR = 24
_VARIABLE = 1_000
_SMALLEST_ITEM = 2
_PER_CLAUSE = 310 + MAX_PRECISION
_PER_ARGUMENT = 8
_LOOKS_AT_NOTHING = frozenset({"_[_]", "_?_:_", "_&&_", "_||_", "!_", "@not_strictly_false", "dyn", "type"})
_COMPARES = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
_UNWRITTEN = frozenset({Kind.DECIMAL, Kind.ANY})
_PIECE = re.compile(r"\\[pP](?:\{[^}]*\}|.)|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|.", re.DOTALL)
_CLASS = 10
_UNICODE_CLASS = 2_000


class Cost(NamedTuple):
    """At most so many nanoseconds, and so many bytes of values built."""

    nanoseconds: float
    built: float


class _Size(NamedTuple):
    """The size of a node's values: of all of them, over all rounds, and of the largest."""

    total: float
    largest: float


class _Variable(NamedTuple):
    depth: int
    size: _Size


def regex_size(pattern: str) -> int:
    """Return how many instructions a regular expression has once its counted repetitions are written out, about."""
    sizes = [0]
    last = 0
    for piece in _PIECE.finditer(pattern):
        text = piece[0]
        if piece[1]:
            times = max(int(piece[1]), int(piece[2] or 0), 1)
            sizes[-1] += last * (min(times, MAX_ROUNDS) - 1)
            last *= min(times, MAX_ROUNDS)
            continue
        if text == "(":
            sizes.append(0)
            continue
        if text == ")" and len(sizes) > 1:
            last = sizes.pop() + 2
        elif text[:2] in {"\\p", "\\P"} or (len(text) > 1 and "\\p" in text.lower()):
            last = _UNICODE_CLASS
        else:
            last = _CLASS if text[0] in "[.\\" or not text.isascii() else 1
        sizes[-1] += last
    return max(sum(sizes), 1)


class Estimate:
    """The cost of one expression as a function of the payload's size.

    `variables` are those that hold the payload or parts of it, `functions` those written in Python, `data` the sizes of
    the sets of reference data. `patterns` are the regular expressions, each of which must be written as a text. Raises
    ValueError when one is not.
    """

    def __init__(
        self, tree: Tree, variables: frozenset[str], functions: frozenset[str], data: Mapping[str, int]
    ) -> None:
        self._tree = tree
        self._variables = variables
        self._functions = functions
        self._data = data
        self._payload = 0.0
        self._longest = MAX_ROUNDS
        self._nanoseconds = 0.0
        self._built = 0.0
        self.patterns: dict[str, int] = {}
        self.at(SMALLEST_PAYLOAD)

    def at(self, payload: float, longest: int = MAX_ROUNDS) -> Cost:
        """Return the cost for a payload of so many bytes as JSON, with so many items in its longest list or map."""
        self._payload, self._longest, self._nanoseconds, self._built = payload, longest, 0.0, 0.0
        result = self._visit(self._tree.root, 1, 0, {})
        # What a transform gives is handed back to Python.
        return Cost(self._nanoseconds + _CONVERTED * result.total, self._built)

    def _visit(self, node: Node, runs: float, depth: int, scope: Mapping[str, _Variable]) -> _Size:
        self._nanoseconds += runs * _NODE
        if node.HasField("ident_expr"):
            size = self._variable(node.ident_expr.name, runs, depth, scope)
        elif node.HasField("select_expr"):
            size = self._visit(node.select_expr.operand, runs, depth, scope)
        elif node.HasField("call_expr"):
            size = self._call(node, runs, depth, scope)
        elif node.HasField("comprehension_expr"):
            size = self._loop(node.comprehension_expr, runs, depth, scope)
        elif node.HasField("list_expr"):
            size = self._built_of(parts(node), 2, runs, depth, scope)
        elif node.HasField("struct_expr"):
            names = sum(len(entry.field_key) for entry in node.struct_expr.entries)
            size = self._built_of(parts(node), 2 + names, runs, depth, scope)
        else:
            length = _SCALAR + len(node.const_expr.string_value) + len(node.const_expr.bytes_value)
            size = _Size(runs * length, length)
        return _Size(runs * _SCALAR, _SCALAR) if self._tree.kind(node) is Kind.SCALAR else size

    def _variable(self, name: str, runs: float, depth: int, scope: Mapping[str, _Variable]) -> _Size:
        found = scope.get(name)
        if found is not None and found.depth == depth:
            return found.size
        largest = self._payload if name in self._variables else _VARIABLE
        if found is not None:
            largest = found.size.largest
        return _Size(runs * largest, largest)

    def _built_of(
        self, inside: Sequence[Node], extra: int, runs: float, depth: int, scope: Mapping[str, _Variable]
    ) -> _Size:
        sizes = [self._visit(part, runs, depth, scope) for part in inside]
        total = sum(size.total for size in sizes) + extra * runs
        self._built += total
        return _Size(total, sum(size.largest for size in sizes) + extra)

    def _call(self, node: Node, runs: float, depth: int, scope: Mapping[str, _Variable]) -> _Size:
        call = node.call_expr
        args = parts(node)
        sizes = [self._visit(arg, runs, depth, scope) for arg in args]
        given = _Size(sum(size.total for size in sizes), sum(size.largest for size in sizes))
        if call.function in _COMPARES:
            # Two values differ at the latest where the shorter ends.
            self._nanoseconds += _BYTE * 2 * min(size.total for size in sizes)
        elif call.function not in _LOOKS_AT_NOTHING:
            self._nanoseconds += _BYTE * given.total
        if call.function in self._functions:
            self._nanoseconds += runs * _CALL
        if call.function == "matches":
            self._match(args[-1], sizes[0].total, runs)
        if call.function == "_[_]":
            return sizes[0]
        if call.function in _LOOKS_AT_NOTHING or self._tree.kind(node) is Kind.SCALAR:
            return given
        extra = self._extra(node, args, given.largest)
        made = _Size(given.total * _PER_ARGUMENT if call.function == "format" else given.total, given.largest)
        made = _Size(made.total + runs * extra, made.largest + extra)
        if call.function == "catalog":
            self._nanoseconds += made.total * _HANDED_OVER
        self._built += made.total
        return made

    def _extra(self, node: Node, args: list[Node], given: float) -> float:
        """Return how much longer than its arguments what a function makes can be, each time."""
        name = node.call_expr.function
        if name == "catalog":
            return self._catalog(args[0])
        if name == "format":
            is_known = args[0].HasField("const_expr")
            return (args[0].const_expr.string_value.count("%") if is_known else given) * _PER_CLAUSE
        if self._tree.kind(node) in _UNWRITTEN or (name == "string" and self._tree.kind(args[0]) in _UNWRITTEN):
            # It may be a decimal, written out.
            return 2 * MAX_DIGITS
        return _SCALAR

    def _catalog(self, name: Node) -> float:
        if name.HasField("const_expr") and name.const_expr.string_value in self._data:
            return float(self._data[name.const_expr.string_value])
        return float(max(self._data.values(), default=0))

    def _match(self, pattern: Node, text: float, runs: float) -> None:
        if not pattern.HasField("const_expr"):
            raise ValueError(
                "the regular expression of 'matches' must be written in the rule as a text, as one that comes from the "
                "payload could take any time"
            )
        source = pattern.const_expr.string_value
        if source not in self.patterns:
            self.patterns[source] = regex_size(source)
        size = self.patterns[source]
        self._nanoseconds += size * (runs * _REGEX_COMPILED + text * _REGEX_RUN)

    def _loop(self, loop: Comprehension, runs: float, depth: int, scope: Mapping[str, _Variable]) -> _Size:
        over = self._visit(loop.iter_range, runs, depth, scope)
        first = self._visit(loop.accu_init, runs, depth, scope)
        rounds = min(MAX_ROUNDS, over.total / _SMALLEST_ITEM)
        if _is_found(loop.iter_range):
            rounds = min(rounds, runs * self._longest)
        item = _Variable(depth + 1, over)
        # What a loop gathers is added to, never looked at: an expression can not name it.
        gathered = _Variable(depth + 1, _Size(0, 0))
        inside = {**scope, loop.iter_var: item, loop.accu_var: gathered}
        self._visit(loop.loop_condition, rounds, depth + 1, inside)
        step = self._visit(loop.loop_step, rounds, depth + 1, inside)
        total = first.total + step.total
        return self._visit(loop.result, runs, depth, {**scope, loop.accu_var: _Variable(depth, _Size(total, total))})


def _is_found(node: Node) -> bool:
    """Whether a node's values are parts of the payload as it came, and nothing that was built."""
    while node.HasField("select_expr"):
        node = node.select_expr.operand
    return node.HasField("ident_expr")


def largest_payload(estimates: Sequence[Estimate]) -> int:
    """Return the size up to which payloads can be judged by all these expressions, one after the other: 0 when not even
    SMALLEST_PAYLOAD can, at most LARGEST_PAYLOAD.
    """
    fitting, size = 0, SMALLEST_PAYLOAD
    while size <= LARGEST_PAYLOAD and fits(estimates, size):
        fitting, size = size, size * 2
    step = fitting // 2
    while step > fitting // 16:
        if fits(estimates, fitting + step):
            fitting += step
        step //= 2
    return min(fitting, LARGEST_PAYLOAD)


def costs_by_bits(estimates: Sequence[Estimate]) -> tuple[float, ...]:
    """Return the nanoseconds that expressions take for a payload whose size has no bit, one, two and so on.

    They are infinite where too much would be built.
    """
    return tuple(
        sum(cost.nanoseconds if cost.built <= MAX_BUILT else inf for cost in (each.at(1 << bits) for each in estimates))
        for bits in range(LARGEST_PAYLOAD.bit_length())
    )


def fits(estimates: Sequence[Estimate], size: float, longest: int = MAX_ROUNDS) -> bool:
    """Whether the expressions stay within the bounds for a payload of a size and with a longest list."""
    costs = [estimate.at(size, longest) for estimate in estimates]
    # The payload is handed over once, for all of them.
    nanoseconds = sum(cost.nanoseconds for cost in costs) + _CONVERTED * size
    return nanoseconds <= MAX_NANOSECONDS and all(cost.built <= MAX_BUILT for cost in costs)
