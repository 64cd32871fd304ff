"""Parsed schemas: real ones, their texts, their fields."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.json_schema import JsonSchemaFormat

FORMAT = JsonSchemaFormat()


def external(path: Traversable) -> list[ResolvedReference]:
    """The document that one of the schemas refers to without its package carrying it."""
    name = "kubernetes-definitions.json"
    parts = set(re.findall(rf"{name}#/definitions/([\w.-]+)", path.read_text(encoding="utf-8")))
    return [ResolvedReference(name, name, 1, json.dumps({"definitions": dict.fromkeys(parts, True)}))] if parts else []


def corpus(folder: Traversable) -> list[Traversable]:
    """JSON files and the vocabularies, which have no suffix."""
    found: list[Traversable] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found.extend(corpus(entry))
        elif entry.name.endswith(".json") or "." not in entry.name:
            found.append(entry)
    return found


SCHEMAS = [
    *corpus(files("check_jsonschema") / "builtin_schemas"),
    *(
        path
        for draft in (files("jsonschema_specifications") / "schemas").iterdir()
        if draft.name != "draft3"
        for path in corpus(draft)
    ),
]


def test_the_corpus_is_there() -> None:
    assert len(SCHEMAS) >= 40


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_real_schemas_parse_and_their_canonical_text_is_stable(path: Traversable) -> None:
    references = external(path)
    parsed = FORMAT.parse(path.read_text(encoding="utf-8"), references)
    again = FORMAT.parse(parsed.canonical, references)
    assert again.canonical == parsed.canonical
    assert again.normalized == parsed.normalized
    assert again.tags == parsed.tags


def test_draft_3_counts_as_draft_7_and_its_metaschema_does_not_fit() -> None:
    path = files("jsonschema_specifications") / "schemas" / "draft3" / "metaschema.json"
    with pytest.raises(InvalidSchema, match="draft 7"):
        FORMAT.parse(path.read_text(encoding="utf-8"))


def test_canonical_keeps_the_order_of_keys_and_normalized_sorts_them() -> None:
    parsed = FORMAT.parse('{ "type": "object", "properties": {"b": {"const": 1.0}, "a": true}, "enum": [2, 1] }')
    assert parsed.canonical == '{"type":"object","properties":{"b":{"const":1.0},"a":true},"enum":[2,1]}'
    assert parsed.normalized == '{"enum":[2,1],"properties":{"a":true,"b":{"const":1.0}},"type":"object"}'


@pytest.mark.parametrize(
    ("text", "found"), [("5", "a number"), ("null", "null"), ('"x"', "a string"), ("[]", "a list"), ("1.5", "a number")]
)
def test_a_root_that_is_neither_object_nor_boolean_is_refused(text: str, found: str) -> None:
    with pytest.raises(InvalidSchema, match=f"not {found}"):
        FORMAT.parse(text)


def test_an_unknown_schema_address_is_draft_7_and_stays_in_the_text() -> None:
    text = '{"$schema":"https://example.com/our-own","exclusiveMinimum":1}'
    assert FORMAT.parse(text).canonical == text


def test_fields_are_the_keys_of_the_root_properties() -> None:
    parsed = FORMAT.parse('{"properties":{"b":{"properties":{"c":true}},"a":true}}')
    assert parsed.field_names == ("b", "a")
    assert parsed.reserved_misuse is None
    assert FORMAT.parse("true").field_names == ()
    assert FORMAT.parse("{}").field_names == ()


def test_a_top_level_property_may_not_start_with_two_dollars() -> None:
    assert "'$$x'" in (FORMAT.parse('{"properties":{"a":true,"$$x":true}}').reserved_misuse or "")


def test_there_is_one_style_and_one_media_type() -> None:
    parsed = FORMAT.parse('{"a": "é"}')
    assert parsed.render("") == parsed.render("resolved") == '{"a":"é"}'
    assert parsed.represent("application/schema+json", pretty=False) == '{"a":"é"}'.encode()
    assert parsed.represent("application/schema+json", pretty=True) == '{\n  "a": "é"\n}'.encode()
    with pytest.raises(KeyError):
        parsed.represent("application/json", pretty=False)
    assert FORMAT.media_types == ("application/schema+json",)
