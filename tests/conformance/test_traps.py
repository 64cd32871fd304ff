"""The checklist of traps (rest-api section 14): one test each, named after its trap."""

from __future__ import annotations

import base64
import uuid

import pytest

from llm_schema_registry.model import Subject
from llm_schema_registry.rest.app import Options
from registry_client import NOW, OpenRegistry, Registry, compact, record

V1 = "application/vnd.schemaregistry.v1+json"
ONE = record("R", "a:int")
WIDER = record("R", "a:int", "b:int=0")
BROKEN = record("R", "a:int", "c:int")


async def test_01_put_config_says_compatibility_and_get_says_compatibility_level(registry: Registry) -> None:
    for path in ("/config", "/config/orders"):
        assert await registry.put(path, {"compatibility": "FULL"}) == {"compatibility": "FULL"}
        assert await registry.get(path) == {"compatibilityLevel": "FULL"}
        assert await registry.delete(path) == {"compatibilityLevel": "FULL"}


async def test_02_register_answers_200_and_deleting_a_context_204(registry: Registry) -> None:
    assert (await registry.ask("POST", "/subjects/a/versions", {"schema": ONE})).status_code == 200
    response = await registry.ask("DELETE", "/contexts/.eu")
    assert (response.status_code, response.content) == (204, b"")


async def test_03_incompatible_is_40901_or_by_switch_409(registry: Registry, open_registry: OpenRegistry) -> None:
    await registry.register("a", ONE)
    await registry.refuse_registration(40901, "a", BROKEN)
    older = await open_registry(options=Options(legacy_409_code=True))
    await older.register("a", ONE)
    await older.refuse_registration(409, "a", BROKEN)


async def test_04_lookup_is_a_post_without_versions(registry: Registry) -> None:
    await registry.refuse(40401, "POST", "/subjects/a", {"schema": ONE})
    await registry.register("a", ONE)
    await registry.refuse(40403, "POST", "/subjects/a", {"schema": WIDER})
    found = await registry.post("/subjects/a", {"schema": ONE})
    assert (found["subject"], found["version"], found["id"]) == ("a", 1, 1)


