"""How long the fault tests take: short among all tests, as long as their definitions ask with FAULTS=long.

Refuses to change what is tested: only rounds, seconds and clients differ.
"""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

IS_LONG = os.environ.get("FAULTS") == "long"


def scaled(short: T, long: T) -> T:
    """Return what the form that runs asks for."""
    return long if IS_LONG else short


def tell(test: str, line: str) -> None:
    """Print what a test counted; `pytest -s` shows it."""
    print(f"\n{test}: {line}", flush=True)
