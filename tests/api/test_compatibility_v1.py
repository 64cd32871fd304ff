"""Reports under `/v1/compatibility`: a rehearsed registration, or versions that were named; levels and policies."""

from __future__ import annotations

import json

from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy
from llm_schema_registry.registry.operation import Policy
from llm_schema_registry.store.sql import SqlStore
from registry_client import Json, Registry, record

ONE = record("R", "a:long")
TWO = record("R", "a:long", "b:int=0")
BROKEN = record("R", "a:int", "z:int")


async def check(registry: Registry, definition: str, query: str = "", **members: Json) -> Json:
    body = {"subject": "s", "definition": definition, **members}
    return await registry.post(f"/v1/compatibility{query}", body)


async def test_a_report_says_what_breaks_where_and_how_to_mend_it(registry: Registry) -> None:
    await registry.register("s", ONE)
    await registry.register("s", TWO)
    report = await check(registry, BROKEN)
    assert report["is_compatible"] is False
    assert (report["subject"], report["version"], report["is_registered"]) == ("s", None, False)
    assert (report["level"], report["policy"], report["compared_versions"]) == ("BACKWARD", "STRICT", [2])
    assert report["hazards_complete"] is True
    kinds = {finding["kind"]: finding for finding in report["findings"]}
    assert kinds.keys() >= {"TYPE_MISMATCH", "READER_FIELD_MISSING_DEFAULT_VALUE"}
    missing = kinds["READER_FIELD_MISSING_DEFAULT_VALUE"]
    assert (missing["severity"], missing["direction"], missing["version"]) == ("breaking", "BACKWARD", 2)
    assert missing["remedy"]
    assert missing["explanation"]
    confluent = await registry.post("/compatibility/subjects/s/versions?verbose=true", {"schema": BROKEN})
    assert report["messages"] == confluent["messages"]
    assert missing["message"] in confluent["messages"]


async def test_breaking_findings_come_first(registry: Registry) -> None:
    await registry.register("s", '{"type":"object","title":"a"}', schemaType="JSON")
    report = await check(registry, '{"type":"object","title":"b","maxProperties":1}', schema_type="JSON")
    severities = [finding["severity"] for finding in report["findings"]]
    assert severities == sorted(severities, key=["breaking", "hazard", "info"].index)
    assert {"breaking", "info"} <= set(severities)


async def test_a_rehearsal_leaves_nothing_behind(registry: Registry) -> None:
    await registry.register("s", ONE)
    events = await registry.event_lines()
    report = await check(registry, TWO, compatibility_mode="full", compatibility_policy="sound")
    assert report["is_compatible"] is True
    assert (report["version"], report["is_registered"]) == (2, False)
    assert (report["level"], report["policy"]) == ("FULL", "SOUND")
    assert await registry.event_lines() == events
    assert await registry.get("/subjects/s/versions") == [1]
    assert await registry.refuse(40408, "GET", "/config/s")
    assert (await registry.register("s", TWO))["version"] == 2


async def test_what_is_registered_is_told_so(registry: Registry) -> None:
    await registry.register("s", ONE)
    report = await check(registry, ONE)
    assert (report["is_compatible"], report["version"], report["is_registered"]) == (True, 1, True)
    fresh = await check(registry, ONE, subject="t")
    assert (fresh["is_compatible"], fresh["version"], fresh["compared_versions"]) == (True, 1, [])


async def test_a_rehearsal_is_refused_where_a_registration_would_be(registry: Registry) -> None:
    await registry.register("s", ONE)
    await registry.put("/mode/s", {"mode": "READONLY"})
    body = {"subject": "s", "definition": TWO}
    assert "read-only" in await registry.refuse(42205, "POST", "/v1/compatibility", body)
    await registry.refuse(42201, "POST", "/v1/compatibility", {"subject": "t", "definition": "{"})
    await registry.refuse(42203, "POST", "/v1/compatibility", {**body, "compatibility_mode": "SIDEWAYS"})
    await registry.refuse(42203, "POST", "/v1/compatibility", {**body, "compatibility_policy": "SIDEWAYS"})
    await registry.refuse(400, "POST", "/v1/compatibility", {"definition": TWO})


async def test_named_versions_are_compared_all_of_them(registry: Registry) -> None:
    await registry.put("/config/s", {"compatibility": "NONE"})
    for text in (ONE, BROKEN, TWO):
        await registry.register("s", text)
    report = await check(registry, TWO, versions=[1, "2", "latest"], compatibility_mode="BACKWARD")
    assert report["compared_versions"] == [1, 2, 3]
    assert report["is_compatible"] is True
    forward = await check(registry, TWO, versions=[1, 2, 3], compatibility_mode="FORWARD")
    assert forward["is_compatible"] is False
    assert {finding["version"] for finding in forward["findings"] if finding["severity"] == "breaking"} == {2}
    assert (await check(registry, BROKEN, versions=[1]))["level"] == "NONE"
    body = {"subject": "s", "definition": TWO, "versions": [9]}
    await registry.refuse(40402, "POST", "/v1/compatibility", body)
    await registry.refuse(42202, "POST", "/v1/compatibility", {**body, "versions": ["0"]})


