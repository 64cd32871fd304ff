"""Schemas in files, and what is said about them on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_schema_registry.cli import schema_file
from llm_schema_registry.cli.failure import Failure
from llm_schema_registry.cli.schema_file import read_schema, reference_bodies, type_of


@pytest.mark.parametrize(
    ("file", "given", "schema_type"),
    [
        ("order.avsc", None, "AVRO"),
        ("ORDER.AVSC", None, "AVRO"),
        ("a.b/order.schema.json", None, "JSON"),
        ("order.proto", None, "PROTOBUF"),
        ("order.txt", "avro", "AVRO"),
        ("order.avsc", "JSON", "JSON"),
        ("-", "Protobuf", "PROTOBUF"),
    ],
)
def test_the_type_is_what_was_said_or_what_the_name_tells(file: str, given: str | None, schema_type: str) -> None:
    assert type_of(file, given) == schema_type


@pytest.mark.parametrize(("file", "named"), [("order", "order"), ("order.txt", "order.txt"), ("-", "standard input")])
def test_a_type_that_nothing_tells_is_asked_for(file: str, named: str) -> None:
    with pytest.raises(Failure, match=f"type of {named}") as caught:
        type_of(file, None)
    assert "--type" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("money.proto=money:3", {"name": "money.proto", "subject": "money", "version": 3}),
        ("com.x.Money=money:latest", {"name": "com.x.Money", "subject": "money", "version": -1}),
        ("http://x/y?a=b=:.ctx:m:1", {"name": "http://x/y?a=b", "subject": ":.ctx:m", "version": 1}),
    ],
)
def test_a_reference_is_read(text: str, body: dict[str, object]) -> None:
    assert reference_bodies([text]) == [body]


@pytest.mark.parametrize("text", ["", "name", "name=subject", "=subject:1", "name=:1", "a=b:0", "a=b:x", "a=b:"])
def test_a_reference_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(Failure, match="reference"):
        reference_bodies([text])


def test_a_byte_order_mark_is_no_part_of_a_schema(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b'\xef\xbb\xbf{"title":"\xc3\xa9"}')
    assert read_schema(str(file)) == '{"title":"é"}'


def test_a_file_that_is_not_utf8_is_refused_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b'{"\xff')
    with pytest.raises(Failure, match="byte 2"):
        read_schema(str(file))


def test_a_file_that_is_absent_or_a_folder_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="No such file"):
        read_schema(str(tmp_path / "none.json"))
    with pytest.raises(Failure, match="directory"):
        read_schema(str(tmp_path))


def test_an_endless_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    with file.open("wb") as stream:
        stream.truncate(schema_file.MAX_BYTES + 1)
    with pytest.raises(Failure, match="larger than 64 MiB"):
        read_schema(str(file))
