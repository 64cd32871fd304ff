"""What a check found about one file, wherever it was checked: what the text and every machine format are written from.

Refuses to check, and to lay out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from llm_schema_registry.cli.findings import Finding, findings_of
from llm_schema_registry.cli.schema_file import STANDARD_INPUT, read_schema
from llm_schema_registry.model import Direction, Place, Severity
from llm_schema_registry.wire.report import FindingBody, PlaceBody, ReportBody

INCOMPATIBLE = "INCOMPATIBLE"
"""The kind of a sentence that came without one."""


class Source(NamedTuple):
    """A schema's text and how people name it: a file, or a version of a subject."""

    name: str
    text: str


def source_of(file: str) -> Source:
    """Read a file or standard input. Raises Failure."""
    return Source("standard input" if file == STANDARD_INPUT else file, read_schema(file))


class Problem(NamedTuple):
    """Why a file could not be checked. `file` is the one to mend, an earlier version perhaps; `kind` is stable."""

    kind: str
    file: str
    message: str
    place: Place | None


@dataclass(frozen=True)
class Checked:
    """One file with its report, or with the problem that kept it from one. `earlier` is by the report's versions."""

    new: Source
    schema_type: str
    result: ReportBody | Problem
    earlier: Mapping[int, Source] = field(default_factory=dict)

    @property
    def is_compatible(self) -> bool:
        return isinstance(self.result, ReportBody) and self.result.is_compatible

    def name_of(self, version: int) -> str:
        """How people name an earlier version."""
        return self.earlier[version].name if version in self.earlier else f"version {version}"


def findings_in(report: ReportBody, *, is_verbose: bool) -> list[FindingBody]:
    """Return what was found, breaking first; infos only when asked for.

    What breaks without a place (another schema type, a reserved field) stands only in the report's messages.
    """
    known = {finding.message for finding in report.findings}
    others = findings_of(message for message in report.messages if message not in known)
    shown = [finding for finding in report.findings if is_verbose or finding.severity is not Severity.INFO]
    return [*(_from_message(found, report) for found in others), *shown]


def _from_message(found: Finding, report: ReportBody) -> FindingBody:
    return FindingBody(
        kind=found.kind or INCOMPATIBLE,
        severity=Severity.BREAKING,
        direction=Direction.BACKWARD,
        version=report.compared_versions[-1] if report.compared_versions else 0,
        reader=PlaceBody(path=found.path, line=None, column=None),
        writer=None,
        before="",
        after="",
        sample="",
        outcome="",
        explanation=found.reason,
        remedy="",
        message="",
    )


def new_side(finding: FindingBody) -> PlaceBody | None:
    """Where a finding stands in the new schema."""
    return finding.reader if finding.direction is Direction.BACKWARD else finding.writer


class Note(NamedTuple):
    """A finding or a problem, as programs that show notes at lines take it. `identity` outlives edits elsewhere."""

    kind: str
    severity: Severity
    file: str
    place: Place | None
    sentence: str
    details: tuple[str, ...]
    identity: tuple[str, ...]

    @property
    def text(self) -> str:
        """Everything there is to say, a line each."""
        return "\n".join((self.sentence, *self.details))


def notes_of(checked: Checked, *, is_verbose: bool) -> list[Note]:
    """Return the notes of one file, a problem or breaking ones first."""
    if isinstance(checked.result, Problem):
        problem = checked.result
        file = Path(problem.file).as_posix()
        return [Note(problem.kind, Severity.BREAKING, file, problem.place, problem.message, (), (problem.kind, file))]
    return [_note(checked, finding) for finding in findings_in(checked.result, is_verbose=is_verbose)]


def _note(checked: Checked, finding: FindingBody) -> Note:
    side = new_side(finding)
    place = Place(side.line, side.column or 1) if side is not None and side.line is not None else None
    file = Path(checked.new.name).as_posix()
    details = (f"compared with: {checked.name_of(finding.version)}", *evidence(finding))
    paths = (side.path if side is not None else "" for side in (finding.reader, finding.writer))
    return Note(
        finding.kind,
        finding.severity,
        file,
        place,
        finding.explanation,
        details,
        (finding.kind, file, finding.direction, *paths),
    )


def evidence(finding: FindingBody) -> list[str]:
    """Return what shows the harm of a finding, and what mends it, a line each."""
    reads, wrote = ("new", "old") if finding.direction is Direction.BACKWARD else ("old", "new")
    lines = []
    if finding.sample:
        lines.append(f"valid with the {wrote} schema: {finding.sample}")
    if finding.outcome:
        lines.append(f"the {reads} schema says: {finding.outcome}")
    if finding.remedy:
        lines.append(f"fix: {finding.remedy}")
    return lines
