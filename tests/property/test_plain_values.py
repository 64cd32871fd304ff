"""Laws of what judges plain values: nothing raises, whatever shape and value meet, and nothing sensitive is shown."""

from __future__ import annotations

import json
from datetime import UTC, date, time, timedelta
from decimal import Decimal

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_registry.contracts.constraints.constraints import PREFIX, compile_constraints
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.jsonable import shown, to_jsonable
from llm_schema_registry.contracts.sensitive.detectors import Detectors
from llm_schema_registry.contracts.sensitive.masking import MAX_BYTES, Masker
from llm_schema_registry.contracts.sensitive.policies import Policy, Protections, Requirement
from llm_schema_registry.errors import InvalidConstraint
from llm_schema_registry.formats.shape import Logical, Shape, ShapeField, ShapeKind, walk_fields
from llm_schema_registry.model import Metadata, Violation, ViolationKind

NAMES = ("a", "b", "c/d", "e~f")
SECRET = "Xanadu"
POLICIES = [Policy(kind, "", "PII", kind) for kind in Requirement]
CONSTRAINTS: list[dict[str, object]] = [
    {"minimum": 1, "maximum": "1.5", "precision": 3, "scale": 1},
    {"minLength": 1, "maxLength": 2},
    {"pattern": "a+", "format": "email"},
    {"enum": [1, 2.5], "type": ["integer", "number"]},
    {"enum": ["a", "A"], "default": "a"},
    {"type": ["string", "object", "bytes"], "nullable": False},
    {"default": 1, "nullable": False},
    {"nullable": False},
]

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**2000),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.sampled_from(["\ud800", "jane@example.com", "+14155552671", "4111111111111111", "****1234", "a" * 300]),
    st.binary(max_size=40),
    st.decimals(),
    st.sampled_from([Decimal("sNaN"), Decimal("-Infinity"), Decimal("1E+999999"), Decimal("1E-999999")]),
    st.datetimes(timezones=st.sampled_from([UTC, None])),
    st.sampled_from([date.min, time.max, timedelta.min, timedelta.max]),
    st.uuids(),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(), st.booleans()), inner, max_size=2),
    ),
    max_leaves=12,
)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Return a record with nested shapes, some of them circles."""
    made = [Shape(kind) for kind in ShapeKind]
    for _ in range(draw(st.integers(1, 8))):
        shape = Shape(draw(st.sampled_from([ShapeKind.RECORD, ShapeKind.ARRAY, ShapeKind.MAP, ShapeKind.COMBINED])))
        made.append(shape)
        parts = st.sampled_from(made)
        if shape.kind is ShapeKind.RECORD:
            fill(draw, shape, made)
        elif shape.kind is ShapeKind.COMBINED:
            shape.branches = tuple(draw(st.lists(parts, max_size=4)))
        else:
            shape.items = draw(parts)
    for shape in made[: len(ShapeKind)]:
        shape.logical = draw(st.sampled_from([None, None, *Logical]))
        shape.symbols = ("A", "B") if shape.kind is ShapeKind.ENUM else ()
    top = Shape(ShapeKind.RECORD, "top", is_open=draw(st.booleans()))
    fill(draw, top, [*made[len(ShapeKind) :], *made, top])
    return top


def fill(draw: st.DrawFn, shape: Shape, parts: list[Shape]) -> None:
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        shape.fields[name] = ShapeField(
            name,
            f"r{len(parts)}.{name}",
            draw(st.sampled_from(parts)),
            tags=draw(st.sampled_from([(), ("PII",)])),
            is_required=draw(st.booleans()),
        )


def value_of(draw: st.DrawFn, shape: Shape, depth: int = 0, *, is_secret: bool = False) -> object:
    """Return a value that fits a shape, with the secret in every text of sensitive fields and nowhere else."""
    match shape.kind:
        case ShapeKind.RECORD if depth < 6:
            return {
                field.name: value_of(draw, field.shape, depth + 1, is_secret=is_secret or "PII" in field.tags)
                for field in shape.fields.values()
                if draw(st.booleans())
            }
        case ShapeKind.ARRAY if depth < 6 and shape.items is not None:
            return [value_of(draw, shape.items, depth + 1, is_secret=is_secret)]
        case ShapeKind.MAP if depth < 6 and shape.items is not None:
            return {"key": value_of(draw, shape.items, depth + 1, is_secret=is_secret)}
        case ShapeKind.COMBINED if depth < 6 and shape.branches:
            branch = draw(st.sampled_from(shape.branches))
            return value_of(draw, branch, depth + 1, is_secret=is_secret)
        case _:
            return f"it is {SECRET}" if is_secret else draw(st.sampled_from([None, 1, "text"]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shapes(), VALUES, st.sampled_from(["", "/a", "/a/b", "/c~1d/0", "/e~0f/key"]))
def test_nothing_raises_on_any_value(shape: Shape, value: object, path: str) -> None:
    tags = FieldTags(Metadata(tags={"**.c/d": ["SECRET"]}))
    written = to_jsonable(value)
    assert msgspec.json.decode(msgspec.json.encode(written)) == written
    assert len(shown(value)) < 80
    for field in walk_fields(shape):
        for terms in CONSTRAINTS:
            metadata = Metadata(properties={f"{PREFIX}{field.full_name}": json.dumps(terms)})
            try:
                constraints = compile_constraints(metadata, shape)
            except InvalidConstraint:
                continue
            found = constraints.check(value, limit=3)
            assert len(found) <= 3
            filled = constraints.fill(value)
            assert to_jsonable(constraints.fill(filled)) == to_jsonable(filled)
    masker = Masker(shape, tags)
    assert len(json.dumps(masker.mask(value))) <= MAX_BYTES
    for violation in (
        *Protections(POLICIES, shape, tags).check(value),
        *Detectors(shape, tags).check(value),
        Violation(ViolationKind.TYPE_MISMATCH, path, "message"),
    ):
        shown_path = masker.mask_violation(violation).path.split("/")
        assert all(told in (token, "***") for told, token in zip(shown_path, violation.path.split("/"), strict=True))


@st.composite
def shapes_with_values(draw: st.DrawFn) -> tuple[Shape, object]:
    shape = draw(shapes())
    return shape, value_of(draw, shape)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shapes_with_values())
def test_nothing_sensitive_is_shown(given_: tuple[Shape, object]) -> None:
    shape, value = given_
    masker = Masker(shape, FieldTags(None))
    assert SECRET not in json.dumps(masker.mask(value))
    for path, text in secrets_in(value):
        told = masker.mask_violation(Violation(ViolationKind.OUT_OF_RANGE, path, text, found=text))
        assert SECRET not in told.message + told.found


def secrets_in(value: object, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        parts = [(f"{path}/{key.replace('~', '~0').replace('/', '~1')}", item) for key, item in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}/{index}", item) for index, item in enumerate(value)]
    else:
        return [(path, value)] if isinstance(value, str) and SECRET in value else []
    return [found for place, item in parts for found in secrets_in(item, place)]
