"""Matching of alternatives: as many as possible, whatever their order."""

from __future__ import annotations

import json
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.model import CompatibilityPolicy

FORMAT = JsonSchemaFormat()
ENUMS = st.lists(
    st.sets(st.integers(0, 3), min_size=1).map(sorted).map(lambda values: {"enum": values}),
    min_size=2,
    max_size=4,
    unique_by=str,
)


def most_pairs(old: list[dict[str, list[int]]], new: list[dict[str, list[int]]]) -> int:
    """The size of a maximum matching, by trying all; an old enum fits a new one that contains it."""
    slots: list[int] = [*range(len(new)), *[-1] * len(old)]
    return max(
        sum(
            slot >= 0 and set(member["enum"]) <= set(new[slot]["enum"])
            for member, slot in zip(old, choice, strict=True)
        )
        for choice in set(permutations(slots, len(old)))
    )


@given(ENUMS, ENUMS)
def test_the_matching_is_as_large_as_possible(old: list[dict[str, list[int]]], new: list[dict[str, list[int]]]) -> None:
    writer, reader = (FORMAT.parse(json.dumps({"anyOf": members})) for members in (old, new))
    found = {difference.kind for difference in FORMAT.diff(reader, writer, CompatibilityPolicy.STRICT, Budget(60))}
    is_whole = most_pairs(old, new) == min(len(old), len(new))
    assert ("COMBINED_TYPE_SUBSCHEMAS_CHANGED" not in found) is is_whole
