"""The worker of bulk jobs: one task of a server process, one job at a time, one check at a time.

Refuses to know what a check is; it claims, runs, keeps results and gives back. Whatever it was doing when its process
died, another worker goes on from the last result that was kept, once the lease has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from structlog.typing import FilteringBoundLogger

from llm_schema_registry.checks import Claim, JobResult, JobState
from llm_schema_registry.errors import CheckFailed, NotFound, Refused, RegistryError, TooComplex
from llm_schema_registry.model import Report, Subject
from llm_schema_registry.registry.job_checks import check_candidate, check_version, decided, undecided
from llm_schema_registry.registry.jobs import versions_of
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.store.base import Page

LEASE_SECONDS = 10.0
"""How long a worker that says nothing keeps its job; it speaks three times as often."""

MAX_ATTEMPTS = 5
"""Claims in a row that may end without a result before the job counts as what kills its workers."""

MAX_FINISHED = 200
"""Jobs that ended and are kept, however young they are."""

STOP_SECONDS = 1.0

_IDLE_SECONDS = 3.0
_CHECK_SECONDS = 60.0
_KEEP_SECONDS = 1.0
_BATCH = 50
_MAX_PAUSE_SECONDS = 0.1
_PRUNE_SECONDS = 3600.0
_DAY = 24 * 60 * 60 * 1000


class _Lost(Exception):
    """The job is no longer this worker's."""


@dataclass(frozen=True, slots=True)
class _Check:
    """One check that waits to be run."""

    subject: Subject
    version: int | None
    run: Callable[[], Awaitable[Report]]

    @property
    def cursor(self) -> tuple[Subject, int] | None:
        return None if self.version is None else (self.subject, self.version)


@asynccontextmanager
async def working(worker: JobWorker) -> AsyncIterator[None]:
    """Let a worker work during the block, and give back at its end what it has not finished."""
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        task.cancel()
        # A store that does not answer must not keep the process; the lease ends by itself.
        await asyncio.wait([task], timeout=STOP_SECONDS)


class JobWorker:
    """Runs jobs. `call` is what its checks may touch; everything that goes wrong is told to `log`."""

    def __init__(self, call: Call, log: FilteringBoundLogger, lease_seconds: float = LEASE_SECONDS) -> None:
        self._call = call
        self._log = log
        self._lease_seconds = lease_seconds
        self._name = str(uuid.uuid4())
        self._woken = asyncio.Event()
        self._prune_at = 0.0

    def wake(self) -> None:
        """Look for a job now."""
        self._woken.set()

    async def run(self) -> None:
        """Work until the task is cancelled."""
        while True:
            self._woken.clear()
            is_busy = False
            try:
                is_busy = await self._work()
            except RegistryError as error:
                self._log.warning("jobs wait for the store", error_code=error.code, reason=str(error))
            except Exception as error:  # noqa: BLE001 - whatever a job does, its worker goes on
                self._log.error("unhandled", exc_info=error)
            if not is_busy:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await self._woken.wait()

    async def _work(self) -> bool:
        """Run one job, if there is one."""
        if time.monotonic() >= self._prune_at:
            await self._prune()
        async with self._call.store.transaction() as writer:
            claim = await writer.claim_job(self._name, self._call.clock(), self._lease())
        if claim is None:
            return False
        try:
            await self._run(claim)
        except _Lost:
            self._log.info("job lost", job=claim.job.id)
        except (asyncio.CancelledError, RegistryError):
            # Where the store cannot be told, the lease ends by itself.
            with contextlib.suppress(RegistryError):
                async with self._call.store.transaction() as writer:
                    await writer.release_job(claim.job.id, self._name)
            raise
        self._prune_at = 0.0
        return True

    async def _run(self, claim: Claim) -> None:
        if claim.attempts > MAX_ATTEMPTS:
            await self._finish(claim, f"The server ended {MAX_ATTEMPTS} times at the check behind the last result")
            return
        kept: list[JobResult] = []
        position, cursor = claim.job.done, claim.cursor
        due = time.monotonic() + _KEEP_SECONDS
        async for check in self._checks(claim):
            position += 1
            started = time.monotonic()
            kept.append(await self._judge(claim, position, check))
            cursor = check.cursor
            now = time.monotonic()
            if now >= due or len(kept) == _BATCH:
                await self._keep(claim, kept, cursor)
                kept, due = [], now + _KEEP_SECONDS
            # At most half of the time, so that requests get a thread and the interpreter's lock without waiting long.
            await asyncio.sleep(min(now - started, _MAX_PAUSE_SECONDS))
        if kept:
            await self._keep(claim, kept, cursor)
        await self._finish(claim)

    async def _checks(self, claim: Claim) -> AsyncIterator[_Check]:
        """The checks that are left of a job, in the order of their positions."""
        call, request = self._call, claim.job.request
        if request.pattern is None:
            for given in claim.candidates[claim.job.done :]:
                yield _Check(given.subject, None, partial(check_candidate, call, request, given))
            return
        cursor = claim.cursor
        reader = call.store.lagging_reader
        while versions := await reader.search_versions(versions_of(request, cursor), Page(limit=_BATCH)):
            for version in versions:
                yield _Check(version.subject, version.version, partial(check_version, call, request, version))
            cursor = (versions[-1].subject, versions[-1].version)

    async def _judge(self, claim: Claim, position: int, check: _Check) -> JobResult:
        """Run a check. What it is refused with is its result."""
        try:
            return decided(position, check.subject, check.version, await self._attend(claim, check))
        except (Refused, NotFound) as error:
            return undecided(position, check.subject, check.version, error)
        except (RegistryError, _Lost, asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - an engine's panic is one, and must not end the job
            self._log.error("unhandled", job=claim.job.id, exc_info=error)
            return undecided(position, check.subject, check.version, CheckFailed())

    async def _attend(self, claim: Claim, check: _Check) -> Report:
        """Run a check and renew the lease while it takes its time, which has an end."""
        task = asyncio.ensure_future(check.run())
        give_up_at = time.monotonic() + _CHECK_SECONDS
        try:
            while not (await asyncio.wait([task], timeout=self._lease_seconds / 3))[0]:
                if time.monotonic() > give_up_at:
                    raise TooComplex(f"The check took longer than {_CHECK_SECONDS:g} seconds")
                await self._keep(claim)
            return task.result()
        finally:
            # What was cancelled gives its connection back before anybody closes the store.
            task.cancel()
            await asyncio.wait([task])

    async def _keep(
        self, claim: Claim, results: Sequence[JobResult] = (), cursor: tuple[Subject, int] | None = None
    ) -> None:
        """Write results down, or none, and renew the lease."""
        async with self._call.store.transaction() as writer:
            is_held = await writer.keep_results(claim.job.id, self._name, self._lease(), results, cursor)
        if not is_held:
            raise _Lost

    async def _finish(self, claim: Claim, reason: str = "") -> None:
        state = JobState.FAILED if reason else JobState.DONE
        async with self._call.store.transaction() as writer:
            if not await writer.finish_job(claim.job.id, self._name, state, self._call.clock(), reason):
                raise _Lost
        self._log.info("job ended", job=claim.job.id, state=state, reason=reason)

    async def _prune(self) -> None:
        before = self._call.clock() - round(self._call.policy.job_retention_days * _DAY)
        async with self._call.store.transaction() as writer:
            await writer.prune_jobs(before, MAX_FINISHED)
        self._prune_at = time.monotonic() + _PRUNE_SECONDS

    def _lease(self) -> int:
        return self._call.clock() + round(self._lease_seconds * 1000)
