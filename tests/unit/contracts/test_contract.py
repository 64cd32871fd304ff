"""A contract as server and client use it, by itself: what is asked, in which order, and what is handed back."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import fastavro
import pytest

from llm_schema_registry.contracts.contract import Contract, Terms, Validation
from llm_schema_registry.contracts.sensitive.policies import Policy, Requirement
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.model import Encoding, Metadata, Rule, RuleKind, RuleSet, ValidationLevel

NOW = datetime(2026, 11, 27, tzinfo=UTC)
EVENT = {
    "type": "record",
    "name": "Call",
    "fields": [
        {"name": "model", "type": "string"},
        {"name": "user", "type": ["null", "string"], "default": None, "confluent:tags": ["PII"]},
    ],
}
PROTO = 'syntax = "proto3"; message Call { string model = 1; int64 tokens = 2; }'
TRANSFORM = RuleSet(
    domain_rules=[Rule(name="t", kind=RuleKind.TRANSFORM, type="CEL_FIELD", tags=["PII"], expr="value + '!'")]
)


def contract(terms: Terms, schema: object = EVENT, schema_type: str = "AVRO") -> Contract:
    fmt = FORMATS[schema_type]
    return Contract(fmt.payloads(fmt.parse(schema if isinstance(schema, str) else json.dumps(schema))), terms)


def avro(model: str, user: str | None = None) -> bytes:
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(EVENT), {"model": model, "user": user})
    return written.getvalue()


def check(terms: Terms, payload: bytes) -> Validation:
    return contract(terms).check(Encoding.BINARY, payload, now=NOW)


def properties(**given: str) -> Metadata:
    return Metadata(properties={name.replace("__", "."): value for name, value in given.items()})


def test_a_payload_that_breaks_its_structure_is_asked_nothing_more() -> None:
    judged = check(Terms(rule_set=TRANSFORM), avro("m") + b"\0")
    assert [each.kind for each in judged.violations] == ["TRAILING_BYTES"]
    assert (judged.value, judged.native, judged.outcomes) == (None, None, ())


def test_a_transform_makes_another_value() -> None:
    judged = check(Terms(rule_set=TRANSFORM), avro("m", "ann"))
    assert judged.value == {"model": "m", "user": "ann!"}
    assert judged.is_changed
    assert not check(Terms(), avro("m", "ann")).is_changed


def test_the_decoders_own_value_is_at_hand() -> None:
    judged = contract(Terms(), PROTO, "PROTOBUF").check(Encoding.JSON, b'{"model": "m", "tokens": "5"}', now=NOW)
    assert judged.native.tokens == 5  # type: ignore[attr-defined]  # a class of run time
    assert judged.value == {"model": "m", "tokens": 5}


@pytest.mark.parametrize(("pii", "kinds"), [("STRICT", ["PII_FOUND"]), ("OFF", []), ("MONITOR", ["PII_FOUND"])])
def test_personal_data_is_looked_for_as_the_version_says(pii: str, kinds: list[str]) -> None:
    judged = check(Terms(metadata=properties(validation__pii=pii)), avro("ann@example.org"))
    assert [each.kind for each in judged.violations] == kinds
    assert judged.is_valid == (pii != "STRICT")


def test_policies_and_constraints_are_asked_where_no_text_is_suspicious() -> None:
    policy = Policy("p", "", "PII", Requirement.ABSENT, ValidationLevel.WARN)
    metadata = Metadata(properties={"constraints:Call.model": '{"minLength": 3}'})
    judged = check(Terms(metadata=metadata, policies=(policy,)), avro("m", "ann"))
    assert [(each.kind, each.path, each.level) for each in judged.violations] == [
        ("LENGTH_OUT_OF_RANGE", "/model", "STRICT"),
        ("NOT_PROTECTED", "/user", "WARN"),
    ]


def test_there_are_no_more_violations_than_asked_for() -> None:
    metadata = Metadata(properties={"constraints:Call.model": '{"minLength": 3, "pattern": "^x$"}'})
    judged = contract(Terms(metadata=metadata)).check(Encoding.BINARY, avro("m"), now=NOW, limit=1)
    assert len(judged.violations) == 1


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_notes_do_not_hide_what_blocks(limit: int) -> None:
    schema = {"type": "object", "properties": {"user": {"type": "array", "confluent:tags": ["PII"]}}}
    policies = (
        Policy("note", "", "PII", Requirement.MASKED, ValidationLevel.WARN),
        Policy("stop", "", "PII", Requirement.ABSENT),
    )
    rules = RuleSet(domain_rules=[Rule(name="r", kind=RuleKind.CONDITION, type="CEL", expr="size(message.x) == 0")])
    noisy = json.dumps({"user": ["ann"] * 150, "x": [f"ann{number}@example.org" for number in range(150)]}).encode()
    for terms in (Terms(policies=policies), Terms(rule_set=rules), Terms(policies=policies, rule_set=rules)):
        judged = contract(terms, schema, "JSON").check(Encoding.JSON, noisy, now=NOW, limit=limit)
        assert not judged.is_valid
        assert judged.violations[0].level is ValidationLevel.STRICT
        assert len(judged.violations) == limit


def test_what_a_sample_may_show_has_neither_tagged_fields_nor_found_texts() -> None:
    made = contract(Terms())
    assert made.mask({"model": "ann@example.org", "user": "ann"}) == {"model": "***", "user": "***"}
    quiet = contract(Terms(metadata=properties(validation__pii="OFF")))
    assert quiet.mask({"model": "ann@example.org", "user": "ann"}) == {"model": "ann@example.org", "user": "***"}


@pytest.mark.parametrize(("pii", "is_hidden"), [("WARN", True), ("OFF", False)])
def test_what_a_sample_says_was_broken_does_not_tell_personal_data(pii: str, is_hidden: bool) -> None:
    made = contract(Terms(metadata=properties(validation__pii=pii)), {"properties": {"n": {"type": "integer"}}}, "JSON")
    judged = made.check(Encoding.JSON, b'{"n": "ann@example.org"}', now=NOW)
    [told] = [made.mask_violation(each) for each in judged.violations]
    assert ("ann@example.org" not in f"{told.message} {told.found}") is is_hidden


def test_a_text_among_numbers_is_found() -> None:
    judged = contract(Terms(), {}, "JSON").check(Encoding.JSON, b'[1, "ann@example.org"]', now=NOW)
    assert [(each.kind, each.path) for each in judged.violations] == [("PII_FOUND", "/1")]
