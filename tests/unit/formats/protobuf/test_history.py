"""Numbers and names that come back after they were given up."""

from __future__ import annotations

import pytest

from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.protobuf import ProtobufFormat

from .conftest import reference

P3 = 'syntax = "proto3"; '

CASES = {
    "P6, a number": ("string b = 2;", "", "int32 c = 2;", [("WIRE_NUMBER_REUSED", "#/M/2")]),
    "a number with another name": ("int32 b = 2;", "", "int32 c = 2;", [("WIRE_NUMBER_REUSED", "#/M/2")]),
    "a number with another type": ("string b = 2;", "", "int32 b = 2;", [("WIRE_NUMBER_REUSED", "#/M/2")]),
    "a number with another list": ("repeated int32 b = 2;", "", "int32 b = 2;", [("WIRE_NUMBER_REUSED", "#/M/2")]),
    "a name": ("string b = 2;", "", "string b = 3;", [("WIRE_NAME_REUSED", "#/M/3")]),
    "the same field again": ("string b = 2;", "", "string b = 2;", []),
    "the same field with a label": ("string b = 2;", "", "optional string b = 2;", []),
    "the same map again": ("map<string, int32> b = 2;", "", "map<string, int32> b = 2;", []),
    "another map": ("map<string, M> b = 2;", "", "map<string, int32> b = 2;", [("WIRE_NUMBER_REUSED", "#/M/2")]),
    "what the latest has": ("string b = 2;", "int32 c = 2; int32 b = 3;", "int32 c = 2; int32 b = 3;", []),
    "a new number": ("string b = 2;", "reserved 2;", "reserved 2; int32 c = 3;", []),
    "both": (
        "string b = 2; string c = 4;",
        "",
        "string c = 2;",
        [("WIRE_NUMBER_REUSED", "#/M/2"), ("WIRE_NAME_REUSED", "#/M/2")],
    ),
    "in a nested message": (
        "message N { string b = 2; }",
        "message N {}",
        "message N { int32 c = 2; }",
        [("WIRE_NUMBER_REUSED", "#/M/N/2")],
    ),
    "a message that was away": (
        "message N { string b = 2; }",
        "",
        "message N { int32 c = 2; }",
        [("WIRE_NUMBER_REUSED", "#/M/N/2")],
    ),
    "a new message": ("string b = 2;", "string b = 2;", "string b = 2; message N { int32 c = 2; }", []),
    "a value of an enum": (
        "enum E { Z = 0; A = 1; }",
        "enum E { Z = 0; }",
        "enum E { Z = 0; B = 1; }",
        [("WIRE_NUMBER_REUSED", "#/M/E/1")],
    ),
    "a name in an enum": (
        "enum E { Z = 0; A = 1; }",
        "enum E { Z = 0; }",
        "enum E { Z = 0; A = 2; }",
        [("WIRE_NAME_REUSED", "#/M/E/2")],
    ),
    "the same value again": ("enum E { Z = 0; A = 1; }", "enum E { Z = 0; }", "enum E { Z = 0; A = 1; }", []),
    "a new enum": ("", "", "enum E { Z = 0; A = 1; }", []),
}


@pytest.mark.parametrize("name", CASES)
def test_reuse(fmt: ProtobufFormat, name: str) -> None:
    *bodies, expected = CASES[name]
    first, latest, candidate = (fmt.parse(f"{P3}message M {{ {body} }}") for body in bodies)
    middle = fmt.parse(f"{P3}message M {{ }}")
    found = fmt.reused(candidate, latest, [middle, first], Budget(60))
    assert [(one.kind, one.path) for one in found] == expected
    assert list(fmt.reused(candidate, latest, [], Budget(60))) == []
    for one in found:
        assert one.kind in fmt.kinds
        detail = fmt.explain(one, candidate, latest)
        assert detail.reader_path
        assert detail.remedy.startswith("Use a free number and name: `")


def test_messages_are_known_by_their_names_within_the_package(fmt: ProtobufFormat) -> None:
    first = fmt.parse(f"{P3}package a; message M {{ string b = 2; }}")
    candidate = fmt.parse(f"{P3}package b; message M {{ int32 c = 2; }}")
    (found,) = fmt.reused(candidate, fmt.parse(f"{P3}package b; message M {{ }}"), [first], Budget(60))
    assert found.info == "int32 c = 2 against string b = 2"


def test_a_message_that_was_imported_once_is_known_by_its_full_name(fmt: ProtobufFormat) -> None:
    inside = f"{P3}package a; message M {{ int32 c = 2; }}"
    imported = reference("m.proto", f"{P3}package a; message M {{ string b = 2; }}")
    first = fmt.parse(f'{P3}package x; import "m.proto"; message N {{ a.M m = 1; }}', (imported,))
    (found,) = fmt.reused(fmt.parse(inside), fmt.parse(f"{P3}package a; message N {{ }}"), [first], Budget(60))
    assert found.path == "#/M/2"
