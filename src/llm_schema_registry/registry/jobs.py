"""Bulk checks as their callers see them: submit, watch, read results, cancel (FR-2.2).

Refuses to run a job: `job_worker` does, in any server process on the same store.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from llm_schema_registry.checks import Job, JobCandidate, JobRequest, JobResult, JobScope, JobState, Verdict
from llm_schema_registry.errors import JobNotFound, TooManyJobs
from llm_schema_registry.model import Subject
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.store.base import VersionFilter

MAX_UNFINISHED = 100
"""Jobs that may wait or run at a time; a few more when several are submitted in the same moment."""


@operation(Permission.READ)
async def submit(call: Call, request: JobRequest, candidates: Sequence[JobCandidate] = ()) -> Job:
    """Queue a job. Its result for a candidate says what registering it alone would. Raises TooManyJobs."""
    total = len(candidates) if request.pattern is None else await call.store.reader.count_versions(versions_of(request))
    job = Job(
        id=str(uuid.uuid4()),
        request=request,
        state=JobState.QUEUED,
        total=total,
        created_at=call.clock(),
        created_by=call.actor.name,
    )
    async with call.store.transaction() as writer:
        if await writer.count_unfinished_jobs() >= MAX_UNFINISHED:
            raise TooManyJobs(MAX_UNFINISHED)
        await writer.add_job(job, candidates)
    call.wake_worker()
    return job


@operation(Permission.READ)
async def list_jobs(call: Call, after: tuple[int, str] | None = None, limit: int = 100) -> list[Job]:
    """List the jobs, newest first, behind the one of this (created_at, id)."""
    return await call.store.reader.list_jobs(after, limit)


@operation(Permission.READ)
async def get_job(call: Call, job_id: str) -> Job:
    """Return a job as it stands. Raises JobNotFound."""
    job = await call.store.reader.find_job(job_id)
    if job is None:
        raise JobNotFound(job_id)
    return job


@operation(Permission.READ)
async def list_results(
    call: Call, job_id: str, after: int = 0, limit: int = 100, verdict: Verdict | None = None
) -> list[JobResult]:
    """List the results that a job has so far, behind a position. Raises JobNotFound."""
    await get_job(call, job_id)
    return await call.store.reader.list_job_results(job_id, after, limit, verdict)


@operation(Permission.WRITE)
async def cancel(call: Call, job_id: str) -> Job:
    """Cancel a job; remove one that has ended, with its results. Returns it as it was left. Raises JobNotFound."""
    async with call.store.transaction() as writer:
        is_cancelled = await writer.cancel_job(job_id, call.clock())
        job = await writer.find_job(job_id)
        if job is None:
            raise JobNotFound(job_id)
        if not is_cancelled:
            await writer.delete_job(job_id)
    return job


def versions_of(request: JobRequest, after: tuple[Subject, int] | None = None) -> VersionFilter:
    """Which versions a job over a pattern checks, behind one that it checked already."""
    return VersionFilter(
        context=request.context,
        pattern=request.pattern,
        latest_only=request.scope is JobScope.LATEST,
        after=after,
    )
