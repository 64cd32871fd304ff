"""Questions and changes to the tables of bulk jobs and of kept reports.

Refuses to know what a job checks; a job, a result and a report are documents here, with what they are found by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, and_, bindparam, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert  # SQLite compiles it to the same words

from llm_schema_registry.checks import (
    Claim,
    Job,
    JobCandidate,
    JobRequest,
    JobResult,
    JobState,
    StoredReport,
    Verdict,
)
from llm_schema_registry.model import Report, Subject
from llm_schema_registry.store.rows import Asker, Parameters, Run, json_of, refuse_unstorable
from llm_schema_registry.store.tables import job_results, jobs, reports

_request_of = msgspec.json.Decoder(JobRequest).decode
_candidates_of = msgspec.json.Decoder(tuple[JobCandidate, ...]).decode
_cursor_of = msgspec.json.Decoder(tuple[Subject, int]).decode
_result_of = msgspec.json.Decoder(JobResult).decode
_report_of = msgspec.json.Decoder(Report).decode

_JOB = (
    jobs.c.id,
    jobs.c.request,
    jobs.c.state,
    jobs.c.total,
    jobs.c.created_at,
    jobs.c.created_by,
    jobs.c.done,
    jobs.c.compatible,
    jobs.c.incompatible,
    jobs.c.errors,
    jobs.c.started_at,
    jobs.c.finished_at,
    jobs.c.reason,
)
_LIMIT = bindparam("limit", type_=BigInteger)
_AGE = (jobs.c.created_at, jobs.c.id)
_IS_UNFINISHED = jobs.c.state.in_([JobState.QUEUED.value, JobState.RUNNING.value])
_OF_JOB = jobs.c.id == bindparam("of_job")
_OF_WORKER = and_(_OF_JOB, jobs.c.state == JobState.RUNNING.value, jobs.c.claimed_by == bindparam("of_worker"))
_IS_FREE = or_(
    jobs.c.state == JobState.QUEUED.value,
    and_(jobs.c.state == JobState.RUNNING.value, jobs.c.lease_until <= bindparam("now")),
)

_ADD_JOB = insert(jobs)
_FIND_JOB = select(*_JOB).where(_OF_JOB)
_NEWEST_JOBS = select(*_JOB).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(_LIMIT)
_OLDER_JOBS = _NEWEST_JOBS.where(tuple_(*_AGE) < tuple_(bindparam("after_at"), bindparam("after_id")))
_COUNT_UNFINISHED = select(func.count()).select_from(jobs).where(_IS_UNFINISHED)

_RESULTS = (
    select(job_results.c.document)
    .where(job_results.c.job_id == bindparam("of_job"), job_results.c.position > bindparam("after"))
    .order_by(job_results.c.position)
    .limit(_LIMIT)
)
_RESULTS_OF_VERDICT = _RESULTS.where(job_results.c.verdict == bindparam("verdict"))

# Two workers of PostgreSQL that come at once do not wait for each other; SQLite knows no second writer.
_OLDEST_FREE = select(jobs.c.id).where(_IS_FREE).order_by(*_AGE).limit(1).with_for_update(skip_locked=True)
_CLAIM = (
    update(jobs)
    .where(_IS_FREE, jobs.c.id == _OLDEST_FREE.scalar_subquery())
    .values(
        state=JobState.RUNNING.value,
        claimed_by=bindparam("worker"),
        lease_until=bindparam("until"),
        attempts=jobs.c.attempts + 1,
        started_at=func.coalesce(jobs.c.started_at, bindparam("now")),
    )
    .returning(*_JOB, jobs.c.attempts, jobs.c.cursor, jobs.c.candidates)
)
_RENEW = update(jobs).where(_OF_WORKER).values(lease_until=bindparam("until")).returning(jobs.c.id)
_COUNT_RESULTS = _RENEW.values(
    cursor=bindparam("next_cursor"),
    attempts=0,
    done=jobs.c.done + bindparam("more"),
    **{name: jobs.c[name] + bindparam(f"more_{name}") for name in ("compatible", "incompatible", "errors")},
)
_ADD_RESULTS = upsert(job_results).on_conflict_do_nothing(index_elements=["job_id", "position"])
_RELEASE = update(jobs).where(_OF_WORKER).values(state=JobState.QUEUED.value, claimed_by=None, attempts=0)
_END: Parameters = {
    "state": bindparam("end_state"),
    "finished_at": bindparam("end_at"),
    "reason": bindparam("end_reason"),
    "total": jobs.c.done,
    "candidates": None,
    "claimed_by": None,
}
_FINISH = update(jobs).where(_OF_WORKER).values(**_END).returning(jobs.c.id)
# What a cancelled job had before it stays its total.
_CANCEL = update(jobs).where(_OF_JOB, _IS_UNFINISHED).values(**{**_END, "total": jobs.c.total}).returning(jobs.c.id)
_DELETE_JOB = delete(jobs).where(_OF_JOB)
_FINISHED = select(jobs.c.id).where(~_IS_UNFINISHED).order_by(jobs.c.finished_at.desc(), jobs.c.id.desc())
_PRUNE_JOBS = delete(jobs).where(
    ~_IS_UNFINISHED,
    or_(
        jobs.c.finished_at < bindparam("before"),
        jobs.c.id.in_(_FINISHED.limit(2**62).offset(bindparam("keep", type_=BigInteger))),
    ),
)

_ADD_REPORT = insert(reports)
_FIND_REPORT = select(
    reports.c.id, reports.c.at, reports.c.context, reports.c.subject, reports.c.body, reports.c.left_out
).where(reports.c.id == bindparam("of_report"))
_NEWEST_REPORTS = select(reports.c.id).order_by(reports.c.at.desc(), reports.c.id.desc())
_PRUNE_REPORTS = delete(reports).where(
    or_(
        reports.c.at < bindparam("before"),
        reports.c.id.in_(_NEWEST_REPORTS.limit(2**62).offset(bindparam("keep", type_=BigInteger))),
    )
)


class SqlJobReader(Asker):
    """The questions of `base.Reader` about jobs and reports."""

    async def find_job(self, job_id: str) -> Job | None:
        rows = await self._ask(_FIND_JOB, of_job=job_id)
        return _job(rows[0]) if rows else None

    async def list_jobs(self, after: tuple[int, str] | None = None, limit: int = 100) -> list[Job]:
        if after is None:
            rows = await self._ask(_NEWEST_JOBS, limit=limit)
        else:
            rows = await self._ask(_OLDER_JOBS, limit=limit, after_at=after[0], after_id=after[1])
        return [_job(row) for row in rows]

    async def count_unfinished_jobs(self) -> int:
        [[count]] = await self._ask(_COUNT_UNFINISHED)
        return int(count)

    async def list_job_results(
        self, job_id: str, after: int = 0, limit: int = 100, verdict: Verdict | None = None
    ) -> list[JobResult]:
        if verdict is None:
            rows = await self._ask(_RESULTS, of_job=job_id, after=after, limit=limit)
        else:
            rows = await self._ask(_RESULTS_OF_VERDICT, of_job=job_id, after=after, limit=limit, verdict=verdict.value)
        return [_result_of(document) for [document] in rows]

    async def find_report(self, report_id: str) -> StoredReport | None:
        for row_id, at, context, subject, body, left_out in await self._ask(_FIND_REPORT, of_report=report_id):
            return StoredReport(row_id, at, Subject(context, subject), _report_of(body), left_out)
        return None


class SqlJobWriter(SqlJobReader):
    """The changes of `base.Writer` to jobs and reports, made through `run` on the transaction's connection."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._run = run

    async def add_job(self, job: Job, candidates: Sequence[JobCandidate] = ()) -> None:
        row = msgspec.structs.asdict(job) | {
            "request": json_of(job.request),
            "candidates": json_of(candidates) if candidates else None,
            "state": job.state.value,
            "attempts": 0,
            "lease_until": 0,
        }
        refuse_unstorable([row])
        await self._run(_ADD_JOB, row)

    async def claim_job(self, worker: str, now: int, lease_until: int) -> Claim | None:
        rows = await self._run(_CLAIM, {"worker": worker, "now": now, "until": lease_until})
        if not rows:
            return None
        *job, attempts, cursor, candidates = rows[0]
        return Claim(
            _job(job),
            worker,
            attempts,
            None if cursor is None else _cursor_of(cursor),
            () if candidates is None else _candidates_of(candidates),
        )

    async def keep_results(
        self,
        job_id: str,
        worker: str,
        lease_until: int,
        results: Sequence[JobResult] = (),
        cursor: tuple[Subject, int] | None = None,
    ) -> bool:
        held: Parameters = {"of_job": job_id, "of_worker": worker, "until": lease_until}
        if not results:
            return bool(await self._run(_RENEW, held))
        rows: list[Parameters] = [
            {
                "job_id": job_id,
                "position": result.position,
                "verdict": result.verdict.value,
                "document": json_of(result),
            }
            for result in results
        ]
        verdicts = [result.verdict for result in results]
        counts: Parameters = {
            "more": len(results),
            "more_compatible": verdicts.count(Verdict.COMPATIBLE),
            "more_incompatible": verdicts.count(Verdict.INCOMPATIBLE),
            "more_errors": verdicts.count(Verdict.ERROR),
            "next_cursor": None if cursor is None else json_of(cursor),
        }
        if not await self._run(_COUNT_RESULTS, held | counts):
            return False
        await self._run(_ADD_RESULTS, rows)
        return True

    async def release_job(self, job_id: str, worker: str) -> None:
        await self._run(_RELEASE, {"of_job": job_id, "of_worker": worker})

    async def finish_job(self, job_id: str, worker: str, state: JobState, at: int, reason: str = "") -> bool:
        ended: Parameters = {"end_state": state.value, "end_at": at, "end_reason": reason}
        return bool(await self._run(_FINISH, {"of_job": job_id, "of_worker": worker, **ended}))

    async def cancel_job(self, job_id: str, at: int) -> bool:
        ended = {"end_state": JobState.CANCELLED.value, "end_at": at, "end_reason": ""}
        return bool(await self._ask(_CANCEL, of_job=job_id, **ended))

    async def delete_job(self, job_id: str) -> None:
        await self._ask(_DELETE_JOB, of_job=job_id)

    async def prune_jobs(self, before: int, keep: int) -> None:
        await self._run(_PRUNE_JOBS, {"before": before, "keep": keep})

    async def add_report(self, report: StoredReport, before: int, keep: int) -> None:
        row: Parameters = {
            "id": report.id,
            "at": report.at,
            "context": report.subject.context,
            "subject": report.subject.name,
            "left_out": report.left_out,
            "body": json_of(report.report),
        }
        refuse_unstorable([row])
        await self._run(_ADD_REPORT, row)
        await self._run(_PRUNE_REPORTS, {"before": before, "keep": keep})


def _job(row: Sequence[Any]) -> Job:
    job_id, request, state, *others = row
    return Job(job_id, _request_of(request), JobState(state), *others)
