"""Payloads of proto2, proto3 and editions in bytes, ProtoJSON and frames: every row says what is wrong, and where."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.formats.protobuf import ProtobufFormat, ProtobufSchema
from llm_schema_registry.formats.protobuf.payload import ProtobufPayloads
from llm_schema_registry.model import Encoding, Violation
from protobuf_oracle import read_json

DATA = json.loads((Path(__file__).parents[3] / "data" / "payloads" / "protobuf.json").read_text())
CASES = DATA["cases"]
FMT = ProtobufFormat()


@lru_cache
def schema_of(name: str) -> ProtobufSchema:
    return FMT.parse(DATA["schemas"][name])


@lru_cache
def payloads_of(schema: str, message: str) -> ProtobufPayloads:
    return FMT.payloads(schema_of(schema), message)


def judge(case: dict[str, str]) -> tuple[Violation, ...]:
    if case["encoding"] == "framed":
        try:
            message, encoding, payload = FMT.unframe(schema_of(case["schema"]), bytes.fromhex(case["payload"]))
        except InvalidPayload as error:
            return error.violations
        assert message == case["message"]
        assert encoding is Encoding.BINARY
    else:
        encoding = Encoding(case["encoding"])
        text = case["payload"]
        payload = bytes.fromhex(text) if encoding is Encoding.BINARY else text.encode()
    reading = payloads_of(case["schema"], case["message"]).read(encoding, payload)
    assert reading.violations or reading.value is not None
    return reading.violations


def test_there_are_enough_rows_and_no_two_are_alike() -> None:
    names = [(case["schema"], case["message"], case["encoding"], case["name"]) for case in CASES]
    assert len(CASES) >= 110
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['schema']} {case['encoding']}: {case['name']}")
def test_every_violation_is_found_where_it_is(case: dict[str, str]) -> None:
    violations = judge(case)
    assert [[violation.kind, violation.path] for violation in violations] == case["expected"]
    assert all(violation.message and violation.expected and violation.found for violation in violations)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["encoding"] != "framed"], ids=lambda case: case["name"]
)
def test_a_limit_keeps_the_first_violations(case: dict[str, str]) -> None:
    encoding = Encoding(case["encoding"])
    payload = bytes.fromhex(case["payload"]) if encoding is Encoding.BINARY else case["payload"].encode()
    reading = payloads_of(case["schema"], case["message"]).read(encoding, payload, 1)
    assert [[violation.kind, violation.path] for violation in reading.violations] == case["expected"][:1]


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case["encoding"] != "framed" and not case["expected"]],
    ids=lambda case: case["name"],
)
def test_a_plain_value_is_restored_to_the_same(case: dict[str, str]) -> None:
    payloads = payloads_of(case["schema"], case["message"])
    encoding = Encoding(case["encoding"])
    payload = bytes.fromhex(case["payload"]) if encoding is Encoding.BINARY else case["payload"].encode()
    plain = payloads.plain(payloads.read(encoding, payload).value)
    again = payloads.plain(payloads.restore(plain))
    assert repr(again) == repr(plain)  # NaN is not equal to itself


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case["encoding"] == "json" and not case["expected"]],
    ids=lambda case: case["name"],
)
def test_a_text_means_what_the_runtime_takes_it_for(case: dict[str, str]) -> None:
    value = payloads_of(case["schema"], case["message"]).read(Encoding.JSON, case["payload"].encode()).value
    theirs = read_json(json.loads(case["payload"]), schema_of(case["schema"]), case["message"])
    assert theirs is not None
    assert isinstance(value, Message)
    assert value.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)


DIGITS = st.integers(0, 99).map(lambda number: f"{number:02}")
ZONES = st.one_of(st.just("Z"), st.builds("{}{}:{}".format, st.sampled_from("+-"), DIGITS, DIGITS))
FRACTIONS = st.one_of(st.just(""), st.from_regex(r"\A\.[0-9]{1,10}\Z", alphabet=st.characters(codec="ascii")))
TIMES = st.builds(
    "{:04}-{:02}-{:02}T{}:{}:{}{}{}".format,
    st.integers(0, 9999),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 25).map("{:02}".format),
    st.integers(0, 61).map("{:02}".format),
    st.integers(0, 61).map("{:02}".format),
    FRACTIONS,
    ZONES,
)
DURATIONS = st.builds("{}{}{}s".format, st.sampled_from(["", "-", "+"]), st.integers(0, 10**13), FRACTIONS)
MASKS = st.text(alphabet="abZ.,_1", max_size=8)
TREES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "at": TIMES,
            "took": DURATIONS,
            "mask": MASKS,
            "value": TREES,
            "limit": st.text("-01.e5", max_size=6),
        },
    )
)
def test_well_known_types_mean_what_the_runtime_takes_them_for(content: dict[str, object]) -> None:
    reading = payloads_of("proto3", "p.Event").read(Encoding.JSON, json.dumps(content).encode())
    if not reading.violations:
        theirs = read_json(content, schema_of("proto3"), "p.Event")
        assert theirs is not None
        assert isinstance(reading.value, Message)
        assert reading.value.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)
        assert payloads_of("proto3", "p.Event").plain(reading.value)
