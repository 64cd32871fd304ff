"""Schemas made to break the registry: each is answered or refused, the process lives."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_registry.errors import InvalidSchema, TooComplex
from llm_schema_registry.formats.base import NATIVE, ResolvedReference
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.formats.json_schema.drafts import LISTED, MAPPED, SINGLE, Draft
from llm_schema_registry.model import CompatibilityPolicy

FORMAT = JsonSchemaFormat()
STRICT = CompatibilityPolicy.STRICT
WORDS = [
    *("type", "enum", "const", "required", "format", "pattern", "minLength", "maximum", "exclusiveMaximum"),
    *("multipleOf", "minItems", "uniqueItems", "minContains", "maxContains", "dependentRequired", "title", "default"),
    *("readOnly", "$id", "id", "$anchor", "$dynamicAnchor", "$comment"),
]
REFERENCES = [
    "#",
    "#/definitions/a",
    "#/$defs/a",
    "#/x",
    "#/contains",
    "a.json",
    "a.json#/definitions/a",
    "b",
    "#a",
    "/",
]
VALUES: st.SearchStrategy[object] = st.sampled_from(
    [
        *("string", "integer", "object", "array", "null", ["string"], ["integer", "null"], [], {}, 1, 0.5, -1, True),
        *(None, "a", "#a", "^(", "^a", {"a": ["b"]}, {"a": {}}, {"a": 5}, [{}], "http://x.io/"),
    ]
)
SCHEMAS = st.recursive(
    st.booleans() | st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=3),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(sorted(SINGLE), inner),
            **{keyword: st.lists(inner, min_size=1, max_size=3) for keyword in sorted(LISTED - {"items"})},
            **{keyword: st.dictionaries(st.sampled_from("ab"), inner, max_size=2) for keyword in sorted(MAPPED)},
            "x": inner,
            "type": VALUES,
            "$ref": st.sampled_from(REFERENCES),
            "$dynamicRef": st.sampled_from(REFERENCES),
        },
    ),
    max_leaves=8,
)
DRAFTS = st.sampled_from([*(draft.value for draft in Draft), "http://example.com/"])


@settings(max_examples=200, deadline=None)
@given(DRAFTS, SCHEMAS, DRAFTS, SCHEMAS, SCHEMAS)
def test_whatever_parses_can_be_compared(
    draft: str, first: object, other_draft: str, second: object, referred: object
) -> None:
    references = [ResolvedReference("a.json", "a", 1, json.dumps(referred))]
    with suppress(InvalidSchema):
        parsed = []
        for address, schema in ((draft, first), (other_draft, second)):
            text = json.dumps({"$schema": address, **schema} if isinstance(schema, dict) else schema)
            parsed.append(FORMAT.parse(text, references))
        for reader in parsed:
            for writer in parsed:
                found = [one for policy in NATIVE for one in FORMAT.diff(reader, writer, policy, Budget(60))]
                with suppress(TooComplex):
                    found += FORMAT.hazards(reader, writer, Budget(1))
                for difference in found:
                    assert FORMAT.describe(difference, "new", "old")
                    assert FORMAT.explain(difference, reader, writer).explanation
        for schema in parsed:
            again = FORMAT.parse(schema.canonical, references)
            assert again.canonical == schema.canonical
            assert schema.inlined
            assert schema.with_tags(schema.tags, []) == schema.canonical


@pytest.mark.parametrize("items", [5, {}, [{"type": 1}], [{"maximum": "string"}], [{"type": {}}], [7]])
def test_a_tuple_of_2019_is_a_list_of_schemas(items: object) -> None:
    """Though its metaschema does not know the keyword, comparing reads it."""
    text = json.dumps({"$schema": Draft.D2019.value, "properties": {"a": {"prefixItems": items}}})
    with pytest.raises(InvalidSchema, match="of the prefixItems at '#/properties/a'"):
        FORMAT.parse(text)
    FORMAT.parse(text.replace("2019-09", "2020-12").replace(json.dumps(items), "[{}]"))
    FORMAT.parse(text.replace(json.dumps(items), "[]"))


@given(st.text() | st.binary().map(lambda junk: junk.decode("utf-8", "surrogateescape")))
def test_junk_is_refused(junk: str) -> None:
    with suppress(InvalidSchema):
        FORMAT.parse(junk)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "#/x", "x": {"type": "nonsense"}}, "'#/type' of what the [$]ref '#/x' leads to"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": 5}}}, "'#/type' of what"),
        ({"$schema": Draft.D4.value, "not": {"$ref": "#/contains"}, "contains": {"enum": 4}}, "'#/enum' of what"),
        ({"$ref": "a.json"}, "'#/exclusiveMinimum' of what the [$]ref 'a.json' leads to"),
    ],
)
def test_parts_that_only_a_ref_reaches_are_held_against_the_metaschema_too(schema: object, message: str) -> None:
    draft_4 = '{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}'
    with pytest.raises(InvalidSchema, match=message):
        FORMAT.parse(json.dumps(schema), [ResolvedReference("a.json", "a", 1, draft_4)])


def test_a_reference_in_an_unknown_place_is_checked_once() -> None:
    schema = {"x": {"y": {"$ref": "#/x", "items": {"$ref": "#/x/y"}}}, "allOf": [{"$ref": "#/x/y"}, {"$ref": "#/x"}]}
    assert FORMAT.parse(json.dumps(schema))


@pytest.mark.parametrize("levels", [10_000])
def test_long_chains_are_answered(levels: int) -> None:
    def chain(leaf: object) -> str:
        parts = {f"d{level}": {"not": {"$ref": f"#/definitions/d{level + 1}"}} for level in range(levels)}
        return json.dumps({"$ref": "#/definitions/d0", "definitions": {**parts, f"d{levels}": leaf}})

    writer, reader = FORMAT.parse(chain({"type": "string"})), FORMAT.parse(chain({"type": "integer"}))
    assert len(FORMAT.diff(reader, writer, STRICT, Budget(60))) == 1


def test_many_names_and_references_stay_linear() -> None:
    count = 5_000
    parts = {f"d{index}": {"type": "string"} for index in range(count)}
    properties = {f"p{index}": {"$ref": f"#/$defs/d{index}"} for index in range(count)}
    parsed = FORMAT.parse(json.dumps({"definitions": parts, "properties": properties}))
    assert FORMAT.diff(parsed, parsed, STRICT, Budget(60)) == []
