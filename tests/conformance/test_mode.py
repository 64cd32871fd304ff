"""Modes of scopes (rest-api 4.6, section 6): what is echoed, inherited, refused; emptying for an import; the log."""

from __future__ import annotations

import pytest

from registry_client import Registry, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")


async def test_the_top_level_always_answers(registry: Registry) -> None:
    assert await registry.get("/mode") == {"mode": "READWRITE"}
    assert await registry.get("/mode?defaultToGlobal=true") == {"mode": "READWRITE"}
    for query in ("", "?recursive=true"):
        assert await registry.delete(f"/mode{query}") == {"mode": "READWRITE"}
    await registry.put("/mode/:.__GLOBAL:", {"mode": "READONLY"})
    assert await registry.get("/mode") == {"mode": "READONLY"}
    assert await registry.delete("/mode") == {"mode": "READONLY"}


async def test_the_body_is_echoed_and_null_clears(registry: Registry) -> None:
    for path in ("/mode", "/mode/a"):
        assert await registry.put(path, {"mode": "readonly"}) == {"mode": "readonly"}
        assert await registry.get(path) == {"mode": "READONLY"}
        assert await registry.put(path, {"mode": None}) == {}
    await registry.refuse(40409, "GET", "/mode/a")


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (42204, {"mode": "SIDEWAYS"}),
        (42204, {"mode": ""}),
        (42204, {"mode": "FORWARD"}),
        (42204, {}),
        (400, {"mode": 1}),
        (400, []),
        (400, b"{"),
        (422, None),
        (422, b""),
    ],
)
async def test_refusals(registry: Registry, code: int, body: object) -> None:
    for path in ("/mode", "/mode/a"):
        await registry.put(path, {"mode": "READONLY"})
        before = await registry.events()
        await registry.refuse(code, "PUT", path, body)
        assert await registry.get(path) == {"mode": "READONLY"}
        assert await registry.events() == before


async def test_forward_is_for_every_context_and_skips_the_check(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.put("/mode/:.__GLOBAL:", {"mode": "FORWARD"})
    assert (await registry.register("a", record("R", "z:int")))["version"] == 2


async def test_delete_answers_what_was_set(registry: Registry) -> None:
    await registry.refuse(40401, "DELETE", "/mode/a")
    await registry.put("/mode/a", {"mode": "READONLY"})
    assert await registry.delete("/mode/a") == {"mode": "READONLY"}
    assert await registry.delete("/mode/a?recursive=true") == {}
    await registry.refuse(40401, "DELETE", "/mode/:.eu:")


async def test_a_recursive_delete_takes_the_subjects_of_a_context_along(registry: Registry) -> None:
    for scope in (":.eu:", ":.eu:a", ":.eu:b", "a"):
        await registry.put(f"/mode/{scope}", {"mode": "READONLY"})
    before = len(await registry.events())
    assert await registry.delete("/mode/:.eu:?recursive=true") == {"mode": "READONLY"}
    assert await registry.delete("/mode/:.eu:?recursive=true") == {}
    for scope in (":.eu:", ":.eu:a", ":.eu:b"):
        await registry.refuse(40409, "GET", f"/mode/{scope}")
    assert await registry.get("/mode/a") == {"mode": "READONLY"}
    assert await registry.event_lines(before) == [
        "MODE_DELETED :.eu:",
        "MODE_DELETED :.eu:a",
        "MODE_DELETED :.eu:b",
    ]


async def test_a_narrower_mode_beats_a_wider_one(registry: Registry) -> None:
    await registry.put("/mode/:.__GLOBAL:", {"mode": "READONLY"})
    await registry.refuse_registration(42205, "a", ONE)
    await registry.refuse_registration(42205, ":.eu:a", ONE)
    await registry.put("/mode", {"mode": "READWRITE"})
    assert (await registry.register("a", ONE))["id"] == 1
    await registry.refuse_registration(42205, ":.eu:a", ONE)
    await registry.put("/mode/:.eu:a", {"mode": "READWRITE"})
    assert (await registry.register(":.eu:a", ONE))["id"] == 1
    assert await registry.get("/mode/:.eu:b?defaultToGlobal=true") == {"mode": "READONLY"}
    assert await registry.get("/mode/b?defaultToGlobal=true") == {"mode": "READWRITE"}
    await registry.put("/mode", {"mode": "READONLY_OVERRIDE"})
    await registry.refuse_registration(42205, "a", TWO)


async def test_reading_goes_on_in_a_read_only_registry(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.put("/mode", {"mode": "READONLY"})
    assert (await registry.get("/subjects/a/versions/latest"))["id"] == 1
    assert (await registry.post("/subjects/a", {"schema": ONE}))["id"] == 1
    assert await registry.post("/compatibility/subjects/a/versions", {"schema": TWO}) == {"is_compatible": True}
    await registry.refuse(42205, "POST", "/subjects/a/versions/1/tags", {})
    await registry.refuse(42205, "DELETE", "/contexts/:.:")


async def test_import_needs_an_empty_scope_unless_forced(registry: Registry) -> None:
    await registry.register("a", ONE)
    for path in ("/mode", "/mode/a", "/mode/:.__GLOBAL:"):
        assert "subject a" in await registry.refuse(42205, "PUT", path, {"mode": "IMPORT"})
    await registry.put("/mode/:.eu:", {"mode": "IMPORT"})
    await registry.put("/mode/b", {"mode": "IMPORT"})
    assert await registry.put("/mode?force=true", {"mode": "IMPORT"}) == {"mode": "IMPORT"}
    assert await registry.get("/subjects/a/versions") == [1]


async def test_import_removes_what_was_soft_deleted(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("b", ONE)
    await registry.delete("/subjects/a")
    before = len(await registry.events())
    await registry.put("/mode/a", {"mode": "IMPORT"})
    assert await registry.event_lines(before) == ["VERSION_DELETED a/1", "MODE_CHANGED a"]
    assert await registry.get("/subjects?deleted=true") == ["b"]


async def test_import_keeps_what_is_still_referenced(registry: Registry) -> None:
    reference = {"name": "R", "subject": "part", "version": 1}
    await registry.register("part", ONE)
    await registry.register("whole", record("W", "p:R"), references=[reference])
    await registry.delete("/subjects/whole")
    await registry.delete("/subjects/part")
    assert "whole" in await registry.refuse(42206, "PUT", "/mode/part", {"mode": "IMPORT"})
    assert await registry.get("/subjects?deleted=true") == ["part", "whole"]
    await registry.put("/mode", {"mode": "IMPORT"})
    assert await registry.get("/subjects?deleted=true") == []


async def test_a_change_is_one_event_and_a_repeat_none(registry: Registry) -> None:
    for _ in range(2):
        await registry.put("/mode/a", {"mode": "READONLY"})
    await registry.put("/mode/a", {"mode": None})
    await registry.put("/mode/a", {"mode": None})
    await registry.delete("/mode")
    assert await registry.event_lines() == ["MODE_CHANGED a", "MODE_DELETED a"]
    assert (await registry.events())[0].details == {"mode": "READONLY"}
