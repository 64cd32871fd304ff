"""Laws that hold whatever the formats say: directions mirror each other, and a transitive level is a conjunction."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_registry.compatibility import Judge, Side, check_logical
from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.model import (
    CompatibilityLevel,
    CompatibilityPolicy,
    Direction,
    Finding,
    Report,
    Subject,
    Submission,
)
from llm_schema_registry.registry import compatibility, config, registration
from llm_schema_registry.registry.engines import Engines
from llm_schema_registry.registry.operation import Call, Policy
from llm_schema_registry.store.sql import SqlStore

DATA = Path(__file__).parent.parent / "data"
PAIRS = int(os.environ.get("PAIRS", "2000"))
POOL = 200
LEVELS = CompatibilityLevel

_FILES: dict[str, tuple[str, tuple[str, str], Callable[[object], str]]] = {
    "AVRO": ("avro_compat_pairs.jsonl.gz", ("reader", "writer"), str),
    "JSON": ("json_compat_pairs.jsonl.gz", ("original", "update"), json.dumps),
    "PROTOBUF": ("protobuf_compat_pairs.jsonl.gz", ("original", "update"), str),
}


def _texts(name: str) -> Iterator[str]:
    file, keys, text_of = _FILES[name]
    with gzip.open(DATA / file, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            for key in keys:
                yield text_of(row[key])


@cache
def sides(name: str) -> tuple[Side, ...]:
    """Schemas of the golden tables, related ones near each other, as versions 1, 2, 3, ..."""
    found: dict[str, Side] = {}
    for text in _texts(name):
        if len(found) == POOL:
            break
        try:
            found.setdefault(text, Side(name, text, FORMATS[name].parse(text), len(found) + 1))
        except InvalidSchema:
            continue
    return tuple(found.values())


def judged(level: CompatibilityLevel, policy: CompatibilityPolicy, candidate: Side, previous: Side) -> Report:
    fmt = FORMATS[candidate.schema_type]
    return Judge(level, policy, budget_seconds=60).compare(fmt, candidate, previous)


def facts(findings: tuple[Finding, ...], direction: Direction) -> list[tuple[object, ...]]:
    return [
        (finding.difference.kind, finding.difference.path, finding.difference.info, finding.severity)
        for finding in findings
        if finding.direction is direction
    ]


neighbours = st.tuples(st.integers(0, POOL - 1), st.integers(-3, 3))
policies = st.sampled_from(CompatibilityPolicy)


@pytest.mark.parametrize("name", list(FORMATS))
@settings(max_examples=PAIRS // 4, deadline=None)
@given(neighbours, policies)
def test_forward_is_backward_the_other_way_round(name: str, pair: tuple[int, int], policy: CompatibilityPolicy) -> None:
    one, other = sides(name)[pair[0]], sides(name)[(pair[0] + pair[1]) % POOL]
    forward = judged(LEVELS.FORWARD, policy, one, other)
    backward = judged(LEVELS.BACKWARD, policy, other, one)
    assert forward.is_compatible is backward.is_compatible
    assert facts(forward.findings, Direction.FORWARD) == facts(backward.findings, Direction.BACKWARD)
    full = judged(LEVELS.FULL, policy, one, other)
    assert full.is_compatible is (forward.is_compatible and judged(LEVELS.BACKWARD, policy, one, other).is_compatible)
    assert facts(full.findings, Direction.FORWARD) == facts(forward.findings, Direction.FORWARD)


@pytest.mark.parametrize("name", list(FORMATS))
@settings(max_examples=max(10, PAIRS // 100), deadline=None)
@given(
    st.integers(0, POOL - 1),
    st.lists(st.integers(-4, 4), min_size=2, max_size=4),
    policies,
    st.sampled_from([LEVELS.BACKWARD, LEVELS.FORWARD, LEVELS.FULL]),
)
def test_a_transitive_level_is_the_conjunction(
    name: str, start: int, steps: list[int], policy: CompatibilityPolicy, level: CompatibilityLevel
) -> None:
    """Through the gate of a registry: newest first, up to the first version that fails."""
    chosen = [sides(name)[(start + step) % POOL] for step in steps]
    candidate, history = chosen[0], list({side.text: side for side in chosen[1:]}.values())
    report = asyncio.run(_check(candidate, history, LEVELS(f"{level}_TRANSITIVE"), policy))
    newest_first = history[::-1]
    verdicts = [judged(level, policy, candidate, previous).is_compatible for previous in newest_first]
    tables: tuple[Finding, ...] = ()
    if policy is CompatibilityPolicy.LOGICAL:
        judge = Judge(LEVELS(f"{level}_TRANSITIVE"), policy, budget_seconds=60)
        tables = check_logical(judge, FORMATS[name], candidate, newest_first)
    assert report.is_compatible is (all(verdicts) and not tables)
    compared = verdicts.index(False) + 1 if False in verdicts else len(verdicts)
    assert report.compared == tuple(range(len(history), len(history) - compared, -1))


async def _check(
    candidate: Side, history: list[Side], level: CompatibilityLevel, policy: CompatibilityPolicy
) -> Report:
    store, engines = SqlStore.open("sqlite://"), Engines(FORMATS, threads=1)
    try:
        await store.migrate()
        call = Call(store=store, engines=engines, clock=lambda: 0, policy=Policy(compare_seconds=60))
        subject = Subject(".", "s")
        await config.put_config(call, subject, {"compatibility_level": LEVELS.NONE})
        for previous in history:
            await registration.register(call, subject, Submission(previous.schema_type, previous.text))
        changes = {"compatibility_level": level, "compatibility_policy": policy}
        await config.put_config(call, subject, changes)
        return await compatibility.check(call, subject, Submission(candidate.schema_type, candidate.text))
    finally:
        engines.close()
        await store.close()


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("policy", list(CompatibilityPolicy))
def test_a_schema_reads_its_own_data(name: str, policy: CompatibilityPolicy) -> None:
    for side in sides(name):
        report = judged(LEVELS.FULL, policy, side, side)
        assert report.is_compatible, side.text
        assert report.findings == (), side.text
