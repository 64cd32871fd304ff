"""May this schema follow those versions? The one gate that registrations, checks and jobs pass.

Refuses to know what breaks a reader; it loads versions and asks the engines.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from llm_schema_registry import compatibility
from llm_schema_registry.compatibility import Judge, Side, join_reports, newest_of_each, warnings_of, with_more
from llm_schema_registry.contracts.merge import property_of
from llm_schema_registry.errors import InvalidSchema, TooComplex
from llm_schema_registry.formats import get_format
from llm_schema_registry.formats.base import Format
from llm_schema_registry.model import (
    CompatibilityLevel,
    CompatibilityPolicy,
    Config,
    Finding,
    Metadata,
    Report,
    Subject,
    Version,
)
from llm_schema_registry.registry.candidate import Candidate, parse_stored
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.store.base import Page, Reader, Visibility

RESERVED_PROPERTY = "confluent:reserved"

MAX_REMEMBERED = 200
"""Versions before the compared ones that are asked whether they would be harmed, newest first."""

_BATCH = 50
_SHOWN_FINDINGS = 10


async def gate(
    call: Call,
    reader: Reader,
    subject: Subject,
    candidate: Candidate,
    config: Config,
    latest: Version | None,
    *,
    is_thorough: bool = False,
) -> Report:
    """Compare a candidate with the versions that its subject's level names (compatibility-rules 1.1, 1.6).

    Newest first; the first version that fails is the last one compared. A thorough report also warns of versions
    before those, for which the level does not ask. The subject is taken as it was when `latest` was its latest
    version. Raises TooComplex with the report until then.
    """
    level = config.compatibility_level
    gauge = Gauge(call, reader, candidate, judge_of(call, config, is_thorough=is_thorough))
    report = Report(is_compatible=True, level=gauge.judge.level, policy=gauge.judge.policy)
    metadata = candidate.content(config, latest).metadata
    is_transitive = level in compatibility.TRANSITIVE
    earlier = _newest_first(reader, subject, config, metadata, latest)
    if latest is not None and level is not CompatibilityLevel.NONE:
        newest = None
        async for version in earlier:
            newest = newest or version
            report = join_reports(report, await gauge.compare(version, report))
            if not report.is_compatible or not is_transitive:
                break
        is_asked = is_thorough or (report.policy is CompatibilityPolicy.SOUND and gauge.format.remembers)
        if newest is not None and report.is_compatible and not is_transitive and is_asked:
            remembered = [version async for version in _first(earlier, MAX_REMEMBERED)]
            report = await gauge.add_recalled(newest, remembered, report)
            if is_thorough:
                warnings = [await gauge.warn(version) for version in remembered]
                report = with_more(report, list(newest_of_each(warnings)))
    if report.policy is CompatibilityPolicy.LOGICAL:
        all_of_them = _newest_first(reader, subject, config, metadata, latest)
        named = all_of_them if is_transitive else _first(all_of_them, 1)
        report = await gauge.add_logical([version async for version in named], report)
    return conclude(report, candidate, config, latest)


async def compare_with(
    call: Call,
    reader: Reader,
    candidate: Candidate,
    config: Config,
    versions: Sequence[Version],
    latest: Version | None,
    *,
    is_thorough: bool = False,
) -> Report:
    """Compare a candidate with exactly these versions, all of them; `latest` is the one that `validateFields` looks at.

    Raises TooComplex with the report until then.
    """
    gauge = Gauge(call, reader, candidate, judge_of(call, config, is_thorough=is_thorough))
    report = Report(is_compatible=True, level=gauge.judge.level, policy=gauge.judge.policy)
    for version in versions:
        report = join_reports(report, await gauge.compare(version, report))
    if report.policy is CompatibilityPolicy.LOGICAL:
        report = await gauge.add_logical(versions, report)
    return conclude(report, candidate, config, latest)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A candidate on its way through the gate, with the judge that its subject's settings ask for."""

    call: Call
    reader: Reader
    candidate: Candidate
    judge: Judge

    async def compare(self, version: Version, until_then: Report) -> Report:
        """Compare with one version. One that today's rules refuse is incompatible. Raises TooComplex."""
        call = self.call
        try:
            previous = await side_of(call, self.reader, version)
            return await call.engines.run(self.judge.compare, self.format, self._side, previous)
        except InvalidSchema as error:
            reason = f"Version {version.version} cannot be compared: {error}"
            message = f'{{errorType:"UNREADABLE_VERSION", description:"{reason}"}}'
            return msgspec.structs.replace(
                until_then, is_compatible=False, messages=(message,), findings=(), compared=()
            )
        except TooComplex as error:
            report = join_reports(until_then, error.report) if error.report else until_then
            raise TooComplex(f"Version {version.version}: {error}. {_told(report)}", report) from None

    async def add_recalled(self, latest: Version, earlier: Sequence[Version], report: Report) -> Report:
        """Add what the candidate takes up again that versions before the latest used for something else."""
        sides = await self._sides((latest, *earlier))
        if not sides or sides[0].version != latest.version:
            return report
        recall = self.judge.recall
        try:
            found = await self.call.engines.run(recall, self.format, self._side, sides[0], sides[1:])
        except TooComplex as error:
            raise TooComplex(f"{error}. {_told(report)}", report) from None
        return with_more(report, found)

    async def add_logical(self, versions: Sequence[Version], report: Report) -> Report:
        """Add what forbids the candidate as a table, beside all these versions (compatibility-rules 1.5).

        Raises TooComplex.
        """
        previous = await self._sides(versions)
        try:
            findings = await self.call.engines.run(
                compatibility.check_logical, self.judge, self.format, self._side, previous
            )
        except TooComplex as error:
            raise TooComplex(f"{error}. {_told(report)}", report) from None
        return with_more(report, findings)

    async def _sides(self, versions: Sequence[Version]) -> list[Side]:
        """The versions that today's rules take; comparing told of others already."""
        sides = []
        for version in versions:
            with suppress(InvalidSchema):
                sides.append(await side_of(self.call, self.reader, version))
        return sides

    @property
    def format(self) -> Format:
        """The candidate's format."""
        return get_format(self.call.engines.formats, self.candidate.schema_type)

    @property
    def _side(self) -> Side:
        return Side(self.candidate.schema_type, self.candidate.submission.text, self.candidate.parsed)

    async def warn(self, version: Version) -> Sequence[Finding]:
        """Return what would break with a version that the level does not ask about, as hazards."""
        try:
            report = await self.compare(version, Report(is_compatible=True))
        except TooComplex:
            return ()
        return warnings_of(report)


