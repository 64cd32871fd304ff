"""Comparing two nodes: the steps of compatibility-rules 3.3, memo and cycles (3.10).

Refuses to know the rules of each class (`scalar`, `content`, `combined`). Pairs wait on a list of their own instead of
the interpreter's stack, so that a chain of references may be as long as it likes.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.json_schema.combined import compare_combined
from llm_schema_registry.formats.json_schema.content import compare_arrays, compare_objects
from llm_schema_registry.formats.json_schema.nodes import Node, NodeClass, value_key
from llm_schema_registry.formats.json_schema.outcome import Outcome
from llm_schema_registry.formats.json_schema.parse import JsonSchema
from llm_schema_registry.formats.json_schema.patterns import Patterns
from llm_schema_registry.formats.json_schema.scalar import clip, compare_scalars
from llm_schema_registry.formats.json_schema.walk import Asking, Walk
from llm_schema_registry.model import CompatibilityPolicy, Difference


def diff(reader: JsonSchema, writer: JsonSchema, policy: CompatibilityPolicy, budget: Budget) -> list[Difference]:
    """Return what differs when `reader` reads data of `writer`, in the order of compatibility-rules 3.12.

    Raises TooComplex.
    """
    return Comparison(policy, budget).run(writer.root, reader.root).differences()


class Comparison:
    """One run over two schemas under one policy, which also steers the comparison (rules 1.4)."""

    def __init__(self, policy: CompatibilityPolicy, budget: Budget) -> None:
        """Begin with nothing known."""
        self.policy = policy
        self.patterns = Patterns()
        self.spend = budget.spend
        self._memo: dict[tuple[int, int], Outcome] = {}
        self._in_progress: set[tuple[int, int]] = set()
        self._known: dict[tuple[int, int], Outcome] = {}
        self._was_optimistic = False

    def run(self, original: Node, update: Node) -> Outcome:
        """Compare until the set of incompatible pairs is stable; a pair inside itself counts as found last time."""
        while True:
            outcome = self._walk(original, update)
            incompatible = {pair: found for pair, found in self._memo.items() if not found.is_compatible}
            is_stable = incompatible.keys() <= self._known.keys()
            if is_stable or not self._was_optimistic:
                return outcome
            self._known |= incompatible
            self._memo.clear()

    def _walk(self, original: Node, update: Node) -> Outcome:
        answer = self._answer(original, update)
        waiting: list[tuple[tuple[int, int], Outcome, Walk]] = []
        pair = (original, update)
        while True:
            if answer is None:
                waiting.append(self._begin(*pair))
            elif not waiting:
                return answer
            key, outcome, walk = waiting[-1]
            try:
                pair = next(walk) if answer is None else walk.send(answer)
                answer = self._answer(*pair)
            except StopIteration:
                waiting.pop()
                self._in_progress.discard(key)
                self._memo[key] = answer = outcome

    def _answer(self, original: Node, update: Node) -> Outcome | None:
        """What is already known of a pair; None when it has to be compared."""
        key = (id(original.hop()), id(update.hop()))
        if key in self._in_progress:
            self._was_optimistic = True
            return self._known.get(key) or Outcome(self.policy)
        return self._memo.get(key)

    def _begin(self, original: Node, update: Node) -> tuple[tuple[int, int], Outcome, Walk]:
        self.spend(1)
        original, update = original.hop(), update.hop()
        key = (id(original), id(update))
        self._in_progress.add(key)
        outcome = Outcome(self.policy)
        return key, outcome, self._compare(original, update, outcome)

    def _compare(self, original: Node, update: Node, outcome: Outcome) -> Walk:
        if original.is_combined is not update.is_combined:
            is_answered = yield from _compare_with_members(original, update, outcome)
            if is_answered:
                return
        if original.node_class is not update.node_class:
            if not _is_tolerated(original, update):
                outcome.add("TYPE_CHANGED", info=f"{_name(update)} against {_name(original)}")
            return
        for kind, info in _annotation_changes(original, update):
            outcome.add(kind, info=info)
        rule = original.node_class
        if rule is NodeClass.OBJECT:
            yield from compare_objects(self, original, update, outcome)
        elif rule is NodeClass.ARRAY:
            yield from compare_arrays(self, original, update, outcome)
        elif rule is NodeClass.COMBINED:
            yield from compare_combined(self, original, update, outcome)
        elif rule is NodeClass.NOT:
            # Roles are swapped: what is excluded may only shrink (3.8).
            swapped = yield update.keywords["not"], original.keywords["not"]
            outcome.add("NOT_TYPE_NARROWED" if swapped.is_compatible else "NOT_TYPE_EXTENDED", "not")
        else:
            self.spend(len(original.keywords.get("values", ())) // 10)
            compare_scalars(original, update, outcome)


def _compare_with_members(original: Node, update: Node, outcome: Outcome) -> Asking[bool]:
    """One side is combined, the other not (3.3 step 4): does one member answer for the combination?"""
    whole = update if update.is_combined else original
    is_sum = whole is update and whole.criterion != "allOf"
    is_product = whole is original and whole.criterion == "allOf"
    if len(whole.members) != 1 and not (is_sum or is_product):
        return False
    for member in whole.members:
        found = yield (original, member) if whole is update else (member, update)
        if found.is_compatible:
            outcome.include(found)
            if len(whole.members) != 1:
                outcome.add("SUM_TYPE_EXTENDED" if is_sum else "PRODUCT_TYPE_NARROWED")
            return True
    return False


def _is_tolerated(original: Node, update: Node) -> bool:
    if original.node_class is NodeClass.FALSE or update.is_empty_like:
        return True
    return original.rest.get("connect.type") == update.rest.get("connect.type") == "bytes"


def _annotation_changes(original: Node, update: Node) -> Iterator[tuple[str, str]]:
    old, new = original.annotations, update.annotations
    for word in ("id", "title", "description"):
        if old.get(word) != new.get(word):
            yield f"{word.upper()}_CHANGED", ""
    if _is_default_changed(old, new):
        yield "DEFAULT_CHANGED", ""


def _is_default_changed(old: dict[str, object], new: dict[str, object]) -> bool:
    if "default" not in new:
        # A null that goes is not reported, one that comes is (3.3).
        return old.get("default") is not None
    if "default" not in old:
        return True
    if isinstance(old["default"], dict | list) and isinstance(new["default"], dict | list):
        return True
    return value_key(old["default"]) != value_key(new["default"])


def _name(node: Node) -> str:
    return node.criterion or clip(node.node_class.value)
