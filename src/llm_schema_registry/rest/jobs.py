"""Bulk compatibility jobs (FR-2.2): submit, watch, read results page by page, cancel.

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

from llm_schema_registry.checks import Verdict
from llm_schema_registry.errors import (
    BadRequest,
    InvalidCompatibility,
    InvalidSchema,
    JobNotFound,
    TooManyJobs,
)
from llm_schema_registry.registry import jobs
from llm_schema_registry.rest.request import Query, Request, Response, json_answer
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.wire.jobs import (
    JobBody,
    JobPage,
    JobResultPage,
    SubmitJobRequest,
    job_of,
    job_result_v1,
    job_v1,
)

DEFAULT_ROWS = 50
MAX_ROWS = 100


async def submit(request: Request) -> Response:
    asked, candidates = job_of(await request.body(SubmitJobRequest), request.context)
    job = await jobs.submit(request.call, asked, candidates)
    answer = json_answer(job_v1(job), 202)
    answer.headers["location"] = f"/v1/compatibility/jobs/{job.id}"
    return answer


async def list_jobs(request: Request) -> Response:
    limit = request.rows(DEFAULT_ROWS, MAX_ROWS)
    cursor = request.text("cursor")
    # One row more is asked for to know whether another page follows.
    found = await jobs.list_jobs(request.call, read_cursor(cursor) if cursor else None, limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    following = None if last is None else f"{last.created_at}.{last.id}"
    return json_answer(JobPage([job_v1(job) for job in found[:limit]], following))


async def get_job(request: Request) -> Response:
    return json_answer(job_v1(await jobs.get_job(request.call, request.path("job"))))


async def list_results(request: Request) -> Response:
    limit = request.rows(DEFAULT_ROWS, MAX_ROWS)
    only = request.text("only")
    found = await jobs.list_results(
        request.call,
        request.path("job"),
        _read_position(request.text("cursor", "0")),
        limit + 1,
        Verdict(only) if only else None,
    )
    following = str(found[limit - 1].position) if len(found) > limit else None
    return json_answer(JobResultPage([job_result_v1(result) for result in found[:limit]], following))


async def cancel(request: Request) -> Response:
    return json_answer(job_v1(await jobs.cancel(request.call, request.path("job"))))


def read_cursor(text: str) -> tuple[int, str]:
    """Read the cursor of a listing by age: a time in milliseconds and an id. Raises BadRequest."""
    created_at, _, job_id = text.partition(".")
    return _read_position(created_at), job_id


def _read_position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest("The cursor is not one that a previous page answered as 'next'")
    return int(text)


CURSOR_PAGING = (
    Query("limit", "integer", DEFAULT_ROWS, f"Rows a page, at most {MAX_ROWS}.", example=10),
    Query("cursor", "string", None, "The `next` of the previous page."),
)

ROUTES = (
    Route(
        "POST",
        "/v1/compatibility/jobs",
        submit,
        "Check the history of many subjects, or many candidates, in the background.",
        "compatibility",
        body=SubmitJobRequest,
        example={"pattern": "telemetry.*", "scope": "all", "compatibility_mode": "FULL"},
        answer=JobBody,
        status=202,
        errors=(BadRequest, InvalidCompatibility, InvalidSchema, TooManyJobs),
    ),
    Route(
        "GET",
        "/v1/compatibility/jobs",
        list_jobs,
        "List the jobs, newest first.",
        "compatibility",
        query=CURSOR_PAGING,
        answer=JobPage,
        errors=(BadRequest,),
    ),
    Route(
        "GET",
        "/v1/compatibility/jobs/{job}",
        get_job,
        "Return a job and how far it is.",
        "compatibility",
        answer=JobBody,
        errors=(JobNotFound,),
    ),
    Route(
        "GET",
        "/v1/compatibility/jobs/{job}/results",
        list_results,
        "List the results that a job has so far.",
        "compatibility",
        query=(
            Query("only", "string", None, "Only results of this verdict.", choices=tuple(Verdict)),
            *CURSOR_PAGING,
        ),
        answer=JobResultPage,
        errors=(BadRequest, JobNotFound),
    ),
    Route(
        "DELETE",
        "/v1/compatibility/jobs/{job}",
        cancel,
        "Cancel a job, or remove one that has ended, with its results; answers it as it was left.",
        "compatibility",
        answer=JobBody,
        errors=(JobNotFound,),
    ),
)
