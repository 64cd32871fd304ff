from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from llm_schema_registry.contracts.jsonable import MAX_SHOWN, shown, to_jsonable

CASES = [
    (None, None),
    (True, True),
    (1, 1),
    (-(2**63), -(2**63)),
    (2**64 - 1, 2**64 - 1),
    (2**64, "18446744073709551616"),
    (-(2**63) - 1, "-9223372036854775809"),
    (16**5000, "0x1" + "0" * 5000),
    (1.5, 1.5),
    (float("nan"), "NaN"),
    (float("inf"), "Infinity"),
    (float("-inf"), "-Infinity"),
    ("text ö", "text ö"),
    ("half \ud800 of a pair", "half ? of a pair"),
    (b"\x00\xff", "AP8="),
    (bytearray(b"a"), "YQ=="),
    (Decimal("1.50"), "1.50"),
    (Decimal("NaN"), "NaN"),
    (datetime(2026, 1, 2, 3, 4, 5, 678, UTC), "2026-01-02T03:04:05.000678Z"),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T03:04:05+02:00"),
    (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),  # noqa: DTZ001 a local moment has no zone
    (date(2026, 1, 2), "2026-01-02"),
    (time(3, 4, 5, 6), "03:04:05.000006"),
    (timedelta(days=1, seconds=1), "86401s"),
    (timedelta(milliseconds=1500), "1.5s"),
    (timedelta(microseconds=-1), "-0.000001s"),
    (timedelta(seconds=-100, microseconds=500_000), "-99.5s"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ([1, (b"a",)], [1, ["YQ=="]]),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=[str(expected)[:30] for _, expected in CASES])
def test_a_value_becomes_json(value: object, expected: object) -> None:
    result = to_jsonable(value)
    assert result == expected
    assert type(result) is type(expected)
    assert msgspec.json.decode(msgspec.json.encode(result)) == expected


def test_keys_become_text() -> None:
    assert to_jsonable({2: 1, True: 2, "\ud800": 3, "b": b"a"}) == {"2": 1, "true": 2, "?": 3, "b": "YQ=="}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("a\n\"b'", '"a\\n\\"b\'"'),
        (Decimal("1.50"), "1.50"),
        (2**64, "18446744073709551616"),
        (b"\x00", '"AA=="'),
        ({"a": 1}, "an object of 1"),
        ([1, 2], "an array of 2"),
        ("x" * 10_000_000, '"' + "x" * (MAX_SHOWN - 1) + "…"),
    ],
)
def test_a_value_is_quoted_on_a_short_line(value: object, expected: str) -> None:
    assert shown(value) == expected
