"""How the rules of a class ask for a pair inside: they yield it and are sent its outcome.

Refuses to hold rules.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, TypeVar

from llm_schema_registry.formats.json_schema.nodes import Node
from llm_schema_registry.formats.json_schema.outcome import Outcome
from llm_schema_registry.formats.json_schema.patterns import Patterns

Answer = TypeVar("Answer")
Pair = tuple[Node, Node]
Asking = Generator[Pair, Outcome, Answer]
Walk = Generator[Pair, Outcome, None]


class Run(Protocol):
    """What the rules of a class need of the comparison they are part of."""

    patterns: Patterns

    def spend(self, steps: int) -> None:
        """Count work. Raises InvalidSchema when it is too much."""
