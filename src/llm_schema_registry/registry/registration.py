"""Registering a schema under a subject (rest-api 4.3 and section 5).

Refuses to know formats and SQL; `candidate` understands, `compatibility` judges, the store keeps.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from llm_schema_registry import telemetry
from llm_schema_registry.contracts.merge import VERSION_PROPERTY, amend_rule_set, property_of, without_number
from llm_schema_registry.errors import (
    IdDoesNotMatch,
    IncompatibleSchema,
    InvalidConstraint,
    InvalidRuleSet,
    InvalidSchema,
    OperationNotPermitted,
    PolicyNotMet,
    SchemaTooLarge,
    TooComplex,
)
from llm_schema_registry.model import (
    LATEST,
    CompatibilityLevel,
    CompatibilityPolicy,
    Config,
    EntityTags,
    EventType,
    Metadata,
    Mode,
    Report,
    RuleSet,
    Schema,
    SchemaContent,
    Subject,
    Submission,
    Version,
)
from llm_schema_registry.names import check_subject
from llm_schema_registry.registry.candidate import Candidate, understand
from llm_schema_registry.registry.config import change_config
from llm_schema_registry.registry.contracts import check_content
from llm_schema_registry.registry.gate import gate, judge_of
from llm_schema_registry.registry.identity import guid_of
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.references import resolve
from llm_schema_registry.registry.reports import keep_report
from llm_schema_registry.registry.scopes import load_scopes, settle, wider_scopes
from llm_schema_registry.registry.subjects import get_version
from llm_schema_registry.store.base import IdTaken, Reader, VersionFilter, Visibility, Writer

OWNER_PROPERTY = "owner"


class Registered(msgspec.Struct, frozen=True):
    """What a registration came to. The report is empty when nothing was compared, and kept when it tells of hazards."""

    version: Version
    is_new: bool
    report: Report = Report(is_compatible=True)


class _Rehearsed(Exception):
    """Ends a transaction that must leave nothing behind."""

    def __init__(self, registered: Registered) -> None:
        self.registered = registered


@operation(Permission.WRITE)
async def register(
    call: Call,
    subject: Subject,
    submission: Submission,
    *,
    normalize: bool = False,
    force: bool = False,
    level: CompatibilityLevel | None = None,
) -> Registered:
    """Register a schema; a content that is active there already stays as it is.

    `force` skips the compatibility check. `level` becomes the subject's compatibility level in the same transaction
    and is the one that the check uses. Atomic: nothing is left behind by a refusal. Raises InvalidSubject,
    InvalidSchema, SchemaTooLarge, InvalidRuleSet, InvalidConstraint, PolicyNotMet, OperationNotPermitted,
    IdDoesNotMatch, IncompatibleSchema, TooComplex.
    """
    changes = {} if level is None else {"compatibility_level": level}
    try:
        registered = await _enter(call, subject, submission, changes, normalize=normalize, force=force)
    except IncompatibleSchema as refused:
        telemetry.registration("incompatible")
        report = await keep_report(call, subject, refused.report)
        raise IncompatibleSchema(refused.subject, report) from None
    except (InvalidSchema, InvalidRuleSet, InvalidConstraint, PolicyNotMet, SchemaTooLarge, TooComplex):
        telemetry.registration("invalid")
        raise
    telemetry.registration("created" if registered.is_new else "existing")
    return msgspec.structs.replace(registered, report=await keep_report(call, subject, registered.report))


@operation(Permission.READ)
async def rehearse(
    call: Call,
    subject: Subject,
    submission: Submission,
    *,
    normalize: bool = False,
    level: CompatibilityLevel | None = None,
    policy: CompatibilityPolicy | None = None,
) -> Registered:
    """Do all that a registration does, with a thorough report, and roll it back.

    `level` and `policy` are those that the subject would have. Raises what `register` raises; an incompatible schema
    too, with the report.
    """
    changes = {"compatibility_level": level, "compatibility_policy": policy}
    stated = {name: value for name, value in changes.items() if value is not None}
    try:
        registered = await _enter(call, subject, submission, stated, normalize=normalize, is_rehearsal=True)
    except _Rehearsed as end:
        registered = end.registered
    except IncompatibleSchema:
        telemetry.compatibility_check("incompatible")
        raise
    telemetry.compatibility_check("compatible")
    return registered


async def _enter(
    call: Call,
    subject: Subject,
    submission: Submission,
    changes: Mapping[str, object],
    *,
    normalize: bool,
    force: bool = False,
    is_rehearsal: bool = False,
) -> Registered:
    """Take a submission from its text to a version; `changes` are settings that the subject gets first."""
    reader = call.store.reader
    scopes = await settle(reader, subject)
    subject = scopes.subject
    check_subject(subject)
    mode = scopes.require_writable()
    _check_id(submission, mode)
    config = scopes.config(call.policy.default_level)
    candidate = await understand(
        call, reader, subject, submission, config, normalize=normalize, is_import=mode is Mode.IMPORT
    )
    if not changes and mode is not Mode.IMPORT:
        latest = await reader.find_version(subject, LATEST)
        existing = await _find_active(reader, subject, candidate, config, latest)
        if existing is not None:
            return Registered(existing, is_new=False, report=_nothing_compared(call, config))
    share = (*wider_scopes(subject), *candidate.referenced_subjects(subject.context))
    async with call.store.transaction(lock=(subject,), share=share) as writer:
        if changes:
            await change_config(call, writer, subject, changes)
        # Read again under the lock: between understanding and here, mode, settings and references may have changed.
        reader = writer if changes else writer.committed
        scopes = await load_scopes(reader, subject)
        if scopes.require_writable() is not mode:
            raise OperationNotPermitted(f"The mode of subject {subject} changed during the registration; try again")
        config = scopes.config(call.policy.default_level)
        await resolve(reader, subject.context, candidate.references, are_new=True)
        if mode is Mode.IMPORT:
            registered = await _import(call, writer, subject, candidate)
        else:
            checks = not force and mode is not Mode.FORWARD
            registered = await _register(
                call, reader, writer, subject, candidate, config, checks=checks, is_thorough=is_rehearsal
            )
        if is_rehearsal:
            raise _Rehearsed(registered)
    return registered


@operation(Permission.WRITE)
async def amend(
    call: Call,
    subject: Subject,
    version: int,
    *,
    new_version: int | None = None,
    tags_to_add: tuple[EntityTags, ...] = (),
    tags_to_remove: tuple[EntityTags, ...] = (),
    metadata: Metadata | None = None,
    rule_set: RuleSet | None = None,
    rules_to_merge: RuleSet | None = None,
    rules_to_remove: tuple[str, ...] = (),
) -> Registered:
    """Register a copy of a version with other inline tags, metadata or rules as a new version.

    Raises what `register` raises, SubjectNotFound, VersionNotFound, and InvalidRuleSet when a whole rule set is given
    together with rules to merge or remove.
    """
    if rule_set is not None and (rules_to_merge is not None or rules_to_remove):
        raise InvalidRuleSet("ruleSet can not be given together with rulesToMerge or rulesToRemove")
    base = await get_version(call, subject, version, in_other_contexts=False)
    content = base.schema.content
    if metadata is None:
        metadata = without_number(content.metadata) or Metadata()
    if rule_set is None:
        rule_set = amend_rule_set(content.rule_set, rules_to_merge, rules_to_remove)
    submission = Submission(
        schema_type=content.schema_type,
        text=content.text,
        references=content.references,
        metadata=metadata,
        rule_set=rule_set,
        version=new_version,
        tags_to_add=tags_to_add,
        tags_to_remove=tags_to_remove,
    )
    return await register(call, base.subject, submission)


def _check_id(submission: Submission, mode: Mode) -> None:
    if mode is Mode.IMPORT:
        if submission.id is None or submission.id < 1:
            raise OperationNotPermitted("In IMPORT mode a registration must carry the id of the schema")
    elif submission.id is not None and submission.id > 0:
        raise OperationNotPermitted("Only in IMPORT mode may a registration carry an id; set the mode first")


async def _find_active(
    reader: Reader, subject: Subject, candidate: Candidate, config: Config, latest: Version | None
) -> Version | None:
    """Find the active version that a registration would repeat. Version -1 compares with the latest only."""
    if latest is None:
        return None
    contents = candidate.repeated_contents(config, latest)
    # Mostly they are one and the same, which is seen sooner than computed.
    for guid in [guid_of(content) for place, content in enumerate(contents) if content not in contents[:place]]:
        existing = await reader.find_version_by_guid(subject, guid, Visibility.ALL)
        if existing is not None and existing.is_deleted:
            existing = await reader.find_version_by_guid(subject, guid)
        if existing is None:
            continue
        if candidate.submission.version == LATEST and existing.version != latest.version:
            raise InvalidSchema(
                f"The schema is version {existing.version} of subject {subject}, not the latest, which is "
                f"{latest.version}"
            )
        return existing
    return None


async def _register(
    call: Call,
    reader: Reader,
    writer: Writer,
    subject: Subject,
    candidate: Candidate,
    config: Config,
    *,
    checks: bool,
    is_thorough: bool,
) -> Registered:
    """Find or make the version; `reader` knows the subject as it is under the lock."""
    latest = await reader.find_version(subject, LATEST)
    existing = await _find_active(reader, subject, candidate, config, latest)
    if existing is not None:
        return Registered(existing, is_new=False, report=_nothing_compared(call, config))
    content = candidate.content(config, latest)
    if call.policy.requires_owner and not property_of(content.metadata, OWNER_PROPERTY):
        raise InvalidSchema(f"A schema needs an owner here: set the metadata property '{OWNER_PROPERTY}' to a team")
    number = await writer.next_version(subject)
    stated = property_of(content.metadata, VERSION_PROPERTY)
    if stated is not None and stated != str(number):
        raise InvalidSchema(f"Version {stated} was asked for, but the next version of subject {subject} is {number}")
    report = Report(is_compatible=True)
    await check_content(call, reader, subject, content, candidate.parsed, config)
    if checks:
        report = await gate(call, reader, subject, candidate, config, latest, is_thorough=is_thorough)
        if not report.is_compatible:
            raise IncompatibleSchema(subject, report)
    guid = guid_of(content)
    has_twins = await reader.find_version_by_guid(subject, guid, Visibility.ALL) is not None
    schema = await writer.add_schema(subject.context, guid, content)
    version = await _add(call, writer, subject, number, schema.id, content)
    if has_twins:
        await _drop_deleted_twins(call, writer, version)
    return Registered(version, is_new=True, report=report)


def _nothing_compared(call: Call, config: Config) -> Report:
    judge = judge_of(call, config)
    return Report(is_compatible=True, level=judge.level, policy=judge.policy)


async def _import(call: Call, writer: Writer, subject: Subject, candidate: Candidate) -> Registered:
    """Keep the caller's id and version number (rest-api 5.4). Repeating an import changes nothing."""
    content = candidate.given_content()
    guid = guid_of(content)
    schema_id = candidate.submission.id or 0
    number = candidate.submission.version
    if number is None or number < 1:
        number = await _number_of_import(writer, subject, schema_id)
    existing = await writer.find_version(subject, number, Visibility.ALL)
    if existing is not None:
        if existing.schema.guid != guid:
            raise OperationNotPermitted(f"Version {number} of subject {subject} already holds another schema")
        if existing.schema.id != schema_id:
            raise IdDoesNotMatch(
                f"Version {number} of subject {subject} has id {existing.schema.id} for this schema, not {schema_id}"
            )
        if not existing.is_deleted:
            return Registered(existing, is_new=False)
        # An import that finds its version soft-deleted brings it back.
        await writer.delete_versions(subject, [number])
    try:
        await writer.add_schema(subject.context, guid, content, schema_id)
    except IdTaken:
        raise OperationNotPermitted(
            f"Id {schema_id} already names another schema in context '{subject.context}'"
        ) from None
    return Registered(await _add(call, writer, subject, number, schema_id, content), is_new=True)


