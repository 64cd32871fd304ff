"""The worker of bulk jobs when things go wrong: faults, slow checks, dead workers, too many jobs, old jobs."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import msgspec
import pytest

from llm_schema_registry.checks import Job, JobCandidate, JobRequest, JobScope, JobState, Verdict
from llm_schema_registry.errors import JobNotFound, TooManyJobs
from llm_schema_registry.formats.base import Parsed, ResolvedReference
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.model import CompatibilityPolicy, Difference, Submission
from llm_schema_registry.registry import job_worker, jobs
from llm_schema_registry.registry.engines import Engines
from llm_schema_registry.registry.job_worker import JobWorker, working
from llm_schema_registry.registry.jobs import MAX_UNFINISHED
from llm_schema_registry.registry.operation import Call, Policy
from llm_schema_registry.store.sql import SqlStore
from llm_schema_registry.telemetry import open_log
from polling import until
from store_rows import content, named, register
from unit.compatibility.words import WordFormat, Words

SLOW_SECONDS = 0.5


class Panic(BaseException):
    """What a native engine raises when it fails."""


class WildFormat(WordFormat):
    """Words, some of which do to an engine's thread what no engine should."""

    parsed: list[str]

    def __init__(self) -> None:
        self.parsed = []

    def parse(self, text: str, references: Sequence[ResolvedReference] = (), *, is_new: bool = True) -> Words:
        self.parsed.append(text)
        return super().parse(text, references, is_new=is_new)

    def diff(self, reader: Parsed, writer: Parsed, policy: CompatibilityPolicy, budget: Budget) -> Sequence[Difference]:
        for word in reader.field_names:
            if word == "sleeps":
                time.sleep(SLOW_SECONDS)
            if word == "faults":
                raise ValueError(word)
            if word == "panics":
                raise Panic(word)
        return super().diff(reader, writer, policy, budget)


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    """A registry of wild words over a fresh store in memory."""
    async with AsyncExitStack() as stack:
        store = SqlStore.open("sqlite://")
        stack.push_async_callback(store.close)
        await store.migrate()
        engines = Engines({"WORDS": WildFormat()})
        stack.callback(engines.close)
        yield Call(store, engines, lambda: time.time_ns() // 1_000_000)


@pytest.fixture
def log() -> io.StringIO:
    """What the workers logged."""
    return io.StringIO()


async def write(call: Call, subject: str, *texts: str) -> None:
    for text in texts:
        body = msgspec.structs.replace(content(text), schema_type="WORDS")
        await register(call.store, named(subject), body)


async def started(call: Call, job: Job) -> Job:
    return await until(lambda job: job.state is not JobState.QUEUED, lambda: jobs.get_job(call, job.id))


async def ended(call: Call, job: Job) -> Job:
    return await until(
        lambda job: job.state not in {JobState.QUEUED, JobState.RUNNING}, lambda: jobs.get_job(call, job.id)
    )


async def test_a_fault_of_an_engine_is_one_result_and_is_logged(call: Call, log: io.StringIO) -> None:
    for subject, text in (("a", "one two"), ("b", "one faults"), ("c", "one panics"), ("d", "one")):
        await write(call, subject, "one", text)
    job = await jobs.submit(call, JobRequest(pattern="*", scope=JobScope.ALL))
    async with working(JobWorker(call, open_log("info", log))):
        job = await ended(call, job)
    found = await jobs.list_results(call, job.id)
    assert (job.state, job.errors) == (JobState.DONE, 2)
    assert [(str(row.subject), row.error.code) for row in found if row.error] == [("b", 50003), ("c", 50003)]
    assert log.getvalue().count('"unhandled"') == 2


async def test_a_slow_check_keeps_its_job(call: Call, log: io.StringIO) -> None:
    """Its worker renews the lease meanwhile, so that no other takes the job over."""
    await write(call, "a", "one", "one sleeps")
    await write(call, "b", "one", "one sleeps too")
    job = await jobs.submit(call, JobRequest(pattern="*"))
    lease = SLOW_SECONDS / 3
    async with working(JobWorker(call, open_log("info", log), lease)):
        await started(call, job)
        async with working(JobWorker(call, open_log("info", log), lease)):
            job = await ended(call, job)
    assert (job.state, job.done) == (JobState.DONE, 2)
    fmt = call.engines.formats["WORDS"]
    assert isinstance(fmt, WildFormat)
    assert fmt.parsed.count("one sleeps") == 1
    assert "job lost" not in log.getvalue()


async def test_a_worker_whose_job_was_taken_away_lets_it_go(call: Call, log: io.StringIO) -> None:
    await write(call, "a", "one", "one sleeps")
    job = await jobs.submit(call, JobRequest(pattern="*"))
    # It renews its lease so seldom that it cannot notice before the check is over.
    worker = JobWorker(call, open_log("info", log), lease_seconds=60)
    async with working(worker):
        await started(call, job)
        assert (await jobs.cancel(call, job.id)).state is JobState.CANCELLED
        other = await jobs.submit(call, JobRequest(pattern="none"))
        assert (await ended(call, other)).state is JobState.DONE
    assert "job lost" in log.getvalue()
    assert await jobs.list_results(call, job.id) == []
    await jobs.cancel(call, job.id)
    with pytest.raises(JobNotFound):
        await jobs.get_job(call, job.id)


async def test_a_check_without_end_is_given_up(call: Call, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_worker, "_CHECK_SECONDS", SLOW_SECONDS / 5)
    await write(call, "a", "one", "one sleeps")
    job = await jobs.submit(call, JobRequest(pattern="*"))
    async with working(JobWorker(call, open_log("info", log), lease_seconds=SLOW_SECONDS / 5)):
        job = await ended(call, job)
    [result] = await jobs.list_results(call, job.id)
    assert result.error is not None
    assert (result.verdict, result.error.code) == (Verdict.ERROR, 42212)


async def test_a_job_that_kills_its_workers_fails(call: Call, log: io.StringIO) -> None:
    await write(call, "a", "one")
    job = await jobs.submit(call, JobRequest(pattern="*"))
    for attempt in range(job_worker.MAX_ATTEMPTS):
        async with call.store.transaction() as writer:
            # Each of these workers is gone at once, its lease too.
            assert await writer.claim_job(f"dead {attempt}", call.clock(), call.clock())
    async with working(JobWorker(call, open_log("info", log))):
        job = await ended(call, job)
    assert job.state is JobState.FAILED
    assert job.reason
    assert job.done == 0


async def test_a_job_goes_on_where_a_dead_worker_left_it(call: Call, log: io.StringIO) -> None:
    for subject in "abcd":
        await write(call, subject, f"one {subject}")
    candidates = [JobCandidate(named(subject), Submission("WORDS", "two")) for subject in "abcd"]
    for job in (await jobs.submit(call, JobRequest(pattern="*")), await jobs.submit(call, JobRequest(), candidates)):
        async with call.store.transaction() as writer:
            claim = await writer.claim_job("dead", call.clock(), call.clock())
        assert claim is not None
        worker = JobWorker(call, open_log("info", log))
        checks = [check async for check in worker._checks(claim)]
        kept = [await worker._judge(claim, position, check) for position, check in enumerate(checks[:2], 1)]
        async with call.store.transaction() as writer:
            assert await writer.keep_results(job.id, "dead", call.clock(), kept, checks[1].cursor)
        async with working(worker):
            assert (await ended(call, job)).done == 4
        found = await jobs.list_results(call, job.id)
        assert [(row.position, str(row.subject)) for row in found] == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


async def test_only_so_many_jobs_wait(call: Call) -> None:
    waiting = [await jobs.submit(call, JobRequest(pattern="*")) for _ in range(MAX_UNFINISHED)]
    with pytest.raises(TooManyJobs):
        await jobs.submit(call, JobRequest(pattern="*"))
    await jobs.cancel(call, waiting[3].id)
    await jobs.submit(call, JobRequest(pattern="*"))


async def test_old_jobs_are_removed(call: Call, log: io.StringIO) -> None:
    await write(call, "a", "one")
    async with working(JobWorker(call, open_log("info", log))):
        job = await ended(call, await jobs.submit(call, JobRequest(pattern="*")))
    assert await jobs.list_jobs(call) == [job]
    forgetful = Call(call.store, call.engines, call.clock, Policy(job_retention_days=0))
    await asyncio.sleep(0.005)
    async with working(JobWorker(forgetful, open_log("info", log))):
        assert await until(lambda left: not left, lambda: jobs.list_jobs(call)) == []


async def test_a_worker_outlives_its_store_failing(log: io.StringIO) -> None:
    """It says so, and stops at once when it is told to."""
    store = SqlStore.open("sqlite://")
    engines = Engines({})
    # There are no tables, so that every question fails.
    call = Call(store, engines, lambda: 0)
    started = time.monotonic()

    async def read_log() -> str:
        return log.getvalue()

    async with working(JobWorker(call, open_log("info", log))):
        await until(lambda text: "jobs wait for the store" in text, read_log)
    assert time.monotonic() - started < 5
    engines.close()
    await store.close()
