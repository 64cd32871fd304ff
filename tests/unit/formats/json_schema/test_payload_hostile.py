"""Hostile documents and schemas: each is answered, in bounded work, and the process lives."""

from __future__ import annotations

import json
import threading
import tracemalloc
from typing import Any

import pytest

from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.formats.json_schema.payload import JsonPayloads
from llm_schema_registry.model import Encoding, Violation

FORMAT = JsonSchemaFormat()
MODERN = "https://json-schema.org/draft/2020-12/schema"


def payloads(schema: Any) -> JsonPayloads:  # noqa: ANN401 - any JSON value
    return FORMAT.payloads(FORMAT.parse(json.dumps(schema)))


def read(schema: Any, payload: str | bytes, limit: int = 100) -> tuple[Violation, ...]:  # noqa: ANN401 - any JSON value
    data = payload.encode() if isinstance(payload, str) else payload
    return payloads(schema).read(Encoding.JSON, data, limit).violations


def kinds(violations: tuple[Violation, ...]) -> list[str]:
    return [violation.kind.value for violation in violations]


def nested(levels: int, inner: str = "") -> str:
    return "[" * levels + inner + "]" * levels


@pytest.mark.parametrize("payload", ["[" * 100_000, nested(100_000), '{"a":' * 100_000, nested(101), '[{"a":' * 51])
def test_deep_documents_never_reach_the_validators(payload: str) -> None:
    found = read({"items": {"$ref": "#"}}, payload)
    assert kinds(found) in (["TOO_DEEP"], ["MALFORMED"])


def test_a_document_of_the_greatest_depth_is_read() -> None:
    assert read({"items": {"$ref": "#"}}, nested(100)) == ()
    assert kinds(read({"items": {"$ref": "#"}, "type": "array"}, nested(100, "1"))) == ["TYPE_MISMATCH"]


def test_a_document_of_too_many_values_is_not_decoded() -> None:
    assert kinds(read({}, "[" + "{}," * 1_000_000 + "{}]")) == ["TOO_LARGE"]
    assert read({"type": "string"}, '"' + "," * 3_000_000 + '"') == ()


def test_a_string_of_ten_megabytes_is_read_and_shown_shortly() -> None:
    text = json.dumps("x" * 10_000_000)
    assert read({"type": "string", "pattern": "^x+$"}, text) == ()
    found = read({"type": "integer"}, text)
    assert kinds(found) == ["TYPE_MISMATCH"]
    assert len(found[0].found) <= 100
    assert len(found[0].message) < 500


@pytest.mark.parametrize(
    "text", ["9" * 100_000, "-" + "9" * 100_000, "1e400", "0." + "1" * 100_000 + "e999999", "1" * 1_001]
)
def test_numbers_without_measure_are_out_of_range(text: str) -> None:
    assert kinds(read({"type": "number"}, f'{{"n": {text}}}')) == ["OUT_OF_RANGE"]


def test_a_number_of_many_digits_is_compared() -> None:
    assert kinds(read({"maximum": 5, "multipleOf": 7}, "9" * 1_000)) == ["OUT_OF_RANGE", "NOT_PRECISE"]


def test_a_hundred_thousand_faults_end_at_the_limit_without_memory() -> None:
    ready = payloads({"items": {"type": "string"}})
    data = json.dumps(list(range(100_000))).encode()
    ready.read(Encoding.JSON, b"[1]")
    tracemalloc.start()
    found = ready.read(Encoding.JSON, data, 7).violations
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [violation.path for violation in found] == [f"/{index}" for index in range(7)]
    assert peak < 16_000_000


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        ({"additionalProperties": False}, json.dumps(dict.fromkeys(map(str, range(100_000))))),
        ({"required": [f"r{index}" for index in range(20_000)]}, json.dumps({"a": "x" * 1_000_000})),
        ({"propertyNames": {"maxLength": 1}}, json.dumps({f"n{index}": 1 for index in range(50_000)})),
        ({"items": {"anyOf": [{"minimum": 1}, {"maximum": -1}]}}, json.dumps([0] * 50_000)),
        ({"items": False}, json.dumps([0] * 50_000)),
        ({"patternProperties": {"": {"type": "null"}}}, json.dumps({f"n{index}": 1 for index in range(50_000)})),
    ],
)
def test_every_keyword_stops_at_the_limit(schema: dict[str, Any], payload: str) -> None:
    assert len(read({"$schema": MODERN, **schema}, payload, 10)) == 10


def test_a_fault_behind_too_much_to_search_is_still_a_refusal() -> None:
    found = read({"items": {"type": "integer", "not": {"const": 7}}}, json.dumps([1] * 150_000 + ["x"]))
    assert kinds(found) == ["COMBINATION_FAILED"]
    assert found[0].path == ""


def test_what_was_certain_is_told_though_the_search_did_not_end() -> None:
    found = read({"items": {"not": {"const": 7}, "type": "integer"}}, json.dumps(["x"] + [1] * 150_000))
    assert [(violation.kind.value, violation.path) for violation in found] == [("TYPE_MISMATCH", "/0")]


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*a){12}$"])
def test_patterns_that_double_run_in_linear_time(pattern: str) -> None:
    assert kinds(read({"pattern": pattern}, json.dumps("a" * 50_000 + "!"))) == ["PATTERN_MISMATCH"]


