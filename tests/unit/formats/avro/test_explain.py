"""What a person is told of a difference: where it stands in both texts, what stood there, and what to write."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry.formats.avro import AvroFormat, AvroSchema
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.model import CompatibilityPolicy, Detail, Difference, Place

AVRO = AvroFormat()
DATA = Path(__file__).parents[3] / "data" / "compat" / "avro"
ROWS = [
    pytest.param(row, id=f"{file.stem}: {row['name']}")
    for file in sorted(DATA.glob("*.json"))
    for row in json.loads(file.read_text())
    if row["differences"] or row.get("hazards")
]


def parse(schema: object, *references: ResolvedReference) -> AvroSchema:
    return AVRO.parse(json.dumps(schema), references, is_new=False)


def explained(reader: AvroSchema, writer: AvroSchema) -> list[Detail]:
    found = [
        *AVRO.diff(reader, writer, CompatibilityPolicy.STRICT, Budget(60)),
        *AVRO.hazards(reader, writer, Budget(60)),
    ]
    return [AVRO.explain(one, reader, writer) for one in found]


def explain(reader: object, writer: object) -> Detail:
    (detail,) = explained(parse(reader), parse(writer))
    return detail


def record(*fields: dict[str, Any], **more: object) -> dict[str, object]:
    return {"type": "record", "name": "R", "fields": list(fields), **more}


def follow(text: object, pointer: str) -> object:
    for token in pointer.split("/")[1:]:
        text = text[int(token)] if isinstance(text, list) else text[token]
    return text


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_explained_and_its_places_are_in_the_texts(row: dict[str, Any]) -> None:
    for detail in explained(parse(row["reader"]), parse(row["writer"])):
        assert detail.explanation.endswith(".")
        assert detail.remedy.endswith(".")
        assert max(len(detail.before), len(detail.after)) <= 203
        for text, path, shown in (
            (row["reader"], detail.reader_path, detail.after),
            (row["writer"], detail.writer_path, detail.before),
        ):
            assert (path is None) == (shown == "")
            if path is not None:
                follow(text, path)
                assert AVRO.locate(json.dumps(text), [path]).keys() == {path}


@pytest.mark.parametrize("path", ["/fields/99", "/fields/0/type/3", "/items", "/values/0/name", "/0/fields/0/type"])
@pytest.mark.parametrize("kind", AVRO.kinds)
@pytest.mark.parametrize("schema", ["int", record({"name": "a", "type": "int"}), [], ["int"]])
def test_a_path_that_leads_nowhere_is_explained_all_the_same(kind: str, path: str, schema: object) -> None:
    """A finding that is told again keeps the path of its first visit, which may lead through another branch."""
    for reader, writer in itertools.product((parse(schema), parse("int")), repeat=2):
        detail = AVRO.explain(Difference(kind, path, "int read as long", "1", "2"), reader, writer)
        assert detail.explanation.endswith(".")
        assert detail.remedy.endswith(".")


class TestPlaces:
    WRITER = """{
  "type": "record", "name": "n.Call",
  "fields": [
    {"name": "model", "type": "string"},
    {"name": "usage", "type": ["null", {"type": "record", "name": "Usage", "fields": [
      {"name": "tokens", "type": "int"}]}]},
    {"name": "total", "type": "Usage"}
  ]
}"""

    def test_both_texts_are_pointed_into(self) -> None:
        reader = self.WRITER.replace('"int"', '"float"')
        (detail,) = explained(AVRO.parse(reader), AVRO.parse(self.WRITER))
        assert detail.reader_path == detail.writer_path == "/fields/1/type/1/fields/0/type"
        assert AVRO.locate(reader, [detail.reader_path]) == {detail.reader_path: Place(6, 26)}

    def test_fields_are_matched_by_name_and_alias(self) -> None:
        reader = record({"name": "x", "type": "int", "default": 0}, {"name": "c", "type": "int", "aliases": ["b"]})
        writer = record({"name": "a", "type": "int"}, {"name": "b", "type": "string"})
        detail = explain(reader, writer)
        assert (detail.reader_path, detail.writer_path) == ("/fields/1/type", "/fields/1/type")
        assert (detail.before, detail.after) == ('"string"', '"int"')

    def test_a_type_that_is_defined_elsewhere_is_shown_where_it_is_defined(self) -> None:
        """The stored text of the writer defines it first, the submitted one of the reader last."""
        used, defined = {"name": "a", "type": "E"}, {"type": "enum", "name": "E", "symbols": ["A"]}
        reader = record(used, {"name": "b", "type": defined})
        writer = record({"name": "a", "type": defined | {"symbols": ["B"]}}, {"name": "b", "type": "E"})
        details = explained(parse(reader), parse(writer))
        # A pair that is met again is told again, with the path of the first visit (compatibility-rules 2.6).
        assert [(one.reader_path, one.writer_path) for one in details] == [
            ("/fields/1/type/symbols", "/fields/0/type/symbols")
        ] * 2

    def test_a_type_of_a_reference_has_no_place_in_the_text(self) -> None:
        inner = json.dumps({"type": "enum", "name": "E", "symbols": ["A"]})
        reader = parse(record({"name": "a", "type": "E"}), ResolvedReference("E", "e", 1, inner))
        writer = parse(record({"name": "a", "type": {"type": "enum", "name": "E", "symbols": ["B"]}}))
        (detail,) = explained(reader, writer)
        assert (detail.reader_path, detail.writer_path) == (None, "/fields/0/type/symbols")
        assert (detail.before, detail.after) == ('["B"]', '["A"]')

    def test_a_branch_of_the_reader_is_found_through_unions_of_both(self) -> None:
        reader = ["null", {"type": "map", "values": ["string", {"type": "array", "items": "double"}]}]
        writer = [{"type": "map", "values": {"type": "array", "items": "long"}}, "null"]
        detail = explain(reader, writer)
        assert (detail.reader_path, detail.writer_path) == ("/1/values/1/items", "/0/values/items")


class TestRemedies:
    @pytest.mark.parametrize(
        ("schema", "shown"),
        [
            (["null", "string"], '{"name": "a", "type": ["null", "string"], "default": null}'),
            (["string", "null"], '{"name": "a", "type": ["null", "string"], "default": null}'),
            (["string", "int"], '{"name": "a", "type": ["null", "string", "int"], "default": null}'),
            ("int", '{"name": "a", "type": "int", "default": 0}'),
            ("long", '{"name": "a", "type": "long", "default": 0}'),
            ("float", '{"name": "a", "type": "float", "default": 0.0}'),
            ("double", '{"name": "a", "type": "double", "default": 0.0}'),
            ("boolean", '{"name": "a", "type": "boolean", "default": false}'),
            ("string", '{"name": "a", "type": "string", "default": ""}'),
            ("bytes", '{"name": "a", "type": "bytes", "default": ""}'),
            ("null", '{"name": "a", "type": "null", "default": null}'),
            (
                {"type": "array", "items": "int"},
                '{"name": "a", "type": {"type": "array", "items": "int"}, "default": []}',
            ),
            (
                {"type": "map", "values": "int"},
                '{"name": "a", "type": {"type": "map", "values": "int"}, "default": {}}',
            ),
            ({"type": "enum", "name": "E", "symbols": ["A"]}, '{"name": "a", "type": "E", "default": "A"}'),
            ({"type": "fixed", "name": "F", "size": 1}, '{"name": "a", "type": ["null", "F"], "default": null}'),
            ({"type": "record", "name": "S", "fields": []}, '{"name": "a", "type": ["null", "S"], "default": null}'),
        ],
    )
    def test_a_default_that_fits_the_type(self, schema: object, shown: str) -> None:
        field = {"name": "a", "type": schema}
        detail = explain(record(field), record())
        assert detail.remedy == f'Give "a" a default: {shown}.'
        assert detail.explanation == (
            'The reader wants the field "a", which the writer does not write, and has no default to fill it in with.'
        )
        assert (detail.writer_path, detail.before) == (None, "")
        if not isinstance(schema, dict):
            assert AVRO.parse(json.dumps(record(json.loads(shown))))

    def test_an_alias_for_a_field_that_vanished(self) -> None:
        remedy = explain(record({"name": "b", "type": "int"}), record({"name": "a", "type": "int"})).remedy
        assert remedy.endswith(' If it is "a" renamed, write "aliases": ["a"] instead.')

    def test_no_alias_where_two_fields_vanished_or_none_of_the_type(self) -> None:
        for fields in (["int", "int"], ["string"]):
            writer = record(*({"name": f"a{index}", "type": one} for index, one in enumerate(fields)))
            assert "aliases" not in explain(record({"name": "b", "type": "int"}), writer).remedy

    def test_no_alias_is_looked_for_in_a_large_record(self) -> None:
        writer = record(
            {"name": "z", "type": "int"}, *({"name": f"a{index}", "type": "string"} for index in range(200))
        )
        assert "aliases" not in explain(record({"name": "b", "type": "int"}), writer).remedy

    @pytest.mark.parametrize(
        ("reader", "writer", "explanation", "remedy"),
        [
            (
                "int",
                "long",
                'The schema is "int" for the reader, which cannot read the "long" that the writer writes.',
                'Keep the type "long", or make it a union of both: ["long", "int"].',
            ),
            (
                "boolean",
                "int",
                'The schema is "boolean" for the reader, which cannot read the "int" that the writer writes.',
                'Keep the type "int", widen it to "long", or make it a union of both: ["int", "boolean"].',
            ),
            (
                ["null", "string"],
                "int",
                'The schema may hold "int", which no branch of the reader\'s union reads.',
                'Write the union with it: ["null", "string", "int"].',
            ),
            (
                record(name="S"),
                record(),
                (
                    "The schema is of the named type S for the reader and of R for the writer, and the "
                    "reader does not say that they are the same."
                ),
                'Keep the name, or if it is the same type renamed, write "aliases": ["R"] beside the name S.',
            ),
            (
                {"type": "fixed", "name": "F", "size": 2},
                {"type": "fixed", "name": "F", "size": 1},
                "The reader takes another number of bytes for F than the 1 that the writer writes.",
                'Keep "size": 1 for F, or add a field of a new fixed type with a default beside it.',
            ),
            (
                {"type": "enum", "name": "E", "symbols": ["C"]},
                {"type": "enum", "name": "E", "symbols": ["B", "A"]},
                "The enum E of the reader lacks A, B, which the writer may write, and has no default to take instead.",
                (
                    'Keep A, B in the symbols of E, or write "default": "C" beside them, which readers '
                    "then see in its place."
                ),
            ),
            (
                record({"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}),
                record({"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}),
                (
                    'The field "at" is written as timestamp-millis and read as timestamp-micros: '
                    "1704067200000 arrives as 1970-01-20T17:21:07.200000Z, written as "
                    "2024-01-01T00:00:00Z."
                ),
                (
                    'Keep {"type": "long", "logicalType": "timestamp-millis"}, and add a field beside it: '
                    '{"name": "at_new", "type": ["null", {"type": "long", "logicalType": '
                    '"timestamp-micros"}], "default": null}.'
                ),
            ),
            (
                "float",
                "long",
                "The schema is written as long and read as float: 16777217 arrives as 16777216.0.",
                'Read "long", or add a field of the new type with a default beside it.',
            ),
            (
                "float",
                "int",
                "The schema is written as int and read as float: 16777217 arrives as 16777216.0.",
                'Read "long" or "double", or add a field of the new type with a default beside it.',
            ),
            (
                {"type": "bytes", "logicalType": "decimal", "precision": 60},
                {"type": "bytes", "logicalType": "decimal", "precision": 70},
                "The schema is written as decimal(70, 0) and read as decimal(60, 0).",
                'Keep "precision": 70, or raise it.',
            ),
            (
                "string",
                "bytes",
                (
                    'The schema is written as bytes and read as string: "\\u00ff" fails in fastavro; '
                    "Java's decoder puts U+FFFD in its place."
                ),
                'Keep "bytes", and give the new meaning a type or schema of its own.',
            ),
            (
                {"type": "enum", "name": "E", "symbols": ["A"], "default": "A"},
                {"type": "enum", "name": "E", "symbols": ["A", "B"]},
                'The reader sees "A" where the writer wrote B, since E has no such symbol any more.',
                "Keep B in the symbols of E.",
            ),
            (
                ["double", "long"],
                "int",
                (
                    "Several branches of the reader's union fit what the writer writes, int: double or "
                    "long: a value arrives as 5.0, though the union has the branch long."
                ),
                'Write the branch "int" first in the union, before every other branch that fits.',
            ),
            (
                ["null", {"type": "enum", "name": "q.E", "symbols": ["A"]}],
                {"type": "enum", "name": "p.E", "symbols": ["A"]},
                (
                    "Java's check finds a branch of the reader's union for p.E, but decoding fails: "
                    "decoders take the branch q.E, which cannot read the full name p.E."
                ),
                "Give the union one branch with the full name p.E, and let it read all that the writer writes.",
            ),
            (
                record({"name": "b", "type": "int", "aliases": ["a"]}, name="q.R"),
                record({"name": "a", "type": "int"}, name="p.R"),
                (
                    "The reader's field 'b' by alias 'a' stands for a field of the writer, but Java's "
                    "decoder does not find 'a' for 'b'."
                ),
                (
                    "Use each former name in one alias only and in no field's name, and keep the name of "
                    'the record, or write "aliases": ["p.R"] beside its new one.'
                ),
            ),
            (
                record({"name": "b", "type": "int", "default": "x"}),
                record(),
                'The writer does not write the field "b", and its default is no value of its type.',
                'Correct the default of {"name": "b", "type": "int", "default": "x"}.',
            ),
            (
                record({"name": "a", "type": "int", "aliases": ["b"]}),
                record({"name": "a", "type": "int"}, {"name": "b", "type": "int"}),
                "In the writer more than one field fits by name or alias: field 'a' matches a, b.",
                'Remove aliases from ["b"] until one field of the writer is left.',
            ),
        ],
    )
    def test_words(self, reader: object, writer: object, explanation: str, remedy: str) -> None:
        detail = explain(reader, writer)
        assert detail.explanation == explanation
        assert detail.remedy == remedy


class TestExcerpts:
    def test_what_is_long_is_cut(self) -> None:
        symbols = [f"SYMBOL_{number}" for number in range(40)]
        detail = explain(
            {"type": "enum", "name": "E", "symbols": ["A"]}, {"type": "enum", "name": "E", "symbols": symbols}
        )
        assert detail.before.endswith("...")
        assert len(detail.before) == 203
        assert len(detail.remedy) < 400

    def test_many_parts_are_not_all_written(self) -> None:
        fields = [{"name": f"_{number}", "type": "int"} for number in range(30)]
        enum = {"type": "enum", "name": "E", "symbols": [f"_{number}" for number in range(30)]}
        union = [{"type": "fixed", "name": f"F{number}", "size": 1} for number in range(30)]
        assert '"_15", "..."]' in explain("int", record(*fields)).before
        assert '"_15", "..."]' in explain("int", enum).before
        assert '"F14", "..."]' in explain(["int", *union], "string").after

    def test_deep_types_are_not_written_to_the_end(self) -> None:
        deep: object = "int"
        for _ in range(50):
            deep = {"type": "array", "items": deep}
        assert '"items": "..."' in explain("int", deep).before

    @pytest.mark.parametrize(
        ("default", "shown"),
        [("x" * 300, '"' + "x" * 199 + "..."), ([1], '"...'), ({"a": 1}, '"..."'), ({}, "{}"), ([], "[]"), (5, "5")],
    )
    def test_defaults_are_short(self, default: object, shown: str) -> None:
        fields = [{"name": "a", "type": {"type": "enum", "name": "E", "symbols": []}, "default": default}]
        after = explain(record(*fields), record()).after
        assert shown[:100] in after

    def test_a_definition_has_its_default_and_logical_type(self) -> None:
        enum = {"type": "enum", "name": "E", "symbols": ["A"], "default": "A"}
        assert explain("int", enum).before == '{"type": "enum", "name": "E", "symbols": ["A"], "default": "A"}'
        fixed = {"type": "fixed", "name": "F", "size": 1, "logicalType": "decimal", "precision": 2, "more": 1}
        assert explain("int", fixed).before == (
            '{"type": "fixed", "name": "F", "size": 1, "logicalType": "decimal", "precision": 2}'
        )
