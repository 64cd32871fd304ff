"""Versions of a subject (rest-api 4.3, 1.7): tokens, visibility, text, tags inside schemas, referrers."""

from __future__ import annotations

import json

import pytest

from registry_client import Registry, compact, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")
THREE = record("R", "a:int", "b:int=0", "c:int=0")
RECORD_TAG = {"schemaEntity": {"entityPath": "R", "entityType": "sr_record"}, "tags": ["PII"]}
FIELD_TAG = {"schemaEntity": {"entityPath": "R.a", "entityType": "sr_field"}, "tags": ["KEY", "PII"]}


async def test_a_version_is_answered_whole(registry: Registry) -> None:
    registered = await registry.register("a", ONE, metadata={"properties": {"k": "v"}})
    assert await registry.get("/subjects/a/versions/1") == {"subject": "a", **registered}


@pytest.mark.parametrize("token", ["latest", "LATEST", "%20Latest%20", "-1", "2", "002"])
async def test_tokens_that_name_the_newest(registry: Registry, token: str) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    assert (await registry.get(f"/subjects/a/versions/{token}"))["version"] == 2


@pytest.mark.parametrize("token", ["0", "-2", "first", "1.0", "2147483648", "99999999999999999999", "+1", "%C2%B2"])
@pytest.mark.parametrize("rest", ["", "/schema", "/referencedby"])
async def test_other_tokens_are_42202(registry: Registry, token: str, rest: str) -> None:
    await registry.register("a", ONE)
    await registry.refuse(42202, "GET", f"/subjects/a/versions/{token}{rest}")


async def test_a_bad_token_is_told_before_a_missing_subject(registry: Registry) -> None:
    await registry.refuse(42202, "GET", "/subjects/gone/versions/0")
    await registry.refuse(40401, "GET", "/subjects/gone/versions/2147483647")
    await registry.refuse(42202, "POST", "/compatibility/subjects/gone/versions/x", {"schema": ONE})
    await registry.refuse(42202, "POST", "/subjects/gone/versions/x/tags", {})


async def test_which_of_40401_and_40402_depends_on_what_is_visible(registry: Registry) -> None:
    await registry.register("a", ONE)
    assert "Version 5 not found" in await registry.refuse(40402, "GET", "/subjects/a/versions/5")
    await registry.delete("/subjects/a")
    await registry.refuse(40401, "GET", "/subjects/a/versions/1")
    await registry.refuse(40402, "GET", "/subjects/a/versions/5?deleted=true")
    await registry.refuse(40401, "GET", "/subjects/a/versions/1/schema")
    assert await registry.text("/subjects/a/versions/1/schema?deleted=true") == compact(ONE)


async def test_the_list_of_versions(registry: Registry) -> None:
    await registry.refuse(40401, "GET", "/subjects/a/versions")
    for text in (ONE, TWO, THREE):
        await registry.register("a", text)
    await registry.delete("/subjects/a/versions/2")
    expected = {
        "": [1, 3],
        "?deleted=true": [1, 2, 3],
        "?deletedOnly=true": [2],
        "?deletedOnly=true&deleted=true": [2],
        "?deletedAsNegative=true": [1, -2, 3],
        "?deletedAsNegative=true&deletedOnly=true": [1, -2, 3],
        "?offset=1": [3],
        "?deleted=true&offset=1&limit=1": [2],
        "?offset=7": [],
    }
    for query, numbers in expected.items():
        assert await registry.get(f"/subjects/a/versions{query}") == numbers
    await registry.delete("/subjects/a/versions/1")
    await registry.delete("/subjects/a/versions/3")
    await registry.refuse(40401, "GET", "/subjects/a/versions")
    assert await registry.get("/subjects/a/versions?deletedAsNegative=true") == [-1, -2, -3]


