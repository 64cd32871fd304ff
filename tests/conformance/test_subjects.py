"""Listing, finding and describing subjects (rest-api 4.2 and 1.6-1.8): queries, defaults, names of every kind."""

from __future__ import annotations

import pytest

from registry_client import Registry, compact, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")
THREE = record("R", "a:int", "b:int=0", "c:int=0")


async def test_subjects_are_listed_by_name(registry: Registry) -> None:
    assert await registry.get("/subjects") == []
    for name in ("b", "B", "a", ":.eu:a", "ab", "a-b", "é"):
        await registry.register(name, ONE)
    assert await registry.get("/subjects") == [":.eu:a", "B", "a", "a-b", "ab", "b", "é"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", [":.eu:alpha", ":.eu:beta", "alpha", "beta"]),
        ("?subjectPrefix=:*:", [":.eu:alpha", ":.eu:beta", "alpha", "beta"]),
        ("?subjectPrefix=", ["alpha", "beta"]),
        ("?subjectPrefix=:.:", ["alpha", "beta"]),
        ("?subjectPrefix=al", ["alpha"]),
        ("?subjectPrefix=:*:al", [":.eu:alpha", "alpha"]),
        ("?subjectPrefix=:.eu:", [":.eu:alpha", ":.eu:beta"]),
        ("?subjectPrefix=:.eu:be", [":.eu:beta"]),
        ("?subjectPrefix=:.us:", []),
        ("?subjectPrefix=%25", []),
        ("?subjectPrefix=_lpha", []),
        ("?subjectPrefix=x%27%20OR%201=1--", []),
        ("?offset=1&limit=2", [":.eu:beta", "alpha"]),
        ("?offset=-3&limit=1", [":.eu:alpha"]),
        ("?limit=0", [":.eu:alpha", ":.eu:beta", "alpha", "beta"]),
        ("?limit=-7&offset=3", ["beta"]),
        ("?offset=9", []),
    ],
)
async def test_prefixes_and_pages(registry: Registry, query: str, names: list[str]) -> None:
    for name in ("alpha", "beta", ":.eu:alpha", ":.eu:beta"):
        await registry.register(name, ONE)
    assert await registry.get(f"/subjects{query}") == names


async def test_a_full_page_links_to_the_next(registry: Registry) -> None:
    for name in ("a", "b", "c"):
        await registry.register(name, ONE)
    path: str | None = "/subjects?limit=2&deleted=true"
    seen: list[str] = []
    while path:
        page = await registry.ask("GET", path)
        seen += page.json()
        link = page.links.get("next")
        path = f"/subjects{link['url']}" if link else None
    assert seen == ["a", "b", "c"]


