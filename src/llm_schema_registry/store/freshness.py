"""`Freshness`: how far this process has followed the log of events, and whether what was read earlier still holds.

Refuses to know what is kept, where it is kept, and how the log is asked.

Every change appends its events in its own transaction, and their positions become visible in rising order without gaps
(decisions 2 and 6). So what was read when the log had reached a place may be answered again exactly while no event
that concerns it lies behind that place.
"""

from __future__ import annotations

import asyncio
import hashlib
from array import array
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from llm_schema_registry.model import EventType, Subject

EVENTS_AT_ONCE = 1000
"""A process that is further behind does not read what it missed: it takes everything for changed."""

# Last changes of scopes by the scope's hash, and witnesses by position: what falls into one slot is only asked again.
_SLOTS = 1 << 16
_WITNESS_BYTES = 16
_UNKNOWN = bytes(_WITNESS_BYTES)

Scope = tuple[str | int, ...]
"""What an event changes and an answer depends on."""


class LogLine(NamedTuple):
    """An event as the log holds it. `type` may be one that a later release writes."""

    position: int
    type: str
    context: str
    subject: str
    version: int | None
    schema_id: int | None
    actor: str
    request_id: str
    at: int


class Mark(NamedTuple):
    """A place in the log: a position, and a digest of the event there, by which no other log is taken for this one."""

    position: int
    witness: bytes


AskLog = Callable[[int | None], Awaitable[Sequence[LogLine]]]
"""Answers the first EVENTS_AT_ONCE lines from a position on, itself included; for None the last ones. By position."""

_EMPTY = Mark(0, b"\1" * _WITNESS_BYTES)

LISTINGS: Scope = ("listings",)
"""What any version of any subject may change."""

REBINDING: Scope = ("rebinding",)
"""Whether an id or guid may mean something else than before."""

DOCUMENTS: Scope = ("documents",)
"""Reference data and policies."""


def versions_of(subject: Subject) -> Scope:
    """The versions of a subject."""
    return ("versions", subject.context, subject.name)


def uses_of(context: str, schema_id: int) -> Scope:
    """A content, which goes with its last version, and who uses it."""
    return ("uses", context, schema_id)


def settings_of(scope: Subject) -> Scope:
    """Config and mode set at one scope."""
    return ("settings", scope.context, scope.name)


def _by_version(line: LogLine) -> tuple[Scope, ...]:
    subject = Subject(line.context, line.subject)
    return versions_of(subject), uses_of(line.context, line.schema_id or 0), LISTINGS


def _by_deletion(line: LogLine) -> tuple[Scope, ...]:
    return (*_by_version(line), REBINDING)


def _by_mode(line: LogLine) -> tuple[Scope, ...]:
    return (settings_of(Subject(line.context, line.subject)),)


def _by_config(line: LogLine) -> tuple[Scope, ...]:
    # An alias may lead a subject that is asked about into another context. A deleted context's own scope is among the
    # settings of all its subjects.
    return (*_by_mode(line), REBINDING)


def _by_document(_line: LogLine) -> tuple[Scope, ...]:
    return (DOCUMENTS,)


CHANGES: Mapping[str, Callable[[LogLine], tuple[Scope, ...]]] = {
    EventType.VERSION_REGISTERED: _by_version,
    EventType.VERSION_SOFT_DELETED: _by_version,
    EventType.VERSION_DELETED: _by_deletion,
    EventType.CONFIG_CHANGED: _by_config,
    EventType.CONFIG_DELETED: _by_config,
    EventType.MODE_CHANGED: _by_mode,
    EventType.MODE_DELETED: _by_mode,
    EventType.CONTEXT_DELETED: _by_config,
    EventType.DOCUMENT_CHANGED: _by_document,
    EventType.DOCUMENT_DELETED: _by_document,
}
"""What an event of each type changes; one of any other type, as of a restored copy, changes everything."""


