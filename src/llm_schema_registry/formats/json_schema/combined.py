"""Rules for allOf, anyOf and oneOf: criterion, size, matching (compatibility-rules 3.9).

Refuses to treat oneOf as exclusive or to reduce alternatives; the rules do not either.
"""

from __future__ import annotations

from collections import deque
from itertools import chain

from llm_schema_registry.formats.json_schema.nodes import Node
from llm_schema_registry.formats.json_schema.outcome import Outcome
from llm_schema_registry.formats.json_schema.walk import Asking, Run, Walk


def compare_combined(run: Run, original: Node, update: Node, outcome: Outcome) -> Walk:
    """Compare two combinations. Order of members plays no role; each member has one partner at most."""
    if original.criterion != update.criterion:
        is_harmless = _is_harmless(original, update)
        info = f"{update.criterion} against {original.criterion}"
        outcome.add("COMBINED_TYPE_EXTENDED" if is_harmless else "COMBINED_TYPE_CHANGED", info=info)
        if not is_harmless:
            return
    old, new = _distinct(original), _distinct(update)
    if len(new) > len(old):
        outcome.add("PRODUCT_TYPE_EXTENDED" if update.criterion == "allOf" else "SUM_TYPE_EXTENDED")
    elif len(new) < len(old):
        outcome.add("PRODUCT_TYPE_NARROWED" if original.criterion == "allOf" else "SUM_TYPE_NARROWED")
    matched = yield from _match(run, old, new)
    for index in sorted(matched):
        outcome.include(matched[index], f"{original.criterion}/{index}")
    if len(matched) < min(len(old), len(new)):
        outcome.add("COMBINED_TYPE_SUBSCHEMAS_CHANGED")


def _match(run: Run, old: list[Node], new: list[Node]) -> Asking[dict[int, Outcome]]:
    """Return a maximum matching of compatible members, by augmenting paths (Berge), as outcomes by old member.

    Pairs are compared only when a path asks for them: large combinations that hardly changed stay cheap.
    """
    compared: dict[tuple[int, int], Outcome] = {}
    old_of: dict[int, int] = {}
    new_of: dict[int, int] = {}
    alike = {member.printed: index for index, member in enumerate(new)}
    # Of several maximum matchings the rules allow any; later candidates first agrees with upstream most often.
    later_first = range(len(new))[::-1]
    for start in range(len(old)):
        if len(old_of) == len(new):
            break
        reached_from: dict[int, int] = {}
        queue = deque([start])
        end = None
        while queue and end is None:
            left = queue.popleft()
            same = alike.get(old[left].printed)
            for right in later_first if same is None else chain((same,), later_first):
                if right in reached_from:
                    continue
                run.spend(1)
                if (left, right) not in compared:
                    compared[left, right] = yield old[left], new[right]
                if compared[left, right].is_compatible:
                    reached_from[right] = left
                    if right not in old_of:
                        end = right
                        break
                    queue.append(old_of[right])
        while end is not None:
            left = reached_from[end]
            old_of[end], new_of[left], end = left, end, new_of.get(left)
    return {left: compared[left, right] for left, right in new_of.items()}


def _is_harmless(original: Node, update: Node) -> bool:
    was_single, is_single = len(original.members) == 1, len(update.members) == 1
    return (
        update.criterion == "anyOf"
        or (was_single and is_single)
        or (was_single and update.criterion == "oneOf")
        or (is_single and original.criterion == "allOf")
    )


def _distinct(node: Node) -> list[Node]:
    return list({member.printed: member for member in reversed(node.members)}.values())[::-1]