def conclude(report: Report, candidate: Candidate, config: Config, latest: Version | None) -> Report:
    """Add the problems of reserved fields, and the last line of the messages, to what comparing found."""
    messages = list(report.messages)
    if config.validate_fields:
        metadata = candidate.content(config, latest).metadata
        previously = _reserved(latest.schema.content.metadata if latest else None)
        messages += compatibility.reserved_field_problems(candidate.parsed, _reserved(metadata), previously)
    if messages:
        messages.append(compatibility.tail(report.level, validates_fields=bool(config.validate_fields)))
    return msgspec.structs.replace(report, is_compatible=not messages, messages=tuple(messages))


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


def is_in_group(version: Version, metadata: Metadata | None, config: Config) -> bool:
    """Whether a version belongs to the compatibility group of a candidate's metadata (compatibility-rules 1.6)."""
    group = config.compatibility_group
    return not group or property_of(version.schema.content.metadata, group) == property_of(metadata, group)


async def _newest_first(
    reader: Reader, subject: Subject, config: Config, metadata: Metadata | None, latest: Version | None
) -> AsyncIterator[Version]:
    """The versions of a candidate's compatibility group from the latest on, loaded a bounded number at a time."""
    versions = [] if latest is None else [latest]
    while versions:
        for version in versions:
            if is_in_group(version, metadata, config):
                yield version
        versions = await reader.list_versions(subject, Visibility.ACTIVE, Page(limit=_BATCH), versions[-1].version)


async def _first(versions: AsyncIterator[Version], count: int) -> AsyncIterator[Version]:
    async for version in versions:
        yield version
        count -= 1
        if not count:
            return


def _told(report: Report) -> str:
    """Say what was decided before the time was over."""
    versions = ", ".join(map(str, report.compared)) or "none"
    findings = [f"{finding.difference.kind} at {finding.difference.path}" for finding in report.findings]
    found = "; ".join(findings[:_SHOWN_FINDINGS]) or "nothing"
    return f"Decided until then: versions compared: {versions}; found: {found}"


def _reserved(metadata: Metadata | None) -> list[str]:
    names = (property_of(metadata, RESERVED_PROPERTY) or "").split(",")
    return [name.strip() for name in names if name.strip()]
