"""JSON bodies of compatibility reports: what the server answers under `/v1/compatibility`, and the CLI prints.

Refuses to judge; it writes down what a `Report` holds.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from llm_schema_registry.checks import StoredReport
from llm_schema_registry.model import (
    CompatibilityLevel,
    CompatibilityPolicy,
    Direction,
    Finding,
    Metadata,
    Place,
    Report,
    RuleSet,
    Severity,
    Subject,
    Submission,
    Version,
    Version32,
)
from llm_schema_registry.wire.confluent import DEFAULT_SCHEMA_TYPE, ReferenceBody, RegisterSchemaRequest, submission_of


class PlaceBody(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a finding. `path` is a JSON Pointer, or for Protobuf dotted names; line and column count from 1."""

    path: str
    line: int | None
    column: int | None


class FindingBody(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. `reader` or `writer` is null where that side has no such place.

    `sample` is a document or value, as JSON text, that is valid for the writer, and `outcome` what the reader makes
    of it. `message` is Confluent's one-line string for the same difference.
    """

    kind: str
    severity: Severity
    direction: Direction
    version: int
    reader: PlaceBody | None
    writer: PlaceBody | None
    before: str
    after: str
    sample: str
    outcome: str
    explanation: str
    remedy: str
    message: str


class ReportBody(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with its reasons. `messages` are Confluent's strings; the findings come breaking ones first."""

    is_compatible: bool
    level: CompatibilityLevel
    policy: CompatibilityPolicy
    compared_versions: tuple[int, ...]
    hazards_complete: bool
    findings: tuple[FindingBody, ...]
    messages: tuple[str, ...]


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A schema that might be registered, and what it is held against.

    Without `versions` it passes the very gate that a registration would, at the subject's settings, or those given
    here as if they were the subject's. `versions` are compared one by one instead, all of them.
    """

    subject: str
    definition: str
    schema_type: str = DEFAULT_SCHEMA_TYPE
    references: tuple[ReferenceBody, ...] = ()
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None
    versions: tuple[Version32 | str, ...] = ()
    compatibility_mode: str | None = None
    compatibility_policy: str | None = None
    impact: bool = False


class CheckBody(ReportBody, frozen=True, kw_only=True):
    """A report on a subject. `version` is the number that the schema has there or would get; null when versions were
    named, or when it would be refused. `is_registered` tells that the subject has this very schema already.
    """

    subject: str
    version: int | None = None
    is_registered: bool = False


class KeptReportBody(ReportBody, frozen=True, kw_only=True):
    """A report that was kept. `findings_left_out` counts findings and messages that did not fit. The time is RFC 3339
    in UTC.
    """

    id: str
    subject: str
    created_at: datetime
    findings_left_out: int


def submission_of_check(request: CheckRequest) -> Submission:
    """Read a request. Raises InvalidSchema for a reference without name, subject or usable version."""
    return submission_of(
        RegisterSchemaRequest(
            schema=request.definition,
            schema_type=request.schema_type,
            references=request.references,
            metadata=request.metadata,
            rule_set=request.rule_set,
        )
    )


_ORDER = (Severity.BREAKING, Severity.HAZARD, Severity.INFO)


def report_v1(report: Report) -> ReportBody:
    """Write a report."""
    return ReportBody(**_report_members(report))  # type: ignore[arg-type]  # the members are those of the struct


def check_v1(subject: Subject, report: Report, version: Version | None = None, *, is_registered: bool) -> CheckBody:
    """Write a report on a subject; `version` is the one that the schema is or would be."""
    return CheckBody(
        **_report_members(report),  # type: ignore[arg-type]  # the members are those of the struct
        subject=str(subject),
        version=version.version if version else None,
        is_registered=is_registered,
    )


def kept_report_v1(kept: StoredReport) -> KeptReportBody:
    """Write a report that was kept."""
    return KeptReportBody(
        **_report_members(kept.report),  # type: ignore[arg-type]  # the members are those of the struct
        id=kept.id,
        subject=str(kept.subject),
        created_at=datetime.fromtimestamp(kept.at / 1000, tz=UTC),
        findings_left_out=kept.left_out,
    )


def _report_members(report: Report) -> dict[str, object]:
    findings = sorted(report.findings, key=lambda finding: _ORDER.index(finding.severity))
    return {
        "is_compatible": report.is_compatible,
        "level": report.level,
        "policy": report.policy,
        "compared_versions": report.compared,
        "hazards_complete": report.are_hazards_complete,
        "findings": tuple(_finding(finding) for finding in findings),
        "messages": report.messages,
    }


def _finding(finding: Finding) -> FindingBody:
    detail = finding.detail
    return FindingBody(
        kind=finding.difference.kind,
        severity=finding.severity,
        direction=finding.direction,
        version=finding.version,
        reader=_place(detail.reader_path, finding.reader_place),
        writer=_place(detail.writer_path, finding.writer_place),
        before=detail.before,
        after=detail.after,
        sample=finding.difference.sample,
        outcome=finding.difference.outcome,
        explanation=detail.explanation,
        remedy=detail.remedy,
        message=finding.message,
    )


def _place(path: str | None, place: Place | None) -> PlaceBody | None:
    if path is None:
        return None
    return PlaceBody(path=path, line=place.line if place else None, column=place.column if place else None)