async def test_the_text_is_raw_with_the_negotiated_type(registry: Registry) -> None:
    await registry.register("a", ONE)
    for accept in (None, "*/*", "application/vnd.schemaregistry.v1+json"):
        response = await registry.ask(
            "GET", "/subjects/a/versions/1/schema", headers={"accept": accept} if accept else {}
        )
        assert response.text == compact(ONE)
        assert response.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
    response = await registry.ask("GET", "/subjects/a/versions/1/schema", headers={"accept": "application/json"})
    assert response.headers["content-type"] == "application/json"


async def test_references_can_be_answered_qualified(registry: Registry) -> None:
    await registry.register(":.eu:part", record("Part", "a:int"))
    reference = {"name": "Part", "subject": "part", "version": 1}
    await registry.register(":.eu:whole", record("W", "p:Part"), references=[reference])
    path = "/subjects/:.eu:whole/versions/1"
    assert (await registry.get(path))["references"] == [reference]
    for spelling in ("qualified", "QUALIFIED"):
        qualified = (await registry.get(f"{path}?referenceFormat={spelling}"))["references"]
        assert qualified == [{**reference, "subject": ":.eu:part"}]
    assert (await registry.get(f"{path}?referenceFormat=junk"))["references"] == [reference]
    by_id = await registry.get("/schemas/ids/2?subject=:.eu:whole&referenceFormat=qualified")
    assert by_id["references"][0]["subject"] == ":.eu:part"


async def test_referrers_are_ids_once_each_in_order(registry: Registry) -> None:
    part = record("Part", "a:int")
    await registry.register("part", part)
    reference = [{"name": "Part", "subject": "part", "version": 1}]
    path = "/subjects/part/versions/1/referencedby"
    assert await registry.get(path) == []
    await registry.register("w", record("W", "p:Part"), references=reference)
    await registry.register("x", record("X", "p:Part"), references=reference)
    await registry.register("y", record("W", "p:Part"), references=reference)
    assert await registry.get(path) == [2, 3]
    assert await registry.get(f"{path}?offset=1&limit=1") == [3]
    assert await registry.get("/subjects/part/versions/latest/referencedby") == [2, 3]
    await registry.delete("/subjects/x")
    assert await registry.get(path) == [2]
    assert await registry.get(f"{path}?deleted=true") == [2, 3]
    await registry.delete("/subjects/w")
    await registry.delete("/subjects/y")
    await registry.delete("/subjects/part")
    assert await registry.get(f"{path}?deleted=true") == [2, 3]
    await registry.refuse(40401, "GET", "/subjects/gone/versions/1/referencedby")
    await registry.refuse(40402, "GET", "/subjects/part/versions/2/referencedby")


async def test_tags_are_added_as_a_new_version(registry: Registry) -> None:
    await registry.register("a", ONE)
    answer = await registry.post("/subjects/a/versions/1/tags", {"tagsToAdd": [RECORD_TAG, FIELD_TAG]})
    assert (answer["version"], answer["id"]) == (2, 2)
    tagged = json.loads(answer["schema"])
    assert tagged["confluent:tags"] == ["PII"]
    assert tagged["fields"][0]["confluent:tags"] == ["KEY", "PII"]
    found = await registry.get("/subjects/a/versions/2?findTags=*")
    assert found["schemaTags"] == [RECORD_TAG, FIELD_TAG]
    some = (await registry.get("/schemas/ids/2?findTags=KEY&findTags=other"))["schemaTags"]
    assert some == [{**FIELD_TAG, "tags": ["KEY"]}]
    assert "schemaTags" not in await registry.get("/subjects/a/versions/2")
    assert "schemaTags" not in await registry.get("/subjects/a/versions/1?findTags=*")
    removal = {"tagsToRemove": [{**FIELD_TAG, "tags": ["KEY"]}], "newVersion": 3}
    answer = await registry.post("/subjects/a/versions/latest/tags", removal)
    assert json.loads(answer["schema"])["fields"][0]["confluent:tags"] == ["PII"]
    assert answer["metadata"] == {"properties": {"confluent:version": "3"}}


