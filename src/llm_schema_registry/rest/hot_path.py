"""The hot path: finished answers of reads that can never change, kept in memory for whoever asks the same.

Refuses to answer what a deletion has made wrong: this process drops everything at its own changes, and follows the log
of events for those of others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Any, NamedTuple

from cachetools import LRUCache
from structlog.typing import FilteringBoundLogger

from llm_schema_registry.registry.changes import look_for_rebinding, wait_for_changes
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.rest.rendered import Rendered

DEFAULT_BYTES = 32 * 1024 * 1024

POLL_SECONDS = 0.5
"""How often the log is asked while anything is kept: how long a deletion by another process may go unseen."""

PATIENCE_SECONDS = 5.0
"""How long one question to the log may take, and how long none may be answered until that is told."""

READS = frozenset({"GET", "HEAD"})

_ENTRY_BYTES = 2100  # what the objects of an entry take besides the texts in them, measured
_SCHEMAS = b"/schemas/"


class Key(NamedTuple):
    """Everything that an answer depends on; a context's prefix is in the path."""

    raw_path: bytes
    query_string: bytes
    accept: bytes | None


class Kept(NamedTuple):
    """An answer, the template of the route that gave it, and the bytes that keeping it takes."""

    answer: Rendered
    endpoint: str
    size: int


def key_of(scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]) -> Key | None:
    """Return what to look for, or None for a request that is no read of a schema."""
    if scope["method"] not in READS or _SCHEMAS not in scope["raw_path"]:
        return None
    return Key(scope["raw_path"], scope["query_string"], headers.get(b"accept"))


class KeptAnswers:
    """Answers by all that they depend on, within a bound of bytes; what was not asked for longest goes first.

    `generation` counts the droppings: an answer that was begun before one must not be kept after it.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self._kept: LRUCache[Key, Kept] = LRUCache(max_bytes, getsizeof=attrgetter("size"))
        self._max_entry = max_bytes // 4
        self.generation = 0

    def find(self, key: Key) -> Kept | None:
        """Return an answer."""
        try:
            return self._kept[key]
        except KeyError:
            return None

    def keep(self, key: Key, answer: Rendered, endpoint: str, generation: int) -> None:
        """Keep an answer that was begun in `generation`, if it can never change, is not outdated and not too large."""
        size = _ENTRY_BYTES + len(answer.body) + len(key.raw_path) + len(key.query_string) + len(key.accept or b"")
        if answer.is_immutable and generation == self.generation and size <= self._max_entry:
            self._kept[key] = Kept(answer, endpoint, size)

    def drop(self) -> None:
        """Forget everything."""
        self.generation += 1
        self._kept.clear()

    async def follow(self, call: Call, log: FilteringBoundLogger) -> None:
        """Drop everything soon after another process's change, until the task is cancelled.

        While the log cannot be read, what is kept is answered on: a content by its id never changes, and a deletion
        is found when the log can be read again.
        """
        mark = call.store.freshness.mark
        failing_since: float | None = None
        is_told = False
        while True:
            await wait_for_changes(call, POLL_SECONDS)
            if not self._kept:
                continue
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    is_unsettled, mark = await look_for_rebinding(call, mark)
            except Exception as error:  # noqa: BLE001 - whatever the store does, following goes on
                failing_since = failing_since or time.monotonic()
                if not is_told and time.monotonic() - failing_since >= PATIENCE_SECONDS:
                    is_told = True
                    log.warning("answers are kept without the store", reason=str(error) or type(error).__name__)
            else:
                failing_since, is_told = None, False
                if is_unsettled:
                    self.drop()


@asynccontextmanager
async def following(kept: KeptAnswers, call: Call, log: FilteringBoundLogger) -> AsyncIterator[None]:
    """Let kept answers follow the log during the block."""
    task = asyncio.create_task(kept.follow(call, log))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
