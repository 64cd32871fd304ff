"""Subjects and their versions: reading, listing, deleting (rest-api 4.2, 4.3 and 5.5).

Refuses to know how schemas are registered or compared.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_registry.errors import (
    ReferenceExists,
    SchemaNotFound,
    SubjectNotFound,
    SubjectNotSoftDeleted,
    SubjectSoftDeleted,
    VersionNotFound,
    VersionNotSoftDeleted,
    VersionSoftDeleted,
)
from llm_schema_registry.model import DEFAULT_CONTEXT, EventType, Subject, Version, VersionKey
from llm_schema_registry.registry.config import unset_config
from llm_schema_registry.registry.mode import unset_mode
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.scopes import load_scopes, settle, wider_scopes
from llm_schema_registry.store.base import EVERYTHING, Page, Reader, VersionFilter, Visibility, Writer


@operation(Permission.READ)
async def list_subjects(
    call: Call,
    *,
    context: str | None = None,
    prefix: str = "",
    pattern: str | None = None,
    visibility: Visibility = Visibility.ACTIVE,
    page: Page = EVERYTHING,
) -> list[Subject]:
    """List subjects by qualified name. `context` None is every context; `pattern` takes `*` for any characters."""
    return await call.store.reader.list_subjects(context, prefix, pattern, visibility, page)


@operation(Permission.READ)
async def list_versions(
    call: Call, subject: Subject, *, visibility: Visibility = Visibility.ACTIVE, page: Page = EVERYTHING
) -> list[VersionKey]:
    """List a subject's versions, oldest first. Raises SubjectNotFound when none is visible at all."""
    reader = call.store.reader
    subject = (await settle(reader, subject)).subject
    keys = await reader.list_version_keys(subject, visibility, page)
    if not keys and not await reader.list_version_keys(subject, visibility, Page(limit=1)):
        raise SubjectNotFound(subject)
    return keys


@operation(Permission.READ)
async def get_version(
    call: Call, subject: Subject, version: int, *, includes_deleted: bool = False, in_other_contexts: bool = True
) -> Version:
    """Return a version; `LATEST` never answers a soft-deleted one.

    An unqualified subject that is missing here is looked for `in_other_contexts`. Raises SubjectNotFound when the
    subject has no visible version, VersionNotFound otherwise.
    """
    reader = call.store.reader
    subject = (await settle(reader, subject)).subject
    visibility = Visibility.ALL if includes_deleted else Visibility.ACTIVE
    found = await reader.find_version(subject, version, visibility)
    if found is not None:
        return found
    if await reader.list_version_keys(subject, visibility, Page(limit=1)):
        raise VersionNotFound(version)
    if in_other_contexts and subject.context == DEFAULT_CONTEXT:
        for context in await reader.list_contexts():
            found = await reader.find_version(Subject(context, subject.name), version, visibility)
            if found is not None:
                return found
    raise SubjectNotFound(subject)


@operation(Permission.READ)
async def find_by_metadata(
    call: Call, subject: Subject, properties: Sequence[tuple[str, str]], *, includes_deleted: bool = False
) -> Version:
    """Return the newest version whose metadata has every property. Raises SubjectNotFound, SchemaNotFound."""
    reader = call.store.reader
    subject = (await settle(reader, subject)).subject
    visibility = Visibility.ALL if includes_deleted else Visibility.ACTIVE
    if not await reader.list_version_keys(subject, visibility, Page(limit=1)):
        raise SubjectNotFound(subject)
    found = await reader.search_versions(
        VersionFilter(subject=subject, properties=tuple(properties), visibility=visibility)
    )
    if not found:
        raise SchemaNotFound
    return found[-1]


