"""Set inclusion on schemas made to take long or to go deep: answered or given up in time, and memory stays."""

from __future__ import annotations

import json
import resource
import runpy
from pathlib import Path
from typing import Any

import pytest

from effort import calls_of
from llm_schema_registry.errors import TooComplex
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.formats.json_schema.parse import JsonSchema
from llm_schema_registry.model import CompatibilityPolicy, Difference

Json = Any
FORMAT = JsonSchemaFormat()
BOMB = Path(__file__).parents[3] / "data" / "schema_bomb_refs.py"


def parse(schema: Json) -> JsonSchema:
    return FORMAT.parse(json.dumps(schema))


class Steps(Budget):
    """A budget of so many steps, whatever the clock says."""

    def __init__(self, steps: int) -> None:
        super().__init__(60)
        self._left = steps

    def extend(self, seconds: float) -> None:
        self._left = int(seconds * 1_000_000)

    def spend(self, steps: int = 1) -> None:
        self._left -= steps
        if self._left < 0:
            raise TooComplex("no steps left")


def bomb(levels: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Json]:
    monkeypatch.setattr("sys.argv", ["schema_bomb_refs.py", str(levels)])
    runpy.run_path(str(BOMB))
    pair: dict[str, Json] = json.loads(capsys.readouterr().out)
    return pair


def answer(reader: JsonSchema, writer: JsonSchema) -> list[Difference] | None:
    """What is found within the checker's budget, which may be overrun by one step; None for too complex."""
    try:
        return list(FORMAT.hazards(reader, writer, Budget(0.1)))
    except TooComplex:
        return None


