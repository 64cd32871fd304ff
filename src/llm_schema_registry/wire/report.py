"""JSON bodies of compatibility reports: what the server answers under `/v1/compatibility`, and the CLI prints.

Refuses to judge; it writes down what a `Report` holds.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from llm_schema_registry.checks import StoredReport
from llm_schema_registry.model import (
    CompatibilityLevel,
    CompatibilityPolicy,
    Direction,
    Finding,
    Place,
    Report,
    Severity,
)
from llm_schema_registry.wire.times import utc


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


class KeptReportBody(ReportBody, frozen=True, kw_only=True):
    """A report that was kept. `findings_left_out` counts findings and messages that did not fit. The time is RFC 3339
    in UTC.
    """

    id: str
    subject: str
    created_at: datetime
    findings_left_out: int


_ORDER = (Severity.BREAKING, Severity.HAZARD, Severity.INFO)


def report_v1(report: Report) -> ReportBody:
    """Write a report."""
    return ReportBody(**report_members(report))  # type: ignore[arg-type]  # the members are those of the struct


def kept_report_v1(kept: StoredReport) -> KeptReportBody:
    """Write a report that was kept."""
    return KeptReportBody(
        **report_members(kept.report),  # type: ignore[arg-type]  # the members are those of the struct
        id=kept.id,
        subject=str(kept.subject),
        created_at=utc(kept.at),
        findings_left_out=kept.left_out,
    )


def report_members(report: Report) -> dict[str, object]:
    """Write the members that every body of a report has."""
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
