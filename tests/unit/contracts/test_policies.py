from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract_values import plain, record
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.sensitive.policies import (
    MAX_NAME,
    Policy,
    Protections,
    Requirement,
    check_policies,
    read_policy,
)
from llm_schema_registry.errors import InvalidDocument
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind
from llm_schema_registry.model import (
    Metadata,
    Rule,
    RuleKind,
    RuleMode,
    RulePhase,
    RuleSet,
    ValidationLevel,
    Violation,
    ViolationKind,
    ViolationSource,
)

CASES = json.loads((Path(__file__).resolve().parents[2] / "data" / "contracts" / "protections.json").read_text())
NO_TAGS = FieldTags(None)
ENCRYPT = Rule(name="encrypt", type="ENCRYPT", kind=RuleKind.TRANSFORM, mode=RuleMode.WRITEREAD, tags=["PII"])
MASK = Rule(name="mask", type="CEL_FIELD", kind=RuleKind.TRANSFORM, mode=RuleMode.WRITE, tags=["PII"])
TAGGED: dict[str, Any] = {"kind": "STRING", "tags": ["PII"]}


def policy(requirement: str, tag: str = "PII", level: ValidationLevel = ValidationLevel.STRICT) -> Policy:
    return Policy("gdpr", "", tag, Requirement(requirement), level)


def unmet(requirement: str, rule_set: RuleSet | None, shape: Shape | None = None) -> list[str]:
    return check_policies([policy(requirement)], shape or record(x=TAGGED, y="STRING"), NO_TAGS, rule_set)


def changed(rule: Rule, **changes: Any) -> Rule:  # noqa: ANN401 members of a rule have types of their own
    return Rule(**{name: changes.get(name, getattr(rule, name)) for name in rule.__struct_fields__})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_a_value_is_held_against_what_a_policy_asks(case: dict[str, Any]) -> None:
    field = case["field"] if isinstance(case["field"], dict) else {"kind": case["field"]}
    protections = Protections([policy(case["requirement"])], record(x={**field, "tags": ["PII"]}), NO_TAGS)
    assert protections.check({}) == []
    assert [value for value in case["good"] if protections.check({"x": plain(value)})] == []
    for value in case["bad"]:
        found = [(violation.kind, violation.path) for violation in protections.check({"x": plain(value)})]
        assert found == [(ViolationKind.NOT_PROTECTED, case.get("path", "/x"))], value


def test_a_violation_names_field_and_policy_but_not_the_value() -> None:
    protections = Protections([policy("MASKED", level=ValidationLevel.MONITOR)], record(x=TAGGED), NO_TAGS)
    assert protections.check({"x": "jane"}) == [
        Violation(
            kind=ViolationKind.NOT_PROTECTED,
            path="/x",
            message="Field 'top.x' has the tag 'PII', so policy 'gdpr' asks that it is masked, but it is not",
            expected="a value that is masked",
            found="a value that is readable",
            schema_path="/fields/x",
            source=ViolationSource.SENSITIVITY,
            rule="gdpr",
            level=ValidationLevel.MONITOR,
        )
    ]
    (absent,) = Protections([policy("ABSENT")], record(x=TAGGED), NO_TAGS).check({"x": "jane"})
    assert (absent.expected, absent.found) == ("no value", "a value")


def test_each_policy_asks_for_its_own_fields_everywhere() -> None:
    shape = record(
        x=TAGGED,
        many={"kind": "ARRAY", "items": {"kind": "RECORD", "fields": {"y": {"kind": "STRING", "tags": ["SECRET"]}}}},
        z="STRING",
    )
    tags = FieldTags(Metadata(tags={"top.z": ["PII"]}))
    policies = [policy("MASKED"), policy("ABSENT", "SECRET"), policy("ENCRYPTED", "OTHER")]
    protections = Protections(policies, shape, tags)
    value = {"x": "x", "many": [{"y": "y"}, {}, {"y": "y"}], "z": "z"}
    assert sorted(violation.path for violation in protections.check(value)) == ["/many/0/y", "/many/2/y", "/x", "/z"]
    assert sorted(violation.path for violation in protections.check(value, limit=1)) == ["/many/0/y", "/x"]
    assert Protections([], shape, tags).check(value) == []


@pytest.mark.parametrize(
    "rule",
    [
        ENCRYPT,
        changed(ENCRYPT, kind=None, mode=None, disabled=False),
        changed(ENCRYPT, mode=RuleMode.WRITE, tags=["OTHER", "PII"]),
        changed(ENCRYPT, type="ENCRYPT_PAYLOAD", tags=None),
    ],
)
def test_a_rule_that_encrypts_meets_a_policy(rule: Rule) -> None:
    assert unmet("ENCRYPTED", RuleSet(encoding_rules=[rule])) == []
    assert unmet("ENCRYPTED", RuleSet(domain_rules=[rule], enable_at=RulePhase.CLIENT)) == []


