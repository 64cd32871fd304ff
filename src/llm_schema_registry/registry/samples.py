"""Samples of payloads that broke their contracts: keeping them, and reading them again.

Refuses to judge payloads, and to keep what sensitive fields hold: a contract masks it.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_registry.documents import Sample
from llm_schema_registry.errors import Overloaded, StoreFailed, TimedOut
from llm_schema_registry.model import Subject
from llm_schema_registry.registry.operation import Call, Permission, operation

MAX_SAMPLES = 10_000
KEPT_MILLISECONDS = 30 * 24 * 60 * 60 * 1000
"""How many samples are kept, and for how long: the newest ones of the last 30 days."""


async def keep_samples(call: Call, samples: Sequence[Sample]) -> None:
    """Keep samples. A store that cannot keep them now must not stop an answer that is known."""
    try:
        async with call.store.transaction() as writer:
            await writer.add_samples(list(samples), call.clock() - KEPT_MILLISECONDS, MAX_SAMPLES)
    except (StoreFailed, TimedOut, Overloaded):
        return


@operation(Permission.READ)
async def list_samples(
    call: Call, subject: Subject | None = None, after: tuple[int, str] | None = None, limit: int = 100
) -> list[Sample]:
    """List samples, newest first; of a subject; behind the one of this (at, id)."""
    return await call.store.reader.list_samples(subject, after, limit)
