"""The values of checks that reach beyond one pair: bulk jobs and their results, impact, reports that are kept.

Refuses to own rules, as `model` does; these are values that storage, use cases and the wire exchange.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from llm_schema_registry.model import (
    CompatibilityLevel,
    CompatibilityPolicy,
    Reference,
    Report,
    Subject,
    Submission,
)


class JobState(StrEnum):
    """Where a job stands. The last three are the ends; a job that ended never runs again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class JobScope(StrEnum):
    """Which versions of a subject a job checks, each against those before it."""

    LATEST = "latest"
    ALL = "all"


class JobRequest(msgspec.Struct, frozen=True):
    """What a job is asked. `level` and `policy` None are each subject's own.

    With `pattern` (as in a store's VersionFilter, in `context`, None is every one) the registered versions of the
    subjects that match are checked against their own predecessors; without it the job's candidates are checked.
    """

    pattern: str | None = None
    context: str | None = None
    scope: JobScope = JobScope.LATEST
    level: CompatibilityLevel | None = None
    policy: CompatibilityPolicy | None = None


class JobCandidate(msgspec.Struct, frozen=True):
    """A schema that a job checks as its registration would."""

    subject: Subject
    submission: Submission


class Job(msgspec.Struct, frozen=True):
    """A job and how far it is. `total` is estimated while it runs: versions come and go meanwhile.

    `done` = `compatible` + `incompatible` + `errors`, the checks whose results are kept. Times are in milliseconds
    since the epoch, UTC. `reason` says why a job failed.
    """

    id: str
    request: JobRequest
    state: JobState
    total: int
    created_at: int
    created_by: str
    done: int = 0
    compatible: int = 0
    incompatible: int = 0
    errors: int = 0
    started_at: int | None = None
    finished_at: int | None = None
    reason: str = ""


class Claim(msgspec.Struct, frozen=True):
    """A job in the hands of one worker. `attempts` counts the claims since a result was last kept, this one included.

    `cursor` is the version that was checked last, None at the start of a job and for candidates.
    """

    job: Job
    worker: str
    attempts: int
    cursor: tuple[Subject, int] | None
    candidates: tuple[JobCandidate, ...]


class Verdict(StrEnum):
    """What became of one check of a job."""

    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"
    ERROR = "error"


class CheckError(msgspec.Struct, frozen=True):
    """Why a check could not be decided: what a single call would have been refused with."""

    code: int
    message: str


class JobResult(msgspec.Struct, frozen=True):
    """One check of a job; positions count from 1. `version` is None for a candidate.

    An error may come with the report of what was decided until then. `left_out` findings did not fit.
    """

    position: int
    subject: Subject
    version: int | None
    verdict: Verdict
    report: Report | None = None
    error: CheckError | None = None
    left_out: int = 0


class StoredReport(msgspec.Struct, frozen=True):
    """A report that is kept for whoever was refused by it. `at` is in milliseconds since the epoch, UTC.

    Reports and results outlive releases: a member that their structs get later needs a default.
    """

    id: str
    at: int
    subject: Subject
    report: Report
    left_out: int = 0


class Outcome(StrEnum):
    """What a new version of a referenced subject does to a dependant."""

    OK = "ok"
    INCOMPATIBLE = "incompatible"
    INVALID = "invalid"
    UNDECIDED = "undecided"


class Dependant(msgspec.Struct, frozen=True):
    """A version that refers to a subject, directly or through others, judged with a candidate in that subject's place.

    `path` are the references that lead there: the dependant's own first, the one to the subject last. `report`
    compares the dependant with the candidate in place to the dependant as it is; None unless that was possible.
    `problem` says why it is invalid or undecided.
    """

    subject: Subject
    version: int
    path: tuple[Reference, ...]
    outcome: Outcome
    report: Report | None = None
    problem: str = ""


class Impact(msgspec.Struct, frozen=True):
    """What a candidate does to those that refer to its subject. `is_complete` is false when there were too many."""

    subject: Subject
    dependants: tuple[Dependant, ...]
    is_complete: bool

    @property
    def is_harmless(self) -> bool:
        """Whether every dependant was looked at and is fine."""
        return self.is_complete and all(dependant.outcome is Outcome.OK for dependant in self.dependants)
