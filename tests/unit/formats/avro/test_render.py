"""The texts that are written: attributes in Java's order, names as short as they may be, values kept exactly."""

from __future__ import annotations

import json

import pytest

from llm_schema_registry.formats.avro import AvroFormat

AVRO = AvroFormat()

# (given, canonical, normalized or None when it equals the canonical text)
TEXTS = [
    ('"string"', '"string"', None),
    ('{"type":"string"}', '"string"', None),
    ('{"doc":"dropped","type":"int","name":"n","namespace":"s","size":1}', '"int"', None),
    (' { "logicalType" : "date", "type" : "int" } ', '{"type":"int","logicalType":"date"}', None),
    ("[]", "[]", None),
    (
        '{"items":"int","b":1,"type":"array","a":{"d":1,"c":2}}',
        '{"type":"array","items":"int","b":1,"a":{"d":1,"c":2}}',
        '{"type":"array","items":"int","a":{"d":1,"c":2},"b":1}',
    ),
    ('{"values":{"type":"null"},"type":"map","default":{}}', '{"type":"map","values":"null","default":{}}', None),
    (
        '{"size":2,"aliases":["A","o.B","A"],"p":[1.50,1e2,12345678901234567890123],"name":"n.F","doc":"d","type":"fixed"}',
        (
            '{"type":"fixed","name":"F","namespace":"n","doc":"d","size":2,'
            '"p":[1.5,100.0,12345678901234567890123],"aliases":["A","o.B"]}'
        ),
        (
            '{"type":"fixed","name":"n.F","doc":"d","size":2,'
            '"p":[1.5,100.0,12345678901234567890123],"aliases":["n.A","o.B"]}'
        ),
    ),
    (
        '{"default":"B","type":"enum","symbols":["A","B"],"name":"E","doc":5,"x":null}',
        '{"type":"enum","name":"E","symbols":["A","B"],"default":"B","x":null}',
        None,
    ),
    ('{"default":5,"type":"enum","symbols":["A"],"name":"E"}', '{"type":"enum","name":"E","symbols":["A"]}', None),
    (
        """{"z":1,"y":"2","type":"error","name":"R","namespace":"n","doc":"a \\"b\\" \\u00e9",
            "aliases":[".Old","n.int"],"fields":[
              {"type":"long","name":"f","aliases":["g","g"],"order":"IGNORE","default":1,"doc":"e","q":true,"p":[]},
              {"name":"h","type":{"type":"fixed","name":"n.F","size":1},"order":"Ascending","default":"x","aliases":[]},
              {"name":"i","type":["null","F",{"type":"enum","name":"o.E","symbols":[]}],"default":null},
              {"name":"j","type":{"type":"fixed","name":"F","namespace":"o","size":1}},
              {"name":"k","type":{"type":"record","name":"int","fields":[]}},
              {"name":"l","type":{"type":"n.int"}}]}""",
        (
            '{"type":"error","name":"R","namespace":"n","doc":"a \\"b\\" é","fields":['
            '{"name":"f","type":"long","doc":"e","default":1,"order":"ignore","aliases":["g"],"q":true,"p":[]},'
            '{"name":"h","type":{"type":"fixed","name":"F","size":1},"default":"x"},'
            '{"name":"i","type":["null","F",{"type":"enum","name":"E","namespace":"o","symbols":[]}],"default":null},'
            '{"name":"j","type":{"type":"fixed","name":"F","namespace":"o","size":1}},'
            '{"name":"k","type":{"type":"record","name":"int","fields":[]}},'
            '{"name":"l","type":"n.int"}],"z":1,"y":"2","aliases":[".Old","int"]}'
        ),
        (
            '{"type":"error","name":"n.R","doc":"a \\"b\\" é","fields":['
            '{"name":"f","type":"long","doc":"e","default":1,"order":"ignore","aliases":["g"],"p":[],"q":true},'
            '{"name":"h","type":{"type":"fixed","name":"n.F","size":1},"default":"x"},'
            '{"name":"i","type":["null","n.F",{"type":"enum","name":"o.E","symbols":[]}],"default":null},'
            '{"name":"j","type":{"type":"fixed","name":"o.F","size":1}},'
            '{"name":"k","type":{"type":"record","name":"n.int","fields":[]}},'
            '{"name":"l","type":"n.int"}],"y":"2","z":1,"aliases":[".Old","n.int"]}'
        ),
    ),
    (
        '{"type":"record","name":"record","fields":[{"name":"a","type":["null","record"]}]}',
        '{"type":"record","name":"record","fields":[{"name":"a","type":["null","record"]}]}',
        None,
    ),
    (
        '[{"type":"fixed","name":"F","size":1},{"type":"record","name":"n.R","fields":[{"name":"a","type":"F"}]}]',
        (
            '[{"type":"fixed","name":"F","size":1},'
            '{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"F"}]}]'
        ),
        '[{"type":"fixed","name":"F","size":1},{"type":"record","name":"n.R","fields":[{"name":"a","type":"F"}]}]',
    ),
    (
        '{"type":"record","name":"n.R","fields":[{"name":"a","type":{"type":"fixed","name":".F","size":1}}]}',
        (
            '{"type":"record","name":"R","namespace":"n","fields":['
            '{"name":"a","type":{"type":"fixed","name":"F","namespace":"","size":1}}]}'
        ),
        (
            '{"type":"record","name":"n.R","fields":['
            '{"name":"a","type":{"type":"fixed","name":"F","namespace":"","size":1}}]}'
        ),
    ),
]


@pytest.mark.parametrize(("given", "canonical", "normalized"), TEXTS)
def test_text(given: str, canonical: str, normalized: str | None) -> None:
    parsed = AVRO.parse(given)
    assert parsed.canonical == canonical
    assert parsed.normalized == (normalized or canonical)
    assert parsed.inlined == canonical


@pytest.mark.parametrize("given", [given for given, _, _ in TEXTS])
def test_texts_are_written_alike_when_read_again(given: str) -> None:
    parsed = AVRO.parse(given)
    assert AVRO.parse(parsed.canonical).canonical == parsed.canonical
    normalized = AVRO.parse(parsed.normalized)
    assert normalized.normalized == parsed.normalized
    # Both texts mean the same schema, down to the order of custom properties.
    assert json.loads(normalized.canonical) == json.loads(parsed.canonical)


def test_number_of_any_length_is_kept() -> None:
    digits = "9" * 999
    assert AVRO.parse(f'{{"type":"int","p":{digits}}}').canonical == f'{{"type":"int","p":{digits}}}'
