"""Hostile texts: whatever comes in, an answer or InvalidSchema comes out, and nothing is scanned twice."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro import AvroFormat, AvroSchema
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.model import CompatibilityPolicy

AVRO = AvroFormat()
MEBIBYTE = 1024 * 1024
# Enough that anything quadratic would take minutes.
MANY = 200_000
ARRAY = '{"type":"array","items":'


def try_to_parse(text: str, *, is_new: bool = True) -> AvroSchema | None:
    try:
        parsed = AVRO.parse(text, is_new=is_new)
    except InvalidSchema as refused:
        check_message(str(refused))
        return None
    assert AVRO.parse(parsed.canonical, is_new=is_new).canonical == parsed.canonical
    assert AVRO.parse(parsed.normalized, is_new=is_new).normalized == parsed.normalized
    return parsed


def check_message(message: str) -> None:
    assert len(message.encode()) < 2_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * MANY,
        '{"a":' * MANY,
        "[]," * MANY,
        "[" + "[]," * MANY + "[]]",
        '"' + '\\"' * MANY,
        '"' * MANY,
        "/*" * MANY,
        "/**/" * MANY,
        "//\n" * MANY,
        "/" * MANY,
        "\\" * MANY,
        '"' + "\\" * MANY,
        " " * MEBIBYTE,
        "\x00" * MANY,
        '{"type":"int","p":' + "9" * MANY + "}",
        '{"type":"int","p":1e' + "9" * MANY + "}",
        '{"type":"int","p":1e999}',
        '["int"' + ',"int"' * MANY + "]",
        '"' + "a." * MANY + '"',
        '{"type":"fixed","size":1,"name":"' + "é." * MANY + '"}',
        '"\ud800"',
        '"\\ud800"',
        '{"type":"int","p":{"\\uDFFF":1}}',
        "\ufeff" + '"int"',
        '{"type":"fixed","name":"F","size":1' + "0" * 900 + "}",
    ],
    ids=lambda text: ascii(text[:24]),
)
def test_hostile_text_is_refused(text: str) -> None:
    assert try_to_parse(text) is None


def test_text_above_10_mebibytes_of_utf_8_is_refused() -> None:
    largest = '"int"' + " " * (10 * MEBIBYTE - 5)
    assert AVRO.parse(largest).canonical == '"int"'
    with pytest.raises(InvalidSchema, match="bytes"):
        AVRO.parse(largest + " ")
    with pytest.raises(InvalidSchema, match="bytes"):
        AVRO.parse('"' + "é" * (5 * MEBIBYTE) + '"')


def test_control_characters_and_pairs_are_values_like_others() -> None:
    text = '{"type":"int","p":"\\u0000\\ud83d\\ude00"}'
    assert AVRO.parse(text).canonical == '{"type":"int","p":"\\u0000😀"}'


class TestDepth:
    """200 levels are understood, compared and written; one more is refused."""

    @staticmethod
    def arrays(levels: int) -> str:
        return ARRAY * levels + '"int"' + "}" * levels

    def test_arrays(self) -> None:
        deepest = AVRO.parse(self.arrays(200))
        assert deepest.canonical == deepest.inlined == deepest.normalized == self.arrays(200)
        assert deepest.represent("application/avro+json", pretty=True)
        assert AVRO.diff(deepest, deepest, CompatibilityPolicy.STRICT, Budget(60)) == []
        with pytest.raises(InvalidSchema, match="200 levels"):
            AVRO.parse(self.arrays(201))

    def test_properties(self) -> None:
        assert AVRO.parse('{"type":"int","p":' + "[" * 199 + "]" * 199 + "}").canonical
        with pytest.raises(InvalidSchema, match="200 levels"):
            AVRO.parse('{"type":"int","p":' + "[" * 200 + "]" * 200 + "}")

    def test_forward_references_nest_where_they_are_first_used(self) -> None:
        records = [
            {"type": "record", "name": f"R{number}", "fields": [{"name": "f", "type": f"R{number + 1}"}]}
            for number in range(5_000)
        ]
        last = {"type": "fixed", "name": "R5000", "size": 1}
        with pytest.raises(InvalidSchema, match="200 levels"):
            AVRO.parse(json.dumps([*records, last]))
        # Written last to first, nothing nests.
        assert AVRO.parse(json.dumps([last, *reversed(records)])).canonical

    def test_references_nest_where_they_are_first_used(self) -> None:
        inner = ResolvedReference("F", "f", 1, self.arrays(0).replace('"int"', '{"type":"fixed","name":"F","size":1}'))
        assert AVRO.parse(self.arrays(199).replace('"int"', '"F"'), (inner,)).inlined
        with pytest.raises(InvalidSchema, match="200 levels"):
            AVRO.parse(self.arrays(200).replace('"int"', '"F"'), (inner,))

    def test_recursion_limit_is_left_alone(self) -> None:
        before = sys.getrecursionlimit()
        try_to_parse(self.arrays(200))
        assert sys.getrecursionlimit() == before


WORDS = st.sampled_from(
    ["type", "name", "fields", "items", "values", "symbols", "size", "default", "aliases", "order", "namespace", "doc"]
)
TYPES = st.sampled_from(["record", "error", "enum", "fixed", "array", "map", "int", "null", "double", "R", "n.R", ".R"])
VALUES = st.recursive(
    TYPES | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=2), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(VALUES, st.booleans())
def test_any_json_is_understood_or_refused(value: object, is_new: bool) -> None:
    try_to_parse(json.dumps(value), is_new=is_new)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=[])) | st.binary().map(lambda junk: junk.decode("latin-1")))
@example("\ud800")
@example('{"type":"int","p":Infinity}')
def test_any_text_is_understood_or_refused(text: str) -> None:
    try_to_parse(text)
