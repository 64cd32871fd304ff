"""Set inclusion by tables: every keyword of every draft, the traps of the rules, everyday pairs; and reflexivity."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema_specifications import REGISTRY

from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.model import Difference
from property.json_pairs import ADDRESSES, COMPILED, PURE, documents

Json = Any
FORMAT = JsonSchemaFormat()
DATA = Path(__file__).parents[3] / "data"
TABLE = DATA / "compat" / "json_schema"
# Keywords that only say something to people, name schemas or hold some: no document fails by them alone.
HARMLESS = {
    *("$schema", "$comment", "$defs", "$vocabulary", "$dynamicAnchor", "$recursiveAnchor", "id", "definitions"),
    *("title", "description", "default", "examples", "readOnly", "writeOnly", "deprecated", "contentSchema"),
}
# Annotations in the modern drafts, as validators take them by default; keywords that only stand in a metaschema to mark
# them as gone, or beside lists under `items`, which the registry refuses there.
HARMLESS_IN_MODERN = {"format", "contentEncoding", "contentMediaType"}
HARMLESS_IN = {19: HARMLESS_IN_MODERN | {"additionalItems"}, 20: HARMLESS_IN_MODERN | {"$recursiveRef"}}


def read(text: str) -> Json:
    return json.loads(text, parse_float=Decimal)


@cache
def rows(name: str) -> list[dict[str, Json]]:
    return [read(line) for line in (TABLE / name).read_text(encoding="utf-8").splitlines()]


def draft_of(schema: Json) -> int:
    address = schema.get("$schema", "").removesuffix("#") if isinstance(schema, dict) else ""
    return next((draft for draft, known in ADDRESSES.items() if known.removesuffix("#") == address), 7)


def compiled(schema: Json) -> jsonschema_rs.Validator:
    return COMPILED[draft_of(schema)](schema, offline=True)


def pure(schema: Json) -> Any:  # noqa: ANN401 - the classes of jsonschema have no common type
    cls = PURE[draft_of(schema)]
    return cls(schema, format_checker=cls.FORMAT_CHECKER if draft_of(schema) <= 7 else None)


def written(value: Json) -> str:
    return json.dumps(value, default=float)


def hazards(reader: Json, writer: Json, seconds: float = 1.0) -> list[Difference]:
    read_by, written_by = FORMAT.parse(written(reader)), FORMAT.parse(written(writer))
    return list(FORMAT.hazards(read_by, written_by, Budget(seconds)))


def check_witnesses(found: list[Difference], reader: Json, writer: Json) -> None:
    """Every refusal has a document that is valid on one side and invalid on the other, and its own place."""
    takes, refuses = compiled(writer), compiled(reader)
    assert len({difference.path for difference in found}) == len(found)
    for difference in found:
        assert difference.kind == "DOCUMENT_REFUSED"
        sample = read(difference.sample)
        assert takes.is_valid(sample)
        assert not refuses.is_valid(sample)
        assert difference.outcome
        assert difference.info == difference.outcome


@pytest.mark.parametrize("row", rows("sound.jsonl"), ids=lambda row: row["id"])
def test_a_pair_of_the_table_comes_out_as_it_is(row: dict[str, Json]) -> None:
    found = hazards(row["reader"], row["writer"])
    check_witnesses(found, row["reader"], row["writer"])
    assert ("incompatible" if found else "compatible") == row["truth"]
    if "places" in row:
        assert [difference.path for difference in found] == row["places"]


@pytest.mark.parametrize("row", rows("traps.jsonl"), ids=lambda row: row["id"])
def test_a_trap_comes_out_as_data_says(row: dict[str, Json]) -> None:
    found = hazards(row["reader"], row["writer"])
    assert ("incompatible" if found else "compatible") == row["truth"]
    # The forward side of J36 rests on `dependencies` having no effect in 2019-09, where this validator still has it.
    if row["id"] != "J36 forward":
        check_witnesses(found, row["reader"], row["writer"])


@pytest.mark.parametrize("row", rows("hard.jsonl"), ids=lambda row: row["id"])
def test_a_hard_pair_is_answered_as_far_as_it_can_be(row: dict[str, Json]) -> None:
    """Numbers beyond arithmetic, patterns beyond regular languages or no patterns at all, lengths beyond search."""
    sides = [json.dumps(row[side], default=str) for side in ("reader", "writer")]
    reader, writer = (FORMAT.parse(_exact(text)) for text in sides)
    found = list(FORMAT.hazards(reader, writer, Budget(2)))
    kinds = {each.kind for each in found}
    answer = "proved" if not found else "refused" if kinds == {"DOCUMENT_REFUSED"} else "undecided"
    assert answer == row["answer"]
    if "places" in row:
        assert [difference.path for difference in found if difference.kind == "DOCUMENT_UNDECIDED"] == row["places"]
    for difference in found:
        assert FORMAT.explain(difference, reader, writer).remedy


def _exact(text: str) -> str:
    """Numbers that the standard library cannot write stand as strings; here they become numbers again."""
    return re.sub(r'"(-?[0-9.]+E[+-][0-9]+|[0-9]+\.[0-9]+)"', r"\1", text)


def test_the_truth_of_the_table_is_that_of_two_validators() -> None:
    samples = documents()
    for row in rows("sound.jsonl"):
        takes, refuses = compiled(row["writer"]), compiled(row["reader"])
        if row["truth"] == "incompatible":
            assert takes.is_valid(row["witness"]), row["id"]
            assert not refuses.is_valid(row["witness"]), row["id"]
            if row.get("not_by") != "jsonschema":
                assert pure(row["writer"]).is_valid(row["witness"]), row["id"]
                assert not pure(row["reader"]).is_valid(row["witness"]), row["id"]
        else:
            passed = [sample for sample in samples if takes.is_valid(sample)]
            assert all(refuses.is_valid(sample) for sample in passed), row["id"]
            assert all(pure(row["reader"]).is_valid(sample) for sample in passed[::97]), row["id"]


def keywords_of(draft: int) -> set[str]:
    """The keywords that a draft's metaschema and its vocabularies declare."""
    found: set[str] = set()
    waiting = [ADDRESSES[draft].removesuffix("#")]
    while waiting:
        contents = REGISTRY.contents(waiting.pop())
        found |= contents.get("properties", {}).keys()
        waiting += [
            f"https://json-schema.org/draft/{'2019-09' if draft == 19 else '2020-12'}/{part['$ref']}"
            for part in contents.get("allOf", ())
            if part.get("$ref", "").startswith("meta/")
        ]
    return found


