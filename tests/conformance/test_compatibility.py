"""Compatibility over the wire (rest-api 4.7, section 9): levels, which versions, messages, groups, reserved fields."""

from __future__ import annotations

import json

import pytest

from llm_schema_registry.model import Subject
from registry_client import Json, Registry, compact, record

ONE = record("R", "a:int")
WITH_DEFAULT = record("R", "a:int", "b:int=0")
WITHOUT_DEFAULT = record("R", "a:int", "b:int")
LESS = record("R", "b:int=0")
TAIL = "{{validateFields: 'false', compatibility: '{}'}}"

# Candidate, and the levels at which it may follow ONE.
LEVELS = [
    (WITH_DEFAULT, {"NONE", "BACKWARD", "FORWARD", "FULL"}),
    (WITHOUT_DEFAULT, {"NONE", "FORWARD"}),
    (LESS, {"NONE", "BACKWARD"}),
    ('"int"', {"NONE"}),
]


@pytest.mark.parametrize(("candidate", "allowed"), LEVELS)
@pytest.mark.parametrize("level", ["NONE", "BACKWARD", "FORWARD", "FULL"])
@pytest.mark.parametrize("transitive", ["", "_TRANSITIVE"])
async def test_levels(registry: Registry, candidate: str, allowed: set[str], level: str, transitive: str) -> None:
    await registry.register("a", ONE)
    await registry.put("/config/a", {"compatibility": level if level == "NONE" else level + transitive})
    expected = {"is_compatible": level in allowed}
    for path in ("versions", "versions/1", "versions/latest", "versions/-1"):
        assert await registry.post(f"/compatibility/subjects/a/{path}", {"schema": candidate}) == expected
    response = await registry.ask("POST", "/subjects/a/versions", {"schema": candidate})
    assert response.status_code == (200 if level in allowed else 409)


@pytest.mark.parametrize("level", ["BACKWARD", "BACKWARD_TRANSITIVE"])
async def test_only_transitive_levels_look_at_older_versions(registry: Registry, level: str) -> None:
    await registry.register("a", WITHOUT_DEFAULT)
    await registry.register("a", ONE)
    await registry.put("/config/a", {"compatibility": level})
    candidate = {"schema": record("R", "a:int", 'b:string="x"')}
    is_transitive = level != "BACKWARD"
    whole = await registry.post("/compatibility/subjects/a/versions?verbose=true", candidate)
    assert whole["is_compatible"] is not is_transitive
    if is_transitive:
        assert "{oldSchemaVersion: 1}" in whole["messages"]
    latest = await registry.post("/compatibility/subjects/a/versions/latest", candidate)
    assert latest == {"is_compatible": True}
    first = await registry.post("/compatibility/subjects/a/versions/1", candidate)
    assert first == {"is_compatible": False}


async def test_the_newest_that_fails_is_told_and_no_other(registry: Registry) -> None:
    await registry.put("/config/a", {"compatibility": "NONE"})
    for text in (ONE, WITH_DEFAULT, record("R", "a:int", "c:int=0")):
        await registry.register("a", text)
    await registry.put("/config/a", {"compatibility": "BACKWARD_TRANSITIVE"})
    answer = await registry.post("/compatibility/subjects/a/versions?verbose=true", {"schema": '"int"'})
    versions = [line for line in answer["messages"] if line.startswith("{oldSchemaVersion")]
    assert versions == ["{oldSchemaVersion: 3}"]
    assert answer["messages"][-1] == TAIL.format("BACKWARD_TRANSITIVE")


async def test_soft_deleted_versions_do_not_count(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.delete("/subjects/a")
    path = "/compatibility/subjects/a/versions"
    for rest in ("", "/latest"):
        assert await registry.post(path + rest, {"schema": '"int"'}) == {"is_compatible": True}
    assert "Version 1 not found" in await registry.refuse(40402, "POST", f"{path}/1", {"schema": ONE})
    assert (await registry.register("a", '"int"'))["version"] == 2


async def test_an_unknown_subject(registry: Registry) -> None:
    path = "/compatibility/subjects/gone/versions"
    for rest in ("", "/latest", "/-1"):
        assert await registry.post(path + rest, {"schema": ONE}) == {"is_compatible": True}
        assert await registry.post(f"{path}{rest}?verbose=true", {"schema": ONE}) == {
            "is_compatible": True,
            "messages": [],
        }
    await registry.refuse(40402, "POST", f"{path}/1", {"schema": ONE})
    for token in ("0", "-2", "x"):
        await registry.refuse(42202, "POST", f"{path}/{token}?verbose=true", {"schema": ONE})


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (42201, {"schema": "{"}),
        (42201, {}),
        (42201, {"schema": ONE, "schemaType": "XML"}),
        (42210, {"schema": ONE, "ruleSet": {"domainRules": [{"name": "r"}]}}),
        (400, []),
        (422, None),
    ],
)
async def test_refusals_of_a_body(registry: Registry, code: int, body: Json) -> None:
    for path in ("versions", "versions/latest"):
        await registry.refuse(code, "POST", f"/compatibility/subjects/a/{path}", body)
    assert await registry.events() == []


