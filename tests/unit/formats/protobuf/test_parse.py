"""What a parsed schema answers: imports, descriptors, field names, tags and representations."""

from __future__ import annotations

import base64

import pytest
from google.protobuf.descriptor_pb2 import Edition, FieldDescriptorProto, FileDescriptorProto

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.model import EntityKind, EntityTags

from .conftest import reference


def encoded(file: FileDescriptorProto) -> str:
    return base64.b64encode(file.SerializeToString()).decode()


def refusal(fmt: ProtobufFormat, text: str, *references: tuple[str, str]) -> str:
    with pytest.raises(InvalidSchema) as refused:
        fmt.parse(text, [reference(name, content) for name, content in references])
    return str(refused.value)


def test_an_error_names_file_line_column_and_cause(fmt: ProtobufFormat) -> None:
    text = 'import "other.proto";\nmessage A {\n  optional int32 a = 1;\n  optional Missing b = 1;\n}'
    message = refusal(fmt, text, ("other.proto", "message B { optional int32 c = 1 }"))
    assert message.startswith('other.proto:1:34: Expected ";".; ')
    assert "/proc" not in message
    message = refusal(fmt, text, ("other.proto", "message B {}"))
    assert 'schema.proto:4:12: "Missing" is not defined.' in message
    assert "warning" not in message


def test_an_unresolved_import_is_named_with_its_mend(fmt: ProtobufFormat) -> None:
    message = refusal(fmt, 'syntax = "proto3"; import "a/b.proto"; message M {}')
    assert 'Import "a/b.proto" cannot be resolved: register that file and list it under references' in message


def test_many_errors_are_cut(fmt: ProtobufFormat) -> None:
    message = refusal(fmt, "message M {" + "".join(f"optional X{n} f{n} = {n + 1};" for n in range(100)) + "}")
    assert message.endswith("... and 80 more")


def test_an_unused_import_is_no_error(fmt: ProtobufFormat) -> None:
    assert 'import "a.proto";' in fmt.parse('import "a.proto";', [reference("a.proto", "message A {}")]).canonical


@pytest.mark.parametrize(
    "name",
    ["/abs.proto", "../up.proto", "a/../b.proto", "./a.proto", "a//b.proto", "", "a:b.proto", "a=b.proto", "-a.proto",
     "a\\b.proto", "a\0.proto", "a\n.proto"],
)  # fmt: skip
def test_a_reference_name_that_is_no_import_path_is_refused(fmt: ProtobufFormat, name: str) -> None:
    assert "cannot be an import path" in refusal(fmt, "message M {}", (name, ""))


def test_odd_names_of_references_work(fmt: ProtobufFormat) -> None:
    for name in ("schema.proto", "_schema.proto", "with space, comma.proto", "größe.proto", "no-suffix"):
        text = f'import "{name}"; message M {{ optional Other o = 1; }}'
        schema = fmt.parse(text, [reference(name, "message Other {}"), reference("_schema.proto", "")])
        assert f'import "{name}";' in schema.canonical


def test_the_first_of_two_equal_reference_names_wins(fmt: ProtobufFormat) -> None:
    references = [reference("a.proto", "message First {}"), reference("a.proto", "message Second {}")]
    assert fmt.parse('import "a.proto"; message M { optional First f = 1; }', references)


def test_built_in_files_need_no_reference(fmt: ProtobufFormat) -> None:
    text = """
        syntax = "proto3";
        import "google/protobuf/timestamp.proto"; import "google/type/latlng.proto"; import "confluent/meta.proto";
        import "confluent/type/variant.proto"; import "confluent/types/decimal.proto";
        message M { google.protobuf.Timestamp a = 1; google.type.LatLng b = 2 [(confluent.field_meta).doc = "where"];
            confluent.type.Decimal c = 3; confluent.type.Variant d = 4; }
    """
    assert fmt.parse(text)


def test_other_files_of_installed_packages_are_not_built_in(fmt: ProtobufFormat) -> None:
    assert "cannot be resolved" in refusal(fmt, 'import "google/api/annotations.proto";')
    assert "not allowed in the virtual path" in refusal(fmt, 'import "confluent/../google/api/annotations.proto";')


