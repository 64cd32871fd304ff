"""Which texts are Avro, and what the refusal of the others says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro import AvroFormat, AvroRules
from llm_schema_registry.formats.base import ResolvedReference

DATA = Path(__file__).parents[3] / "data"
VERDICTS = [json.loads(line) for line in (DATA / "avro_malformed_verdicts.jsonl").read_text().splitlines()]
AVRO = AvroFormat()
COLUMNS = {AvroRules.V1_12: "java_1.12.0", AvroRules.V1_11: "java_1.11.4"}


def record(*fields: object, **attributes: object) -> str:
    return json.dumps({"type": "record", "name": "R", "fields": fields, **attributes})


def reference(name: str, text: str) -> ResolvedReference:
    return ResolvedReference(name=name, subject=name, version=1, text=text)


def refusal(text: str, *references: ResolvedReference, is_new: bool = True, avro: AvroFormat = AVRO) -> str:
    with pytest.raises(InvalidSchema) as refused:
        avro.parse(text, references, is_new=is_new)
    return str(refused.value)


def test_the_table_has_every_row() -> None:
    assert len(VERDICTS) == 159


@pytest.mark.parametrize("rules", AvroRules)
@pytest.mark.parametrize("row", VERDICTS, ids=lambda row: row["case"])
def test_verdict_equals_java(row: dict[str, str], rules: AvroRules) -> None:
    avro = AvroFormat(rules)
    if row[COLUMNS[rules]].startswith("ACCEPT"):
        parsed = avro.parse(row["schema"])
        assert avro.parse(parsed.canonical).canonical == parsed.canonical
    else:
        refusal(row["schema"], avro=avro)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            (
                '{"type":"record","name":"n.R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"},'
                '{"name":"tags","type":{"type":"array","items":"Tag"}}]}'
            ),
            (
                "'/fields/2/type/items'",
                "field 'tags' of record 'n.R'",
                "'n.Tag' is not defined",
                "known are n.R",
                "add",
            ),
        ),
        ('["int", "int"]', ("'/1'", "'int' twice")),
        (record({"name": "a", "type": {"type": "map", "values": ["null", 5]}}), ("'/fields/0/type/values/1'", "5")),
        (record({"name": "a", "type": "int", "order": 5}), ("'/fields/0/order'", "5", "descending")),
        (
            record({"name": "a", "type": {"type": "array", "items": {"type": "map", "values": "int"}}, "default": 1}),
            ("'/fields/0/default'", "the default 1 does not fit the type array of map of int"),
        ),
        (record({"name": "a", "type": "float", "default": "x"}), ("'/fields/0/default'", '"x"', "write a number")),
        ('{"type": "record",\n "name": R}', ("not JSON", "line 2 column 10")),
        ("/* only */ // comments", ("not JSON",)),
        ('"int" /* open', ("not closed", "add */")),
        ('"int" /*/', ("not closed",)),
    ],
)
def test_refusal_names_the_place_the_finding_and_the_mend(text: str, parts: tuple[str, ...]) -> None:
    message = refusal(text)
    assert all(part in message for part in parts), message


def test_refusal_of_an_unknown_name_lists_only_a_few_known_ones() -> None:
    many = [{"type": "fixed", "name": f"F{number}", "size": 1} for number in range(11)]
    assert "known are" not in refusal(json.dumps([*many, "G"]))


def test_refusal_stays_short_whatever_the_schema_holds() -> None:
    assert len(refusal(json.dumps("N" * 100_000))) < 1_000


@pytest.mark.parametrize(
    "text",
    [
        '// a type\n"int"',
        '/**/{"type"/* : */:"int"}//',
        '{"type": "int", "doc": "http://not.a/comment /* nor this */"} // end',
    ],
)
def test_comments_are_not_seen(text: str) -> None:
    assert AVRO.parse(text).canonical == '"int"'


@pytest.mark.parametrize(
    ("default", "stored"),
    [("1.5", 1.5), (" -2e3d ", -2000.0), ("+.5F", 0.5), ("7.", 7.0), ("-Infinity", "-Infinity"), ("NaN", "NaN")],
)
def test_text_default_of_a_double_becomes_a_number(default: str, stored: object) -> None:
    parsed = AVRO.parse(record({"name": "a", "type": "double", "default": default}))
    assert json.loads(parsed.canonical)["fields"][0]["default"] == stored
    assert AVRO.parse(parsed.canonical).canonical == parsed.canonical


def test_number_beyond_a_double_is_kept_where_a_double_is_due_and_refused_elsewhere() -> None:
    parsed = AVRO.parse('{"type":"record","name":"R","fields":[{"name":"a","type":"float","default":-1e400}]}')
    assert '"default":"-Infinity"' in parsed.canonical
    assert AVRO.parse(parsed.canonical).canonical == parsed.canonical
    assert "outside the range of a double" in refusal('{"type":"int","limit":1e400}')


class TestOldVersions:
    """What is registered already is not judged again (compatibility-rules 2.8)."""

    @pytest.mark.parametrize(
        "text",
        [
            record({"name": "a", "type": "int", "default": "x"}),
            record({"name": "a", "type": "float", "default": "x"}),
            record({"name": "a-b", "type": "int"}),
            record(namespace="a-b"),
            '{"type":"enum","name":"E","symbols":["A B"]}',
        ],
    )
    def test_defaults_and_names_are_not_checked(self, text: str) -> None:
        refusal(text)
        parsed = AVRO.parse(text, is_new=False)
        assert AVRO.parse(parsed.canonical, is_new=False).canonical == parsed.canonical

    @pytest.mark.parametrize(
        "text",
        [
            '["int","int"]',
            '["int",["null"]]',
            '{"type":"enum","name":"E","symbols":["A","A"]}',
            '{"type":"enum","name":"E","symbols":["A"],"default":"B"}',
            record({"name": "a", "type": "Nope"}),
            record({"name": "a", "type": "int"}, {"name": "a", "type": "int"}),
            record({"name": "", "type": "int"}),
        ],
    )
    def test_structure_is(self, text: str) -> None:
        refusal(text, is_new=False)


class TestNames:
    def test_letters_of_every_alphabet_are_accepted_and_other_characters_are_not(self) -> None:
        assert AVRO.parse(record(name="Größe_٣")).canonical
        for name in ("٣a", "a\u2160", "a\U00010400", "a\u0301", "a\x00"):
            assert "may not hold" in refusal(record(name=name))

    @pytest.mark.parametrize("is_new", [True, False])
    def test_length_is_bounded_with_and_without_namespace(self, is_new: bool) -> None:
        assert AVRO.parse(record(name="a." + "n" * 1022), is_new=is_new).canonical
        for name in ("n" * 1025, "a." + "n" * 1023):
            assert "at most 1024" in refusal(record(name=name), is_new=is_new)
        assert "at most 1024" in refusal(record({"name": "n" * 1025, "type": "int"}), is_new=is_new)

    def test_name_resolves_in_its_namespace_first_then_in_none(self) -> None:
        text = """[{"type":"fixed","name":"F","size":1},
                   {"type":"record","name":"n.R","fields":[
                     {"name":"outer","type":"F"},
                     {"name":"inner","type":{"type":"fixed","name":"F","size":2}},
                     {"name":"again","type":"F"},
                     {"name":"root","type":".F"}]}]"""
        parsed = AVRO.parse(text)
        fields = json.loads(parsed.canonical)[1]["fields"]
        # Once n.F is known, the one without namespace needs its dot.
        assert [field["type"] for field in fields] == [".F", {"type": "fixed", "name": "F", "size": 2}, "F", ".F"]
        assert AVRO.parse(parsed.canonical).canonical == parsed.canonical
        assert AVRO.parse(parsed.normalized).normalized == parsed.normalized

    def test_children_of_a_type_without_namespace_have_none(self) -> None:
        text = """{"type":"record","name":"n.R","fields":[{"name":"a","type":
                   {"type":"record","name":"S","namespace":"","fields":[
                     {"name":"b","type":{"type":"fixed","name":"F","size":1}}]}}]}"""
        canonical = AVRO.parse(text).canonical
        assert '{"type":"record","name":"S","namespace":"","fields":[{"name":"b","type":{"type":"fixed","name":"F"' in (
            canonical
        )

    def test_forward_reference_takes_the_full_name_only(self) -> None:
        assert "'n.X' is not defined" in refusal(
            '[{"type":"record","name":"n.R","fields":[{"name":"a","type":"X"}]},{"type":"fixed","name":"X","size":1}]'
        )

    def test_forward_reference_is_resolved_everywhere(self) -> None:
        text = """["F", {"type":"array","items":"F"}, {"type":"map","values":{"type":"F"}},
                   {"type":"record","name":"R","fields":[{"name":"f","type":"F"}]},
                   {"type":"record","name":"S","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":1}}]}]"""
        parsed = AVRO.parse(text)
        assert json.loads(parsed.canonical)[:2] == [
            {"type": "fixed", "name": "F", "size": 1},
            {"type": "array", "items": "F"},
        ]
        assert AVRO.parse(parsed.canonical).canonical == parsed.canonical
        refusal(text, avro=AvroFormat(AvroRules.V1_11))

    def test_forward_reference_counts_as_a_branch(self) -> None:
        assert "'F' twice" in refusal('["F", {"type":"fixed","name":"F","size":1}]')


class TestRedefinition:
    """Java 1.12 lets an equal enum or fixed be written again; the first counts."""

    @pytest.mark.parametrize(
        ("first", "second", "is_accepted"),
        [
            ({"type": "fixed", "size": 1}, {"type": "fixed", "size": 1, "doc": "d"}, True),
            ({"type": "fixed", "size": 1}, {"type": "fixed", "size": 2}, False),
            ({"type": "fixed", "size": 1, "p": 1}, {"type": "fixed", "size": 1, "p": 1}, False),
            ({"type": "enum", "symbols": ["A", "B"]}, {"type": "enum", "symbols": ["A", "B"]}, True),
            ({"type": "enum", "symbols": ["A", "B"]}, {"type": "enum", "symbols": ["B", "A"]}, False),
            ({"type": "enum", "symbols": []}, {"type": "fixed", "size": 1}, False),
            ({"type": "record", "fields": []}, {"type": "record", "fields": []}, False),
        ],
    )
    def test_second_definition(self, first: dict[str, object], second: dict[str, object], is_accepted: bool) -> None:
        text = record({"name": "a", "type": {**first, "name": "X"}}, {"name": "b", "type": {**second, "name": "X"}})
        if is_accepted:
            assert json.loads(AVRO.parse(text).canonical)["fields"][1] == {"name": "b", "type": "X"}
        else:
            assert "'X' is already defined" in refusal(text)

    def test_record_inside_itself_is_the_outer_one(self) -> None:
        inner = {"type": "record", "name": "R", "fields": [{"name": "x", "type": "int"}]}
        text = record({"name": "a", "type": ["null", inner]}, {"name": "b", "type": ["null", "R"]})
        canonical = AVRO.parse(text).canonical
        assert [field["type"] for field in json.loads(canonical)["fields"]] == [["null", "R"], ["null", "R"]]


class TestReferences:
    ITEM = reference("n.Item", '{"type":"record","name":"n.Item","fields":[{"name":"kind","type":"n.Kind"}]}')
    KIND = reference(
        "n.Kind", '[{"type":"enum","name":"n.Kind","symbols":["A"]},{"type":"fixed","name":"n.Id","size":4}]'
    )
    TEXT = '{"type":"record","name":"n.Order","fields":[{"name":"item","type":"Item"},{"name":"id","type":"Id"}]}'

    def test_names_of_references_stay_names(self) -> None:
        parsed = AVRO.parse(self.TEXT, (self.KIND, self.ITEM))
        assert parsed.canonical == (
            '{"type":"record","name":"Order","namespace":"n","fields":['
            '{"name":"item","type":"Item"},{"name":"id","type":"Id"}]}'
        )
        assert AVRO.parse(parsed.canonical, (self.KIND, self.ITEM)).canonical == parsed.canonical

    def test_inlined_writes_them_where_they_are_first_used(self) -> None:
        parsed = AVRO.parse(self.TEXT, (self.KIND, self.ITEM))
        assert parsed.inlined == (
            '{"type":"record","name":"Order","namespace":"n","fields":['
            '{"name":"item","type":{"type":"record","name":"Item","fields":['
            '{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A"]}}]}},'
            '{"name":"id","type":{"type":"fixed","name":"Id","size":4}}]}'
        )
        assert parsed.render("resolved") == parsed.inlined == AVRO.parse(parsed.inlined).canonical

    def test_root_may_be_the_name_of_a_reference(self) -> None:
        parsed = AVRO.parse('"n.Item"', (self.KIND, self.ITEM))
        assert parsed.canonical == '"n.Item"'
        assert parsed.field_names == ("kind",)

    def test_first_of_equal_names_wins(self) -> None:
        other = reference("n.Kind", '{"type":"enum","name":"n.Kind","symbols":["B"]}')
        assert '"symbols":["A"]' in AVRO.parse('"n.Kind"', (self.KIND, other)).inlined

    def test_unusable_reference_is_named(self) -> None:
        message = refusal('"n.Item"', self.ITEM)
        assert "Reference 'n.Item' cannot be used" in message
        assert "'n.Kind' is not defined" in message

    def test_what_a_reference_defines_may_not_be_defined_again(self) -> None:
        assert "'n.Item' is already defined" in refusal(self.ITEM.text, self.KIND, self.ITEM)

    def test_reference_is_not_judged_again(self) -> None:
        bad = reference("B", '{"type":"record","name":"B","fields":[{"name":"a-b","type":"int","default":"x"}]}')
        assert AVRO.parse('{"type":"array","items":"B"}', (bad,)).canonical == '{"type":"array","items":"B"}'
