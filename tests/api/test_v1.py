"""Our own API under `/v1` (FR-1.2, FR-3, specification 8.1): one call registers all, and retrieval in bulk."""

from __future__ import annotations

import pytest

from llm_schema_registry.registry.operation import Policy
from llm_schema_registry.store.sql import SqlStore
from registry_client import Json, Registry, compact, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")
THREE = record("R", "a:int", "b:int=0", "c:int=0")
BROKEN = record("R", "a:int", "z:int")
WHOLE: Json = {
    "definition": ONE,
    "schema_type": "AVRO",
    "version": 1,
    "compatibility_mode": "full",
    "owner_team": "search",
    "description": "what it is",
    "tags": ["pii", "llm"],
    "documentation_url": "https://docs.example.com/r",
    "metadata": {"tags": {"R.a": ["KEY"]}, "properties": {"owner": "overruled", "k": "v"}},
    "rule_set": {"domainRules": [{"name": "r", "type": "CEL"}]},
}


async def add(registry: Registry, subject: str, definition: str, **members: Json) -> Json:
    return await registry.post(f"/v1/subjects/{subject}/versions", {"definition": definition, **members})


async def walk(registry: Registry, path: str, limit: int) -> list[str]:
    """Every row of a listing, page by page, as `subject/version`."""
    rows: list[str] = []
    cursor = ""
    while True:
        joint = "&" if "?" in path else "?"
        page = await registry.get(f"{path}{joint}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert len(page["items"]) <= limit
        rows += [f"{item['subject']}/{item['version']}" for item in page["items"]]
        if page["next"] is None:
            return rows
        cursor = page["next"]


async def test_one_call_registers_everything_and_answers_the_whole_model(registry: Registry) -> None:
    answer = await registry.post("/v1/subjects/telemetry.r/versions", WHOLE)
    assert answer == {
        "context": ".",
        "id": 1,
        "guid": answer["guid"],
        "schema_type": "AVRO",
        "definition": compact(ONE),
        "references": [],
        "owner_team": "search",
        "description": "what it is",
        "tags": ["pii", "llm"],
        "documentation_url": "https://docs.example.com/r",
        "metadata": {
            "tags": {"R.a": ["KEY"]},
            "properties": {
                "confluent:version": "1",
                "description": "what it is",
                "documentation": "https://docs.example.com/r",
                "k": "v",
                "owner": "search",
                "tags": "pii,llm",
            },
        },
        "rule_set": {"domainRules": [{"name": "r", "kind": "TRANSFORM", "mode": "WRITEREAD", "type": "CEL"}]},
        "subject": "telemetry.r",
        "version": 1,
        "compatibility_mode": "FULL",
        "state": "ACTIVE",
        "deleted": False,
        "registered_at": "2025-10-09T08:53:20.002000Z",
        "registered_by": "anonymous",
        "deprecated_at": None,
        "sunset_date": None,
        "archived_at": None,
        "producer_count": None,
        "consumer_count": None,
        "validation_count": None,
    }
    assert await registry.get("/v1/subjects/telemetry.r/versions/1") == answer
    assert await registry.get("/config/telemetry.r") == {"compatibilityLevel": "FULL"}
    assert await registry.event_lines() == ["CONFIG_CHANGED telemetry.r", "VERSION_REGISTERED telemetry.r/1"]
    assert await registry.post("/v1/subjects/telemetry.r/versions", WHOLE) == answer
    assert len(await registry.events()) == 2


async def test_a_definition_alone_is_enough(registry: Registry) -> None:
    answer = await add(registry, "a", ONE)
    assert (answer["version"], answer["compatibility_mode"], answer["tags"]) == (1, "BACKWARD", [])
    assert answer["owner_team"] is None
    assert answer["metadata"] is None
    await registry.refuse(40408, "GET", "/config/a")


async def test_a_plain_client_sees_and_sets_the_same(registry: Registry) -> None:
    await add(registry, "a", ONE, owner_team="search", tags=["x"])
    seen = await registry.get("/subjects/a/versions/1")
    assert seen["metadata"] == {"properties": {"owner": "search", "tags": "x"}}
    properties = {"owner": "ads", "description": "d", "documentation": "u", "tags": " p , ,q"}
    await registry.register("b", ONE, metadata={"properties": properties})
    answer = await registry.get("/v1/subjects/b/versions/latest")
    assert (answer["owner_team"], answer["description"], answer["documentation_url"]) == ("ads", "d", "u")
    assert answer["tags"] == ["p", "q"]
    by_id = await registry.get(f"/v1/schemas/ids/{answer['id']}")
    assert (by_id["owner_team"], by_id["tags"]) == ("ads", ["p", "q"])
    assert await registry.get(f"/v1/schemas/guids/{answer['guid']}") == by_id
    assert "subject" not in by_id


async def test_what_is_not_given_is_inherited(registry: Registry) -> None:
    await add(registry, "a", ONE, owner_team="search", description="d")
    assert (await add(registry, "a", TWO))["owner_team"] == "search"
    answer = await add(registry, "a", THREE, owner_team="ads")
    assert (answer["owner_team"], answer["description"]) == ("ads", None)


async def test_an_owner_may_be_required(store: SqlStore) -> None:
    registry = Registry(store, Policy(requires_owner=True))
    assert "owner" in await registry.refuse(42201, "POST", "/v1/subjects/a/versions", {"definition": ONE})
    assert (await add(registry, "a", ONE, owner_team="search"))["version"] == 1
    assert (await add(registry, "a", TWO))["owner_team"] == "search"
    await registry.close()


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (40901, {"definition": BROKEN, "version": None, "compatibility_mode": "FULL"}),
        (42201, {"definition": "{"}),
        (42201, {"version": 7}),
        (42203, {"compatibility_mode": "SIDEWAYS"}),
        (42210, {"rule_set": {"domainRules": [{"name": "r"}]}}),
        (400, {"definition": None}),
        (400, {"tags": "x"}),
        (400, {"tags": ["a,b"]}),
        (400, {"tags": [""]}),
        (400, {"tags": [" a"]}),
    ],
)
async def test_a_refusal_takes_the_level_back(registry: Registry, code: int, changes: Json) -> None:
    await registry.register("a", ONE)
    body = {**WHOLE, "definition": TWO, "version": 2, **changes}
    await registry.refuse(code, "POST", "/v1/subjects/a/versions", body)
    await registry.refuse(40408, "GET", "/config/a")
    assert await registry.event_lines() == ["VERSION_REGISTERED a/1"]


