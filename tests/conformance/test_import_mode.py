"""IMPORT (rest-api 5.4): the caller's ids and numbers, gaps, conflicts, repeats; what is not checked there."""

from __future__ import annotations

import pytest

from llm_schema_registry.registry.operation import Policy
from registry_client import OpenRegistry, Registry, compact, record

ONE = record("R", "a:int")
TWO = record("R", "a:int", "b:int")


@pytest.fixture
async def importing(registry: Registry) -> Registry:
    """A registry that takes imports."""
    await registry.put("/mode", {"mode": "IMPORT"})
    return registry


async def test_ids_and_versions_are_the_callers(importing: Registry) -> None:
    answer = await importing.register("a", ONE, id=100, version=5)
    assert (answer["id"], answer["version"], "metadata" in answer) == (100, 5, False)
    answer = await importing.register("a", TWO, id=50, version=9)
    assert (answer["id"], answer["version"]) == (50, 9)
    assert await importing.get("/subjects/a/versions") == [5, 9]
    assert (await importing.register("b", '"int"', id=60))["version"] == 1
    await importing.put("/mode", {"mode": "READWRITE"})
    assert (await importing.register("c", '"string"'))["id"] == 101
    assert (await importing.register("c", '"bytes"'))["version"] == 2


@pytest.mark.parametrize("members", [{}, {"id": 0}, {"id": -1}, {"id": None, "version": 3}])
async def test_an_id_is_required(importing: Registry, members: dict[str, object]) -> None:
    await importing.refuse_registration(42205, "a", ONE, **members)
    assert len(await importing.events()) == 1


@pytest.mark.parametrize("identity", [{"id": 7}, {"id": 7, "version": 1}])
async def test_an_id_outside_import_is_refused(registry: Registry, identity: dict[str, object]) -> None:
    await registry.refuse_registration(42205, "a", ONE, **identity)
    await registry.register("a", ONE, id=0)
    await registry.register("a", ONE, id=-1)


async def test_repeating_an_import_changes_nothing(importing: Registry) -> None:
    first = await importing.register("a", ONE, id=7, version=3)
    before = await importing.events()
    assert await importing.register("a", ONE, id=7, version=3) == first
    assert await importing.register("a", ONE, id=7) == first
    assert await importing.register("a", ONE, id=7, version=-1) == first
    assert await importing.events() == before


async def test_one_content_under_several_ids(importing: Registry) -> None:
    first = await importing.register("a", ONE, id=7)
    second = await importing.register("a", ONE, id=8)
    assert (first["version"], second["version"]) == (1, 2)
    assert first["guid"] == second["guid"]
    assert await importing.get(f"/schemas/guids/{first['guid']}/ids") == [
        {"context": ".", "id": 7},
        {"context": ".", "id": 8},
    ]
    assert (await importing.register("a", ONE, id=7))["version"] == 1
    assert (await importing.register("a", ONE, id=8))["version"] == 2
    assert await importing.get("/subjects/a/versions") == [1, 2]


async def test_conflicts_are_told_apart(importing: Registry) -> None:
    await importing.register("a", ONE, id=7, version=1)
    assert "Id 7" in await importing.refuse_registration(42205, "b", TWO, id=7, version=1)
    assert "Version 1" in await importing.refuse_registration(42205, "a", TWO, id=8, version=1)
    assert "has id 7" in await importing.refuse_registration(42207, "a", ONE, id=8, version=1)
    await importing.refuse_registration(42205, "a", TWO, id=7)
    assert await importing.get("/subjects") == ["a"]
    await importing.refuse(40403, "GET", "/schemas/ids/8")


async def test_ids_are_taken_per_context(importing: Registry) -> None:
    await importing.register("a", ONE, id=7)
    await importing.put("/mode/:.eu:", {"mode": "IMPORT"})
    assert (await importing.register(":.eu:a", TWO, id=7))["id"] == 7


async def test_nothing_is_checked_normalized_or_merged(open_registry: OpenRegistry) -> None:
    registry = await open_registry(Policy(requires_owner=True))
    settings = {"normalize": True, "overrideMetadata": {"properties": {"k": "v"}}, "compatibility": "FULL"}
    await registry.put("/config/a", settings)
    await registry.put("/mode/a", {"mode": "IMPORT"})
    sloppy = (
        '{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int","default":"x"}],"z":1,"b":2}'
    )
    answer = await registry.register("a", sloppy, "?normalize=true", id=1, version=1)
    assert answer["schema"] == compact(sloppy)
    assert "metadata" not in answer
    assert (await registry.register("a", '"int"', id=2))["version"] == 2
    await registry.refuse_registration(42201, "a", "{", id=3)
    await registry.refuse_registration(42210, "a", ONE, id=3, ruleSet={"domainRules": [{"name": "r"}]})


async def test_a_soft_deleted_version_is_brought_back(importing: Registry) -> None:
    await importing.register("a", ONE, id=7, version=3)
    await importing.delete("/subjects/a/versions/3")
    await importing.refuse_registration(42205, "a", TWO, id=8, version=3)
    before = len(await importing.events())
    answer = await importing.register("a", ONE, id=7, version=3)
    assert (answer["id"], answer["version"], answer["deleted"]) == (7, 3, False)
    assert await importing.get("/subjects/a/versions") == [3]
    assert await importing.event_lines(before) == ["VERSION_REGISTERED a/3"]
    await importing.delete("/subjects/a/versions/3")
    assert (await importing.register("a", ONE, id=7))["version"] == 3


async def test_references_must_be_there(importing: Registry) -> None:
    reference = {"name": "R", "subject": "part", "version": 4}
    await importing.refuse_registration(42201, "w", record("W", "r:R"), id=2, references=[reference])
    await importing.register("part", ONE, id=1, version=4)
    assert (await importing.register("w", record("W", "r:R"), id=2, references=[reference]))["id"] == 2


async def test_one_subject_alone_may_import(registry: Registry) -> None:
    await registry.register("b", ONE)
    await registry.put("/mode/a", {"mode": "IMPORT"})
    assert (await registry.register("a", TWO, id=9, version=2))["version"] == 2
    await registry.refuse_registration(42205, "b", TWO, id=9)
