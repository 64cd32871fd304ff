"""Printed text compiles to the descriptor it was printed from: our samples and all files of two packages."""

from __future__ import annotations

import gzip
import json

import pytest

from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.formats.protobuf.equality import is_same_file

from .conftest import SAMPLES, package_files, read_package_file, references_of


def check_round_trips(fmt: ProtobufFormat, text: str, references: list[ResolvedReference]) -> None:
    schema = fmt.parse(text, references)
    again = fmt.parse(schema.canonical, references)
    assert again.canonical == schema.canonical
    assert is_same_file(schema.file, again.file)
    assert fmt.parse(schema.render("serialized"), references).canonical == schema.canonical
    normalized = fmt.parse(schema.normalized, references)
    assert normalized.normalized == schema.normalized
    assert fmt.parse(schema.render("ignore_extensions"), references).render("ignore_extensions")


@pytest.mark.parametrize("name", package_files())
def test_files_of_packages_round_trip(fmt: ProtobufFormat, name: str) -> None:
    check_round_trips(fmt, read_package_file(name), references_of(name))


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.proto")), ids=lambda path: path.name)
def test_samples_of_each_syntax_round_trip(fmt: ProtobufFormat, path: object) -> None:
    check_round_trips(fmt, SAMPLES.joinpath(str(path)).read_text(), [])


def test_golden_texts_round_trip(fmt: ProtobufFormat) -> None:
    with gzip.open(SAMPLES.parent / "protobuf_compat_pairs.jsonl.gz", "rt") as lines:
        for line in list(lines)[::25]:
            check_round_trips(fmt, json.loads(line)["original"], [])


def test_canonical_text_reads_like_a_source(fmt: ProtobufFormat) -> None:
    text = """
        // comment
        syntax = "proto3"; package a.b; /* more */
        enum Early { EARLY_ZERO = 0; }
        import "google/protobuf/timestamp.proto"; import "google/protobuf/any.proto";
        service S { rpc Call (stream .a.b.M) returns (M.N) {} }
        message M { reserved 9; message N { .a.b.M up = 1; } google.protobuf.Timestamp at = 2; a.b.M.N n = 1;
            oneof choice { string s = 4 [json_name="S"]; Early e = 3; } map<string, N> by = 5; }
        option java_package = "j";
    """
    assert (
        fmt.parse(text).canonical
        == """\
syntax = "proto3";

package a.b;

import "google/protobuf/timestamp.proto";
import "google/protobuf/any.proto";

option java_package = "j";

message M {
  google.protobuf.Timestamp at = 2;
  N n = 1;
  oneof choice {
    string s = 4 [json_name = "S"];
    Early e = 3;
  }

  message N {
    M up = 1;
  }

  map<string, N> by = 5;
  reserved 9;
}

enum Early {
  EARLY_ZERO = 0;
}

service S {
  rpc Call(stream M) returns (M.N);
}
"""
    )


def test_normalized_text_is_the_same_for_another_order(fmt: ProtobufFormat) -> None:
    first = """
        syntax = "proto2"; package p;
        import "google/protobuf/any.proto"; import "google/protobuf/api.proto";
        message M { optional M m = 2; oneof b { int32 x = 9; int32 y = 4; } oneof a { int32 z = 1; }
            map<string, M> second = 8; map<int32, M> first = 7; reserved 20, 12 to 15; reserved "b", "a"; }
    """
    second = """
        package p;
        import "google/protobuf/api.proto"; import "google/protobuf/any.proto";
        message M { oneof a { int32 z = 1; } map<int32, p.M> first = 7; map<string, .p.M> second = 8;
            oneof b { int32 y = 4; int32 x = 9; } optional .p.M m = 2; reserved "a", "b"; reserved 12 to 15, 20; }
    """
    assert fmt.parse(first).canonical != fmt.parse(second).canonical
    assert fmt.parse(first).normalized == fmt.parse(second).normalized
    assert (
        fmt.parse(first).normalized
        == """\
package p;

import "google/protobuf/any.proto";
import "google/protobuf/api.proto";

message M {
  oneof a {
    int32 z = 1;
  }
  optional .p.M m = 2;
  oneof b {
    int32 y = 4;
    int32 x = 9;
  }
  map<int32, .p.M> first = 7;
  map<string, .p.M> second = 8;
  reserved 12 to 15, 20;
  reserved "a", "b";
}
"""
    )


@pytest.mark.parametrize("style", ["canonical", "normalized"])
def test_nested_types_keep_their_message_indexes(fmt: ProtobufFormat, style: str) -> None:
    text = """
        syntax = "proto2";
        message M { map<int32, int32> z = 9; message A {} map<int32, int32> y = 8; message B {} extensions 100 to 200; }
        message N { extend M { repeated group E = 100 {} } message C {} optional group G = 1 {} message D {} }
    """
    printed = fmt.parse(getattr(fmt.parse(text), style)).file
    kinds = [
        [None if item.options.map_entry else item.name for item in outer.nested_type] for outer in printed.message_type
    ]
    assert kinds == [[None, "A", None, "B"], ["E", "C", "G", "D"]]


def test_rendering_without_extensions_leaves_out_what_extends(fmt: ProtobufFormat) -> None:
    text = """
        syntax = "proto2"; import "google/protobuf/descriptor.proto";
        message M { optional int32 a = 1 [deprecated = true, (note) = "n"]; extensions 4 to 9;
            extend M { optional int32 b = 4; } }
        extend google.protobuf.FieldOptions { optional string note = 50001; }
    """
    assert (
        fmt.parse(text).render("ignore_extensions")
        == """\
syntax = "proto2";

import "google/protobuf/descriptor.proto";

message M {
  optional int32 a = 1 [deprecated = true];
}
"""
    )
