"""Drafts: which one a text follows, and what its metaschema refuses."""

from __future__ import annotations

import json

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.json_schema.drafts import Draft, check_metaschema, detect_draft, is_metaschema


@pytest.mark.parametrize(
    ("address", "draft"),
    [
        ("http://json-schema.org/draft-04/schema#", Draft.D4),
        ("https://json-schema.org/draft-04/schema", Draft.D4),
        ("http://json-schema.org/schema#", Draft.D4),
        ("http://json-schema.org/draft-06/schema", Draft.D6),
        ("http://json-schema.org/draft-07/schema#", Draft.D7),
        ("https://json-schema.org/draft/2019-09/schema", Draft.D2019),
        ("https://json-schema.org/draft/2019-09/schema#", Draft.D2019),
        ("http://json-schema.org/draft/2020-12/schema", Draft.D2020),
        ("http://json-schema.org/draft-03/schema#", Draft.D7),
        ("http://example.com/mine", Draft.D7),
        ("", Draft.D7),
    ],
)
def test_the_draft_is_the_one_that_schema_names_and_else_draft_7(address: str, draft: Draft) -> None:
    assert detect_draft({"$schema": address}) is draft


def test_without_a_readable_schema_keyword_it_is_draft_7() -> None:
    assert detect_draft({}) is Draft.D7
    assert detect_draft(True) is Draft.D7
    assert detect_draft({"$schema": 4}) is Draft.D7


def test_metaschemas_and_vocabularies_are_known_by_http_and_https() -> None:
    assert is_metaschema("https://json-schema.org/draft-07/schema")
    assert is_metaschema("https://json-schema.org/draft/2020-12/meta/unevaluated")
    assert not is_metaschema("https://json-schema.org/draft/2019-09/meta/unevaluated")
    assert not is_metaschema("https://example.com/schema")


@pytest.mark.parametrize(
    ("draft", "schema", "place", "mend"),
    [
        (Draft.D7, {"type": "strin"}, "'#/type'", "write one of array, boolean"),
        (Draft.D7, {"properties": {"a/b~": {"type": 1}}}, "'#/properties/a~1b~0/type'", "write one of"),
        (Draft.D7, {"required": "a"}, "'#/required'", "list of property names"),
        (Draft.D7, {"exclusiveMinimum": True}, "'#/exclusiveMinimum'", "see the metaschema"),
        (Draft.D4, {"exclusiveMinimum": 1}, "'#/exclusiveMinimum'", "draft-04"),
        (Draft.D4, {"required": []}, "'#/required'", "list"),
        (Draft.D6, {"$ref": 1}, r"'#/\$ref'", "string"),
        (Draft.D2019, {"minContains": -1}, "'#/minContains'", "2019-09"),
        (Draft.D2020, {"items": [True]}, "'#/items'", "2020-12"),
        (Draft.D2020, {"pattern": "("}, "'#/pattern'", "regular expression"),
        (Draft.D7, {"patternProperties": {"(": True}}, "'#/patternProperties'", "regular expressions"),
        (Draft.D7, {"enum": 1}, "'#/enum'", "list of values"),
        (Draft.D7, {"type": "x" * 5_000}, "'#/type'", "write one of"),
        (Draft.D4, True, "'#'", "draft-04"),
    ],
)
def test_a_fault_is_named_with_its_place_and_mend(draft: Draft, schema: object, place: str, mend: str) -> None:
    with pytest.raises(InvalidSchema, match=place) as refused:
        check_metaschema(json.dumps(schema), draft)
    assert mend in str(refused.value)
    assert len(str(refused.value)) < 600


def test_addresses_may_be_any_string() -> None:
    check_metaschema('{"$id": "a b", "$ref": "my schema.json", "minLength": 1.0, "maximum": 1e400}', Draft.D7)