def test_a_reference_replaces_a_built_in_file_but_not_the_language(fmt: ProtobufFormat) -> None:
    text = 'syntax = "proto3"; import "google/type/money.proto"; message M { google.type.Money m = 1; }'
    assert fmt.parse(text)
    assert "is not defined" in refusal(fmt, text, ("google/type/money.proto", "package google.type; message Coin {}"))
    text = 'import "google/protobuf/descriptor.proto"; extend google.protobuf.FileOptions { optional int32 x = 5000; }'
    assert fmt.parse(text, [reference("google/protobuf/descriptor.proto", "message Nothing {}")])


def test_no_syntax_line_means_proto2(fmt: ProtobufFormat) -> None:
    schema = fmt.parse("message M { required int32 a = 1; }")
    assert schema.canonical.startswith('syntax = "proto2";\n')
    assert schema.canonical == fmt.parse('syntax = "proto2"; message M { required int32 a = 1; }').canonical
    assert schema.normalized.startswith("message M")


def test_an_empty_text_is_an_empty_file(fmt: ProtobufFormat) -> None:
    assert fmt.parse(" \n ").canonical == 'syntax = "proto2";\n'


def test_a_descriptor_is_stored_as_the_text_it_describes(fmt: ProtobufFormat) -> None:
    other = reference("shop/other.proto", 'syntax = "proto3"; package o; message Other { string a = 1; }')
    text = """
        syntax = "proto3"; package p; import "shop/other.proto"; import "confluent/meta.proto";
        message M { o.Other o = 1 [(confluent.field_meta) = {tags: "PII"}]; map<string, int32> m = 2;
            optional int32 q = 3; }
    """
    schema = fmt.parse(text, [other])
    file = FileDescriptorProto.FromString(base64.b64decode(schema.render("serialized")))
    assert list(file.dependency) == ["shop/other.proto", "confluent/meta.proto"]
    file.name = "whatever/name.proto"
    for field in file.message_type[0].field:
        field.ClearField("json_name")
    file.source_code_info.location.add(leading_comments="gone")
    assert fmt.parse(encoded(file), [other]).canonical == schema.canonical
    wrapped = "\n".join(encoded(file)[start : start + 60] for start in range(0, len(encoded(file)), 60))
    assert fmt.parse(wrapped, [other]).canonical == schema.canonical


def test_a_descriptor_may_leave_types_relative_and_unset(fmt: ProtobufFormat) -> None:
    file = FileDescriptorProto(name="x.proto", package="p", syntax="proto2")
    message = file.message_type.add(name="M")
    message.field.add(name="m", number=1, label=FieldDescriptorProto.LABEL_OPTIONAL, type_name="M")
    message.extension_range.add(start=10, end=20)
    file.extension.add(name="e", number=10, label=FieldDescriptorProto.LABEL_OPTIONAL, type=5, extendee="M")
    file.service.add(name="S").method.add(name="Call", input_type="M", output_type=".p.M")
    text = """
        package p; message M { optional M m = 1; extensions 10 to 19; } extend M { optional int32 e = 10; }
        service S { rpc Call(M) returns (M); }
    """
    assert fmt.parse(encoded(file)).canonical == fmt.parse(text).canonical


