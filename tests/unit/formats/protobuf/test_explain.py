"""How a difference is explained: names, declarations, and remedies that say what to write."""

from __future__ import annotations

import json

import pytest

from llm_schema_registry.formats.base import Budget
from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.model import CompatibilityPolicy, Detail, Difference

from .conftest import SAMPLES, reference
from .test_hazards import ROWS

P3 = 'syntax = "proto3"; '


def details(fmt: ProtobufFormat, writer: str, reader: str) -> dict[str, Detail]:
    """Return the details of all that is found, by kind; the first of each."""
    sides = fmt.parse(reader), fmt.parse(writer)
    found = [*fmt.diff(*sides, CompatibilityPolicy.STRICT, Budget(60)), *fmt.hazards(*sides, Budget(60))]
    return {one.kind: fmt.explain(one, *sides) for one in reversed(found)}


def test_everything_that_is_found_is_explained_with_places(fmt: ProtobufFormat) -> None:
    for row in ROWS:
        reader, writer = fmt.parse(row["reader"]), fmt.parse(row["writer"])
        hazards = fmt.hazards(reader, writer, Budget(60))
        for one in (*fmt.diff(reader, writer, CompatibilityPolicy.STRICT, Budget(60)), *hazards):
            detail = fmt.explain(one, reader, writer)
            assert detail.before or detail.after, one
            assert "#/" not in detail.explanation, one
            assert bool(detail.remedy) or not fmt.kinds[one.kind].breaks_under, one
            for text, path, schema in (
                (row["reader"], detail.reader_path, reader),
                (row["writer"], detail.writer_path, writer),
            ):
                if path and one.path != "#/":
                    places = fmt.locate(text, {path})
                    assert path in places, (one, path)
                    written = text[places[path].column - 1 :].lower()  # a group's field is called as its type
                    assert written.startswith(path.rpartition(".")[2].lower()), (one, path)
                    assert path in fmt.locate(schema.canonical, {path})


CASES = json.loads((SAMPLES / "details.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']}: {case['writer'][:60]}")
def test_details(fmt: ProtobufFormat, case: dict[str, str]) -> None:
    detail = details(fmt, case["writer"], case["reader"])[case["kind"]]
    assert {
        "reader_path": detail.reader_path,
        "writer_path": detail.writer_path,
        "before": detail.before,
        "after": detail.after,
        "explanation": detail.explanation,
        "remedy": detail.remedy,
    } == case["detail"]


def test_imported_types_have_their_full_names(fmt: ProtobufFormat) -> None:
    main = 'syntax = "proto3"; package m; import "a.proto"; message M { p.A f = 1; }'
    other = 'syntax = "proto3"; package p; message A { %s x = 1; p.A again = 2; }'
    writer = fmt.parse(main, (reference("a.proto", other % "int64"),))
    reader = fmt.parse(main, (reference("a.proto", other % "int32", 2),))
    (hazard,) = fmt.hazards(reader, writer, Budget(60))
    assert hazard.path == "#/A/1"
    assert fmt.explain(hazard, reader, writer).reader_path == "p.A.x"


def test_an_imported_type_called_like_an_own_one_is_found_by_way_of_its_field(fmt: ProtobufFormat) -> None:
    main = (
        'syntax = "proto3"; package m; import "a.proto"; message M { p.A f = 1; A own = 2; } message A { bool b = 7; }'
    )
    other = 'syntax = "proto3"; package p; message A { %s x = 1; E e = 2; enum E { Z = 0; %s = 1; } }'
    writer = fmt.parse(main, (reference("a.proto", other % ("int64", "X")),))
    reader = fmt.parse(main, (reference("a.proto", other % ("int32", "Y"), 2),))
    first, second = fmt.hazards(reader, writer, Budget(60))
    assert first.path == "#/M/1/1"
    detail = fmt.explain(first, reader, writer)
    assert (detail.reader_path, detail.before, detail.after) == ("p.A.x", "int64 x = 1", "int32 x = 1")
    assert fmt.explain(second, reader, writer).reader_path == "p.A.E.Y"


@pytest.mark.parametrize(
    "path",
    ["", "#", "#/", "#/Nowhere", "#/M/9", "#/M/nothing", "#/M/1/1", "#/M/E/7", "#/M/E/1/1", "#/M/E/x", "x/y/1", "#/1"],
)
def test_odd_paths_are_explained_too(fmt: ProtobufFormat, path: str) -> None:
    schema = fmt.parse("message M { optional int32 a = 1; enum E { A = 1; } }")
    for kind in fmt.kinds:
        assert fmt.explain(Difference(kind, path), schema, schema).explanation


def test_a_schema_without_messages_has_places_nowhere(fmt: ProtobufFormat) -> None:
    empty, full = fmt.parse(P3 + "enum E { Z = 0; }"), fmt.parse(P3 + "message M { int32 a = 1; }")
    for kind in ("FIELD_REMOVED", "WIRE_FIELD_RENUMBERED", "WIRE_JSON_NAME_REUSED"):
        assert fmt.explain(Difference(kind, "#/M/1", "a"), empty, full).reader_path is None


def test_long_declarations_are_clipped(fmt: ProtobufFormat) -> None:
    found = details(
        fmt, f'message M {{ optional string a = 1 [default = "{"x" * 300}"]; }}', "message M { optional string a = 1; }"
    )
    before = found["WIRE_DEFAULT_CHANGED"].before
    assert len(before) == 200
    assert before.endswith("x...")
