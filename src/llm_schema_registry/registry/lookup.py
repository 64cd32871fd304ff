"""Finding the version of a subject that holds a schema (rest-api 4.2); nothing is written.

Refuses to know formats and SQL; `candidate` understands, the store keeps.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from llm_schema_registry.contracts.merge import without_number
from llm_schema_registry.errors import InvalidSchema, SchemaNotFound, SubjectNotFound
from llm_schema_registry.model import DEFAULT_CONTEXT, LATEST, Subject, Submission, Version
from llm_schema_registry.registry.candidate import Candidate, parse_stored, understand
from llm_schema_registry.registry.identity import guid_of
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.scopes import load_scopes, settle
from llm_schema_registry.store.base import Page, Reader, Visibility

_SCAN_BATCH = 50


@operation(Permission.READ)
async def lookup(
    call: Call, subject: Subject, submission: Submission, *, normalize: bool = False, includes_deleted: bool = False
) -> Version:
    """Find the version of a subject that has this schema; nothing is written.

    Tried in this order: the exact content; newest to oldest a version that is equal but for references being inlined
    on one side (under `normalize` also one that was stored without normalising); the content with what it would
    inherit; an unqualified subject's namesakes in other contexts. Raises SubjectNotFound, SchemaNotFound,
    InvalidSchema.
    """
    reader = call.store.reader
    subject = (await settle(reader, subject)).subject
    visibility = Visibility.ALL if includes_deleted else Visibility.ACTIVE
    found = await _lookup_in(call, reader, subject, submission, normalize, visibility)
    if found is not None:
        return found
    if subject.context == DEFAULT_CONTEXT:
        for context in await reader.list_contexts():
            if context != DEFAULT_CONTEXT:
                namesake = Subject(context, subject.name)
                try:
                    found = await _lookup_in(call, reader, namesake, submission, normalize, visibility)
                except InvalidSchema:
                    # References may exist in one context only; another context's failure says nothing to this caller.
                    continue
                if found is not None:
                    return found
    if not await reader.list_version_keys(subject, visibility, Page(limit=1)):
        raise SubjectNotFound(subject)
    raise SchemaNotFound


async def _lookup_in(
    call: Call, reader: Reader, subject: Subject, submission: Submission, normalize: bool, visibility: Visibility
) -> Version | None:
    if not await reader.list_version_keys(subject, visibility, Page(limit=1)):
        return None
    config = (await load_scopes(reader, subject)).config(call.policy.default_level)
    candidate = await understand(call, reader, subject, submission, config, normalize=normalize, is_lookup=True)
    exact = await reader.find_version_by_guid(subject, guid_of(candidate.given_content()), visibility)
    if exact is not None:
        return exact
    async for version in _newest_first(reader, subject, visibility):
        if await _is_same_schema(call, reader, candidate, version):
            return version
    latest = await reader.find_version(subject, LATEST)
    return await reader.find_version_by_guid(subject, guid_of(candidate.content(config, latest)), visibility)


async def _newest_first(reader: Reader, subject: Subject, visibility: Visibility) -> AsyncIterator[Version]:
    offset = 0
    while versions := await reader.list_versions(subject, visibility, Page(offset, _SCAN_BATCH)):
        offset += len(versions)
        for version in versions:
            yield version


async def _is_same_schema(call: Call, reader: Reader, candidate: Candidate, version: Version) -> bool:
    """Whether a stored version is the candidate but for how its parts are spelt: by reference or inline.

    Metadata and rules count only when they were given.
    """
    content = version.schema.content
    given = candidate.given_content()
    if (
        content.schema_type != given.schema_type
        or given.metadata not in (None, content.metadata, without_number(content.metadata))
        or given.rule_set not in (None, content.rule_set)
    ):
        return False
    if content.text == given.text and content.references == given.references:
        return True
    spelt_otherwise = bool(content.references) != bool(given.references)
    if not spelt_otherwise and not candidate.is_normalized:
        return False
    stored = await parse_stored(call, reader, version)
    if candidate.is_normalized and stored.normalized == candidate.parsed.normalized:
        return True
    return spelt_otherwise and stored.inlined == candidate.parsed.inlined
