"""Test vectors of the guid (docs/decisions/0005): published, so they never change."""

from __future__ import annotations

import pytest

from llm_schema_registry.model import Metadata, Reference, Rule, RuleSet, SchemaContent
from llm_schema_registry.registry.identity import guid_of

VECTORS = [
    (SchemaContent("AVRO", '"string"'), "0b58450f-c708-b426-e9e8-7422e02094c2"),
    (SchemaContent("JSON", '{"type":"object"}'), "165bca57-bff2-d0c8-4153-f4f38236aede"),
    (SchemaContent("AVRO", '"a.B"', (Reference("a.B", "b-value", 3),)), "f5371d7b-83fe-0d02-ffa6-042f4448f493"),
    (
        SchemaContent("AVRO", '"string"', (), Metadata(properties={"owner": "search", "a": "1"})),
        "f63d48d0-260f-897b-1867-709f67fabe9b",
    ),
    (
        SchemaContent("AVRO", '"string"', (), None, RuleSet(domain_rules=[Rule(name="r", type="CEL")])),
        "63ed6519-7646-f1b3-196e-fd919deec29d",
    ),
]


@pytest.mark.parametrize(("content", "guid"), VECTORS)
def test_vectors(content: SchemaContent, guid: str) -> None:
    assert guid_of(content) == guid


def test_the_order_of_keys_does_not_matter() -> None:
    one = SchemaContent("AVRO", '"string"', (), Metadata(properties={"a": "1", "b": "2"}))
    other = SchemaContent("AVRO", '"string"', (), Metadata(properties={"b": "2", "a": "1"}))
    assert guid_of(one) == guid_of(other)
