"""Outcomes: shared parts are held once and lists are cut without changing the verdict."""

from __future__ import annotations

from llm_schema_registry.formats.base import NATIVE
from llm_schema_registry.formats.json_schema.outcome import MAX_DIFFERENCES, MAX_PATH_CHARACTERS, Outcome
from llm_schema_registry.model import CompatibilityPolicy, Difference

STRICT = CompatibilityPolicy.STRICT


def test_differences_keep_their_order_and_get_whole_paths() -> None:
    inner = Outcome(STRICT)
    inner.add("TITLE_CHANGED")
    inner.add("PATTERN_ADDED", "pattern", "x")
    outer = Outcome(STRICT)
    outer.add("ID_CHANGED")
    outer.include(inner, "properties/a")
    outer.include(inner)
    outer.include(Outcome(STRICT), "nothing")
    assert outer.differences() == [
        Difference("ID_CHANGED", "#/"),
        Difference("TITLE_CHANGED", "#/properties/a"),
        Difference("PATTERN_ADDED", "#/properties/a/pattern", "x"),
        Difference("TITLE_CHANGED", "#/"),
        Difference("PATTERN_ADDED", "#/pattern", "x"),
    ]
    assert not outer.is_compatible


def test_the_policy_decides_what_is_compatible() -> None:
    for policy in NATIVE:
        outcome = Outcome(policy)
        outcome.add("ADDITIONAL_PROPERTIES_REMOVED")
        assert outcome.is_compatible is (policy is CompatibilityPolicy.LENIENT)


def test_of_too_many_differences_only_breaking_ones_are_listed() -> None:
    outcome = Outcome(STRICT)
    for _ in range(2 * MAX_DIFFERENCES):
        outcome.add("TITLE_CHANGED")
    assert len(outcome.differences()) == MAX_DIFFERENCES
    allowed = Outcome(STRICT)
    allowed.add("TITLE_CHANGED")
    outcome.include(allowed, "properties/a")
    outcome.add("TYPE_CHANGED")
    assert outcome.differences() == [Difference("TYPE_CHANGED", "#/")]


def test_a_path_longer_than_all_is_listed_once() -> None:
    outcome = Outcome(STRICT)
    for _ in range(3):
        outcome.add("TITLE_CHANGED", "x" * MAX_PATH_CHARACTERS)
    assert len(outcome.differences()) == 1


def test_the_lengths_of_all_paths_count() -> None:
    outcome = Outcome(STRICT)
    for _ in range(5):
        outcome.add("TITLE_CHANGED", "x" * (MAX_PATH_CHARACTERS // 2 - 10))
    assert len(outcome.differences()) == 2


def test_a_long_list_of_allowed_ones_does_not_hide_a_breaking_one() -> None:
    outcome = Outcome(STRICT)
    for _ in range(3):
        outcome.add("TITLE_CHANGED", "x" * MAX_PATH_CHARACTERS)
    outcome.add("TYPE_CHANGED")
    assert outcome.differences() == [Difference("TYPE_CHANGED", "#/")]
