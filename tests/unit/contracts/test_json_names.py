"""Fields of Protobuf are called by their names in ProtoJSON when a violation says where it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from llm_schema_registry.contracts.contract import Contract, Terms
from llm_schema_registry.contracts.fields import FieldTags, json_path
from llm_schema_registry.contracts.sensitive.policies import Policy, Requirement
from llm_schema_registry.contracts.sensitive.tagged import TaggedFields
from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.formats.protobuf.payload import ProtobufPayloads
from llm_schema_registry.model import Encoding, Metadata, Rule, RuleKind, RuleSet, Violation, ViolationKind

SCHEMA = """syntax = "proto3"; package p; import "google/protobuf/struct.proto";
message Event { int32 server_port = 1; string user_mail = 2 [json_name = "to/from"]; string free_text = 3;
  Part first_part = 4; repeated Part more_parts = 5; map<string, Part> by_name = 6; google.protobuf.Struct any_data = 7;
  string a = 8 [json_name = "b"]; }
message Part { int32 server_port = 1; string free_text = 2; Part first_part = 3; }"""
MAIL = "write to ann@example.org"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TAGS = {
    "p.*.server_port": ["PORT"],
    "p.Event.user_mail": ["PII"],
    "p.Event.first_part": ["SECRET"],
    "p.Event.a": ["PII"],
}


@pytest.fixture(scope="module")
def payloads() -> ProtobufPayloads:
    fmt = ProtobufFormat()
    return fmt.payloads(fmt.parse(SCHEMA), "p.Event")


def metadata(**properties: object) -> Metadata:
    return Metadata(TAGS, {f"constraints:{name}": json.dumps(terms) for name, terms in properties.items()})


def judged(contract: Contract, payload: dict[str, Any]) -> list[Violation]:
    return list(contract.check(Encoding.JSON, json.dumps(payload).encode(), now=NOW).violations)


PORTS = {
    "server_port": -1,
    "firstPart": {"serverPort": -1, "first_part": {"serverPort": -1}},
    "moreParts": [{}, {"server_port": -1}],
    "byName": {"first_part": {"serverPort": -1}},
}
PATHS = [
    "/serverPort",
    "/firstPart/serverPort",
    "/firstPart/firstPart/serverPort",
    "/moreParts/1/serverPort",
    "/byName/first_part/serverPort",
]


def test_a_constraint_tells_the_path(payloads: ProtobufPayloads) -> None:
    contract = Contract(payloads, Terms(metadata(**{"p.*.server_port": {"minimum": 0}})))
    assert {found.path: found.kind for found in judged(contract, PORTS)} == dict.fromkeys(PATHS, "OUT_OF_RANGE")


@pytest.mark.parametrize(
    ("expr", "kind"),
    [("value >= 0", "RULE_FAILED"), ("message.server_port >= 0", "RULE_FAILED"), ("1 / (value + 1) > 0", "RULE_ERROR")],
)
def test_a_rule_tells_the_path(payloads: ProtobufPayloads, expr: str, kind: str) -> None:
    rule = Rule("port", kind=RuleKind.CONDITION, type="CEL_FIELD", tags=["PORT"], expr=expr)
    contract = Contract(payloads, Terms(metadata(), RuleSet(domain_rules=[rule])))
    violations = judged(contract, PORTS)
    assert {found.path: found.kind for found in violations} == dict.fromkeys(PATHS, kind)
    assert all(f"for {found.path}: " in found.message for found in violations)


def test_a_policy_tells_the_path(payloads: ProtobufPayloads) -> None:
    policies = (Policy("p", "", "PII", Requirement.ABSENT), Policy("q", "", "SECRET", Requirement.MASKED))
    contract = Contract(payloads, Terms(metadata(), policies=policies))
    payload = {"to/from": "x", "firstPart": {"firstPart": {"freeText": "x"}}}
    assert [found.path for found in judged(contract, payload)] == ["/to~1from", "/firstPart/firstPart/freeText"]


def test_a_finding_tells_the_path_and_its_place_is_masked(payloads: ProtobufPayloads) -> None:
    contract = Contract(payloads, Terms(metadata()))
    payload = {"free_text": MAIL, "moreParts": [{"freeText": MAIL}], "anyData": {"free_text": MAIL}}
    validation = contract.check(Encoding.JSON, json.dumps(payload).encode(), now=NOW)
    assert [(found.kind, found.path) for found in validation.violations] == [
        ("PII_FOUND", path) for path in ("/freeText", "/moreParts/0/freeText", "/anyData/free_text")
    ]
    assert all(f"'{found.path}'" in found.message for found in validation.violations)
    masked: Any = contract.mask(validation.value)
    assert (masked["free_text"], masked["more_parts"][0]["free_text"], masked["any_data"]) == (
        "***",
        "***",
        {"free_text": "***"},
    )
    assert "ann" not in json.dumps(masked)


@pytest.mark.parametrize(
    ("path", "is_hidden"),
    [
        ("/serverPort", False),
        ("/server_port", False),
        ("/moreParts/0/serverPort", False),
        ("/more_parts/0/server_port", False),
        ("/byName/user_mail/freeText", False),
        ("/to~1from", True),
        ("/user_mail", True),
        ("/firstPart/freeText", True),
        ("/first_part/free_text", True),
        ("/a", True),
        ("/b", True),
        ("/unknown", True),
    ],
)
def test_a_sensitive_field_is_known_by_either_name(payloads: ProtobufPayloads, path: str, is_hidden: bool) -> None:
    fields = TaggedFields(payloads.shape, FieldTags(metadata()))
    assert (fields.at(path) is None) is is_hidden
    told = Violation(ViolationKind.SYMBOL_UNKNOWN, path, "Expected A, found secret", "A", "secret")
    masked = Contract(payloads, Terms(metadata())).mask_violation(told)
    assert ("secret" in masked.message + masked.found) is not is_hidden


def test_only_fields_are_called_by_another_name(payloads: ProtobufPayloads) -> None:
    shape = payloads.shape
    for path, told in [
        ("", ""),
        ("/server_port", "/serverPort"),
        ("/a", "/b"),
        ("/by_name/server_port/server_port", "/byName/server_port/serverPort"),
        ("/any_data/any_data/x~1y", "/anyData/any_data/x~1y"),
        ("/server_port/server_port", "/serverPort/server_port"),
        ("/unknown/server_port", "/unknown/server_port"),
    ]:
        assert json_path(shape, path) == told


def test_a_rule_finds_the_message_inside_an_extension() -> None:
    fmt = ProtobufFormat()
    schema = """syntax = "proto2"; package p; extend M { optional M my_ext = 100; repeated M more_ext = 101; }
    message M { extensions 100 to 200; optional M my_part = 1; optional int32 my_port = 2; }"""
    rule = Rule("r", kind=RuleKind.CONDITION, type="CEL_FIELD", tags=["T"], expr="message.my_port > 0")
    terms = Terms(Metadata({"p.M.my_port": ["T"]}), RuleSet(domain_rules=[rule]))
    payload = {"[p.my_ext]": {"myPart": {"myPort": -1}}, "[p.more_ext]": [{"my_port": 1}, {"my_port": -1}]}
    violations = judged(Contract(fmt.payloads(fmt.parse(schema)), terms), payload)
    assert [(found.kind, found.path) for found in violations] == [
        ("RULE_FAILED", "/[p.my_ext]/myPart/myPort"),
        ("RULE_FAILED", "/[p.more_ext]/1/myPort"),
    ]
