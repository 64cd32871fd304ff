"""Following the log: what is taken in when, what still holds afterwards, and which logs are not taken for this one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from llm_schema_registry.errors import StoreFailed
from llm_schema_registry.model import EVERYWHERE, Event, EventType, Subject
from llm_schema_registry.store import freshness as freshness_module
from llm_schema_registry.store.cached import ask_log
from llm_schema_registry.store.freshness import (
    CHANGES,
    EVENTS_AT_ONCE,
    LISTINGS,
    REBINDING,
    AskLog,
    Freshness,
    LogLine,
    Scope,
    settings_of,
    uses_of,
    versions_of,
)
from llm_schema_registry.store.sql import SqlStore
from store_rows import NOW, event, named, register

S, T = named("s"), named("t")
VERSIONS, SETTINGS = versions_of(S), settings_of(S)


async def append(store: SqlStore, *events: Event) -> None:
    async with store.transaction(lock=[S]) as writer:
        for line in events:
            await writer.append_event(line)


def told(kind: EventType, subject: Subject = S, request_id: str = "r") -> Event:
    return Event(kind, subject, "someone", request_id, NOW, 1, 7)


class Gate:
    """The question to a store's log, which can be held back on its way there and on its way back."""

    def __init__(self, store: SqlStore) -> None:
        self._ask: AskLog = ask_log(store.ask)
        self.asked = 0
        self.before = asyncio.Event()
        self.after = asyncio.Event()
        self.open()

    def open(self) -> None:
        self.before.set()
        self.after.set()

    async def __call__(self, start: int | None) -> Sequence[LogLine]:
        self.asked += 1
        await self.before.wait()
        lines = await self._ask(start)
        await self.after.wait()
        return lines


async def settle() -> None:
    """Let every task go as far as it can without the database's help, and a question reach it."""
    await asyncio.sleep(0.05)


async def test_what_was_committed_before_is_taken_in(store: SqlStore) -> None:
    assert await store.freshness.reach() == store.freshness.mark
    empty = store.freshness.mark
    assert store.freshness.holds(empty, [VERSIONS, SETTINGS, LISTINGS])
    await register(store, S, "x")
    assert store.freshness.holds(empty, [VERSIONS])
    reached = await store.freshness.reach()
    assert reached.position == 1
    assert not store.freshness.holds(empty, [VERSIONS])
    assert not store.freshness.holds(empty, [SETTINGS, uses_of(".", 1)])
    assert store.freshness.holds(empty, [SETTINGS, versions_of(T), uses_of(".", 2)])
    assert store.freshness.holds(reached, [VERSIONS, LISTINGS])


CASES: dict[EventType, list[Scope]] = {
    EventType.VERSION_REGISTERED: [VERSIONS, uses_of(".", 7), LISTINGS],
    EventType.VERSION_SOFT_DELETED: [VERSIONS, uses_of(".", 7), LISTINGS],
    EventType.VERSION_DELETED: [VERSIONS, uses_of(".", 7), LISTINGS, REBINDING],
    EventType.CONFIG_CHANGED: [SETTINGS, REBINDING],
    EventType.CONFIG_DELETED: [SETTINGS, REBINDING],
    EventType.MODE_CHANGED: [SETTINGS],
    EventType.MODE_DELETED: [SETTINGS],
    EventType.CONTEXT_DELETED: [SETTINGS, REBINDING],
}


@pytest.mark.parametrize("kind", CASES)
async def test_each_type_of_event_changes_its_scopes_and_no_other(store: SqlStore, kind: EventType) -> None:
    await append(store, told(EventType.MODE_CHANGED, T))
    before = await store.freshness.reach()
    await append(store, told(kind))
    await store.freshness.reach()
    everything = {scope for scopes in CASES.values() for scope in scopes} | {settings_of(EVERYWHERE), versions_of(T)}
    changed = {scope for scope in everything if not store.freshness.holds(before, [scope])}
    assert changed == set(CASES[kind])


def test_every_type_of_event_is_known() -> None:
    # After that, all that was read before may be wrong.
    assert set(CHANGES) == set(EventType) - {EventType.COPY_RESTORED}