async def test_references_and_contexts_are_as_in_a_registration(registry: Registry) -> None:
    await registry.register(":.c:item", record("Item", "x:int"))
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "i", "type": "Item"}]})
    reference = {"name": "Item", "subject": "item", "version": "latest"}
    body = {"subject": "s", "definition": text, "references": [reference]}
    report = await registry.post("/contexts/.c/v1/compatibility", body)
    assert (report["is_compatible"], report["subject"]) == (True, ":.c:s")
    await registry.refuse(42201, "POST", "/v1/compatibility", body)


async def test_normalising_is_asked_for_in_the_query(registry: Registry) -> None:
    await registry.register("s", '{"type":"object","title":"t"}', schemaType="JSON")
    text = '{"title":"t","type":"object"}'
    assert (await check(registry, text, schema_type="JSON"))["is_registered"] is False
    await registry.register("n", '{"type":"object","title":"t"}', "?normalize=true", schemaType="JSON")
    body = {"subject": "n", "definition": text, "schema_type": "JSON"}
    assert (await registry.post("/v1/compatibility?normalize=true", body))["is_registered"] is True


async def test_older_versions_are_warned_of_where_the_level_does_not_ask(registry: Registry) -> None:
    """v3 may follow v2 but cannot read v1 (compatibility-rules 5.1, A14)."""
    await registry.register("s", record("R", "a:int"))
    await registry.register("s", record("R", "a:int", "b:int=0"))
    report = await check(registry, record("R", "a:int", "b:int"))
    assert report["is_compatible"] is True
    assert report["compared_versions"] == [2]
    (warning,) = [finding for finding in report["findings"] if finding["severity"] == "hazard"]
    assert (warning["kind"], warning["version"]) == ("READER_FIELD_MISSING_DEFAULT_VALUE", 1)
    transitive = await check(registry, record("R", "a:int", "b:int"), compatibility_mode="BACKWARD_TRANSITIVE")
    assert (transitive["is_compatible"], transitive["compared_versions"]) == (False, [2, 1])


async def test_the_server_has_a_policy_of_its_own(store: SqlStore) -> None:
    registry = Registry(store, Policy(default_policy=CompatibilityPolicy.SOUND, default_level=CompatibilityLevel.FULL))
    assert (await check(registry, ONE))["policy"] == "SOUND"
    await registry.put("/config", {"compatibilityPolicy": "lenient"})
    assert (await check(registry, ONE))["policy"] == "LENIENT"
    await registry.put("/config/s", {"compatibilityPolicy": "SOUND"})
    assert (await check(registry, ONE))["policy"] == "SOUND"
    await registry.close()


async def test_a_pair_that_takes_too_long_is_refused_with_what_was_decided(store: SqlStore) -> None:
    """Rings of records of different length have their product in pairs."""

    def ring(length: int, leaf: str) -> str:
        inner: object = "P0"
        for number in reversed(range(length)):
            fields = [{"name": "next", "type": inner}, {"name": "v", "type": leaf}]
            inner = {"type": "record", "name": f"P{number}", "fields": fields}
        return json.dumps(inner)

    registry = Registry(store, Policy(compare_seconds=0.005, default_level=CompatibilityLevel.BACKWARD_TRANSITIVE))
    await registry.put("/config", {"compatibility": "NONE"})
    await registry.register("s", ring(60, "long"))
    await registry.register("s", ring(61, "int"))
    await registry.put("/config", {"compatibility": None})
    told = await registry.refuse_registration(42212, "s", ring(61, "long"))
    assert "Version 1: The two schemas are too complex to compare: more than 5 ms of CPU time" in told
    assert "Decided until then: versions compared: 2; found: nothing" in told
    body = {"subject": "s", "definition": ring(61, "long")}
    assert "too complex" in await registry.refuse(42212, "POST", "/v1/compatibility", body)
    assert await registry.get("/subjects/s/versions") == [1, 2]
    await registry.close()


async def test_logical_asks_for_tables_beside_the_native_checks(registry: Registry) -> None:
    """At every level, of all the versions that it names (compatibility-rules 1.5)."""
    await registry.put("/config/s", {"compatibility": "NONE"})
    for text in (record("R", "a:string"), record("R", "a:int"), record("R", "a:int", "b:int=0")):
        await registry.register("s", text)
    await registry.put("/config/s", {"compatibility": "BACKWARD", "compatibilityPolicy": "LOGICAL"})
    narrowed = record("R", "a:int")
    assert (await check(registry, narrowed, compatibility_policy="STRICT"))["is_compatible"] is True
    report = await check(registry, record("R", "b:int=0"))
    assert report["policy"] == "LOGICAL"
    assert [finding["kind"] for finding in report["findings"] if finding["severity"] == "breaking"]
    assert all(finding["version"] == 3 for finding in report["findings"])
    assert "compatibilityPolicy STRICT does not ask for tables." in report["findings"][0]["remedy"]
    transitive = await check(registry, record("R", "a:long", "b:int=0"), compatibility_mode="BACKWARD_TRANSITIVE")
    logical = {finding["version"] for finding in transitive["findings"] if "table" in finding["explanation"]}
    assert 1 in logical
    one = await check(registry, record("R", "b:int=0"), versions=[3])
    assert one["is_compatible"] is False
    alone = await check(registry, '{"type":"record","name":"R","fields":[]}', compatibility_mode="NONE")
    assert (alone["is_compatible"], alone["compared_versions"]) == (False, [])
    message = await registry.refuse_registration(40901, "s", record("R", "b:int=0"))
    assert "category:" in message


