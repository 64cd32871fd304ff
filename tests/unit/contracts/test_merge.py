from __future__ import annotations

from llm_schema_registry.contracts.merge import (
    amend_rule_set,
    merge_metadata,
    merge_rule_sets,
    property_of,
    with_properties,
)
from llm_schema_registry.model import Metadata, Rule, RulePhase, RuleSet


def test_nothing_merges_to_nothing() -> None:
    assert merge_metadata() is None
    assert merge_metadata(None, Metadata()) is None
    assert merge_metadata(Metadata(tags={"a": []}, properties={}, sensitive=[])) is None
    assert merge_rule_sets(None, RuleSet()) is None


def test_tags_and_sensitive_names_unite_and_a_later_property_wins() -> None:
    merged = merge_metadata(
        Metadata(tags={"b": ["X"], "a": ["PII"]}, properties={"k": "weak", "z": "1"}, sensitive=["s"]),
        Metadata(tags={"a": ["GDPR", "PII"]}, properties={"k": "strong"}, sensitive=["r"]),
    )
    assert merged == Metadata(
        tags={"a": ["GDPR", "PII"], "b": ["X"]}, properties={"k": "strong", "z": "1"}, sensitive=["r", "s"]
    )
    assert merged is not None
    assert merged.tags is not None
    assert list(merged.tags) == ["a", "b"]


def test_a_later_rule_replaces_its_namesake_in_place() -> None:
    first, second = Rule(name="a", type="CEL", expr="1"), Rule(name="b", type="CEL")
    other = Rule(name="a", type="CEL", expr="2")
    merged = merge_rule_sets(
        RuleSet(domain_rules=[first, second], enable_at=RulePhase.CLIENT),
        None,
        RuleSet(domain_rules=[other], migration_rules=[second], encoding_rules=[]),
    )
    assert merged == RuleSet(migration_rules=[second], domain_rules=[other, second], enable_at=RulePhase.CLIENT)


def test_the_strongest_phase_wins() -> None:
    merged = merge_rule_sets(RuleSet(enable_at=RulePhase.CLIENT), RuleSet(enable_at=RulePhase.SERVER))
    assert merged == RuleSet(enable_at=RulePhase.SERVER)


def test_amending_merges_then_removes() -> None:
    first, second = Rule(name="a", type="CEL"), Rule(name="b", type="CEL")
    assert amend_rule_set(RuleSet(domain_rules=[first]), RuleSet(domain_rules=[second]), ["a"]) == RuleSet(
        domain_rules=[second]
    )
    assert amend_rule_set(RuleSet(domain_rules=[first]), None, ["a"]) == RuleSet()
    assert amend_rule_set(None, None, []) == RuleSet()


def test_properties_are_read_set_and_removed() -> None:
    assert property_of(None, "k") is None
    assert property_of(Metadata(), "k") is None
    metadata = with_properties(None, k="v")
    assert property_of(metadata, "k") == "v"
    assert with_properties(metadata, k=None, absent=None) is None