async def test_full_tells_the_forward_findings_first_and_quotes_for_the_backward_ones(registry: Registry) -> None:
    await registry.register("a", record("R", "a:int", "b:int"))
    await registry.put("/config/a", {"compatibility": "FULL"})
    path = "/compatibility/subjects/a/versions?verbose=true"
    both = (await registry.post(path, {"schema": record("R", "a:int", "c:int")}))["messages"]
    assert [line.split("'")[1] for line in both[:2]] == ["READER_FIELD_MISSING_DEFAULT_VALUE"] * 2
    assert "b" in both[0].rsplit("additionalInfo", 1)[1]
    assert "c" in both[1].rsplit("additionalInfo", 1)[1]
    assert both[2:4] == ["{oldSchemaVersion: 1}", f"{{oldSchema: '{compact(WITHOUT_DEFAULT)}'}}"]
    assert both[4:] == [TAIL.format("FULL")]
    forward = (await registry.post(path, {"schema": ONE}))["messages"]
    assert len(forward) == 2
    assert forward[-1] == TAIL.format("FULL")
    await registry.put("/config/a", {"compatibility": "FORWARD"})
    forward = (await registry.post(path, {"schema": ONE}))["messages"]
    assert forward[1:] == [
        "{oldSchemaVersion: 1}",
        f"{{oldSchema: '{compact(WITHOUT_DEFAULT)}'}}",
        TAIL.format("FORWARD"),
    ]


async def test_a_long_schema_is_cut_in_messages(registry: Registry) -> None:
    await registry.register("a", record("R", "a:int", doc="x" * 11_000))
    answer = await registry.post("/compatibility/subjects/a/versions?verbose=true", {"schema": '"int"'})
    quoted = next(line for line in answer["messages"] if line.startswith("{oldSchema:"))
    assert len(quoted) == len("{oldSchema: ''}") + 10 * 1024 + len("...")


async def test_another_schema_type_is_for_none_only(registry: Registry) -> None:
    await registry.register("a", ONE)
    other = {"schema": '{"type":"object"}', "schemaType": "JSON"}
    answer = await registry.post("/compatibility/subjects/a/versions?verbose=true", other)
    assert answer["is_compatible"] is False
    assert "JSON" in answer["messages"][0]
    assert "AVRO" in answer["messages"][0]
    assert answer["messages"][1:] == [TAIL.format("BACKWARD")]
    await registry.refuse(40901, "POST", "/subjects/a/versions", other)
    await registry.put("/config/a", {"compatibility": "NONE"})
    assert (await registry.register("a", '{"type":"object"}', schemaType="JSON"))["version"] == 2


@pytest.mark.parametrize(
    ("schema_type", "old", "new", "kind"),
    [
        (
            "JSON",
            '{"type":"object","properties":{"a":{"type":"string"}}}',
            '{"type":"object","properties":{"a":{"type":"integer"}}}',
            '{errorType:"TYPE_CHANGED"',
        ),
        (
            "PROTOBUF",
            'syntax = "proto3"; message M { int32 a = 1; }',
            'syntax = "proto3"; message M { string a = 1; }',
            '{errorType:"FIELD_SCALAR_KIND_CHANGED"',
        ),
        ("AVRO", ONE, record("R", "a:string"), "{errorType:'TYPE_MISMATCH'"),
    ],
)
async def test_findings_of_each_format(registry: Registry, schema_type: str, old: str, new: str, kind: str) -> None:
    await registry.register("a", old, schemaType=schema_type)
    body = {"schema": new, "schemaType": schema_type}
    answer = await registry.post("/compatibility/subjects/a/versions/latest?verbose=true", body)
    assert answer["messages"][0].startswith(kind)
    assert answer["messages"][1] == "{oldSchemaVersion: 1}"
    assert await registry.refuse(40901, "POST", "/subjects/a/versions", body)
    assert (await registry.register("a", old, schemaType=schema_type))["version"] == 1


