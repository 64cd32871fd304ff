"""Option values as they may stand in a descriptor: every wire form, and what is no option value at all."""

from __future__ import annotations

import base64

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.protobuf import ProtobufFormat

FILE_OPTIONS = ".google.protobuf.FileOptions"
DECLARED = """
    import "google/protobuf/descriptor.proto";
    enum E { ZERO = 0; ONE = 1; MINUS = -1; }
    message R {
        optional R r = 1; optional int32 i = 2; optional float f = 3; optional string s = 4; repeated int32 many = 5;
        repeated fixed32 fixed = 6 [packed = true]; optional bool b = 7; optional E e = 8; optional double d = 9;
        optional group G = 10 { optional int32 n = 1; } map<string, int32> m = 11;
    }
    extend google.protobuf.FileOptions { optional R root = 5016; repeated R roots = 5017; optional string text = 5018; }
"""


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def field(number: int, value: bytes, wire_type: int = 2) -> bytes:
    return varint(number << 3 | wire_type) + (varint(len(value)) if wire_type == 2 else b"") + value


def parsed(fmt: ProtobufFormat, options: bytes) -> str:
    """Return the option lines of a schema whose descriptor holds these bytes as file options."""
    file = FileDescriptorProto.FromString(fmt.parse(DECLARED).descriptor)
    file.options.ParseFromString(options)
    canonical = fmt.parse(base64.b64encode(file.SerializeToString()).decode()).canonical
    return "\n".join(line for line in canonical.splitlines() if line.startswith("option "))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (field(2, varint(7), 0), "i: 7"),
        (field(2, varint(2**64 - 7), 0), "i: -7"),
        (field(2, varint(1), 0) + field(2, varint(2), 0), "i: 2"),
        (field(1, field(2, b"\1", 0)) + field(1, field(7, b"\1", 0)), "r { i: 1 b: true }"),
        (field(1, b""), "r {}"),
        (field(3, b"\0\0\xc0\x7f", 5), "f: nan"),
        (field(3, b"\1\0\xc0\xff", 5), "f: nan"),
        (field(3, b"\xcd\xcc\xcc\x3d", 5), "f: 0.1"),
        (field(3, b"\xff\xff\x7f\x7f", 5), "f: 3.4028235e+38"),
        (field(9, b"\0\0\0\0\0\0\xf0\xff", 1), "d: -inf"),
        (field(4, "ü\n\x7f".encode()), 's: "ü\\n\\177"'),
        (field(4, b"\xff"), 's: "\\377"'),
        (field(5, b"\1\2") + field(5, b"\3", 0), "many: 1 many: 2 many: 3"),
        (field(6, b"\1\0\0\0\2\0\0\0") + field(6, b"\3\0\0\0", 5), "fixed: 1 fixed: 2 fixed: 3"),
        (field(8, b"\1", 0), "e: ONE"),
        (field(8, varint(2**64 - 1), 0), "e: MINUS"),
        (b"\x53" + field(1, b"\5", 0) + b"\x54", "G { n: 5 }"),
        (
            field(11, field(1, b"b") + field(2, b"\2", 0)) + field(11, field(1, b"a") + field(2, b"\1", 0)),
            'm { key: "a" value: 1 } m { key: "b" value: 2 }',
        ),
    ],
)
def test_values_are_written_as_text(fmt: ProtobufFormat, value: bytes, written: str) -> None:
    assert parsed(fmt, field(5016, value)) == f"option (.root) = {{ {written} }};"


def test_repeated_options_are_written_one_by_one(fmt: ProtobufFormat) -> None:
    assert parsed(fmt, field(5017, b"") + field(5018, b"t") + field(5017, field(2, b"\1", 0))) == (
        'option (.roots) = {};\noption (.roots) = { i: 1 };\noption (.text) = "t";'
    )


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (field(5016, b"\x0a"), "cut short"),
        (field(5016, field(1, b"xyz")[:-1]), "cut short"),
        (field(5016, b"\xff" * 12), "cut short"),
        (field(5016, b"\x0c"), "not a serialized message"),
        (field(5016, b"\x0e"), "not a serialized message"),
        (field(5016, b"\x0b"), "cut short"),
        (field(5016, field(2, b"\0\0\0\0", 5)), "option i has the wrong type"),
        (field(5016, field(3, b"\1", 0)), "option f has the wrong type"),
        (field(5016, field(4, b"\1", 0)), "option s has the wrong type"),
        (field(5016, field(99, b"\1", 0)), "option 99 of R is unknown: import the file that declares it"),
        (field(5099, b""), "option 5099 of google.protobuf.FileOptions is unknown"),
        (field(5016, field(8, b"\5", 0)), 'Unknown enumeration value of "5"'),
    ],
)
def test_what_is_no_value_is_refused(fmt: ProtobufFormat, options: bytes, cause: str) -> None:
    with pytest.raises(InvalidSchema, match=cause):
        parsed(fmt, options)


def test_options_of_unknown_types_are_refused(fmt: ProtobufFormat) -> None:
    file = FileDescriptorProto(name="x.proto")
    file.dependency.append("google/protobuf/descriptor.proto")
    file.extension.add(
        name="e", number=5000, label=1, type=11, type_name=".Gone", extendee=".google.protobuf.FileOptions"
    )
    file.options.ParseFromString(field(5000, field(1, b"")))
    with pytest.raises(InvalidSchema, match="an option of type Gone cannot be read"):
        fmt.parse(base64.b64encode(file.SerializeToString()).decode())


def test_a_name_that_is_hidden_is_written_absolutely(fmt: ProtobufFormat) -> None:
    text = """
        package p; import "google/protobuf/descriptor.proto";
        extend google.protobuf.MessageOptions { optional int32 size = 5000; }
        message Outer { message p { option (.p.size) = 1; } optional .p.Outer o = 1; }
    """
    assert "option (.p.size) = 1;" in fmt.parse(text).canonical


def test_an_option_too_deep_for_its_reader_is_refused(fmt: ProtobufFormat) -> None:
    head = """
        edition = "2023"; import "google/protobuf/descriptor.proto"; option features.message_encoding = DELIMITED;
        message R { R r = 1; } extend google.protobuf.FileOptions { R root = 5000; } option (root) =
    """
    assert fmt.parse(head + "{ r " * 90 + "{}" + "}" * 90 + ";")
    with pytest.raises(InvalidSchema, match="nested too deeply"):
        fmt.parse(head + "{ r " * 98 + "{}" + "}" * 98 + ";")


def test_an_option_nested_without_end_is_refused(fmt: ProtobufFormat) -> None:
    value = b""
    for _ in range(5000):
        value = field(1, value)
    for endless in (value, b"\x0b" * 5000):
        with pytest.raises(InvalidSchema, match="nested too deeply"):
            parsed(fmt, field(5016, endless))
