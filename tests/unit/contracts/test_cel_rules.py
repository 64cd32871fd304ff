"""Rules are compiled against a schema, and run on its payloads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cel_event import EVENT, NOW, compiled, outcome, payloads, read, rule
from effort import calls_of
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.rules.run import Outcome, compile_rules
from llm_schema_registry.errors import InvalidRuleSet
from llm_schema_registry.formats.base import Payloads
from llm_schema_registry.model import (
    Rule,
    RuleKind,
    RuleMode,
    RulePhase,
    ValidationLevel,
    ViolationKind,
    ViolationSource,
)

DATA = Path(__file__).parents[2] / "data" / "cel"
FUNCTIONS = json.loads((DATA / "functions.json").read_text())
REFUSALS = json.loads((DATA / "refusals.json").read_text())
CLIENTS = json.loads((DATA / "clients.json").read_text())


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case["expr"][:40])
def test_a_rule_that_is_wrong_is_refused_with_its_place_and_mend(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidRuleSet) as refused:
        compiled(rule(case["expr"], params=case.get("params")))
    assert str(refused.value).startswith("domainRules[0] ('r'): ")
    assert case["says"] in str(refused.value)


@pytest.mark.parametrize("expr", FUNCTIONS["true"])
def test_a_function_does_what_its_name_says(expr: str) -> None:
    of = payloads("JSON", "{}")
    run = compiled(rule(expr), of=of).run({"matches": 1}, RuleMode.WRITE, NOW)
    assert (run.outcomes, run.violations) == ((("r", Outcome.PASSED),), ())


@pytest.mark.parametrize("expr", FUNCTIONS["error"])
def test_a_function_that_has_no_value_is_an_error_of_the_rule(expr: str) -> None:
    run = compiled(rule(expr), of=payloads("JSON", "{}")).run({}, RuleMode.WRITE, NOW)
    assert run.outcomes == (("r", Outcome.ERROR),)
    assert run.violations[0].kind is ViolationKind.RULE_ERROR
    assert run.violations[0].found


def test_a_violation_names_the_rule_and_what_it_asks_for() -> None:
    run = compiled(rule("event.tokens > 5", doc="Five tokens at least")).run(read(EVENT), RuleMode.WRITE, NOW)
    (violation,) = run.violations
    assert violation.kind is ViolationKind.RULE_FAILED
    assert (violation.source, violation.rule, violation.path) == (ViolationSource.RULE, "r", "")
    assert violation.expected == "Five tokens at least"
    assert violation.message == "Rule 'r' is broken: Five tokens at least"
    assert violation.level is ValidationLevel.STRICT


def test_the_level_is_the_rule_s_own_or_else_the_caller_s() -> None:
    rules = compiled(rule("false", params={"level": "warn"}), rule("false", name="s"))
    run = rules.run(read(EVENT), RuleMode.WRITE, NOW, ValidationLevel.MONITOR)
    assert [violation.level for violation in run.violations] == [ValidationLevel.WARN, ValidationLevel.MONITOR]
    assert [each.level for each in rules.of(RuleMode.WRITE)] == [ValidationLevel.WARN, None]


@pytest.mark.parametrize(
    ("members", "mode", "is_refused"),
    [
        ({}, RuleMode.WRITE, True),
        ({"on_failure": "NONE"}, RuleMode.WRITE, False),
        ({"on_failure": "ERROR"}, RuleMode.WRITE, True),
        ({"on_failure": "DLQ"}, RuleMode.READ, True),
        ({"on_failure": "NONE,ERROR"}, RuleMode.WRITE, False),
        ({"on_failure": "NONE,ERROR"}, RuleMode.READ, True),
        ({"on_failure": "ERROR,NONE"}, RuleMode.READ, False),
    ],
)
def test_a_failure_is_what_the_action_makes_of_it(members: dict[str, Any], mode: RuleMode, *, is_refused: bool) -> None:
    run = compiled(rule("false", **members)).run(read(EVENT), mode, NOW)
    assert run.outcomes == (("r", Outcome.FAILED),)
    assert bool(run.violations) is is_refused


def test_a_success_can_be_refused_too() -> None:
    for expr, guarded in (("true", Outcome.PASSED), ("false ; true", Outcome.SKIPPED)):
        run = compiled(rule(expr, on_success="ERROR,NONE")).run(read(EVENT), RuleMode.WRITE, NOW)
        assert run.outcomes == (("r", guarded),)
        assert run.violations[0].kind is ViolationKind.RULE_FAILED


def test_rules_are_read_in_the_opposite_order() -> None:
    rules = compiled(
        rule("true", name="a"), rule("true", name="b", mode=RuleMode.WRITE), rule("true", name="c", mode=None)
    )
    assert [name for name, _ in rules.run(read(EVENT), RuleMode.WRITE, NOW).outcomes] == ["a", "b", "c"]
    assert [name for name, _ in rules.run(read(EVENT), RuleMode.READ, NOW).outcomes] == ["c", "a"]


@pytest.mark.parametrize(
    "left",
    [
        rule("false", disabled=True),
        rule("$.a", type="JSONATA"),
        rule(None),
        rule("false", type=None),
        rule("variants.isNull(variant(event.model))"),
    ],
)
def test_what_is_not_for_this_engine_is_left_alone(left: Rule) -> None:
    value = read(EVENT)
    run = compiled(left).run(value, RuleMode.WRITE, NOW)
    assert run.value is value
    assert (run.violations, run.outcomes) == ((), ())


@pytest.mark.parametrize("phase", list(RulePhase))
def test_rules_run_where_they_are_enabled(phase: RulePhase) -> None:
    run = compiled(rule("false"), enable_at=phase).run(read(EVENT), RuleMode.WRITE, NOW)
    assert bool(run.outcomes) is (phase in {RulePhase.ALL, RulePhase.CLIENT, RulePhase.SERVER})
    with pytest.raises(InvalidRuleSet):
        compiled(rule("nope"), enable_at=phase)


def test_no_rule_set_has_no_rules() -> None:
    rules = compile_rules(None, payloads(), FieldTags(None))
    assert rules.run(1, RuleMode.READ, NOW) == (1, (), ())
    assert rules.data_sets == frozenset()


def test_the_sets_that_rules_name_are_known() -> None:
    rules = compiled(rule("catalogHas('models', event.model)"), rule('"eur" in catalog( "currencies")', name="s"))
    assert rules.data_sets == {"models", "currencies"}


def test_a_transform_makes_the_payload_that_later_rules_see() -> None:
    echo = ", ".join(f"'{name}': event.{name}" for name in EVENT if name != "model")
    rules = compiled(
        rule("{" + echo + ", 'model': event.model + '!'}", kind=RuleKind.TRANSFORM),
        rule("event.model == 'gpt!'", name="s"),
    )
    run = rules.run(read(EVENT), RuleMode.WRITE, NOW)
    assert run.value == {**read(EVENT), "model": "gpt!"}
    assert [each for _, each in run.outcomes] == [Outcome.PASSED, Outcome.PASSED]


def test_behind_a_transform_that_failed_no_rule_runs() -> None:
    broken = rule("1 / 0", kind=RuleKind.TRANSFORM)
    value = read(EVENT)
    run = compiled(broken, rule("false", name="s")).run(value, RuleMode.WRITE, NOW)
    assert run.outcomes == (("r", Outcome.ERROR),)
    assert run.value is value
    ignored = rule("1 / 0", kind=RuleKind.TRANSFORM, on_failure="NONE")
    assert len(compiled(ignored, rule("false", name="s")).run(value, RuleMode.WRITE, NOW).outcomes) == 2


@pytest.mark.parametrize(("expr", "expected"), [("null", Outcome.ERROR), ("false ; null", Outcome.SKIPPED)])
def test_a_transform_gives_a_payload(expr: str, expected: Outcome) -> None:
    assert outcome(rule(expr, kind=RuleKind.TRANSFORM)) is expected


def test_expressions_have_a_length() -> None:
    with pytest.raises(InvalidRuleSet, match="at most 8192"):
        compiled(rule("true" + " " * 8_192))
    with pytest.raises(InvalidRuleSet, match="together, expr may have at most 65536"):
        compiled(*(rule("true" + " " * 8_000, name=f"r{index}") for index in range(9)))


@pytest.mark.parametrize("type_", ["CEL", "CEL_FIELD"])
def test_a_further_rule_does_not_look_through_the_schema_again(type_: str) -> None:
    fields = [{"name": f"f{index}", "type": "string"} for index in range(3_000)]
    of = payloads("AVRO", json.dumps({"type": "record", "name": "R", "fields": fields}))
    rules = [rule("true", name=f"r{index}", type=type_) for index in range(21)]
    compiled(rules[0], of=of)
    assert calls_of(lambda: compiled(*rules, of=of)) < calls_of(lambda: compiled(rules[0], of=of)) + 20 * len(fields)


def test_rules_have_a_cost_together() -> None:
    costly = "event.labels.all(a, event.labels.all(b, event.labels.all(c, a == b || b == c || event.labels == [])))"
    with pytest.raises(InvalidRuleSet, match="together, the rules could take more than a second"):
        compiled(*(rule(costly, name=f"r{index}") for index in range(200)))


def test_a_larger_payload_is_judged_when_its_lists_are_short() -> None:
    rules = compiled(rule("event.labels.all(a, event.labels.all(b, a != b || event.model.contains('g')))"))
    short = {**read(EVENT), "model": "g" * 100_000}
    assert rules.run(short, RuleMode.WRITE, NOW).outcomes == (("r", Outcome.PASSED),)
    long = {**short, "labels": ["a"] * 5_000}
    (violation,) = rules.run(long, RuleMode.WRITE, NOW).violations
    assert "the rules could take too long on the payload" in violation.message
    # A rule on fields is charged as it goes instead.
    on_fields = rule("value != ''", name="s", type="CEL_FIELD", tags=["PII"])
    both = compiled(rules.of(RuleMode.WRITE)[0].rule, on_fields).run(long, RuleMode.WRITE, NOW)
    assert both.outcomes == (("r", Outcome.ERROR), ("s", Outcome.PASSED))


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {"a": object()}, {"a": 2**70}, {"a": {1, 2}}])
def test_what_no_rule_can_see_is_an_error_of_each(value: object) -> None:
    of = payloads("JSON", "{}")
    rules = compiled(rule("true"), rule("true", name="s", type="CEL_FIELD"), rule("message.a == 1", name="t"), of=of)
    assert Outcome.ERROR in {each for _, each in rules.run(value, RuleMode.WRITE, NOW).outcomes}


def test_a_zero_byte_hides_nothing() -> None:
    of = payloads("JSON", json.dumps({"type": "object", "properties": {"a": {"type": "string"}}}))
    both = (rule("message.a == 'x'"), rule("value == 'x'", name="s", type="CEL_FIELD"))
    value = {"a": "x\0y", "b": ["x\0y", {"c": None}]}
    assert {each for _, each in compiled(*both, of=of).run(value, RuleMode.WRITE, NOW).outcomes} == {Outcome.FAILED}
    (violation,) = compiled(rule("message.a == 'x'"), of=of).run({"a\0b": 1}, RuleMode.WRITE, NOW).violations
    assert "a key with a zero byte" in violation.message


def test_a_message_of_protobuf_is_judged_as_it_is_and_changed() -> None:
    of = payloads("PROTOBUF", "\n".join(CLIENTS["schemas"]["PROTOBUF"]))
    value = read({"id": "a", "usage": {"input": 1}, "at": "2020-01-01T00:00:00Z"}, of)
    changed = "{'id': message.id + '!', 'at': message.at, 'usage': message.usage, 'labels': ['b'], 'nothing': 1}"
    run = compiled(rule(changed, kind=RuleKind.TRANSFORM), of=of).run(value, RuleMode.WRITE, NOW)
    assert of.plain(run.value) == {**of.plain(value), "id": "a!", "labels": ["b"]}  # type: ignore[dict-item] # plain messages are dicts
    for expr in ("3", "message.usage", "{'id': 3}", "[1]"):
        (violation,) = compiled(rule(expr, kind=RuleKind.TRANSFORM), of=of).run(value, RuleMode.WRITE, NOW).violations
        assert violation.kind is ViolationKind.RULE_ERROR
    large = read({"id": "a" * 5_000_000}, of)
    assert compiled(rule("message.id != ''"), of=of).run(large, RuleMode.WRITE, NOW).outcomes == (("r", Outcome.ERROR),)


def test_the_engine_s_own_limit_on_rounds_is_an_error_of_the_rule() -> None:
    run = compiled(rule("message.a.all(x, x == 1)"), of=payloads("JSON", "{}")).run(
        {"a": [1] * 10_001}, RuleMode.WRITE, NOW
    )
    assert run.violations[0].found == "Iteration budget exceeded"


@pytest.mark.parametrize("schema", [{"type": "string"}, {"type": "array", "items": "string"}, ["null", "string"]])
def test_a_schema_need_not_be_a_record(schema: Any) -> None:  # noqa: ANN401 - a schema as JSON
    of = payloads("AVRO", json.dumps(schema))
    value = {"string": "ab"} if isinstance(schema, list) else ["ab"] if schema["type"] == "array" else "ab"
    run = compiled(rule("size(message) > 0"), of=of).run(read(value, of), RuleMode.WRITE, NOW)
    assert run.outcomes == (("r", Outcome.PASSED),)


def test_a_rule_nested_deeper_than_its_tree_can_be_read_is_refused() -> None:
    deep = "".join(f"message.all(x{index}, " for index in range(25)) + "true" + ")" * 25
    with pytest.raises(InvalidRuleSet, match=r"it is nested too deep|recursion"):
        compiled(rule(deep), of=payloads("JSON", "{}"))


def test_a_record_is_a_map_to_rules_as_well() -> None:
    assert (
        outcome(rule("event.all(name, name != '') && event['ok'] && 'ok' in event && size(event) == 10"))
        is Outcome.PASSED
    )
    assert outcome(rule("event.size() == 10 && !('none' in event)")) is Outcome.PASSED
    assert outcome(rule("event['none'] == 1")) is Outcome.ERROR


def closed(properties: dict[str, Any]) -> Payloads:
    return payloads("JSON", json.dumps({"type": "object", "properties": properties, "additionalProperties": False}))


def test_a_name_that_no_dot_can_select_is_found_by_its_text() -> None:
    of = closed({"gen_ai.model": {"type": "string"}, "a": {"type": "array", "items": {"type": "array"}}, "a_": {}})
    rules = compiled(rule("message['gen_ai.model'] == 'x' && message.a[0][0] == 1 && message.a_ == 2"), of=of)
    value = {"gen_ai.model": "x", "a": [[1]], "a_": 2}
    assert rules.run(value, RuleMode.WRITE, NOW).outcomes == (("r", Outcome.PASSED),)


def test_many_fields_are_checked_and_too_many_are_not() -> None:
    many = closed({f"f{index}": {"type": "string"} for index in range(4_000)})
    compiled(rule("message.f3999 == 'a'"), of=many)
    with pytest.raises(InvalidRuleSet, match="has no field 'nothing'"):
        compiled(rule("message.nothing == 'a'"), of=many)
    too_many = closed({f"f{index}": {"type": "string"} for index in range(4_001)})
    compiled(rule("message.nothing == 'a'"), of=too_many)
    one: dict[str, Any] = {
        "type": "record",
        "fields": [{"name": f"f{index}", "type": "long"} for index in range(3_500)],
    }
    several = [{"name": f"r{index}", "type": {**one, "name": f"R{index}"}} for index in range(6)]
    many = payloads("AVRO", json.dumps({"type": "record", "name": "R", "fields": several}))
    compiled(rule("message.nothing == 'a'"), of=many)


def test_the_names_of_maps_may_be_alike() -> None:
    of_longs = {"type": "map", "values": "long"}
    names = {"a_b": of_longs, "aB": of_longs, "AB": of_longs, "c": of_longs, "CEntry": "long"}
    text = {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in names.items()]}
    of = payloads("AVRO", json.dumps(text))
    value = read({"a_b": {"k": 1}, "aB": {"k": 2}, "AB": {"k": 3}, "c": {"k": 4}, "CEntry": 5}, of)
    run = compiled(rule("message.a_b.k + message.aB.k + message.AB.k + message.c.k + message.CEntry == 15"), of=of)
    assert run.run(value, RuleMode.WRITE, NOW).outcomes == (("r", Outcome.PASSED),)
    with pytest.raises(InvalidRuleSet, match=r"can not be applied to \(int, string\)"):
        compiled(rule("message.a_b.k == 'x'"), of=of)


def test_an_import_that_many_files_share_is_taken_once() -> None:
    text = (
        'syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; '
        'import "confluent/type/decimal.proto"; import "google/protobuf/api.proto"; '
        "message M { google.protobuf.Api api = 1; confluent.type.Decimal amount = 2; }"
    )
    of = payloads("PROTOBUF", text)
    value = read({"amount": {"value": "AQA=", "precision": 3, "scale": 2}}, of)
    run = compiled(rule("message.amount == decimal('2.560') && message.amount > 2"), of=of).run(
        value, RuleMode.WRITE, NOW
    )
    assert run.outcomes == (("r", Outcome.PASSED),)


def test_what_has_no_place_is_said_without_one() -> None:
    with pytest.raises(InvalidRuleSet, match="expr can not be used: Expression recursion limit exceeded"):
        compiled(rule("(" * 100 + "true" + ")" * 100))