@pytest.mark.parametrize("draft", ADDRESSES)
def test_every_keyword_of_every_draft_has_a_pair_that_breaks_by_it_and_one_that_does_not(draft: int) -> None:
    shown: dict[str, set[str]] = defaultdict(set)
    for row in rows("sound.jsonl"):
        if row["draft"] == draft:
            for keyword in row["keywords"]:
                shown[row["truth"]].add(keyword)
    harmless = HARMLESS | HARMLESS_IN.get(draft, set())
    known = keywords_of(draft)
    assert len(known) > 30
    assert not known - shown["compatible"] - {"$schema"}, "no harmless pair"
    assert not known - harmless - shown["incompatible"], "no breaking pair"


def test_the_table_is_large_and_its_ids_are_distinct() -> None:
    assert len(rows("sound.jsonl")) >= 400
    assert len({row["id"] for row in rows("sound.jsonl")}) == len(rows("sound.jsonl"))


def everyday() -> list[dict[str, Json]]:
    pairs: list[dict[str, Json]] = read((DATA / "jsonschema_pairs.json").read_text(encoding="utf-8"))["pairs"]
    return pairs


@pytest.mark.parametrize("pair", everyday(), ids=lambda pair: pair["id"])
def test_an_everyday_pair_is_decided_rightly(pair: dict[str, Json]) -> None:
    found = hazards(pair["new"], pair["old"], seconds=0.1)
    check_witnesses(found, pair["new"], pair["old"])
    assert ("incompatible" if found else "compatible") == pair["truth"]


def corpus() -> Iterator[Json]:
    with gzip.open(DATA / "json_compat_pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield from (read(line)[side] for side in ("original", "update"))
    for row in (*rows("sound.jsonl"), *rows("traps.jsonl")):
        yield from (row["writer"], row["reader"])
    for pair in everyday():
        yield from (pair["old"], pair["new"])


def test_every_schema_of_every_corpus_takes_its_own_documents() -> None:
    count = 0
    for schema in corpus():
        if isinstance(schema, dict | bool):
            count += 1
            assert hazards(schema, schema) == []
    assert count > 4_000


def test_a_new_title_changes_nothing_for_any_schema_of_the_tables() -> None:
    for row in (*rows("sound.jsonl"), *rows("traps.jsonl")):
        if isinstance(row["writer"], dict) and "title" not in row["writer"]:
            assert hazards({**row["writer"], "title": "another"}, row["writer"]) == [], row["id"]


def test_distinct_refusals_are_all_told() -> None:
    writer = {"type": "object", "properties": {name: {"type": "integer"} for name in "abc"}}
    reader = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer", "maximum": 5}, "c": {"type": "integer"}},
        "required": ["a"],
        "propertyNames": {"maxLength": 2},
    }
    found = hazards(reader, writer)
    check_witnesses(found, reader, writer)
    assert {difference.path for difference in found} == {
        "#/properties/a/type",
        "#/properties/b/maximum",
        "#/required",
        "#/propertyNames/maxLength",
    }


