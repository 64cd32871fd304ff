"""JSON bodies of what a new version of a subject would do to its dependants.

Refuses to judge; it writes down what an `Impact` holds.
"""

from __future__ import annotations

import msgspec

from llm_schema_registry.checks import Dependant, Impact, Outcome
from llm_schema_registry.model import Reference
from llm_schema_registry.wire.report import ReportBody, report_v1


class DependantBody(msgspec.Struct, frozen=True, kw_only=True):
    """A version that refers to the subject, directly or through others, with the new schema in that one's place.

    `path` are the references that lead there, the dependant's own first. `ok` and `incompatible` compare it to what it
    is now, at its own subject's settings; `invalid` says in `problem` why it could not even be parsed any more, and
    `undecided` why nobody can tell.
    """

    subject: str
    version: int
    path: tuple[Reference, ...]
    outcome: Outcome
    problem: str
    report: ReportBody | None


class ImpactBody(msgspec.Struct, frozen=True, kw_only=True):
    """The dependants of a subject, nearest first. `is_complete` is false when there were too many to look at all."""

    is_harmless: bool
    is_complete: bool
    dependants: tuple[DependantBody, ...]


def impact_v1(impact: Impact) -> ImpactBody:
    """Write down an impact."""
    return ImpactBody(
        is_harmless=impact.is_harmless,
        is_complete=impact.is_complete,
        dependants=tuple(_dependant(dependant) for dependant in impact.dependants),
    )


def _dependant(dependant: Dependant) -> DependantBody:
    return DependantBody(
        subject=str(dependant.subject),
        version=dependant.version,
        path=dependant.path,
        outcome=dependant.outcome,
        problem=dependant.problem,
        report=report_v1(dependant.report) if dependant.report else None,
    )
