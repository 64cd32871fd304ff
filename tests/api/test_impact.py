"""What a new version of a referenced subject does to those that refer to it, in all three formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import pytest

from llm_schema_registry.checks import Dependant, Impact, Outcome
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.model import Config, Reference, Subject, Submission
from llm_schema_registry.registry import impact as impacts
from llm_schema_registry.registry.candidate import understand
from llm_schema_registry.registry.engines import Engines
from llm_schema_registry.registry.impact import check_impact, impact
from llm_schema_registry.registry.operation import Call, Policy
from llm_schema_registry.wire.impact import impact_v1
from registry_client import Json, Registry

ENGINES = Engines(FORMATS)


class Family(NamedTuple):
    """How a format writes a schema of one field more, and one that refers to others."""

    schema_type: str

    def name(self, letter: str) -> str:
        return {"AVRO": f"n.{letter}", "JSON": f"{letter}.json", "PROTOBUF": f"{letter}.proto"}[self.schema_type]

    def leaf(self, kind: str) -> str:
        """A schema `A` whose member `x` is of a kind: `number` or `text`."""
        if self.schema_type == "AVRO":
            type_ = {"number": "int", "text": "string"}[kind]
            return json.dumps(
                {"type": "record", "name": "A", "namespace": "n", "fields": [{"name": "x", "type": type_}]}
            )
        if self.schema_type == "JSON":
            type_ = {"number": "integer", "text": "string"}[kind]
            return json.dumps({"title": "A", "type": "object", "properties": {"x": {"type": type_}}})
        type_ = {"number": "int32", "text": "string"}[kind]
        return f'syntax = "proto3";\nmessage A {{\n  {type_} x = 1;\n}}\n'

    def uses(self, letter: str, *used: str) -> str:
        if self.schema_type == "AVRO":
            fields = [{"name": f"f{use}", "type": f"n.{use}"} for use in used]
            return json.dumps({"type": "record", "name": letter, "namespace": "n", "fields": fields})
        if self.schema_type == "JSON":
            properties = {f"f{use}": {"$ref": f"{use}.json"} for use in used}
            return json.dumps({"title": letter, "type": "object", "properties": properties})
        imports = "".join(f'import "{use}.proto";\n' for use in used)
        fields = "".join(f"  {use} f{use} = {number};\n" for number, use in enumerate(used, 1))
        return f'syntax = "proto3";\n{imports}message {letter} {{\n{fields}}}\n'


FAMILIES = [Family("AVRO"), Family("JSON"), Family("PROTOBUF")]


@pytest.fixture(params=FAMILIES, ids=lambda family: family.schema_type)
def family(request: pytest.FixtureRequest) -> Family:
    found: Family = request.param
    return found


async def add(registry: Registry, family: Family, letter: str, *uses: str, version: int = 1) -> None:
    references = [{"name": family.name(use), "subject": use.lower(), "version": version} for use in uses]
    await registry.register(
        letter.lower(), family.uses(letter, *uses), schemaType=family.schema_type, references=references
    )


async def add_leaf(registry: Registry, family: Family, kind: str = "number") -> None:
    await registry.register("a", family.leaf(kind), schemaType=family.schema_type)


def call_on(registry: Registry) -> Call:
    return Call(registry.store, ENGINES, lambda: 0, Policy())


async def ask(registry: Registry, schema_type: str, text: str, *, of_all_versions: bool = False) -> Impact:
    submission = Submission(schema_type, text)
    return await check_impact(call_on(registry), Subject(".", "a"), submission, of_all_versions=of_all_versions)


def outcomes(found: Impact) -> dict[str, Outcome]:
    return {f"{dependant.subject}/{dependant.version}": dependant.outcome for dependant in found.dependants}


def of(found: Impact, subject: str) -> Dependant:
    [dependant] = [dependant for dependant in found.dependants if str(dependant.subject) == subject]
    return dependant


async def test_a_change_breaks_only_who_minds(registry: Registry, family: Family) -> None:
    """C refers to B, which refers to A; B takes any change, C does not."""
    await add_leaf(registry, family)
    await add(registry, family, "B", "A")
    await add(registry, family, "C", "B")
    await registry.put("/config/b", {"compatibility": "NONE"})
    found = await ask(registry, family.schema_type, family.leaf("text"))
    assert outcomes(found) == {"b/1": Outcome.OK, "c/1": Outcome.INCOMPATIBLE}
    assert found.is_complete
    assert not found.is_harmless
    assert of(found, "b").path == (Reference(family.name("A"), "a", 1),)
    assert of(found, "c").path == (Reference(family.name("B"), "b", 1), Reference(family.name("A"), "a", 1))
    report = of(found, "c").report
    assert report is not None
    assert report.compared == (1,)
    assert report.messages
    # Nothing was changed by asking.
    assert await registry.get("/subjects/a/versions") == [1]


async def test_what_does_not_change_harms_nobody(registry: Registry, family: Family) -> None:
    await add_leaf(registry, family)
    await add(registry, family, "B", "A")
    await add(registry, family, "C", "A", "B")
    await registry.register("lonely", family.leaf("number"), schemaType=family.schema_type)
    found = await ask(registry, family.schema_type, family.leaf("number"))
    assert outcomes(found) == {"b/1": Outcome.OK, "c/1": Outcome.OK}
    assert found.is_harmless


@pytest.mark.parametrize(
    ("schema_type", "before", "uses", "after"),
    [
        (
            "AVRO",
            FAMILIES[0].leaf("number"),
            FAMILIES[0].uses("B", "A"),
            '{"type": "record", "name": "Z", "fields": []}',
        ),
        (
            "JSON",
            '{"definitions": {"part": {"type": "integer"}}}',
            '{"properties": {"x": {"$ref": "A.json#/definitions/part"}}}',
            "{}",
        ),
        ("PROTOBUF", FAMILIES[2].leaf("number"), FAMILIES[2].uses("B", "A"), 'syntax = "proto3";\nmessage Z {}\n'),
    ],
    ids=["AVRO", "JSON", "PROTOBUF"],
)
async def test_a_dependant_whose_names_are_gone_is_invalid(
    registry: Registry, schema_type: str, before: str, uses: str, after: str
) -> None:
    family = Family(schema_type)
    await registry.register("a", before, schemaType=schema_type)
    references = [{"name": family.name("A"), "subject": "a", "version": 1}]
    await registry.register("b", uses, schemaType=schema_type, references=references)
    await add(registry, family, "C", "B")
    found = await ask(registry, schema_type, after)
    assert outcomes(found) == {"b/1": Outcome.INVALID, "c/1": Outcome.INVALID}
    assert of(found, "c").problem
    assert of(found, "c").report is None
    assert len(of(found, "c").path) == 2


async def test_only_latest_versions_count_unless_all_are_asked_for(registry: Registry, family: Family) -> None:
    await add_leaf(registry, family)
    await add(registry, family, "B", "A")
    await add(registry, family, "C", "B")
    # B's latest version refers to nobody any more; C still reaches A through B's first one.
    await registry.put("/config/b", {"compatibility": "NONE"})
    await registry.register("b", family.uses("B"), schemaType=family.schema_type)
    changed = family.leaf("text")
    assert outcomes(await ask(registry, family.schema_type, changed)) == {"c/1": Outcome.INCOMPATIBLE}
    every = await ask(registry, family.schema_type, changed, of_all_versions=True)
    assert outcomes(every) == {"b/1": Outcome.OK, "c/1": Outcome.INCOMPATIBLE}


async def test_who_refers_to_any_version_is_a_dependant(registry: Registry, family: Family) -> None:
    await registry.put("/config/a", {"compatibility": "NONE"})
    await add_leaf(registry, family)
    await add_leaf(registry, family, "text")
    await add(registry, family, "B", "A", version=1)
    await add(registry, family, "C", "A", version=2)
    found = await ask(registry, family.schema_type, family.leaf("text"))
    assert outcomes(found) == {"b/1": Outcome.INCOMPATIBLE, "c/1": Outcome.OK}


async def test_the_candidates_own_references_come_along(registry: Registry, family: Family) -> None:
    await registry.put("/config", {"compatibility": "NONE"})
    await add_leaf(registry, family)
    await add(registry, family, "B", "A")
    await registry.put("/config", {"compatibility": "BACKWARD"})
    await registry.register("d", family.leaf("number").replace("A", "D"), schemaType=family.schema_type)
    reference = (Reference(family.name("D"), "d", -1),)
    call = call_on(registry)
    submission = Submission(family.schema_type, family.uses("A", "D"), reference)
    found = await check_impact(call, Subject(".", "a"), submission)
    [dependant] = found.dependants
    assert dependant.outcome in {Outcome.OK, Outcome.INCOMPATIBLE}
    assert dependant.problem == ""


async def test_dependants_in_other_contexts(registry: Registry) -> None:
    family = FAMILIES[0]
    await add_leaf(registry, family)
    references = [{"name": "n.A", "subject": ":.:a", "version": 1}]
    await registry.register(":.x:b", family.uses("B", "A"), references=references)
    found = await ask(registry, "AVRO", family.leaf("text"))
    assert outcomes(found) == {":.x:b/1": Outcome.INCOMPATIBLE}


async def test_soft_deleted_dependants_do_not_count_but_lead_on(registry: Registry) -> None:
    family = FAMILIES[0]
    await add_leaf(registry, family)
    await add(registry, family, "B", "A")
    await add(registry, family, "C", "B")
    async with registry.store.transaction() as writer:
        await writer.soft_delete_versions(Subject(".", "b"), [1])
    assert outcomes(await ask(registry, "AVRO", family.leaf("text"))) == {"c/1": Outcome.INCOMPATIBLE}


async def test_a_circle_of_subjects_ends(registry: Registry) -> None:
    """A's second version refers to B, whose version refers to A's first."""
    family = FAMILIES[0]
    await registry.put("/config", {"compatibility": "NONE"})
    await add_leaf(registry, family)
    await add(registry, family, "B", "A")
    fields = [{"name": "back", "type": "n.B"}]
    second = json.dumps({"type": "record", "name": "A2", "namespace": "n", "fields": fields})
    references = [{"name": "n.B", "subject": "b", "version": 1}]
    await registry.register("a", second, references=references)
    found = await ask(registry, "AVRO", family.leaf("text"))
    assert outcomes(found) == {"b/1": Outcome.OK}
    call = call_on(registry)
    through = await check_impact(call, Subject(".", "a"), Submission("AVRO", second, (Reference("n.B", "b", 1),)))
    assert list(outcomes(through)) == ["b/1"]


async def test_what_cannot_be_read_as_it_is_is_undecided(registry: Registry) -> None:
    """Nobody can say what a change does to a version that today's rules refuse."""
    family = FAMILIES[0]
    await add_leaf(registry, family)
    await add(registry, family, "B", "A")
    stored = await registry.store.reader.find_version(Subject(".", "b"), 1)
    assert stored is not None
    body = msgspec.structs.replace(stored.schema.content, text='{"type": "nonsense"}')
    async with registry.store.transaction() as writer:
        schema = await writer.add_schema(".", "some-guid", body)
        await writer.add_version(Subject(".", "b"), 2, schema.id, registered_at=0, registered_by="")
    found = await ask(registry, "AVRO", family.leaf("number"))
    assert outcomes(found) == {"b/2": Outcome.UNDECIDED}
    assert "as it is" in of(found, "b").problem
    assert not found.is_harmless


