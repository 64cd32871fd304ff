"""The payloads of a message: which message, what plain values look like, what restores, and the outline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.formats.protobuf.payload import ProtobufPayloads
from llm_schema_registry.formats.shape import Logical, Shape, ShapeKind
from llm_schema_registry.model import Encoding, ViolationKind

from .conftest import reference
from .test_payload_cases import DATA

EVENT = """syntax = "proto3"; package p; import "confluent/meta.proto";
import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto"; import "confluent/type/decimal.proto";
message Event {
  string id = 1 [(confluent.field_meta).tags = "PII"]; uint64 size = 2; optional bool done = 3; bytes raw = 4;
  float ratio = 5; double cost = 6; int32 count = 7; Kind kind = 8; repeated Event children = 9;
  map<bool, Event> by_flag = 10; google.protobuf.Timestamp at = 11; google.protobuf.Duration took = 12;
  google.protobuf.Int32Value limit = 13; google.protobuf.Struct attrs = 14; google.protobuf.Value any = 15;
  google.protobuf.ListValue list = 16; confluent.type.Decimal price = 17; map<string, string> labels = 18;
  oneof o { google.protobuf.BoolValue sure = 19; Event parent = 20; }
  repeated google.protobuf.Duration waits = 21; enum Kind { NONE = 0; CHAT = 1; } }
