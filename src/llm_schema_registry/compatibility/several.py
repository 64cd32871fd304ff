"""From the reports on pairs to one report on a candidate and several earlier versions.

Refuses to compare, and to choose the versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from llm_schema_registry.compatibility.brief import bounded
from llm_schema_registry.model import Finding, Report, Severity


def join_reports(report: Report, further: Report) -> Report:
    """Return what two comparisons of one candidate found, one after the other."""
    return msgspec.structs.replace(
        further,
        is_compatible=report.is_compatible and further.is_compatible,
        messages=(*report.messages, *further.messages),
        findings=bounded((*report.findings, *further.findings)),
        compared=(*report.compared, *further.compared),
        are_hazards_complete=report.are_hazards_complete and further.are_hazards_complete,
    )


def with_more(report: Report, findings: Sequence[Finding]) -> Report:
    """Return a report with the findings of another check behind its own."""
    messages = [finding.message for finding in findings if finding.breaks]
    return msgspec.structs.replace(
        report,
        is_compatible=report.is_compatible and not messages,
        messages=(*report.messages, *messages),
        findings=bounded((*report.findings, *findings)),
    )


def warnings_of(report: Report) -> Sequence[Finding]:
    """Return what breaks with a version that the level does not ask about, as hazards."""
    return [msgspec.structs.replace(found, severity=Severity.HAZARD) for found in report.findings if found.breaks]


def newest_of_each(warnings: Iterable[Sequence[Finding]]) -> Iterable[Finding]:
    """Of a finding that several versions share, keep that of the first one, the newest."""
    known = set()
    for findings in warnings:
        for finding in findings:
            key = (finding.difference.kind, finding.detail.reader_path, finding.direction)
            if key not in known:
                known.add(key)
                yield finding
