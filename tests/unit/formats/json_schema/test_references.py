"""`$ref`: everything it may mean, nothing it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.json_schema.drafts import detect_draft
from llm_schema_registry.formats.json_schema.references import Resources

MODERN = "https://json-schema.org/draft/2020-12/schema"
TARGET = {"type": "string", "minLength": 7}


def resources(root: dict[str, Any], **documents: object) -> Resources:
    return build(root, documents)


def build(root: dict[str, Any], documents: dict[str, Any]) -> Resources:
    references = [ResolvedReference(name, name, 1, json.dumps(text)) for name, text in documents.items()]
    return Resources(detect_draft(root), root, references)


@pytest.mark.parametrize(
    ("root", "documents"),
    [
        ({"$ref": "#/definitions/t", "definitions": {"t": TARGET}}, {}),
        ({"$ref": "#/$defs/t", "definitions": {"t": TARGET}}, {}),
        ({"$ref": "#/definitions/a~1b~0%25", "definitions": {"a/b~%": TARGET}}, {}),
        ({"$ref": "#/components/schemas/0", "components": {"schemas": [TARGET]}}, {}),
        ({"$ref": "#here", "definitions": {"t": {"$id": "#here", **TARGET}}}, {}),
        ({"$ref": "http://x.io/t", "definitions": {"t": {"$id": "http://x.io/t", **TARGET}}}, {}),
        ({"allOf": [{"$ref": "t"}], "$id": "http://x.io/r", "definitions": {"t": {"$id": "t", **TARGET}}}, {}),
        ({"$schema": MODERN, "$ref": "#here", "$defs": {"t": {"$anchor": "here", **TARGET}}}, {}),
        ({"$schema": MODERN, "$ref": "#here", "$defs": {"t": {"$dynamicAnchor": "here", **TARGET}}}, {}),
        ({"$ref": "a.json"}, {"a.json": TARGET}),
        ({"$ref": "a.json#"}, {"a.json": TARGET}),
        ({"$ref": "a.json#/definitions/t"}, {"a.json": {"definitions": {"t": TARGET}}}),
        ({"$ref": "a.json#/$defs/t"}, {"a.json": {"definitions": {"t": TARGET}}}),
        ({"$ref": "https://x.io/a.json"}, {"https://x.io/a.json": TARGET}),
        ({"$id": "https://x.io/r.json", "allOf": [{"$ref": "a.json"}]}, {"https://x.io/a.json": TARGET}),
        ({"$id": "https://x.io/r.json", "allOf": [{"$ref": "a.json"}]}, {"a.json": TARGET}),
        ({"$id": "urn:x:y", "allOf": [{"$ref": "a.json"}]}, {"a.json": TARGET}),
        ({"$ref": "my schema.json"}, {"my schema.json": TARGET}),
        ({"$ref": "my%20schema.json"}, {"my schema.json": TARGET}),
        ({"$ref": "my%20schema.json#/definitions/t"}, {"my schema.json": {"definitions": {"t": TARGET}}}),
        ({"$ref": "com.acme.T"}, {"com.acme.T": TARGET}),
        ({"$ref": "日本#x"}, {"日本#x": TARGET}),
        ({"$ref": "http://[bad"}, {"http://[bad": TARGET}),
        (
            {"$id": "http://x.io", "allOf": [{"$ref": "http://[bad#/definitions/t"}]},
            {"http://[bad": {"definitions": {"t": TARGET}}},
        ),
        ({"$ref": "https://x.io/real"}, {"a.json": {"$id": "https://x.io/real", **TARGET}}),
    ],
)
def test_where_a_ref_may_lead(root: dict[str, Any], documents: dict[str, Any]) -> None:
    known = build(root, documents)
    holder = root["allOf"][0] if "allOf" in root else root
    place = known.find(holder["$ref"], known.base_of(holder, ""))
    assert place is not None
    assert place.schema["minLength"] == 7


@pytest.mark.parametrize(
    ("root", "documents", "at"),
    [
        ({"$ref": "#/definitions/t"}, {}, r"'#/\$ref'.*add that part.*Known names: none"),
        (
            {"properties": {"a/b": {"$ref": "b.json"}}},
            {"a.json": {}},
            r"'#/properties/a~1b/\$ref'.*'b.json'.*: 'a.json'",
        ),
        ({"$ref": "a.json#/x"}, {"a.json": {}}, "Dangling"),
        ({"$ref": "a.json#nowhere"}, {"a.json": {}}, "Dangling"),
        ({"$ref": "#/x", "x": 5}, {}, "Dangling"),
        ({"$ref": "#/x/9", "x": [{}]}, {}, "Dangling"),
        ({"$ref": "#/x/y", "x": 1}, {}, "Dangling"),
        ({"$ref": "http://x.io/t", "$id": "http://x.io/t", "definitions": {}}, {}, "Dangling"),
        ({"$ref": "a.json"}, {"a.json": {"not": {"$ref": "b.json"}}}, r"'#/not/\$ref' of the reference 'a.json'"),
        ({"$ref": "#/x/y", "x": {"y": {"$ref": "b.json"}}}, {}, "'b.json'"),
        ({"$ref": "file:///etc/passwd"}, {}, "Dangling"),
        ({"$ref": "http://localhost/x"}, {}, "Dangling"),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "$ref": 4}, {}, "not a string"),
        (
            {"$schema": "https://json-schema.org/draft/2019-09/schema", "not": {"items": [True]}},
            {},
            "'#/not' is a list",
        ),
        ({"$ref": "z"}, {f"n{i}": True for i in range(25)}, "'n19' and 5 more"),
    ],
)
def test_a_dangling_ref_is_named_with_its_place(root: dict[str, Any], documents: dict[str, Any], at: str) -> None:
    with pytest.raises(InvalidSchema, match=at):
        build(root, documents)


def test_examples_may_have_any_shape_where_the_metaschema_does_not_look() -> None:
    generic = {"properties": {"examples": {"type": "string", "examples": "3.15"}, "b": {"examples": 1}}}
    build({"$ref": "#/parts/generic", "parts": {"generic": generic}}, {})
    with pytest.raises(InvalidSchema, match="'#/properties/examples' of what"):
        build({"$ref": "#/parts/generic", "parts": {"generic": {"properties": {"examples": 5}}}}, {})
    many = {"properties": {f"p{n}": {"examples": n} for n in range(21)}}
    with pytest.raises(InvalidSchema, match="/examples' of what"):
        build({"$ref": "#/parts/generic", "parts": {"generic": many}}, {})


def test_metaschemas_are_known_and_opaque() -> None:
    known = resources({"$ref": "http://json-schema.org/draft-07/schema#/definitions/nonNegativeInteger"})
    assert known.find("http://json-schema.org/draft-07/schema#", "") is None


def test_of_two_equal_names_the_first_wins() -> None:
    references = [ResolvedReference("a", "s", 1, '{"minLength":1}'), ResolvedReference("a", "s", 2, '{"minLength":2}')]
    known = Resources(detect_draft({}), {"$ref": "a"}, references)
    assert known.document("a").schema == {"minLength": 1}
    assert known.names == ("a",)


def test_siblings_of_a_ref_name_nothing_before_2019() -> None:
    root = {"allOf": [{"$id": "http://x.io/", "$ref": "a.json"}]}
    known = resources(root, **{"a.json": TARGET})
    assert known.base_of(root["allOf"][0], "") == ""


def test_boolean_documents_can_be_referred_to() -> None:
    known = resources({"$ref": "a"}, a=False)
    assert known.find("a", "") == (False, "a")
