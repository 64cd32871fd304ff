"""Settings of scopes (rest-api 4.5, section 6): partial merge, inheritance, refusals, the log."""

from __future__ import annotations

import pytest

from llm_schema_registry.model import CompatibilityLevel
from llm_schema_registry.registry.operation import Policy
from registry_client import Json, OpenRegistry, Registry, record

ONE = record("R", "a:int")
EVERY_MEMBER: Json = {
    "alias": "b",
    "aliasForDeks": "c",
    "normalize": True,
    "validateFields": False,
    "validateNewSchemas": True,
    "validateRules": False,
    "compatibilityPolicy": "LENIENT",
    "compatibilityGroup": "major",
    "defaultMetadata": {"tags": {"a": ["PII"]}, "properties": {"owner": "x"}, "sensitive": ["s"]},
    "overrideMetadata": {"properties": {"k": "v"}},
    "defaultRuleSet": {"domainRules": [{"name": "r", "kind": "TRANSFORM", "mode": "WRITE", "type": "CEL"}]},
    "overrideRuleSet": {"enableAt": "CLIENT"},
}


async def test_the_top_level_always_answers(registry: Registry, open_registry: OpenRegistry) -> None:
    for query in ("", "?defaultToGlobal=true", "?defaultToGlobal=False"):
        assert await registry.get(f"/config{query}") == {"compatibilityLevel": "BACKWARD"}
    assert await registry.delete("/config") == {"compatibilityLevel": "BACKWARD"}
    assert await registry.events() == []
    other = await open_registry(Policy(default_level=CompatibilityLevel.FULL))
    assert await other.get("/config") == {"compatibilityLevel": "FULL"}
    assert await other.put("/config", {"normalize": True}) == {"normalize": True}
    assert await other.get("/config") == {"compatibilityLevel": "FULL", "normalize": True}
    assert await other.delete("/config") == {"compatibilityLevel": "FULL", "normalize": True}


async def test_every_member_is_kept_and_answered(registry: Registry) -> None:
    assert await registry.put("/config/a", {"compatibility": "none", **EVERY_MEMBER}) == {
        "compatibility": "NONE",
        **EVERY_MEMBER,
    }
    assert await registry.get("/config/a") == {"compatibilityLevel": "NONE", **EVERY_MEMBER}
    assert await registry.delete("/config/a") == {"compatibilityLevel": "NONE", **EVERY_MEMBER}
    await registry.refuse(40408, "GET", "/config/a")


@pytest.mark.parametrize("level", list(CompatibilityLevel))
async def test_levels_are_taken_in_any_case(registry: Registry, level: str) -> None:
    for text in (level, level.lower(), level.title()):
        assert await registry.put("/config/a", {"compatibility": text}) == {"compatibility": level}


async def test_put_merges_absent_keeps_and_null_clears(registry: Registry) -> None:
    await registry.put("/config/a", {"compatibility": "FULL", "normalize": True, "alias": "b"})
    assert await registry.put("/config/a", {"normalize": False}) == {
        "compatibility": "FULL",
        "normalize": False,
        "alias": "b",
    }
    assert await registry.put("/config/a", {"compatibility": None, "alias": ""}) == {"normalize": False}
    assert await registry.put("/config/a", {"normalize": None}) == {}
    await registry.refuse(40408, "GET", "/config/a")
    await registry.put("/config/a", {"defaultMetadata": {}, "overrideRuleSet": {"domainRules": []}})
    await registry.refuse(40408, "GET", "/config/a")


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (42203, {"compatibility": "SIDEWAYS"}),
        (42203, {"compatibility": ""}),
        (42203, {"compatibilityPolicy": "HARSH"}),
        (42210, {"defaultRuleSet": {"domainRules": [{"name": "r"}]}}),
        (42210, {"overrideRuleSet": {"migrationRules": [{"name": "r", "type": "CEL", "mode": "WRITE"}]}}),
        (400, {"overrideRuleSet": {"domainRules": [{"name": "r", "type": "CEL", "mode": "SIDEWAYS"}]}}),
        (400, {"compatibility": 1}),
        (400, {"normalize": "yes"}),
        (400, []),
        (422, None),
        (422, b""),
        (400, b"{"),
    ],
)
async def test_refusals_come_before_writing(registry: Registry, code: int, body: object) -> None:
    if isinstance(body, dict):
        body = {"normalize": True, **body}
    for path in ("/config", "/config/a"):
        await registry.refuse(code, "PUT", path, body)
    assert await registry.get("/config") == {"compatibilityLevel": "BACKWARD"}
    assert await registry.events() == []


