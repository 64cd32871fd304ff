"""Aliases (rest-api section 7): which routes act on the target, and which do not."""

from __future__ import annotations

from registry_client import Registry, compact, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")


async def test_requests_for_an_alias_act_on_its_target(registry: Registry) -> None:
    await registry.put("/config/short", {"alias": "a/long%20name"})
    await registry.put("/config/short", {"alias": "target"})
    await registry.register("short", ONE)
    assert await registry.get("/subjects") == ["target"]
    assert (await registry.get("/subjects/short/versions/latest"))["subject"] == "target"
    assert await registry.get("/subjects/short/versions") == [1]
    assert await registry.text("/subjects/short/versions/1/schema") == compact(ONE)
    assert (await registry.post("/subjects/short", {"schema": ONE}))["subject"] == "target"
    assert (await registry.get("/subjects/short/metadata"))["subject"] == "target"
    assert (await registry.get("/schemas/ids/1?subject=short"))["subject"] == "target"
    broken = {"schema": record("R", "z:int")}
    assert await registry.post("/compatibility/subjects/short/versions", broken) == {"is_compatible": False}
    assert await registry.post("/compatibility/subjects/short/versions/1", broken) == {"is_compatible": False}
    reference = {"name": "R", "subject": "target", "version": 1}
    await registry.register("whole", record("W", "r:R"), references=[reference])
    assert await registry.get("/subjects/short/versions/1/referencedby") == [2]
    await registry.delete("/subjects/whole")
    await registry.register("short", TWO)
    assert await registry.delete("/subjects/short/versions/2") == 2
    assert await registry.delete("/subjects/short") == [1]


async def test_settings_are_not_redirected(registry: Registry) -> None:
    await registry.put("/config/short", {"alias": "target"})
    await registry.put("/config/short", {"compatibility": "FULL"})
    await registry.put("/mode/short", {"mode": "READONLY"})
    await registry.refuse(40408, "GET", "/config/target")
    await registry.refuse(40409, "GET", "/mode/target")
    assert (await registry.register("short", ONE))["version"] == 1


async def test_an_alias_may_point_into_another_context_and_is_one_hop(registry: Registry) -> None:
    await registry.put("/config/a", {"alias": ":.eu:b"})
    await registry.put("/config/:.eu:b", {"alias": "c"})
    assert (await registry.register("a", ONE))["id"] == 1
    assert await registry.get("/subjects") == [":.eu:b"]
    await registry.put("/config/:.us:x", {"alias": "y"})
    await registry.register(":.us:x", ONE)
    assert await registry.get("/subjects?subjectPrefix=:.us:") == [":.us:y"]


async def test_an_alias_to_a_forbidden_name_is_refused_when_written_through(registry: Registry) -> None:
    await registry.put("/config/a", {"alias": "__EMPTY"})
    await registry.refuse_registration(42208, "a", ONE)


async def test_schemas_name_their_aliases(registry: Registry) -> None:
    await registry.put("/config/short", {"alias": "a"})
    await registry.put("/config/:.eu:other", {"alias": ":.:a"})
    await registry.put("/config/b", {"compatibility": "FULL"})
    await registry.register("a", ONE)
    await registry.register("b", ONE)
    rows = await registry.get("/schemas?aliases=true")
    assert [row.get("aliases") for row in rows] == [[":.eu:other", "short"], None]
    assert all("aliases" not in row for row in await registry.get("/schemas"))
