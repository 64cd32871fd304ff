"""The store's contract on bulk jobs and kept reports, on every kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from llm_schema_registry import errors
from llm_schema_registry.checks import (
    CheckError,
    Claim,
    Job,
    JobCandidate,
    JobRequest,
    JobResult,
    JobScope,
    JobState,
    StoredReport,
    Verdict,
)
from llm_schema_registry.model import (
    CompatibilityLevel,
    CompatibilityPolicy,
    Detail,
    Difference,
    Direction,
    Finding,
    Metadata,
    Place,
    Reference,
    Report,
    Severity,
    Submission,
)
from llm_schema_registry.store.base import VersionFilter, Visibility
from llm_schema_registry.store.sql import SqlStore
from store_rows import NOW, content, named, register, soft_delete

REPORT = Report(
    is_compatible=False,
    messages=("first", 'second "é" \U0001f980 \0'),
    findings=(
        Finding(
            Difference("KIND", "/a", "info", '{"a": 1}', "lost"),
            Severity.BREAKING,
            Direction.FORWARD,
            3,
            Detail("/a", None, "int", "", "why", "what to do"),
            "message",
            Place(1, 2),
        ),
    ),
    compared=(3, 2),
    level=CompatibilityLevel.FULL_TRANSITIVE,
    policy=CompatibilityPolicy.SOUND,
    are_hazards_complete=False,
)
REQUEST = JobRequest("a*", ".ctx", JobScope.ALL, CompatibilityLevel.FULL, CompatibilityPolicy.SOUND)
CANDIDATES = (
    JobCandidate(named("s", ".ctx"), Submission("AVRO", "text é", (Reference("n", "t", -1),), Metadata())),
    JobCandidate(named("t"), Submission("JSON", "")),
)
LEASE = NOW + 1000


def job(job_id: str, created_at: int = NOW, request: JobRequest = REQUEST) -> Job:
    return Job(job_id, request, JobState.QUEUED, 7, created_at, "someone é")


def result(position: int, verdict: Verdict = Verdict.COMPATIBLE, report: Report | None = None) -> JobResult:
    return JobResult(position, named("s", ".ctx"), 2, verdict, report)


async def add(store: SqlStore, *jobs: Job, candidates: Sequence[JobCandidate] = ()) -> None:
    async with store.transaction() as writer:
        for each in jobs:
            await writer.add_job(each, candidates)


async def claim(store: SqlStore, worker: str = "w", now: int = NOW, until: int = LEASE) -> Claim | None:
    async with store.transaction() as writer:
        return await writer.claim_job(worker, now, until)


async def keep(store: SqlStore, worker: str, *results: JobResult, until: int = LEASE, at: int = 1) -> bool:
    async with store.transaction() as writer:
        return await writer.keep_results("a", worker, until, results, (named("s", ".ctx"), at))


async def finish(store: SqlStore, job_id: str = "a", worker: str = "w", at: int = NOW + 5, reason: str = "") -> bool:
    state = JobState.FAILED if reason else JobState.DONE
    async with store.transaction() as writer:
        return await writer.finish_job(job_id, worker, state, at, reason)


async def found(store: SqlStore, job_id: str = "a") -> Job:
    job = await store.reader.find_job(job_id)
    assert job is not None
    return job


async def test_a_job_is_read_as_it_was_written(store: SqlStore) -> None:
    await add(store, job("a"), job("b", request=JobRequest()), candidates=CANDIDATES)
    assert await store.reader.find_job("a") == job("a")
    assert await store.reader.find_job("b") == job("b", request=JobRequest())
    assert await store.reader.find_job("c") is None
    assert await store.reader.find_job("\0") is None
    taken = await claim(store)
    assert taken is not None
    assert taken.candidates == CANDIDATES
    assert (taken.job.id, taken.worker, taken.attempts, taken.cursor) == ("a", "w", 1, None)


async def test_a_job_that_cannot_be_stored_is_refused(store: SqlStore) -> None:
    for candidates in ([JobCandidate(named("\ud800"), Submission("AVRO", ""))], ()):
        async with store.transaction() as writer:
            with pytest.raises(errors.InvalidSchema):
                await writer.add_job(msgspec.structs.replace(job("a"), created_by="\ud800"), candidates)
    assert await store.reader.list_jobs() == []


async def test_jobs_are_listed_newest_first_in_pages(store: SqlStore) -> None:
    jobs = [job("a", NOW), job("b", NOW + 1), job("c", NOW + 1), job("d", NOW + 2), job("e", NOW - 1)]
    await add(store, *jobs)
    order = ["d", "c", "b", "a", "e"]
    assert [each.id for each in await store.reader.list_jobs()] == order
    for size in (1, 2, 3):
        seen: list[str] = []
        after = None
        while page := await store.reader.list_jobs(after, size):
            seen += [each.id for each in page]
            after = (page[-1].created_at, page[-1].id)
        assert seen == order


async def test_the_oldest_free_job_is_claimed(store: SqlStore) -> None:
    await add(store, job("b", NOW + 1), job("a", NOW))
    first, second, third = [await claim(store, worker, NOW + 2) for worker in "xyz"]
    assert first is not None
    assert second is not None
    assert third is None
    assert (first.job.id, first.job.state, first.job.started_at) == ("a", JobState.RUNNING, NOW + 2)
    assert second.job.id == "b"
    assert await store.reader.count_unfinished_jobs() == 2


async def test_a_lease_that_ended_gives_the_job_to_another(store: SqlStore) -> None:
    await add(store, job("a"))
    await claim(store, "x")
    assert await keep(store, "x", result(1), at=4)
    assert await claim(store, "y", LEASE - 1) is None
    taken = await claim(store, "y", LEASE, LEASE + 1000)
    assert taken is not None
    assert (taken.cursor, taken.job.done, taken.attempts) == ((named("s", ".ctx"), 4), 1, 1)
    assert taken.job.started_at == NOW, "a job starts once"
    # Whoever held it before can change nothing any more.
    assert not await keep(store, "x", result(2))
    assert not await finish(store, worker="x")
    async with store.transaction() as writer:
        await writer.release_job("a", "x")
    assert (await found(store)).state is JobState.RUNNING
    assert [kept.position for kept in await store.reader.list_job_results("a")] == [1]


async def test_attempts_are_counted_until_a_result_is_kept(store: SqlStore) -> None:
    await add(store, job("a"))
    for attempt in (1, 2, 3):
        taken = await claim(store, "w", LEASE + attempt, LEASE + attempt)
        assert taken is not None
        assert taken.attempts == attempt
    assert await keep(store, "w", until=LEASE + 10)
    assert await claim(store, "w", LEASE + 9) is None, "the lease was renewed"
    assert await keep(store, "w", result(1), until=LEASE)
    taken = await claim(store, "w", LEASE)
    assert taken is not None
    assert taken.attempts == 1


async def test_a_released_job_is_queued_again(store: SqlStore) -> None:
    await add(store, job("a"))
    await claim(store)
    await keep(store, "w", result(1))
    async with store.transaction() as writer:
        await writer.release_job("a", "w")
    assert (await found(store)).state is JobState.QUEUED
    taken = await claim(store, "other")
    assert taken is not None
    assert (taken.job.done, taken.attempts) == (1, 1)


async def test_results_are_counted_and_read_in_pages(store: SqlStore) -> None:
    await add(store, job("a"), job("b"))
    await claim(store)
    verdicts = [Verdict.COMPATIBLE, Verdict.INCOMPATIBLE, Verdict.ERROR, Verdict.INCOMPATIBLE, Verdict.COMPATIBLE]
    results = [result(number, verdict, REPORT) for number, verdict in enumerate(verdicts, 1)]
    results[2] = JobResult(3, named("t"), None, Verdict.ERROR, None, CheckError(42201, "é"), 5)
    assert await keep(store, "w", *results[:2])
    assert await keep(store, "w", *results[2:])
    counted = await found(store)
    assert (counted.done, counted.compatible, counted.incompatible, counted.errors) == (5, 2, 2, 1)
    assert await store.reader.list_job_results("a") == results
    assert await store.reader.list_job_results("a", 2, 2) == results[2:4]
    assert await store.reader.list_job_results("a", 5) == []
    assert await store.reader.list_job_results("a", verdict=Verdict.INCOMPATIBLE) == [results[1], results[3]]
    assert await store.reader.list_job_results("a", 2, 1, Verdict.INCOMPATIBLE) == [results[3]]
    assert await store.reader.list_job_results("b") == await store.reader.list_job_results("none") == []


async def test_a_position_is_written_once(store: SqlStore) -> None:
    await add(store, job("a"))
    await claim(store)
    assert await keep(store, "w", result(1, report=REPORT))
    assert await keep(store, "w", result(1, Verdict.ERROR), result(2))
    assert await store.reader.list_job_results("a") == [result(1, report=REPORT), result(2)]


async def test_a_job_ends_once(store: SqlStore) -> None:
    await add(store, job("a"), candidates=CANDIDATES)
    assert not await finish(store), "it is not claimed"
    await claim(store)
    await keep(store, "w", result(1))
    assert await finish(store, reason="why é")
    ended = await found(store)
    assert (ended.state, ended.finished_at, ended.reason, ended.total) == (JobState.FAILED, NOW + 5, "why é", 1)
    assert not await finish(store)
    assert not await keep(store, "w", result(2))
    assert await claim(store, now=LEASE * 2) is None
    assert await store.reader.count_unfinished_jobs() == 0
    async with store.transaction() as writer:
        assert not await writer.cancel_job("a", NOW)


async def test_a_job_is_cancelled_whether_it_runs_or_not(store: SqlStore) -> None:
    await add(store, job("a"), job("b"))
    await claim(store)
    async with store.transaction() as writer:
        assert await writer.cancel_job("a", NOW + 1)
        assert await writer.cancel_job("b", NOW + 2)
        assert not await writer.cancel_job("c", NOW + 2)
    assert not await keep(store, "w", result(1))
    assert not await keep(store, "w")
    for job_id, at in (("a", NOW + 1), ("b", NOW + 2)):
        ended = await found(store, job_id)
        assert (ended.state, ended.finished_at, ended.total) == (JobState.CANCELLED, at, 7)
    assert await claim(store, now=LEASE * 2) is None


async def test_a_removed_job_takes_its_results_along(store: SqlStore) -> None:
    await add(store, job("a"))
    await claim(store)
    await keep(store, "w", result(1))
    async with store.transaction() as writer:
        await writer.delete_job("a")
        await writer.delete_job("a")
    assert await store.reader.find_job("a") is None
    assert await store.reader.list_job_results("a") == []
    assert not await keep(store, "w", result(2))


async def test_old_and_surplus_jobs_are_removed(store: SqlStore) -> None:
    await add(store, *(job(name, NOW + index) for index, name in enumerate("abcdefg")))
    for index, name in enumerate("abcde"):
        await claim(store)
        await finish(store, name, at=NOW + 10 * index)
    await claim(store)

    async def left(before: int, kept: int) -> str:
        async with store.transaction() as writer:
            await writer.prune_jobs(before, kept)
        return "".join(sorted(each.id for each in await store.reader.list_jobs()))

    assert await left(NOW, 100) == "abcdefg"
    assert await left(NOW + 11, 100) == "cdefg"
    assert await left(NOW, 2) == "defg"
    assert await left(NOW, 0) == "fg", "what has not ended stays"


async def test_each_of_many_claims_at_once_gets_another_job(store: SqlStore) -> None:
    await add(store, *(job(f"job {number:02}", NOW + number) for number in range(8)))
    claims = await asyncio.gather(*(claim(store, f"worker {number}") for number in range(12)))
    taken = sorted(each.job.id for each in claims if each)
    assert taken == [f"job {number:02}" for number in range(8)]


async def test_two_stores_claim_as_one(postgres_url: str) -> None:
    """What two server processes on one PostgreSQL do, also when they come back at once after a crash."""
    stores = [SqlStore.open(postgres_url), SqlStore.open(postgres_url)]
    await add(stores[0], *(job(f"job {number:02}", NOW + number) for number in range(20)))
    for turn in range(3):
        moment = NOW + turn * 10_000
        work = [claim(stores[number % 2], f"{turn}/{number}", moment, moment + 1000) for number in range(20)]
        claims = [each for each in await asyncio.gather(*work) if each]
        assert len({each.job.id for each in claims}) == len(claims)
        # A claim may find what it wanted taken and give up; it comes again.
        while late := await claim(stores[turn % 2], f"{turn}/late", moment, moment + 1000):
            claims.append(late)
        assert sorted(each.job.id for each in claims) == [f"job {number:02}" for number in range(20)]
    for each in stores:
        await each.close()


async def test_a_report_is_read_as_it_was_written(store: SqlStore) -> None:
    kept = StoredReport("r", NOW, named("s", ".ctx"), REPORT, 3)
    async with store.transaction() as writer:
        await writer.add_report(kept, 0, 10)
        assert await writer.find_report("r") == kept
    assert await store.reader.find_report("r") == kept
    assert await store.reader.find_report("x") is None
    assert await store.reader.find_report("\0") is None


async def test_old_and_surplus_reports_are_removed(store: SqlStore) -> None:
    async def add_report(number: int, before: int = 0, kept: int = 100) -> str:
        async with store.transaction() as writer:
            report = StoredReport(str(number), NOW + number, named("s"), Report(is_compatible=True))
            await writer.add_report(report, before, kept)
        return "".join([str(each) for each in range(10) if await store.reader.find_report(str(each))])

    for number in (3, 1, 2, 5, 4):
        await add_report(number)
    assert await add_report(6, kept=4) == "3456"
    assert await add_report(7, before=NOW + 5) == "567"


async def test_versions_are_counted(store: SqlStore) -> None:
    for name in ("a", "a", "b", "c"):
        await register(store, named(name), f"text {await store.reader.find_max_schema_id('.')}")
    await register(store, named("a", ".x"), "x")
    await soft_delete(store, named("b"), 1)
    assert await store.reader.count_versions(VersionFilter()) == 4
    assert await store.reader.count_versions(VersionFilter(context=".")) == 3
    assert await store.reader.count_versions(VersionFilter(pattern="a*", latest_only=True)) == 2
    assert await store.reader.count_versions(VersionFilter(context=".", visibility=Visibility.ALL)) == 4
    assert await store.reader.count_versions(VersionFilter(pattern="\ud800")) == 0
    assert await store.reader.count_versions(VersionFilter(after=(named("a"), 1))) == 2


async def test_earlier_versions_come_newest_first(store: SqlStore) -> None:
    for number in range(4):
        await register(store, named("s"), f"text {number}")
    await soft_delete(store, named("s"), 2)
    earlier = await store.reader.list_versions(named("s"), before=4)
    assert [version.version for version in earlier] == [3, 1]
    assert await store.reader.list_versions(named("s"), before=1) == []


async def test_who_refers_to_any_version_of_a_subject(store: SqlStore) -> None:
    for number in (1, 2):
        await register(store, named("t"), f"t {number}")
    first = await register(store, named("a"), content("a", [Reference("t", "t", 1)]))
    second = await register(store, named("b", ".x"), content("b", [Reference("t", ":.:t", 2)]))
    await register(store, named("c", ".x"), content("c", [Reference("t", "t", 1)]))
    assert await store.reader.list_referrers(named("t"), None) == sorted(
        [first, second], key=lambda key: (key.schema_id, str(key.subject))
    )
