"""Metadata and rule sets (rest-api section 10): inheritance, merging, identity, validation, what is kept."""

from __future__ import annotations

import pytest

from registry_client import Json, Registry, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")
THREE = record("R", "a:int", "b:int=0", "c:int=0")


def properties(**pairs: str) -> Json:
    return {"properties": pairs}


def rules(*names: str, **members: Json) -> Json:
    return {"domainRules": [{"name": name, "type": "CEL", **members} for name in names]}


def names_of(answer: Json) -> list[str]:
    return [rule["name"] for rule in answer.get("ruleSet", {}).get("domainRules", [])]


async def test_metadata_is_inherited_until_it_is_given(registry: Registry) -> None:
    whole = {"tags": {"R.a": ["B", "A"]}, "properties": {"k": "v"}, "sensitive": ["k"]}
    stored = {**whole, "tags": {"R.a": ["A", "B"]}}
    assert (await registry.register("a", ONE, metadata=whole))["metadata"] == stored
    assert (await registry.register("a", TWO))["metadata"] == stored
    assert (await registry.register("a", THREE, metadata=properties(n="1")))["metadata"] == properties(n="1")
    assert "metadata" not in await registry.register("a", THREE, metadata={})


async def test_defaults_are_weaker_and_overrides_stronger_than_what_is_given(registry: Registry) -> None:
    await registry.put("/config", {"defaultMetadata": {"properties": {"d": "default", "k": "default"}}})
    await registry.put("/config/a", {"overrideMetadata": {"properties": {"o": "override"}, "tags": {"x": ["T"]}}})
    answer = await registry.register("a", ONE, metadata=properties(k="given", o="given"))
    assert answer["metadata"] == {
        "properties": {"d": "default", "k": "given", "o": "override"},
        "tags": {"x": ["T"]},
    }
    assert (await registry.register("b", ONE))["metadata"] == properties(d="default", k="default")


async def test_rule_sets_are_inherited_merged_and_kept(registry: Registry) -> None:
    await registry.put("/config/a", {"defaultRuleSet": rules("d", "both"), "overrideRuleSet": rules("o", "two")})
    answer = await registry.register("a", ONE, ruleSet=rules("both", "two", expr="true"))
    assert names_of(answer) == ["d", "both", "two", "o"]
    expressions = {rule["name"]: rule.get("expr") for rule in answer["ruleSet"]["domainRules"]}
    assert expressions == {"d": None, "both": "true", "two": None, "o": None}
    assert names_of(await registry.register("a", TWO)) == ["d", "both", "two", "o"]
    assert names_of(await registry.register("a", THREE, ruleSet={})) == ["d", "both", "o", "two"]
    assert (await registry.get("/subjects/a/versions/1"))["ruleSet"] == answer["ruleSet"]
    assert (await registry.get("/schemas/ids/1"))["ruleSet"] == answer["ruleSet"]


async def test_every_member_of_a_rule_is_kept(registry: Registry) -> None:
    rule = {
        "name": "encrypt-1",
        "doc": "why",
        "kind": "TRANSFORM",
        "mode": "WRITEREAD",
        "type": "ENCRYPT",
        "tags": ["PII"],
        "params": {"encrypt.kek.name": "k"},
        "expr": "e",
        "onSuccess": "NONE,NONE",
        "onFailure": "ERROR,DLQ",
        "disabled": False,
    }
    migration = {"name": "m", "kind": "CONDITION", "mode": "UPDOWN", "type": "JSONATA"}
    rule_set = {"migrationRules": [migration], "encodingRules": [rule], "enableAt": "CLIENT"}
    assert (await registry.register("a", ONE, ruleSet=rule_set))["ruleSet"] == rule_set


async def test_how_a_rule_is_spelt_makes_no_other_schema(registry: Registry) -> None:
    bare = await registry.register("a", ONE, ruleSet=rules("r", tags=["A", "B"]))
    spelt = rules("r", doc="", tags=["B", "A", "B"], params={}, mode="WRITEREAD", kind="TRANSFORM", expr=None)
    assert await registry.register("a", ONE, ruleSet={**spelt, "migrationRules": []}) == bare


async def test_other_metadata_or_rules_are_another_schema(registry: Registry) -> None:
    answers = [
        await registry.register("a", ONE),
        await registry.register("a", ONE, metadata=properties(k="v")),
        await registry.register("a", ONE, ruleSet=rules("r")),
        await registry.register("a", ONE, metadata={}, ruleSet=rules("r")),
    ]
    assert [answer["id"] for answer in answers] == [1, 2, 3, 4]
    assert answers[2]["metadata"] == properties(k="v")
    assert len({answer["guid"] for answer in answers}) == 4


@pytest.mark.parametrize(
    ("words", "rule_set"),
    [
        ("needs a name", {"domainRules": [{"type": "CEL"}]}),
        ("must start with a letter", {"domainRules": [{"name": "1", "type": "CEL"}]}),
        ("at most 256", {"domainRules": [{"name": "a" * 257, "type": "CEL"}]}),
        ("needs a type", {"domainRules": [{"name": "r"}]}),
        ("used twice", {"domainRules": [{"name": "r", "type": "X"}], "encodingRules": [{"name": "r", "type": "X"}]}),
        ("not allowed here", {"domainRules": [{"name": "r", "type": "X", "mode": "UPGRADE"}]}),
        ("not allowed here", {"encodingRules": [{"name": "r", "type": "X", "mode": "UPDOWN"}]}),
        ("not allowed here", {"migrationRules": [{"name": "r", "type": "X", "mode": "READ"}]}),
        ("pair of actions", {"domainRules": [{"name": "r", "type": "X", "mode": "READ", "onFailure": "DLQ,NONE"}]}),
        ("pair of actions", {"migrationRules": [{"name": "r", "type": "X", "mode": "UPGRADE", "onSuccess": "A,B"}]}),
    ],
)
async def test_malformed_rules_are_42210_everywhere(registry: Registry, words: str, rule_set: Json) -> None:
    await registry.register("a", ONE)
    body = {"schema": TWO, "ruleSet": rule_set}
    for path in ("/subjects/a/versions", "/subjects/a", "/compatibility/subjects/a/versions"):
        assert words in await registry.refuse(42210, "POST", path, body)
    assert words in await registry.refuse(42210, "PUT", "/config/a", {"defaultRuleSet": rule_set})
    assert words in await registry.refuse(42210, "POST", "/subjects/a/versions/1/tags", {"ruleSet": rule_set})
    assert len(await registry.events()) == 1


async def test_the_number_of_a_version_is_not_inherited(registry: Registry) -> None:
    await registry.register("a", ONE, version=1, metadata=properties(k="v"))
    answer = await registry.register("a", TWO)
    assert answer["metadata"] == properties(k="v")


async def test_a_number_given_as_property_is_held_to(registry: Registry) -> None:
    await registry.refuse_registration(42201, "a", ONE, metadata={"properties": {"confluent:version": "7"}})
    answer = await registry.register("a", ONE, metadata={"properties": {"confluent:version": "1"}})
    assert answer["version"] == 1
    assert await registry.register("a", ONE, version=1) == answer
