from __future__ import annotations

import pytest

from llm_schema_registry.contracts.rules.check import check_rule_set
from llm_schema_registry.errors import InvalidRuleSet
from llm_schema_registry.model import Rule, RuleKind, RuleMode, RulePhase, RuleSet


def test_defaults_are_written_out() -> None:
    checked = check_rule_set(
        RuleSet(
            migration_rules=[Rule(name="up", type="JSONATA", mode=RuleMode.UPDOWN, on_success="NONE,ERROR")],
            domain_rules=[Rule(name="d-1", type="CEL", kind=RuleKind.CONDITION, on_failure="DLQ,ERROR")],
            encoding_rules=[],
            enable_at=RulePhase.ALL,
        )
    )
    assert checked.migration_rules is not None
    assert checked.migration_rules[0].kind is RuleKind.TRANSFORM
    assert checked.domain_rules is not None
    assert checked.domain_rules[0].mode is RuleMode.WRITEREAD
    assert checked.encoding_rules is None
    assert checked.enable_at is RulePhase.ALL


@pytest.mark.parametrize(
    ("rule_set", "place"),
    [
        (RuleSet(domain_rules=[Rule(type="CEL")]), r"domainRules\[0\]: a rule needs a name"),
        (RuleSet(domain_rules=[Rule(name="", type="CEL")]), "needs a name"),
        (RuleSet(domain_rules=[Rule(name="1a", type="CEL")]), "must start with a letter"),
        (RuleSet(domain_rules=[Rule(name="a b", type="CEL")]), "must start with a letter"),
        (RuleSet(domain_rules=[Rule(name="é", type="CEL")]), "must start with a letter"),
        (RuleSet(domain_rules=[Rule(name="a" * 257, type="CEL")]), "at most 256"),
        (RuleSet(domain_rules=[Rule(name="a")]), "needs a type"),
        (
            RuleSet(domain_rules=[Rule(name="a", type="CEL")], encoding_rules=[Rule(name="a", type="ENCRYPT")]),
            r"encodingRules\[0\]: the name 'a' is used twice",
        ),
        (RuleSet(domain_rules=[Rule(name="a", type="CEL", mode=RuleMode.UPGRADE)]), "mode UPGRADE is not allowed"),
        (RuleSet(migration_rules=[Rule(name="a", type="CEL")]), "mode WRITEREAD is not allowed"),
        (
            RuleSet(domain_rules=[Rule(name="a", type="CEL", mode=RuleMode.WRITE, on_failure="DLQ,ERROR")]),
            "onFailure may hold a pair",
        ),
        (RuleSet(domain_rules=[Rule(name="a", type="CEL", on_success="A,B,C")]), "onSuccess may hold a pair"),
    ],
)
def test_a_malformed_rule_is_refused_with_its_place(rule_set: RuleSet, place: str) -> None:
    with pytest.raises(InvalidRuleSet, match=place):
        check_rule_set(rule_set)


def test_a_name_of_256_characters_is_the_longest() -> None:
    check_rule_set(RuleSet(domain_rules=[Rule(name="a" * 256, type="CEL")]))