async def test_tags_may_come_with_other_metadata_and_rules(registry: Registry) -> None:
    def rule(name: str) -> dict[str, object]:
        return {"name": name, "type": "CEL"}

    def names(answer: dict[str, dict[str, list[dict[str, str]]]]) -> list[str]:
        return [rule["name"] for rule in answer["ruleSet"]["domainRules"]]

    await registry.register(
        "a", ONE, metadata={"properties": {"k": "v"}}, ruleSet={"domainRules": [rule("one"), rule("two")]}
    )
    path = "/subjects/a/versions/latest/tags"
    answer = await registry.post(path, {"rulesToMerge": {"domainRules": [rule("three")]}, "rulesToRemove": ["one"]})
    assert names(answer) == ["two", "three"]
    assert answer["metadata"] == {"properties": {"k": "v"}}
    answer = await registry.post(path, {"ruleSet": {"domainRules": [rule("four")]}, "metadata": {"properties": {}}})
    assert names(answer) == ["four"]
    assert "metadata" not in answer
    answer = await registry.post(path, {"rulesToRemove": ["four"]})
    assert "ruleSet" not in answer
    same = await registry.post(path, {})
    assert same["version"] == answer["version"]


@pytest.mark.parametrize(
    ("code", "path", "body"),
    [
        (40401, "/subjects/gone/versions/1/tags", {}),
        (40402, "/subjects/a/versions/9/tags", {}),
        (42202, "/subjects/a/versions/0/tags", {}),
        (42201, "/subjects/a/versions/1/tags", {"newVersion": 9, "tagsToAdd": [RECORD_TAG]}),
        (
            42201,
            "/subjects/a/versions/1/tags",
            {"tagsToAdd": [{"schemaEntity": {"entityPath": "R.gone", "entityType": "sr_field"}, "tags": ["x"]}]},
        ),
        (42210, "/subjects/a/versions/1/tags", {"ruleSet": {}, "rulesToRemove": ["one"]}),
        (42210, "/subjects/a/versions/1/tags", {"ruleSet": {}, "rulesToMerge": {}}),
        (42210, "/subjects/a/versions/1/tags", {"rulesToMerge": {"domainRules": [{"name": "r"}]}}),
        (400, "/subjects/a/versions/1/tags", {"tagsToAdd": [{"schemaEntity": {"entityPath": "R"}}]}),
        (422, "/subjects/a/versions/1/tags", None),
    ],
)
async def test_refusals_of_tags(registry: Registry, code: int, path: str, body: object) -> None:
    await registry.register("a", ONE)
    await registry.refuse(code, "POST", path, body)
    assert len(await registry.events()) == 1


async def test_tags_in_a_registration(registry: Registry) -> None:
    answer = await registry.register("a", ONE, schemaTagsToAdd=[FIELD_TAG])
    assert json.loads(answer["schema"])["fields"][0]["confluent:tags"] == ["KEY", "PII"]
    tagged = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "confluent:tags": ["KEY", "PII"]}]}
    bare = await registry.register("a", json.dumps(tagged), schemaTagsToRemove=[FIELD_TAG])
    assert "confluent:tags" not in bare["schema"]


async def test_tags_are_propagated_to_what_is_still_there(registry: Registry) -> None:
    first = await registry.register("a", ONE, propagateSchemaTags=True)
    assert first["schema"] == compact(ONE)
    await registry.register("a", TWO, schemaTagsToAdd=[FIELD_TAG, RECORD_TAG])
    answer = await registry.register("a", THREE, propagateSchemaTags=True)
    assert json.loads(answer["schema"])["fields"][0]["confluent:tags"] == ["KEY", "PII"]
    answer = await registry.register("a", record("R", "b:int=0"), propagateSchemaTags=True)
    assert json.loads(answer["schema"])["confluent:tags"] == ["PII"]
    assert answer["schema"].count("confluent:tags") == 1
