from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_schema_registry.contracts.text_formats import MAX_PATTERN, TEXT_FORMATS, searcher

CASES = json.loads(
    (Path(__file__).resolve().parents[2] / "data" / "contracts" / "text_formats.json").read_text(encoding="utf-8")
)


def test_every_format_has_cases() -> None:
    assert sorted(CASES) == sorted(TEXT_FORMATS)


@pytest.mark.parametrize("name", CASES)
def test_a_format_tells_text_apart(name: str) -> None:
    test = TEXT_FORMATS[name]
    assert [text for text in CASES[name]["good"] if not test(text)] == []
    assert [text for text in [*CASES[name]["bad"], "\ud800", "\x00"] if test(text)] == []


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "(a*)*b", "(.*)(.*)(.*)(.*)x$", "^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_patterns_that_harm_other_engines_are_searched_in_linear_time(pattern: str) -> None:
    assert not searcher(pattern)("a" * 100_000 + "!")


@pytest.mark.parametrize(
    "pattern", ["(", "(?=a)", r"(a)\1", "a{1001}" * 100, "((a{100}){100}){100}", "a" * (MAX_PATTERN + 1), "\ud800"]
)
def test_other_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"it is (no regular expression|longer)"):
        searcher(pattern)
