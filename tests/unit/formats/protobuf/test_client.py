"""What Confluent's Python client sends and expects: its descriptors are our texts, and ours fit its pools."""

from __future__ import annotations

import importlib

import pytest
from confluent_kafka.schema_registry.common.protobuf import _init_pool, _schema_to_str, _str_to_proto
from google.protobuf.descriptor_pool import DescriptorPool

from llm_schema_registry.formats.protobuf import ProtobufFormat, compiler

from .conftest import package_files, read_package_file, references_of

INCLUDE = compiler.HERE / "include"
CLIENT_PACKAGE = "confluent_kafka.schema_registry"


@pytest.mark.parametrize("path", sorted(INCLUDE.rglob("*.proto")), ids=lambda path: str(path.relative_to(INCLUDE)))
def test_our_built_in_files_are_those_of_the_client(fmt: ProtobufFormat, path: object) -> None:
    name = str(INCLUDE.joinpath(str(path)).relative_to(INCLUDE))
    module = importlib.import_module(f"{CLIENT_PACKAGE}.{name.removesuffix('.proto').replace('/', '.')}_pb2")
    theirs = fmt.parse(_schema_to_str(module.DESCRIPTOR))
    assert theirs.canonical == fmt.parse(INCLUDE.joinpath(name).read_text()).canonical


@pytest.mark.parametrize("name", [name for name in package_files() if name.startswith(("google/type/", "google/api/"))])
def test_a_descriptor_that_the_client_sends_is_the_schema_of_its_text(fmt: ProtobufFormat, name: str) -> None:
    module = importlib.import_module(f"{name.removesuffix('.proto').replace('/', '.')}_pb2")
    references = references_of(name)
    theirs = fmt.parse(_schema_to_str(module.DESCRIPTOR), references)
    assert theirs.canonical == fmt.parse(read_package_file(name), references).canonical


def test_the_client_reads_what_we_serialize(fmt: ProtobufFormat) -> None:
    text = """
        syntax = "proto3"; package p;
        import "confluent/meta.proto"; import "confluent/types/decimal.proto"; import "google/type/money.proto";
        import "google/protobuf/timestamp.proto";
        message M { confluent.type.Decimal d = 1 [(confluent.field_meta).tags = "PII"]; google.type.Money m = 2;
            google.protobuf.Timestamp at = 3; map<string, M> by = 4; message N {} optional string o = 5; }
    """
    pool = DescriptorPool()
    _init_pool(pool)
    pool.Add(_str_to_proto("default", fmt.parse(text).render("serialized")))
    message = pool.FindFileByName("default").message_types_by_name["M"]
    assert [field.name for field in message.fields] == ["d", "m", "at", "by", "o"]
    assert [nested.name for nested in message.nested_types] == ["ByEntry", "N"]
