"""JSON bodies of `POST /v1/compatibility`: a schema that might be registered, and what is known about it.

Refuses to judge; it writes down what use cases answer.
"""

from __future__ import annotations

import msgspec

from llm_schema_registry.checks import Impact
from llm_schema_registry.model import Metadata, Report, RuleSet, Subject, Submission, Version, Version32
from llm_schema_registry.wire.confluent import DEFAULT_SCHEMA_TYPE, ReferenceBody, RegisterSchemaRequest, submission_of
from llm_schema_registry.wire.impact import ImpactBody, impact_v1
from llm_schema_registry.wire.report import ReportBody, report_members


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A schema that might be registered, and what it is held against.

    Without `versions` it passes the very gate that a registration would, at the subject's settings, or those given
    here as if they were the subject's. `versions` are compared one by one instead, all of them. With `impact` the
    schema is also put in the place of the subject wherever that one is referred to.
    """

    subject: str
    definition: str
    schema_type: str = DEFAULT_SCHEMA_TYPE
    references: tuple[ReferenceBody, ...] = ()
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None
    versions: tuple[Version32 | str, ...] = ()
    compatibility_mode: str | None = None
    compatibility_policy: str | None = None
    impact: bool = False


class CheckBody(ReportBody, frozen=True, kw_only=True):
    """A report on a subject. `version` is the number that the schema has there or would get; null when versions were
    named, or when it would be refused. `is_registered` tells that the subject has this very schema already.
    """

    subject: str
    version: int | None = None
    is_registered: bool = False
    impact: ImpactBody | None = None


def submission_of_check(request: CheckRequest) -> Submission:
    """Read a request. Raises InvalidSchema for a reference without name, subject or usable version."""
    return submission_of(
        RegisterSchemaRequest(
            schema=request.definition,
            schema_type=request.schema_type,
            references=request.references,
            metadata=request.metadata,
            rule_set=request.rule_set,
        )
    )


def check_v1(
    subject: Subject,
    report: Report,
    version: Version | None = None,
    *,
    is_registered: bool = False,
    impact: Impact | None = None,
) -> CheckBody:
    """Write a report on a subject; `version` is the one that the schema is or would be."""
    return CheckBody(
        **report_members(report),  # type: ignore[arg-type]  # the members are those of the struct
        subject=str(subject),
        version=version.version if version else None,
        is_registered=is_registered,
        impact=impact_v1(impact) if impact else None,
    )
