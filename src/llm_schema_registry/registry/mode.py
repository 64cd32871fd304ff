"""Modes of scopes: what writes are taken where (rest-api 4.6 and section 6).

Refuses to know settings, and what IMPORT means to a registration.
"""

from __future__ import annotations

from llm_schema_registry.errors import (
    InvalidMode,
    OperationNotPermitted,
    ReferenceExists,
    SubjectModeNotFound,
    SubjectNotFound,
)
from llm_schema_registry.model import EVERYWHERE, GLOBAL_CONTEXT, TOP_LEVEL, EventType, Mode, Subject
from llm_schema_registry.names import check_subject
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.scopes import load_scopes, wider_scopes
from llm_schema_registry.store.base import Page, Reader, Visibility, Writer


@operation(Permission.READ)
async def get_mode(call: Call, scope: Subject, *, defaults_to_global: bool = False) -> Mode:
    """Return the mode of a scope; the top level always answers. Raises SubjectModeNotFound."""
    if defaults_to_global or scope == TOP_LEVEL:
        return (await load_scopes(call.store.reader, scope)).mode
    mode = await call.store.reader.find_mode(scope)
    if mode is None:
        raise SubjectModeNotFound(scope)
    return mode


@operation(Permission.CONFIGURE)
async def put_mode(call: Call, scope: Subject, mode: Mode | None, *, force: bool = False) -> None:
    """Set the mode of a scope; None clears it.

    To IMPORT without `force`: refused while the scope has active subjects; what is soft-deleted there is removed for
    good. Raises InvalidSubject, InvalidMode, OperationNotPermitted, ReferenceExists.
    """
    if scope != EVERYWHERE:
        check_subject(scope)
    if mode is Mode.FORWARD and scope != EVERYWHERE:
        raise InvalidMode(f"Mode FORWARD is only for the scope of every context, ':{GLOBAL_CONTEXT}:'")
    async with call.store.transaction(lock=(scope,), share=wider_scopes(scope)) as writer:
        scopes = await load_scopes(writer, scope)
        if mode is Mode.IMPORT and not force and scopes.mode is not Mode.IMPORT:
            await _empty(call, writer, scope)
        if mode is None:
            await unset_mode(call, writer, scope)
        elif mode is not scopes.settings[0].mode:
            await writer.put_mode(scope, mode)
            await writer.append_event(call.event(EventType.MODE_CHANGED, scope, mode=mode))


@operation(Permission.CONFIGURE)
async def delete_mode(call: Call, scope: Subject, *, recursive: bool = False) -> Mode | None:
    """Unset the mode of a scope and return it as it was.

    `recursive` on a context unsets its subjects' modes too. When the scope had none: the top level answers the mode
    that was in force, a recursive call None, and otherwise SubjectNotFound is raised.
    """
    async with call.store.transaction(lock=(scope,), share=wider_scopes(scope)) as writer:
        scopes = await load_scopes(writer, scope)
        if recursive and not scope.name:
            for subject, _ in await writer.list_modes(scope.context):
                await unset_mode(call, writer, subject)
        else:
            await unset_mode(call, writer, scope)
    own = scopes.settings[0].mode
    if own is None and scope == TOP_LEVEL:
        return scopes.mode
    if own is None and not recursive:
        raise SubjectNotFound(scope)
    return own


async def unset_mode(call: Call, writer: Writer, scope: Subject) -> None:
    """Unset the mode of a scope, if it has one, in a transaction that locks it."""
    if await writer.find_mode(scope) is not None:
        await writer.delete_mode(scope)
        await writer.append_event(call.event(EventType.MODE_DELETED, scope))


async def _empty(call: Call, writer: Writer, scope: Subject) -> None:
    """Make room for an import: no active subject may be there, and what is soft-deleted goes for good."""
    subjects = [scope] if scope.name else await _subjects_below(writer, scope)
    for subject in subjects:
        if await writer.list_version_keys(subject, Visibility.ACTIVE, Page(limit=1)):
            raise OperationNotPermitted(
                f"Cannot import since subject {subject} is not deleted yet; delete it, or set the mode with force=true"
            )
    doomed = set(subjects)
    for subject in subjects:
        keys = await writer.list_version_keys(subject, Visibility.DELETED)
        for key in keys:
            for referrer in await writer.list_referrers(subject, key.version, Visibility.ALL):
                if referrer.subject not in doomed:
                    raise ReferenceExists(
                        f"Cannot import: version {key.version} of soft-deleted subject {subject} is still referenced "
                        f"by version {referrer.version} of {referrer.subject}"
                    )
    for subject in subjects:
        keys = await writer.list_version_keys(subject, Visibility.DELETED)
        await writer.delete_versions(subject, [key.version for key in keys])
        for key in keys:
            await writer.append_event(
                call.event(EventType.VERSION_DELETED, subject, version=key.version, schema_id=key.schema_id)
            )


async def _subjects_below(reader: Reader, scope: Subject) -> list[Subject]:
    context = None if scope == EVERYWHERE else scope.context
    return await reader.list_subjects(context, visibility=Visibility.ALL)
