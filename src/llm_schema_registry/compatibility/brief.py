"""How much is told: findings are cut to a length that can be sent and read, whatever the schemas are.

Refuses to judge; what goes first is what matters least to the verdict, and one finding always stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from llm_schema_registry.model import Detail, Difference, Finding, Severity

MAX_FINDINGS = 1_000
"""Findings that are told; further ones change no verdict."""

MAX_CHARACTERS = 1024 * 1024
"""Characters of all findings together, of which messages are about a third."""

MAX_TEXT = 4 * 1024
"""Characters of one path, sample or sentence."""

_RANKS = {Severity.BREAKING: 0, Severity.HAZARD: 1, Severity.INFO: 2}


def by_weight(severities: Sequence[Severity]) -> list[int]:
    """Return the indexes of what is told at most, the most severe first."""
    return sorted(range(len(severities)), key=lambda index: _RANKS[severities[index]])[:MAX_FINDINGS]


def within_bounds(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings until they have as many characters as may be told. Takes no more than that from the iterable."""
    left = MAX_CHARACTERS
    for finding in findings:
        short = cut(finding)
        yield short
        left -= _size(short)
        if left <= 0:
            return


def bounded(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Leave out what is too much, in any order of severity; what remains keeps its order."""
    ranked = by_weight([finding.severity for finding in findings])
    count = sum(1 for _ in within_bounds(findings[index] for index in ranked))
    return tuple(findings[index] for index in sorted(ranked[:count]))


def cut(finding: Finding) -> Finding:
    """Return a finding whose texts have a length that a person may read."""
    difference, detail = finding.difference, finding.detail
    if _size(finding) <= MAX_TEXT:
        return finding
    return msgspec.structs.replace(
        finding,
        difference=Difference(
            difference.kind,
            *map(_cut, (difference.path, difference.info, difference.sample, difference.outcome)),
        ),
        detail=Detail(
            _path(detail.reader_path),
            _path(detail.writer_path),
            *map(_cut, (detail.before, detail.after, detail.explanation, detail.remedy)),
        ),
        message=_cut(finding.message),
    )


def _path(path: str | None) -> str | None:
    return None if path is None else _cut(path)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."


def _size(finding: Finding) -> int:
    difference, detail = finding.difference, finding.detail
    return sum(
        map(
            len,
            (
                *(difference.path, difference.info, difference.sample, difference.outcome, finding.message),
                *(detail.reader_path or "", detail.writer_path or "", detail.before, detail.after),
                *(detail.explanation, detail.remedy),
            ),
        )
    )
