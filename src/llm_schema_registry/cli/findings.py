"""What a server says is incompatible, taken apart: kind, place and reason.

Refuses to judge. The messages are lines that look like JSON and are not (rest-api 9.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from llm_schema_registry.cli.remote import Remote
from llm_schema_registry.model import Severity
from llm_schema_registry.wire.report import ReportBody

INCOMPATIBLE_CODES = frozenset({409, 40901})
"""The code of a refused registration: ours, and that of older servers (rest-api section 2)."""

_FINDING = re.compile(
    r"""\{errorType:['"](?P<kind>\w+)['"],\ description:['"](?P<description>.*?)['"]"""
    r"""(?:,\ additionalInfo:['"](?P<info>.*?)['"])?\}(?=,\ \{|\]|$)""",
    re.DOTALL | re.VERBOSE,
)
_PATH = re.compile(r"\s*\(?(?:\bat )?\bpath '(?P<path>.*?)'\)?(?= |$)", re.DOTALL)
_CONTEXT_LINES = ("{oldSchemaVersion:", "{oldSchema:", "{validateFields:")


class Finding(NamedTuple):
    """One thing that breaks. `kind` and `path` are empty when the server only gave a sentence."""

    kind: str
    path: str
    reason: str

    def __str__(self) -> str:
        return "  ".join(part for part in self if part)


def findings_of(messages: Iterable[str]) -> list[Finding]:
    """Read the messages of a report, in their order."""
    found = []
    for message in messages:
        match = _FINDING.fullmatch(message)
        if match:
            found.append(_finding(match))
        elif not message.startswith(_CONTEXT_LINES):
            found.append(Finding("", "", message))
    return found


def readable(refusal: str) -> str:
    """Lay out the message of a refused registration: its sentence, then a line for each finding."""
    sentence, _, details = refusal.partition(", details: [")
    details = details.partition(", {oldSchemaVersion:")[0]
    found = [_finding(match) for match in _FINDING.finditer(details)]
    return "\n".join([f"{sentence}:", *(f"  {finding}" for finding in found)]) if found else refusal


def told(remote: Remote) -> Iterator[str]:
    """Write what the report on a registration says of harm; nothing when the server keeps none."""
    if remote.report is None:
        return
    report = msgspec.convert(remote.get(remote.report), ReportBody)
    if not report.is_compatible:
        versions = ", ".join(map(str, report.compared_versions))
        yield f"the schema is incompatible with version {versions} (level {report.level}, policy {report.policy}):"
    for finding in report.findings:
        word = "error" if finding.severity is Severity.BREAKING else "warning"
        yield f"{word}  {finding.kind}  {finding.reader.path if finding.reader else ''}".rstrip()
        yield f"  {finding.explanation}"
        yield f"  fix: {finding.remedy}"


def _finding(match: re.Match[str]) -> Finding:
    reason = match["description"]
    path = _PATH.search(reason)
    if path is not None:
        # The place has its own column, so the sentence need not repeat it.
        reason = (reason[: path.start()] + reason[path.end() :]).strip()
    if match["info"]:
        reason += f" ({match['info']})"
    return Finding(match["kind"], path["path"] if path else "", reason)