@pytest.mark.parametrize(
    "rule_set",
    [
        None,
        RuleSet(),
        RuleSet(encoding_rules=[ENCRYPT], enable_at=RulePhase.NONE),
        RuleSet(migration_rules=[ENCRYPT]),
        RuleSet(encoding_rules=[changed(ENCRYPT, disabled=True)]),
        RuleSet(encoding_rules=[changed(ENCRYPT, mode=RuleMode.READ)]),
        RuleSet(encoding_rules=[changed(ENCRYPT, kind=RuleKind.CONDITION)]),
        RuleSet(encoding_rules=[changed(ENCRYPT, tags=None)]),
        RuleSet(encoding_rules=[changed(ENCRYPT, tags=["OTHER"])]),
        RuleSet(domain_rules=[MASK]),
    ],
)
def test_other_rules_do_not(rule_set: RuleSet | None) -> None:
    assert unmet("ENCRYPTED", rule_set) == [
        (
            "Policy 'gdpr' asks that field 'top.x' with the tag 'PII' be encrypted; "
            "add a rule of type ENCRYPT and mode WRITEREAD for the tag 'PII'"
        )
    ]


def test_masking_needs_a_transform_of_the_tag() -> None:
    assert unmet("MASKED", RuleSet(domain_rules=[MASK])) == []
    for rule in (ENCRYPT, changed(MASK, kind=RuleKind.CONDITION), changed(MASK, tags=None), changed(MASK, type="CEL")):
        (message,) = unmet("MASKED", RuleSet(domain_rules=[rule]))
        assert message.endswith("add a domain rule of type CEL_FIELD, kind TRANSFORM and mode WRITE for the tag 'PII'")


def test_absence_needs_a_schema_without_the_tag() -> None:
    shape = record(**{f"x{number}": TAGGED for number in range(7)})
    assert unmet("ABSENT", RuleSet(encoding_rules=[ENCRYPT]), shape) == [
        (
            "Policy 'gdpr' asks that fields 'top.x0', 'top.x1', 'top.x2', 'top.x3', 'top.x4' and 2 more with the tag "
            "'PII' be absent; take the fields out of the schema"
        )
    ]
    for requirement in Requirement:
        assert unmet(requirement, None, record(y="STRING")) == []


def test_a_field_that_no_rule_can_encrypt_is_refused() -> None:
    circle = Shape(ShapeKind.COMBINED)
    circle.branches = (Shape(ShapeKind.INT), circle)
    shape = record(
        a={"kind": "INT", "tags": ["PII"]},
        b={"kind": "ARRAY", "items": "BYTES", "tags": ["PII"]},
        c={"kind": "COMBINED", "branches": ["INT", "STRING"], "tags": ["PII"]},
        d={"kind": "ANY", "tags": ["PII"]},
    )
    shape.fields["e"] = ShapeField("e", "top.e", circle, tags=("PII",))
    rules = RuleSet(encoding_rules=[ENCRYPT])
    assert unmet("ENCRYPTED", rules, shape) == [
        (
            "Policy 'gdpr' asks that fields 'top.a', 'top.b', 'top.c', 'top.d', 'top.e' with the tag 'PII' be "
            "encrypted, but fields 'top.a', 'top.e' cannot be: only text and bytes can; change the type"
        )
    ]
    whole = RuleSet(encoding_rules=[changed(ENCRYPT, type="ENCRYPT_PAYLOAD")])
    assert unmet("ENCRYPTED", whole, shape) == []


def test_a_policy_is_read_from_its_document() -> None:
    body = '{"subject_prefix":"security.","tag":"PII","requirement":"ENCRYPTED"}'
    read = read_policy("gdpr", body)
    assert read == Policy("gdpr", "security.", "PII", Requirement.ENCRYPTED, ValidationLevel.STRICT)
    assert read_policy("gdpr", msgspec.json.encode(read).decode()) == read
    other = read_policy("gdpr", body.replace("}", ',"level":"WARN","name":"other"}'))
    assert (other.name, other.level) == ("gdpr", ValidationLevel.WARN)


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("p", "{", "Policy 'p': Input data was truncated"),
        ("p", "[]", "Expected `object`, got `array`"),
        ("p", "{}", "missing required field `subject_prefix`; a policy is a JSON object of subject_prefix, tag, "),
        ("p", '{"subject_prefix":"","tag":"","requirement":"MASKED"}', "length >= 1 - at `$.tag`"),
        ("p", '{"subject_prefix":"","tag":"PII","requirement":"HIDDEN"}', "Invalid enum value 'HIDDEN'"),
        ("p", '{"subject_prefix":"","tag":"PII","requirement":"MASKED","level":"HIGH"}', "Invalid enum value 'HIGH'"),
        ("p", '{"subject_prefix":"","tag":"PII","requirement":"MASKED","x":1}', "unknown field `x`"),
        ("p", '{"subject_prefix":"%s","tag":"PII","requirement":"MASKED"}' % ("x" * (MAX_NAME + 1)), "length <= 256"),
        ("", "{}", "between 1 and 256 characters, not 0"),
        ("p" * 257, "{}", "between 1 and 256 characters, not 257"),
    ],
)
def test_a_policy_that_is_not_well_formed_is_refused(name: str, body: str, message: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        read_policy(name, body)
    assert message in str(refused.value)