async def test_05_what_is_missing_has_a_code_of_its_own(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.refuse(40401, "GET", "/subjects/b/versions/1")
    await registry.refuse(40402, "GET", "/subjects/a/versions/2")
    await registry.refuse(40403, "GET", "/schemas/ids/9")
    await registry.refuse(40408, "GET", "/config/a")
    await registry.refuse(40409, "GET", "/mode/a")
    await registry.refuse(42202, "GET", "/subjects/a/versions/0")


async def test_06_latest_skips_deleted_versions_even_when_they_are_asked_for(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("a", WIDER)
    await registry.delete("/subjects/a/versions/2")
    assert (await registry.get("/subjects/a/versions/latest?deleted=true"))["version"] == 1
    await registry.delete("/subjects/a/versions/1")
    assert "Version -1 not found" in await registry.refuse(40402, "GET", "/subjects/a/versions/latest?deleted=true")


async def test_07_soft_then_permanent_and_the_counter_counts_what_is_soft_deleted(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.refuse(40407, "DELETE", "/subjects/a/versions/1?permanent=true")
    await registry.refuse(40405, "DELETE", "/subjects/a?permanent=true")
    assert await registry.delete("/subjects/a/versions/1") == 1
    assert (await registry.get("/schemas/ids/1"))["schema"] == compact(ONE)
    assert (await registry.register("a", WIDER))["version"] == 2
    assert await registry.delete("/subjects/a/versions/1?permanent=true") == 1
    await registry.refuse(40403, "GET", "/schemas/ids/1")


async def test_08_registering_again_is_idempotent_and_not_checked(registry: Registry) -> None:
    first = await registry.register("a", ONE)
    await registry.put("/config/a", {"compatibility": "NONE"})
    await registry.register("a", BROKEN)
    await registry.put("/config/a", {"compatibility": "FULL_TRANSITIVE"})
    assert await registry.register("a", ONE) == first
    assert await registry.get("/subjects/a/versions") == [1, 2]


async def test_09_same_text_same_id_other_metadata_other_id(registry: Registry) -> None:
    one = await registry.register("a", ONE)
    two = await registry.register("b", ONE)
    assert (one["id"], one["guid"]) == (two["id"], two["guid"])
    three = await registry.register("a", ONE, metadata={"properties": {"k": "v"}})
    assert (three["id"], three["version"]) == (2, 2)
    assert three["guid"] != one["guid"]


async def test_10_base64_protobuf_in_serialized_out(registry: Registry) -> None:
    text = 'syntax = "proto3"; package a; message M { int32 x = 1; }'
    await registry.register("text", text, schemaType="PROTOBUF")
    serialized = (await registry.get("/schemas/ids/1?format=serialized"))["schema"]
    assert b"M" in base64.b64decode(serialized, validate=True)
    again = await registry.register("binary", serialized, schemaType="PROTOBUF")
    assert again["id"] == 1
    assert again["schema"] == serialized
    assert (await registry.get("/schemas/ids/1"))["schema"].startswith('syntax = "proto3";')
    for path in ("/subjects/binary/versions/1", "/subjects/binary/versions/latest", f"/schemas/guids/{again['guid']}"):
        assert (await registry.get(f"{path}?format=serialized"))["schema"] == serialized


async def test_11_associations_answer_an_empty_list_and_guids_exist(registry: Registry) -> None:
    query = "resourceType=topic&associationType=value&offset=0&limit=-1"
    for path in (
        "/associations/resources/-/orders",
        "/associations/resources/lkc-1/a%2Fb",
        "/associations/resources/x",
    ):
        assert await registry.get(f"{path}?{query}") == []
    assert await registry.get("/associations/subjects/orders-value") == []
    guid = (await registry.register("a", ONE))["guid"]
    assert str(uuid.UUID(guid)) == guid
    found = await registry.get(f"/schemas/guids/{guid}")
    assert (found["guid"], found["schema"], found["schemaType"]) == (guid, compact(ONE), "AVRO")
    assert "subject" not in found
    assert "version" not in found


async def test_12_verbose_turns_an_invalid_schema_into_a_200(registry: Registry) -> None:
    for path in ("/compatibility/subjects/a/versions", "/compatibility/subjects/a/versions/latest"):
        message = await registry.refuse(42201, "POST", path, {"schema": "{"})
        answer = await registry.post(f"{path}?verbose=true", {"schema": "{"})
        assert answer == {"is_compatible": False, "messages": [message]}


async def test_13_messages_only_when_verbose_not_json_trailing_items_last(registry: Registry) -> None:
    await registry.register("a", ONE)
    path = "/compatibility/subjects/a/versions/1"
    assert await registry.post(path, {"schema": BROKEN}) == {"is_compatible": False}
    assert await registry.post(f"{path}?verbose=true", {"schema": WIDER}) == {"is_compatible": True, "messages": []}
    answer = await registry.post(f"{path}?verbose=true", {"schema": BROKEN})
    finding, *tail = answer["messages"]
    assert finding.startswith("{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'")
    assert tail == [
        "{oldSchemaVersion: 1}",
        f"{{oldSchema: '{compact(ONE)}'}}",
        "{validateFields: 'false', compatibility: 'BACKWARD'}",
    ]
    refused = await registry.refuse_registration(40901, "a", BROKEN)
    assert refused == (
        'Schema being registered is incompatible with an earlier schema for subject "a", details: '
        f"[{', '.join(answer['messages'])}]"
    )


@pytest.mark.parametrize("media_type", [None, "application/octet-stream", "application/json; charset=utf-8", V1])
async def test_14_booleans_of_python_encoded_slashes_and_types_of_bodies(
    registry: Registry, media_type: str | None
) -> None:
    headers = {"content-type": media_type} if media_type else {}
    answer = await registry.ask("POST", "/subjects/a%2Fb/versions?normalize=False", {"schema": ONE}, headers)
    assert answer.status_code == 200
    assert await registry.get("/subjects?deleted=True") == ["a/b"]
    await registry.delete("/subjects/a%2Fb")
    for yes in ("true", "True", "TRUE"):
        assert await registry.get(f"/subjects?deleted={yes}") == ["a/b"]
    for no in ("false", "False", "", "1", "yes", "junk"):
        assert await registry.get(f"/subjects?deleted={no}") == []


async def test_15_every_refusal_of_the_transport_is_json_with_two_keys(registry: Registry) -> None:
    assert await registry.refuse(404, "GET", "/nowhere") == "HTTP 404 Not Found"
    assert await registry.refuse(404, "GET", "/schemas/ids/abc") == "HTTP 404 Not Found"
    assert await registry.refuse(404, "GET", "/subjects?offset=x") == "HTTP 404 Not Found"
    assert await registry.refuse(405, "PATCH", "/subjects") == "HTTP 405 Method Not Allowed"
    refused = await registry.ask("GET", "/subjects", headers={"accept": "text/html"})
    assert (refused.status_code, refused.json()) == (
        406,
        {"error_code": 406, "message": "HTTP 406 Not Acceptable"},
    )
    refused = await registry.ask("POST", "/subjects/a/versions", {"schema": ONE}, {"content-type": "text/plain"})
    assert (refused.status_code, refused.json()) == (
        415,
        {"error_code": 415, "message": "HTTP 415 Unsupported Media Type"},
    )


async def test_16_the_defaults_of_subject_prefix_differ(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register(":.eu:b", ONE)
    assert await registry.get("/subjects") == [":.eu:b", "a"]
    assert await registry.get("/subjects?subjectPrefix=") == ["a"]
    assert [row["subject"] for row in await registry.get("/schemas")] == ["a"]
    assert [row["subject"] for row in await registry.get("/schemas?subjectPrefix=:*:")] == [":.eu:b", "a"]


async def test_17_schemas_are_capped_and_paged_by_offset(registry: Registry) -> None:
    subject = Subject(".", "many")
    await registry.register("many", ONE)
    async with registry.store.transaction(lock=[subject]) as writer:
        # A thousand registrations through the door would tell no more.
        for number in range(2, 1003):
            await writer.add_version(subject, number, 1, registered_at=NOW, registered_by="test")
    for query in ("", "?limit=0", "?limit=-5", "?limit=1001", "?limit=1000"):
        page = await registry.ask("GET", f"/schemas{query}")
        assert len(page.json()) == 1000
    assert page.headers["link"] == '<?limit=1000&offset=1000>; rel="next"'
    assert [row["version"] for row in await registry.get("/schemas?offset=1000")] == [1001, 1002]
    assert len(await registry.get("/subjects/many/versions")) == 1002


async def test_18_referencedby_answers_ids_and_versions_of_an_id_pairs(registry: Registry) -> None:
    await registry.register("part", record("Part", "a:int"))
    reference = [{"name": "Part", "subject": "part", "version": 1}]
    await registry.register("whole", record("Whole", "p:Part"), references=reference)
    assert await registry.get("/subjects/part/versions/1/referencedby") == [2]
    assert await registry.get("/schemas/ids/2/versions") == [{"subject": "whole", "version": 1}]
    assert await registry.get("/schemas/ids/2/subjects") == ["whole"]


async def test_19_unknown_properties_are_ignored_unknown_enum_values_400(registry: Registry) -> None:
    await registry.register("a", ONE, somethingNew={"x": [1]})
    for rule in ({"kind": "NEW"}, {"mode": "NEW"}):
        rules = {"domainRules": [{"name": "r", "type": "CEL", **rule}]}
        await registry.refuse_registration(400, "a", WIDER, ruleSet=rules)
    await registry.refuse_registration(400, "a", WIDER, ruleSet={"enableAt": "NEW"})


async def test_20_absent_and_empty_members_are_dropped_false_is_kept(registry: Registry) -> None:
    answer = await registry.register("a", ONE, references=[], metadata={"tags": {}, "properties": {}})
    assert set(answer) == {"id", "version", "guid", "schemaType", "schema", "ts", "deleted"}
    assert answer["deleted"] is False
    assert await registry.put("/config/a", {"normalize": False}) == {"normalize": False}
    await registry.refuse(404, "POST", "/associations:batchGet", {})


async def test_21_what_never_changes_is_immutable_and_the_rest_is_asked_for_again(registry: Registry) -> None:
    guid = (await registry.register("a", ONE))["guid"]
    for path in ("/schemas/ids/1", "/schemas/ids/1/schema", f"/schemas/guids/{guid}"):
        response = await registry.ask("GET", path)
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        known = await registry.ask("GET", path, headers={"if-none-match": response.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
    for path in (
        "/subjects/a/versions/latest",
        "/subjects/a/versions/1",
        "/subjects/a/versions",
        "/subjects",
        "/schemas",
        "/schemas/ids/1/versions",
        "/schemas/ids/1?fetchMaxId=true",
    ):
        response = await registry.ask("GET", path)
        assert response.headers["cache-control"] == "no-cache"
        assert "etag" in response.headers