async def test_lenient_permits_what_strict_refuses_in_json(registry: Registry) -> None:
    await registry.register("a", '{"type":"object","properties":{}}', schemaType="JSON")
    body = {"schema": '{"type":"object","properties":{"b":{"type":"string"}}}', "schemaType": "JSON"}
    await registry.refuse(40901, "POST", "/subjects/a/versions", body)
    await registry.put("/config/a", {"compatibilityPolicy": "lenient"})
    assert await registry.post("/compatibility/subjects/a/versions", body) == {"is_compatible": True}
    assert (await registry.post("/subjects/a/versions", body))["version"] == 2


async def test_a_group_is_compared_within_itself(registry: Registry) -> None:
    def major(number: str) -> dict[str, Json]:
        return {"properties": {"major": number}}

    await registry.put("/config/a", {"compatibilityGroup": "major"})
    await registry.register("a", ONE, metadata=major("1"))
    await registry.register("a", '"string"', metadata=major("2"))
    await registry.register("a", WITH_DEFAULT, metadata=major("1"))
    await registry.refuse_registration(40901, "a", '"int"', metadata=major("1"))
    await registry.refuse_registration(40901, "a", '"int"', metadata=major("2"))
    await registry.refuse_registration(40901, "a", '"int"')
    body = {"schema": '"int"', "metadata": major("3")}
    for path in ("versions", "versions/1", "versions/latest"):
        assert await registry.post(f"/compatibility/subjects/a/{path}", body) == {"is_compatible": True}
    body["metadata"] = major("1")
    assert await registry.post("/compatibility/subjects/a/versions/1", body) == {"is_compatible": False}
    assert await registry.post("/compatibility/subjects/a/versions/2", body) == {"is_compatible": True}
    await registry.put("/config/a", {"compatibility": "BACKWARD_TRANSITIVE"})
    await registry.refuse_registration(40901, "a", '"int"', metadata=major("2"))
    assert (await registry.register("a", '"int"', metadata=major("3")))["version"] == 4


async def test_reserved_fields(registry: Registry) -> None:
    def reserved(*names: str) -> dict[str, Json]:
        return {"properties": {"confluent:reserved": " , ".join(names)}}

    await registry.put("/config/a", {"validateFields": True, "compatibility": "NONE"})
    await registry.register("a", ONE, metadata=reserved("x", "y"))
    message = await registry.refuse_registration(40901, "a", WITH_DEFAULT, metadata=reserved("x"))
    assert "RESERVED_FIELD_REMOVED\", description:\"The reserved field name 'y'" in message
    assert message.endswith("{validateFields: 'true', compatibility: 'NONE'}]")
    message = await registry.refuse_registration(40901, "a", record("R", "a:int", "x:int=0"))
    assert "FIELD_CONFLICTS_WITH_RESERVED_FIELD" in message
    path = "/compatibility/subjects/a/versions/1?verbose=true"
    body = {"schema": record("R", "x:int=0"), "metadata": reserved("x")}
    assert len((await registry.post(path, body))["messages"]) == 3
    assert (await registry.register("a", WITH_DEFAULT, metadata=reserved("x", "y", "z")))["version"] == 2
    await registry.put("/config/a", {"validateFields": False})
    assert (await registry.register("a", record("R", "x:int=0"), metadata={"properties": {}}))["version"] == 3


async def test_json_properties_with_two_dollars_are_refused_with_validate_fields(registry: Registry) -> None:
    text = json.dumps({"type": "object", "properties": {"$$x": {}}})
    await registry.register("a", text, schemaType="JSON")
    await registry.put("/config/b", {"validateFields": True})
    assert "$$x" in await registry.refuse_registration(42201, "b", text, schemaType="JSON")


async def test_a_stored_version_that_no_longer_parses_is_told_not_raised(registry: Registry) -> None:
    """A referenced version that vanished cannot arise through the door; the database was restored wrongly, say."""
    await registry.register("part", record("P", "a:int"))
    await registry.register("a", record("W", "p:P"), references=[{"name": "P", "subject": "part", "version": 1}])
    async with registry.store.transaction() as writer:
        await writer.delete_versions(Subject(".", "part"), [1])
    answer = await registry.post("/compatibility/subjects/a/versions?verbose=true", {"schema": ONE})
    assert answer["is_compatible"] is False
    assert "UNREADABLE_VERSION" in answer["messages"][0]