def test_descriptors_are_checked_as_strictly_as_text(fmt: ProtobufFormat) -> None:
    def message_with(**field: object) -> FileDescriptorProto:
        file = FileDescriptorProto(name="x.proto", syntax="proto3")
        message = file.message_type.add(name="M")
        message.reserved_name.append("gone")
        message.reserved_range.add(start=5, end=8)
        defaults = {"name": "a", "number": 1, "label": FieldDescriptorProto.LABEL_OPTIONAL, "type": 5}
        message.field.add(**(defaults | field))
        return file

    assert fmt.parse(encoded(message_with()))
    for wrong in (
        {"number": 19000},
        {"number": 6},
        {"name": "gone"},
        {"name": "a = 1; } message Injected { int32 b"},
        {"label": FieldDescriptorProto.LABEL_REQUIRED},
        {"type": FieldDescriptorProto.TYPE_GROUP},
        {"type": FieldDescriptorProto.TYPE_ENUM, "type_name": ".M"},
        {"oneof_index": 3},
        {"proto3_optional": True},
        {"default_value": "7"},
        {"type_name": ".Missing", "type": 11},
    ):
        assert "descriptor" in refusal(fmt, encoded(message_with(**wrong)))
    file = message_with()
    file.message_type[0].nested_type.add(name="AEntry").options.map_entry = True
    assert "descriptor" in refusal(fmt, encoded(file))
    file = message_with()
    file.options.uninterpreted_option.add(string_value=b"x").name.add(name_part="java_package", is_extension=False)
    assert "descriptor" in refusal(fmt, encoded(file))
    file = message_with()
    file.dependency.append("gone.proto")
    assert 'Import "gone.proto" cannot be resolved' in refusal(fmt, encoded(file))
    file = message_with()
    file.options.MergeFromString(b"\x8a\xb5\x18\x01x")
    assert "import the file that declares it" in refusal(fmt, encoded(file))


def test_what_stands_in_quotes_need_not_be_text(fmt: ProtobufFormat) -> None:
    text = r"""message M { optional string a = 1 [default = "\xff"]; reserved "\xfe", "b"; }"""
    schema = fmt.parse(text)
    assert r'[default = "\377"]' in schema.canonical
    assert r'reserved "\376", "b";' in schema.canonical
    assert r'reserved "\376", "b";' in schema.normalized
    assert fmt.parse(schema.render("serialized")).canonical == schema.canonical
    file = FileDescriptorProto.FromString(schema.descriptor)
    file.syntax, file.edition = "editions", Edition.EDITION_2023
    assert "must be identifiers" in refusal(fmt, encoded(file))
    file.package = "p"
    data = file.SerializeToString().replace(b"\x12\x01p", b"\x12\x01\xff")
    assert "a name that is not valid UTF-8" in refusal(fmt, base64.b64encode(data).decode())


def test_base64_of_something_else_is_read_as_text(fmt: ProtobufFormat) -> None:
    for text in ("abcd", "hello", "AAAA====", base64.b64encode(b"\x08\x01").decode()):
        assert "schema.proto:1:1: Expected top-level statement" in refusal(fmt, text)


def test_field_names_are_those_of_top_level_messages(fmt: ProtobufFormat) -> None:
    schema = fmt.parse(
        "message A { optional int32 x = 1; message N { optional int32 y = 1; } } message B { optional int32 z = 1; }"
    )
    assert schema.field_names == ("x", "z")
    assert schema.reserved_misuse is None


def test_an_empty_file_with_one_public_import_lends_its_field_names(fmt: ProtobufFormat) -> None:
    other = reference("a.proto", "message A { optional int32 x = 1; }")
    assert fmt.parse('import public "a.proto";', [other]).field_names == ("x",)
    assert fmt.parse('import "a.proto";', [other]).field_names == ()
    assert fmt.parse('import public "a.proto"; enum E { X = 0; }', [other]).field_names == ()


def test_inlined_is_canonical(fmt: ProtobufFormat) -> None:
    schema = fmt.parse("message A {}")
    assert schema.inlined == schema.canonical


def test_representations_are_text_and_descriptor(fmt: ProtobufFormat) -> None:
    schema = fmt.parse("message A { optional int32 a = 1; }")
    for media_type in fmt.media_types:
        assert schema.represent(media_type, pretty=True) == schema.represent(media_type, pretty=False)
    assert schema.represent("text/x-protobuf", pretty=True).decode() == schema.canonical
    file = FileDescriptorProto.FromString(schema.represent("application/x-protobuf", pretty=True))
    assert file.message_type[0].name == "A"
    assert schema.render("anything else") == schema.canonical
    with pytest.raises(KeyError):
        schema.represent("application/json", pretty=False)


