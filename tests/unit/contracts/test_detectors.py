from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contract_values import plain, record, shape_of
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.sensitive.detectors import MAX_ALL_TEXT, MAX_PARTS, MAX_TEXT, MAX_TEXTS, Detectors
from llm_schema_registry.contracts.sensitive.pii_shapes import MAX_CANDIDATES, PII_SHAPES, may_hold_pii
from llm_schema_registry.formats.shape import Shape
from llm_schema_registry.model import Metadata, ValidationLevel, Violation, ViolationKind, ViolationSource

DATA = Path(__file__).resolve().parents[2] / "data" / "pii"
FOUND = json.loads((DATA / "found.json").read_text(encoding="utf-8"))
NOT_FOUND = json.loads((DATA / "not_found.json").read_text(encoding="utf-8"))
EMAIL = "jane.doe@example.com"


def found(shape: Shape, value: object, metadata: Metadata | None = None) -> list[str]:
    return [violation.path for violation in Detectors(shape, FieldTags(metadata)).check(value)]


def messages(text: str) -> list[str]:
    return [violation.message for violation in Detectors(record(x="STRING"), FieldTags(None)).check({"x": text})]


def expected(what: str) -> str:
    return f"The text at '/x' seems to hold {what}; tag the field, mask it or leave it out"


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case["what"][0])
@pytest.mark.parametrize("context", ["{}", "Before that, we said: {}", '{{"text": "{}"}}', "{}\nand more text follows"])
def test_what_looks_like_personal_data_is_found(case: dict[str, Any], context: str) -> None:
    text = context.format(plain(case["text"]))
    assert sorted(messages(text)) == sorted(expected(what) for what in case["what"])


@pytest.mark.parametrize("context", ["{}", "We said {} to them."])
def test_ids_times_names_and_numbers_are_not(context: str) -> None:
    assert {text: messages(context.format(text)) for text in NOT_FOUND if messages(context.format(text))} == {}


def test_the_tables_are_large_and_name_every_shape() -> None:
    assert len(FOUND) >= 60
    assert len(NOT_FOUND) >= 60
    assert {what for case in FOUND for what in case["what"]} == {shape.name for shape in PII_SHAPES}


def test_a_finding_warns_without_what_it_found() -> None:
    shape = record(x={"kind": "MAP", "items": {"kind": "ARRAY", "items": "STRING"}})
    assert Detectors(shape, FieldTags(None)).check({"x": {"a/b": ["nothing", f"Write to {EMAIL}."]}}) == [
        Violation(
            kind=ViolationKind.PII_FOUND,
            path="/x/a~1b/1",
            message="The text at '/x/a~1b/1' seems to hold an e-mail address; tag the field, mask it or leave it out",
            expected="neither personal data nor secrets in a field without a tag",
            found="****.***@*******.***",
            schema_path="/fields/x",
            source=ViolationSource.SENSITIVITY,
            level=ValidationLevel.WARN,
        )
    ]


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case["what"][0])
def test_no_finding_tells_the_value(case: dict[str, Any]) -> None:
    for violation in Detectors(record(x="STRING"), FieldTags(None)).check({"x": plain(case["text"])}):
        assert not any(char.isalnum() for char in violation.found)
        assert len(violation.found) <= 40


def test_text_is_found_wherever_it_is_but_in_sensitive_fields() -> None:
    inner = {"kind": "RECORD", "fields": {"a": "STRING", "b": {"kind": "STRING", "tags": ["PII"]}}}
    shape = record(
        plain="STRING",
        tagged={"kind": "STRING", "tags": ["SECRET"]},
        other={"kind": "STRING", "tags": ["PUBLIC"]},
        hidden={"kind": "RECORD", "tags": ["PII"], "fields": {"a": "STRING"}},
        symbol={"kind": "ENUM", "symbols": [EMAIL]},
        inner=inner,
        either={"kind": "COMBINED", "branches": ["STRING", inner, {"kind": "ARRAY", "items": inner}]},
        any="ANY",
        meta="STRING",
        number="INT",
    )
    value = {
        "plain": EMAIL,
        "tagged": EMAIL,
        "other": EMAIL,
        "hidden": {"a": EMAIL},
        "symbol": EMAIL,
        "inner": {"a": EMAIL, "b": EMAIL},
        "either": [{"a": EMAIL, "b": EMAIL}],
        "any": [{"deep": {"er": EMAIL}}],
        "meta": EMAIL,
        "number": 1,
        "unknown": EMAIL,
        "short": "a@b.co",
    }
    assert found(shape, value, Metadata(tags={"top.meta": ["PHI"]})) == [
        "/plain",
        "/other",
        "/inner/a",
        "/either/0/a",
        "/any/0/deep/er",
        "/unknown",
    ]
    assert found(shape_of("STRING"), EMAIL) == [""]
    assert found(shape_of("INT"), 3) == []


