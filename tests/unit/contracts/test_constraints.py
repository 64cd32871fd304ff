from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contract_values import plain, record, shape_of
from llm_schema_registry.contracts.constraints.constraints import (
    MAX_CONSTRAINTS,
    MAX_MEANT,
    MAX_WILDCARDS,
    PREFIX,
    Constraints,
    compile_constraints,
)
from llm_schema_registry.contracts.constraints.terms import MAX_PATTERNS
from llm_schema_registry.errors import InvalidConstraint
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind
from llm_schema_registry.model import Metadata, Violation, ViolationKind, ViolationSource

DATA = Path(__file__).resolve().parents[2] / "data" / "contracts"


def compiled(shape: Shape, **given: dict[str, Any]) -> Constraints:
    """Constraints on top-level fields of the record `top`."""
    return compile_constraints(properties({f"top.{name}": terms for name, terms in given.items()}), shape)


def properties(given: dict[str, Any]) -> Metadata:
    return Metadata(properties={f"{PREFIX}{path}": json.dumps(terms) for path, terms in given.items()})


@pytest.mark.parametrize("case", json.loads((DATA / "constraints.json").read_text()), ids=lambda case: case["about"])
def test_values_are_held_against_a_constraint(case: dict[str, Any]) -> None:
    constraints = compiled(record(x=case["field"]), x=case["constraint"])
    for value in case["good"]:
        assert constraints.check({"x": plain(value)}) == [], value
    for kind, values in case["bad"].items():
        for value in values:
            found = constraints.check({"x": plain(value)})
            assert {violation.kind for violation in found} == {ViolationKind(kind)}, value


@pytest.mark.parametrize(
    "case", json.loads((DATA / "constraints_refused.json").read_text()), ids=lambda case: case["about"]
)
def test_a_constraint_that_makes_no_sense_is_refused(case: dict[str, Any]) -> None:
    text = case.get("text") or json.dumps(plain(case["constraint"]))
    metadata = Metadata(properties={f"{PREFIX}{case.get('path', 'top.x')}": text})
    with pytest.raises(InvalidConstraint) as refused:
        compile_constraints(metadata, record(x=case.get("field", "INT")))
    assert case["message"] in str(refused.value)
    assert str(refused.value).startswith(f"{PREFIX}{case.get('path', 'top.x')}: ")


def test_a_violation_says_where_and_why() -> None:
    constraints = compiled(record(x={"kind": "MAP", "items": {"kind": "ARRAY", "items": "INT"}}), x={"minimum": 1})
    assert constraints.check({"x": {"a/b": [1, 0]}}) == [
        Violation(
            kind=ViolationKind.OUT_OF_RANGE,
            path="/x/a~1b/1",
            message="Field 'top.x' must be at least 1, but is 0",
            expected="at least 1",
            found="0",
            schema_path="/fields/x",
            source=ViolationSource.CONSTRAINT,
        )
    ]


def test_a_missing_value_is_told_from_null() -> None:
    constraints = compiled(record(x={"kind": "INT", "nullable": True}), x={"nullable": False})
    missing, null = constraints.check({}) + constraints.check({"x": None})
    assert (missing.kind, missing.found, missing.path) == (ViolationKind.FIELD_MISSING, "nothing", "/x")
    assert (null.kind, null.found, null.path) == (ViolationKind.NOT_NULLABLE, "null", "/x")
    assert missing.source is null.source is ViolationSource.CONSTRAINT


def test_as_many_violations_as_are_asked_for() -> None:
    constraints = compiled(record(x={"kind": "ARRAY", "items": "INT"}), x={"minimum": 1})
    assert len(constraints.check({"x": [0] * 1000})) == 100
    assert len(constraints.check({"x": [0] * 1000}, limit=7)) == 7


def test_no_constraints_ask_nothing() -> None:
    value = {"x": 1}
    for metadata in (None, Metadata(), Metadata(properties={"owner": "me"})):
        constraints = compile_constraints(metadata, record(x="INT"))
        assert constraints.is_empty
        assert constraints.check(value) == []
        assert constraints.fill(value) is value


def test_wildcards_mean_fields_of_every_record() -> None:
    shape = record(x="INT", inner={"kind": "RECORD", "fields": {"x": "LONG", "y": "INT"}})
    constraints = compile_constraints(properties({"**.x": {"minimum": 1}, "top.?": {"maximum": 9}}), shape)
    assert not constraints.is_empty
    found = constraints.check({"x": 10, "inner": {"x": 0, "y": 0}})
    assert [(violation.path, violation.expected) for violation in found] == [
        ("/x", "at most 9"),
        ("/inner/x", "at least 1"),
    ]