async def test_confluents_answers_lead_to_the_report(registry: Registry) -> None:
    await registry.register("s", ONE)
    refused = await registry.ask("POST", "/subjects/s/versions", {"schema": BROKEN})
    assert refused.status_code == 409
    target, relation = refused.headers["link"].split("; ")
    assert relation == 'rel="describedby"'
    report = await registry.get(target.strip("<>"))
    assert (report["subject"], report["is_compatible"], report["compared_versions"]) == ("s", False, [1])
    assert {finding["kind"] for finding in report["findings"]} >= {"TYPE_MISMATCH"}
    assert all(finding["message"] in refused.json()["message"] for finding in report["findings"])

    checked = await registry.ask("POST", "/compatibility/subjects/s/versions", {"schema": BROKEN})
    assert checked.json() == {"is_compatible": False}
    assert (await registry.get(checked.headers["link"].split(">")[0][1:]))["messages"] == report["messages"]

    body = {"definition": BROKEN}
    assert "link" in (await registry.ask("POST", "/v1/subjects/s/versions", body)).headers
    fine = await registry.ask("POST", "/subjects/s/versions", {"schema": TWO})
    assert fine.status_code == 200
    assert "link" not in fine.headers


async def test_a_refusal_names_the_subject_that_an_alias_stands_for(registry: Registry) -> None:
    await registry.register("s", ONE)
    await registry.put("/config/t", {"alias": "s"})
    assert 'for subject "s"' in await registry.refuse_registration(40901, "t", BROKEN)


async def test_impact_looks_at_those_who_refer_to_the_subject(registry: Registry) -> None:
    await registry.register("item", record("Item", "x:int"))
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "i", "type": "Item"}]})
    await registry.register("s", text, references=[{"name": "Item", "subject": "item", "version": 1}])
    await registry.put("/config/item", {"compatibility": "NONE"})
    report = await check(registry, record("Item", "x:string"), subject="item", impact=True)
    assert report["is_compatible"] is True
    assert report["impact"]["is_harmless"] is False
    (dependant,) = report["impact"]["dependants"]
    assert (dependant["subject"], dependant["outcome"]) == ("s", "incompatible")
    assert dependant["report"]["findings"][0]["kind"] == "TYPE_MISMATCH"
    assert (await check(registry, record("Item", "x:int"), subject="item"))["impact"] is None


def message(*fields: str) -> str:
    return 'syntax = "proto3"; message M { ' + " ".join(f"{field};" for field in fields) + " }"


async def test_a_number_that_an_earlier_version_used_otherwise_is_remembered(registry: Registry) -> None:
    """Though the latest version does not know it any more (compatibility-rules 5.3, P6)."""
    for fields in (("int32 a = 1", "string b = 2"), ("int32 a = 1",)):
        await registry.register("s", message(*fields), schemaType="PROTOBUF")
    again = message("int32 a = 1", "int32 c = 2")
    report = await check(registry, again, schema_type="PROTOBUF")
    assert report["is_compatible"] is True
    reused = {finding["kind"]: finding for finding in report["findings"]}["WIRE_NUMBER_REUSED"]
    assert (reused["severity"], reused["reader"]["path"]) == ("hazard", "M.c")
    sound = await check(registry, again, schema_type="PROTOBUF", compatibility_policy="SOUND")
    assert sound["is_compatible"] is False
    await registry.put("/config/s", {"compatibilityPolicy": "SOUND"})
    told = await registry.refuse_registration(40901, "s", again, schemaType="PROTOBUF")
    assert "WIRE_NUMBER_REUSED" in told


async def test_hazards_are_never_silent(registry: Registry) -> None:
    """Confluent's answer says fine; its Link says what may be lost."""
    await registry.register("s", message("int64 a = 1"), schemaType="PROTOBUF")
    response = await registry.ask(
        "POST", "/subjects/s/versions", {"schema": message("int32 a = 1"), "schemaType": "PROTOBUF"}
    )
    assert response.status_code == 200
    report = await registry.get(response.headers["link"].split(">")[0][1:])
    assert report["is_compatible"] is True
    assert {finding["severity"] for finding in report["findings"]} == {"hazard"}
    assert all(finding["sample"] and finding["outcome"] for finding in report["findings"])
