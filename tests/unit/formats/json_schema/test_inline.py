"""The text for equality: inline or by reference, it is the same."""

from __future__ import annotations

from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.json_schema import JsonSchemaFormat

FORMAT = JsonSchemaFormat()


def inlined(text: str, **documents: str) -> str:
    references = [ResolvedReference(name, name, 1, document) for name, document in documents.items()]
    return FORMAT.parse(text, references).inlined


def test_without_references_it_is_the_canonical_text() -> None:
    assert inlined('{ "type": "string" }') == '{"type":"string"}'


def test_a_reference_and_its_text_are_equal() -> None:
    inline = '{"properties":{"a":{"type":"string"},"b":[]},"definitions":{"x":{"$ref":"#"}}}'.replace(',"b":[]', "")
    outer = '{"properties":{"a":{"$ref":"a"}},"definitions":{"x":{"$ref":"#"}}}'
    assert inlined(outer, a='{"$schema":"http://json-schema.org/draft-07/schema#","$id":"a","type":"string"}') == inline


def test_references_of_references_and_booleans_give_way_too() -> None:
    text = inlined('{"items":[{"$ref":"b"}]}', a="true", b='{"items":{"$ref":"a"},"enum":["x"]}')
    assert text == '{"items":[{"items":true,"enum":["x"]}]}'


def test_what_cannot_give_way_is_listed_behind() -> None:
    own_part = '{"items":{"$ref":"#"}}'
    assert inlined('{"$ref":"b"}', b=own_part, a="true") == '{"$ref":"b"}\na true\nb {"items":{"$ref":"#"}}'
    assert inlined('{"$ref":"a","title":"t"}', a="{}") == '{"$ref":"a","title":"t"}\na {}'
    assert inlined('{"$ref":"a#/not"}', a='{"not":{}}') == '{"$ref":"a#/not"}\na {"not":{}}'
    meta = '{"$ref":"http://json-schema.org/draft-07/schema"}'
    assert inlined(meta, a="{}") == f"{meta}\na {{}}"


def test_a_text_that_would_explode_is_not_written() -> None:
    documents = {"d0": '{"type":"string"}'}
    for level in range(1, 60):
        documents[f"d{level}"] = f'{{"allOf":[{{"$ref":"d{level - 1}"}},{{"$ref":"d{level - 1}"}}]}}'
    assert inlined('{"$ref":"d59"}', **documents).startswith('{"$ref":"d59"}\nd0 {"type":"string"}\nd1 ')


def test_a_text_that_would_be_too_deep_is_not_written() -> None:
    documents = {"d0": '{"type":"string"}'}
    for level in range(1, 200):
        documents[f"d{level}"] = f'{{"not":{{"$ref":"d{level - 1}"}}}}'
    assert inlined('{"$ref":"d199"}', **documents).startswith('{"$ref":"d199"}\nd0 ')
    assert inlined('{"$ref":"d2"}', **documents) == '{"not":{"not":{"type":"string"}}}'