class Freshness:
    """Follows the log by asking it. Memory is constant, and taken as events come."""

    def __init__(self, ask: AskLog) -> None:
        self._ask = ask
        self._mark: Mark | None = None
        self._last: LogLine | None = None
        self._changed = array("q")
        self._witnesses = bytearray()
        self._asking: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._hints: set[asyncio.Event] = set()

    @property
    def mark(self) -> Mark:
        """The place reached; nothing that is asked now answers less than what was there."""
        return self._mark or _EMPTY

    async def reach(self) -> Mark:
        """Take in every event that was committed before this call, and return the place reached.

        Calls that come while a question is on its way share the next one: an answer to one that was put before the
        call may miss what was committed meanwhile. Raises StoreFailed and TimedOut.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._look_after(self._asking))
        await asyncio.shield(self._next)
        return self.mark

    def holds(self, mark: Mark, scopes: Iterable[Scope]) -> bool:
        """Whether nothing in these scopes has changed between a mark and the place reached."""
        position, witness = mark
        changed = self._changed
        return self.witness(position) == witness and all(changed[hash(scope) % _SLOTS] <= position for scope in scopes)

    def witness(self, position: int) -> bytes | None:
        """Return the witness at a position of this log; None where it is not known, or no longer."""
        reached = self.mark.position
        if not max(0, reached - _SLOTS + 1) <= position <= reached or not self._witnesses:
            return None
        start = position % _SLOTS * _WITNESS_BYTES
        witness = bytes(self._witnesses[start : start + _WITNESS_BYTES])
        return None if witness == _UNKNOWN else witness

    def hint(self) -> None:
        """Say that the log may have grown: whoever waits looks at once."""
        for event in self._hints:
            event.set()

    async def wait_for_hint(self, seconds: float) -> None:
        """Wait until a hint comes, or so long."""
        event = asyncio.Event()
        self._hints.add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._hints.discard(event)

    async def _look_after(self, running: asyncio.Task[None] | None) -> None:
        if running is not None and not running.done():
            await asyncio.wait([running])
            if (error := running.exception()) is not None:
                # It was tried for as long as it is worth, until now: whoever has waited need not wait as long again.
                self._asking = self._next = None
                raise error
        # Whoever comes from here on is not answered by this question.
        self._asking, self._next = self._next, None
        await self._look()

    async def _look(self) -> None:
        if self._mark is not None:
            lines = await self._ask(self._mark.position)
            if _continues(self._last, lines):
                self._take_in(lines if self._last is None else lines[1:])
                return
        lines = await self._ask(None)
        self._forget()
        self._last = None
        if not lines or lines[0].position == 1:
            self._keep(_EMPTY)
        self._take_in(lines)

    def _forget(self) -> None:
        self._changed = array("q", bytes(8 * _SLOTS))
        self._witnesses = bytearray(_WITNESS_BYTES * _SLOTS)

    def _take_in(self, lines: Sequence[LogLine]) -> None:
        for line in lines:
            scopes = CHANGES.get(line.type)
            if scopes is None:
                self._forget()
            else:
                for scope in scopes(line):
                    self._changed[hash(scope) % _SLOTS] = line.position
            self._keep(Mark(line.position, _witness_of(line)))
            self._last = line

    def _keep(self, mark: Mark) -> None:
        start = mark.position % _SLOTS * _WITNESS_BYTES
        self._witnesses[start : start + _WITNESS_BYTES] = mark.witness
        self._mark = mark


def _continues(last: LogLine | None, lines: Sequence[LogLine]) -> bool:
    """Whether these lines are the last known one and what follows it: not too many, no gap, and no other log."""
    if len(lines) == EVENTS_AT_ONCE or (lines and lines[-1].position - lines[0].position != len(lines) - 1):
        return False
    if last is None:
        return not lines or lines[0].position == 1
    return bool(lines) and lines[0] == last


def _witness_of(line: LogLine) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(line), digest_size=_WITNESS_BYTES).digest()