@pytest.mark.parametrize("levels", [20, 200, 2_000])
def test_a_bomb_of_references_is_answered_in_time(
    levels: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = bomb(levels, capsys, monkeypatch)
    old, new = parse(pair["old"]), parse(pair["new"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    narrowed, widened = answer(new, old), answer(old, new)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
    if levels == 20:
        assert narrowed is not None
        assert [each.path for each in narrowed] == ["#/definitions/d20/maxLength"]
        assert widened == []
    # Deeper ones may take too long on a slow machine, but are never answered wrongly.
    assert narrowed is None or narrowed
    assert not widened


def test_a_document_that_would_be_too_deep_is_no_witness() -> None:
    def chain(leaf: Json) -> JsonSchema:
        definitions = {
            f"d{level}": {"items": [{"$ref": f"#/definitions/d{level + 1}"}], "minItems": 1} for level in range(300)
        }
        return parse({"$ref": "#/definitions/d0", "definitions": {**definitions, "d300": leaf}})

    (found,) = FORMAT.hazards(chain({"maxLength": 3}), chain({"maxLength": 5}), Budget(5))
    assert (found.kind, found.sample) == ("DOCUMENT_UNDECIDED", "")


def test_what_was_found_before_time_ran_out_is_told() -> None:
    reader, writer = (
        parse({"properties": {f"p{number}": {"maximum": limit} for number in range(40)}}) for limit in (4, 5)
    )
    outcomes = set()
    for steps in range(0, 4_000, 50):
        try:
            outcomes.add(len(FORMAT.hazards(reader, writer, Steps(steps))))
        except TooComplex:
            outcomes.add(0)
    assert {0, 20} <= outcomes
    assert len(outcomes) > 2


def test_what_did_not_change_in_a_large_schema_costs_little() -> None:
    def work(count: int, changed: int) -> int:
        properties = {f"p{number}": {"type": "string", "maxLength": number + 1} for number in range(count)}
        wider = {f"p{number}": {"type": "string"} for number in range(changed)}
        writer = parse({"type": "object", "properties": properties})
        reader = parse({"type": "object", "title": "t", "properties": properties | wider})
        return calls_of(lambda: FORMAT.hazards(reader, writer, Budget(60)))

    assert work(300, 1) * 2 < work(300, 300)


def test_a_tagged_union_of_hundreds_is_matched_by_its_tags() -> None:
    def union(word: str, kind: str) -> JsonSchema:
        members = [
            {"type": "object", "properties": {"k": {"const": number}, "v": {"type": kind}}, "required": ["k"]}
            for number in range(150)
        ]
        members[3]["properties"]["v"] = {"type": "integer"}  # type: ignore[index]  # a dictionary in there
        return parse({word: members})

    for word in ("anyOf", "oneOf"):
        assert FORMAT.hazards(union(word, "number"), union(word, "number"), Budget(1)) == []
        wider = FORMAT.hazards(union(word, "number"), union(word, "integer"), Budget(5))
        assert wider == []
        assert FORMAT.hazards(union(word, "integer"), union(word, "number"), Budget(5))


def tagged(tag: str, kind: str, *, is_referred: bool = False) -> Json:
    """A union of 30 objects told apart by `k`."""
    members: dict[str, Json] = {}
    for number in range(30):
        tags = {"const": number} if tag == "const" else {"enum": [number, f"t{number}"]}
        members[f"m{number}"] = {"type": "object", "properties": {"k": tags, "v": {"type": kind}}, "required": ["k"]}
    if not is_referred:
        return {"oneOf": list(members.values())}
    return {"oneOf": [{"allOf": [{"$ref": f"#/definitions/{name}"}]} for name in members], "definitions": members}


def ring(length: int, kind: str) -> Json:
    """Objects that lead to each other in a circle; rings of any length mean the same."""
    members = {
        f"r{number}": {"properties": {"next": {"$ref": f"#/definitions/r{(number + 1) % length}"}, "v": {"type": kind}}}
        for number in range(length)
    }
    return {"$ref": "#/definitions/r0", "definitions": members}


def diamonds(kind: str) -> Json:
    """4,096 ways to one leaf."""
    members: dict[str, Json] = {
        f"d{level}": {"properties": {name: {"$ref": f"#/definitions/d{level + 1}"} for name in "ab"}}
        for level in range(12)
    }
    return {"$ref": "#/definitions/d0", "definitions": {**members, "d12": {"type": kind}}}


def either(kind: str) -> Json:
    """Six choices beside each other."""
    choices = [{"anyOf": [{"required": [f"a{number}"]}, {"required": [f"b{number}"]}]} for number in range(6)]
    return {"allOf": choices, "properties": {"x": {"type": kind}}}


@pytest.mark.parametrize(
    ("reader", "writer", "steps"),
    [
        (tagged("const", "number"), tagged("const", "integer"), 16_000),
        (tagged("enum", "number"), tagged("enum", "integer"), 16_000),
        (tagged("const", "number", is_referred=True), tagged("const", "integer", is_referred=True), 13_000),
        ({**tagged("const", "number"), "title": "t"}, tagged("const", "number"), 100),
        (ring(6, "number"), ring(4, "integer"), 280),
        (ring(6, "number"), ring(4, "number"), 155),
        (diamonds("number"), diamonds("integer"), 1_200),
        ({**diamonds("number"), "title": "t"}, diamonds("number"), 450),
        (either("number"), either("integer"), 185),
    ],
)
def test_what_only_grew_is_proved_in_few_steps(reader: Json, writer: Json, steps: int) -> None:
    """A quarter more than it takes: what was found once is not looked for again."""
    assert FORMAT.hazards(parse(reader), parse(writer), Steps(steps)) == []


def test_circles_that_are_too_long_to_be_told_apart_by_rounds_are_not_taken_as_equal() -> None:
    def long_ring(kind: str) -> JsonSchema:
        schema = ring(60, kind)
        for name, member in schema["definitions"].items():
            if name != "r30":
                del member["properties"]["v"]
        return parse(schema)

    assert FORMAT.hazards(long_ring("number"), long_ring("integer"), Budget(5)) == []
    (found,) = FORMAT.hazards(long_ring("integer"), long_ring("number"), Budget(5))
    assert found.path == "#/definitions/r30/properties/v/type"


def kinds(reader: Json, writer: Json, budget: Budget | None = None) -> list[str]:
    return [one.kind for one in FORMAT.hazards(parse(reader), parse(writer), budget or Budget(60))]


def test_a_pattern_that_no_engine_should_be_given_is_undecided() -> None:
    text = "b" * 20_001
    assert kinds({"pattern": text}, {"type": "string"}) == ["DOCUMENT_UNDECIDED"]
    reader, writer = parse({"patternProperties": {text: False}}), parse({"properties": {"a": True}})
    found = FORMAT.diff(reader, writer, CompatibilityPolicy.STRICT, Budget(60))
    assert "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL" in {one.kind for one in found}
    with_reference = {"properties": {"a": {"$ref": "#/definitions/p"}}, "definitions": {"p": {"pattern": text}}}
    assert kinds(with_reference, {"type": "object"}) == ["DOCUMENT_UNDECIDED"]


def test_a_document_that_a_validator_would_not_come_to_the_end_of_is_no_witness() -> None:
    definitions: Json = {
        f"d{n}": {"allOf": [{"$ref": f"#/definitions/d{n + 1}"}, {"$ref": f"#/definitions/d{n + 1}"}]}
        for n in range(20)
    }
    definitions["d20"] = {"maximum": 5}
    doubling = {"$ref": "#/definitions/d0", "definitions": definitions}
    assert kinds(doubling, {"type": "integer"}) == ["DOCUMENT_UNDECIDED"]


def test_of_a_large_document_only_the_first_fault_is_asked_for() -> None:
    names = [f"p{n}" for n in range(700)]
    writer = {"type": "object", "required": names, "properties": {name: {"type": "string"} for name in names}}
    reader = {**writer, "properties": {**writer["properties"], "p0": {"type": "integer"}}}
    assert kinds(reader, writer) == ["DOCUMENT_REFUSED"]


def test_many_long_excluded_texts_are_filtered_not_built_into_a_language() -> None:
    excluded = ["a" * 6_000, "a" * 6_001]
    writer = {"type": "string", "pattern": "^a+$", "not": {"enum": excluded}}
    assert kinds({"pattern": "^a"}, writer) == []
    assert kinds({"pattern": "^aa"}, writer) == ["DOCUMENT_REFUSED"]


def test_time_may_end_at_any_step() -> None:
    writer = {"type": "object", "properties": {f"p{n}": {"enum": [n, "a"]} for n in range(6)}}
    reader = {"type": "object", "properties": {f"p{n}": {"enum": [n, "b"]} for n in range(6)}}
    ends = set()
    for steps in range(0, 3_000, 25):
        try:
            ends.update(kinds(reader, writer, Steps(steps)))
        except TooComplex:
            ends.add("too complex")
    assert ends == {"too complex", "DOCUMENT_REFUSED"}


def test_names_that_were_used_before_mean_nothing_here() -> None:
    schema = parse({"type": "object"})
    assert FORMAT.reused(schema, schema, [schema], Budget(60)) == ()
