"""JSON texts: exact numbers, one spelling, bounds."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.json_schema import document
from llm_schema_registry.formats.json_schema.document import read_json, write_json, write_pretty, write_sorted


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1.0,"b":1e400,"c":9007199254740993,"d":-0.0,"e":1E+2}',
        '{"b":[null,true,false,""],"a":{}}',
        '{"é":"\\u0000\\"\\\\/😀"}',
        "1" * 900,
    ],
)
def test_a_compact_text_stays_as_it_is(text: str) -> None:
    assert write_json(read_json(text)) == text


def test_spaces_go_and_the_last_of_equal_keys_wins() -> None:
    assert write_json(read_json('{ "a" : 1 , "b": [ 2 ], "a": 3 }')) == '{"a":3,"b":[2]}'


def test_sorting_reaches_every_object_and_no_list() -> None:
    assert write_sorted(read_json('{"b":[{"z":1,"a":2.50}],"a":[2,1]}')) == '{"a":[2,1],"b":[{"a":2.50,"z":1}]}'


def test_pretty_has_two_spaces_a_level() -> None:
    assert write_pretty('{"é":[1e400]}').decode() == '{\n  "é": [\n    1e400\n  ]\n}'


def test_the_deepest_text_allowed_passes() -> None:
    depth = document.MAX_DEPTH
    read_json("[" * depth + "]" * depth)
    with pytest.raises(InvalidSchema, match="deeper than 100 levels"):
        read_json("[" * (depth + 1) + "]" * (depth + 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: Expecting value at line 1, column 1"),
        ('{"a":\n x}', "line 2, column 2"),
        ('{"a":NaN}', "NaN is not a JSON number"),
        ('{"a":-Infinity}', "-Infinity is not a JSON number"),
        ("\ufeff{}", "not JSON"),
        ('{"a":"\0"}', "control character"),
        ("{}x", "Extra data"),
        ("[" * 200_000, "deeper than 100 levels"),
        ('{"a":' * 150 + "1" + "}" * 150, "deeper than 100 levels"),
        ("9" * 1_001, "1000 are allowed"),
        ("1." + "9" * 1_001, "1000 are allowed"),
        ("1e99999999999999999999", "exponent"),
        ('"\\ud800"', "surrogate"),
        ('{"\\udfff":1}', "surrogate"),
        ('"\ud800"', "surrogate"),
        ('"' + "x" * document.MAX_BYTES + '"', "bytes of UTF-8"),
        ('"' + "é" * (document.MAX_BYTES // 2) + '"', "bytes of UTF-8"),
        ("[" + "0," * (2 * document.MAX_VALUES) + "0]", "more than 1000000 values"),
    ],
    ids=range(18),
)
def test_what_is_refused_and_why(text: str, message: str) -> None:
    with pytest.raises(InvalidSchema, match=message):
        read_json(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@given(_JSON)
def test_values_survive_both_spellings(value: object) -> None:
    text = write_json(value)
    assert read_json(text) == value
    assert read_json(write_sorted(value)) == value
    assert write_json(read_json(text)) == text


@given(st.text())
def test_junk_is_refused_or_read(text: str) -> None:
    with suppress(InvalidSchema):
        read_json(text)
