"""Registering, step by step (rest-api 4.3 and section 5.2, 5.3): ids, versions, repeats, refusals, the log."""

from __future__ import annotations

import pytest

from llm_schema_registry.registry.operation import Policy
from registry_client import NOW, OpenRegistry, Registry, compact, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")
THREE = record("R", "a:int", "b:int=0", "c:int=0")
BROKEN = record("R", "a:int", "z:int")


async def test_the_answer_has_all_members_of_the_8_x_shape(registry: Registry) -> None:
    answer = await registry.register(
        "a",
        ONE,
        metadata={"properties": {"owner": "search"}},
        ruleSet={"domainRules": [{"name": "r", "type": "CEL"}]},
    )
    assert answer == {
        "id": 1,
        "version": 1,
        "guid": answer["guid"],
        "schemaType": "AVRO",
        "metadata": {"properties": {"owner": "search"}},
        "ruleSet": {"domainRules": [{"name": "r", "kind": "TRANSFORM", "mode": "WRITEREAD", "type": "CEL"}]},
        "schema": compact(ONE),
        "ts": NOW + 1,
        "deleted": False,
    }


async def test_ids_rise_by_context_and_versions_by_subject(registry: Registry) -> None:
    assert [(await registry.register("a", text))["id"] for text in (ONE, TWO, THREE)] == [1, 2, 3]
    assert (await registry.register(":.eu:a", THREE))["id"] == 1
    assert (await registry.register("b", '"string"'))["version"] == 1
    assert await registry.get("/subjects/a/versions") == [1, 2, 3]


async def test_the_guid_is_the_same_in_every_context_and_under_every_subject(registry: Registry) -> None:
    answers = [await registry.register(subject, ONE) for subject in ("a", "b", ":.eu:a")]
    assert len({answer["guid"] for answer in answers}) == 1
    assert await registry.get(f"/schemas/guids/{answers[0]['guid']}/ids") == [
        {"context": ".", "id": 1},
        {"context": ".eu", "id": 1},
    ]
    assert await registry.get("/schemas/guids/nothing/ids") == []


async def test_only_spacing_differs_same_id_other_doc_or_order_another(registry: Registry) -> None:
    assert (await registry.register("a", ONE))["id"] == 1
    assert (await registry.register("a", ONE.replace(",", " ,\n")))["id"] == 1
    assert (await registry.register("a", record("R", "a:int", doc="what it is")))["id"] == 2


async def test_the_same_content_elsewhere_is_checked_here_and_keeps_its_id(registry: Registry) -> None:
    await registry.register("a", BROKEN)
    await registry.register("b", ONE)
    await registry.refuse_registration(40901, "b", BROKEN)
    await registry.put("/config/b", {"compatibility": "NONE"})
    answer = await registry.register("b", BROKEN)
    assert (answer["id"], answer["version"]) == (1, 2)


