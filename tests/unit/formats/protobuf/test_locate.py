"""Places of declarations in .proto texts."""

from __future__ import annotations

import random

import pytest

from effort import calls_of
from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.model import Place

from .conftest import package_files, read_package_file, references_of

TEXT = """\
syntax = "proto3"; // message Fake { int32 a = 1; }
/* message Fake { */
import "x.proto";
option java_package = "package q;";
message M {
  option (o) = { message: { a: 1 } b: "}" };
  reserved 4, 5; reserved "a", 'b';
  int32 a = 1 [(x) = { y: { z: 1 } }, deprecated = true];
  map < string , N > m=2;
  oneof choice {
    option (p) = true;
    .p.q.N n = 3;
    group Grp = 6 { optional int32 inner = 1; }
  }
  message N { enum E { UP = 0; DOWN = -1 [deprecated = true]; reserved 7; } repeated E e = 1; }
  extensions 100 to max [verification = UNVERIFIED];
  extend Q { optional int32 nested_ext = 100; }
  ;
}
extend M { int32 ext = 100; }
package p.q;
service S { rpc Call(M) returns (stream M) { option (h) = { get: "/x" }; } rpc Other(M) returns (M); }
export message V { int32 last = 1; }
local enum W { ZERO = 0; }
"""

PLACES = {
    "p.q": (21, 9),
    "p.q.M": (5, 9),
    "p.q.M.a": (8, 9),
    "p.q.M.m": (9, 22),
    "p.q.M.choice": (10, 9),
    "p.q.M.n": (12, 12),
    "p.q.M.Grp": (13, 11),
    "p.q.M.grp": (13, 11),
    "p.q.M.Grp.inner": (13, 36),
    "p.q.M.N": (15, 11),
    "p.q.M.N.E": (15, 20),
    "p.q.M.N.E.UP": (15, 24),
    "p.q.M.N.E.DOWN": (15, 32),
    "p.q.M.N.e": (15, 88),
    "p.q.M.nested_ext": (17, 29),
    "p.q.ext": (20, 18),
    "p.q.S": (22, 9),
    "p.q.V": (23, 16),
    "p.q.V.last": (23, 26),
    "p.q.W.ZERO": (24, 16),
}


def test_declarations_are_found(fmt: ProtobufFormat) -> None:
    assert fmt.locate(TEXT, PLACES) == {name: Place(*place) for name, place in PLACES.items()}


def test_what_is_not_declared_is_left_out(fmt: ProtobufFormat) -> None:
    others = {
        "",
        "M",
        "p.q.Fake",
        "p.q.Fake.a",
        "p.q.M.y",
        "p.q.M.o",
        "p.q.java_package",
        "p",
        "p.q.S.Call",
        "q",
        "p.q.M.deprecated",
    }
    assert fmt.locate(TEXT, others) == {}


def test_a_text_without_a_package(fmt: ProtobufFormat) -> None:
    assert fmt.locate("\ufeffmessage M {\n\toptional int32 é = 1; int32 a = 2; }", {"M", "M.a", "", "."}) == {
        "M": Place(1, 10),
        "M.a": Place(2, 30),
    }


def test_a_descriptor_has_no_places(fmt: ProtobufFormat) -> None:
    schema = fmt.parse("message M { optional int32 a = 1; }")
    assert fmt.locate(schema.render("serialized"), {"M", "M.a"}) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "}",
        "}}}{{{",
        "message",
        "message {",
        "message M",
        "= 1;",
        "=;{=;}",
        "group",
        "rpc",
        "'",
        '"\\',
        "/*",
        "[",
        "]]]{",
        "oneof {",
        "extend {",
        "package ;",
        "int32 = = 1;",
    ],
)
def test_odd_texts_are_read(fmt: ProtobufFormat, text: str) -> None:
    for prefix in ("", "message M { ", "enum E { A = 1 [", "service S { rpc "):
        fmt.locate(prefix + text, {"M", "M.a"})


def test_mutilated_texts_are_read(fmt: ProtobufFormat) -> None:
    rng = random.Random(7)
    for _ in range(300):
        cut, end = sorted(rng.sample(range(len(TEXT)), 2))
        fmt.locate(TEXT[:cut] + TEXT[end:], PLACES)


def test_everything_in_the_installed_files_is_found(fmt: ProtobufFormat) -> None:
    for name in package_files():
        text = read_package_file(name)
        layout = fmt.parse(text, references_of(name)).layout
        wanted = {
            field.full_name
            for root in layout.roots
            for field in layout.message(root).fields.values()
            if field.full_name.startswith(f"{root}.")
        }
        wanted |= {f"{enum}.{value}" for enum in layout.own_enums for value in layout.enum(enum).numbers} | {
            *layout.roots
        }
        assert wanted - fmt.locate(text, wanted).keys() == set(), name


@pytest.mark.parametrize("piece", ["message M {", "{", "a = 1 [", "/*", '"', "a.b ", "\n", "1", "oneof a {", "}"])
def test_the_work_grows_with_the_text(fmt: ProtobufFormat, piece: str) -> None:
    def work(length: int) -> int:
        return calls_of(lambda: fmt.locate(piece * (length // len(piece)), {"M"}))

    assert work(200_000) < 15 * work(20_000)
