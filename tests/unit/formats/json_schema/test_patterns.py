"""Patterns: search, bounded."""

from __future__ import annotations

import pytest

from llm_schema_registry.formats.json_schema.patterns import Patterns


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("b", "abc", True),
        ("^b", "abc", False),
        ("^(?!x)", "abc", True),
        ("^(?!x)", "xbc", False),
        (r"(.)\1", "abba", True),
        ("é", "café", True),
        (r"\p{javaLowerCase}", "a", False),
        ("^(a+)+$", "a" * 5_000 + "b", False),
        ("(?=a)(a+)+b$", "a" * 5_000, False),
        (r"(\w{1000}){1000}", "a", False),
    ],
)
def test_search(pattern: str, name: str, expected: bool) -> None:
    spent: list[int] = []
    patterns = Patterns()
    assert patterns.is_match(pattern, name, spent.append) is expected
    assert patterns.is_match(pattern, name, spent.append) is expected
    assert spent[0] > 100


def test_compiled_patterns_do_not_pile_up() -> None:
    patterns = Patterns()
    for index in range(1_005):
        assert patterns.is_match(f"a{index}$", f"a{index}", lambda _: None)
    assert len(patterns._compiled) == 5