async def test_what_was_soft_deleted_comes_back_under_a_new_number(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.delete("/subjects/a/versions/1")
    answer = await registry.register("a", ONE)
    assert (answer["id"], answer["version"]) == (1, 2)
    assert await registry.get("/subjects/a/versions?deleted=true") == [2]


async def test_a_soft_deleted_twin_stays_while_it_is_referenced(registry: Registry) -> None:
    await registry.register("part", record("Part", "a:int"))
    await registry.register("whole", record("W", "p:Part"), references=[_reference("Part", "part", 1)])
    await registry.delete("/subjects/whole/versions/1")
    await registry.delete("/subjects/part/versions/1")
    assert (await registry.register("part", record("Part", "a:int")))["version"] == 2
    assert await registry.get("/subjects/part/versions?deleted=true") == [1, 2]


async def test_the_number_of_a_permanently_deleted_newest_version_is_used_again(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    await registry.delete("/subjects/a/versions/2")
    assert (await registry.register("a", THREE))["version"] == 3
    for number in (3, 2):
        if number == 3:
            await registry.delete("/subjects/a/versions/3")
        await registry.delete(f"/subjects/a/versions/{number}?permanent=true")
    answer = await registry.register("a", THREE)
    assert (answer["version"], answer["id"]) == (2, 4)


async def test_an_explicit_version_must_be_the_next_and_is_noted(registry: Registry) -> None:
    answer = await registry.register("a", ONE, version=1)
    assert answer["metadata"] == {"properties": {"confluent:version": "1"}}
    message = await registry.refuse_registration(42201, "a", TWO, version=3)
    assert "3" in message
    assert "2" in message
    await registry.refuse_registration(42201, "a", TWO, version=1)
    assert (await registry.register("a", TWO, version=2))["metadata"]["properties"] == {"confluent:version": "2"}
    assert "metadata" not in await registry.register("a", THREE, version=0)
    await registry.refuse_registration(400, "a", THREE, version=2**31)


async def test_repeating_an_explicitly_numbered_registration_answers_it(registry: Registry) -> None:
    first = await registry.register("a", ONE, version=1)
    assert await registry.register("a", ONE, version=1) == first
    assert await registry.register("a", ONE) == first
    second = await registry.register("a", TWO)
    assert "metadata" not in second
    assert await registry.register("a", TWO) == second


async def test_version_minus_one_compares_with_the_latest_only(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    assert (await registry.register("a", TWO, version=-1))["version"] == 2
    assert "latest" in await registry.refuse_registration(42201, "a", ONE, version=-1)
    assert (await registry.register("a", THREE, version=-1))["version"] == 3


@pytest.mark.parametrize("schema", [None, "", "  "])
async def test_an_empty_schema_is_the_previous_one(registry: Registry, schema: str | None) -> None:
    await registry.refuse_registration(42201, "a", schema)
    await registry.register("a", ONE, metadata={"properties": {"k": "1"}})
    await registry.register("a", TWO, metadata={"properties": {"k": "2"}})
    answer = await registry.register("a", schema, metadata={"properties": {"k": "3"}})
    assert (answer["id"], answer["version"], answer["schema"]) == (3, 3, compact(TWO))
    assert (await registry.register("a", schema))["version"] == 3


async def test_an_older_schema_without_metadata_is_found_again(registry: Registry) -> None:
    """An old producer registers its schema at every start; that must not make versions."""
    await registry.register("a", ONE)
    await registry.register("a", TWO, metadata={"properties": {"k": "v"}})
    assert (await registry.register("a", ONE))["version"] == 1
    assert (await registry.register("a", TWO))["version"] == 2
    assert await registry.get("/subjects/a/versions") == [1, 2]


async def test_force_skips_the_check(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.refuse_registration(40901, "a", BROKEN)
    assert (await registry.register("a", BROKEN, "?force=true"))["version"] == 2


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (422, b""),
        (422, b"null"),
        (422, b" \n"),
        (400, b"{"),
        (400, b"[]"),
        (400, b'"text"'),
        (400, b'{"schema": 5}'),
        (400, b'{"schema": "x", "references": {}}'),
        (400, b'{"schema": "x", "metadata": {"tags": []}}'),
        (400, b'{"schema": "x", "id": "x"}'),
        (400, b"\xff"),
        (42201, b"{}"),
        (42201, b'{"schema": "{"}'),
        (42201, b'{"schema": "\\"int\\"", "schemaType": "XML"}'),
        (42201, b'{"schema": "\\"int\\"", "references": [{"name": "x", "subject": "gone", "version": 1}]}'),
        (42201, b'{"schema": "\\"int\\"", "references": [{"name": "x", "version": 1}]}'),
        (42201, b'{"schema": "\\"int\\"", "references": [{"subject": "x", "version": 1}]}'),
        (42201, b'{"schema": "\\"int\\"", "references": [{"name": "x", "subject": "y", "version": 0}]}'),
        (42201, b'{"schema": "\\"int\\"", "references": [{"name": "x", "subject": "y", "version": "first"}]}'),
        (42205, b'{"schema": "\\"int\\"", "id": 7}'),
        (42210, b'{"schema": "\\"int\\"", "ruleSet": {"domainRules": [{"type": "CEL"}]}}'),
    ],
)
async def test_refusals_of_a_body_change_nothing(registry: Registry, code: int, body: bytes) -> None:
    for path in ("/subjects/a/versions", *(("/subjects/a",) if code in {400, 422} else ())):
        response = await registry.ask("POST", path, body)
        assert (response.status_code, response.json()["error_code"]) == (int(str(code)[:3]), code)
    assert await registry.get("/subjects?deleted=true") == []
    assert await registry.events() == []


async def test_null_members_are_absent_ones(registry: Registry) -> None:
    members = dict.fromkeys(
        ("schemaType", "references", "metadata", "ruleSet", "version", "id", "schemaTagsToAdd", "propagateSchemaTags")
    )
    assert (await registry.register("a", ONE, **members))["id"] == 1


@pytest.mark.parametrize("subject", ["__GLOBAL", "__EMPTY", ":.__GLOBAL:a", "a%0Ab", "a%7Fb", "a%C2%85", "a" * 1025])
async def test_some_subjects_are_refused(registry: Registry, subject: str) -> None:
    await registry.refuse_registration(42208, subject, ONE)
    await registry.refuse(42208, "PUT", f"/config/{subject}", {"compatibility": "NONE"})
    await registry.refuse(42208, "PUT", f"/mode/{subject}", {"mode": "READONLY"})


async def test_the_empty_subject_is_one(registry: Registry) -> None:
    assert (await registry.register("", ONE))["id"] == 1
    assert await registry.get("/subjects//versions") == [1]
    assert await registry.get("/subjects") == [""]
    assert (await registry.post("/subjects/", {"schema": ONE}))["version"] == 1
    assert await registry.delete("/subjects/") == [1]


async def test_too_large_a_schema(open_registry: OpenRegistry) -> None:
    registry = await open_registry(Policy(max_schema_bytes=100))
    await registry.refuse_registration(42209, "a", record("R", "a:int", doc="x" * 100))
    await registry.refuse(42209, "POST", "/compatibility/subjects/a/versions", {"schema": " " * 101})


async def test_one_registration_is_one_event_and_a_repeat_or_refusal_none(registry: Registry) -> None:
    response = await registry.ask("POST", "/subjects/a/versions", {"schema": ONE}, {"x-request-id": "request-7"})
    assert response.status_code == 200
    [event] = await registry.events()
    assert (event.type, str(event.subject), event.version, event.schema_id) == ("VERSION_REGISTERED", "a", 1, 1)
    assert (event.request_id, event.actor, event.details) == ("request-7", "anonymous", {"type": "AVRO"})
    await registry.register("a", ONE)
    await registry.refuse_registration(40901, "a", BROKEN)
    await registry.refuse_registration(42201, "a", "{")
    assert len(await registry.events()) == 1
    await registry.register("b", ONE)
    await registry.delete("/subjects/a/versions/1")
    await registry.register("a", ONE)
    assert await registry.event_lines(1) == [
        "VERSION_REGISTERED b/1",
        "VERSION_SOFT_DELETED a/1",
        "VERSION_REGISTERED a/2",
        "VERSION_DELETED a/1",
    ]


async def test_an_owner_may_be_required(open_registry: OpenRegistry) -> None:
    registry = await open_registry(Policy(requires_owner=True))
    assert "owner" in await registry.refuse_registration(42201, "a", ONE)
    owned = {"properties": {"owner": "search"}}
    assert (await registry.register("a", ONE, metadata=owned))["metadata"] == owned
    assert (await registry.register("a", TWO))["metadata"] == owned
    await registry.refuse_registration(42201, "a", THREE, metadata={"properties": {"k": "v"}})


def _reference(name: str, subject: str, version: int) -> dict[str, object]:
    return {"name": name, "subject": subject, "version": version}
