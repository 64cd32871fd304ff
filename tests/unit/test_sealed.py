"""Entries of a cache that others can write to: what is opened, and that nothing else is."""

from __future__ import annotations

import pytest

from llm_schema_registry.store.freshness import Mark
from llm_schema_registry.store.sealed import OVERHEAD_BYTES, is_readable, seal, unseal

KEY = b"schema:id:1"
MARK = Mark(258, b"w" * 16)
PAYLOAD = b"what was read"
ENTRY = seal(KEY, MARK, PAYLOAD)


def witness(_position: int) -> bytes:
    """Whatever the position, what stands there is the same: so only the seal tells."""
    return MARK.witness


def test_what_was_sealed_is_opened() -> None:
    assert unseal(KEY, ENTRY, witness) == (MARK, PAYLOAD)
    assert unseal(KEY, seal(KEY, MARK, b""), witness) == (MARK, b"")
    assert len(ENTRY) == len(PAYLOAD) + OVERHEAD_BYTES


@pytest.mark.parametrize("bit", range(8))
def test_no_bit_may_be_turned(bit: int) -> None:
    for index in range(len(ENTRY)):
        turned = ENTRY[:index] + bytes([ENTRY[index] ^ 1 << bit]) + ENTRY[index + 1 :]
        assert unseal(KEY, turned, witness) is None


def test_nothing_may_be_cut_or_added() -> None:
    for entry in [*(ENTRY[:length] for length in range(len(ENTRY))), ENTRY + b"\0", ENTRY + ENTRY]:
        assert unseal(KEY, entry, witness) is None


def test_it_is_of_no_use_under_another_key() -> None:
    assert unseal(b"schema:id:2", ENTRY, witness) is None
    # A byte that moves between key and payload is noticed.
    assert unseal(KEY[:-1], seal(KEY, MARK, PAYLOAD), witness) is None
    assert seal(b"ab", MARK, b"c")[9:25] != seal(b"a", MARK, b"bc")[9:25]


def test_it_is_of_no_use_to_another_log() -> None:
    assert unseal(KEY, ENTRY, lambda _: b"v" * 16) is None


def test_where_the_log_is_unknown_nothing_is_opened() -> None:
    assert unseal(KEY, ENTRY, lambda _: None) is None
    assert not is_readable(ENTRY, lambda _: None)
    asked: list[int] = []
    assert not is_readable(ENTRY, asked.append)
    assert asked == [MARK.position]