async def test_a_subject_is_deleted_when_all_its_versions_are(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("b", ONE)
    await registry.register("b", TWO)
    await registry.delete("/subjects/a")
    await registry.delete("/subjects/b/versions/1")
    assert await registry.get("/subjects") == ["b"]
    assert await registry.get("/subjects?deleted=true") == ["a", "b"]
    assert await registry.get("/subjects?deletedOnly=true") == ["a"]
    assert await registry.get("/subjects?deletedOnly=true&deleted=true") == ["a"]


NAMES = [
    "a/b",
    "a%2Fb",
    "a b",
    "a+b",
    "a?b",
    "a#b",
    "a&b=c",
    "é",
    "e\u0301",
    "日本",
    "\U0001f600",
    "a'b\"c",
    "a\\b",
    "a;b",
    "<script>",
    "=cmd()",
    "%",
    "_",
    "*",
    "versions",
    "latest",
    ":plain",
    "null",
    "a:b",
    "x" * 600,
    " lead",
]


@pytest.mark.parametrize("name", NAMES)
async def test_names_survive_the_round_trip(registry: Registry, name: str) -> None:
    path = "".join(f"%{byte:02X}" for byte in name.encode())
    await registry.register(path, ONE)
    assert await registry.get("/subjects") == [name]
    assert (await registry.get(f"/subjects/{path}/versions/latest"))["subject"] == name
    assert (await registry.post(f"/subjects/{path}", {"schema": ONE}))["subject"] == name
    assert await registry.get("/schemas/ids/1/subjects") == [name]
    assert await registry.get(f"/subjects?subjectPrefix={path}") == [name]
    await registry.put(f"/config/{path}", {"compatibility": "NONE"})
    assert await registry.get(f"/config/{path}") == {"compatibilityLevel": "NONE"}
    assert await registry.post(f"/compatibility/subjects/{path}/versions", {"schema": '"int"'}) == {
        "is_compatible": True
    }
    assert await registry.delete(f"/subjects/{path}") == [1]


async def test_composed_and_decomposed_letters_are_two_names(registry: Registry) -> None:
    await registry.register("%C3%A9", ONE)
    await registry.register("e%CC%81", TWO)
    assert await registry.get("/subjects") == ["e\u0301", "é"]


@pytest.mark.parametrize("path", ["%", "%zz", "%FF", "%ED%A0%80", "a%00b"])
async def test_addresses_that_are_no_text_are_400(registry: Registry, path: str) -> None:
    response = await registry.http.request("GET", f"http://registry/subjects/{path}/versions")
    assert response.json()["error_code"] == 400


async def test_lookup_answers_the_version(registry: Registry) -> None:
    registered = await registry.register("a", ONE)
    await registry.register("a", TWO)
    found = await registry.post("/subjects/a", {"schema": ONE.replace(",", " , ")})
    assert found == {"subject": "a", **registered}


@pytest.mark.parametrize("query", ["", "?deleted=false", "?deleted=False"])
async def test_lookup_of_what_is_soft_deleted(registry: Registry, query: str) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    await registry.delete("/subjects/a/versions/1")
    await registry.refuse(40403, "POST", f"/subjects/a{query}", {"schema": ONE})
    assert (await registry.post("/subjects/a?deleted=true", {"schema": ONE}))["deleted"] is True
    await registry.delete("/subjects/a")
    await registry.refuse(40401, "POST", f"/subjects/a{query}", {"schema": TWO})
    assert (await registry.post("/subjects/a?deleted=true", {"schema": TWO}))["version"] == 2


async def test_lookup_refuses_what_does_not_parse(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.refuse(42201, "POST", "/subjects/a", {"schema": "{"})
    await registry.refuse(42201, "POST", "/subjects/a", {"schema": ONE, "schemaType": "XML"})
    await registry.refuse(40403, "POST", "/subjects/a", {"schema": '{"type": "object"}', "schemaType": "JSON"})
    assert len(await registry.events()) == 1


async def test_lookup_ignores_metadata_that_was_not_given(registry: Registry) -> None:
    await registry.register("a", ONE, metadata={"properties": {"k": "1"}})
    await registry.register("a", ONE, metadata={"properties": {"k": "2"}})
    await registry.register("a", TWO, version=3)
    assert (await registry.post("/subjects/a", {"schema": ONE}))["version"] == 2
    given = {"schema": ONE, "metadata": {"properties": {"k": "1"}}}
    assert (await registry.post("/subjects/a", given))["version"] == 1
    given["metadata"] = {"properties": {"k": "3"}}
    await registry.refuse(40403, "POST", "/subjects/a", given)
    assert (await registry.post("/subjects/a", {"schema": TWO}))["version"] == 3
    given = {"schema": TWO, "metadata": {"properties": {"k": "2"}}}
    assert (await registry.post("/subjects/a", given))["version"] == 3


async def test_lookup_is_not_held_to_the_rules_for_new_schemas(registry: Registry) -> None:
    sloppy = '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}'
    await registry.refuse_registration(42201, "a", sloppy)
    await registry.put("/config/a", {"validateNewSchemas": False})
    await registry.register("a", sloppy)
    await registry.put("/config/a", {"validateNewSchemas": None})
    assert (await registry.post("/subjects/a", {"schema": sloppy}))["version"] == 1


async def test_lookup_inherits_what_the_scope_adds(registry: Registry) -> None:
    await registry.put("/config/a", {"overrideMetadata": {"properties": {"team": "x"}}})
    await registry.register("a", ONE, metadata={"properties": {"k": "v"}})
    found = await registry.post("/subjects/a", {"schema": ONE, "metadata": {"properties": {"k": "v"}}})
    assert found["metadata"] == {"properties": {"k": "v", "team": "x"}}


async def test_lookup_normalizes_on_either_side(registry: Registry) -> None:
    open_record = '{"type":"record","name":"R","namespace":"n","fields":[],"z":1,"a":2}'
    sorted_record = '{"type":"record","name":"n.R","fields":[],"a":2,"z":1}'
    await registry.register("a", open_record)
    await registry.refuse(40403, "POST", "/subjects/a", {"schema": sorted_record})
    assert (await registry.post("/subjects/a?normalize=true", {"schema": sorted_record}))["version"] == 1
    await registry.put("/config/a", {"normalize": True})
    assert (await registry.post("/subjects/a", {"schema": sorted_record}))["version"] == 1


async def test_lookup_finds_a_schema_whose_references_are_inlined(registry: Registry) -> None:
    part = record("Part", "a:int")
    await registry.register("part", part)
    reference = [{"name": "Part", "subject": "part", "version": 1}]
    await registry.register("a", record("W", "p:Part"), references=reference)
    inlined = (await registry.get("/subjects/a/versions/1?format=resolved"))["schema"]
    assert compact(part) in inlined
    assert (await registry.post("/subjects/a", {"schema": inlined}))["version"] == 1
    await registry.register("b", inlined)
    found = await registry.post("/subjects/b", {"schema": record("W", "p:Part"), "references": reference})
    assert found["version"] == 1
    await registry.delete("/subjects/a")
    await registry.delete("/subjects/part")
    found = await registry.post("/subjects/b", {"schema": record("W", "p:Part"), "references": reference})
    assert found["version"] == 1


async def test_the_newest_version_with_every_property(registry: Registry) -> None:
    await registry.refuse(40401, "GET", "/subjects/a/metadata?key=k&value=v")
    await registry.register("a", ONE, metadata={"properties": {"k": "v", "n": "1"}})
    await registry.register("a", TWO, metadata={"properties": {"k": "v", "n": "2"}})
    await registry.register("a", THREE, metadata={"properties": {"k": "w", "n": "2"}})
    expected = {"key=k&value=v": 2, "key=k&value=v&key=n&value=1": 1, "": 3, "key=n&value=2&format=resolved": 3}
    for query, version in expected.items():
        assert (await registry.get(f"/subjects/a/metadata?{query}"))["version"] == version
    await registry.refuse(40403, "GET", "/subjects/a/metadata?key=k&value=x")
    await registry.refuse(400, "GET", "/subjects/a/metadata?key=k")
    await registry.delete("/subjects/a/versions/2")
    assert (await registry.get("/subjects/a/metadata?key=k&value=v"))["version"] == 1
    assert (await registry.get("/subjects/a/metadata?key=k&value=v&deleted=true"))["version"] == 2
    await registry.delete("/subjects/a")
    await registry.refuse(40401, "GET", "/subjects/a/metadata?key=k&value=v")
