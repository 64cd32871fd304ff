from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from contract_values import MOMENT, record, shape_of
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.sensitive.masking import (
    CUT,
    MASK,
    MAX_BYTES,
    MAX_TEXT,
    Masker,
    hide,
    mask_keys,
    mask_pii,
)
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind
from llm_schema_registry.model import Metadata, Violation, ViolationKind

SECRET = {"kind": "STRING", "tags": ["PII"]}
INNER: dict[str, Any] = {"kind": "RECORD", "fields": {"a": "STRING", "b": SECRET}}


def masked(shape: Shape, value: object, metadata: Metadata | None = None) -> object:
    return Masker(shape, FieldTags(metadata)).mask(value)


def test_sensitive_fields_are_masked_wherever_they_are() -> None:
    shape = record(
        a="STRING",
        b=SECRET,
        number={"kind": "INT", "tags": ["SECRET"]},
        hidden={"kind": "RECORD", "tags": ["PHI"], "fields": {"a": "STRING"}},
        inner=INNER,
        many={"kind": "ARRAY", "items": INNER},
        named={"kind": "MAP", "items": INNER},
        either={"kind": "COMBINED", "branches": ["STRING", INNER, {"kind": "MAP", "items": "STRING"}]},
        any="ANY",
        meta="STRING",
        nothing=SECRET,
    )
    value = {
        "a": "a",
        "b": "b",
        "number": 7,
        "hidden": {"a": "a", "x": [1]},
        "inner": {"a": "a", "b": "b"},
        "many": [{"a": "a", "b": "b"}],
        "named": {"k": {"a": "a", "b": "b"}},
        "either": {"a": "a", "b": "b"},
        "any": [{"x": [1]}],
        "meta": "m",
        "nothing": None,
    }
    assert masked(shape, value, Metadata(tags={"top.meta": ["CREDENTIAL"]})) == {
        "a": "a",
        "b": MASK,
        "number": MASK,
        "hidden": MASK,
        "inner": {"a": "a", "b": MASK},
        "many": [{"a": "a", "b": MASK}],
        "named": {"k": {"a": "a", "b": MASK}},
        "either": {"a": "a", "b": MASK},
        "any": [{"x": [1]}],
        "meta": MASK,
        "nothing": None,
    }
    assert value["b"] == "b"


def test_what_the_schema_does_not_know_is_masked_where_something_is_sensitive() -> None:
    shape = record(a="STRING", b=SECRET)
    assert masked(shape, {"bb": "b", "a": {"b": "b"}}) == {"bb": MASK, "a": {"b": MASK}}
    assert masked(shape, {"a": ["b", None]}) == {"a": [MASK, None]}
    assert masked(record(a="STRING"), {"bb": "b", "a": {"b": ["b"]}}) == {"bb": "b", "a": {"b": ["b"]}}
    assert masked(shape, ["b"]) == [MASK]


def test_a_circle_is_masked_as_deep_as_the_value() -> None:
    node = record(b=SECRET)
    either = Shape(ShapeKind.COMBINED)
    either.branches = (node, either, Shape(ShapeKind.ARRAY, items=either))
    node.fields["next"] = ShapeField("next", "top.next", either)
    assert masked(node, {"b": "b", "next": [{"b": "b", "next": {"b": "b"}}]}) == {
        "b": MASK,
        "next": [{"b": MASK, "next": {"b": MASK}}],
    }


def test_plain_values_become_json_and_long_ones_are_cut() -> None:
    value = {
        "moment": MOMENT,
        "decimal": Decimal("1.50"),
        "bytes": b"\x00" * 10_000,
        "text": "ä" * (MAX_TEXT + 1),
        "whole": "ä" * MAX_TEXT,
        "huge": 2**100_000,
        "nan": float("nan"),
        "wait": timedelta(seconds=1),
        "k" * 300: 1,
    }
    result = masked(shape_of("ANY"), value)
    assert isinstance(result, dict)
    assert result["moment"] == "2026-01-02T03:04:05.678000Z"
    assert result["decimal"] == "1.50"
    assert result["bytes"] == "A" * MAX_TEXT + CUT
    assert result["text"] == "ä" * MAX_TEXT + CUT
    assert result["whole"] == "ä" * MAX_TEXT
    assert result["huge"] == "0x1" + "0" * (MAX_TEXT - 3) + CUT
    assert result["nan"] == "NaN"
    assert result["wait"] == "1s"
    assert result["k" * MAX_TEXT + CUT] == 1


def deep(value: object, levels: int) -> object:
    for level in range(levels):
        value = [value, *range(5)] if level % 2 else {"k" * 10: value, "\x00" * 10: 1}
    return value