"""
DEFAULTS = {
    "id": "",
    "size": 0,
    "raw": b"",
    "ratio": 0.0,
    "cost": 0.0,
    "count": 0,
    "kind": 0,
    "children": [],
    "by_flag": {},
    "limit": None,
    "labels": {},
    "waits": [],
}


@pytest.fixture(scope="module")
def event(fmt: ProtobufFormat) -> ProtobufPayloads:
    return fmt.payloads(fmt.parse(EVENT))


def read(payloads: ProtobufPayloads, text: str) -> object:
    reading = payloads.read(Encoding.JSON, text.encode())
    assert reading.violations == ()
    return payloads.plain(reading.value)


def test_the_first_message_is_read_and_any_by_its_name(fmt: ProtobufFormat) -> None:
    schema = fmt.parse('syntax = "proto3"; message A { int32 a = 1; } message B { message C { int32 c = 1; } }')
    assert read(fmt.payloads(schema), '{"a": 1}') == {"a": 1}
    assert read(fmt.payloads(schema, "B.C"), '{"c": 1}') == {"c": 1}


@pytest.mark.parametrize(
    ("text", "name"),
    [("message A {}", "B"), ("enum E { Z = 0; }", ""), ("enum E { Z = 0; }", "E"), ("message A {}", "no name\0")],
)
def test_a_name_of_no_message_is_refused(fmt: ProtobufFormat, text: str, name: str) -> None:
    with pytest.raises(InvalidPayload) as error:
        fmt.payloads(fmt.parse(f'syntax = "proto3"; {text}'), name)
    assert error.value.violations[0].kind is ViolationKind.BRANCH_UNKNOWN


def test_message_sets_are_refused(fmt: ProtobufFormat) -> None:
    text = 'syntax = "proto2"; message A { optional S s = 1; } message S { OPTION extensions 4 to max; }'
    fmt.payloads(fmt.parse(text.replace("OPTION", "")))
    with pytest.raises(InvalidPayload, match="can be read"):
        fmt.payloads(fmt.parse(text.replace("OPTION", "option message_set_wire_format = true;")))


def test_messages_of_references_are_read(fmt: ProtobufFormat) -> None:
    schema = fmt.parse(
        'syntax = "proto3"; import "u.proto"; message A { u.U u = 1; }',
        [reference("u.proto", 'syntax = "proto3"; package u; message U { int32 n = 1; }')],
    )
    assert read(fmt.payloads(schema), '{"u": {"n": 1}}') == {"u": {"n": 1}}
    assert read(fmt.payloads(schema, "u.U"), '{"n": 2}') == {"n": 2}


def test_plain_values_go_by_original_names_and_hold_defaults(event: ProtobufPayloads) -> None:
    assert read(event, "{}") == DEFAULTS
    text = """{"id": "a", "size": "5", "done": false, "raw": "AQ==", "ratio": 0.5, "kind": "CHAT", "children": [{}],
      "byFlag": {"true": {"id": "b"}}, "at": "2024-01-01T00:00:00.123456789Z", "took": "-1.5s", "limit": 0,
      "attrs": {"a": [1, null, {"b": "x"}]}, "any": true, "list": ["x"], "price": {"value": "/zI=", "scale": 2},
      "labels": {"k": "v"}, "sure": true, "waits": ["2s"]}"""
    assert read(event, text) == DEFAULTS | {
        "id": "a",
        "size": 5,
        "done": False,
        "raw": b"\x01",
        "ratio": 0.5,
        "kind": 1,
        "children": [DEFAULTS],
        "by_flag": {"true": DEFAULTS | {"id": "b"}},
        "at": datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=UTC),
        "took": timedelta(seconds=-1.5),
        "limit": 0,
        "attrs": {"a": [1.0, None, {"b": "x"}]},
        "any": True,
        "list": ["x"],
        "price": Decimal("-2.06"),
        "labels": {"k": "v"},
        "sure": True,
        "waits": [timedelta(seconds=2)],
    }


def test_what_is_plain_is_restored(event: ProtobufPayloads) -> None:
    plain = DEFAULTS | {
        "at": datetime(1, 1, 1, tzinfo=UTC),
        "took": timedelta(seconds=-2, microseconds=-1),
        "price": Decimal("-123.4500"),
        "any": {"a": [1.0, None, True, "x"]},
        "parent": DEFAULTS | {"by_flag": {"false": DEFAULTS}},
        "limit": 5,
    }
    assert event.plain(event.restore(plain)) == plain
    local = timezone(timedelta(hours=2))
    restored = event.plain(event.restore({"at": datetime(2024, 1, 1, 2, tzinfo=local), "price": Decimal("1E+3")}))
    assert isinstance(restored, dict)
    assert restored["at"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert restored["price"] == Decimal(1000)
    assert event.plain(event.restore({})) == DEFAULTS


CIRCLE: dict[str, object] = {}
CIRCLE["parent"] = CIRCLE


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        {"nope": 1},
        {1: 1},
        {"byFlag": {}},
        {"id": 5},
        {"id": None},
        {"count": 2**31},
        {"count": 10**400},
        {"cost": 10**400},
        {"size": -1},
        {"children": "x"},
        {"children": {}},
        {"children": 5},
        {"children": [1]},
        {"by_flag": []},
        {"by_flag": {"maybe": {}}},
        {"labels": {"a": 1}},
        {"at": datetime(2024, 1, 1)},  # noqa: DTZ001 # without a zone on purpose
        {"at": 5},
        {"took": 5},
        {"took": timedelta.max},
        {"price": 1.5},
        {"price": Decimal("NaN")},
        {"price": Decimal("1E+200000")},
        {"price": Decimal("1" * 4301)},
        {"any": b"x"},
        {"attrs": {"a": 10**400}},
        {"limit": "x"},
        CIRCLE,
    ],
    ids=lambda plain: repr(plain)[:40],
)
def test_what_does_not_fit_is_not_restored(event: ProtobufPayloads, plain: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        event.restore(plain)


def test_only_messages_are_made_plain(event: ProtobufPayloads) -> None:
    with pytest.raises(TypeError, match="message"):
        event.plain({})


def test_extensions_are_named_in_brackets(fmt: ProtobufFormat) -> None:
    payloads = fmt.payloads(fmt.parse(DATA["schemas"]["proto2"]))
    plain = read(payloads, '{"id": "a", "[gift]": "g", "[extra]": {"sku": "s"}}')
    assert isinstance(plain, dict)
    assert plain["[gift]"] == "g"
    assert plain["[extra]"] == {"sku": "s"}
    assert payloads.plain(payloads.restore(plain)) == plain


def test_the_outline_names_kinds_as_rules_do(event: ProtobufPayloads) -> None:
    shape = event.shape
    fields = shape.fields
    assert (shape.kind, shape.name, shape.is_nullable) == (ShapeKind.RECORD, "p.Event", False)
    assert shape.descriptor is not None
    assert {name: field.shape.kind.value for name, field in fields.items()} == {
        "id": "STRING",
        "size": "LONG",
        "done": "BOOLEAN",
        "raw": "BYTES",
        "ratio": "FLOAT",
        "cost": "DOUBLE",
        "count": "INT",
        "kind": "ENUM",
        "children": "ARRAY",
        "by_flag": "MAP",
        "at": "LONG",
        "took": "LONG",
        "limit": "INT",
        "attrs": "MAP",
        "any": "ANY",
        "list": "ARRAY",
        "price": "BYTES",
        "labels": "MAP",
        "sure": "BOOLEAN",
        "parent": "RECORD",
        "waits": "ARRAY",
    }
    assert fields["id"].full_name == fields["id"].schema_path == "p.Event.id"
    assert fields["id"].tags == ("PII",)
    assert fields["size"].shape.is_unsigned
    assert not fields["count"].shape.is_unsigned
    assert fields["kind"].shape.symbols == ("NONE", "CHAT")
    nullable = {name for name, field in fields.items() if field.shape.is_nullable}
    assert nullable == {"done", "at", "took", "limit", "attrs", "any", "list", "price", "sure", "parent"}
    assert [fields[name].shape.logical for name in ("at", "took", "price", "id")] == [
        Logical.TIMESTAMP,
        Logical.DURATION,
        Logical.DECIMAL,
        None,
    ]


def test_the_outline_of_a_message_that_holds_itself_is_a_circle(event: ProtobufPayloads) -> None:
    items = event.shape.fields["children"].shape.items
    parent = event.shape.fields["parent"].shape
    assert items is event.shape
    assert isinstance(parent, Shape)
    assert parent.fields is event.shape.fields
    assert parent.is_nullable


def test_required_fields_are_required_in_the_outline(fmt: ProtobufFormat) -> None:
    fields = fmt.payloads(fmt.parse(DATA["schemas"]["proto2"])).shape.fields
    assert [name for name, field in fields.items() if field.is_required] == ["id"]
    assert not fields["id"].shape.is_nullable
    assert fields["count"].shape.is_nullable
    assert fields["[gift]"].full_name == "gift"
    assert fields["id"].tags == ()


def test_a_file_in_the_place_of_a_built_in_one_makes_no_well_known_type(fmt: ProtobufFormat) -> None:
    """A reference may replace google/protobuf/timestamp.proto: its message is then one like any other."""
    schema = fmt.parse(
        'syntax = "proto2"; import "google/protobuf/timestamp.proto"; import "google/protobuf/struct.proto";'
        "message A { optional google.protobuf.Timestamp at = 1; optional google.protobuf.NullValue none = 2; }",
        [
            reference(
                "google/protobuf/timestamp.proto",
                'syntax = "proto3"; package google.protobuf; message Timestamp { string text = 1; }',
            ),
            reference(
                "google/protobuf/struct.proto",
                'edition = "2023"; package google.protobuf; '
                "enum NullValue { option features.enum_type = CLOSED; ONE = 1; }",
            ),
        ],
    )
    payloads = fmt.payloads(schema)
    assert read(payloads, '{"at": {"text": "x"}, "none": null}') == {"at": {"text": "x"}}
    assert payloads.read(Encoding.BINARY, b"\x0a\x03\x0a\x01x").violations == ()
    assert payloads.shape.fields["at"].shape.kind is ShapeKind.RECORD


def test_names_of_a_schema_do_not_collide_with_ours(fmt: ProtobufFormat) -> None:
    for taken in ("message Around { Around a = 1; }", "message A { A a = 1; } enum Around { Z = 0; }"):
        payloads = fmt.payloads(fmt.parse(f'syntax = "proto3"; {taken} message Around_ {{}}'))
        deep = b""
        for _ in range(70):
            deep = b"\x0a" + (bytes([len(deep)]) if len(deep) < 128 else bytes([len(deep) % 128 + 128, 1])) + deep
        assert payloads.read(Encoding.BINARY, deep).violations == ()
        assert payloads.read(Encoding.BINARY, b"\x98\x06\x01").violations[0].kind is ViolationKind.FIELD_UNKNOWN


def test_text_that_is_not_utf8_is_no_json(event: ProtobufPayloads) -> None:
    (violation,) = event.read(Encoding.JSON, b'{"id": "\xff"}').violations
    assert (violation.kind, violation.found) == (ViolationKind.INVALID_TEXT, "the byte 0xff at offset 8")


@pytest.mark.parametrize("payload", [b"\x5a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\x00", b"\x0a\x01\xff"])
def test_what_cannot_be_made_plain_is_no_value(event: ProtobufPayloads, payload: bytes) -> None:
    reading = event.read(Encoding.BINARY, payload)
    assert reading.violations
    assert reading.value is None


def test_what_is_unknown_leaves_a_value(event: ProtobufPayloads) -> None:
    reading = event.read(Encoding.BINARY, b"\x0a\x01a\xf8\x06\x01")
    assert [violation.path for violation in reading.violations] == ["/111"]
    assert event.plain(reading.value) == DEFAULTS | {"id": "a"}


KEYS = ("int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "bool")


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_maps_are_written_as_in_protojson(fmt: ProtobufFormat, kind: str) -> None:
    writer = fmt.payloads(fmt.parse(f'syntax = "proto3"; message M {{ map<{kind}, string> m = 1; }}'))
    reader = fmt.payloads(fmt.parse(f'syntax = "proto3"; message M {{ map<{kind}, int32> m = 1; }}'))
    keys = ["true", "false"] if kind == "bool" else ["0", "5"]
    keys += ["-5"] if kind.startswith(("s", "int")) else []
    for key in keys:
        value = writer.read(Encoding.JSON, f'{{"m": {{"{key}": "x"}}}}'.encode()).value
        content = value.SerializeToString()  # type: ignore[attr-defined] # a message
        (violation,) = reader.read(Encoding.BINARY, content).violations
        assert (violation.kind, violation.path) == (ViolationKind.TYPE_MISMATCH, f"/m/{key}")