async def test_the_level_that_is_set_is_the_one_that_checks(registry: Registry) -> None:
    await add(registry, "a", ONE)
    answer = await add(registry, "a", BROKEN, compatibility_mode="NONE")
    assert (answer["version"], answer["compatibility_mode"]) == (2, "NONE")
    again = await add(registry, "a", BROKEN, compatibility_mode="FULL")
    assert (again["version"], again["compatibility_mode"]) == (2, "FULL")
    assert await registry.event_lines(2) == ["VERSION_REGISTERED a/2", "CONFIG_CHANGED a"]


async def test_references_and_normalizing(registry: Registry) -> None:
    await add(registry, "part", record("P", "a:int"))
    references = [{"name": "P", "subject": "part", "version": "latest"}]
    answer = await add(registry, "w", record("W", "p:P"), references=references)
    assert answer["references"] == [{"name": "P", "subject": "part", "version": 1}]
    body = {"definition": '{"b": 1, "a": 2}', "schema_type": "JSON"}
    answer = await registry.post("/v1/subjects/j/versions?normalize=true", body)
    assert answer["definition"] == '{"a":2,"b":1}'


async def test_versions_of_a_subject(registry: Registry) -> None:
    for text in (ONE, TWO, THREE):
        await add(registry, "a", text)
    await registry.delete("/subjects/a/versions/2")
    await registry.put("/config/short", {"alias": "a"})
    assert await walk(registry, "/v1/subjects/a/versions", 1) == ["a/1", "a/3"]
    assert await walk(registry, "/v1/subjects/short/versions?deleted=true", 2) == ["a/1", "a/2", "a/3"]
    assert (await registry.get("/v1/subjects/a/versions/2?deleted=true"))["deleted"] is True
    await registry.refuse(40401, "GET", "/v1/subjects/gone/versions")
    await registry.refuse(40401, "GET", "/v1/subjects/gone/versions/1")
    await registry.refuse(40402, "GET", "/v1/subjects/a/versions/2")
    await registry.refuse(42202, "GET", "/v1/subjects/a/versions/0")
    await registry.refuse(40403, "GET", "/v1/schemas/ids/9")
    await registry.refuse(40403, "GET", "/v1/schemas/guids/none")


