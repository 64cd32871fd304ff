"""What a person is told about each kind of difference: places in both texts, values, and what to write."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from effort import calls_of
from llm_schema_registry.formats.base import SOUND_ONLY, ResolvedReference
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.formats.json_schema.document import write_json
from llm_schema_registry.formats.json_schema.parse import JsonSchema
from llm_schema_registry.model import CompatibilityPolicy, Detail, Difference, Place

Json = Any
FORMAT = JsonSchemaFormat()
DATA = Path(__file__).parents[3] / "data"
STRICT = CompatibilityPolicy.STRICT
MODERN = "https://json-schema.org/draft/2020-12/schema"


def parse(schema: Json) -> JsonSchema:
    return FORMAT.parse(json.dumps(schema))


def explained(reader: Json, writer: Json) -> dict[str, Detail]:
    """Every difference and hazard of a pair with its detail, by kind and path."""
    read, written = parse(reader), parse(writer)
    found = [*FORMAT.diff(read, written, STRICT, Budget(1)), *FORMAT.hazards(read, written, Budget(1))]
    return {f"{each.kind} {each.path}": FORMAT.explain(each, read, written) for each in found}


def rows() -> Iterator[tuple[Json, Json]]:
    with gzip.open(DATA / "json_compat_pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["update"], row["original"]
    for line in (DATA / "json_compat_rules.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["update"], row["original"]


def at(schema: Json, pointer: str) -> Json:
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        schema = schema[int(name)] if isinstance(schema, list) else schema[name]
    return schema


def check(detail: Detail, difference: Difference, sides: tuple[Json, Json]) -> None:
    breaks = FORMAT.kinds[difference.kind].breaks_under
    assert bool(detail.remedy) is bool(breaks)
    assert not detail.remedy or detail.remedy.endswith((".", ")"))
    assert detail.explanation.endswith(".")
    for pointer, text, schema in (
        (detail.reader_path, detail.after, sides[0]),
        (detail.writer_path, detail.before, sides[1]),
    ):
        assert len(text) <= 210
        if pointer is not None:
            value = write_json(at(parse(schema).resources.root.schema, pointer))
            assert text == (value if len(value) <= 200 else f"{value[:200]}...")


def test_every_kind_is_explained_with_places_that_exist() -> None:
    kinds = set()
    located = total = 0
    for reader, writer in rows():
        if not isinstance(reader, dict | bool) or not isinstance(writer, dict | bool):
            continue
        read, written = parse(reader), parse(writer)
        found = [*FORMAT.diff(read, written, STRICT, Budget(1)), *FORMAT.hazards(read, written, Budget(1))]
        for difference in found:
            detail = FORMAT.explain(difference, read, written)
            check(detail, difference, (reader, writer))
            kinds.add(difference.kind)
            total += 1
            located += detail.reader_path is not None or detail.writer_path is not None
    assert kinds >= {kind.id for kind in FORMAT.kinds.values() if kind.breaks_under != SOUND_ONLY}
    assert located / total > 0.97


CASES: list[tuple[Json, Json, str, tuple[str | None, str | None, str, str], str]] = [
    (
        {"properties": {"b": {"type": "integer"}}},
        {"properties": {}},
        "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b",
        ("/properties/b", None, "", '{"type":"integer"}'),
        'Documents may already hold "b" with any value. Close the model with "additionalProperties": false',
    ),
    (
        {"type": "string", "maxLength": 3},
        {"type": "string", "maxLength": 5},
        "MAX_LENGTH_DECREASED #/maxLength",
        ("/maxLength", "/maxLength", "5", "3"),
        'Write "maxLength": 5 in the reader',
    ),
    (
        {"type": "string", "minLength": 3},
        {"type": "string"},
        "MIN_LENGTH_ADDED #/minLength",
        ("/minLength", None, "", "3"),
        'Take "minLength": 3 out of the reader',
    ),
    (
        {"properties": {"a/b": {"enum": [1]}}},
        {"properties": {"a/b": {"enum": [1, 2, "x"]}}},
        "ENUM_ARRAY_NARROWED #/properties/a/b/enum",
        ("/properties/a~1b/enum", "/properties/a~1b/enum", '[1,2,"x"]', "[1]"),
        "Add 2, \"x\" to the values of the reader at '/properties/a~1b/enum'.",
    ),
    (
        {"enum": [0]},
        {"enum": list(range(9))},
        "ENUM_ARRAY_NARROWED #/enum",
        ("/enum", "/enum", "[0,1,2,3,4,5,6,7,8]", "[0]"),
        "Add 1, 2, 3, 4, 5 and 3 more to the values",
    ),
    (
        {"properties": {"a": {"type": "string"}}},
        {"properties": {"a": {"type": "integer"}}},
        "TYPE_CHANGED #/properties/a",
        ("/properties/a/type", "/properties/a/type", '"integer"', '"string"'),
        'Write "type": ["string","integer"] in the reader',
    ),
    (
        {"type": "integer"},
        {"type": "number"},
        "TYPE_NARROWED #/",
        ("/type", "/type", '"number"', '"integer"'),
        'Write "type": "number" in the reader',
    ),
    (
        {"const": 1},
        {"enum": [1, 2]},
        "TYPE_CHANGED #/",
        ("", "", '{"enum":[1,2]}', '{"const":1}'),
        'Offer both in the reader: {"anyOf": [{"enum":[1,2]}, {"const":1}]}.',
    ),
    (
        {"properties": {"a": {}}, "required": ["a"]},
        {"properties": {"a": {}}},
        "REQUIRED_ATTRIBUTE_ADDED #/required/a",
        ("/required/0", None, "", '"a"'),
        'Take "a" out of "required" in the reader',
    ),
    (
        {"properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False},
        {"properties": {}, "additionalProperties": False},
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        ("/properties/a", None, "", '{"type":"string"}'),
        'Documents written before do not hold "a"',
    ),
    (
        {"properties": {}, "additionalProperties": False},
        {"properties": {"a": {"type": "string"}}, "additionalProperties": False},
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a",
        (None, "/properties/a", '{"type":"string"}', ""),
        'Keep "a": {"type":"string"} in the reader',
    ),
    (
        {"properties": {}, "additionalProperties": {"type": "integer"}},
        {"properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "integer"}},
        "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
        (None, "/properties/a", '{"type":"string"}', ""),
        'Write a schema for "a" that takes all',
    ),
    (
        {"type": "object", "additionalProperties": False},
        {"type": "object"},
        "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties",
        ("/additionalProperties", None, "", "false"),
        'Write "additionalProperties": true in the reader',
    ),
    (
        {"$schema": MODERN, "type": "array", "prefixItems": [{}, {"type": "string"}]},
        {"$schema": MODERN, "type": "array", "prefixItems": [{}]},
        "ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1",
        ("/prefixItems/1", None, "", '{"type":"string"}'),
        "Arrays may already hold any value at position 1",
    ),
    (
        {"$schema": MODERN, "dependentRequired": {"a": ["b"]}, "type": "object"},
        {"$schema": MODERN, "type": "object"},
        "DEPENDENCY_ARRAY_ADDED #/dependencies/a",
        ("/dependentRequired/a", None, "", '["b"]'),
        "out of the reader",
    ),
    (
        {"type": "string", "maxLength": 5, "enum": ["a"]},
        {"type": "string", "maxLength": 3, "enum": ["a"]},
        "MAX_LENGTH_INCREASED #/allOf/0/maxLength",
        ("/maxLength", "/maxLength", "3", "5"),
        "",
    ),
    (
        {"$ref": "#/definitions/x", "definitions": {"x": {"type": "string", "pattern": "b"}}},
        {"$ref": "#/definitions/x", "definitions": {"x": {"type": "string", "pattern": "a"}}},
        "PATTERN_CHANGED #/pattern",
        ("/definitions/x/pattern", "/definitions/x/pattern", '"a"', '"b"'),
        'Write "pattern": "a" in the reader',
    ),
    (
        {"title": "new", "$id": "http://x/"},
        {"title": "old"},
        "TITLE_CHANGED #/",
        ("/title", "/title", '"old"', '"new"'),
        "",
    ),
    ({"$id": "http://x/"}, {}, "ID_CHANGED #/", ("/$id", None, "", '"http://x/"'), ""),
    (
        {"oneOf": [{"type": "string"}]},
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "SUM_TYPE_NARROWED #/",
        ("/oneOf", "/oneOf", '[{"type":"string"},{"type":"integer"}]', '[{"type":"string"}]'),
        "Keep all alternatives of anyOf or oneOf.",
    ),
    (
        {"type": ["string", "null"]},
        {"type": ["string", "integer"]},
        "DOCUMENT_REFUSED #/type",
        ("/type", "/type", '["string","integer"]', '["string","null"]'),
        'Widen "type": ["string","null"] in the reader at',
    ),
    (
        {"maxLength": 3},
        {"maxLength": 5},
        "DOCUMENT_REFUSED #/maxLength",
        ("/maxLength", "/maxLength", "5", "3"),
        'as the writer has it, or something looser that takes "aaaa".',
    ),
    (
        {"minProperties": 1},
        {},
        "DOCUMENT_REFUSED #/minProperties",
        ("/minProperties", None, "", "1"),
        'Loosen or remove "minProperties": 1 in the reader at',
    ),
    (
        False,
        {"type": "null"},
        "DOCUMENT_REFUSED #",
        ("", "", '{"type":"null"}', "false"),
        "takes null",
    ),
    (
        {"anyOf": [{"$ref": "#"}, {"type": "string"}], "minLength": 0},
        {"anyOf": [{"$ref": "#"}, {"type": "string"}]},
        "DOCUMENT_UNDECIDED #/anyOf",
        ("/anyOf", "/anyOf", '[{"$ref":"#"},{"type":"string"}]', '[{"$ref":"#"},{"type":"string"}]'),
        "write it with simpler keywords",
    ),
]


@pytest.mark.parametrize(("reader", "writer", "key", "expected", "remedy"), CASES, ids=lambda case: str(case)[:60])
def test_a_remedy_names_what_to_write(
    reader: Json, writer: Json, key: str, expected: tuple[str | None, str | None, str, str], remedy: str
) -> None:
    detail = explained(reader, writer)[key]
    assert (detail.reader_path, detail.writer_path, detail.before, detail.after) == expected
    assert remedy in detail.remedy
    assert bool(remedy) is bool(detail.remedy)


def test_a_refused_document_stands_in_the_explanation() -> None:
    detail = explained({"maxLength": 3}, {"maxLength": 5})["DOCUMENT_REFUSED #/maxLength"]
    assert detail.explanation == (
        '"aaaa" is valid under the writer, but the reader refuses it: "aaaa" is longer than 3 characters.'
    )


def test_a_place_in_a_registered_document_has_no_pointer() -> None:
    schema = json.dumps({"properties": {"a": {"$ref": "x.json"}}})
    old, new = (
        FORMAT.parse(schema, [ResolvedReference("x.json", "x", 1, json.dumps(text))])
        for text in ({"type": "string"}, {"type": "string", "maxLength": 3})
    )
    (difference,) = FORMAT.diff(new, old, STRICT, Budget(1))
    detail = FORMAT.explain(difference, new, old)
    assert (detail.reader_path, detail.writer_path, detail.after) == (None, None, "3")
    (hazard,) = FORMAT.hazards(new, old, Budget(1))
    detail = FORMAT.explain(hazard, new, old)
    assert (hazard.path, detail.reader_path, detail.after) == ("x.json#/maxLength", None, "")
    assert "takes" in detail.remedy


def test_a_path_that_leads_nowhere_is_explained_too() -> None:
    one = parse({"type": "string"})
    for path in ("#/properties/x/maxLength", "#/allOf/3/oneOf/1/x", "#/" + "allOf/0/" * 3_000, "#", ""):
        for kind in ("MAX_LENGTH_ADDED", "ENUM_ARRAY_NARROWED"):
            assert FORMAT.explain(Difference(kind, path), one, one).remedy


def test_circles_of_references_end() -> None:
    definitions = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}
    one = parse({"$schema": MODERN, "$ref": "#/$defs/a", "$defs": definitions})
    assert FORMAT.explain(Difference("MAX_LENGTH_ADDED", "#/maxLength"), one, one).reader_path is None
    meta = parse({"$ref": "http://json-schema.org/draft-07/schema#"})
    assert FORMAT.explain(Difference("MAX_LENGTH_ADDED", "#/maxLength"), meta, meta).reader_path is None


def test_explaining_a_difference_costs_the_same_in_a_large_schema() -> None:
    def work(count: int) -> int:
        reader, writer = (
            parse(
                {
                    "properties": {f"p{number}": {"$ref": f"#/definitions/d{number}"} for number in range(count)},
                    "definitions": {f"d{number}": {"type": "string", "maxLength": length} for number in range(count)},
                }
            )
            for length in (3, 5)
        )
        found = FORMAT.diff(reader, writer, STRICT, Budget(60))
        assert len(found) == count
        return calls_of(lambda: [FORMAT.explain(difference, reader, writer) for difference in found])

    assert work(1_000) < 15 * work(100)


def test_places_are_found_in_the_text_as_it_was_written() -> None:
    text = '{\n  "properties": {\n    "a/b": {"maxLength": 3}\n  }\n}'
    assert FORMAT.locate(text, ["/properties/a~1b/maxLength"]) == {"/properties/a~1b/maxLength": Place(3, 13)}
