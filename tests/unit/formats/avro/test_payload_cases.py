"""Payloads of Avro, good and bad: every violation with its kind and its path. Cases: `tests/data/payloads/avro.json`.

A payload is hexadecimal or text, or pieces of that with how often they are repeated.
"""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry.formats.avro.format import AvroFormat
from llm_schema_registry.formats.base import Reading
from llm_schema_registry.model import Encoding

DATA = json.loads((Path(__file__).parents[3] / "data" / "payloads" / "avro.json").read_text())
CASES = DATA["cases"]
AVRO = AvroFormat()
HOSTILE_BYTES = 64 * 2**20


def schema_text(case: dict[str, Any]) -> str:
    schema = case["schema"]
    return json.dumps(DATA["schemas"].get(schema, schema) if isinstance(schema, str) else schema)


def payload(case: dict[str, Any]) -> bytes:
    pieces = case["payload"] if isinstance(case["payload"], list) else [[case["payload"], 1]]
    text = "".join(piece * times for piece, times in pieces)
    return bytes.fromhex(text) if case["encoding"] == Encoding.BINARY else text.encode()


def read(case: dict[str, Any], limit: int = 100) -> Reading:
    return AVRO.payloads(AVRO.parse(schema_text(case))).read(Encoding(case["encoding"]), payload(case), limit)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['encoding']}: {case['name']}")
def test_violations_of_a_payload(case: dict[str, Any]) -> None:
    violations = read(case).violations

    assert [[violation.kind, violation.path] for violation in violations] == case["violations"]
    for violation in violations:
        assert f"xpected {violation.expected}" in violation.message
        assert violation.found in violation.message
        assert "\n" not in violation.message
    # Each points into the schema's text, in which these cases define all their types.
    assert AVRO.locate(schema_text(case), {violation.schema_path for violation in violations}).keys() == {
        violation.schema_path for violation in violations
    }


@pytest.mark.parametrize("case", [case for case in CASES if len(case["violations"]) > 1], ids=lambda case: case["name"])
def test_a_limit_keeps_the_first_violations(case: dict[str, Any]) -> None:
    found = [[violation.kind, violation.path] for violation in read(case, 1).violations]

    assert found == case["violations"][:1]


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if any(kind in {"TOO_DEEP", "TOO_LARGE"} for kind, _ in case["violations"])],
    ids=lambda case: f"{case['encoding']}: {case['name']}",
)
def test_what_goes_beyond_a_bound_takes_little_memory(case: dict[str, Any]) -> None:
    payloads = AVRO.payloads(AVRO.parse(schema_text(case)))
    data = payload(case)

    tracemalloc.start()
    payloads.read(Encoding(case["encoding"]), data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < HOSTILE_BYTES


def test_there_are_cases_of_every_kind_in_both_encodings() -> None:
    assert len(CASES) >= 290
    kinds = Counter((case["encoding"], kind) for case in CASES for kind, _ in case["violations"])
    shared = {"MALFORMED", "OUT_OF_RANGE", "NOT_PRECISE", "FORMAT_MISMATCH", "INVALID_TEXT", "SYMBOL_UNKNOWN"}
    shared |= {"BRANCH_UNKNOWN", "FIELD_REPEATED", "TOO_DEEP", "TOO_LARGE"}
    text = {"TYPE_MISMATCH", "FIELD_MISSING", "FIELD_UNKNOWN", "NOT_NULLABLE", "LENGTH_OUT_OF_RANGE"}
    assert kinds.keys() == {
        *((encoding, kind) for encoding in Encoding for kind in shared),
        *(("binary", kind) for kind in ("TRUNCATED", "TRAILING_BYTES")),
        *(("json", kind) for kind in text),
    }
