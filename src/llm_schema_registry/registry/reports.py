"""Reports that are kept, so that whoever was refused can read the reasons afterwards.

Refuses to judge, and to keep a report of any size: what does not fit is left out and counted.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from llm_schema_registry.checks import StoredReport
from llm_schema_registry.errors import Overloaded, ReportNotFound, StoreFailed, TimedOut
from llm_schema_registry.model import Report, Severity, Subject
from llm_schema_registry.registry.operation import Call, Permission, operation

T = TypeVar("T")

MAX_REPORTS = 10_000
MAX_REPORT_BYTES = 256 * 1024
KEPT_MILLISECONDS = 30 * 24 * 60 * 60 * 1000
"""How many reports are kept, how large one may be, and for how long: the newest ones of the last 30 days."""

_ORDER = tuple(Severity)


async def keep_report(call: Call, subject: Subject, report: Report) -> Report:
    """Keep a report that has something to tell, and return it with the id under which anybody can read it.

    A store that cannot keep it now must not stop an answer that is known: then it has no id.
    """
    if report.is_compatible and all(finding.severity is Severity.INFO for finding in report.findings):
        return report
    fitted, left_out = fit(report, MAX_REPORT_BYTES)
    now = call.clock()
    kept = StoredReport(str(uuid.uuid4()), now, subject, fitted, left_out)
    try:
        async with call.store.transaction() as writer:
            await writer.add_report(kept, now - KEPT_MILLISECONDS, MAX_REPORTS)
    except (StoreFailed, TimedOut, Overloaded):
        return report
    return msgspec.structs.replace(report, id=kept.id)


@operation(Permission.READ)
async def get_report(call: Call, report_id: str) -> StoredReport:
    """Return a kept report. Raises ReportNotFound, also for one that was kept once."""
    found = await call.store.reader.find_report(report_id)
    if found is None:
        raise ReportNotFound(report_id)
    return found


def fit(report: Report, max_bytes: int) -> tuple[Report, int]:
    """Return a report that takes about `max_bytes` as JSON at most, and how many findings and messages it lost.

    The breaking findings stay longest. Half of a surrogate pair, which no UTF-8 can hold, becomes a question mark.
    """
    try:
        size = len(msgspec.json.encode(report))
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(report), ensure_ascii=False).encode(errors="replace")
        report, size = msgspec.json.decode(text, type=Report), len(text)
    if size <= max_bytes:
        return report, 0
    messages = _first(report.messages, max_bytes // 2)
    ordered = sorted(report.findings, key=lambda finding: _ORDER.index(finding.severity))
    findings = _first(ordered, max_bytes - len(msgspec.json.encode(messages)))
    left_out = len(report.messages) - len(messages) + len(ordered) - len(findings)
    return msgspec.structs.replace(report, messages=messages, findings=findings), left_out


def _first(items: Sequence[T], max_bytes: int) -> tuple[T, ...]:
    """Return as many items as fit, in order, up to the first that does not."""
    size = 0
    for index, item in enumerate(items):
        size += len(msgspec.json.encode(item)) + 1
        if size > max_bytes:
            return tuple(items[:index])
    return tuple(items)
