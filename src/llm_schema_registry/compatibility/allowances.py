"""Which other policy or level would allow what breaks: the last sentence of a remedy.

Refuses to advise one that hides a harm: SOUND is named only where no data is at risk.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from llm_schema_registry.formats.base import Kind
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, Direction, Finding

_ONE_WAY = {
    CompatibilityLevel.FULL: (CompatibilityLevel.BACKWARD, CompatibilityLevel.FORWARD),
    CompatibilityLevel.FULL_TRANSITIVE: (
        CompatibilityLevel.BACKWARD_TRANSITIVE,
        CompatibilityLevel.FORWARD_TRANSITIVE,
    ),
}


def with_allowances(
    findings: Sequence[Finding],
    level: CompatibilityLevel,
    policy: CompatibilityPolicy,
    kinds: Mapping[str, Kind],
    doubtful: Collection[Direction],
) -> list[Finding]:
    """Return the findings of one pair, each breaking one's remedy naming what would allow it.

    In `doubtful` directions not all hazards are known, so nothing is said about data.
    """
    broken = {finding.direction for finding in findings if finding.breaks}
    harmed = {
        *doubtful,
        *(
            finding.direction
            for finding in findings
            if CompatibilityPolicy.SOUND in kinds[finding.difference.kind].breaks_under
        ),
    }
    result = []
    for finding in findings:
        allowances = []
        if finding.breaks:
            kind = kinds[finding.difference.kind]
            if policy is not CompatibilityPolicy.SOUND and finding.direction not in harmed:
                allowances.append("No data is at risk: compatibilityPolicy SOUND allows it.")
            if policy is CompatibilityPolicy.STRICT and CompatibilityPolicy.LENIENT not in kind.breaks_under:
                allowances.append("compatibilityPolicy LENIENT allows it.")
            if level in _ONE_WAY and len(broken) == 1:
                backward, forward = _ONE_WAY[level]
                other = forward if finding.direction is Direction.BACKWARD else backward
                allowances.append(f"Level {other} does not ask for this direction.")
        result.append(_add(finding, allowances) if allowances else finding)
    return result


def _add(finding: Finding, allowances: Sequence[str]) -> Finding:
    remedy = " ".join([finding.detail.remedy, *allowances]).strip()
    return msgspec.structs.replace(finding, detail=msgspec.structs.replace(finding.detail, remedy=remedy))
