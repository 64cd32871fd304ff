"""From a level to pairs to a verdict: which side reads, which differences break, what the caller is told.

Refuses to know any format, and where earlier versions come from. Rules: compatibility-rules Part 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import msgspec

from llm_schema_registry.compatibility.allowances import with_allowances
from llm_schema_registry.compatibility.brief import by_weight, within_bounds
from llm_schema_registry.errors import TooComplex
from llm_schema_registry.formats.base import SOUND_ONLY, Format, Parsed, breaks, sentence
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.model import (
    CompatibilityLevel,
    CompatibilityPolicy,
    Detail,
    Difference,
    Direction,
    Finding,
    Place,
    Report,
    Severity,
)

MAX_QUOTED_SCHEMA = 10 * 1024
"""Characters of an earlier schema that are quoted in a message before it is cut (compatibility-rules 1.8)."""

TRANSITIVE = frozenset(
    {
        CompatibilityLevel.BACKWARD_TRANSITIVE,
        CompatibilityLevel.FORWARD_TRANSITIVE,
        CompatibilityLevel.FULL_TRANSITIVE,
    }
)
FORWARD = frozenset(
    {
        CompatibilityLevel.FORWARD,
        CompatibilityLevel.FORWARD_TRANSITIVE,
        CompatibilityLevel.FULL,
        CompatibilityLevel.FULL_TRANSITIVE,
    }
)
BACKWARD = frozenset(
    {
        CompatibilityLevel.BACKWARD,
        CompatibilityLevel.BACKWARD_TRANSITIVE,
        CompatibilityLevel.FULL,
        CompatibilityLevel.FULL_TRANSITIVE,
    }
)


class Side(msgspec.Struct, frozen=True):
    """One schema of a pair. `text` is what its author sees; `version` is 0 for what is not registered."""

    schema_type: str
    text: str
    parsed: Parsed
    version: int = 0


@dataclass(frozen=True, slots=True)
class Judge:
    """A level and a policy, ready to compare a candidate with earlier versions.

    `budget_seconds` of CPU time are for comparing in each direction of a pair, a quarter more for explaining what was
    found. A thorough judge also reports what neither breaks
    nor harms, and where all stands in the texts; otherwise places are looked up only where something breaks.
    """

    level: CompatibilityLevel
    policy: CompatibilityPolicy = CompatibilityPolicy.STRICT
    budget_seconds: float = 0.1
    is_thorough: bool = False

    def compare(self, fmt: Format, candidate: Side, previous: Side) -> Report:
        """Compare a candidate with one earlier version, in the directions that the level asks for.

        Findings of the forward direction (previous reads candidate) come first. The old version and schema are quoted
        only when the backward direction failed (compatibility-rules 1.8). Raises TooComplex with what was decided.
        """
        report = Report(is_compatible=True, compared=(previous.version,), level=self.level, policy=self.policy)
        if self.level is CompatibilityLevel.NONE:
            return msgspec.structs.replace(report, compared=())
        if fmt.schema_type != previous.schema_type:
            message = (
                f'{{errorType:"SCHEMA_TYPE_CHANGED", description:"The new schema is {fmt.schema_type}, but the old one '
                f'is {previous.schema_type}; only level NONE permits another schema type"}}'
            )
            return msgspec.structs.replace(report, is_compatible=False, messages=(message,))
        forward: Sequence[Finding] = ()
        backward: Sequence[Finding] = ()
        doubtful: set[Direction] = set()
        try:
            if self.level in FORWARD:
                forward = self._findings(fmt, previous, candidate, Direction.FORWARD, doubtful)
            if self.level in BACKWARD:
                backward = self._findings(fmt, candidate, previous, Direction.BACKWARD, doubtful)
        except TooComplex as error:
            raise TooComplex(
                str(error), msgspec.structs.replace(report, findings=tuple(forward), compared=())
            ) from None
        findings = with_allowances((*forward, *backward), self.level, self.policy, fmt.kinds, doubtful)
        messages = [finding.message for finding in findings if finding.breaks]
        if any(finding.breaks for finding in backward) or (messages and self.level not in BACKWARD):
            messages += [f"{{oldSchemaVersion: {previous.version}}}", f"{{oldSchema: '{_quote(previous.text)}'}}"]
        return msgspec.structs.replace(
            report,
            is_compatible=not messages,
            messages=tuple(messages),
            findings=tuple(findings),
            are_hazards_complete=not doubtful,
        )

    def recall(self, fmt: Format, candidate: Side, latest: Side, earlier: Sequence[Side]) -> Sequence[Finding]:
        """Return what a candidate takes up again from versions before the latest, which are given newest first.

        Versions of another format are passed over. Raises TooComplex where hazards are the verdict.
        """
        if latest.schema_type != fmt.schema_type:
            return ()
        former = [side.parsed for side in earlier if side.schema_type == fmt.schema_type]
        try:
            budget = Budget(self.budget_seconds * (1 + len(former)))
            differences = fmt.reused(candidate.parsed, latest.parsed, former, budget)
        except TooComplex:
            if self.policy is CompatibilityPolicy.SOUND:
                raise
            return ()
        return self._tell(fmt, differences, candidate, latest, Direction.BACKWARD)

    def _findings(
        self, fmt: Format, reader: Side, writer: Side, direction: Direction, doubtful: set[Direction]
    ) -> Sequence[Finding]:
        """Find what differs in one direction; add that to `doubtful` unless all hazards were looked for."""
        budget = Budget(self.budget_seconds)
        native = CompatibilityPolicy.STRICT if self.policy is CompatibilityPolicy.SOUND else self.policy
        differences = list(fmt.diff(reader.parsed, writer.parsed, native, budget))
        try:
            differences = _merge(differences, fmt.hazards(reader.parsed, writer.parsed, budget))
        except TooComplex:
            # Hazards never block: only where they are the verdict is a pair without them undecided.
            if self.policy is CompatibilityPolicy.SOUND:
                raise
            doubtful.add(direction)
        return self._tell(fmt, differences, reader, writer, direction)

    def _tell(
        self, fmt: Format, differences: Sequence[Difference], reader: Side, writer: Side, direction: Direction
    ) -> Sequence[Finding]:
        """Weigh and explain differences."""
        explaining = Budget(self.budget_seconds / 4)
        names = ("new", "old") if direction is Direction.BACKWARD else ("old", "new")
        weighed = [(self._severity(fmt, difference), difference) for difference in differences]
        if not self.is_thorough:
            weighed = [pair for pair in weighed if pair[0] is not Severity.INFO]
        # The most severe ones come first, so that the verdict stays however much is left out.
        ranked = by_weight([severity for severity, _ in weighed])
        told = within_bounds(
            Finding(
                difference=difference,
                severity=severity,
                direction=direction,
                version=max(reader.version, writer.version),
                detail=_explain(fmt, difference, reader, writer, explaining),
                message=fmt.describe(difference, *names),
            )
            for severity, difference in (weighed[index] for index in ranked)
        )
        found = [finding for _, finding in sorted(zip(ranked, told, strict=False), key=itemgetter(0))]
        if self.is_thorough or any(finding.breaks for finding in found):
            found = with_places(fmt, found, reader, writer)
        return found

    def _severity(self, fmt: Format, difference: Difference) -> Severity:
        kind = fmt.kinds[difference.kind]
        if breaks(kind, self.policy):
            return Severity.BREAKING
        return Severity.HAZARD if kind.breaks_under == SOUND_ONLY else Severity.INFO


def reserved_field_problems(candidate: Parsed, reserved: Iterable[str], previously: Iterable[str]) -> Sequence[str]:
    """The extra problems of `validateFields` (compatibility-rules 1.7)."""
    now = set(reserved)
    problems = [
        f'{{errorType:"RESERVED_FIELD_REMOVED", description:"The reserved field name {name!r} of the old schema is no '
        f'longer reserved in the new one; keep it in confluent:reserved"}}'
        for name in sorted(set(previously) - now)
    ]
    problems += [
        f'{{errorType:"FIELD_CONFLICTS_WITH_RESERVED_FIELD", description:"The new schema has a top-level field '
        f'{name!r}, a name that its confluent:reserved keeps from use; rename the field"}}'
        for name in candidate.field_names
        if name in now
    ]
    return problems


def tail(level: CompatibilityLevel, *, validates_fields: bool) -> str:
    """The last line of the messages of an incompatible pair."""
    return f"{{validateFields: '{str(validates_fields).lower()}', compatibility: '{level}'}}"


def _merge(differences: list[Difference], hazards: Sequence[Difference]) -> list[Difference]:
    """Put hazards behind the differences; one at the place of a difference of the same kind lends it its sample."""
    known = {(difference.kind, difference.path): index for index, difference in enumerate(differences)}
    for hazard in hazards:
        index = known.get((hazard.kind, hazard.path))
        if index is None:
            differences.append(hazard)
        else:
            differences[index] = msgspec.structs.replace(
                differences[index], sample=hazard.sample, outcome=hazard.outcome
            )
    return differences


def _explain(fmt: Format, difference: Difference, reader: Side, writer: Side, budget: Budget) -> Detail:
    """Explain a difference; once the time for that is over, by its kind alone."""
    if budget.seconds_left > 0:
        return fmt.explain(difference, reader.parsed, writer.parsed)
    kind = fmt.kinds[difference.kind]
    return Detail(None, None, "", "", sentence(kind, difference, "reader", "writer"), kind.remedy)


def with_places(fmt: Format, findings: Sequence[Finding], reader: Side, writer: Side) -> list[Finding]:
    """Return the findings with the places of their paths in the texts of the two sides."""
    reader_paths = {path for finding in findings if (path := finding.detail.reader_path) is not None}
    writer_paths = {path for finding in findings if (path := finding.detail.writer_path) is not None}
    reader_places = fmt.locate(reader.text, reader_paths)
    writer_places = fmt.locate(writer.text, writer_paths)
    return [
        msgspec.structs.replace(
            finding,
            reader_place=_at(reader_places, finding.detail.reader_path),
            writer_place=_at(writer_places, finding.detail.writer_path),
        )
        for finding in findings
    ]


def _at(places: Mapping[str, Place], path: str | None) -> Place | None:
    return None if path is None else places.get(path)


def _quote(text: str) -> str:
    return text if len(text) <= MAX_QUOTED_SCHEMA else f"{text[:MAX_QUOTED_SCHEMA]}..."
