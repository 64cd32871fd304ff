from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import UNSET

from llm_schema_registry.contracts.fields import (
    FieldPaths,
    FieldTags,
    Spot,
    branches_of,
    name_matcher,
)
from llm_schema_registry.contracts.text_formats import MAX_PATTERN
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind, walk_fields
from llm_schema_registry.model import Metadata

DATA = Path(__file__).resolve().parents[2] / "data" / "contracts"

TEXT = Shape(ShapeKind.STRING)


def record(name: str, is_open: bool = False, **fields: Shape) -> Shape:
    shape = Shape(ShapeKind.RECORD, name, is_open=is_open)
    shape.fields = {key: ShapeField(key, f"{name}.{key}", part) for key, part in fields.items()}
    return shape


def array(items: Shape) -> Shape:
    return Shape(ShapeKind.ARRAY, items=items)


def mapping(items: Shape) -> Shape:
    return Shape(ShapeKind.MAP, items=items)


def either(*branches: Shape) -> Shape:
    return Shape(ShapeKind.COMBINED, branches=branches)


def found(shape: Shape, value: object, name: str = "x") -> list[tuple[str, object]]:
    paths = FieldPaths(shape, lambda field: field.name == name)
    return [(spot.path, spot.value) for spot in paths.visit(value)]


@pytest.mark.parametrize("case", json.loads((DATA / "names.json").read_text()), ids=lambda case: case["pattern"])
def test_a_pattern_means_names(case: dict[str, object]) -> None:
    assert name_matcher(str(case["pattern"]))(str(case["name"])) is case["meant"]


def test_a_hostile_pattern_takes_linear_time_or_means_nothing() -> None:
    assert not name_matcher("*a" * 150)("a" * 100_000 + "b")
    assert not name_matcher("*" + "a" * MAX_PATTERN)("a" * MAX_PATTERN)


def test_tags_come_from_the_text_and_from_metadata() -> None:
    field = ShapeField("x", "a.B.x", TEXT, tags=("INLINE",))
    tags = FieldTags(Metadata(tags={"a.B.x": ["PII"], "**.x": ["SECRET"], "a.B.y": ["OTHER"]}))
    assert tags.of(field) == {"INLINE", "PII", "SECRET"}
    assert FieldTags(None).of(field) == {"INLINE"}
    assert FieldTags(Metadata()).of(field) == {"INLINE"}


def test_every_field_of_a_circle_is_walked_once() -> None:
    node = record("Node", x=TEXT)
    node.fields["next"] = ShapeField("next", "Node.next", either(node, array(mapping(node))))
    assert [field.name for field in walk_fields(node)] == ["x", "next"]


def test_the_fields_of_two_shapes_of_one_record_are_walked_once() -> None:
    one = record("One", x=TEXT)
    nullable = Shape(ShapeKind.RECORD, "One", is_nullable=True, fields=one.fields)
    assert [field.name for field in walk_fields(record("Top", a=one, b=nullable))] == ["a", "b", "x"]


def test_wanted_fields_are_visited_wherever_they_are() -> None:
    inner = record("In", x=TEXT, y=TEXT)
    shape = record("Out", x=TEXT, one=inner, many=array(inner), named=mapping(inner), none=record("None", z=TEXT))
    value = {
        "x": "0",
        "one": {"x": "1"},
        "many": [{"x": "2"}, {"y": "no"}],
        "named": {"a/b~": {"x": "3"}},
        "none": {"z": ""},
    }
    assert found(shape, value) == [
        ("/x", "0"),
        ("/one/x", "1"),
        ("/many/0/x", "2"),
        ("/many/1/x", UNSET),
        ("/named/a~1b~0/x", "3"),
    ]
    assert found(shape, {"one": None, "many": "not a list", "named": 3}) == [("/x", UNSET)]
    assert found(shape, "not a record") == []
    assert FieldPaths(shape, lambda field: field.name == "w").is_empty
    assert not FieldPaths(shape, lambda field: field.name == "z").is_empty


def test_a_circle_is_followed_as_deep_as_the_value() -> None:
    node = record("Node", x=TEXT)
    node.fields["next"] = ShapeField("next", "Node.next", node)
    assert found(node, {"x": "1", "next": {"x": "2", "next": None}}) == [("/x", "1"), ("/next/x", "2")]


