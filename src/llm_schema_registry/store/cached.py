"""`CachedReader`: answers read before, for as long as no event of the log concerns them.

Refuses to answer from memory without having asked the log, and to serve transactions.

A value is kept with the place that the log had reached before the database was asked for it, so it is at least as new
as that. The look-up goes from this process's memory to the shared cache, if there is one, to the database.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from cachetools import LRUCache
from sqlalchemy import BigInteger, bindparam, select

from llm_schema_registry.documents import Document, DocumentKind
from llm_schema_registry.model import DEFAULT_CONTEXT, EVERYWHERE, LATEST, Schema, Subject, Version, VersionKey
from llm_schema_registry.store.base import EVERYTHING, Page, ScopeSettings, Visibility
from llm_schema_registry.store.freshness import (
    DOCUMENTS,
    EVENTS_AT_ONCE,
    LISTINGS,
    AskLog,
    Freshness,
    LogLine,
    Mark,
    Scope,
    settings_of,
    uses_of,
    versions_of,
)
from llm_schema_registry.store.reader import SqlReader
from llm_schema_registry.store.rows import Ask
from llm_schema_registry.store.shared import Place, SharedCache
from llm_schema_registry.store.tables import events

CountLookUp = Callable[[Literal["process", "redis"], bool], None]
"""Told which cache was looked into, and whether the answer was there."""

_HOUR, _FIVE_MINUTES, _MINUTE = 3600, 300, 60
_ENTRY_BYTES = 1500  # what the objects of an entry take besides its texts, measured
_OBJECT_FACTOR = 3  # how much more memory small objects take than their encoding

_LINE = (
    events.c.position,
    events.c.type,
    events.c.context,
    events.c.subject,
    events.c.version,
    events.c.schema_id,
    events.c.actor,
    events.c.request_id,
    events.c.at,
)
_FROM = (
    select(*_LINE)
    .where(events.c.position >= bindparam("start", type_=BigInteger))
    .order_by(events.c.position)
    .limit(EVENTS_AT_ONCE)
)
_NEWEST = select(*_LINE).order_by(events.c.position.desc()).limit(EVENTS_AT_ONCE)

_encode = msgspec.msgpack.encode
_Value = TypeVar("_Value")


def ask_log(ask: Ask) -> AskLog:
    """Make the question that `Freshness` puts to a database; see there."""

    async def lines(start: int | None) -> Sequence[LogLine]:
        if start is None:
            return [LogLine(*row) for row in reversed(await ask(_NEWEST, {}))]
        return [LogLine(*row) for row in await ask(_FROM, {"start": start})]

    return lines


class _Kept(NamedTuple):
    """A value, the place at which it was read, and the bytes that keeping it takes."""

    mark: Mark
    value: Any
    size: int


class ValueCache:
    """Values by the question they answer, within a bound of bytes; what was not asked for longest goes first."""

    def __init__(self, max_bytes: int, count: CountLookUp, shared: SharedCache | None = None) -> None:
        self.shared = shared
        self.count = count
        self._kept: LRUCache[tuple[object, ...], _Kept] = LRUCache(max_bytes, getsizeof=attrgetter("size"))
        self._max_entry = max_bytes // 16

    def find(self, key: tuple[object, ...]) -> tuple[Mark, Any] | None:
        """Return a value and the place at which it was read."""
        try:
            kept = self._kept[key]
        except KeyError:
            return None
        return kept.mark, kept.value

    def keep(self, key: tuple[object, ...], mark: Mark, value: object, encoded: int) -> None:
        """Keep a value, unless it is too large; `encoded` is how many bytes its encoding takes."""
        text = _text_of(value)
        size = _ENTRY_BYTES + sys.getsizeof(text) + _OBJECT_FACTOR * max(0, encoded - len(text))
        if size <= self._max_entry:
            self._kept[key] = _Kept(mark, value, size)


class CachedReader(SqlReader):
    """The questions of `base.Reader` by one use case, which all show what was committed before the first was put."""

    def __init__(self, ask: Ask, freshness: Freshness, cache: ValueCache) -> None:
        super().__init__(ask)
        self._freshness = freshness
        self._cache = cache
        self._has_reached = False

    async def find_schema(self, context: str, schema_id: int) -> Schema | None:
        own = f"{schema_id}" if context == DEFAULT_CONTEXT else f"{context}:{schema_id}"
        return await self._answer(
            ("schema", context, schema_id),
            (uses_of(context, schema_id),),
            partial(super().find_schema, context, schema_id),
            Place(f"schema:id:{own}", _HOUR, Schema),
        )

    async def find_version(
        self, subject: Subject, version: int, visibility: Visibility = Visibility.ACTIVE
    ) -> Version | None:
        if version == LATEST:
            visibility = Visibility.ACTIVE
            place = Place(f"schema:subject:{subject}:latest", _MINUTE, Version)
        else:
            place = Place(f"schema:subject:{subject}:version:{version}", _FIVE_MINUTES, Version)
        return await self._answer(
            ("version", subject, version, visibility),
            (versions_of(subject),),
            partial(super().find_version, subject, version, visibility),
            place if visibility is Visibility.ACTIVE else None,
        )

    async def find_version_by_guid(
        self, subject: Subject, guid: str, visibility: Visibility = Visibility.ACTIVE
    ) -> Version | None:
        return await self._answer(
            ("guid", subject, guid, visibility),
            (versions_of(subject),),
            partial(super().find_version_by_guid, subject, guid, visibility),
            keeps_absence=True,
        )

    async def list_version_keys(
        self, subject: Subject, visibility: Visibility = Visibility.ACTIVE, page: Page = EVERYTHING
    ) -> list[VersionKey]:
        return await self._list(
            ("keys", subject, visibility, page),
            (versions_of(subject),),
            partial(super().list_version_keys, subject, visibility, page),
        )

    async def list_subjects(
        self,
        context: str | None = None,
        prefix: str = "",
        pattern: str | None = None,
        visibility: Visibility = Visibility.ACTIVE,
        page: Page = EVERYTHING,
    ) -> list[Subject]:
        return await self._list(
            ("subjects", context, prefix, pattern, visibility, page),
            (LISTINGS,),
            partial(super().list_subjects, context, prefix, pattern, visibility, page),
        )

    async def list_versions_of_schema(
        self, context: str, schema_id: int, visibility: Visibility = Visibility.ACTIVE, page: Page = EVERYTHING
    ) -> list[VersionKey]:
        return await self._list(
            ("uses", context, schema_id, visibility, page),
            (uses_of(context, schema_id),),
            partial(super().list_versions_of_schema, context, schema_id, visibility, page),
        )

    async def list_settings(self, subject: Subject) -> tuple[ScopeSettings, ScopeSettings, ScopeSettings]:
        return await self._answer(
            ("settings", subject),
            (settings_of(subject), settings_of(Subject(subject.context, "")), settings_of(EVERYWHERE)),
            partial(super().list_settings, subject),
        )

    async def find_document(self, kind: DocumentKind, name: str, version: int = LATEST) -> Document | None:
        return await self._answer(
            ("document", kind, name, version), (DOCUMENTS,), partial(super().find_document, kind, name, version)
        )

    async def list_documents(self, kind: DocumentKind) -> list[Document]:
        # Most registries have few or no policies, and every validation asks for them.
        return list(
            await self._answer(
                ("documents", kind), (DOCUMENTS,), partial(super().list_documents, kind), keeps_absence=True
            )
        )

    async def _list(
        self, key: tuple[object, ...], scopes: tuple[Scope, ...], ask: Callable[[], Awaitable[list[_Value]]]
    ) -> list[_Value]:
        # The list is the caller's own.
        return list(await self._answer(key, scopes, ask))

    async def _answer(
        self,
        key: tuple[object, ...],
        scopes: tuple[Scope, ...],
        ask: Callable[[], Awaitable[_Value]],
        place: Place | None = None,
        *,
        keeps_absence: bool = False,
    ) -> _Value:
        """Return what is known to hold, or ask the database and keep what it answers.

        That something is not there is kept only on request: names that do not exist are without number.
        """
        if not self._has_reached:
            await self._freshness.reach()
            self._has_reached = True
        cache = self._cache
        found = cache.find(key)
        holds = found is not None and self._freshness.holds(found[0], scopes)
        cache.count("process", holds)
        if found is not None and holds:
            value: _Value = found[1]
            return value
        shared = cache.shared
        if shared is not None and place is not None:
            recalled = await shared.find(place, self._freshness.witness)
            holds = recalled is not None and self._freshness.holds(recalled.mark, scopes)
            cache.count("redis", holds)
            if recalled is not None and holds:
                value = recalled.value
                cache.keep(key, recalled.mark, value, recalled.encoded)
                return value
        # What is read from here on is at least as new as this place.
        mark = self._freshness.mark
        value = await ask()
        if value or keeps_absence:
            payload = _encode(value)
            cache.keep(key, mark, value, len(payload))
            if shared is not None and place is not None:
                shared.keep(place, mark, payload)
        return value


def _text_of(value: object) -> str:
    schema = value.schema if isinstance(value, Version) else value
    return schema.content.text if isinstance(schema, Schema) else ""
