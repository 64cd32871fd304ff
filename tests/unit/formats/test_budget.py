from __future__ import annotations

import gc
import time

import pytest

from llm_schema_registry.errors import TooComplex
from llm_schema_registry.formats.budget import Budget


def work(seconds: float) -> None:
    started = time.thread_time()
    while time.thread_time() - started < seconds:
        pass


def test_time_is_spent_by_working() -> None:
    budget = Budget(0.005)
    budget.spend(10_000)
    work(0.006)
    assert budget.seconds_left < 0
    budget.spend(1)  # the clock is looked at every few steps only
    with pytest.raises(TooComplex, match="more than 5 ms of CPU time"):
        budget.spend(256)


def test_waiting_costs_nothing() -> None:
    budget = Budget(0.05)
    time.sleep(0.1)
    budget.spend(256)
    assert budget.seconds_left > 0


def test_collecting_garbage_costs_nothing() -> None:
    """However much of it others have left."""
    held = [[number] for number in range(1_000_000)]
    started = time.thread_time()
    gc.collect()
    took = time.thread_time() - started
    budget = Budget(took)
    for _ in range(5):
        gc.collect()
    assert budget.seconds_left > took / 2
    assert len(held) == 1_000_000