def test_a_value_takes_the_branch_that_knows_most_of_it() -> None:
    one, other = record("One", is_open=True, x=TEXT), record("Other", is_open=True, y=TEXT, z=TEXT)
    both = either(mapping(TEXT), TEXT, one, other)
    assert list(branches_of(both, {"x": 1})) == [one]
    assert list(branches_of(both, {"y": 1, "q": 1})) == [other]
    assert list(branches_of(both, {"x": 1, "y": 1})) == [one]
    assert list(branches_of(both, {"x": 1, "y": 1, "z": 1})) == [other]
    assert [branch.kind for branch in branches_of(both, {"q": 1})] == [ShapeKind.MAP]


def test_a_value_takes_the_first_of_equal_branches() -> None:
    strict, loose = record("Strict", x=TEXT), record("Loose", is_open=True, x=TEXT)
    strict.fields["x"].is_required = True
    circle = either()
    circle.branches = (TEXT, strict, circle, either(circle, array(strict)), mapping(strict), loose)
    assert list(branches_of(circle, {"x": 1})) == [strict]
    assert [branch.kind for branch in branches_of(circle, {"y": 1})] == [ShapeKind.MAP]
    assert [branch.kind for branch in branches_of(circle, [])] == [ShapeKind.ARRAY]
    assert list(branches_of(circle, "text")) == []
    assert list(branches_of(either(strict, loose), {"y": 1})) == [loose]
    assert list(branches_of(either(strict), {"y": 1})) == []
    assert found(circle, [{"x": 1}]) == [("/0/x", 1)]
    assert found(circle, {"k": {"x": 1}}) == [("/k/x", 1)]


def replaced(shape: Shape, value: object, absent: bool = False) -> object:
    def change(spot: Spot) -> object:
        if spot.value is UNSET:
            return UNSET if spot.path.endswith("keep/x") else "new"
        return f"{spot.value}!"

    return FieldPaths(shape, lambda field: field.name == "x").replace(value, change, absent=absent)


def test_wanted_fields_are_replaced_and_the_rest_is_shared() -> None:
    inner = record("In", x=TEXT, y=TEXT)
    other = {"z": "same"}
    shape = record(
        "Out",
        one=inner,
        many=array(inner),
        named=mapping(inner),
        either=either(array(inner), inner),
        keep=inner,
        other=record("Other", z=TEXT),
    )
    value = {
        "one": {"x": "1", "y": "y"},
        "many": [{"x": "2"}, {"y": "y"}],
        "named": {"k": {"x": "3"}},
        "either": {"x": "4"},
        "keep": {},
        "other": other,
        "unknown": 1,
    }
    before = json.dumps(value)
    result = replaced(shape, value)
    assert result == {
        "one": {"x": "1!", "y": "y"},
        "many": [{"x": "2!"}, {"y": "y"}],
        "named": {"k": {"x": "3!"}},
        "either": {"x": "4!"},
        "keep": {},
        "other": {"z": "same"},
        "unknown": 1,
    }
    assert isinstance(result, dict)
    assert result["other"] is other
    assert json.dumps(value) == before
    filled = replaced(shape, value, absent=True)
    assert isinstance(filled, dict)
    assert filled["many"] == [{"x": "2!"}, {"x": "new", "y": "y"}]
    assert filled["keep"] == {}
    assert replaced(shape, {"one": None, "many": 1, "either": "text"}) == {"one": None, "many": 1, "either": "text"}


def test_what_leads_to_no_wanted_field_is_left_alone() -> None:
    value = {"y": {"deep": [1]}}
    for shape in (record("Other", y=TEXT), either(record("Other", y=TEXT), record("Wanted", x=TEXT))):
        assert found(shape, value) == []
        assert replaced(shape, value) is value


def test_a_field_that_holds_itself_is_replaced_inside_first() -> None:
    node = record("Node")
    node.fields["x"] = ShapeField("x", "Node.x", node)
    assert replaced(node, {"x": {"x": "1"}}) == {"x": "{'x': '1!'}!"}
    assert replaced(node, {}, absent=True) == {"x": "new"}
