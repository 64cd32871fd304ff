"""Asking whether a schema would be compatible; nothing is written.

Refuses to judge: that is the gate's, which registrations pass too.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_registry import telemetry
from llm_schema_registry.errors import VersionNotFound
from llm_schema_registry.formats import get_format
from llm_schema_registry.model import (
    LATEST,
    CompatibilityLevel,
    CompatibilityPolicy,
    Config,
    Report,
    Subject,
    Submission,
    Version,
)
from llm_schema_registry.registry.candidate import understand
from llm_schema_registry.registry.gate import compare_with, gate, is_in_group, judge_of, side_of
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.reports import keep_report
from llm_schema_registry.registry.scopes import fill, settle
from llm_schema_registry.store.base import Reader


@operation(Permission.READ)
async def check(
    call: Call, subject: Subject, submission: Submission, version: int | None = None, *, normalize: bool = False
) -> Report:
    """Say whether a schema could be registered, as Confluent's API asks.

    With `version`: compared with that one only, whatever the level; `LATEST` of an empty subject is compatible.
    Without: with the versions that registration would compare. The report is kept if it has anything to tell. Raises
    InvalidSchema, VersionNotFound, TooComplex.
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
        compared = () if only is None or not is_in_group(only, metadata, config) else (only,)
        report = await compare_with(call, reader, candidate, config, compared, only)
    else:
        latest = await reader.find_version(subject, LATEST)
        report = await gate(call, reader, subject, candidate, config, latest)
    _count(report)
    return await keep_report(call, subject, report)


@operation(Permission.READ)
async def check_versions(
    call: Call,
    subject: Subject,
    submission: Submission,
    versions: Sequence[int],
    *,
    normalize: bool = False,
    level: CompatibilityLevel | None = None,
    policy: CompatibilityPolicy | None = None,
) -> Report:
    """Compare a schema with exactly these versions of a subject, in this order and all of them, thoroughly.

    `level` and `policy` win over the subject's settings. Raises InvalidSchema, VersionNotFound, TooComplex.
    """
    reader = call.store.reader
    scopes = await settle(reader, subject)
    asked = Config(compatibility_level=level, compatibility_policy=policy)
    config = fill(asked, scopes.config(call.policy.default_level))
    compared = []
    for number in versions:
        version = await reader.find_version(scopes.subject, number)
        if version is None:
            raise VersionNotFound(number)
        compared.append(version)
    candidate = await understand(call, reader, scopes.subject, submission, config, normalize=normalize)
    latest = await reader.find_version(scopes.subject, LATEST)
    report = await compare_with(call, reader, candidate, config, compared, latest, is_thorough=True)
    _count(report)
    return report


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


def _count(report: Report) -> None:
    telemetry.compatibility_check("compatible" if report.is_compatible else "incompatible")