async def test_what_takes_too_long_is_undecided(registry: Registry) -> None:
    family = FAMILIES[0]
    await add_leaf(registry, family)
    fields = [{"name": f"f{number}", "type": "int"} for number in range(3000)]
    wide = {"type": "record", "name": "B", "fields": [*fields, {"name": "a", "type": "n.A"}]}
    references = [{"name": "n.A", "subject": "a", "version": 1}]
    await registry.register("b", json.dumps(wide), references=references)
    call = Call(registry.store, ENGINES, lambda: 0, Policy(compare_seconds=0.000001))
    found = await check_impact(call, Subject(".", "a"), Submission("AVRO", family.leaf("text")))
    assert outcomes(found) == {"b/1": Outcome.UNDECIDED}
    assert "too complex" in of(found, "b").problem


async def test_too_many_dependants_are_cut_and_said(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    family = FAMILIES[0]
    await add_leaf(registry, family)
    for letter in "BCDE":
        await add(registry, family, letter, "A")
    call = call_on(registry)
    subject = Subject(".", "a")
    submission = Submission("AVRO", family.leaf("number"))
    candidate = await understand(call, call.store.reader, subject, submission, Config())
    for limit, is_complete in ((3, False), (4, True), (5, True)):
        found = await impact(call, subject, candidate, limit=limit)
        assert (len(found.dependants), found.is_complete) == (min(limit, 4), is_complete)
    assert (await impact(call, subject, candidate, limit=4)).is_harmless
    monkeypatch.setattr(impacts, "MAX_SUBJECTS", 2)
    found = await impact(call, subject, candidate)
    assert (len(found.dependants), found.is_complete, found.is_harmless) == (2, False, False)


async def test_a_long_chain_of_dependants(registry: Registry) -> None:
    family = FAMILIES[0]
    await add_leaf(registry, family)
    previous = "A"
    for number in range(60):
        await add(registry, family, f"L{number}", previous)
        previous = f"L{number}"
    found = await ask(registry, "AVRO", family.leaf("text"))
    assert [str(dependant.subject) for dependant in found.dependants] == [f"l{number}" for number in range(60)]
    assert {dependant.outcome for dependant in found.dependants} == {Outcome.INCOMPATIBLE}
    assert [len(dependant.path) for dependant in found.dependants] == list(range(1, 61))


async def test_an_impact_is_written_down(registry: Registry) -> None:
    family = FAMILIES[0]
    await add_leaf(registry, family)
    await add(registry, family, "B", "A")
    body = json.loads(msgspec.json.encode(impact_v1(await ask(registry, "AVRO", family.leaf("text")))))
    assert (body["is_harmless"], body["is_complete"]) == (False, True)
    [dependant] = body["dependants"]
    assert _without(dependant, "report") == {
        "subject": "b",
        "version": 1,
        "path": [{"name": "n.A", "subject": "a", "version": 1}],
        "outcome": "incompatible",
        "problem": "",
    }
    assert dependant["report"]["findings"][0]["kind"] == "TYPE_MISMATCH"


def _without(body: Mapping[str, Json], key: str) -> dict[str, Json]:
    return {name: value for name, value in body.items() if name != key}