def test_wildcards_may_not_mean_a_field_that_the_constraint_cannot_fit() -> None:
    with pytest.raises(InvalidConstraint, match=r"`minimum` of field 'top\.y' is for .* but the field is string"):
        compile_constraints(properties({"top.*": {"minimum": 1}}), record(x="INT", y="STRING"))


def test_fields_are_found_in_circles() -> None:
    node = Shape(ShapeKind.RECORD, "top")
    node.fields = {
        "x": ShapeField("x", "top.x", shape_of("INT")),
        "next": ShapeField("next", "top.next", node),
        "list": ShapeField("list", "top.list", Shape(ShapeKind.ARRAY)),
    }
    node.fields["list"].shape.items = node.fields["list"].shape
    constraints = compiled(node, x={"minimum": 1}, list={"nullable": False})
    found = constraints.check({"x": 1, "list": [[[]]], "next": {"x": 0, "list": []}})
    assert [violation.path for violation in found] == ["/next/x"]
    either = Shape(ShapeKind.COMBINED)
    either.branches = (either, shape_of("STRING"))
    node.fields["x"] = ShapeField("x", "top.x", either)
    assert compiled(node, x={"maxLength": 1}).check({"x": "ab"})


def test_defaults_stand_in_for_what_is_absent_or_null() -> None:
    shape = record(
        a={"kind": "STRING", "nullable": True},
        b="INT",
        c={"kind": "BYTES", "logical": "DECIMAL"},
        d="DOUBLE",
        e="BOOLEAN",
        f={"kind": "COMBINED", "branches": [{"kind": "BYTES", "logical": "DECIMAL"}]},
        g="ANY",
        h="FLOAT",
        inner={"kind": "RECORD", "fields": {"x": {"kind": "STRING", "nullable": True}}},
    )
    constraints = compile_constraints(
        properties(
            {
                "top.a": {"default": "a"},
                "top.b": {"default": 2},
                "top.c": {"default": "0.50"},
                "top.d": {"default": 1},
                "top.e": {"default": False},
                "top.f": {"default": 3},
                "top.g": {"default": 1.5},
                "top.h": {"default": 0.5},
                "top.inner.x": {"default": "x", "nullable": False},
            }
        ),
        shape,
    )
    value = {"a": None, "c": Decimal(1), "inner": {"x": None}}
    filled = constraints.fill(value)
    assert filled == {
        "a": "a",
        "b": 2,
        "c": Decimal(1),
        "d": 1.0,
        "e": False,
        "f": Decimal(3),
        "g": 1.5,
        "h": 0.5,
        "inner": {"x": "x"},
    }
    assert isinstance(filled, dict)
    assert [type(filled[name]) for name in "dfgh"] == [float, Decimal, float, float]
    assert value == {"a": None, "c": Decimal(1), "inner": {"x": None}}
    assert constraints.check(value) == []
    assert constraints.fill(filled) == filled
    assert constraints.fill("no record") == "no record"
    assert compiled(shape, c={"default": "0.50"}).fill({}) == {"c": Decimal("0.50")}


def test_the_constraints_of_a_field_work_together() -> None:
    shape = record(x={"kind": "INT", "nullable": True})
    both = compile_constraints(
        properties({"top.x": {"minimum": 1, "default": 3}, "top.*": {"nullable": False, "default": 3}}), shape
    )
    assert both.check({"x": None}) == []
    assert both.fill({}) == {"x": 3}
    for other in ({"default": 4}, {"minimum": 5}):
        with pytest.raises(InvalidConstraint, match=r"constraints:top\.\w: `default` 3 |`default` 4 .* keep one"):
            compile_constraints(properties({"top.x": {"default": 3}, "top.?": other}), shape)


def test_the_number_of_constraints_is_bounded() -> None:
    shape = record(x="INT")
    for path, count in (("top.x{}", MAX_CONSTRAINTS), ("*{}", MAX_WILDCARDS)):
        given = {path.format(number): {"minimum": 1} for number in range(count + 1)}
        with pytest.raises(InvalidConstraint, match=f"{count + 1} .* at most {count} may"):
            compile_constraints(properties(given), shape)


