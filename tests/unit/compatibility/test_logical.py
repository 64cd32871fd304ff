"""Policy LOGICAL: what tables of Flink and Iceberg refuse, beyond the native checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from effort import calls_of
from llm_schema_registry.compatibility import MAX_FINDINGS, Judge, Side, check_logical
from llm_schema_registry.compatibility.logical_kinds import KINDS
from llm_schema_registry.errors import TooComplex
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import breaks
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, Direction, Finding, Place

DATA = Path(__file__).parents[2] / "data" / "compat" / "logical"
ROWS = {file.stem: [json.loads(line) for line in file.read_text().splitlines()] for file in DATA.glob("*.jsonl")}


def side(fmt: str, schema: object, version: int = 0) -> Side:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return Side(fmt, text, FORMATS[fmt].parse(text, is_new=False), version)


def check(
    fmt: str, new: object, *old: object, level: str = "BACKWARD", seconds: float = 60, is_thorough: bool = False
) -> tuple[Finding, ...]:
    judge = Judge(CompatibilityLevel(level), CompatibilityPolicy.LOGICAL, seconds, is_thorough)
    previous = [side(fmt, schema, len(old) - index) for index, schema in enumerate(old)]
    return check_logical(judge, FORMATS[fmt], side(fmt, new), previous)


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields)}


def tables_of(finding: Finding) -> list[str]:
    return finding.message.split('category:"')[1].split('"')[0].split(", ")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{kind}: {row['format']}: {row['name']}")
        for kind, rows in sorted(ROWS.items())
        for row in rows
    ],
)
def test_row(row: dict[str, Any]) -> None:
    old = () if row["old"] is None else (row["old"],)
    found = check(row["format"], row["new"], *old, level=row.get("level", "BACKWARD"))
    assert [
        {"kind": one.difference.kind, "path": one.difference.path, "tables": tables_of(one)} for one in found
    ] == row["findings"]
    assert all(one.breaks for one in found)


def test_every_kind_has_rows_that_show_it_and_one_that_does_not() -> None:
    assert set(ROWS) == set(KINDS)
    for kind, rows in ROWS.items():
        shown = {row["format"] for row in rows if any(one["kind"] == kind for one in row["findings"])}
        assert len(shown) > 1, kind
        assert any(row["findings"] == [] for row in rows), kind


def test_every_kind_breaks_under_logical_alone_and_has_a_remedy() -> None:
    for name, kind in KINDS.items():
        assert name == kind.id
        assert [policy for policy in CompatibilityPolicy if breaks(kind, policy)] == [CompatibilityPolicy.LOGICAL]
        assert kind.remedy.endswith(".")


INT, LONG = record({"name": "a", "type": "int"}), record({"name": "a", "type": "long"})
TEXT = record({"name": "a", "type": "string"})


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("NONE", []),
        ("BACKWARD", []),
        ("BACKWARD_TRANSITIVE", []),
        ("FORWARD", [(Direction.FORWARD, 2), (Direction.FORWARD, 1)]),
        ("FORWARD_TRANSITIVE", [(Direction.FORWARD, 2), (Direction.FORWARD, 1)]),
        ("FULL", [(Direction.FORWARD, 2), (Direction.FORWARD, 1)]),
        ("FULL_TRANSITIVE", [(Direction.FORWARD, 2), (Direction.FORWARD, 1)]),
    ],
)
def test_the_level_says_who_reads_and_all_versions_are_compared(
    level: str, expected: list[tuple[Direction, int]]
) -> None:
    found = check("AVRO", LONG, INT, INT, level=level)
    assert [(one.direction, one.version) for one in found] == expected


def test_both_directions_of_a_version_come_before_the_next_version() -> None:
    found = check("AVRO", TEXT, LONG, INT, level="FULL_TRANSITIVE")
    assert [(one.direction, one.version) for one in found] == [
        (Direction.FORWARD, 2),
        (Direction.BACKWARD, 2),
        (Direction.FORWARD, 1),
        (Direction.BACKWARD, 1),
    ]


def test_a_version_of_another_format_is_passed_over() -> None:
    judge = Judge(CompatibilityLevel.BACKWARD, CompatibilityPolicy.LOGICAL)
    assert check_logical(judge, FORMATS["AVRO"], side("AVRO", LONG), [side("JSON", {"type": "object"}, 1)]) == ()


def test_a_version_that_is_no_table_hides_none_before_it() -> None:
    cyclic = record({"name": "a", "type": ["null", "R"]})
    found = check("AVRO", INT, cyclic, LONG, level="BACKWARD_TRANSITIVE")
    assert [(one.difference.kind, one.version) for one in found] == [("LOGICAL_TYPE_NOT_WIDENED", 1)]


def test_a_finding_says_what_stood_where_and_what_to_do() -> None:
    found = check("AVRO", INT, LONG, is_thorough=True)
    assert found[0].message == (
        '{errorType:"LOGICAL_TYPE_NOT_WIDENED", category:"FLINK, ICEBERG_V2", description:"The new schema has a type '
        "at 'a' that cannot hold every value of the old schema (BIGINT became INT)\"}"
    )
    detail = found[0].detail
    assert (detail.reader_path, detail.writer_path) == ("/fields/0", "/fields/0")
    assert (detail.before, detail.after) == ("BIGINT", "INT")
    assert detail.explanation.endswith("This is a rule for tables of Flink and Iceberg.")
    assert detail.remedy == (
        "Keep the type of 'a' or widen it, or add a nullable column for the other type. "
        "compatibilityPolicy STRICT does not ask for tables."
    )


def test_what_old_readers_cannot_take_is_said_from_their_side() -> None:
    (found,) = check("AVRO", LONG, INT, level="FORWARD")
    assert "The old schema has a type at 'a' that cannot hold every value of the new schema" in found.message
    assert found.detail.remedy.startswith("Leave 'a' as the old schema has it")


def test_an_added_column_has_no_place_in_the_old_schema() -> None:
    new = record({"name": "a", "type": "int"}, {"name": "b", "type": "int"})
    (found,) = check("AVRO", new, INT)
    assert (found.detail.reader_path, found.detail.writer_path) == ("/fields/1", None)
    assert (found.detail.before, found.detail.after) == ("", "INT NOT NULL")


def test_places_in_the_text_are_found() -> None:
    new = '{"type": "object",\n "properties": {\n  "a": {"type": "string"}}}'
    old = '{"type": "object", "properties": {"a": {"type": "integer"}}}'
    (found,) = check("JSON", new, old)
    assert found.reader_place == FORMATS["JSON"].locate(new, {"/properties/a"})["/properties/a"] == Place(3, 3)


def test_names_do_not_break_the_message() -> None:
    new = {"type": "object", "properties": {'{info}\n"%s': {"type": "string"}}}
    old = {"type": "object", "properties": {'{info}\n"%s': {"type": "integer"}}}
    (found,) = check("JSON", new, old)
    assert "\n" not in found.message
    assert "at '{info}\\n\"%s' that" in found.message
    assert found.difference.path == '{info}\n"%s'


def test_long_values_are_cut() -> None:
    names = [f"column_{index}" for index in range(100)]
    new, old = (record(*({"name": name, "type": "int"} for name in order)) for order in (names[::-1], names))
    (found,) = check("AVRO", new, old)
    assert found.detail.before.endswith("...")
    assert len(found.detail.before) == 203


def test_no_more_findings_are_told_than_a_report_holds() -> None:
    wide = record(*({"name": f"f{index}", "type": "int"} for index in range(MAX_FINDINGS + 10)))
    assert len(check("AVRO", wide, record({"name": "g", "type": ["null", "int"]}))) == MAX_FINDINGS


def doubling(levels: int, leaf: str) -> dict[str, Any]:
    """A schema whose tree doubles with each level, though each level is written once."""
    inner: Any = {"type": "record", "name": "L0", "fields": [{"name": "x", "type": leaf}]}
    for level in range(1, levels):
        fields = [{"name": "x", "type": inner}, {"name": "y", "type": f"L{level - 1}"}]
        inner = {"type": "record", "name": f"L{level}", "fields": fields}
    return record({"name": "a", "type": inner})


def test_shared_types_are_compared_once() -> None:
    (found,) = check("AVRO", doubling(40, "int"), doubling(40, "long"), seconds=0.1)
    assert found.difference.path == "a" + ".x" * 40


def test_what_takes_too_long_is_refused() -> None:
    wide = {
        "type": "object",
        "properties": {
            "m": {
                "type": "array",
                "connect.type": "map",
                "items": {"type": "object", "properties": {"key": {"$ref": "#/definitions/k0"}, "value": {}}},
            }
        },
        "definitions": {
            f"k{level}": {
                "type": "object",
                "properties": {name: {"$ref": f"#/definitions/k{level + 1}"} for name in "xy"},
            }
            for level in range(20)
        }
        | {"k20": {"type": "string"}},
    }
    wide["properties"]["m"]["items"]["properties"]["value"] = {"type": "string"}
    with pytest.raises(TooComplex):
        check("JSON", wide, json.dumps(wide), seconds=0.05)


def test_the_work_for_a_wide_table_grows_with_its_columns() -> None:
    def work(columns: int) -> int:
        schema = record(*({"name": f"f{index}", "type": ["null", "string"]} for index in range(columns)))
        new, old = side("AVRO", schema), side("AVRO", schema, 1)
        judge = Judge(CompatibilityLevel.FULL, CompatibilityPolicy.LOGICAL, 60)
        found: list[object] = []
        calls = calls_of(lambda: found.extend(check_logical(judge, FORMATS["AVRO"], new, [old])))
        assert found == []
        return calls

    assert work(3_000) < 4 * work(1_000)
