"""Numbers: exact where the rules are exact."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.model import CompatibilityPolicy

FORMAT = JsonSchemaFormat()
DECIMALS = st.decimals(min_value="0.001", max_value=1_000, places=3).map(str)


def kinds(old: str, new: str) -> list[str]:
    writer, reader = (FORMAT.parse(f'{{"type":"number","multipleOf":{number}}}') for number in (old, new))
    return [difference.kind for difference in FORMAT.diff(reader, writer, CompatibilityPolicy.STRICT, Budget(60))]


@given(DECIMALS, DECIMALS)
def test_multiples_agree_with_fractions(old: str, new: str) -> None:
    quotient = Fraction(new) / Fraction(old)
    if quotient == 1:
        expected = []
    elif quotient.denominator == 1:
        expected = ["MULTIPLE_OF_EXPANDED"]
    elif quotient.numerator == 1:
        expected = ["MULTIPLE_OF_REDUCED"]
    else:
        expected = ["MULTIPLE_OF_CHANGED"]
    assert kinds(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("1e999999999", "1", "MULTIPLE_OF_REDUCED"),
        ("1e-999999999", "1e999999999", "MULTIPLE_OF_EXPANDED"),
        ("3", "1e-999999999", "MULTIPLE_OF_REDUCED"),
        ("7e999999999", "3e-999999999", "MULTIPLE_OF_CHANGED"),
    ],
)
def test_far_exponents_cost_nothing(old: str, new: str, kind: str) -> None:
    assert kinds(old, new) == [kind]


def test_long_values_are_cut_in_messages() -> None:
    writer, reader = (FORMAT.parse(f'{{"pattern":"{letter * 500}"}}') for letter in "ab")
    (difference,) = FORMAT.diff(reader, writer, CompatibilityPolicy.STRICT, Budget(60))
    assert len(difference.info) < 200
