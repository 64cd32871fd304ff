"""The Protocols of storage. Their comments are the contract that `tests/contract/test_store.py` runs on every store.

Refuses to decide anything: modes, levels, merging and permissions are the registry's; a store keeps rows, order,
uniqueness and transactions.

For every method: lists are ordered as stated and never cut except by `limit` (`None` is no limit); a page past the
end is empty; what is absent is `None` or an empty list, never an error. A broken store raises
`errors.StoreFailed`, one that is away `errors.StoreUnavailable`, which is a kind of it; too many callers raise
`errors.Overloaded`; a lock that could not be had in time raises `errors.TimedOut`. Names compare by code point,
byte for byte: no case folding, no Unicode normalisation, no trimming.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Literal, Protocol

import msgspec

from llm_schema_registry.checks import (
    Claim,
    Job,
    JobCandidate,
    JobResult,
    JobState,
    StoredReport,
    Verdict,
)
from llm_schema_registry.documents import Document, DocumentKind, Sample
from llm_schema_registry.model import (
    LATEST,
    Config,
    Event,
    Mode,
    Schema,
    SchemaContent,
    State,
    Subject,
    Version,
    VersionKey,
)
from llm_schema_registry.store.freshness import Freshness


class Visibility(Enum):
    """Which versions a question is about. A subject counts as deleted when all of its versions are."""

    ACTIVE = "active"
    ALL = "all"
    DELETED = "deleted"


class Page(msgspec.Struct, frozen=True):
    """A window on an ordered list. `offset` counts rows from 0."""

    offset: int = 0
    limit: int | None = None


EVERYTHING = Page()


class VersionFilter(msgspec.Struct, frozen=True):
    """Which versions to find; members are joined by AND, `None` and empty mean any.

    `context`: None is every context. `prefix`: of the subject's name. `pattern`: of the name, where `*` is any run of
    characters and everything else, `%` `_` `?` `[` included, is itself. `tags`: each must be among the schema's tags
    (see `SchemaContent.metadata`, property `tags`, comma separated, and every tag under `metadata.tags`).
    `properties`: each pair must be among the metadata's properties. `rule_type`: some rule of the schema's rule set
    has this type. `latest_only`: of each subject only the newest version that is visible. `after`: only versions
    behind this (subject, version), in list order.
    """

    context: str | None = None
    subject: Subject | None = None
    prefix: str = ""
    pattern: str | None = None
    schema_ids: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    rule_type: str | None = None
    latest_only: bool = False
    visibility: Visibility = Visibility.ACTIVE
    after: tuple[Subject, int] | None = None


class ScopeSettings(msgspec.Struct, frozen=True):
    """What is set at one scope."""

    config: Config | None = None
    mode: Mode | None = None


class IdTaken(Exception):
    """The id that was asked for already names another content in this context."""


class VersionTaken(Exception):
    """The subject already has a version of this number, soft-deleted ones included."""


class Reader(Protocol):
    """Questions. Outside a transaction every answer shows all that was committed before the question was put."""

    async def find_schema(self, context: str, schema_id: int) -> Schema | None:
        """The content behind an id, also when every version that uses it is soft-deleted."""

    async def list_schemas_by_guid(self, guid: str, context: str | None = None) -> list[Schema]:
        """The contents with this guid, by context, then id. Several ids of one context are possible after imports."""

    async def find_version(
        self, subject: Subject, version: int, visibility: Visibility = Visibility.ACTIVE
    ) -> Version | None:
        """One version; `model.LATEST` is the newest that is not soft-deleted, whatever the visibility."""

    async def find_version_by_guid(
        self, subject: Subject, guid: str, visibility: Visibility = Visibility.ACTIVE
    ) -> Version | None:
        """The newest visible version of the subject whose content has this guid."""

    async def list_versions(
        self,
        subject: Subject,
        visibility: Visibility = Visibility.ACTIVE,
        page: Page = EVERYTHING,
        before: int | None = None,
    ) -> list[Version]:
        """The subject's versions with their contents, newest first; with `before` only those of lower numbers."""

    async def list_version_keys(
        self, subject: Subject, visibility: Visibility = Visibility.ACTIVE, page: Page = EVERYTHING
    ) -> list[VersionKey]:
        """The subject's versions without their contents, oldest first."""

    async def list_subjects(
        self,
        context: str | None = None,
        prefix: str = "",
        pattern: str | None = None,
        visibility: Visibility = Visibility.ACTIVE,
        page: Page = EVERYTHING,
    ) -> list[Subject]:
        """The subjects that have a visible version (DELETED: that have versions, all soft-deleted), ordered by
        qualified name (`str(subject)`) in code points. `context`, `prefix` and `pattern` as in VersionFilter."""

    async def search_versions(self, where: VersionFilter, page: Page = EVERYTHING) -> list[Version]:
        """The versions that match, by qualified subject name, then version."""

    async def count_versions(self, where: VersionFilter) -> int:
        """How many versions match."""

    async def list_versions_of_schema(
        self, context: str, schema_id: int, visibility: Visibility = Visibility.ACTIVE, page: Page = EVERYTHING
    ) -> list[VersionKey]:
        """Where a content is used in its context, by subject, then version."""

    async def list_referrers(
        self, subject: Subject, version: int | None, visibility: Visibility = Visibility.ACTIVE
    ) -> list[VersionKey]:
        """The visible versions, of any context, whose content refers to this version (None: to any version of the
        subject), by schema id, subject, version.

        The target itself need not exist or be active. A reference to an unqualified subject is one into the context
        of the schema that holds it.
        """

    async def find_max_schema_id(self, context: str) -> int:
        """The largest id in use in a context; 0 when there is none."""

    async def list_settings(self, subject: Subject) -> tuple[ScopeSettings, ScopeSettings, ScopeSettings]:
        """What is set at the three scopes that decide for a subject: its own, its context, every context. One question
        to the database. For a context's own scope the first two are the same, for every context all three."""

    async def find_config(self, scope: Subject) -> Config | None:
        """The settings of exactly this scope."""

    async def find_mode(self, scope: Subject) -> Mode | None:
        """The mode of exactly this scope."""

    async def list_configs(self, context: str | None = None) -> list[tuple[Subject, Config]]:
        """The settings set in a context (None: in every one), of its subjects and of itself, by qualified name."""

    async def list_modes(self, context: str) -> list[tuple[Subject, Mode]]:
        """The modes set in a context, for its subjects and for itself, by subject."""

    async def list_contexts(self, prefix: str = "", page: Page = EVERYTHING) -> list[str]:
        """The contexts that were ever written to and not removed, by name. The default one is always among them."""

    async def list_events(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        """The log in commit order, behind position `after`, each with its position. Positions rise, without gaps
        except before COPY_RESTORED."""

    async def find_log_position(self) -> int:
        """The position of the log's last event; 0 when there is none."""

    async def find_job(self, job_id: str) -> Job | None:
        """One job."""

    async def list_jobs(self, after: tuple[int, str] | None = None, limit: int = 100) -> list[Job]:
        """The jobs, newest first; behind the one of this (created_at, id)."""

    async def count_unfinished_jobs(self) -> int:
        """How many jobs are queued or running."""

    async def list_job_results(
        self, job_id: str, after: int = 0, limit: int = 100, verdict: Verdict | None = None
    ) -> list[JobResult]:
        """The results of a job behind a position, by position; with `verdict` only those."""

    async def find_report(self, report_id: str) -> StoredReport | None:
        """One kept report."""

    async def find_document(self, kind: DocumentKind, name: str, version: int = LATEST) -> Document | None:
        """One version of a named document that is still kept; `model.LATEST` is the newest."""

    async def list_documents(self, kind: DocumentKind) -> list[Document]:
        """The newest version of every document of a kind, by name."""

    async def count_documents(self, kind: DocumentKind) -> int:
        """How many documents of a kind there are."""

    async def list_samples(
        self, subject: Subject | None = None, after: tuple[int, str] | None = None, limit: int = 100
    ) -> list[Sample]:
        """The samples, newest first; of a subject; behind the one of this (at, id)."""


class Writer(Reader, Protocol):
    """Changes inside one transaction; the transaction sees its own. All or nothing reaches the store."""

    @property
    def committed(self) -> Reader:
        """Read, perhaps from memory, what was committed before the first question is put, and perhaps this
        transaction's own changes. For what its locks keep others from changing, and it has not changed itself."""

    async def next_version(self, subject: Subject) -> int:
        """1 + the highest version number that the subject holds, soft-deleted ones included; 1 when it has none."""

    async def add_schema(self, context: str, guid: str, content: SchemaContent, schema_id: int | None = None) -> Schema:
        """Get or create a content.

        Without `schema_id`: the content's smallest id in this context, or the next one: 1 + the largest ever given
        in the context. Ids become visible in rising order and without gaps, also when transactions roll back.
        With `schema_id` (import): exactly this id; the next automatic id stays above it. Raises IdTaken when the id
        names another content; does nothing when it names this one.
        References inside `content` are pinned: no `LATEST`.
        """

    async def add_version(
        self,
        subject: Subject,
        version: int,
        schema_id: int,
        *,
        registered_at: int,
        registered_by: str,
        state: State = State.ACTIVE,
    ) -> None:
        """Bind an existing content of the subject's context to a version number. Raises VersionTaken."""

    async def soft_delete_versions(self, subject: Subject, versions: Sequence[int]) -> None:
        """Mark versions deleted. Marking twice is the same as once."""

    async def delete_versions(self, subject: Subject, versions: Sequence[int]) -> None:
        """Remove versions for good, and each content that no version of the context uses any more.

        The id of a removed content is never given out again automatically. When the subject's last version goes, the
        subject leaves every listing; its config and mode are not touched here.
        """

    async def put_config(self, scope: Subject, config: Config) -> None:
        """Set the settings of a scope as a whole."""

    async def delete_config(self, scope: Subject) -> None:
        """Unset the settings of a scope, if any."""

    async def put_mode(self, scope: Subject, mode: Mode) -> None:
        """Set the mode of a scope."""

    async def delete_mode(self, scope: Subject) -> None:
        """Unset the mode of a scope, if any."""

    async def delete_context(self, context: str) -> None:
        """Forget an empty context with its config and mode. Its ids are never given out again automatically.

        The caller has made sure that no subject is left.
        """

    async def append_event(self, event: Event) -> None:
        """Write one line of the log."""

    async def add_job(self, job: Job, candidates: Sequence[JobCandidate] = ()) -> None:
        """Write a new job."""

    async def claim_job(self, worker: str, now: int, lease_until: int) -> Claim | None:
        """Give the oldest job that is queued, or whose worker's lease has ended, to `worker`, and make it running.

        Of several claims at once each gets another job, or none. `now` and `lease_until` are in milliseconds since the
        epoch; the first claim sets `started_at`.
        """

    async def keep_results(
        self,
        job_id: str,
        worker: str,
        lease_until: int,
        results: Sequence[JobResult] = (),
        cursor: tuple[Subject, int] | None = None,
    ) -> bool:
        """Add results to a running job, count them, and move its lease and cursor.

        False, and nothing is written, when the job is no longer this worker's: cancelled, removed, or taken over. A
        position is written once. Without results the cursor stays where it is.
        """

    async def release_job(self, job_id: str, worker: str) -> None:
        """Queue a job of this worker again."""

    async def finish_job(self, job_id: str, worker: str, state: JobState, at: int, reason: str = "") -> bool:
        """End a running job; its total becomes what was done. False when the job is no longer this worker's."""

    async def cancel_job(self, job_id: str, at: int) -> bool:
        """End a queued or running job as cancelled. False when it has ended already or is not there."""

    async def delete_job(self, job_id: str) -> None:
        """Remove a job with its results, if it is there."""

    async def prune_jobs(self, before: int, keep: int) -> None:
        """Remove the jobs that ended before this time, and all but the `keep` newest of those that ended."""

    async def add_report(self, report: StoredReport, before: int, keep: int) -> None:
        """Keep a report; remove those from before this time, and all but the `keep` newest."""

    async def add_document(self, document: Document, keep: int) -> None:
        """Write a new version of a document; keep the `keep` newest. The caller holds a lock under which no other
        writes this number."""

    async def delete_document(self, kind: DocumentKind, name: str) -> bool:
        """Remove a document with all its versions. False when there was none."""

    async def add_samples(self, kept: list[Sample], before: int, keep: int) -> None:
        """Keep samples; remove those from before this time, and all but the `keep` newest."""


class Store(Protocol):
    """A database, opened."""

    @property
    def reader(self) -> Reader:
        """Read outside of transactions. For one use case: where answers are kept, those of one reader show what was
        committed before its first question, not before each."""

    @property
    def freshness(self) -> Freshness:
        """How far this process has followed the log."""

    @property
    def lagging_reader(self) -> Reader:
        """Read where answers may be a moment old: from a replica, if there is one. Never for what a caller may just
        have changed, or what is kept."""

    def transaction(
        self, lock: Collection[Subject] = (), share: Collection[Subject] = ()
    ) -> AbstractAsyncContextManager[Writer]:
        """Open a transaction that commits at the end of the block and rolls back when the block raises.

        `lock` are the subjects (or scopes) that this transaction changes: until it ends no other transaction that
        locks or shares one of them proceeds. `share` are subjects that must not change meanwhile (referenced ones):
        several transactions may share one. They need not exist. Locks are taken in one global order, so two
        transactions never wait for each other in a circle. Once the block has ended without raising, the commit is
        durable even when the awaiting task is cancelled at that moment; a task in which a cancellation arrives inside
        the block leaves nothing behind.
        """

    @property
    def shared_cache(self) -> Literal["available", "unavailable"] | None:
        """Whether the cache that instances share is used now; None when there is none."""

    @property
    def is_private(self) -> bool:
        """Whether no other process can open this database."""

    async def migrate(self) -> str:
        """Bring the tables up to date, under a lock, so that several processes may start at once. Idempotent.

        A database that is an older copy of what was acknowledged goes on behind every id that may have been given out;
        the answer is then what to warn of, else "". Raises StoreFailed when too few ids would be left.
        """

    async def ping(self) -> None:
        """Ask the store for a trivial answer. Raises StoreFailed."""

    async def close(self) -> None:
        """Give all connections back. Data of `sqlite://` (in memory) is gone afterwards."""
