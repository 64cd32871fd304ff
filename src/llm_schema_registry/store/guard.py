"""Every use of the database goes through a `Guard`: tried again, given up in time, refused at once while it is away.

Refuses to know drivers and statements: an attempt says that the database is away by raising StoreUnavailable.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

from llm_schema_registry.errors import Overloaded, StoreUnavailable, TimedOut

T = TypeVar("T")

Use = Literal["read", "begin", "transaction"]
"""What the database was used for when it failed."""

RETRY_SECONDS = 2.0
"""How long a use is tried again: a restart of PostgreSQL goes by unseen."""

FAILURES = 3
"""Uses in a row that may fail, each after its further attempts, before the database is suspected to be away."""

SILENCE_SECONDS = 5.0
"""How long nobody who waits may be answered before the database is suspected to be away."""

PROBE_SECONDS = 1.0
PROBE_PATIENCE_SECONDS = 2.0
"""How often a database that is away is asked whether it is back, and how long it may take to say so."""

MAX_CALLERS = 2000
"""Callers of one kind that may wait: a second's work of a database that is well."""

_AWAY: dict[Use, str] = {
    "read": "The database cannot be reached; try again soon",
    "begin": "The database cannot be reached, and nothing was changed; try again soon",
}

# Its own hooks would write to stdout and count in a registry of metrics that nobody shows.
set_on_retry_hooks(())


class Watch(Protocol):
    """Whoever counts and tells what becomes of the database."""

    def failed(self, use: Use) -> None:
        """A use failed for good."""

    def changed(self, *, is_available: bool) -> None:
        """The database went away or came back."""


class Unwatched:
    """Nobody."""

    def failed(self, use: Use) -> None:
        """Count nothing."""

    def changed(self, *, is_available: bool) -> None:
        """Tell nobody."""


UNWATCHED = Unwatched()


class Guard:
    """A circuit breaker, retries and a bound of waiting callers around one database.

    `probe` asks it for a trivial answer, in no queue. Both uses raise StoreUnavailable while the database is away, and
    Overloaded when too many callers wait; what else an attempt raises is an answer, and goes through.
    """

    def __init__(self, probe: Callable[[], Awaitable[object]], watch: Watch) -> None:
        self._probe = probe
        self._watch = watch
        self._waiting: dict[Use, int] = {"read": 0, "begin": 0}
        self._failures = 0
        self._silent_since: float | None = None
        self._suspicion: asyncio.Task[None] | None = None
        self._again = stamina.AsyncRetryingCaller(
            attempts=None, timeout=RETRY_SECONDS, wait_initial=0.02, wait_max=0.4, wait_jitter=0.05
        )
        self.is_available = True

    async def read(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Ask a question."""
        return await self._use("read", attempt)

    async def begin(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Open a transaction. An attempt may take locks, and changes nothing."""
        return await self._use("begin", attempt)

    def note(self, use: Use) -> None:
        """Count a failure of what is never tried again: a transaction that has begun."""
        self._watch.failed(use)

    async def close(self) -> None:
        """Probe no more."""
        if self._suspicion is not None:
            self._suspicion.cancel()
            await asyncio.wait([self._suspicion])

    async def _use(self, use: Use, attempt: Callable[[], Awaitable[T]]) -> T:
        if not self.is_available:
            raise StoreUnavailable(_AWAY[use])
        if self._waiting[use] >= MAX_CALLERS:
            raise Overloaded(f"{MAX_CALLERS} requests wait for the database already")
        if self._silent_since is None:
            self._silent_since = time.monotonic()
        elif time.monotonic() - self._silent_since > SILENCE_SECONDS:
            self._suspect()
        self._waiting[use] += 1
        try:
            try:
                answer = await attempt()
            except StoreUnavailable:
                # stamina's bookkeeping costs more than a small answer, so it comes only after a failure.
                answer = await self._again(self._is_worth_trying, attempt)
        except StoreUnavailable as error:
            self._silent_since = None
            self._failures += 1
            self._watch.failed(use)
            if self._failures >= FAILURES:
                self._suspect()
            raise StoreUnavailable(_AWAY[use]) from error
        except (asyncio.CancelledError, TimedOut):
            # Neither need be an answer.
            raise
        except BaseException:
            self._silent_since = None
            raise
        finally:
            self._waiting[use] -= 1
            if not any(self._waiting.values()):
                self._silent_since = None
        self._silent_since = None
        self._failures = 0
        return answer

    def _is_worth_trying(self, error: Exception) -> bool:
        return isinstance(error, StoreUnavailable) and self.is_available

    def _suspect(self) -> None:
        if self._suspicion is None:
            self._suspicion = asyncio.create_task(self._find_out())

    async def _find_out(self) -> None:
        """Ask whether the database is there, until it is."""
        while not await self._is_there():
            if self.is_available:
                self.is_available = False
                self._watch.changed(is_available=False)
            # Many servers share a database that comes back.
            await asyncio.sleep(PROBE_SECONDS * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
        self._suspicion = None
        self._silent_since = None
        self._failures = 0
        if not self.is_available:
            self.is_available = True
            self._watch.changed(is_available=True)

    async def _is_there(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_PATIENCE_SECONDS):
                await self._probe()
        except Exception:  # noqa: BLE001 - whatever it raises, the database does not answer
            return False
        return True
