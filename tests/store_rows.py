"""Rows for the suites of the store's contract: short ways to write what a registration writes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from llm_schema_registry.model import (
    DEFAULT_CONTEXT,
    Event,
    EventType,
    Metadata,
    Reference,
    RuleSet,
    SchemaContent,
    Subject,
    VersionKey,
)
from llm_schema_registry.store.base import Store, Visibility, Writer
from llm_schema_registry.store.sql import _MIGRATION, SqlStore

T = TypeVar("T")

NOW = 1_760_000_000_000


def named(name: str, context: str = DEFAULT_CONTEXT) -> Subject:
    return Subject(context, name)


def content(
    text: str,
    references: Sequence[Reference] = (),
    metadata: Metadata | None = None,
    rule_set: RuleSet | None = None,
) -> SchemaContent:
    return SchemaContent("AVRO", text, tuple(references), metadata, rule_set)


def guid_of(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogatepass")).hexdigest()


async def write(
    writer: Writer,
    subject: Subject,
    body: str | SchemaContent,
    schema_id: int | None = None,
    version: int | None = None,
) -> VersionKey:
    """Do what a registration does inside its transaction."""
    body = content(body) if isinstance(body, str) else body
    schema = await writer.add_schema(subject.context, guid_of(body.text), body, schema_id)
    number = version or await writer.next_version(subject)
    await writer.add_version(subject, number, schema.id, registered_at=NOW, registered_by="someone")
    await writer.append_event(event(subject, version=number, schema_id=schema.id))
    return VersionKey(subject, number, schema.id)


async def register(
    store: Store, subject: Subject, body: str | SchemaContent, schema_id: int | None = None, version: int | None = None
) -> VersionKey:
    """Register in a transaction of its own."""
    async with store.transaction(lock=[subject]) as writer:
        return await write(writer, subject, body, schema_id, version)


async def soft_delete(store: Store, subject: Subject, *versions: int) -> None:
    async with store.transaction(lock=[subject]) as writer:
        await writer.soft_delete_versions(subject, versions)


async def delete(store: Store, subject: Subject, *versions: int) -> None:
    async with store.transaction(lock=[subject]) as writer:
        await writer.delete_versions(subject, versions)


async def numbers(store: Store, subject: Subject, visibility: Visibility = Visibility.ACTIVE) -> list[int]:
    return [key.version for key in await store.reader.list_version_keys(subject, visibility)]


def event(subject: Subject, version: int | None = None, schema_id: int | None = None, actor: str = "someone") -> Event:
    return Event(EventType.VERSION_REGISTERED, subject, actor, "request-1", NOW, version, schema_id)


async def in_migration(store: SqlStore, work: Callable[[Connection], T]) -> T:
    """Do something to the tables by SQLAlchemy, where migrations do; it is committed."""
    done: list[T] = []
    await store._database.migrate(lambda connection: done.append(work(connection)), _MIGRATION)
    return done[0]
