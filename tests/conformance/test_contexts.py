"""Contexts (rest-api 4.8, section 7): listing, ids of their own, the prefix of any path, falling back, deleting."""

from __future__ import annotations

import pytest

from registry_client import Registry, compact, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")


async def test_contexts_are_listed_by_name_the_default_one_first(registry: Registry) -> None:
    assert await registry.get("/contexts") == ["."]
    for subject in (":.b:x", ":.a:x", ":.a.c:x"):
        await registry.register(subject, ONE)
    assert await registry.get("/contexts") == [".", ".a", ".a.c", ".b"]
    assert await registry.get("/contexts?contextPrefix=.a") == [".a", ".a.c"]
    page = await registry.ask("GET", "/contexts?offset=1&limit=2")
    assert page.json() == [".a", ".a.c"]
    assert page.headers["link"] == '<?offset=3&limit=2>; rel="next"'


@pytest.mark.parametrize("prefix", [".eu", "eu", ":.eu:", "%3A.eu%3A"])
async def test_any_path_may_be_prefixed(registry: Registry, prefix: str) -> None:
    base = f"/contexts/{prefix}"
    await registry.register("a", '"string"')
    assert (await registry.post(f"{base}/subjects/a/versions", {"schema": ONE}))["id"] == 1
    assert await registry.get(f"{base}/subjects") == [":.eu:a"]
    assert await registry.get(f"{base}/subjects?subjectPrefix=:*:") == [":.eu:a"]
    assert await registry.get(f"{base}/subjects?subjectPrefix=b") == []
    assert [row["subject"] for row in await registry.get(f"{base}/schemas")] == [":.eu:a"]
    assert (await registry.get(f"{base}/subjects/a/versions/1"))["subject"] == ":.eu:a"
    assert (await registry.get(f"{base}/schemas/ids/1"))["schema"] == compact(ONE)
    assert (await registry.get(f"{base}/schemas/ids/1?subject=a"))["schema"] == compact(ONE)
    assert (await registry.get("/schemas/ids/1"))["schema"] == '"string"'
    await registry.put(f"{base}/config", {"compatibility": "FULL"})
    assert await registry.get("/config/:.eu:") == {"compatibilityLevel": "FULL"}
    await registry.put(f"{base}/config/a", {"compatibility": "NONE"})
    assert await registry.get("/config/:.eu:a") == {"compatibilityLevel": "NONE"}
    await registry.put(f"{base}/mode", {"mode": "READONLY"})
    assert await registry.get("/mode/:.eu:") == {"mode": "READONLY"}
    await registry.put(f"{base}/mode", {"mode": None})
    assert await registry.post(f"{base}/compatibility/subjects/a/versions", {"schema": '"int"'}) == {
        "is_compatible": True
    }
    assert await registry.delete(f"{base}/subjects/a") == [1]
    assert await registry.get("/subjects") == ["a"]


async def test_a_colon_inside_a_context_is_400(registry: Registry) -> None:
    for path in ("/contexts/e%3Au/subjects", "/contexts/:.e:u:/config"):
        await registry.refuse(400, "GET", path)
    await registry.refuse(400, "DELETE", "/contexts/e%3Au")


async def test_nested_dots_are_part_of_the_name(registry: Registry) -> None:
    await registry.register(":.a.b:x", ONE)
    assert await registry.get("/subjects?subjectPrefix=:.a:") == []
    assert await registry.get("/subjects?subjectPrefix=:.a.b:") == [":.a.b:x"]


async def test_a_missing_unqualified_subject_is_found_elsewhere(registry: Registry) -> None:
    await registry.register(":.eu:a", ONE)
    assert (await registry.get("/subjects/a/versions/latest"))["subject"] == ":.eu:a"
    assert await registry.text("/subjects/a/versions/1/schema") == compact(ONE)
    assert (await registry.post("/subjects/a", {"schema": ONE}))["subject"] == ":.eu:a"
    assert (await registry.get("/schemas/ids/1?subject=a"))["subject"] == ":.eu:a"
    await registry.refuse(40401, "GET", "/subjects/:.us:a/versions/latest")
    await registry.refuse(40401, "POST", "/subjects/:.us:a", {"schema": ONE})
    await registry.refuse(40401, "GET", "/contexts/us/subjects/a/versions/latest")
    await registry.refuse(40401, "GET", "/subjects/a/versions/2")
    await registry.refuse(40401, "GET", "/subjects/a/versions")
    await registry.register("a", TWO)
    await registry.refuse(40402, "GET", "/subjects/a/versions/2")
    assert (await registry.post("/subjects/a", {"schema": ONE}))["subject"] == ":.eu:a"
    await registry.refuse(40403, "POST", "/subjects/a", {"schema": '"int"'})