async def test_the_subject_need_not_exist_and_a_missing_one_is_40401_on_delete(registry: Registry) -> None:
    await registry.refuse(40401, "DELETE", "/config/a")
    await registry.put("/config/a", {"compatibility": "FULL"})
    assert await registry.get("/subjects?deleted=true") == []


async def test_unset_members_are_filled_from_wider_scopes_but_never_the_alias(registry: Registry) -> None:
    await registry.put("/config/:.__GLOBAL:", {"compatibility": "FORWARD", "compatibilityGroup": "g", "alias": "x"})
    await registry.put("/config/:.eu:", {"compatibility": "FULL", "alias": "y", "normalize": True})
    await registry.put("/config/:.eu:a", {"normalize": False})
    assert await registry.get("/config/:.eu:a") == {"normalize": False}
    assert await registry.get("/config/:.eu:a?defaultToGlobal=true") == {
        "compatibilityLevel": "FULL",
        "normalize": False,
        "compatibilityGroup": "g",
    }
    assert await registry.get("/config/:.us:a?defaultToGlobal=true") == {
        "compatibilityLevel": "FORWARD",
        "compatibilityGroup": "g",
    }
    assert await registry.get("/config") == {"compatibilityLevel": "FORWARD"}
    await registry.put("/config", {"compatibility": "NONE"})
    assert (await registry.get("/config/a?defaultToGlobal=true"))["compatibilityLevel"] == "NONE"
    assert (await registry.get("/config/:.us:a?defaultToGlobal=true"))["compatibilityLevel"] == "FORWARD"
    await registry.refuse(40408, "GET", "/config/a")
    await registry.refuse(40408, "GET", "/config/:.us:")


@pytest.mark.parametrize("spelling", ["/config/", "/config/:.:", "/config/%3A.%3A", "/contexts/:.:/config"])
async def test_spellings_of_the_top_level(registry: Registry, spelling: str) -> None:
    await registry.put(spelling, {"compatibility": "FULL"})
    assert await registry.get("/config") == {"compatibilityLevel": "FULL"}
    assert await registry.get(spelling) == {"compatibilityLevel": "FULL"}


async def test_the_level_in_force_decides_registration(registry: Registry) -> None:
    await registry.register("a", ONE)
    await registry.register(":.eu:a", ONE)
    broken = record("R", "a:int", "b:int")
    await registry.put("/config/:.__GLOBAL:", {"compatibility": "NONE"})
    assert (await registry.register("a", broken))["version"] == 2
    await registry.put("/config/:.eu:", {"compatibility": "BACKWARD"})
    await registry.refuse_registration(40901, ":.eu:a", broken)
    await registry.put("/config/:.eu:a", {"compatibility": "NONE"})
    assert (await registry.register(":.eu:a", broken))["version"] == 2


async def test_a_read_only_scope_keeps_its_settings(registry: Registry) -> None:
    await registry.put("/config/a", {"compatibility": "FULL"})
    await registry.put("/mode", {"mode": "READONLY"})
    await registry.refuse(42205, "PUT", "/config/a", {"compatibility": "NONE"})
    await registry.refuse(42205, "DELETE", "/config/a")
    await registry.refuse(42205, "PUT", "/config", {"compatibility": "NONE"})
    await registry.refuse(42205, "DELETE", "/config")
    await registry.put("/config/:.eu:a", {"compatibility": "NONE"})
    assert await registry.get("/config/a") == {"compatibilityLevel": "FULL"}


async def test_a_change_is_one_event_and_a_repeat_none(registry: Registry) -> None:
    for _ in range(2):
        await registry.put("/config/a", {"compatibility": "FULL"})
    await registry.put("/config/a", {})
    await registry.put("/config", {"normalize": True})
    await registry.put("/config", {"normalize": None})
    await registry.delete("/config/a")
    await registry.delete("/config")
    assert await registry.event_lines() == [
        "CONFIG_CHANGED a",
        "CONFIG_CHANGED ",
        "CONFIG_DELETED ",
        "CONFIG_DELETED a",
    ]
    assert (await registry.events())[0].details == {"config": '{"compatibilityLevel":"FULL"}'}
