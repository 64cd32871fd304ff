"""What a parsed schema answers: its texts, fields, tags and representations."""

from __future__ import annotations

import json

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro import AvroFormat
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.model import EntityKind, EntityTags

AVRO = AvroFormat()
PERSON = """
{"confluent:tags": ["PII"], "fields": [
   {"type": "string", "name": "name", "confluent:tags": ["PII", "NAME"], "doc": "full"},
   {"name": "address", "type": {"type": "record", "name": "Address", "fields": [
       {"name": "zip", "type": "string", "confluent:tags": ["GEO"]},
       {"name": "odd", "type": "int", "confluent:tags": "no list"}]}},
   {"name": "boss", "type": ["null", "Person"], "default": null}],
 "name": "Person", "namespace": "hr", "type": "record"}
"""


def field_tags(path: str, *tags: str) -> EntityTags:
    return EntityTags(path, EntityKind.FIELD, tags)


def record_tags(path: str, *tags: str) -> EntityTags:
    return EntityTags(path, EntityKind.RECORD, tags)


def test_field_names_are_those_of_the_root_record() -> None:
    assert AVRO.parse(PERSON).field_names == ("name", "address", "boss")
    assert AVRO.parse('{"type":"array","items":"int"}').field_names == ()


def test_no_name_is_reserved() -> None:
    assert AVRO.parse(PERSON).reserved_misuse is None


def test_unknown_style_renders_the_canonical_text() -> None:
    parsed = AVRO.parse(PERSON)
    assert parsed.render("default") == parsed.render("anything") == parsed.canonical == parsed.inlined


@pytest.mark.parametrize("media_type", ["application/vnd.apache.avro+json", "application/avro+json"])
def test_represent(media_type: str) -> None:
    parsed = AVRO.parse('{"type":"array","items":"int","größe":1}')
    assert media_type in AVRO.media_types
    assert parsed.represent(media_type, pretty=False) == parsed.canonical.encode()
    assert parsed.represent(media_type, pretty=True).decode() == (
        '{\n  "type": "array",\n  "items": "int",\n  "größe": 1\n}'
    )


def test_represent_refuses_other_media_types() -> None:
    with pytest.raises(KeyError):
        AVRO.parse('"int"').represent("text/plain", pretty=False)


class TestTags:
    def test_tags_are_found_in_document_order(self) -> None:
        assert AVRO.parse(PERSON).tags == (
            record_tags("hr.Person", "PII"),
            field_tags("hr.Person.name", "PII", "NAME"),
            field_tags("hr.Address.zip", "GEO"),
        )

    def test_tags_are_merged_without_duplicates_in_place(self) -> None:
        text = AVRO.parse(PERSON).with_tags([field_tags("hr.Person.name", "NAME", "X", "X")], [])
        first = json.loads(text)["fields"][0]
        assert first["confluent:tags"] == ["PII", "NAME", "X"]
        assert AVRO.parse(text).canonical == text

    def test_tags_are_added_where_there_were_none(self) -> None:
        text = AVRO.parse(PERSON).with_tags(
            [record_tags("hr.Address", "A"), field_tags("hr.Address.odd", "B"), field_tags("hr.Person.boss", "C")], []
        )
        added = AVRO.parse(text).tags
        assert [tags for tags in added if set(tags.tags) & set("ABC")] == [
            record_tags("hr.Address", "A"),
            field_tags("hr.Address.odd", "B"),
            field_tags("hr.Person.boss", "C"),
        ]

    def test_removing_the_last_tag_removes_the_property(self) -> None:
        text = AVRO.parse(PERSON).with_tags(
            [field_tags("hr.Person.name", "NEW")],
            [record_tags("hr.Person", "PII", "OTHER"), field_tags("hr.Person.name", "PII", "NEW")],
        )
        assert "confluent:tags" not in json.loads(text)
        assert AVRO.parse(text).tags[0] == field_tags("hr.Person.name", "NAME")

    @pytest.mark.parametrize(
        "unknown",
        [field_tags("hr.Person.nobody", "T"), record_tags("hr.Person.name", "T"), field_tags("Person.name", "T")],
    )
    def test_unknown_path_is_refused(self, unknown: EntityTags) -> None:
        for changes in (([unknown], []), ([], [unknown])):
            with pytest.raises(InvalidSchema, match=unknown.path):
                AVRO.parse(PERSON).with_tags(*changes)

    def test_types_of_references_are_not_ours_to_tag(self) -> None:
        item = ResolvedReference(
            "Item", "item", 1, '{"type":"record","name":"Item","fields":[],"confluent:tags":["T"]}'
        )
        parsed = AVRO.parse('{"type":"record","name":"R","fields":[{"name":"i","type":"Item"}]}', (item,))
        assert parsed.tags == ()
        with pytest.raises(InvalidSchema, match="Item"):
            parsed.with_tags([record_tags("Item", "U")], [])