SEARCHES = [
    ("", ["audit.log/1", "telemetry.a/1", "telemetry.a/2", "telemetry_b/1"]),
    ("prefix=telemetry", ["telemetry.a/1", "telemetry.a/2", "telemetry_b/1"]),
    ("pattern=telemetry.*", ["telemetry.a/1", "telemetry.a/2"]),
    ("pattern=*.log", ["audit.log/1"]),
    ("pattern=*", ["audit.log/1", "telemetry.a/1", "telemetry.a/2", "telemetry_b/1"]),
    ("pattern=telemetry_b", ["telemetry_b/1"]),
    ("pattern=telemetry%25", []),
    ("pattern=telemetry.?", []),
    ("tag=pii", ["telemetry.a/1", "telemetry.a/2"]),
    ("tag=pii&tag=llm", ["telemetry.a/2"]),
    ("tag=KEY", ["audit.log/1"]),
    ("tag=p", []),
    ("property=owner:search", ["telemetry.a/1", "telemetry.a/2"]),
    ("property=owner:search&property=k:v:w", ["telemetry.a/2"]),
    ("property=owner:", []),
    ("rule_type=CEL", ["telemetry_b/1"]),
    ("rule_type=ENCRYPT", []),
    ("id=1&id=3", ["audit.log/1", "telemetry.a/2"]),
    ("latest=true", ["audit.log/1", "telemetry.a/2", "telemetry_b/1"]),
    ("latest=true&prefix=telemetry.", ["telemetry.a/2"]),
    ("latest=true&tag=pii&tag=llm&property=k:v:w", ["telemetry.a/2"]),
    ("deleted=true&prefix=gone", ["gone/1"]),
    ("context=.eu", [":.eu:telemetry.a/1"]),
    ("context=eu", [":.eu:telemetry.a/1"]),
    (
        "context=*",
        [":.eu:telemetry.a/1", "audit.log/1", "telemetry.a/1", "telemetry.a/2", "telemetry_b/1"],
    ),
    ("context=*&pattern=telemetry.*", [":.eu:telemetry.a/1", "telemetry.a/1", "telemetry.a/2"]),
    ("tag=x%27%20OR%20%271%27=%271", []),
    ("prefix=%27;DROP%20TABLE%20schemas;--", []),
    ("property=k%27:v%22", []),
]


@pytest.fixture
async def filled(registry: Registry) -> Registry:
    """A registry with something for every filter."""
    await registry.register("audit.log", ONE, metadata={"tags": {"R.a": ["KEY"]}})
    await add(registry, "telemetry.a", ONE, owner_team="search", tags=["pii"])
    metadata = {"properties": {"k": "v:w"}}
    await add(registry, "telemetry.a", TWO, owner_team="search", tags=["pii", "llm"], metadata=metadata)
    await add(registry, "telemetry_b", ONE, rule_set={"domainRules": [{"name": "r", "type": "CEL"}]})
    await add(registry, "gone", ONE)
    await registry.delete("/subjects/gone")
    await registry.post("/contexts/eu/v1/subjects/telemetry.a/versions", {"definition": ONE})
    return registry