@operation(Permission.DELETE)
async def delete_version(call: Call, subject: Subject, version: int, *, permanent: bool = False) -> int:
    """Delete a version, softly or (after that) for good, and return its number.

    Checked in the order of rest-api 4.3. Raises VersionSoftDeleted, SubjectNotFound, VersionNotFound,
    OperationNotPermitted, ReferenceExists, VersionNotSoftDeleted.
    """
    subject = (await settle(call.store.reader, subject)).subject
    async with call.store.transaction(lock=(subject,), share=wider_scopes(subject)) as writer:
        found = await writer.find_version(subject, version, Visibility.ALL)
        if found is not None and found.is_deleted and not permanent:
            raise VersionSoftDeleted(subject, found.version)
        if found is None:
            visibility = Visibility.ALL if permanent else Visibility.ACTIVE
            if await writer.list_version_keys(subject, visibility, Page(limit=1)):
                raise VersionNotFound(version)
            raise SubjectNotFound(subject)
        (await load_scopes(writer, subject)).require_writable()
        key = VersionKey(subject, found.version, found.schema.id, found.is_deleted)
        await _require_unreferenced(writer, key, permanent=permanent)
        if permanent:
            if not found.is_deleted:
                raise VersionNotSoftDeleted(subject, found.version)
            await _delete_for_good(call, writer, subject, [key])
        else:
            await _soft_delete(call, writer, subject, [key])
    return found.version


@operation(Permission.DELETE)
async def delete_subject(call: Call, subject: Subject, *, permanent: bool = False) -> list[int]:
    """Delete all versions of a subject, softly or (after that) for good, and return their numbers.

    Checked in the order of rest-api 4.2; references from within the subject do not hold it. Raises SubjectNotFound,
    SubjectSoftDeleted, OperationNotPermitted, ReferenceExists, SubjectNotSoftDeleted.
    """
    subject = (await settle(call.store.reader, subject)).subject
    async with call.store.transaction(lock=(subject,), share=wider_scopes(subject)) as writer:
        keys = await writer.list_version_keys(subject, Visibility.ALL)
        if not keys:
            raise SubjectNotFound(subject)
        if not permanent:
            keys = [key for key in keys if not key.is_deleted]
            if not keys:
                raise SubjectSoftDeleted(subject)
        (await load_scopes(writer, subject)).require_writable()
        for key in keys:
            await _require_unreferenced(writer, key, permanent=permanent, except_by=subject)
            if permanent and not key.is_deleted:
                raise SubjectNotSoftDeleted(subject)
        if permanent:
            await _delete_for_good(call, writer, subject, keys)
        else:
            await _soft_delete(call, writer, subject, keys)
    return [key.version for key in keys]


async def _require_unreferenced(
    reader: Reader, key: VersionKey, *, permanent: bool, except_by: Subject | None = None
) -> None:
    """Raise ReferenceExists when a version is referred to; a permanent delete minds soft-deleted referrers too."""
    visibility = Visibility.ALL if permanent else Visibility.ACTIVE
    referrers = await reader.list_referrers(key.subject, key.version, visibility)
    holders = [referrer for referrer in referrers if referrer.subject != except_by]
    if holders:
        named = ", ".join(f"{holder.subject} version {holder.version}" for holder in holders[:5])
        more = f" and {len(holders) - 5} more" if len(holders) > 5 else ""
        raise ReferenceExists(
            f"One or more references exist to subject {key.subject} version {key.version}: {named}{more}; "
            "delete those first"
        )


async def _soft_delete(call: Call, writer: Writer, subject: Subject, keys: Sequence[VersionKey]) -> None:
    await writer.soft_delete_versions(subject, [key.version for key in keys])
    for key in keys:
        await writer.append_event(
            call.event(EventType.VERSION_SOFT_DELETED, subject, version=key.version, schema_id=key.schema_id)
        )


async def _delete_for_good(call: Call, writer: Writer, subject: Subject, keys: Sequence[VersionKey]) -> None:
    """Remove versions; with the subject's last one its settings and mode go too (rest-api 5.5)."""
    await writer.delete_versions(subject, [key.version for key in keys])
    for key in keys:
        await writer.append_event(
            call.event(EventType.VERSION_DELETED, subject, version=key.version, schema_id=key.schema_id)
        )
    # The scope of the empty subject is its whole context, whose settings outlive it.
    if subject.name and not await writer.list_version_keys(subject, Visibility.ALL, Page(limit=1)):
        await unset_config(call, writer, subject)
        await unset_mode(call, writer, subject)
