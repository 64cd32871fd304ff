"""From a level to pairs to a verdict: which side reads, which differences break, what the caller is told.

Refuses to know any format, and where earlier versions come from. Rules: compatibility-rules Part 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from llm_schema_registry.formats.base import Format, Parsed, breaks
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, Finding, Report

MAX_QUOTED_SCHEMA = 10 * 1024
"""Characters of an earlier schema that are quoted in a message before it is cut (compatibility-rules 1.8)."""

TRANSITIVE = frozenset(
    {
        CompatibilityLevel.BACKWARD_TRANSITIVE,
        CompatibilityLevel.FORWARD_TRANSITIVE,
        CompatibilityLevel.FULL_TRANSITIVE,
    }
)
_FORWARD = frozenset(
    {
        CompatibilityLevel.FORWARD,
        CompatibilityLevel.FORWARD_TRANSITIVE,
        CompatibilityLevel.FULL,
        CompatibilityLevel.FULL_TRANSITIVE,
    }
)
_BACKWARD = frozenset(
    {
        CompatibilityLevel.BACKWARD,
        CompatibilityLevel.BACKWARD_TRANSITIVE,
        CompatibilityLevel.FULL,
        CompatibilityLevel.FULL_TRANSITIVE,
    }
)


class Previous(msgspec.Struct, frozen=True):
    """An earlier version as the judge needs it."""

    version: int
    schema_type: str
    text: str
    parsed: Parsed


def compare(
    level: CompatibilityLevel, policy: CompatibilityPolicy, fmt: Format, candidate: Parsed, previous: Previous
) -> Report:
    """Compare a candidate with one earlier version, in the directions that the level asks for.

    Findings of the forward direction (previous reads candidate) come first. The old version and schema are quoted
    only when the backward direction failed (compatibility-rules 1.8).
    """
    if level is CompatibilityLevel.NONE:
        return Report(is_compatible=True)
    if fmt.schema_type != previous.schema_type:
        message = (
            f'{{errorType:"SCHEMA_TYPE_CHANGED", description:"The new schema is {fmt.schema_type}, but the old one is '
            f'{previous.schema_type}; only level NONE permits another schema type"}}'
        )
        return Report(is_compatible=False, messages=(message,))
    forward = _findings(fmt, previous.parsed, candidate, policy, ("old", "new")) if level in _FORWARD else ()
    backward = _findings(fmt, candidate, previous.parsed, policy, ("new", "old")) if level in _BACKWARD else ()
    findings = (*forward, *backward)
    messages = [finding.message for finding in findings if finding.breaks]
    if any(finding.breaks for finding in backward) or (messages and level not in _BACKWARD):
        messages += [f"{{oldSchemaVersion: {previous.version}}}", f"{{oldSchema: '{_quote(previous.text)}'}}"]
    return Report(is_compatible=not messages, messages=tuple(messages), findings=findings)


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


def _findings(
    fmt: Format, reader: Parsed, writer: Parsed, policy: CompatibilityPolicy, names: tuple[str, str]
) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            difference=difference,
            breaks=breaks(fmt.kinds[difference.kind], policy),
            message=fmt.describe(difference, *names),
        )
        for difference in fmt.diff(reader, writer, policy)
    )


def _quote(text: str) -> str:
    return text if len(text) <= MAX_QUOTED_SCHEMA else f"{text[:MAX_QUOTED_SCHEMA]}..."