@pytest.mark.parametrize(
    "value",
    [
        ["\x00" * 1000] * 10_000,
        {f"\x01{'ä' * 300}{number}": "\x00" * 1000 for number in range(1000)},
        list(range(100_000)),
        [[]] * 100_000,
        [{}] * 100_000,
        [True] * 100_000,
        [2**63] * 100_000,
        [b"\xff" * 10_000] * 1000,
        deep("x", 99),
        deep(["\x00" * 1000] * 1000, 98),
        deep([{"\x00" * 300: "\x00" * 300}] * 5, 97),
        "x" * 10_000_000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_masked_value_is_small(value: object) -> None:
    for shape in (shape_of("ANY"), record(b=SECRET)):
        result = masked(shape, value)
        assert len(json.dumps(result, separators=(",", ":"))) <= MAX_BYTES
        assert len(msgspec.json.encode(result)) <= MAX_BYTES


def test_what_was_left_out_is_marked() -> None:
    result = masked(shape_of("ANY"), list(range(100_000)))
    assert isinstance(result, list)
    assert result[:3] == [0, 1, 2]
    assert result[-1] == CUT
    result = masked(shape_of("ANY"), {str(number): number for number in range(100_000)})
    assert isinstance(result, dict)
    assert result["0"] == 0
    assert result[CUT] == CUT


def violation(path: str, kind: ViolationKind = ViolationKind.OUT_OF_RANGE, rule: str = "") -> Violation:
    return Violation(kind, path, "it is hunter2", expected="else", found="hunter2", rule=rule)


@pytest.mark.parametrize(
    ("path", "is_hidden"),
    [
        ("/b", True),
        ("/inner/b", True),
        ("/inner", True),
        ("", True),
        ("/many/0/b", True),
        ("/many/0/a", False),
        ("/named/b/a", False),
        ("/named/x~1y/b", True),
        ("/a", False),
        ("/s~1l~0", False),
        ("/unknown", True),
        ("/a/unknown", True),
        ("/any/0/x/y", False),
    ],
)
def test_a_violation_does_not_tell_a_sensitive_value(path: str, is_hidden: bool) -> None:
    shape = record(
        **{
            "a": "STRING",
            "b": SECRET,
            "inner": INNER,
            "many": {"kind": "ARRAY", "items": INNER},
            "named": {"kind": "MAP", "items": INNER},
            "any": "ANY",
            "s/l~": "STRING",
        }
    )
    masker = Masker(shape, FieldTags(None))
    result = masker.mask_violation(violation(path))
    assert masker.mask_violation(violation(path)) == result
    if not is_hidden:
        assert result == violation(path)
        return
    assert result.message == f"The value at '{path}' is hidden, it is sensitive: OUT_OF_RANGE"
    assert (result.found, result.expected, result.path) == (MASK, "else", path)


@pytest.mark.parametrize("kind", [ViolationKind.TYPE_MISMATCH, ViolationKind.FIELD_MISSING])
def test_keys_inside_a_sensitive_field_are_not_told(kind: ViolationKind) -> None:
    shape = record(a="STRING", inner={"kind": "RECORD", "fields": {"b": SECRET}})
    told = Masker(shape, FieldTags(None)).mask_violation(violation("/inner/b/hunter2/0", kind))
    assert told.path == "/inner/b/***/***"
    assert told.message == f"The value at '/inner/b/***/***' is hidden, it is sensitive: {kind}"


@pytest.mark.parametrize(
    ("told", "path", "is_hidden"),
    [
        ("'ann@example.org'", "/a", True),
        ("the number 4111111111111111", "/a", True),
        ("'my number is 415 555 2…", "/a", True),
        ("'my number is 415 555 2", "/a", False),
        ("'ann", "/a", False),
        ("'ann...", "/a", False),
        ("", "/a", False),
        ("one", "/named/ann@example.org/b~1c", True),
    ],
)
def test_a_violation_does_not_tell_personal_data(told: str, path: str, is_hidden: bool) -> None:
    given = Violation(ViolationKind.TYPE_MISMATCH, path, f"{path} is {told}", expected="else", found=told)
    shown = mask_pii(given)
    if not is_hidden:
        assert shown == given
        return
    where = path.replace("ann@example.org", MASK)
    assert (shown.path, shown.found, shown.expected) == (where, MASK, "else")
    assert shown.message == f"The value at '{where}' is hidden, it is sensitive: TYPE_MISMATCH"


def test_what_was_found_is_told_as_it_was_covered() -> None:
    given = Violation(ViolationKind.PII_FOUND, "/a", "it seems to hold an address", found="***@*******.***")
    assert mask_pii(given) == given


def test_keys_with_personal_data_are_masked() -> None:
    given = {"a": [{"ann@example.org": 1, "b": {"c": None}}]}
    assert mask_keys(given) == {"a": [{MASK: 1, "b": {"c": None}}]}


def test_a_violation_that_tells_no_value_keeps_its_message() -> None:
    masker = Masker(record(b=SECRET), FieldTags(None))
    failed = masker.mask_violation(violation("/b", ViolationKind.RULE_FAILED, "mine"))
    assert (failed.message, failed.found) == ("it is hunter2", MASK)
    broken = masker.mask_violation(violation("/b", ViolationKind.RULE_ERROR, "mine"))
    assert broken.message == "The value at '/b' is hidden, it is sensitive: RULE_ERROR of the rule 'mine'"
    missing = Violation(ViolationKind.FIELD_MISSING, "/b", "it is missing")
    assert masker.mask_violation(missing) == missing


def test_without_sensitive_fields_a_violation_stays() -> None:
    assert Masker(record(a="STRING"), FieldTags(None)).mask_violation(violation("/x")) == violation("/x")


@pytest.mark.parametrize(
    ("value", "path", "hidden"),
    [
        ({"a": {"b/c": "x"}}, "/a/b~1c", {"a": {"b/c": MASK}}),
        ({"a": ["x", "y"]}, "/a/1", {"a": ["x", MASK]}),
        ("x", "", MASK),
        ({"a": MASK}, "/a/b", {"a": MASK}),
        ({"a": [CUT]}, "/a/7", {"a": [CUT]}),
        ({CUT: CUT}, "/a", {CUT: CUT}),
        ({"a": "x"}, "/b", MASK),
        ({"a": ["x"]}, "/a/x", MASK),
        ({"a": ["x"]}, "/a/7", MASK),
        ({"a": 1}, "/a/b", MASK),
    ],
)
def test_what_is_hidden_is_gone_and_what_cannot_be_found_is_gone_too(value: object, path: str, hidden: object) -> None:
    assert hide(value, path) == hidden
