"""Reading everything back, counting, and finding what must not be: the judge of every fault test.

Refuses to repair or to excuse: whatever contradicts what a client was told is a fault with its own words.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import httpx

from faults.history import History
from llm_schema_registry.model import Event, EventType, Version
from llm_schema_registry.store.base import VersionFilter, Visibility
from llm_schema_registry.store.sql import SqlStore

_READERS = 8


@dataclass(slots=True)
class Count:
    """What a history came to. `whole` and `absent` are unknown outcomes that were found done or not done."""

    sent: int = 0
    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    whole: int = 0
    absent: int = 0
    versions: int = 0
    contents: int = 0
    events: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"sent {self.sent}, acknowledged {self.acknowledged}, lost {self.lost}, duplicated {self.duplicated}, "
            f"unknown {self.whole + self.absent} (present whole {self.whole}, absent whole {self.absent}), "
            f"versions {self.versions} = events {self.events}, ids {self.contents}, faults {len(self.faults)}"
        )


async def check(history: History, database_url: str, urls: Sequence[str] = (), *, is_restored: bool = False) -> Count:
    """Hold the database, and what each server answers, against a history of registrations.

    Nothing else may have written to the database, and nothing may be under way. `is_restored` when the database is a
    copy that was fenced: ids and the log's positions need only rise, and the log tells of the fence.
    """
    store = SqlStore.open(database_url)
    try:
        versions = await store.reader.search_versions(VersionFilter(visibility=Visibility.ALL))
        events = await _all_events(store)
        contexts = {version.subject.context for version in versions}
        max_ids = {context: await store.reader.find_max_schema_id(context) for context in contexts}
    finally:
        await store.close()
    positions = [position for position, _ in events]
    if is_restored:
        events = [(position, event) for position, event in events if event.type is not EventType.COPY_RESTORED]
    count = Count(sent=len(history.intents), versions=len(versions), events=len(events))
    faults = count.faults
    faults += _faults_of_versions(versions, {intent.text for intent in history.intents})
    if positions != (sorted(set(positions)) if is_restored else list(range(1, len(positions) + 1))):
        faults.append("positions of events have gaps")
    faults += _faults_of_events(versions, events)
    for context, max_id in max_ids.items():
        ids = {version.schema.id for version in versions if version.subject.context == context}
        count.contents += len(ids)
        if max_id != max(ids) or not (is_restored or ids == set(range(1, max_id + 1))):
            faults.append(
                f"ids have gaps or contents that no version uses: {len(ids)} are used, the largest is {max_id}"
            )
    _count_outcomes(history, versions, count)
    for url in urls:
        faults += await _faults_of_answers(history, url)
    return count


async def _all_events(store: SqlStore) -> list[tuple[int, Event]]:
    events: list[tuple[int, Event]] = []
    while page := await store.reader.list_events(events[-1][0] if events else 0):
        events += page
    return events


def _faults_of_versions(versions: Iterable[Version], texts: set[str]) -> list[str]:
    """A content has one id, an id one content; numbers have no gaps; nothing is there that nobody sent."""
    faults = []
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    texts_of: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    ids_of: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for version in versions:
        context, text = version.subject.context, version.schema.content.text
        numbers[str(version.subject)].append(version.version)
        texts_of[context, version.schema.id].add(text)
        ids_of[context, text].add(version.schema.id)
    for subject, found in numbers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            faults.append(f"{subject}: versions are not contiguous: {sorted(found)}")
    faults += [f"id {id_} names {len(of)} contents" for id_, of in texts_of.items() if len(of) > 1]
    faults += [f"a content has ids {sorted(ids)}: {of}" for of, ids in ids_of.items() if len(ids) > 1]
    faults += [f"nobody sent {text}" for _, text in ids_of if text not in texts]
    return faults


def _faults_of_events(versions: Sequence[Version], events: Sequence[tuple[int, Event]]) -> list[str]:
    """Each version has one event; in the order of commits new ids and the versions of a subject rise."""
    faults = []
    if strange := [event for _, event in events if event.type is not EventType.VERSION_REGISTERED]:
        faults.append(f"events that no client caused: {strange[:3]}")
    told = Counter((str(event.subject), event.version, event.schema_id) for _, event in events)
    kept: Counter[tuple[str, int | None, int | None]] = Counter()
    kept.update((str(version.subject), version.version, version.schema.id) for version in versions)
    if told != kept:
        faults.append(f"events without version: {list(told - kept)[:3]}, versions without: {list(kept - told)[:3]}")
    largest_ids: Counter[str] = Counter()
    known_ids: set[tuple[str, int]] = set()
    last_version: Counter[str] = Counter()
    for position, event in events:
        assert event.version is not None
        assert event.schema_id is not None
        context, schema_id = event.subject.context, event.schema_id
        if (context, schema_id) not in known_ids:
            if schema_id <= largest_ids[context]:
                faults.append(f"event {position}: new id {schema_id} was committed after {largest_ids[context]}")
            known_ids.add((context, schema_id))
            largest_ids[context] = max(largest_ids[context], schema_id)
        if event.version <= last_version[str(event.subject)]:
            faults.append(f"event {position}: version {event.version} of {event.subject} was committed out of order")
        last_version[str(event.subject)] = event.version
    return faults


def _count_outcomes(history: History, versions: Iterable[Version], count: Count) -> None:
    """Every content that was acknowledged is there once and as told; of the others each is there once or not at all."""
    places: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for version in versions:
        place = (str(version.subject), version.schema.content.text)
        places[place].append((version.version, version.schema.id))
    for place, found in places.items():
        if len(found) > 1:
            count.duplicated += 1
            count.faults.append(f"{place} is there {len(found)} times: {found}")
    acknowledged = set()
    for intent in history.acknowledged:
        place = (intent.subject, intent.text)
        acknowledged.add(place)
        count.acknowledged += 1
        if (intent.version, intent.id) not in places.get(place, ()):
            count.lost += 1
            count.faults.append(f"lost: {intent}, there is {places.get(place)}")
    unknown = {(intent.subject, intent.text) for intent in history.intents if intent.is_unknown} - acknowledged
    if ghosts := places.keys() - acknowledged - unknown:
        count.faults.append(f"no server was asked for {ghosts}")
    count.whole = len(unknown & places.keys())
    count.absent = len(unknown) - count.whole


async def _faults_of_answers(history: History, url: str) -> list[str]:
    """Read every acknowledged version and id from a server, byte for byte."""
    faults: list[str] = []
    wanted = {(f"/subjects/{i.subject}/versions/{i.version}", i.text, i.id) for i in history.acknowledged}
    wanted |= {(f"/schemas/ids/{i.id}?subject={i.subject}", i.text, i.id) for i in history.acknowledged}
    left = iter(sorted(wanted))

    async def read(http: httpx.AsyncClient) -> None:
        for path, text, schema_id in left:
            response = await http.get(path)
            answer = response.json()
            if response.status_code != 200 or answer["schema"] != text or answer.get("id", schema_id) != schema_id:
                faults.append(f"{url}{path} answers {response.status_code} {response.text} instead of {text}")

    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        await asyncio.gather(*(read(http) for _ in range(_READERS)))
    return faults
