"""Soft, then permanent (rest-api 4.2, 4.3, 5.5): numbers answered, order of checks, what goes with it, the log."""

from __future__ import annotations

import pytest

from registry_client import Registry, compact, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int=0")
PART = record("Part", "a:int")
WHOLE = record("Whole", "p:Part")


async def whole_of_part(registry: Registry, part: str = "part", whole: str = "whole") -> None:
    await registry.register(part, PART)
    await registry.register(whole, WHOLE, references=[{"name": "Part", "subject": part, "version": 1}])


async def test_a_version_goes_softly_then_for_good(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    assert await registry.delete("/subjects/a/versions/latest") == 2
    assert await registry.get("/subjects/a/versions") == [1]
    assert await registry.get("/subjects/a/versions?deleted=true") == [1, 2]
    assert await registry.get("/subjects/a/versions?deletedOnly=true") == [2]
    assert await registry.get("/subjects/a/versions?deletedAsNegative=true") == [1, -2]
    assert (await registry.get("/subjects/a/versions/2?deleted=true"))["deleted"] is True
    await registry.refuse(40402, "GET", "/subjects/a/versions/2")
    await registry.refuse(40406, "DELETE", "/subjects/a/versions/2")
    assert await registry.delete("/subjects/a/versions/2?permanent=true") == 2
    await registry.refuse(40402, "DELETE", "/subjects/a/versions/2?permanent=true")
    await registry.refuse(40402, "GET", "/subjects/a/versions/2?deleted=true")
    assert await registry.event_lines(2) == ["VERSION_SOFT_DELETED a/2", "VERSION_DELETED a/2"]


async def test_a_subject_goes_softly_then_for_good(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    await registry.delete("/subjects/a/versions/1")
    assert await registry.delete("/subjects/a") == [2]
    message = await registry.refuse(40404, "DELETE", "/subjects/a")
    assert "was soft deleted" in message
    assert "permanent=true" in message
    await registry.refuse(40401, "GET", "/subjects/a/versions")
    assert await registry.delete("/subjects/a?permanent=true") == [1, 2]
    await registry.refuse(40401, "DELETE", "/subjects/a?permanent=true")
    await registry.refuse(40401, "DELETE", "/subjects/a")
    assert await registry.get("/subjects?deleted=true") == []


async def test_what_is_active_does_not_go_for_good(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    await registry.delete("/subjects/a/versions/1")
    assert "was not deleted first" in await registry.refuse(40405, "DELETE", "/subjects/a?permanent=true")
    assert "was not deleted first" in await registry.refuse(40407, "DELETE", "/subjects/a/versions/2?permanent=true")
    assert await registry.get("/subjects/a/versions?deleted=true") == [1, 2]


async def test_a_missing_version_or_subject(registry: Registry) -> None:
    await registry.refuse(40401, "DELETE", "/subjects/a/versions/1")
    await registry.refuse(40401, "DELETE", "/subjects/a")
    await registry.register("a", ONE)
    await registry.refuse(40402, "DELETE", "/subjects/a/versions/2")
    for token in ("0", "-2", "x", "2147483648"):
        await registry.refuse(42202, "DELETE", f"/subjects/a/versions/{token}")
    await registry.delete("/subjects/a/versions/1")
    await registry.refuse(40401, "DELETE", "/subjects/a/versions/latest")
    assert "Version -1" in await registry.refuse(40402, "DELETE", "/subjects/a/versions/latest?permanent=true")
    assert len(await registry.events()) == 2


async def test_deleting_never_reaches_into_another_context(registry: Registry) -> None:
    await registry.register(":.eu:a", ONE)
    await registry.refuse(40401, "DELETE", "/subjects/a")
    await registry.refuse(40401, "DELETE", "/subjects/a/versions/1")
    assert await registry.get("/subjects") == [":.eu:a"]


async def test_an_id_is_read_until_its_last_version_is_gone_for_good(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register("b", ONE)
    await registry.delete("/subjects/a")
    await registry.delete("/subjects/a?permanent=true")
    assert (await registry.get("/schemas/ids/1"))["subject"] == "b"
    await registry.delete("/subjects/b")
    assert (await registry.get("/schemas/ids/1"))["deleted"] is True
    assert await registry.get("/schemas/ids/1/subjects") == []
    assert await registry.get("/schemas/ids/1/versions") == []
    assert await registry.get("/schemas/ids/1/subjects?deleted=true") == ["b"]
    assert await registry.text("/schemas/ids/1/schema") == compact(ONE)
    await registry.delete("/subjects/b?permanent=true")
    for path in ("", "/schema", "/subjects?deleted=true", "/versions?deleted=true"):
        await registry.refuse(40403, "GET", f"/schemas/ids/1{path}")
    assert (await registry.register("b", TWO))["id"] == 2


async def test_settings_outlive_a_soft_delete_and_go_with_the_last_version(registry: Registry) -> None:
    for subject in ("a", "b"):
        await registry.register(subject, ONE)
        await registry.put(f"/config/{subject}", {"compatibility": "FULL"})
        await registry.put(f"/mode/{subject}", {"mode": "READWRITE"})
    await registry.delete("/subjects/a")
    assert await registry.get("/config/a") == {"compatibilityLevel": "FULL"}
    assert await registry.get("/mode/a") == {"mode": "READWRITE"}
    before = len(await registry.events())
    await registry.delete("/subjects/a?permanent=true")
    await registry.refuse(40408, "GET", "/config/a")
    await registry.refuse(40409, "GET", "/mode/a")
    assert await registry.event_lines(before) == ["VERSION_DELETED a/1", "CONFIG_DELETED a", "MODE_DELETED a"]
    await registry.delete("/subjects/b/versions/1")
    await registry.delete("/subjects/b/versions/1?permanent=true")
    await registry.refuse(40408, "GET", "/config/b")


async def test_what_is_referenced_stays(registry: Registry) -> None:
    await whole_of_part(registry)
    for path in ("/subjects/part", "/subjects/part/versions/1", "/subjects/part/versions/latest"):
        assert "whole version 1" in await registry.refuse(42206, "DELETE", path)
    await registry.delete("/subjects/whole")
    assert await registry.delete("/subjects/part") == [1]
    for path in ("/subjects/part", "/subjects/part/versions/1"):
        await registry.refuse(42206, "DELETE", f"{path}?permanent=true")
    await registry.delete("/subjects/whole?permanent=true")
    assert await registry.delete("/subjects/part?permanent=true") == [1]


async def test_references_inside_a_subject_do_not_hold_it_as_a_whole(registry: Registry) -> None:
    await registry.put("/config/a", {"compatibility": "NONE"})
    await whole_of_part(registry, "a", "a")
    await registry.refuse(42206, "DELETE", "/subjects/a/versions/1")
    assert await registry.delete("/subjects/a") == [1, 2]
    await registry.refuse(42206, "DELETE", "/subjects/a/versions/1?permanent=true")
    assert await registry.delete("/subjects/a?permanent=true") == [1, 2]


async def test_an_active_referenced_version_is_referenced_before_it_is_active(registry: Registry) -> None:
    await whole_of_part(registry)
    await registry.refuse(42206, "DELETE", "/subjects/part/versions/1?permanent=true")
    await registry.refuse(42206, "DELETE", "/subjects/part?permanent=true")


async def test_a_reference_from_another_context_holds_too(registry: Registry) -> None:
    await registry.register("part", PART)
    reference = {"name": "Part", "subject": ":.:part", "version": 1}
    await registry.register(":.eu:whole", WHOLE, references=[reference])
    assert ":.eu:whole version 1" in await registry.refuse(42206, "DELETE", "/subjects/part")


@pytest.mark.parametrize("mode", ["READONLY", "READONLY_OVERRIDE"])
async def test_a_read_only_subject_keeps_its_versions(registry: Registry, mode: str) -> None:
    await registry.register("a", ONE)
    await registry.register("a", TWO)
    await registry.delete("/subjects/a/versions/2")
    await registry.put("/mode/a", {"mode": mode})
    await registry.refuse(42205, "DELETE", "/subjects/a/versions/1")
    await registry.refuse(42205, "DELETE", "/subjects/a/versions/2?permanent=true")
    await registry.refuse(42205, "DELETE", "/subjects/a")
    await registry.refuse(42205, "DELETE", "/subjects/a?permanent=true")
    await registry.refuse(40406, "DELETE", "/subjects/a/versions/2")
    await registry.refuse(40402, "DELETE", "/subjects/a/versions/3")
    await registry.refuse(40401, "DELETE", "/subjects/b")


async def test_many_holders_are_counted_not_listed(registry: Registry) -> None:
    await registry.register("part", PART)
    for number in range(7):
        reference = {"name": "Part", "subject": "part", "version": 1}
        await registry.register(f"whole-{number}", WHOLE, references=[reference])
    assert "and 2 more" in await registry.refuse(42206, "DELETE", "/subjects/part")


async def test_a_whole_context_of_settings_outlives_the_empty_subject(registry: Registry) -> None:
    await registry.put("/config", {"compatibility": "FULL"})
    await registry.register("", ONE)
    await registry.delete("/subjects/")
    await registry.delete("/subjects/?permanent=true")
    assert await registry.get("/config") == {"compatibilityLevel": "FULL"}
