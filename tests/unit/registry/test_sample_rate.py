"""Which broken payloads a process keeps: a few a minute of each schema."""

from __future__ import annotations

from llm_schema_registry.model import Subject
from llm_schema_registry.registry.sample_rate import MAX_SCHEMAS, PER_MINUTE, Sampler

MINUTE = 60_000
S = Subject(".", "s")


def taken(kept: Sampler, count: int, at: int, schema_id: int = 1) -> int:
    return sum(kept.takes(S, schema_id, at) for _ in range(count))


def test_a_few_of_each_schema_are_kept_a_minute() -> None:
    kept = Sampler()
    assert taken(kept, 20, 0) == PER_MINUTE
    assert taken(kept, 20, MINUTE - 1) == 0
    assert taken(kept, 20, 0, schema_id=2) == PER_MINUTE
    assert taken(kept, 20, MINUTE) == PER_MINUTE


def test_the_memory_is_bounded() -> None:
    kept = Sampler()
    for schema_id in range(MAX_SCHEMAS + 10):
        kept.takes(S, schema_id, 0)
    # The first were forgotten and are counted anew; the last were not.
    assert taken(kept, 20, 0, schema_id=0) == PER_MINUTE
    assert taken(kept, 20, 0, schema_id=MAX_SCHEMAS + 9) == PER_MINUTE - 1
