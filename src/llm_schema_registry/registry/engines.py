"""Running a format's engine off the event loop, and remembering what was parsed and prepared.

Refuses to know rules of formats, and where texts come from.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import NamedTuple, ParamSpec, TypeVar

from cachetools import LRUCache

from llm_schema_registry.contracts.contract import Contract
from llm_schema_registry.errors import Overloaded
from llm_schema_registry.formats import get_format
from llm_schema_registry.formats.base import Format, Parsed, ResolvedReference

P = ParamSpec("P")
T = TypeVar("T")

_Key = tuple[str, str, tuple[ResolvedReference, ...], bool]

CACHED_CHARACTERS = 4 * 1024 * 1024
"""Bound of the cache, in characters of canonical text; a schema that was compared takes up to forty times that."""

THREADS = 3
"""One to compute and two that may wait for the compiler of Protobuf. More compute nothing sooner, as only one has the
interpreter at a time, but the event loop has to wait for each of them."""


CONTRACT_BYTES = 256 * 1024 * 1024
"""Bound of the contracts that are kept ready: some 1,000 with a few rules each."""


class KeptContract(NamedTuple):
    """A contract with the schema that it is of, and the bytes that both take, about."""

    parsed: Parsed
    contract: Contract
    size: int


def _size(parsed: Parsed) -> int:
    return len(parsed.canonical) + 500


def spare_collections() -> None:
    """Let the interpreter look for circles of garbage seldom, and never again in what is loaded by now.

    Parsed schemas are many small objects that live long: looking through them doubled the time of a check of 3,000
    fields, and made others 40 ms late (`make bench`). What is thrown away is freed by its counts all the same.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 5)


MAX_CALLS = 500
"""Calls that may run or wait. Most take a millisecond; where each takes a tenth of a second, the last would be too late
already."""


class Engines:
    """The formats with a bounded set of threads and a cache of parsed schemas, keyed by all that parsing depends on."""

    def __init__(self, formats: Mapping[str, Format], threads: int = THREADS) -> None:
        self.formats = formats
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="engine")
        self._calls = 0
        self._parsed: LRUCache[_Key, Parsed] = LRUCache(CACHED_CHARACTERS, getsizeof=_size)
        # By what each was made from; see `registry.contracts`.
        self.contracts: LRUCache[Hashable, KeptContract] = LRUCache(CONTRACT_BYTES, getsizeof=attrgetter("size"))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an engine function in a thread. Raises Overloaded when too many wait."""
        if self._calls >= MAX_CALLS:
            raise Overloaded(f"{MAX_CALLS} schemas wait to be parsed or compared already")
        self._calls += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*args, **kwargs))
        finally:
            self._calls -= 1

    async def parse(
        self, schema_type: str, text: str, references: Sequence[ResolvedReference] = (), *, is_new: bool = False
    ) -> Parsed:
        """Parse, or answer what an equal call parsed before. Raises InvalidSchema."""
        key = (schema_type, text, tuple(references), is_new)
        parsed = self._parsed.get(key)
        if parsed is None and not is_new:
            # What passed the checks for new schemas is the same without them: mostly what was just registered.
            parsed = self._parsed.get((*key[:3], True))
        if parsed is None:
            fmt = get_format(self.formats, schema_type)
            parsed = await self.run(fmt.parse, text, references, is_new=is_new)
            if _size(parsed) <= CACHED_CHARACTERS // 4:
                self._parsed[key] = parsed
        return parsed

    def close(self) -> None:
        """Let running work finish and stop the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)
