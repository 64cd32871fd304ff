"""What stops a reader, and what lies to it: Java's stored verdicts and our rows."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from llm_schema_registry.errors import InvalidSchema, TooComplex
from llm_schema_registry.formats.avro import AvroFormat, AvroSchema
from llm_schema_registry.formats.avro.kinds import AMBIGUOUS_FIELD_ALIASES
from llm_schema_registry.formats.base import EVERY_POLICY, SOUND_ONLY
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.model import CompatibilityPolicy, Difference

DATA = Path(__file__).parents[3] / "data"
AVRO = AvroFormat()
ROWS = {
    file.stem: [(row["name"], row) for row in json.loads(file.read_text())]
    for file in sorted((DATA / "compat" / "avro").glob("*.json"))
}


def parse(schema: object) -> AvroSchema:
    return AVRO.parse(json.dumps(schema), is_new=False)


def diff(reader: object, writer: object) -> list[Difference]:
    return list(AVRO.diff(parse(reader), parse(writer), CompatibilityPolicy.STRICT, Budget(60)))


def test_every_stored_verdict_of_java_is_ours() -> None:
    """Verdict, kind, path and additional information of 2,000 pairs, in order."""
    with gzip.open(DATA / "avro_compat_pairs.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    assert len(rows) == 2_000
    for row in rows:
        try:
            found = diff(json.loads(row["reader"]), json.loads(row["writer"]))
        except InvalidSchema:
            assert row["java"][0].startswith("PARSE"), row
        else:
            verdict = "INCOMPATIBLE" if found else "COMPATIBLE"
            assert [verdict, *(f"{one.kind}@{one.path}#{one.info}" for one in found)] == row["java"], row


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{kind}: {name}") for kind, rows in ROWS.items() for name, row in rows]
)
def test_row(row: dict[str, object]) -> None:
    reader, writer = parse(row["reader"]), parse(row["writer"])
    found = AVRO.diff(reader, writer, CompatibilityPolicy.STRICT, Budget(60))
    assert [{"kind": one.kind, "path": one.path, "info": one.info} for one in found] == row["differences"]
    hazards = AVRO.hazards(reader, writer, Budget(60))
    assert [msgspec.structs.asdict(one) for one in hazards] == row.get("hazards", [])


def test_every_kind_has_a_row_that_shows_it_and_one_that_does_not() -> None:
    assert set(ROWS) == {*AVRO.kinds, "TRAPS", "SAFE"}
    for kind in AVRO.kinds:
        shown = [
            any(one["kind"] == kind for one in (*row["differences"], *row.get("hazards", []))) for _, row in ROWS[kind]
        ]
        assert set(shown) == {True, False}, kind


def test_ordinary_evolution_is_sound() -> None:
    assert [name for name, row in ROWS["SAFE"] if row["differences"] or row.get("hazards")] == []


def test_what_java_finds_breaks_under_every_policy_and_a_hazard_under_sound_only() -> None:
    emitted: dict[str, set[str]] = {"differences": set(), "hazards": set()}
    for _, row in (row for rows in ROWS.values() for row in rows):
        for source, found in emitted.items():
            found |= {one["kind"] for one in row.get(source, [])}
    for name, kind in AVRO.kinds.items():
        assert name == kind.id
        assert kind.breaks_under == (EVERY_POLICY if name in emitted["differences"] else SOUND_ONLY)
        assert kind.remedy.endswith(".")
    assert not emitted["differences"] & emitted["hazards"]


@pytest.mark.parametrize("kind", AVRO.kinds)
def test_description_names_the_path_and_both_sides_reader_first(kind: str) -> None:
    line = AVRO.describe(Difference(kind, "/fields/0/type", "some %s\n{path} info"), "new", "old")
    assert line.startswith(f"{{errorType:'{kind}', description:'The new schema ")
    assert line.endswith("(path '/fields/0/type')', additionalInfo:'some %s {path} info'}")
    assert "the old schema" in line
    assert "\n" not in line


def test_description() -> None:
    found = diff({"type": "fixed", "name": "F", "size": 2}, {"type": "fixed", "name": "F", "size": 1})
    assert AVRO.describe(found[0], "new", "old") == (
        "{errorType:'FIXED_SIZE_MISMATCH', description:'The new schema gives a fixed another size than the old schema "
        "(path '/size')', additionalInfo:'expected: 1, found: 2'}"
    )


def accepted_schemas() -> Iterator[AvroSchema]:
    """Every schema of the corpora that is accepted."""
    with gzip.open(DATA / "avro_compat_pairs.jsonl.gz", "rt") as lines:
        texts = [json.loads(line)[side] for line in lines for side in ("reader", "writer")]
    rows = [json.loads(line) for line in (DATA / "avro_malformed_verdicts.jsonl").read_text().splitlines()]
    texts += [row["schema"] for row in rows if row["java_1.12.0"].startswith("ACCEPT")]
    texts += [json.dumps(row[side]) for rows in ROWS.values() for _, row in rows for side in ("reader", "writer")]
    for text in dict.fromkeys(texts):
        with contextlib.suppress(InvalidSchema):
            yield AVRO.parse(text, is_new=False)


def test_every_accepted_schema_reads_what_it_writes_and_nothing_is_harmed() -> None:
    count = 0
    for schema in accepted_schemas():
        found = AVRO.diff(schema, schema, CompatibilityPolicy.STRICT, Budget(60))
        # A schema in which an alias is also the name of another field is ambiguous against itself, as in Java
        # (compatibility-rules 2.4).
        assert {one.kind for one in found} <= {AMBIGUOUS_FIELD_ALIASES}, schema.canonical
        assert not AVRO.hazards(schema, schema, Budget(60)), schema.canonical
        count += not found
    assert count > 2_500


class TestBounds:
    """No pair of schemas takes exponential time, and none ends the process."""

    @staticmethod
    def diamonds(depth: int, leaf: str) -> str:
        """Two fields on each level, both of the next level's type."""
        inner: object = leaf
        for level in range(depth):
            fields = [{"name": "l", "type": inner}, {"name": "r", "type": f"D{level - 1}" if level else leaf}]
            inner = {"type": "record", "name": f"D{level}", "fields": fields}
        return json.dumps(inner)

    @staticmethod
    def ring(length: int, leaf: str) -> str:
        """Records that refer to the next, the last to the first."""
        inner: object = "P0"
        for number in reversed(range(length)):
            fields = [{"name": "next", "type": inner}, {"name": "v", "type": leaf}]
            inner = {"type": "record", "name": f"P{number}", "fields": fields}
        return json.dumps(inner)

    def test_diamonds_are_compared_once_per_pair(self) -> None:
        same = AVRO.diff(
            AVRO.parse(self.diamonds(60, "int")),
            AVRO.parse(self.diamonds(60, "int")),
            CompatibilityPolicy.STRICT,
            Budget(60),
        )
        assert same == []
        found = AVRO.diff(
            AVRO.parse(self.diamonds(60, "int")),
            AVRO.parse(self.diamonds(60, "string")),
            CompatibilityPolicy.STRICT,
            Budget(60),
        )
        assert len(found) == 1_000
        assert Counter(one.kind for one in found) == {"TYPE_MISMATCH": 1_000}

    def test_rings_of_different_length_nest_deeper_than_the_interpreter_can(self) -> None:
        """25 and 24 records have no pair twice before 600 levels, each of more than one frame."""
        found = AVRO.diff(
            AVRO.parse(self.ring(25, "int")),
            AVRO.parse(self.ring(24, "int")),
            CompatibilityPolicy.STRICT,
            Budget(60),
        )
        assert found
        assert {one.kind for one in found} == {"NAME_MISMATCH"}

    def test_too_many_pairs_are_refused(self) -> None:
        with pytest.raises(TooComplex, match="10 ms of CPU"):
            AVRO.diff(
                AVRO.parse(self.ring(61, "int")),
                AVRO.parse(self.ring(60, "int")),
                CompatibilityPolicy.STRICT,
                Budget(0.01),
            )

    def test_a_default_that_takes_too_long_to_judge_is_no_proof(self) -> None:
        field = {"name": "a", "type": {"type": "array", "items": "int"}, "default": [0] * 100_000}
        reader, writer = ({"type": "record", "name": "R", "fields": fields} for fields in ([field], []))
        assert [one.kind for one in AVRO.hazards(parse(reader), parse(writer), Budget(60))] == ["DEFAULT_UNUSABLE"]

    def test_hazards_of_diamonds_and_rings_are_looked_for_once_per_pair(self) -> None:
        found = AVRO.hazards(AVRO.parse(self.diamonds(60, "double")), AVRO.parse(self.diamonds(60, "long")), Budget(60))
        assert [one.kind for one in found] == ["LOSSY_PROMOTION"] * 2
        assert AVRO.hazards(AVRO.parse(self.ring(25, "long")), AVRO.parse(self.ring(24, "int")), Budget(60)) == []
        with pytest.raises(TooComplex):
            AVRO.hazards(AVRO.parse(self.ring(61, "long")), AVRO.parse(self.ring(60, "int")), Budget(0.001))

    def test_hazards_are_at_most_a_thousand(self) -> None:
        reader, writer = (
            {"type": "record", "name": "R", "fields": [{"name": f"f{n}", "type": leaf} for n in range(1_001)]}
            for leaf in ("double", "long")
        )
        assert len(AVRO.hazards(parse(reader), parse(writer), Budget(60))) == 1_000

    def test_union_of_many_records_is_compared(self) -> None:
        names = [f"f{number}" for number in range(20)]
        fields = [{"name": name, "type": "int"} for name in names]
        union = [{"type": "record", "name": f"R{number}", "fields": fields} for number in range(100)]
        assert diff(union, union) == []