@pytest.mark.parametrize("kind", [EventType.COPY_RESTORED, EventType.MODE_CHANGED])
async def test_an_event_that_is_not_in_the_table_changes_everything(
    store: SqlStore, kind: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that outdates all, and one of a later release."""
    known = {name: scopes for name, scopes in CHANGES.items() if name != kind}
    monkeypatch.setattr(freshness_module, "CHANGES", known)
    await register(store, S, "x")
    before = await store.freshness.reach()
    assert store.freshness.holds(before, [])
    await append(store, told(kind, T))
    after = await store.freshness.reach()
    assert not store.freshness.holds(before, [])
    assert store.freshness.holds(after, [VERSIONS])


async def test_a_call_is_never_answered_by_an_earlier_question(store: SqlStore) -> None:
    gate = Gate(store)
    freshness = Freshness(gate)
    gate.after.clear()
    early = asyncio.create_task(freshness.reach())
    await settle()  # its answer is on its way back, without what follows
    await register(store, S, "x")
    late = [asyncio.create_task(freshness.reach()) for _ in range(50)]
    await settle()
    assert gate.asked == 1
    gate.open()
    assert (await early).position == 0
    assert {mark.position for mark in await asyncio.gather(*late)} == {1}
    assert gate.asked == 2


async def test_a_call_that_is_given_up_takes_nothing_from_the_others(store: SqlStore) -> None:
    gate = Gate(store)
    freshness = Freshness(gate)
    gate.before.clear()
    calls = [asyncio.create_task(freshness.reach()) for _ in range(3)]
    await settle()
    calls[0].cancel()
    await register(store, S, "x")
    gate.open()
    assert {mark.position for mark in await asyncio.gather(*calls[1:])} == {1}
    assert calls[0].cancelled()
    assert gate.asked == 1


async def test_a_question_that_failed_is_put_again_from_where_it_was(store: SqlStore) -> None:
    gate = Gate(store)
    is_broken = False

    async def ask(start: int | None) -> Sequence[LogLine]:
        if is_broken:
            raise StoreFailed("away")
        return await gate(start)

    freshness = Freshness(ask)
    await register(store, S, "x")
    before = await freshness.reach()
    is_broken = True
    for outcome in await asyncio.gather(*(freshness.reach() for _ in range(3)), return_exceptions=True):
        assert isinstance(outcome, StoreFailed)
    await register(store, T, "y")
    is_broken = False
    assert (await freshness.reach()).position == 2
    assert freshness.holds(before, [VERSIONS])
    assert not freshness.holds(before, [versions_of(T)])


async def test_who_waited_for_a_question_that_failed_waits_no_longer() -> None:
    """Each was tried for seconds by then; in a row they would take as long again."""
    released, asked = asyncio.Event(), 0

    async def ask(_start: int | None) -> Sequence[LogLine]:
        nonlocal asked
        asked += 1
        await released.wait()
        raise StoreFailed("away")

    freshness = Freshness(ask)
    first = asyncio.create_task(freshness.reach())
    await asyncio.sleep(0.01)
    late = [asyncio.create_task(freshness.reach()) for _ in range(3)]
    await asyncio.sleep(0.01)
    released.set()
    outcomes = await asyncio.gather(first, *late, return_exceptions=True)
    assert ([type(outcome) for outcome in outcomes], asked) == ([StoreFailed] * 4, 1)
    with pytest.raises(StoreFailed):
        await freshness.reach()
    assert asked == 2


async def test_who_is_far_behind_takes_everything_for_changed(store: SqlStore) -> None:
    await register(store, S, "x")
    before = await store.freshness.reach()
    await append(store, *[told(EventType.MODE_CHANGED, T)] * EVENTS_AT_ONCE)
    after = await store.freshness.reach()
    assert after.position == EVENTS_AT_ONCE + 1
    assert not store.freshness.holds(before, [])
    assert store.freshness.holds(after, [VERSIONS])


async def test_who_starts_knows_what_the_last_events_changed(store: SqlStore) -> None:
    await register(store, S, "x")
    other = Freshness(ask_log(store.ask))
    before = await other.reach()
    await register(store, T, "y")
    late = Freshness(ask_log(store.ask))
    await late.reach()
    assert late.holds(before, [VERSIONS])
    assert not late.holds(before, [LISTINGS])


@pytest.mark.parametrize("further", [0, 1, 2, 5])
async def test_a_restored_log_is_another(tmp_path: Path, further: int) -> None:
    """The log goes back, then on to a place short of, at, or past the one that was known."""
    asked: list[SqlStore] = []

    async def ask(start: int | None) -> Sequence[LogLine]:
        return await ask_log(asked[-1].ask)(start)

    freshness = Freshness(ask)
    stores = []
    for name, length in (("lost", 4), ("restored", 2 + further)):
        store = SqlStore.open(f"sqlite:///{tmp_path}/{name}.db")
        await store.migrate()
        stores.append(store)
        for number in range(length):
            request = "both" if number < 2 else name
            await append(store, told(EventType.VERSION_REGISTERED, T, request))
    asked.append(stores[0])
    known = await freshness.reach()
    assert freshness.holds(known, [VERSIONS])
    asked.append(stores[1])
    reached = await freshness.reach()
    assert reached.position == 2 + further
    assert not freshness.holds(known, [VERSIONS])
    assert freshness.holds(reached, [VERSIONS])
    for store in stores:
        await store.close()


async def test_an_emptied_log_is_another(tmp_path: Path) -> None:
    asked: list[SqlStore] = []

    async def ask(start: int | None) -> Sequence[LogLine]:
        return await ask_log(asked[-1].ask)(start)

    freshness = Freshness(ask)
    for name in ("full", "empty"):
        store = SqlStore.open(f"sqlite:///{tmp_path}/{name}.db")
        await store.migrate()
        asked.append(store)
        if name == "full":
            await append(store, event(S))
            known = await freshness.reach()
    assert (await freshness.reach()).position == 0
    assert not freshness.holds(known, [VERSIONS])
    for store in asked:
        await store.close()


async def test_a_hint_ends_waiting(store: SqlStore) -> None:
    waiting = [asyncio.create_task(store.freshness.wait_for_hint(60)) for _ in range(2)]
    await settle()
    store.freshness.hint()
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    await store.freshness.wait_for_hint(0.01)


async def test_what_is_longer_ago_than_is_remembered_is_unknown(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness_module, "_SLOTS", 4)
    freshness = Freshness(ask_log(store.ask))
    marks = [await freshness.reach()]
    for number in range(6):
        await append(store, told(EventType.MODE_CHANGED, T, f"{number}"))
        marks.append(await freshness.reach())
    assert [freshness.witness(mark.position) == mark.witness for mark in marks] == [False] * 3 + [True] * 4
    assert [freshness.witness(position) for position in (-1, 0, 2, 7)] == [None] * 4
