"""May this schema follow those versions? The one gate that registration and checks pass.

Refuses to know what breaks a reader; it loads versions and asks the engines.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from llm_schema_registry import compatibility, telemetry
from llm_schema_registry.compatibility import MAX_FINDINGS, Judge, Side
from llm_schema_registry.contracts.merge import property_of
from llm_schema_registry.errors import InvalidSchema, TooComplex, VersionNotFound
from llm_schema_registry.formats import get_format
from llm_schema_registry.model import (
    LATEST,
    CompatibilityLevel,
    CompatibilityPolicy,
    Config,
    Metadata,
    Report,
    Subject,
    Submission,
    Version,
)
from llm_schema_registry.registry.candidate import Candidate, parse_stored, understand
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.scopes import settle
from llm_schema_registry.store.base import Page, Reader, Visibility

RESERVED_PROPERTY = "confluent:reserved"
_BATCH = 50


@operation(Permission.READ)
async def check(
    call: Call, subject: Subject, submission: Submission, version: int | None = None, *, normalize: bool = False
) -> Report:
    """Say whether a schema could be registered.

    With `version`: compared with that one only, whatever the level; `LATEST` of an empty subject is compatible.
    Without: with the versions that registration would compare. Raises InvalidSchema, VersionNotFound.
    """
    reader = call.store.reader
    scopes = await settle(reader, subject)
    subject, config = scopes.subject, scopes.config(call.policy.default_level)
    only: Version | None = None
    if version is not None:
        only = await reader.find_version(subject, version)
        if only is None and version != LATEST:
            raise VersionNotFound(version)
    candidate = await understand(call, reader, subject, submission, config, normalize=normalize)
    if version is not None:
        metadata = candidate.content(config, only).metadata
        compared = () if only is None or not _is_in_group(only, metadata, config) else (only,)
        report = await compare_all(call, reader, candidate, config, compared, only)
    else:
        latest = await reader.find_version(subject, LATEST)
        report = await gate(call, reader, subject, candidate, config, latest)
    telemetry.compatibility_check("compatible" if report.is_compatible else "incompatible")
    return report


async def gate(
    call: Call, reader: Reader, subject: Subject, candidate: Candidate, config: Config, latest: Version | None
) -> Report:
    """Compare a candidate with the versions that its subject's level names (compatibility-rules 1.1, 1.6)."""
    level = config.compatibility_level
    if latest is None or level is CompatibilityLevel.NONE:
        return await compare_all(call, reader, candidate, config, (), latest)
    metadata = candidate.content(config, latest).metadata
    if level not in compatibility.TRANSITIVE and not config.compatibility_group:
        return await compare_all(call, reader, candidate, config, (latest,), latest)
    report = Report(is_compatible=True)
    async for batch in _batches(reader, subject, config, metadata):
        report = join_reports(report, await compare_all(call, reader, candidate, config, batch, latest))
        if not report.is_compatible:
            return report
    return join_reports(report, await compare_all(call, reader, candidate, config, (), latest))


async def compare_all(
    call: Call,
    reader: Reader,
    candidate: Candidate,
    config: Config,
    versions: Sequence[Version],
    latest: Version | None,
    *,
    is_thorough: bool = False,
) -> Report:
    """Compare with the given versions in their order and stop at the first that fails; then the reserved fields.

    `latest` is the version that `validateFields` looks at. Raises TooComplex with the report until then.
    """
    judge = judge_of(call, config, is_thorough=is_thorough)
    fmt = get_format(call.engines.formats, candidate.schema_type)
    side = Side(candidate.schema_type, candidate.submission.text, candidate.parsed)
    report = Report(is_compatible=True, level=judge.level, policy=judge.policy)
    for version in versions:
        try:
            previous = await side_of(call, reader, version)
            report = join_reports(report, await call.engines.run(judge.compare, fmt, side, previous))
        except InvalidSchema as error:
            reason = f"Version {version.version} cannot be compared: {error}"
            message = f'{{errorType:"UNREADABLE_VERSION", description:"{reason}"}}'
            report = msgspec.structs.replace(report, is_compatible=False, messages=(message,))
        except TooComplex as error:
            raise TooComplex(str(error), join_reports(report, error.report)) from None
        if not report.is_compatible:
            break
    messages = list(report.messages)
    if config.validate_fields:
        metadata = candidate.content(config, latest).metadata
        previously = _reserved(latest.schema.content.metadata if latest else None)
        messages += compatibility.reserved_field_problems(candidate.parsed, _reserved(metadata), previously)
    if messages:
        messages.append(compatibility.tail(judge.level, validates_fields=bool(config.validate_fields)))
    return msgspec.structs.replace(report, is_compatible=not messages, messages=tuple(messages))


async def are_compatible(
    call: Call,
    reader: Reader,
    version: Version,
    earlier: Version,
    level: CompatibilityLevel,
    policy: CompatibilityPolicy | None,
) -> bool:
    """Whether a stored version is compatible with an earlier one at a level; other settings do not count."""
    judge = judge_of(call, Config(compatibility_level=level, compatibility_policy=policy))
    fmt = get_format(call.engines.formats, version.schema.content.schema_type)
    candidate, previous = await side_of(call, reader, version), await side_of(call, reader, earlier)
    report = await call.engines.run(judge.compare, fmt, candidate, previous)
    return report.is_compatible


def judge_of(call: Call, config: Config, *, is_thorough: bool = False) -> Judge:
    """Return the judge that settings ask for."""
    return Judge(
        level=config.compatibility_level or call.policy.default_level,
        policy=config.compatibility_policy or call.policy.default_policy,
        budget_seconds=call.policy.compare_seconds,
        is_thorough=is_thorough,
    )


async def side_of(call: Call, reader: Reader, version: Version) -> Side:
    """Return a stored version as a side of a comparison. Raises InvalidSchema when today's rules refuse it."""
    content = version.schema.content
    return Side(content.schema_type, content.text, await parse_stored(call, reader, version), version.version)


def join_reports(report: Report, further: Report | None) -> Report:
    """Return what two comparisons of one candidate found, one after the other; the later one has the last word."""
    if further is None:
        return report
    return msgspec.structs.replace(
        further,
        findings=(*report.findings, *further.findings)[:MAX_FINDINGS],
        compared=(*report.compared, *further.compared),
        are_hazards_complete=report.are_hazards_complete and further.are_hazards_complete,
    )


async def _batches(
    reader: Reader, subject: Subject, config: Config, metadata: Metadata | None
) -> AsyncIterator[Sequence[Version]]:
    """The versions to compare, newest first, a bounded number at a time."""
    level = config.compatibility_level
    offset = 0
    while versions := await reader.list_versions(subject, Visibility.ACTIVE, Page(offset, _BATCH)):
        offset += len(versions)
        versions = [version for version in versions if _is_in_group(version, metadata, config)]
        if level in compatibility.TRANSITIVE:
            yield versions
        elif versions:
            yield versions[:1]
            return


def _is_in_group(version: Version, metadata: Metadata | None, config: Config) -> bool:
    """Whether a version belongs to the compatibility group of a candidate's metadata (compatibility-rules 1.6)."""
    group = config.compatibility_group
    return not group or property_of(version.schema.content.metadata, group) == property_of(metadata, group)


def _reserved(metadata: Metadata | None) -> list[str]:
    names = (property_of(metadata, RESERVED_PROPERTY) or "").split(",")
    return [name.strip() for name in names if name.strip()]
