"""Rules on fields (CEL_FIELD) are run on each value in the fields that their tags choose."""

from __future__ import annotations

import json

import pytest

from cel_event import EVENT, NOW, compiled, outcome, payloads, read, rule
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.rules.run import Outcome, compile_rules
from llm_schema_registry.errors import InvalidRuleSet
from llm_schema_registry.model import (
    Metadata,
    RuleKind,
    RuleMode,
    RuleSet,
)


def test_a_condition_on_fields_is_broken_at_each_place() -> None:
    rules = compiled(
        rule("value != 'b'", type="CEL_FIELD", tags=["PII"]),
        rule("value < 2", name="s", type="CEL_FIELD", tags=["COUNT"]),
    )
    run = rules.run(read(EVENT), RuleMode.WRITE, NOW)
    assert [(violation.rule, violation.path) for violation in run.violations] == [
        ("r", "/labels/1"),
        ("s", "/counts/y~1z"),
    ]
    assert "for /labels/1" in run.violations[0].message


def test_a_rule_on_fields_can_break_or_fail_at_each_of_them() -> None:
    given = rule("typeName == 'INT' ; 6 / (value - 2) == 6", type="CEL_FIELD")
    run = compiled(given).run(read(EVENT), RuleMode.WRITE, NOW)
    assert sorted((violation.path, violation.kind.value) for violation in run.violations) == [
        ("/items/0/input", "RULE_ERROR"),
        ("/usage/input", "RULE_FAILED"),
    ]
    assert run.outcomes == (("r", Outcome.ERROR),)


def test_a_rule_on_fields_that_no_guard_lets_run_is_skipped() -> None:
    assert outcome(rule("name == 'none' ; false", type="CEL_FIELD")) is Outcome.SKIPPED
    assert outcome(rule("name == 'none' ; value", type="CEL_FIELD", kind=RuleKind.TRANSFORM)) is Outcome.SKIPPED


def test_the_violations_of_a_rule_on_fields_are_limited() -> None:
    value = {**read(EVENT), "labels": ["a"] * 500}
    run = compiled(rule("value != 'a'", type="CEL_FIELD", tags=["PII"])).run(value, RuleMode.WRITE, NOW)
    assert len(run.violations) == 100


def test_a_rule_on_fields_is_checked_with_their_type() -> None:
    with pytest.raises(InvalidRuleSet, match=r"can not be applied to \(string, int\)"):
        compiled(rule("value > 1", type="CEL_FIELD", tags=["PII"]))
    compiled(rule("typeName == 'INT' ; value > 1", type="CEL_FIELD", tags=["PII"]))
    compiled(rule("value > 1", type="CEL_FIELD"))


def test_tags_come_from_metadata_too() -> None:
    tags = FieldTags(Metadata(tags={"acme.Inference.model": ["PII"]}))
    given = rule("size(tags) == 2 || name == 'labels'", type="CEL_FIELD", tags=["PII"])
    rules = compile_rules(RuleSet(domain_rules=[given]), payloads(), tags)
    assert rules.run(read(EVENT), RuleMode.WRITE, NOW).violations == ()


def test_a_rule_on_fields_changes_what_lists_and_maps_hold() -> None:
    given = rule("value + value", type="CEL_FIELD", tags=["PII", "COUNT"], kind=RuleKind.TRANSFORM)
    run = compiled(given).run(read(EVENT), RuleMode.WRITE, NOW)
    assert run.value == {**read(EVENT), "labels": ["aa", "bb"], "counts": {"x": 2, "y/z": 4}}


def test_of_two_transforms_of_the_same_tags_the_first_is_run() -> None:
    first = rule("value + '1'", type="CEL_FIELD", tags=["PII"], kind=RuleKind.TRANSFORM)
    second = rule("value + '2'", name="s", type="CEL_FIELD", tags=["PII"], kind=RuleKind.TRANSFORM)
    third = rule("value + '3'", name="t", type="CEL_FIELD", tags=["NAME"], kind=RuleKind.TRANSFORM)
    run = compiled(first, second, third).run(read(EVENT), RuleMode.WRITE, NOW)
    assert (run.value["labels"], run.value["model"]) == (["a1", "b1"], "gpt3")


def test_a_field_s_message_is_found_in_lists_and_maps() -> None:
    text = (
        'syntax = "proto3"; message M { map<string, N> s = 1; map<bool, N> b = 2; repeated N l = 3; '
        "message N { string t = 1; int32 u = 2; } google.protobuf.Duration d = 4; }"
    ).replace('syntax = "proto3";', 'syntax = "proto3"; import "google/protobuf/duration.proto";')
    of = payloads("PROTOBUF", text)
    value = read(
        {"s": {"k/~": {"t": "a", "u": 1}}, "b": {"true": {"t": "b"}}, "l": [{"t": "c", "u": 3}], "d": "1.5s"}, of
    )
    given = rule("typeName == 'STRING' ; has(message.u)", type="CEL_FIELD")
    run = compiled(given, of=of).run(value, RuleMode.WRITE, NOW)
    assert [violation.path for violation in run.violations] == ["/b/true/t"]
    echo = rule("{'d': message.d, 's': message.s}", kind=RuleKind.TRANSFORM)
    assert compiled(echo, of=of).run(value, RuleMode.WRITE, NOW).value == read(
        {"s": {"k/~": {"t": "a", "u": 1}}, "d": "1.5s"}, of
    )


def test_a_rule_on_fields_has_a_number_of_rounds_too() -> None:
    value = {**read(EVENT), "labels": ["a"] * 10_001}
    for kind in RuleKind:
        run = compiled(rule("true", type="CEL_FIELD", tags=["PII"], kind=kind)).run(value, RuleMode.WRITE, NOW)
        assert run.outcomes == (("r", Outcome.ERROR),)
        assert "it takes too long" in run.violations[0].found


def test_a_rule_on_fields_sees_their_record() -> None:
    run = compiled(rule("message.input == value || has(event.at)", type="CEL_FIELD")).run(
        read(EVENT), RuleMode.WRITE, NOW
    )
    assert run.violations == ()
    later = compiled(rule("event.at < now", type="CEL_FIELD", tags=["NAME"])).run(read(EVENT), RuleMode.WRITE, NOW)
    assert later.outcomes == (("r", Outcome.PASSED),)


def test_a_rule_on_fields_takes_the_branch_of_a_union() -> None:
    text = {
        "type": "record",
        "name": "R",
        "fields": [
            {
                "name": "u",
                "type": ["string", "int", {"type": "array", "items": "int"}, {"type": "map", "values": "int"}],
            },
            {"name": "e", "type": ["string", "boolean", {"type": "enum", "name": "E", "symbols": ["A"]}]},
        ],
    }
    of = payloads("AVRO", json.dumps(text))
    given = rule("typeName == 'INT' ; value + 1", type="CEL_FIELD", kind=RuleKind.TRANSFORM)
    check = rule("typeName != 'INT' || value == 1", type="CEL_FIELD")
    for before, plain, after in (
        ({"int": 1}, 1, 2),
        ({"array": [1, 2]}, [1, 2], [2, 3]),
        ({"map": {"a": 1}}, {"a": 1}, {"a": 2}),
    ):
        value = read({"u": before, "e": {"boolean": True}}, of)
        assert value == {"u": plain, "e": True}
        assert compiled(given, of=of).run(value, RuleMode.WRITE, NOW).value == {"u": after, "e": True}
        found = [violation.path for violation in compiled(check, of=of).run(value, RuleMode.WRITE, NOW).violations]
        assert found == (["/u/1"] if plain == [1, 2] else [])