def test_no_more_than_twenty_refusals_are_told() -> None:
    names = [f"p{number}" for number in range(60)]
    writer = {"properties": {name: {"maximum": 5} for name in names}}
    reader = {"properties": {name: {"maximum": 4} for name in names}}
    assert len(hazards(reader, writer)) == 20


def referring(schema: Json, **texts: Json) -> Any:  # noqa: ANN401 - a parsed schema
    references = [ResolvedReference(f"{name} of mine.json", name, 1, written(text)) for name, text in texts.items()]
    return FORMAT.parse(written(schema), references)


def test_registered_references_are_followed_whatever_their_names_are() -> None:
    schema = {"properties": {"a": {"$ref": "x of mine.json"}, "b": {"$ref": "x of mine.json#/definitions/in%20it"}}}
    old = referring(schema, x={"type": "integer", "definitions": {"in it": {"type": "string"}}})
    new = referring(schema, x={"type": "number", "definitions": {"in it": {"type": "string", "maxLength": 3}}})
    assert list(FORMAT.hazards(old, old, Budget(1))) == []
    found = {(each.path, each.sample) for each in FORMAT.hazards(new, old, Budget(1))}
    assert found == {("x of mine.json#/definitions/in it/maxLength", '{"b":"aaaa"}')}
    paths = {each.path for each in FORMAT.hazards(old, new, Budget(1))}
    assert paths == {"x of mine.json#/type"}


def test_a_refusal_is_placed_in_the_reference_that_holds_it() -> None:
    schema = {"properties": {"a": {"$ref": "x of mine.json"}, "b": {"$ref": "y of mine.json"}}}
    old = referring(schema, x={"maxLength": 3}, y={"maxLength": 3})
    for new, path in (
        (referring(schema, x={"maxLength": 2}, y={"maxLength": 3}), "x of mine.json#/maxLength"),
        (referring(schema, x={"maxLength": 3}, y={"maxLength": 2}), "y of mine.json#/maxLength"),
    ):
        assert [each.path for each in FORMAT.hazards(new, old, Budget(1))] == [path]


def test_what_a_validator_says_is_cut_when_it_is_long() -> None:
    (short,) = hazards({"enum": ["a"]}, {"const": "b"})
    assert short.outcome == '"b" is not one of "a"'
    (long,) = hazards({"enum": ["a" * 200, "b" * 200]}, {"const": "b"})
    assert len(long.outcome) == 303
    assert long.outcome.endswith("...")


def test_a_boolean_as_target_of_a_reference_counts() -> None:
    for address in (ADDRESSES[7], ADDRESSES[20]):
        old = {"$schema": address, "properties": {"a": {"$ref": "#/definitions/x"}}, "definitions": {"x": True}}
        new = {**old, "definitions": {"x": False}}
        assert [each.sample for each in hazards(new, old)] == ['{"a":null}']
        assert hazards(old, new) == []


def test_a_metaschema_as_target_is_not_looked_into() -> None:
    old = {"properties": {"a": {"$ref": "http://json-schema.org/draft-07/schema#"}}}
    new = {"properties": {"a": {"$ref": "http://json-schema.org/draft-07/schema#"}}, "required": ["a"]}
    assert [each.sample for each in hazards(new, old)] == ["{}"]
    assert hazards({**old, "minProperties": 0}, old) == []
    assert [each.kind for each in hazards({"properties": {"a": {"type": ["object", "boolean"]}}}, old)] == [
        "DOCUMENT_UNDECIDED"
    ]


def test_dynamic_references_with_several_targets_are_undecided() -> None:
    old = {
        "$schema": ADDRESSES[20],
        "properties": {"a": {"$dynamicRef": "#n"}},
        "$defs": {"x": {"$dynamicAnchor": "n"}, "y": {"$id": "http://y/", "$dynamicAnchor": "n", "type": "string"}},
    }
    assert hazards(old, old) == []
    found = hazards({**old, "maxProperties": 5}, old)
    assert {each.kind for each in found} == {"DOCUMENT_UNDECIDED"}


def test_a_schema_that_asks_for_itself_of_the_same_value_is_undecided() -> None:
    old = {"anyOf": [{"$ref": "#"}, {"type": "string"}]}
    assert [each.kind for each in hazards({**old, "minLength": 0}, old)] == ["DOCUMENT_UNDECIDED"]
    paradox = {"not": {"$ref": "#"}}
    assert hazards({"type": "string"}, paradox) != []
