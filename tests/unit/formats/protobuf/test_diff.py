"""Differences against the golden pairs, and the rules on imports, groups, editions and size that these leave out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry.formats.base import Budget, ResolvedReference, breaks
from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.formats.protobuf.diff import java_order
from llm_schema_registry.model import CompatibilityPolicy

from .conftest import SAMPLES, reference

DATA = Path(__file__).parents[3] / "data"
STRICT = CompatibilityPolicy.STRICT


def findings(
    fmt: ProtobufFormat,
    original: str,
    update: str,
    original_references: tuple[ResolvedReference, ...] = (),
    update_references: tuple[ResolvedReference, ...] = (),
) -> list[tuple[str, str]]:
    """Return kinds and paths when `update` reads data of `original`."""
    reader = fmt.parse(update, update_references)
    writer = fmt.parse(original, original_references)
    return [(item.kind, item.path) for item in fmt.diff(reader, writer, STRICT, Budget(60))]


def test_golden_pairs(fmt: ProtobufFormat) -> None:
    with gzip.open(DATA / "protobuf_compat_pairs.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    assert len(rows) == 1500
    for row in rows:
        original, update = fmt.parse(row["original"]), fmt.parse(row["update"])
        for direction, reader, writer in (("backward", update, original), ("forward", original, update)):
            found = [
                [item.kind, item.path, not breaks(fmt.kinds[item.kind], STRICT)]
                for item in fmt.diff(reader, writer, STRICT, Budget(60))
            ]
            assert found == row[f"{direction}_differences"], row
            assert all(allowed for _, _, allowed in found) is row[direction]


CASES = json.loads((SAMPLES / "compat.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_cases(fmt: ProtobufFormat, case: dict[str, Any]) -> None:
    found = findings(fmt, case["original"], case["update"])
    assert [list(item) for item in found] == case["differences"]


def test_every_kind_has_a_case_that_shows_it(fmt: ProtobufFormat) -> None:
    with gzip.open(DATA / "protobuf_compat_pairs.jsonl.gz", "rt") as lines:
        shown = {kind for line in lines for kind, _, _ in json.loads(line)["backward_differences"]}
    assert len(shown) == 26
    assert shown <= set(fmt.kinds)


def test_every_difference_is_described(fmt: ProtobufFormat) -> None:
    reader = fmt.parse('syntax = "proto3"; package b; message M { string renamed = 1; }')
    writer = fmt.parse('syntax = "proto3"; package a; message M { int32 a = 1; }')
    package, name, kind = (fmt.describe(item, "new", "old") for item in fmt.diff(reader, writer, STRICT, Budget(60)))
    assert package == (
        '{errorType:"PACKAGE_CHANGED", description:"The new schema and the old schema have different packages '
        "('b' against 'a') at path '#/'\"}"
    )
    assert name == (
        '{errorType:"FIELD_NAME_CHANGED", description:"The new schema and the old schema name the field at path '
        "'#/M/1' differently (renamed against a)\"}"
    )
    assert kind == (
        '{errorType:"FIELD_SCALAR_KIND_CHANGED", description:"The field at path \'#/M/1\' has a scalar type in the '
        'new schema that cannot read the one in the old schema (string against int32)"}'
    )
    for row in fmt.kinds.values():
        assert bool(row.breaks_under) is bool(row.remedy)
        assert "{path}" in row.wording
        assert row.wording.index("{reader}") < row.wording.index("{writer}")


MAIN = 'syntax = "proto3"; package m; import "a.proto"; message M { %s f = 1; }'
OTHER = 'syntax = "proto3"; package %s; message A { %s } message B { int32 b = 1; }'


def test_the_same_version_of_a_direct_reference_is_not_looked_into(fmt: ProtobufFormat) -> None:
    one = (reference("a.proto", OTHER % ("p", "int32 x = 1;")),)
    other = (reference("a.proto", OTHER % ("p", "string x = 1;")),)
    assert findings(fmt, MAIN % "p.A", MAIN % "p.A", one, other) == []


def test_another_version_of_a_direct_reference_is_compared(fmt: ProtobufFormat) -> None:
    one = (reference("a.proto", OTHER % ("p", "int32 x = 1;")),)
    other = (reference("a.proto", OTHER % ("p", "string x = 1; int32 y = 2;"), 2),)
    assert findings(fmt, MAIN % "p.A", MAIN % "p.A", one, other) == [
        ("FIELD_SCALAR_KIND_CHANGED", "#/A/1"),
        ("FIELD_ADDED", "#/A/2"),
        ("FIELD_NAMED_TYPE_CHANGED", "#/M/1"),
    ]
    compatible = (reference("a.proto", OTHER % ("p", "int32 x = 1; int32 y = 2;"), 2),)
    assert findings(fmt, MAIN % "p.A", MAIN % "p.A", one, compatible) == [("FIELD_ADDED", "#/A/2")]


def test_an_imported_type_may_change_its_package_but_not_its_name(fmt: ProtobufFormat) -> None:
    one = (reference("a.proto", OTHER % ("p", "int32 x = 1;")),)
    other = (reference("a.proto", OTHER % ("q.r", "int32 x = 1;"), 2),)
    assert findings(fmt, MAIN % "p.A", MAIN % "q.r.A", one, other) == []
    assert findings(fmt, MAIN % "p.A", MAIN % "q.r.B", one, other) == [("FIELD_NAMED_TYPE_CHANGED", "#/M/1")]


def test_transitive_and_well_known_types_are_compared(fmt: ProtobufFormat) -> None:
    def references(text: str) -> tuple[ResolvedReference, ...]:
        middle = 'syntax = "proto3"; import public "deep.proto"; message A { deep.D d = 1; A self = 2; }'
        deep = f'syntax = "proto3"; package deep; message D {{ {text} map<string, D> again = 9; }}'
        return (reference("deep.proto", deep, is_direct=False), reference("a.proto", middle))

    main = MAIN % "deep.D"
    assert findings(fmt, main, main, references("int32 x = 1;"), references("bool x = 1;")) == []
    assert findings(fmt, main, main, references("int32 x = 1;"), references("bytes x = 1;")) == [
        ("FIELD_SCALAR_KIND_CHANGED", "#/D/1"),
        ("FIELD_NAMED_TYPE_CHANGED", "#/D/9"),
        ("FIELD_NAMED_TYPE_CHANGED", "#/M/1"),
    ]
    # Through a direct reference of the same version nothing is looked into.
    assert findings(fmt, MAIN % "A", MAIN % "A", references("int32 x = 1;"), references("bytes x = 1;")) == []
    text = 'import "google/protobuf/struct.proto"; message M { optional google.protobuf.Struct s = 1; }'
    assert findings(fmt, text, text) == []


def test_every_path_to_a_break_in_an_import_is_a_break(fmt: ProtobufFormat) -> None:
    main = 'syntax = "proto3"; import "a.proto"; message M { A a = 1; C c = 2; }'
    other = """
        syntax = "proto3";
        message A { B b = 1; } message B { %s x = 1; }
        message C { D d = 1; } message D { E e = 1; } message E { %s x = 1; }
    """
    writer = fmt.parse(main, (reference("a.proto", other % ("int32", "int32")),))
    reader = fmt.parse(main, (reference("a.proto", other % ("string", "string"), 2),))
    found = [(one.kind, one.path, one.info) for one in fmt.diff(reader, writer, STRICT, Budget(60))]
    assert found == [
        ("FIELD_SCALAR_KIND_CHANGED", "#/B/1", "string against int32"),
        ("FIELD_NAMED_TYPE_CHANGED", "#/A/1", "B against B"),
        ("FIELD_NAMED_TYPE_CHANGED", "#/M/1", "A against A"),
        ("FIELD_SCALAR_KIND_CHANGED", "#/E/1", "string against int32"),
        ("FIELD_NAMED_TYPE_CHANGED", "#/D/1", "E against E"),
        ("FIELD_NAMED_TYPE_CHANGED", "#/C/1", "D against D"),
        ("FIELD_NAMED_TYPE_CHANGED", "#/M/2", "C against C"),
    ]


def test_a_type_that_moves_into_an_import_is_compared(fmt: ProtobufFormat) -> None:
    inside = 'syntax = "proto3"; message M { A f = 1; } message A { int32 x = 1; }'
    outside = 'syntax = "proto3"; import "a.proto"; message M { A f = 1; }'
    other = (reference("a.proto", 'syntax = "proto3"; message A { string x = 1; message N {} }'),)
    assert findings(fmt, inside, outside, (), other) == [
        ("MESSAGE_REMOVED", "#/A"),
        ("FIELD_SCALAR_KIND_CHANGED", "#/A/1"),
        ("FIELD_NAMED_TYPE_CHANGED", "#/M/1"),
    ]


def test_paths_of_nested_imported_types_start_at_their_outermost_message(fmt: ProtobufFormat) -> None:
    text = 'syntax = "proto3"; package p; message A { message N { %s x = 1; } }'
    one, other = (reference("a.proto", text % "int32"),), (reference("a.proto", text % "string", 2),)
    assert ("FIELD_SCALAR_KIND_CHANGED", "#/A/N/1") in findings(fmt, MAIN % "p.A.N", MAIN % "p.A.N", one, other)


def test_webs_and_chains_of_imported_messages_are_compared_once_each(fmt: ProtobufFormat) -> None:
    count = 3000
    links = "".join(f"message A{n} {{ A{n + 1} left = 1; A{n + 1} right = 2; }}" for n in range(count))
    text = f'syntax = "proto3"; {links} message A{count} {{ %s x = 1; }}'
    one = (reference("a.proto", text % "int32"),)
    other = (reference("a.proto", text % "string", 2),)
    found = findings(fmt, MAIN % "A0", MAIN % "A0", one, other)
    assert len(found) == 2 * count + 2
    assert found[0] == ("FIELD_SCALAR_KIND_CHANGED", f"#/A{count}/1")
    assert found[-1] == ("FIELD_NAMED_TYPE_CHANGED", "#/M/1")


def test_a_schema_and_its_printed_forms_do_not_differ(fmt: ProtobufFormat) -> None:
    for path in sorted(SAMPLES.glob("*.proto")):
        schema = fmt.parse(path.read_text())
        assert fmt.diff(schema, fmt.parse(schema.canonical), STRICT, Budget(60)) == []


def test_names_are_in_the_order_of_a_java_hash_set() -> None:
    """One letter's hash is its code: 12 names share out 16 buckets, 13 names 32 (compatibility-rules appendix B)."""
    twelve = java_order("PApBCDEFGHIJ")
    assert twelve.index("P") < twelve.index("A")  # 80 and 65 modulo 16 are 0 and 1
    thirteen = java_order("PApBCDEFGHIJK")
    assert thirteen.index("A") < thirteen.index("P")  # modulo 32 they are 16 and 1
    assert thirteen.index("A") < thirteen.index("p")  # 112 modulo 32 is 16
    assert java_order("Pp") == ["P", "p"]
    assert java_order("pP") == ["p", "P"]
