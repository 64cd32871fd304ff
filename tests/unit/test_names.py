from __future__ import annotations

import pytest

from llm_schema_registry.errors import BadRequest, InvalidSubject, InvalidVersion
from llm_schema_registry.model import EVERYWHERE, LATEST, TOP_LEVEL, Subject
from llm_schema_registry.names import check_subject, parse_context, parse_subject, parse_version


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("orders-value", Subject(".", "orders-value")),
        (":.eu:orders", Subject(".eu", "orders")),
        (":.eu:a:b", Subject(".eu", "a:b")),
        (":.a.b:orders", Subject(".a.b", "orders")),
        (":.eu:", Subject(".eu", "")),
        (":.eu", Subject(".eu", "")),
        (":.:", TOP_LEVEL),
        ("", TOP_LEVEL),
        (":.__GLOBAL:", EVERYWHERE),
        (":plain", Subject(".", ":plain")),
        ("a/b é", Subject(".", "a/b é")),
    ],
)
def test_a_subject_is_split_at_its_context(text: str, subject: Subject) -> None:
    assert parse_subject(text) == subject


def test_an_unqualified_subject_belongs_to_the_context_around_it() -> None:
    assert parse_subject("orders", ".eu") == Subject(".eu", "orders")
    assert parse_subject(":.us:orders", ".eu") == Subject(".us", "orders")
    assert str(Subject(".eu", "orders")) == ":.eu:orders"
    assert str(Subject(".", "orders")) == "orders"


@pytest.mark.parametrize("text", ["eu", ".eu", ":.eu:"])
def test_a_context_is_normalised(text: str) -> None:
    assert parse_context(text) == ".eu"


def test_a_colon_inside_a_context_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse_context("e:u")


@pytest.mark.parametrize("name", ["a\x00", "a\n", "\x7f", "\x85", "__GLOBAL", "__EMPTY", "a" * 1025])
def test_some_names_may_not_be_written_to(name: str) -> None:
    with pytest.raises(InvalidSubject):
        check_subject(Subject(".", name))


def test_the_global_context_is_no_place_for_subjects() -> None:
    with pytest.raises(InvalidSubject):
        check_subject(Subject(".__GLOBAL", "a"))


@pytest.mark.parametrize(
    ("token", "version"),
    [("1", 1), ("2147483647", 2**31 - 1), ("latest", LATEST), (" LaTeSt ", LATEST), ("-1", LATEST), ("007", 7)],
)
def test_version_tokens(token: str, version: int) -> None:
    assert parse_version(token) == version


@pytest.mark.parametrize("token", ["0", "-2", "2147483648", "99999999999", "x", "", "1.0", "+1", "\u0661"])
def test_other_tokens_are_no_versions(token: str) -> None:
    with pytest.raises(InvalidVersion):
        parse_version(token)
