"""Which payloads the rules of a rule set can be run on within a second, all together.

Refuses to say what a single expression costs (`cel.cost`).
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from llm_schema_registry.contracts.cel.cost import LARGEST_PAYLOAD, SMALLEST_PAYLOAD, fits, largest_payload
from llm_schema_registry.contracts.rules.compile import CompiledRule
from llm_schema_registry.errors import InvalidRuleSet

MAX_LENGTH_TOGETHER = 65_536
"""Characters of all expressions of a rule set."""


class Bounds:
    """The payloads that rules about whole messages can be run on, one rule after the other.

    Raises InvalidRuleSet when the rules are too long or take too long together. `limit` is the size, as JSON, up to
    which nothing else needs to be known of a payload.
    """

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        if sum(len(rule.rule.expr or "") for rule in rules) > MAX_LENGTH_TOGETHER:
            raise InvalidRuleSet(f"domainRules: together, expr may have at most {MAX_LENGTH_TOGETHER} characters")
        self._estimates = [estimate for rule in rules if not rule.is_on_fields for estimate in rule.estimates]
        self.limit = largest_payload(self._estimates)
        if not self.limit:
            raise InvalidRuleSet(
                f"domainRules: together, the rules could take more than a second for {SMALLEST_PAYLOAD} bytes"
            )

    def hold(self, size: int, value: object) -> bool:
        """Whether the rules can be run on a plain value, or a message, of a size."""
        return size <= self.limit or (
            size <= LARGEST_PAYLOAD and not isinstance(value, Message) and fits(self._estimates, size, _longest(value))
        )


def _longest(value: object) -> int:
    """Return the number of items in the longest list or map of a value."""
    longest = 0
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict | list):
            longest = max(longest, len(current))
            waiting.extend(current.values() if isinstance(current, dict) else current)
    return longest