TAGGED = """\
syntax = "proto3";

package p;

import "confluent/meta.proto";

message A {
  option (confluent.message_meta) = { doc: "d" tags: "T1" tags: "T2" };
  string a = 1 [deprecated = true, (confluent.field_meta) = { tags: "PII" }];

  message N {
    int32 n = 1;
  }

  map<string, int32> m = 2;
}
"""


def test_tags_are_read_in_document_order(fmt: ProtobufFormat) -> None:
    assert fmt.parse(TAGGED).tags == (
        EntityTags("p.A", EntityKind.RECORD, ("T1", "T2")),
        EntityTags("p.A.a", EntityKind.FIELD, ("PII",)),
    )


def test_tags_are_added_and_removed(fmt: ProtobufFormat) -> None:
    changed = fmt.parse(TAGGED).with_tags(
        add=[EntityTags("p.A", EntityKind.RECORD, ("T3", "T2", "T3")), EntityTags("p.A.N.n", EntityKind.FIELD, ("ü",))],
        remove=[EntityTags("p.A", EntityKind.RECORD, ("T1", "other")), EntityTags("p.A.a", EntityKind.FIELD, ("PII",))],
    )
    schema = fmt.parse(changed)
    assert schema.canonical == changed
    assert schema.tags == (
        EntityTags("p.A", EntityKind.RECORD, ("T2", "T3")),
        EntityTags("p.A.N.n", EntityKind.FIELD, ("ü",)),
    )
    assert 'doc: "d"' in changed
    assert "string a = 1 [deprecated = true];" in changed


def test_tags_bring_their_import(fmt: ProtobufFormat) -> None:
    schema = fmt.parse("message A { optional int32 a = 1; }")
    tag = EntityTags("A.a", EntityKind.FIELD, ("x" * 200,))
    changed = schema.with_tags([tag], [])
    assert 'import "confluent/meta.proto";' in changed
    assert fmt.parse(changed).tags == (tag,)
    assert fmt.parse(changed).with_tags([], [tag]).endswith("message A {\n  optional int32 a = 1;\n}\n")
    assert schema.with_tags([], []) == schema.canonical


def test_tags_use_an_import_that_is_visible_already(fmt: ProtobufFormat) -> None:
    other = reference(
        "a.proto", 'syntax = "proto3"; import public "confluent/meta.proto"; import public "google/protobuf/any.proto";'
    )
    text = 'syntax = "proto3"; import "a.proto"; import "google/protobuf/any.proto"; message A {}'
    changed = fmt.parse(text, [other]).with_tags([EntityTags("A", EntityKind.RECORD, ("x",))], [])
    assert 'import "confluent' not in changed
    assert fmt.parse(changed, [other]).tags


def test_another_option_of_the_same_number_is_no_tag(fmt: ProtobufFormat) -> None:
    schema = fmt.parse("""
        import "google/protobuf/descriptor.proto";
        message Own { optional string s = 3; } extend google.protobuf.MessageOptions { optional Own own = 1088; }
        message A { option (own).s = "not a tag"; }
    """)
    assert schema.tags == ()
    with pytest.raises(InvalidSchema, match="cannot hold tags"):
        schema.with_tags([EntityTags("A", EntityKind.RECORD, ("x",))], [])


def test_a_tag_with_a_lone_surrogate_is_refused(fmt: ProtobufFormat) -> None:
    with pytest.raises(InvalidSchema, match="half of a surrogate pair"):
        fmt.parse("message A {}").with_tags([EntityTags("A", EntityKind.RECORD, ("\ud800",))], [])


@pytest.mark.parametrize(
    ("path", "kind"), [("A.b", EntityKind.FIELD), ("B", EntityKind.RECORD), ("A", EntityKind.FIELD)]
)
def test_a_tag_on_nothing_is_refused(fmt: ProtobufFormat, path: str, kind: EntityKind) -> None:
    with pytest.raises(InvalidSchema, match=f"'{path}' in this schema"):
        fmt.parse("message A { optional int32 a = 1; }").with_tags([EntityTags(path, kind, ("x",))], [])