@pytest.mark.parametrize(("query", "rows"), SEARCHES)
async def test_search(filled: Registry, query: str, rows: list[str]) -> None:
    page = await filled.get(f"/v1/schemas?{query}")
    assert [f"{item['subject']}/{item['version']}" for item in page["items"]] == rows
    assert page["next"] is None


async def test_a_prefixed_path_searches_its_context(filled: Registry) -> None:
    assert await walk(filled, "/contexts/eu/v1/schemas", 5) == [":.eu:telemetry.a/1"]


async def test_items_carry_the_level_in_force(filled: Registry) -> None:
    await filled.put("/config/audit.log", {"compatibility": "NONE"})
    await filled.put("/config", {"compatibility": "FULL"})
    items = (await filled.get("/v1/schemas?latest=true"))["items"]
    assert [item["compatibility_mode"] for item in items] == ["NONE", "FULL", "FULL"]


@pytest.mark.parametrize(
    "query", ["id=x", "id=-1", "id=99999999999", "property=k", "cursor=x", "cursor=WzFd", "cursor=%FF"]
)
async def test_filters_that_make_no_sense_are_400(registry: Registry, query: str) -> None:
    response = await registry.ask("GET", f"/v1/schemas?{query}")
    assert (response.status_code, response.json()["error_code"]) == (400, 400)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_lose_and_repeat_nothing(registry: Registry, limit: int) -> None:
    await registry.put("/config", {"compatibility": "NONE"})
    expected = []
    for subject in ("a", "a.b", "B", "é"):
        for number, text in enumerate((ONE, TWO, THREE), 1):
            await registry.register(subject, text)
            expected.append(f"{subject}/{number}")
    expected.sort(key=lambda row: row.split("/"))
    assert await walk(registry, "/v1/schemas", limit) == expected


async def test_a_page_goes_on_where_it_ended_though_rows_come_and_go(registry: Registry) -> None:
    for subject in ("b", "d", "f"):
        await registry.register(subject, ONE)
    page = await registry.get("/v1/schemas?limit=2")
    assert [item["subject"] for item in page["items"]] == ["b", "d"]
    await registry.register("a", ONE)
    await registry.register("e", ONE)
    await registry.delete("/subjects/d")
    page = await registry.get(f"/v1/schemas?limit=2&cursor={page['next']}")
    assert [item["subject"] for item in page["items"]] == ["e", "f"]
    assert page["next"] is None


async def test_limits(registry: Registry) -> None:
    await registry.register("a", ONE)
    for limit in ("0", "-1", "5000"):
        assert len((await registry.get(f"/v1/schemas?limit={limit}"))["items"]) == 1
    await registry.refuse(404, "GET", "/v1/schemas?limit=x")


async def test_the_latest_that_is_compatible_with_a_version(registry: Registry) -> None:
    await registry.put("/config/a", {"compatibility": "NONE"})
    for text in (ONE, TWO, record("R", "a:int", "z:int"), '"int"'):
        await registry.register("a", text)
    path = "/v1/subjects/a/versions/latest"
    expected = {
        "compatible_with=1": 2,
        "compatible_with=1&compatibility_mode=full": 2,
        "compatible_with=1&compatibility_mode=BACKWARD": 2,
        "compatible_with=1&compatibility_mode=FORWARD": 3,
        "compatible_with=1&compatibility_mode=NONE": 4,
        "compatible_with=2": 2,
        "compatible_with=latest": 4,
    }
    for query, version in expected.items():
        assert (await registry.get(f"{path}?{query}"))["version"] == version
    await registry.delete("/subjects/a/versions/2")
    assert (await registry.get(f"{path}?compatible_with=1"))["version"] == 1
    await registry.refuse(40402, "GET", f"{path}?compatible_with=9")
    await registry.refuse(40401, "GET", "/v1/subjects/gone/versions/latest?compatible_with=1")
    await registry.refuse(42202, "GET", f"{path}?compatible_with=0")
    await registry.refuse(42203, "GET", f"{path}?compatible_with=1&compatibility_mode=X")
    await registry.refuse(400, "GET", "/v1/subjects/a/versions/1?compatible_with=1")


