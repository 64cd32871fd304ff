"""Schemas by id, by guid, and all of them (rest-api 4.4): members, filters, users of an id."""

from __future__ import annotations

import pytest

from registry_client import Registry, compact, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")


async def test_by_id_the_envelope_names_a_user(registry: Registry) -> None:
    registered = await registry.register("a", ONE, metadata={"properties": {"k": "v"}})
    await registry.register("b", ONE, metadata={"properties": {"k": "v"}})
    expected = {name: registered[name] for name in ("guid", "schemaType", "metadata", "schema", "deleted")}
    assert await registry.get("/schemas/ids/1") == {"subject": "a", "version": 1, **expected}
    assert (await registry.get("/schemas/ids/1?subject=b"))["subject"] == "b"
    assert await registry.get(f"/schemas/guids/{registered['guid'].upper()}") == {
        name: registered[name] for name in ("guid", "schemaType", "metadata", "schema")
    }
    await registry.delete("/subjects/a")
    assert (await registry.get("/schemas/ids/1"))["subject"] == "b"
    assert (await registry.get("/schemas/ids/1?subject=a"))["deleted"] is True


async def test_the_newest_use_by_the_subject_is_named(registry: Registry) -> None:
    await registry.put("/mode/a", {"mode": "IMPORT"})
    for number in (1, 2):
        await registry.register("a", ONE, id=7, version=number)
    await registry.put("/mode/a", {"mode": "READWRITE"})
    await registry.delete("/subjects/a/versions/2")
    found = await registry.get("/schemas/ids/7?subject=a")
    assert (found["version"], found["deleted"]) == (1, False)
    await registry.delete("/subjects/a/versions/1")
    found = await registry.get("/schemas/ids/7?subject=a")
    assert found["deleted"] is True


async def test_the_largest_id_on_request(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    await registry.register(":.eu:a", ONE)
    assert (await registry.get("/schemas/ids/1?fetchMaxId=true"))["maxId"] == 2
    assert (await registry.get("/schemas/ids/1?fetchMaxId=true&subject=:.eu:a"))["maxId"] == 1
    assert "maxId" not in await registry.get("/schemas/ids/1?fetchMaxId=no")


@pytest.mark.parametrize("rest", ["", "/schema", "/subjects", "/versions"])
async def test_ids_that_are_not_there_or_no_ids(registry: Registry, rest: str) -> None:
    assert "Schema 7 not found" in await registry.refuse(40403, "GET", f"/schemas/ids/7{rest}")
    await registry.refuse(40403, "GET", f"/schemas/ids/7{rest}?subject=a")
    await registry.refuse(40403, "GET", f"/schemas/ids/0{rest}")
    for text in ("x", "-1", "1.5", "2147483648", "", "%20"):
        await registry.refuse(404, "GET", f"/schemas/ids/{text}{rest}")
    await registry.refuse(40403, "GET", "/schemas/guids/not-a-guid")


async def test_the_text_by_id(registry: Registry) -> None:
    await registry.register("a", ONE)
    assert await registry.text("/schemas/ids/1/schema") == compact(ONE)
    assert await registry.text("/schemas/ids/1/schema?subject=a&format=unknown") == compact(ONE)


async def test_who_uses_an_id(registry: Registry) -> None:
    for subject in ("c", "a", "b"):
        await registry.register(subject, ONE)
    await registry.register("a", TWO)
    assert await registry.get("/schemas/ids/1/subjects") == ["a", "b", "c"]
    page = await registry.ask("GET", "/schemas/ids/1/subjects?offset=1&limit=1")
    assert page.json() == ["b"]
    assert page.headers["link"] == '<?offset=2&limit=1>; rel="next"'
    assert await registry.get("/schemas/ids/1/versions?limit=2") == [
        {"subject": "a", "version": 1},
        {"subject": "b", "version": 1},
    ]
    await registry.delete("/subjects/b")
    assert await registry.get("/schemas/ids/1/subjects") == ["a", "c"]
    assert await registry.get("/schemas/ids/1/subjects?deleted=true") == ["a", "b", "c"]
    assert len(await registry.get("/schemas/ids/1/versions")) == 2
    assert len(await registry.get("/schemas/ids/1/versions?deleted=true")) == 3


async def test_types(registry: Registry) -> None:
    assert sorted(await registry.get("/schemas/types")) == ["AVRO", "JSON", "PROTOBUF"]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", ["a/1", "a/3", "b/1"]),
        ("?deleted=true", ["a/1", "a/2", "a/3", "b/1"]),
        ("?latestOnly=true", ["a/3", "b/1"]),
        ("?subjectPrefix=a", ["a/1", "a/3"]),
        ("?subjectPrefix=:*:", [":.eu:a/1", "a/1", "a/3", "b/1"]),
        ("?subjectPrefix=:*:a&latestOnly=true", [":.eu:a/1", "a/3"]),
        ("?subjectPrefix=:.eu:", [":.eu:a/1"]),
        ("?subjectPrefix=:.eu:b", []),
        ("?offset=1&limit=1", ["a/3"]),
        ("?ruleType=CEL", ["a/3"]),
        ("?ruleType=cel", []),
        ("?lifecycle=NONE", ["a/1", "a/3", "b/1"]),
        ("?lifecycle=STRONG", []),
        ("?lifecycle=STRONG&lifecycle=NONE", ["a/1", "a/3", "b/1"]),
        ("?associationType=value", []),
        ("?resourceType=topic", []),
    ],
)
async def test_all_schemas(registry: Registry, query: str, rows: list[str]) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    await registry.register("a", TWO, ruleSet={"domainRules": [{"name": "r", "type": "CEL"}]})
    await registry.register("b", ONE)
    await registry.register(":.eu:a", ONE)
    await registry.delete("/subjects/a/versions/2")
    found = await registry.get(f"/schemas{query}")
    assert [f"{row['subject']}/{row['version']}" for row in found] == rows


async def test_a_row_is_a_version(registry: Registry) -> None:
    await registry.register("a", ONE)
    assert await registry.get("/schemas") == [await registry.get("/subjects/a/versions/1")]


async def test_an_unknown_lifecycle_is_404(registry: Registry) -> None:
    await registry.refuse(404, "GET", "/schemas?lifecycle=WEAKISH")


async def test_queries_that_are_no_text(registry: Registry) -> None:
    for query in ("subjectPrefix=%FF", "subjectPrefix=a%00", "subjectPrefix=%zz"):
        response = await registry.http.get(f"/schemas?{query}")
        assert response.json()["error_code"] == 400
