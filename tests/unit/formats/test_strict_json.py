"""Strict reading of JSON text: what the fast way lets pass is what the slow way finds nothing in."""

from __future__ import annotations

import json
import tracemalloc
from random import Random
from typing import Any

import pytest

from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_VALUES
from llm_schema_registry.formats.strict_json import read_json


@pytest.mark.parametrize(
    ("data", "kind", "path"),
    [
        (b'{"a": "\xff"}', "INVALID_TEXT", ""),
        (b'"\xed\xa0\x80"', "INVALID_TEXT", ""),
        (b"\xef\xbb\xbf1", "MALFORMED", ""),
        ("{}".encode("utf-16"), "INVALID_TEXT", ""),
        (b'{"a": 1, "b": {"a": 1, "a": 2}}', "FIELD_REPEATED", "/b/a"),
        (b'{"a": {"\\ud800": [1]}}', "INVALID_TEXT", "/a/\\ud800"),
        (b'{"a": [0, -Infinity]}', "MALFORMED", "/a/1"),
        (b'{"a/~": 1e400}', "OUT_OF_RANGE", "/a~1~0"),
        (b"[" * 200_000, "TOO_DEEP", ""),
        (b"[" * 101 + b"]" * 101, "TOO_DEEP", "/0" * 100),
    ],
)
def test_what_is_wrong_is_found_in_its_place(data: bytes, kind: str, path: str) -> None:
    (fault,) = read_json(data).violations
    assert (fault.kind, fault.path) == (kind, path)


@pytest.mark.parametrize("value", ["[{" * 200, [[], {}] * 200, [[[index, {"a": []}] for index in range(60)]]])
def test_many_brackets_are_not_depth(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == (value, ())


def test_what_a_format_writes_as_text_is_told_only_of_that_format() -> None:
    (plain,), (hinted,) = (read_json(b'{"a": NaN}', has_nan_as_text=told).violations for told in (False, True))
    assert hinted.message == f'{plain.message}; write it as a string: "NaN"'
    (too_large,) = read_json(b"1e999", has_nan_as_text=True).violations
    assert "string" not in too_large.message


@pytest.mark.parametrize("depth", [1, MAX_PAYLOAD_DEPTH, 201])
def test_levels_are_counted_in_the_text(depth: int) -> None:
    assert read_json(b"[" * depth + b"]" * depth, depth=depth).violations == ()
    (fault,) = read_json(b"[" * (depth + 1) + b"]" * (depth + 1), depth=depth).violations
    assert (fault.kind, fault.path) == ("TOO_DEEP", "/0" * depth)


@pytest.mark.parametrize("item", ['"{[,"', "[]", "{ }", '[""]', '{"":0}'])
def test_each_value_counts_once(item: str) -> None:
    size = 2 if len(item) > 3 and item[0] != '"' else 1
    most = (MAX_PAYLOAD_VALUES - 1) // size
    assert read_json(f"[{','.join([item] * most)}]".encode()).violations == ()
    assert [fault.kind for fault in read_json(f"[{','.join([item] * (most + 1))}]".encode()).violations] == [
        "TOO_LARGE"
    ]


def test_a_long_name_above_many_values_is_not_written_for_each() -> None:
    data = b'{"%s": [%s NaN]}' % (b"n" * 100_000, b"0, " * 10_000)
    tracemalloc.start()
    (fault,) = read_json(data).violations
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert fault.path == f"/{'n' * 200}.../10000"
    assert peak < 10_000_000


def test_faults_end_at_the_limit() -> None:
    data = ("[" + ",".join(['{"a": 1, "a": 2}'] * 50) + "]").encode()
    assert [fault.path for fault in read_json(data, 3).violations] == ["/0/a", "/1/a", "/2/a"]


def test_names_that_stand_twice_are_found_however_the_text_is_written() -> None:
    random = Random(7)
    names = ["a", "b", '\\"', "\\\\", 'c\\":', " :", "\\u003a", "\\u0061"]

    def text(depth: int) -> str:
        kind = random.random()
        if depth == 0 or kind < 0.4:
            return random.choice(
                ["1", '"a :b"', '"\\":"', '"\\\\"', "null", '"\\\\\\":"', '"\\u003A"', '"\\ud83d\\ude00"']
            )
        if kind < 0.6:
            return "[" + ",".join(text(depth - 1) for _ in range(random.randrange(3))) + "]"
        members = (
            f'"{random.choice(names)}"{random.choice(["", " ", chr(10)])}:{random.choice(["", " "])}{text(depth - 1)}'
            for _ in range(random.randrange(4))
        )
        return "{" + ",".join(members) + "}"

    repeated = 0

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal is_repeated
        is_repeated = is_repeated or len(dict(pairs)) < len(pairs)
        return dict(pairs)

    for _ in range(20_000):
        written = text(3)
        is_repeated = False
        value = json.loads(written, object_pairs_hook=members)
        reading = read_json(written.encode())
        assert reading.value == value, written
        assert bool(reading.violations) is is_repeated, written
        repeated += is_repeated
    assert 1_000 < repeated < 19_000