@pytest.mark.parametrize("pattern", ["(?<!x)(a|aa)+$", "^(?=(a+)+$)b", r"(.*)*\1x"])
def test_patterns_that_go_back_give_up(pattern: str) -> None:
    schema = {"properties": {"p": {"pattern": pattern}, "q": {"patternProperties": {pattern: {}}}}}
    assert kinds(read(schema, json.dumps({"p": "a" * 5_000 + "!"}))) == ["PATTERN_MISMATCH"]
    assert kinds(read(schema, json.dumps({"p": "a" * 1_000_000 + "!"}))) == ["PATTERN_MISMATCH"]
    assert read(schema, json.dumps({"other": "a" * 1_000_000, "q": {"z": 1}})) == ()


def test_a_pattern_beyond_every_engine_matches_nothing() -> None:
    for pattern in ("a" * 30_000, "(a{1000}){1000}"):
        assert kinds(read({"pattern": pattern}, '"a"')) == ["PATTERN_MISMATCH"]
        assert read({"pattern": pattern}, "1") == ()


def test_a_schema_of_very_many_patterns_is_searched() -> None:
    schema = {"patternProperties": {f"^p{index}$": {"type": "string"} for index in range(2_100)}}
    assert kinds(read(schema, '{"p7": 1, "p8": "x"}')) == ["TYPE_MISMATCH"]


def test_an_enum_of_very_many_symbols_is_not_copied_for_each_fault() -> None:
    ready = payloads({"items": {"enum": [f"s{index}" for index in range(200_000)]}})
    tracemalloc.start()
    found = ready.read(Encoding.JSON, json.dumps(["x"] * 100).encode()).violations
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 100
    assert peak < 1_000_000


def test_a_schema_of_very_many_parts_is_searched() -> None:
    schema = {"properties": {f"f{index}": {"type": "string"} for index in range(30_000)}}
    assert read(schema, '{"f29999": "x"}') == ()
    assert kinds(read(schema, '{"f29999": 1}')) == ["TYPE_MISMATCH"]


def fan(levels: int, keyword: str = "allOf") -> dict[str, Any]:
    parts: dict[str, Any] = {
        f"d{level}": {keyword: [{"$ref": f"#/definitions/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {"definitions": {**parts, f"d{levels}": {"type": "string"}}, "$ref": "#/definitions/d0"}


def test_a_fan_of_references_is_searched_once() -> None:
    ready = payloads(fan(60))
    assert ready.read(Encoding.JSON, b'"x"').violations == ()
    assert kinds(ready.read(Encoding.JSON, b"1", 0).violations) == ["TYPE_MISMATCH"]
    assert ready.shape.kind == "STRING"
    assert read(fan(60, "anyOf"), '"x"') == ()
    assert kinds(read(fan(60, "anyOf"), "1")) == ["COMBINATION_FAILED"]


def test_a_fan_through_items_is_searched_once() -> None:
    level: Any = {"type": "string"}
    definitions = {"d40": level}
    for index in range(40):
        definitions[f"d{index}"] = {"allOf": [{"items": {"$ref": f"#/definitions/d{index + 1}"}}] * 2}
    schema = {"definitions": definitions, "$ref": "#/definitions/d0"}
    assert read(schema, nested(40, '"x"')) == ()
    assert kinds(read(schema, nested(40, "1"))) == ["TYPE_MISMATCH"]


def test_a_tree_that_doubles_at_every_turn_is_searched_once() -> None:
    below = {"items": {"$ref": "#"}}
    assert kinds(read({"type": "array", "allOf": [below, below]}, nested(99, "1"))) == ["TYPE_MISMATCH"]
    branches = [{**below, "type": "array", "maxItems": 0}, {**below, "type": "array"}]
    assert kinds(read({"anyOf": branches}, nested(99, "1"))) == ["COMBINATION_FAILED"]


def test_circles_end() -> None:
    circle = {"definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"allOf": [{"$ref": "#/definitions/a"}]}}}
    schema = {**circle, "properties": {"x": {"$ref": "#/definitions/a"}, "y": {"type": "string"}}}
    assert kinds(read(schema, '{"x": 1, "y": 1}')) == ["TYPE_MISMATCH"]
    modern = {
        "$schema": MODERN,
        "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"properties": {"k": {}}}]}},
        "$ref": "#/$defs/a",
        "unevaluatedProperties": False,
    }
    assert kinds(read(modern, '{"k": 1, "z": 1}')) == ["FIELD_UNKNOWN"]


def test_a_chain_of_references_is_followed() -> None:
    chain: dict[str, Any] = {f"d{index}": {"$ref": f"#/definitions/d{index + 1}"} for index in range(3_000)}
    chain["d3000"] = {"type": "string"}
    schema = {"definitions": chain, "properties": {"a": {"$ref": "#/definitions/d0"}}}
    assert read(schema, '{"a": "x"}') == ()
    assert kinds(read(schema, '{"a": 1}')) == ["TYPE_MISMATCH"]


def test_a_chain_of_combinations_that_is_too_long_is_refused_not_followed() -> None:
    chain: dict[str, Any] = {
        f"d{index}": {"anyOf": [{"$ref": f"#/definitions/d{index + 1}"}]} for index in range(3_000)
    }
    chain["d3000"] = {"type": "string"}
    schema = {"definitions": chain, "properties": {"a": {"$ref": "#/definitions/d0"}}}
    assert kinds(read(schema, '{"a": "x"}')) == ["COMBINATION_FAILED"]
    assert payloads(schema).shape.fields["a"].shape.kind == "ANY"


def test_threads_share_one_reader() -> None:
    ready = payloads({"properties": {f"f{index}": {"type": "string", "pattern": "^a"} for index in range(50)}})
    data = json.dumps({f"f{index}": "b" for index in range(50)}).encode()
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(len(ready.read(Encoding.JSON, data).violations)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [50] * 8