def test_the_search_is_bounded() -> None:
    shape = record(x={"kind": "ARRAY", "items": "STRING"})
    assert found(shape, {"x": ["." * MAX_TEXT + EMAIL]}) == []
    assert found(shape, {"x": ["." * (MAX_TEXT - 100) + " " + EMAIL]}) == ["/x/0"]
    many = MAX_ALL_TEXT // MAX_TEXT
    assert found(shape, {"x": ["." * MAX_TEXT] * many + [EMAIL]}) == []
    assert found(shape, {"x": ["." * MAX_TEXT] * (many - 1) + [EMAIL]}) == [f"/x/{many - 1}"]
    assert found(shape, {"x": ["nothing"] * MAX_TEXTS + [EMAIL]}) == []
    assert found(shape, {"x": [[]] * MAX_PARTS + [EMAIL]}) == []
    assert found(shape, {"x": [[]] * (MAX_PARTS - 3) + [EMAIL]}) == [f"/x/{MAX_PARTS - 3}"]
    assert len(found(shape, {"x": [EMAIL] * MAX_TEXTS})) == 100
    assert len(Detectors(shape, FieldTags(None)).check({"x": [EMAIL] * 9}, limit=7)) == 7
    assert messages("a@b.png " * MAX_CANDIDATES + EMAIL) == []
    assert messages("a@b.png " * (MAX_CANDIDATES - 1) + EMAIL) == [expected("an e-mail address")]


HOSTILE = [
    "a", "a@", "a.", "a" * 64 + "@", "a@b.", "@", "1", "1 ", "1-", "(1) ", "+1 ", "+14155552671 ", "+1 415 555 267 ",
    "415-555-267", "411-111-1111 ", "4111 1111 1111 1112 ", "GB82 WEST 1234 5698 7654 33 ", "AA11", "AA11 ", "1.",
    "1.1.1.256 ", "2001:", "2001::1:", "::", "-----BEGIN ", "-----BEGIN A A A A ", "eyJ", "eyJaaaaaaaa.", "ghp_", "sk-",
    "sk-a ", "http://", "http://a:", "http://a:b ", "phone ", "phone 1 ", "tel ", "phone no ", "٣", "\ud800@", "\x00",
]  # fmt: skip
"""Pieces that, repeated, make each expression begin and fail as often as may be."""


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_repetition_takes_linear_time(piece: str) -> None:
    """One that went back would not end within the time of a test run: the text is as long as all that is searched."""
    shape = record(x={"kind": "ARRAY", "items": "STRING"})
    text = (piece * MAX_TEXT)[:MAX_TEXT]
    for ending in ("", "!", " 1234567"):
        found(shape, {"x": [text[: -len(ending) or None] + ending] * (MAX_ALL_TEXT // MAX_TEXT)})


@pytest.mark.parametrize(
    ("data", "is_suspicious"),
    [
        (b"", False),
        (b"@", False),
        (b"a @ b", False),
        (b"\0\2@\x91\1", False),
        (b"a@", False),
        (b"a@b", True),
        (b" @" * 63, False),
        (b" @" * 64, True),
        ("ä@ö".encode(), True),
        (b"x://u: (@h", False),
        (b"x://u:(p)@h", True),
        (b"a" * 1000, False),
        (b"12:30:59", False),
        (b"2001:db8::1", True),
        (b"1 2 3 4", True),
        (b"0af7651916cd43dd8448eb211c80319c", False),
        (b"0af7651916cd 5551234", True),
        (b"0af7651916 5551234", True),
        (b"phone7651916", True),
        (b"a7651916", True),
        (b"7651916cd", True),
        (b"ab1234567" * 64, True),
        (b"ab1234567" * 63, False),
        (b"1-2-3", False),
        (b"sk-", True),
    ],
)
def test_a_closer_look_is_taken_only_at_what_may_hold_something(data: bytes, is_suspicious: bool) -> None:
    assert may_hold_pii(data) == is_suspicious


def test_what_looks_suspicious_and_is_not_is_let_go_in_texts_of_any_length() -> None:
    model = "claude-sonnet-4-5-20250929"
    for more in ("", "x" * 20_000):
        shape = record(model="STRING", more="STRING", mail="STRING")
        assert found(shape, {"model": model, "more": more}) == []
        assert found(shape, {"model": model, "more": more, "mail": EMAIL}) == ["/mail"]
