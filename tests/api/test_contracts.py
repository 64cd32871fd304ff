"""Reference data and policies over HTTP, and what they do to schemas and payloads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_registry.registry import documents
from registry_client import Registry

EVENT = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "mail": {"type": "string", "confluent:tags": ["PII"]},
    },
}
KNOWN = {"name": "known", "kind": "CONDITION", "type": "CEL", "expr": "message.model in catalog('models')"}
DATA = "/v1/reference-data/models"
POLICY = "/v1/policies/pii"
OF_VERSION = "/v1/subjects/security.s/versions/latest/validate"


def body(*rules: dict[str, Any], schema: object = EVENT) -> dict[str, Any]:
    return {"schema": json.dumps(schema), "schemaType": "JSON", "ruleSet": {"domainRules": list(rules)}}


async def put(registry: Registry, path: str, document: dict[str, Any]) -> tuple[int, Any]:
    answer = await registry.ask("PUT", path, document)
    return answer.status_code, answer.json()


async def test_reference_data_has_versions(registry: Registry) -> None:
    status, first = await put(registry, DATA, {"entries": ["a"]})
    assert (status, first["version"], first["changed_by"]) == (200, 1, "anonymous")
    assert (await put(registry, DATA, {"entries": ["a"]}))[1]["version"] == 1
    assert (await put(registry, DATA, {"entries": ["a", {"id": "b"}]}))[1]["version"] == 2
    newest = await registry.get(DATA)
    assert newest["entries"] == ["a", {"id": "b"}]
    assert (await registry.get(f"{DATA}?version=1"))["entries"] == ["a"]
    [listed] = await registry.get("/v1/reference-data")
    assert "entries" not in listed
    assert (listed["name"], listed["version"]) == ("models", 2)
    assert "3" in await registry.refuse(40412, "GET", f"{DATA}?version=3")
    assert (await registry.ask("DELETE", DATA)).status_code == 204
    await registry.refuse(40412, "GET", DATA)
    await registry.refuse(40412, "DELETE", DATA)
    assert [event.type for event in await registry.events()] == ["DOCUMENT_CHANGED"] * 2 + ["DOCUMENT_DELETED"]


@pytest.mark.parametrize("entries", [[1], [None], ["x" * (2 * 1024 * 1024)], [[]], ["x"] * 20_000])
async def test_reference_data_that_no_rule_could_use_is_refused(registry: Registry, entries: list[object]) -> None:
    await registry.refuse(42216, "PUT", DATA, {"entries": entries})


async def test_there_is_a_bound_on_documents(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 2)
    for name in "ab":
        await put(registry, f"/v1/reference-data/{name}", {"entries": []})
    assert "2 documents" in await registry.refuse(42216, "PUT", "/v1/reference-data/c", {"entries": []})
    assert (await put(registry, "/v1/reference-data/a", {"entries": ["x"]}))[0] == 200


async def test_a_rule_asks_reference_data_as_it_is_now(registry: Registry) -> None:
    message = await registry.refuse(42210, "POST", "/subjects/security.s/versions", body(KNOWN))
    assert "models" in message
    await put(registry, DATA, {"entries": ["a"]})
    await registry.post("/subjects/security.s/versions", body(KNOWN))
    assert (await registry.ask("POST", OF_VERSION, {"model": "a"})).status_code == 200
    assert (await registry.ask("POST", OF_VERSION, {"model": "b"})).status_code == 422
    await put(registry, DATA, {"entries": ["a", "b"]})
    assert (await registry.ask("POST", OF_VERSION, {"model": "b"})).status_code == 200


async def test_a_policy_holds_for_the_subjects_with_its_prefix(registry: Registry) -> None:
    status, policy = await put(registry, POLICY, {"subject_prefix": "security.", "tag": "PII", "requirement": "MASKED"})
    assert (status, policy["level"], policy["version"]) == (200, "STRICT", 1)
    message = await registry.refuse(42215, "POST", "/subjects/security.s/versions", body())
    assert "mail" in message
    assert "pii" in message
    await registry.post("/subjects/other/versions", body())
    mask = {"name": "mask", "kind": "TRANSFORM", "type": "CEL_FIELD", "tags": ["PII"], "expr": "'***'", "mode": "WRITE"}
    await registry.post("/subjects/security.s/versions", body(mask))
    assert await registry.get("/v1/policies") == [policy]
    assert await registry.get(POLICY) == policy
    assert (await registry.ask("DELETE", POLICY)).status_code == 204
    await registry.refuse(40412, "GET", POLICY)
    await registry.post("/subjects/security.t/versions", body())


async def test_a_payload_must_be_protected_as_the_policy_says(registry: Registry) -> None:
    await registry.post("/subjects/security.s/versions", body())
    await put(registry, POLICY, {"subject_prefix": "security.", "tag": "PII", "requirement": "ABSENT"})
    answer = await registry.ask("POST", OF_VERSION, {"mail": "ann@example.org"})
    assert answer.status_code == 422
    [violation] = answer.json()["violations"]
    assert (violation["kind"], violation["path"], violation["source"]) == ("NOT_PROTECTED", "/mail", "SENSITIVITY")
    assert "ann" not in answer.text
    await put(registry, POLICY, {"subject_prefix": "security.", "tag": "PII", "requirement": "ABSENT", "level": "WARN"})
    assert (await registry.ask("POST", OF_VERSION, {"mail": "ann@example.org"})).status_code == 200


MASK = {"name": "mask", "kind": "TRANSFORM", "type": "CEL_FIELD", "tags": ["PII"], "expr": "'***'", "mode": "WRITE"}
ENCRYPT = {"name": "encrypt", "kind": "TRANSFORM", "type": "ENCRYPT", "tags": ["PII"], "mode": "WRITEREAD"}


async def test_what_is_written_is_protected_as_its_rules_leave_it(registry: Registry) -> None:
    await put(registry, POLICY, {"subject_prefix": "security.", "tag": "PII", "requirement": "MASKED"})
    await registry.post("/subjects/security.s/versions", body(MASK))
    plain, masked = {"mail": "ann@example.org"}, {"mail": "***"}
    assert (await registry.post(OF_VERSION, plain))["payload"] == masked
    assert (await registry.ask("POST", f"{OF_VERSION}?mode=READ", masked)).status_code == 200
    answer = await registry.ask("POST", f"{OF_VERSION}?mode=READ", plain)
    assert [each["kind"] for each in answer.json()["violations"]] == ["NOT_PROTECTED"]


async def test_what_a_client_encrypts_is_plain_before_it_is_written(registry: Registry) -> None:
    await put(registry, POLICY, {"subject_prefix": "security.", "tag": "PII", "requirement": "ENCRYPTED"})
    sent = body()
    sent["ruleSet"] = {"encodingRules": [ENCRYPT]}
    await registry.post("/subjects/security.s/versions", sent)
    plain = {"mail": "ann@example.org"}
    assert (await registry.ask("POST", OF_VERSION, plain)).status_code == 200
    answer = await registry.ask("POST", f"{OF_VERSION}?mode=READ", plain)
    assert [each["kind"] for each in answer.json()["violations"]] == ["NOT_PROTECTED"]


@pytest.mark.parametrize(
    "document",
    [
        {"subject_prefix": "s", "tag": "PII", "requirement": "HIDDEN"},
        {"subject_prefix": "s", "tag": "", "requirement": "MASKED"},
    ],
)
async def test_a_policy_that_means_nothing_is_refused(registry: Registry, document: dict[str, Any]) -> None:
    await registry.refuse(42216, "PUT", POLICY, document)


async def test_pii_in_untagged_fields_is_a_warning_until_told_otherwise(registry: Registry) -> None:
    await registry.post("/subjects/security.s/versions", body())
    payload = {"model": "write to ann@example.org"}
    answer = await registry.ask("POST", OF_VERSION, payload)
    assert answer.status_code == 200
    [note] = answer.json()["annotations"]
    assert (note["kind"], note["path"], note["level"]) == ("PII_FOUND", "/model", "WARN")
    assert "ann@example" not in answer.text
    for level, status, noted in (("STRICT", 422, 0), ("OFF", 200, 0), ("MONITOR", 200, 0)):
        metadata = {"properties": {"validation.pii": level}}
        await registry.post("/subjects/security.s/versions", {**body(), "metadata": metadata})
        answer = await registry.ask("POST", OF_VERSION, payload)
        assert (answer.status_code, len(answer.json().get("annotations", []))) == (status, noted), level


async def test_constraints_are_kept_in_metadata_and_hold(registry: Registry) -> None:
    wrong = {"properties": {"constraints:$.model": '{"minLength": "x"}'}}
    assert "minLength" in await registry.refuse(
        42214, "POST", "/subjects/security.s/versions", {**body(), "metadata": wrong}
    )
    right = {"properties": {"constraints:$.model": '{"minLength": 3, "default": "none"}'}}
    await registry.post("/subjects/security.s/versions", {**body(), "metadata": right})
    answer = await registry.ask("POST", OF_VERSION, {"model": "m"})
    [violation] = answer.json()["violations"]
    assert (violation["kind"], violation["source"]) == ("LENGTH_OUT_OF_RANGE", "CONSTRAINT")
    filled = await registry.post(OF_VERSION, {})
    assert filled["payload"] == {"model": "none"}


async def test_all_of_a_contract_is_told_in_one_answer(registry: Registry) -> None:
    await put(registry, DATA, {"entries": ["a"]})
    await put(registry, POLICY, {"subject_prefix": "security.", "tag": "SECRET", "requirement": "ENCRYPTED"})
    await registry.ask("PUT", "/config/security.s", {"validationLevel": "WARN"})
    part = {"$id": "part", "type": "object", "properties": {"model": {"type": "string"}}}
    await registry.post("/subjects/part/versions", {"schema": json.dumps(part), "schemaType": "JSON"})
    whole = {"type": "object", "properties": {"part": {"$ref": "part"}, "model": {"type": "string"}}}
    registered = await registry.post(
        "/subjects/security.s/versions",
        body(KNOWN, schema=whole) | {"references": [{"name": "part", "subject": "part", "version": 1}]},
    )
    path = f"/v1/schemas/ids/{registered['id']}/contract"
    contract = await registry.get(path)
    assert (contract["subject"], contract["schema_type"], contract["level"]) == ("security.s", "JSON", "WARN")
    assert [each["name"] for each in contract["references"]] == ["part"]
    assert [each["name"] for each in contract["policies"]] == ["pii"]
    assert [(each["name"], each["entries"]) for each in contract["reference_data"]] == [("models", ["a"])]
    assert contract["rule_set"]["domainRules"][0]["name"] == "known"
    assert await registry.get(f"{path}?subject=security.s") == contract
    guid = (await registry.get(f"/schemas/ids/{registered['id']}"))["guid"]
    assert await registry.get(f"/v1/schemas/guids/{guid}/contract") == contract
    await registry.refuse(40403, "GET", "/v1/schemas/ids/99/contract")


async def test_what_was_found_to_be_pii_is_in_no_sample(registry: Registry) -> None:
    await registry.post("/subjects/security.s/versions", body())
    await registry.ask("POST", OF_VERSION, {"model": "write to ann@example.org"})
    [sample] = (await registry.get("/v1/violations"))["samples"]
    assert sample["payload"] == {"model": "***"}
    assert "ann" not in json.dumps(sample)


PAIR = (
    'syntax = "proto3"; package p; message A { string a = 1; } message B { string b = 1; message C { int64 c = 1; } }'
)


async def test_rules_are_about_one_of_a_files_messages(registry: Registry) -> None:
    for expression, code in (("message.a != ''", None), ("message.c > 0", None), ("message.d != ''", 42210)):
        rule = {"name": "r", "kind": "CONDITION", "type": "CEL", "expr": expression}
        sent = {"schema": PAIR, "schemaType": "PROTOBUF", "ruleSet": {"domainRules": [rule]}}
        if code is None:
            await registry.post("/subjects/security.s/versions", sent)
        else:
            assert "'p.A' has no field 'd'" in (
                await registry.refuse(code, "POST", "/subjects/security.s/versions", sent)
            ).replace("p.A has", "'p.A' has")
    constraint = {"properties": {"constraints:p.B.b": '{"minLength": 2}'}}
    await registry.post("/subjects/t/versions", {"schema": PAIR, "schemaType": "PROTOBUF", "metadata": constraint})
    # The rules fit another message than the one that is sent: nothing can be said of it.
    answer = await registry.ask("POST", f"{OF_VERSION}?message=p.B", {"b": "x"})
    assert [each["kind"] for each in answer.json()["violations"]] == ["RULE_ERROR"]


async def test_a_file_without_messages_has_nothing_to_hold_payloads_against(registry: Registry) -> None:
    rule = {"name": "r", "kind": "CONDITION", "type": "CEL", "expr": "message.a != ''"}
    sent = {
        "schema": 'syntax = "proto3"; enum E { A = 0; }',
        "schemaType": "PROTOBUF",
        "ruleSet": {"domainRules": [rule]},
    }
    await registry.post("/subjects/security.s/versions", sent)
    answer = await registry.ask("POST", OF_VERSION, {})
    assert [each["kind"] for each in answer.json()["violations"]] == ["BRANCH_UNKNOWN"]


async def test_a_policy_is_about_every_message(registry: Registry) -> None:
    await put(registry, POLICY, {"subject_prefix": "security.", "tag": "PII", "requirement": "ABSENT"})
    schema = (
        'syntax = "proto3"; import "confluent/meta.proto"; message A { string a = 1; } '
        'message B { string b = 1 [(confluent.field_meta).tags = "PII"]; }'
    )
    message = await registry.refuse(
        42215, "POST", "/subjects/security.s/versions", {"schema": schema, "schemaType": "PROTOBUF"}
    )
    assert "B.b" in message


async def test_whoever_registers_a_schema_elsewhere_softens_nothing(registry: Registry) -> None:
    await registry.post("/subjects/security.s/versions", body())
    await registry.post("/subjects/aaa/versions", body())
    await registry.ask("PUT", "/config/aaa", {"validationLevel": "MONITOR"})
    await put(registry, POLICY, {"subject_prefix": "security.", "tag": "PII", "requirement": "ABSENT"})
    path = "/v1/schemas/ids/1/validate"
    kinds = {}
    for asked in (path, f"{path}?subject=aaa", f"{path}?subject=security.s"):
        answer = await registry.ask("POST", asked, {"mail": "ann@example.org", "model": 1})
        kinds[asked] = answer.status_code
    assert kinds == {path: 422, f"{path}?subject=aaa": 200, f"{path}?subject=security.s": 422}
    answer = await registry.ask("POST", path, {"mail": "ann@example.org"})
    assert [each["kind"] for each in answer.json()["violations"]] == ["NOT_PROTECTED"]
