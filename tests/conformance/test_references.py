"""References over the wire (rest-api 8): pinned, transitive, topological, in all three formats; what is missing."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import NamedTuple

import pytest

from llm_schema_registry.model import Subject
from registry_client import Json, Registry, compact, record


def ref(name: str, subject: str, version: Json = 1) -> dict[str, Json]:
    return {"name": name, "subject": subject, "version": version}


class Family(NamedTuple):
    """How a format writes a schema that refers to others by name."""

    schema_type: str

    def name(self, letter: str) -> str:
        return {"AVRO": f"n.{letter}", "JSON": f"{letter}.json", "PROTOBUF": f"{letter}.proto"}[self.schema_type]

    def schema(self, letter: str, *uses: str) -> str:
        if self.schema_type == "AVRO":
            fields = [{"name": f"f{use}", "type": f"n.{use}"} for use in uses] or [{"name": "x", "type": "int"}]
            return json.dumps({"type": "record", "name": letter, "namespace": "n", "fields": fields})
        if self.schema_type == "JSON":
            properties = {f"f{use}": {"$ref": f"{use}.json"} for use in uses} or {"x": {"type": "integer"}}
            return json.dumps({"title": letter, "type": "object", "properties": properties})
        imports = "".join(f'import "{use}.proto";\n' for use in uses)
        fields = "".join(f"  {use} f{use} = {number};\n" for number, use in enumerate(uses, 1)) or "  int32 x = 1;\n"
        return f'syntax = "proto3";\n{imports}message {letter} {{\n{fields}}}\n'


FAMILIES = [Family("AVRO"), Family("JSON"), Family("PROTOBUF")]


@pytest.fixture(params=FAMILIES, ids=lambda family: family.schema_type)
def family(request: pytest.FixtureRequest) -> Family:
    found: Family = request.param
    return found


async def add(registry: Registry, family: Family, letter: str, *uses: str) -> dict[str, Json]:
    references = [ref(family.name(use), use.lower()) for use in uses]
    return await registry.register(
        letter.lower(), family.schema(letter, *uses), schemaType=family.schema_type, references=references
    )


async def test_a_diamond_of_references(registry: Registry, family: Family) -> None:
    await add(registry, family, "A")
    await add(registry, family, "B", "A")
    await add(registry, family, "C", "A")
    answer = await add(registry, family, "D", "B", "C")
    assert answer["references"] == [ref(family.name("B"), "b"), ref(family.name("C"), "c")]
    assert (await registry.get(f"/schemas/ids/{answer['id']}"))["references"] == answer["references"]
    assert (await registry.get(f"/schemas/guids/{answer['guid']}"))["references"] == answer["references"]
    assert await registry.get("/subjects/a/versions/1/referencedby") == [2, 3]
    body = {
        "schema": family.schema("D", "C", "B"),
        "schemaType": family.schema_type,
        "references": [ref(family.name("C"), "c"), ref(family.name("B"), "b")],
    }
    verdict = await registry.post("/compatibility/subjects/d/versions?verbose=true", body)
    assert verdict["is_compatible"] is (family.schema_type != "PROTOBUF"), "there the field numbers change places"
    assert (await add(registry, family, "D", "B", "C"))["version"] == 1


async def test_a_long_chain(registry: Registry, family: Family) -> None:
    letters = "ABCDEFGHIJ"
    await add(registry, family, "A")
    for before, letter in pairwise(letters):
        await add(registry, family, letter, before)
    assert await registry.get("/subjects/a/versions/1/referencedby") == [2]


@pytest.mark.parametrize("version", [-1, "latest", "LATEST", "-1", None, "2", 2])
async def test_latest_is_pinned(registry: Registry, version: Json) -> None:
    await registry.register("part", record("P", "a:int"))
    await registry.register("part", record("P", "a:int", "b:int=0"))
    answer = await registry.register("w", record("W", "p:P"), references=[ref("P", "part", version)])
    assert answer["references"] == [ref("P", "part", 2)]
    await registry.register("part", record("P", "a:int", "b:int=0", "c:int=0"))
    assert (await registry.get("/subjects/w/versions/1"))["references"] == [ref("P", "part", 2)]
    assert (await registry.post("/subjects/w", {"schema": record("W", "p:P"), "references": [ref("P", "part", 2)]}))[
        "version"
    ] == 1


@pytest.mark.parametrize("version", [0, -2, "first", "0", "2147483648"])
async def test_versions_that_cannot_be_referred_to(registry: Registry, version: Json) -> None:
    await registry.register("part", record("P", "a:int"))
    refused = await registry.refuse_registration(42201, "w", record("W", "p:P"), references=[ref("P", "part", version)])
    assert "'P'" in refused


async def test_what_is_missing_is_named(registry: Registry) -> None:
    await registry.register("part", record("P", "a:int"))
    for target, words in (
        (ref("P", "gone"), '"gone"'),
        (ref("P", "part", 7), "version 7"),
        (ref("P", "gone", -1), "lat"),
    ):
        message = await registry.refuse_registration(42201, "w", record("W", "p:P"), references=[target])
        assert words in message
        assert "'P'" in message
    await registry.refuse_registration(42201, "w", record("W", "p:P"))
    for body in ({"schema": record("W", "p:P")}, {"schema": record("W", "p:P"), "references": [ref("P", "gone")]}):
        await registry.refuse(42201, "POST", "/compatibility/subjects/w/versions", body)


async def test_a_soft_deleted_target_serves_old_schemas_only(registry: Registry, family: Family) -> None:
    await add(registry, family, "A")
    await add(registry, family, "B", "A")
    await registry.delete("/subjects/b")
    await registry.delete("/subjects/a")
    message = await registry.refuse_registration(
        42201,
        "c",
        family.schema("C", "A"),
        schemaType=family.schema_type,
        references=[ref(family.name("A"), "a")],
    )
    assert '"a"' in message
    body = {
        "schema": family.schema("B", "A"),
        "schemaType": family.schema_type,
        "references": [ref(family.name("A"), "a")],
    }
    assert (await registry.post("/subjects/b?deleted=true", body))["deleted"] is True
    assert (await registry.get("/subjects/a/versions/1?deleted=True"))["id"] == 1


async def test_a_target_that_is_soft_deleted_deeper_down_is_named_with_the_chain(registry: Registry) -> None:
    """Protection keeps this from arising by deletes alone; a forced import can leave it."""
    await registry.put("/mode/:.x:", {"mode": "IMPORT"})
    await registry.register(":.x:a", record("A", "x:int"), id=1, version=1)
    await registry.register(":.x:b", record("B", "a:A"), id=2, version=1, references=[ref("A", "a")])
    async with registry.store.transaction() as writer:
        await writer.soft_delete_versions(Subject(".x", "a"), [1])
    message = await registry.refuse_registration(
        42201, ":.x:c", record("C", "b:B"), id=3, version=1, references=[ref("B", "b")]
    )
    assert "B -> A" in message


async def test_of_two_equal_names_the_first_wins(registry: Registry) -> None:
    await registry.register("one", record("P", "a:int"))
    await registry.register("two", record("P", "b:string"))
    references = [ref("P", "one"), ref("P", "two")]
    answer = await registry.register("w", record("W", "p:P"), references=references)
    assert answer["references"] == references
    resolved = (await registry.get("/subjects/w/versions/1?format=resolved"))["schema"]
    assert compact(record("P", "a:int")) in resolved
    other = await registry.register("x", record("W", "p:P"), "?normalize=true", references=references[::-1])
    assert other["references"] == [ref("P", "two")]
    assert compact(record("P", "b:string")) in (await registry.get("/subjects/x/versions/1?format=resolved"))["schema"]


async def test_a_name_below_itself_is_the_version_that_came_first(registry: Registry) -> None:
    def node(title: str, use: str) -> str:
        return json.dumps({"title": title, "properties": {"x": {"$ref": use}}})

    await registry.put("/config", {"compatibility": "NONE"})
    await registry.register("a", '{"title": "a1"}', schemaType="JSON")
    await registry.register("b", node("b", "a.json"), schemaType="JSON", references=[ref("a.json", "a")])
    await registry.register("a", node("a2", "b.json"), schemaType="JSON", references=[ref("b.json", "b")])
    answer = await registry.register("w", node("w", "a.json"), schemaType="JSON", references=[ref("a.json", "a", 2)])
    assert answer["references"] == [ref("a.json", "a", 2)]


async def test_unqualified_references_stay_in_their_context(registry: Registry) -> None:
    await registry.register("part", record("P", "a:int"))
    whole = record("W", "p:P")
    await registry.refuse_registration(42201, ":.eu:w", whole, references=[ref("P", "part")])
    answer = await registry.register(":.eu:w", whole, references=[ref("P", ":.:part")])
    assert answer["references"] == [ref("P", ":.:part")]
    assert await registry.get("/subjects/part/versions/1/referencedby") == [1]
    await registry.register(":.eu:part", record("P", "z:string"))
    await registry.register(":.us:v", record("V", "w:W"), references=[ref("W", ":.eu:w")])
    resolved = (await registry.get("/subjects/:.us:v/versions/1?format=resolved"))["schema"]
    assert compact(record("P", "a:int")) in resolved
    await registry.refuse(42206, "DELETE", "/subjects/:.eu:w")


async def test_normalizing_sorts_references_and_drops_duplicates(registry: Registry) -> None:
    for letter in ("a", "b"):
        await registry.register(letter, record(letter.upper(), "x:int"))
    references = [ref("B", "b"), ref("A", "a"), ref("B", "b")]
    whole = record("W", "a:A", "b:B")
    plain = await registry.register("w", whole, references=references)
    assert plain["references"] == references
    normal = await registry.register("v", whole, "?normalize=true", references=references)
    assert normal["references"] == [ref("A", "a"), ref("B", "b")]
    assert normal["id"] != plain["id"]


async def test_other_references_are_another_schema(registry: Registry) -> None:
    await registry.register("part", record("P", "a:int"))
    await registry.register("part", record("P", "a:int", "b:int=0"))
    one = await registry.register("w", record("W", "p:P"), references=[ref("P", "part", 1)])
    two = await registry.register("w", record("W", "p:P"), references=[ref("P", "part", 2)])
    assert (one["version"], two["version"]) == (1, 2)
    assert one["guid"] != two["guid"]


async def test_what_the_reference_changes_is_compared_too(registry: Registry) -> None:
    await registry.put("/config/part", {"compatibility": "NONE"})
    await registry.register("part", record("P", "a:int"))
    await registry.register("part", record("P", "a:int", "z:string"))
    await registry.register("w", record("W", "p:P"), references=[ref("P", "part", 1)])
    message = await registry.refuse_registration(40901, "w", record("W", "p:P"), references=[ref("P", "part", 2)])
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in message


async def test_too_many_references_are_refused(registry: Registry) -> None:
    await registry.register("part", record("P", "a:int"))
    references = [ref(f"n{number}", "part") for number in range(2001)]
    message = await registry.refuse_registration(42201, "w", record("W", "p:P"), references=references)
    assert "2000" in message
