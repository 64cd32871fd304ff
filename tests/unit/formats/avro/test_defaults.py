"""Which defaults fit beyond what the table of malformed schemas shows."""

from __future__ import annotations

import json

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro import AvroFormat, AvroRules

NODE = {
    "type": "record",
    "name": "N",
    "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "int", "default": 1}],
}


def schema(field_type: object, default: object) -> str:
    return json.dumps(
        {"type": "record", "name": "R", "fields": [{"name": "f", "type": field_type, "default": default}]}
    )


@pytest.mark.parametrize(
    ("field_type", "default", "fits"),
    [
        ("boolean", True, True),
        ("int", -(2**31), True),
        ("int", -(2**31) - 1, False),
        ("long", 2**63 - 1, True),
        ("long", True, False),
        ("double", False, False),
        ("string", "s", True),
        ({"type": "array", "items": ["null", "int"]}, [None, 1], True),
        ({"type": "array", "items": ["null", "int"]}, [None, "1"], False),
        ({"type": "map", "values": {"type": "array", "items": "int"}}, {"a": [], "b": [1]}, True),
        ({"type": "map", "values": {"type": "array", "items": "int"}}, {"a": [], "b": [1.0]}, False),
        (["null", NODE], {"x": 1}, True),
        (["null", NODE], {"y": 1}, False),
        ([], None, False),
        (["null", "R"], {"f": {"f": None}}, True),
        ("R", {}, False),
        (["R", "int"], {}, False),
    ],
)
def test_default(field_type: object, default: object, fits: bool) -> None:
    if fits:
        assert AvroFormat().parse(schema(field_type, default)).canonical
    else:
        with pytest.raises(InvalidSchema, match="does not fit"):
            AvroFormat().parse(schema(field_type, default))


def test_only_the_first_branch_counts_under_1_11() -> None:
    assert AvroFormat(AvroRules.V1_11).parse(schema(["int", "null"], 1)).canonical
    with pytest.raises(InvalidSchema, match=r"\[int, null\]"):
        AvroFormat(AvroRules.V1_11).parse(schema(["int", "null"], None))


def test_union_of_records_is_tried_once_per_value() -> None:
    """Both branches fail at the bottom only: without keeping verdicts this takes 2^60 steps."""
    branches = ["A", "B", "null"]
    default: object = 5
    for _ in range(60):
        default = {"x": default}
    records = [{"type": "record", "name": name, "fields": [{"name": "x", "type": branches}]} for name in "AB"]
    root = {"type": "record", "name": "R", "fields": [{"name": "f", "type": [*records, "null"], "default": default}]}
    with pytest.raises(InvalidSchema, match="does not fit"):
        AvroFormat().parse(json.dumps(root))


def test_check_is_bounded_in_steps() -> None:
    """Each element fits one of many records, most of them far down in the union."""
    names = [f"R{number}" for number in range(350)]
    records = [{"type": "record", "name": name, "fields": [{"name": name, "type": "int"}]} for name in names]
    field = {"name": "f", "type": {"type": "array", "items": records}, "default": [{name: 1} for name in names]}
    with pytest.raises(InvalidSchema, match="steps"):
        AvroFormat().parse(json.dumps({"type": "record", "name": "R", "fields": [field]}))


def test_check_is_bounded_in_depth() -> None:
    """Records that each lean on the default of the next nest no text, yet their defaults nest."""
    records: list[object] = [{"type": "record", "name": "R0", "fields": []}]
    for number in range(1, 300):
        field = {"name": "f", "type": f"R{number - 1}", "default": {}}
        records.append({"type": "record", "name": f"R{number}", "fields": [field]})
    with pytest.raises(InvalidSchema, match="nest deeper"):
        AvroFormat().parse(json.dumps([records[0], *reversed(records[1:])]))
