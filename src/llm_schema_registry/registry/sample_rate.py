"""Which payloads that broke their contracts are worth keeping, in one process.

Refuses to keep them.
"""

from __future__ import annotations

from collections import OrderedDict

from llm_schema_registry.model import Subject

PER_MINUTE = 5
_MINUTE_MILLISECONDS = 60_000
MAX_SCHEMAS = 1_000


class Sampler:
    """Lets PER_MINUTE samples of each schema through in this process, so that a broken producer fills no log."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Subject, int], tuple[int, int]] = OrderedDict()

    def takes(self, subject: Subject, schema_id: int, now: int) -> bool:
        """Count a broken payload, and say whether it is one to keep. `now` is in milliseconds."""
        minute = now // _MINUTE_MILLISECONDS
        before, count = self._kept.pop((subject, schema_id), (minute, 0))
        if before != minute:
            count = 0
        self._kept[subject, schema_id] = (minute, min(count + 1, PER_MINUTE))
        if len(self._kept) > MAX_SCHEMAS:
            self._kept.popitem(last=False)
        return count < PER_MINUTE
