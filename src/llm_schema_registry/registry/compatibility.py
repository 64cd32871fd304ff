"""May this schema follow those versions? The one gate that registration and checks pass.

Refuses to know what breaks a reader; it loads versions and asks the engines.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from llm_schema_registry import compatibility, telemetry
from llm_schema_registry.contracts.merge import property_of
from llm_schema_registry.errors import InvalidSchema, VersionNotFound
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
        report = await judge(call, reader, candidate, config, compared, only)
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
        return await judge(call, reader, candidate, config, (), latest)
    metadata = candidate.content(config, latest).metadata
    if level not in compatibility.TRANSITIVE and not config.compatibility_group:
        return await judge(call, reader, candidate, config, (latest,), latest)
    async for batch in _batches(reader, subject, config, metadata):
        report = await judge(call, reader, candidate, config, batch, latest)
        if not report.is_compatible:
            return report
    return await judge(call, reader, candidate, config, (), latest)


async def judge(
    call: Call,
    reader: Reader,
    candidate: Candidate,
    config: Config,
    versions: Sequence[Version],
    latest: Version | None,
) -> Report:
    """Compare with the given versions in their order and stop at the first that fails; then the reserved fields.

    `latest` is the version that `validateFields` looks at. The report holds the findings of the last comparison.
    """
    level = config.compatibility_level or call.policy.default_level
    policy = config.compatibility_policy or CompatibilityPolicy.STRICT
    fmt = get_format(call.engines.formats, candidate.schema_type)
    report = Report(is_compatible=True)
    for version in versions:
        content = version.schema.content
        try:
            parsed = await parse_stored(call, reader, version)
        except InvalidSchema as error:
            reason = f"Version {version.version} cannot be compared: {error}"
            message = f'{{errorType:"UNREADABLE_VERSION", description:"{reason}"}}'
            report = Report(is_compatible=False, messages=(message,))
            break
        previous = compatibility.Previous(version.version, content.schema_type, content.text, parsed)
        report = await call.engines.run(compatibility.compare, level, policy, fmt, candidate.parsed, previous)
        if not report.is_compatible:
            break
    messages = list(report.messages)
    if config.validate_fields:
        metadata = candidate.content(config, latest).metadata
        previously = _reserved(latest.schema.content.metadata if latest else None)
        messages += compatibility.reserved_field_problems(candidate.parsed, _reserved(metadata), previously)
    if messages:
        messages.append(compatibility.tail(level, validates_fields=bool(config.validate_fields)))
    return Report(is_compatible=not messages, messages=tuple(messages), findings=report.findings)


async def are_compatible(
    call: Call,
    reader: Reader,
    version: Version,
    earlier: Version,
    level: CompatibilityLevel,
    policy: CompatibilityPolicy | None,
) -> bool:
    """Whether a stored version is compatible with an earlier one at a level; other settings do not count."""
    content = earlier.schema.content
    candidate = await parse_stored(call, reader, version)
    previous = compatibility.Previous(
        earlier.version, content.schema_type, content.text, await parse_stored(call, reader, earlier)
    )
    fmt = get_format(call.engines.formats, version.schema.content.schema_type)
    report = await call.engines.run(
        compatibility.compare, level, policy or CompatibilityPolicy.STRICT, fmt, candidate, previous
    )
    return report.is_compatible


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