async def _number_of_import(writer: Writer, subject: Subject, schema_id: int) -> int:
    """Return the version of the subject that has this id already, or else the next number."""
    uses = await writer.search_versions(
        VersionFilter(subject=subject, schema_ids=(schema_id,), visibility=Visibility.ALL)
    )
    active = [use.version for use in uses if not use.is_deleted]
    return active[-1] if active else uses[-1].version if uses else await writer.next_version(subject)


async def _add(
    call: Call, writer: Writer, subject: Subject, number: int, schema_id: int, content: SchemaContent
) -> Version:
    now = call.clock()
    await writer.add_version(subject, number, schema_id, registered_at=now, registered_by=call.actor.name)
    await writer.append_event(
        call.event(EventType.VERSION_REGISTERED, subject, version=number, schema_id=schema_id, type=content.schema_type)
    )
    schema = Schema(context=subject.context, id=schema_id, guid=guid_of(content), content=content)
    return Version(
        subject=subject,
        version=number,
        schema=schema,
        is_deleted=False,
        registered_at=now,
        registered_by=call.actor.name,
    )


async def _drop_deleted_twins(call: Call, writer: Writer, version: Version) -> None:
    """Remove soft-deleted versions of the same content, unless still referred to (rest-api 5.2, step 5)."""
    for key in await writer.list_version_keys(version.subject, Visibility.DELETED):
        if key.schema_id != version.schema.id:
            continue
        if await writer.list_referrers(version.subject, key.version, Visibility.ALL):
            continue
        await writer.delete_versions(version.subject, [key.version])
        await writer.append_event(
            call.event(EventType.VERSION_DELETED, version.subject, version=key.version, schema_id=key.schema_id)
        )
