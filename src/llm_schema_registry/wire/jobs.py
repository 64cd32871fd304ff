"""JSON bodies of bulk compatibility jobs, under `/v1/compatibility/jobs`.

Refuses to know how jobs run.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from llm_schema_registry.checks import Job, JobCandidate, JobRequest, JobResult, JobScope, JobState, Verdict
from llm_schema_registry.errors import BadRequest
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy
from llm_schema_registry.names import WILDCARD_CONTEXT, parse_context, parse_subject
from llm_schema_registry.wire.confluent import (
    DEFAULT_SCHEMA_TYPE,
    ErrorBody,
    ReferenceBody,
    RegisterSchemaRequest,
    level_of,
    policy_of,
    submission_of,
)
from llm_schema_registry.wire.report import ReportBody, report_v1
from llm_schema_registry.wire.times import utc

MAX_CANDIDATES = 1_000


class CandidateBody(msgspec.Struct, frozen=True, kw_only=True):
    """A schema to check as its registration under the subject would."""

    subject: str
    definition: str
    schema_type: str = DEFAULT_SCHEMA_TYPE
    references: tuple[ReferenceBody, ...] = ()


class SubmitJobRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to check: either the versions of the subjects that match `pattern`, or `candidates`.

    In a pattern `*` is any run of characters. `context` narrows it: absent is the one of the path, `*` every one.
    `scope` is whether each subject's latest version is checked against those before it, or every one. The mode and
    policy are tried instead of each subject's own; nothing is changed by that.
    """

    pattern: str | None = None
    context: str | None = None
    scope: JobScope = JobScope.LATEST
    candidates: Annotated[tuple[CandidateBody, ...], msgspec.Meta(max_length=MAX_CANDIDATES)] = ()
    compatibility_mode: str | None = None
    compatibility_policy: str | None = None


class JobBody(msgspec.Struct, frozen=True, kw_only=True):
    """A job. `total` counts its checks, as an estimate until it has ended; `done` those whose results are there.

    `pattern` is null for a job over candidates, `context` null for every one. The mode and policy are null where each
    subject's own are used. `reason` says why a job failed, else it is empty. Times are RFC 3339 in UTC.
    """

    id: str
    state: JobState
    pattern: str | None
    context: str | None
    scope: JobScope
    compatibility_mode: CompatibilityLevel | None
    compatibility_policy: CompatibilityPolicy | None
    total: int
    done: int
    compatible: int
    incompatible: int
    errors: int
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None
    reason: str


class JobPage(msgspec.Struct, frozen=True):
    """Some jobs; `next` is the `cursor` of the following page, null on the last one."""

    items: list[JobBody]
    next: str | None


class JobResultBody(msgspec.Struct, frozen=True, kw_only=True):
    """One check. `version` is null for a candidate, `is_compatible` when there is no verdict: `error` says why then.

    `findings_left_out` counts findings and messages of the report that did not fit.
    """

    position: int
    subject: str
    version: int | None
    verdict: Verdict
    is_compatible: bool | None
    compared_versions: tuple[int, ...]
    report: ReportBody | None
    findings_left_out: int
    error: ErrorBody | None


class JobResultPage(msgspec.Struct, frozen=True):
    """Some results in the order of the checks; `next` is the `cursor` of the following page, null on the last one.

    A job that still runs may add more behind the last page.
    """

    items: list[JobResultBody]
    next: str | None


def job_of(body: SubmitJobRequest, context: str) -> tuple[JobRequest, tuple[JobCandidate, ...]]:
    """Read a request that was sent to a context.

    Raises BadRequest unless exactly one of pattern and candidates is there, InvalidCompatibility, and InvalidSchema
    for a reference that is none.
    """
    if (body.pattern is None) == (not body.candidates):
        raise BadRequest("Give either a pattern of subjects or a list of candidates, and not both")
    if body.context is not None:
        context = WILDCARD_CONTEXT if body.context == WILDCARD_CONTEXT else parse_context(body.context)
    if body.candidates and context == WILDCARD_CONTEXT:
        raise BadRequest("Candidates belong to one context, not to every one; qualify their subjects instead")
    request = JobRequest(
        pattern=body.pattern,
        context=None if context == WILDCARD_CONTEXT else context,
        scope=body.scope,
        level=None if body.compatibility_mode is None else level_of(body.compatibility_mode),
        policy=None if body.compatibility_policy is None else policy_of(body.compatibility_policy),
    )
    return request, tuple(_candidate(candidate, context) for candidate in body.candidates)


def job_v1(job: Job) -> JobBody:
    """Write a job."""
    return JobBody(
        id=job.id,
        state=job.state,
        pattern=job.request.pattern,
        context=job.request.context,
        scope=job.request.scope,
        compatibility_mode=job.request.level,
        compatibility_policy=job.request.policy,
        total=job.total,
        done=job.done,
        compatible=job.compatible,
        incompatible=job.incompatible,
        errors=job.errors,
        created_at=utc(job.created_at),
        created_by=job.created_by,
        started_at=None if job.started_at is None else utc(job.started_at),
        finished_at=None if job.finished_at is None else utc(job.finished_at),
        reason=job.reason,
    )


def job_result_v1(result: JobResult) -> JobResultBody:
    """Write a result."""
    return JobResultBody(
        position=result.position,
        subject=str(result.subject),
        version=result.version,
        verdict=result.verdict,
        is_compatible=None if result.verdict is Verdict.ERROR else result.verdict is Verdict.COMPATIBLE,
        compared_versions=result.report.compared if result.report else (),
        report=report_v1(result.report) if result.report else None,
        findings_left_out=result.left_out,
        error=ErrorBody(result.error.code, result.error.message) if result.error else None,
    )


def _candidate(body: CandidateBody, context: str) -> JobCandidate:
    submission = submission_of(
        RegisterSchemaRequest(schema=body.definition, schema_type=body.schema_type, references=body.references)
    )
    return JobCandidate(parse_subject(body.subject, context), submission)