async def test_compatible_is_meant_under_the_subjects_policy(registry: Registry) -> None:
    await registry.put("/config/a", {"compatibilityPolicy": "LENIENT"})
    await registry.register("a", '{"type":"object"}', schemaType="JSON")
    await registry.register("a", '{"type":"object","properties":{"b":{"type":"string"}}}', schemaType="JSON")
    path = "/v1/subjects/a/versions/latest?compatible_with=1&compatibility_mode=BACKWARD"
    assert (await registry.get(path))["version"] == 2
    await registry.put("/config/a", {"compatibilityPolicy": None})
    assert (await registry.get(path))["version"] == 1


async def test_caching_headers(registry: Registry) -> None:
    guid = (await add(registry, "a", ONE))["guid"]
    for path in ("/v1/schemas/ids/1", f"/v1/schemas/guids/{guid}"):
        response = await registry.ask("GET", path)
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        known = await registry.ask("GET", path, headers={"if-none-match": response.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
    for path in ("/v1/schemas", "/v1/subjects/a/versions", "/v1/subjects/a/versions/latest"):
        response = await registry.ask("GET", path)
        assert response.headers["cache-control"] == "no-cache"
        known = await registry.ask("GET", path, headers={"if-none-match": response.headers["etag"]})
        assert known.status_code == 304
        await add(registry, "a", TWO)
        changed = await registry.ask("GET", path, headers={"if-none-match": response.headers["etag"]})
        assert changed.status_code == (200 if path == "/v1/schemas" else 304)


NATIVE = [
    ("AVRO", ONE, "application/vnd.apache.avro+json", compact(ONE)),
    ("AVRO", ONE, "application/avro+json", compact(ONE)),
    ("JSON", '{"b":1, "a":2}', "application/schema+json", '{"b":1,"a":2}'),
    ("PROTOBUF", 'syntax = "proto3"; message M { int32 a = 1; }', "text/x-protobuf", "message M {"),
    ("PROTOBUF", 'syntax = "proto3"; message M { int32 a = 1; }', "application/x-protobuf", "\x01M"),
    ("PROTOBUF", 'syntax = "proto3"; message M { int32 a = 1; }', "application/vnd.google.protobuf", "\x01M"),
]


@pytest.mark.parametrize(("schema_type", "text", "media_type", "part"), NATIVE)
async def test_native_media_types_on_the_raw_routes(
    registry: Registry, schema_type: str, text: str, media_type: str, part: str
) -> None:
    await registry.register("a", text, schemaType=schema_type)
    for path in ("/schemas/ids/1/schema", "/subjects/a/versions/1/schema"):
        response = await registry.ask("GET", path, headers={"accept": f"text/html, {media_type}"})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(media_type)
        assert response.headers["vary"] == "Accept"
        assert part in response.content.decode("latin-1")
        other = "application/schema+json" if schema_type != "JSON" else "application/avro+json"
        refused = await registry.ask("GET", path, headers={"accept": other})
        assert (refused.status_code, refused.json()["error_code"]) == (406, 406)
        plain = await registry.ask("GET", path, headers={"accept": "application/json"})
        assert plain.headers["content-type"] == "application/json"


@pytest.mark.parametrize("schema_type", ["AVRO", "JSON", "PROTOBUF"])
async def test_pretty_is_the_same_schema_on_more_lines(registry: Registry, schema_type: str) -> None:
    text = {"AVRO": ONE, "JSON": '{"b":1, "a":2}', "PROTOBUF": 'syntax = "proto3"; message M { int32 a = 1; }'}[
        schema_type
    ]
    await registry.register("a", text, schemaType=schema_type)
    pretty = await registry.text("/schemas/ids/1/schema?pretty=true")
    assert pretty.count("\n") > 2
    assert (await registry.register("a", pretty, schemaType=schema_type))["version"] == 1
    assert await registry.text("/schemas/ids/1/schema?pretty=false") != pretty or schema_type == "PROTOBUF"