async def test_a_namesake_that_cannot_be_looked_up_does_not_hide_the_next(registry: Registry) -> None:
    whole = record("W", "r:R")
    await registry.register(":.eu:a", ONE)
    await registry.register(":.us:r", ONE)
    reference = [{"name": "R", "subject": "r", "version": 1}]
    await registry.register(":.us:a", whole, references=reference)
    found = await registry.post("/subjects/a", {"schema": whole, "references": reference})
    assert found["subject"] == ":.us:a"


async def test_writing_never_falls_back(registry: Registry) -> None:
    await registry.register(":.eu:a", ONE)
    assert (await registry.register("a", TWO))["version"] == 1
    await registry.delete("/subjects/a")
    await registry.refuse(40401, "POST", "/subjects/a/versions/1/tags", {"metadata": {"properties": {"k": "v"}}})
    assert await registry.get("/subjects/:.eu:a/versions") == [1]


async def test_a_subject_picks_the_context_of_an_id(registry: Registry) -> None:
    await registry.register("first", '"int"')
    await registry.register("both", '"string"')
    await registry.register(":.eu:both", ONE)
    await registry.register(":.eu:there", TWO)
    expected = {
        "1": '"int"',
        "2": '"string"',
        "1?subject=first": '"int"',
        "2?subject=both": '"string"',
        "1?subject=both": compact(ONE),
        "2?subject=there": compact(TWO),
        "1?subject=:.eu:": compact(ONE),
        "1?subject=:.eu:unknown": compact(ONE),
        "1?subject=unknown": '"int"',
    }
    for query, schema in expected.items():
        assert (await registry.get(f"/schemas/ids/{query}"))["schema"] == schema
    await registry.refuse(40403, "GET", "/schemas/ids/1?subject=:.us:both")
    await registry.refuse(40403, "GET", "/schemas/ids/3?subject=both")
    assert await registry.get("/schemas/ids/1/subjects?subject=:.eu:both") == [":.eu:both"]
    assert await registry.get("/schemas/ids/2/versions?subject=there") == [{"subject": ":.eu:there", "version": 1}]
    assert await registry.text("/schemas/ids/2/schema?subject=there") == compact(TWO)


async def test_an_empty_context_is_deleted_with_its_settings(registry: Registry) -> None:
    await registry.register(":.eu:a", ONE)
    await registry.put("/config/:.eu:", {"compatibility": "FULL"})
    await registry.put("/mode/:.eu:", {"mode": "READWRITE"})
    await registry.refuse(42211, "DELETE", "/contexts/.eu")
    await registry.delete("/subjects/:.eu:a")
    await registry.refuse(42211, "DELETE", "/contexts/eu")
    await registry.delete("/subjects/:.eu:a?permanent=true")
    before = len(await registry.events())
    for _ in range(2):
        assert (await registry.ask("DELETE", "/contexts/:.eu:")).status_code == 204
    assert await registry.event_lines(before) == ["CONTEXT_DELETED :.eu:"]
    assert await registry.get("/contexts") == ["."]
    await registry.refuse(40408, "GET", "/config/:.eu:")
    assert (await registry.register(":.eu:a", TWO))["id"] == 2


async def test_deleting_the_default_context_only_resets_its_settings(registry: Registry) -> None:
    assert (await registry.ask("DELETE", "/contexts/:.:")).status_code == 204
    assert await registry.events() == []
    await registry.put("/config", {"compatibility": "FULL"})
    assert (await registry.ask("DELETE", "/contexts/:.:")).status_code == 204
    assert await registry.get("/config") == {"compatibilityLevel": "BACKWARD"}
    assert await registry.get("/contexts") == ["."]


async def test_a_read_only_context_is_kept(registry: Registry) -> None:
    await registry.put("/mode/:.eu:", {"mode": "READONLY"})
    await registry.refuse(42205, "DELETE", "/contexts/.eu")