def test_the_fields_that_constraints_mean_are_bounded() -> None:
    shape = record(**{f"x{number}": "INT" for number in range(MAX_MEANT // 10)})
    given = {"top.x" + "*" * (number + 1): {"minimum": 1} for number in range(11)}
    with pytest.raises(InvalidConstraint, match=f"mean {MAX_MEANT + MAX_MEANT // 10} fields, at most {MAX_MEANT} may"):
        compile_constraints(properties(given), shape)


def test_patterns_are_compiled_once_and_bounded() -> None:
    shape = record(**{f"x{number}": "STRING" for number in range(MAX_PATTERNS + 1)})
    given = {f"top.x{number}": {"pattern": f"^{number % MAX_PATTERNS}$"} for number in range(MAX_PATTERNS + 1)}
    assert compile_constraints(properties(given), shape).check({"x0": "0", f"x{MAX_PATTERNS}": "0"}) == []
    given["top.x0"] = {"pattern": "other"}
    with pytest.raises(InvalidConstraint, match=f"is one too many: .* at most {MAX_PATTERNS} patterns"):
        compile_constraints(properties(given), shape)


def test_a_schema_without_fields_takes_no_constraint() -> None:
    with pytest.raises(InvalidConstraint, match=r"take one of its own$"):
        compile_constraints(properties({"x": {"minimum": 1}}), shape_of("STRING"))


def test_nesting_without_end_in_a_constraint_is_refused() -> None:
    metadata = Metadata(properties={f"{PREFIX}top.x": '{"enum":' + "[" * 19_000})
    with pytest.raises(InvalidConstraint, match="this is no JSON"):
        compile_constraints(metadata, record(x="INT"))


def test_the_integers_of_json_do_not_end() -> None:
    shape = Shape(ShapeKind.RECORD)
    shape.fields = {"x": ShapeField("x", "$.x", shape_of("INT"))}
    constraints = compile_constraints(properties({"$.x": {"minimum": 2**63, "default": 2**64}}), shape)
    assert constraints.fill({}) == {"x": 2**64}
    assert constraints.check({"x": 2**63}) == []
    assert len(constraints.check({"x": 2**63 - 1})) == 1


PROTO = """
syntax = "proto3";
enum Kind { NONE = 0; CHAT = 3; }
message Event {
  Kind kind = 1;
  repeated Kind kinds = 2;
  map<string, Kind> by_name = 3;
  oneof which { int32 first = 4; string second = 5; }
  oneof alone { int32 only = 6; }
  optional int32 present = 7;
  Event inner = 8;
}
"""


def test_enums_of_protobuf_are_named_or_numbered() -> None:
    shape = protobuf_shape()
    names = {"enum": ["CHAT"]}
    constraints = compile_constraints(
        properties({"Event.kind": {**names, "default": "CHAT"}, "Event.kinds": names, "Event.by_name": {"enum": [3]}}),
        shape,
    )
    assert constraints.check({"kind": 3, "kinds": [3], "by_name": {"a": 3}}) == []
    found = constraints.check({"kind": 0, "kinds": [3, 0], "by_name": {"a": 0}, "inner": {"kind": 0}})
    assert [(violation.path, violation.kind) for violation in found] == [
        (path, ViolationKind.VALUE_NOT_ALLOWED) for path in ("/kind", "/kinds/1", "/byName/a", "/inner/kind")
    ]
    assert found[0].message == "Field 'Event.kind' must be one of \"CHAT\", but is 0"
    assert constraints.fill({"inner": {}}) == {"kind": 3, "inner": {"kind": 3}}


@pytest.mark.parametrize(
    ("field", "terms", "message"),
    [
        ("kind", {"enum": ["OTHER"]}, 'has "OTHER", but the field is one of NONE, CHAT'),
        ("kinds", {"enum": [1]}, "has 1, but the field is one of NONE, CHAT"),
        ("kind", {"pattern": "C"}, "`pattern` of field 'Event.kind' is for string, but the field is integer or number"),
        ("first", {"default": 1}, "would take the place of another field of its `oneof`"),
    ],
)
def test_what_protobuf_cannot_hold_is_refused(field: str, terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConstraint) as refused:
        compile_constraints(properties({f"Event.{field}": terms}), protobuf_shape())
    assert message in str(refused.value)


def test_what_excludes_no_other_field_may_have_a_default() -> None:
    given = {"Event.only": {"default": 1}, "Event.present": {"default": 2}}
    assert compile_constraints(properties(given), protobuf_shape()).fill({}) == {"only": 1, "present": 2}


def protobuf_shape() -> Shape:
    fmt = FORMATS["PROTOBUF"]
    return fmt.payloads(fmt.parse(PROTO)).shape
