"""What the suites about backups share: databases with rows of every kind, and backups that somebody else wrote."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, text

from llm_schema_registry.backup import manifest
from llm_schema_registry.backup.objects import Objects
from llm_schema_registry.backup.save import save
from llm_schema_registry.checks import (
    Job,
    JobCandidate,
    JobRequest,
    JobResult,
    JobState,
    StoredReport,
    Verdict,
)
from llm_schema_registry.documents import Document, DocumentKind, Sample
from llm_schema_registry.model import (
    GLOBAL_CONTEXT,
    CompatibilityLevel,
    Config,
    Encoding,
    Metadata,
    Mode,
    Reference,
    Report,
    Rule,
    RuleSet,
    Subject,
    Submission,
    Violation,
    ViolationKind,
)
from llm_schema_registry.store.base import Writer
from llm_schema_registry.store.sql import SqlStore
from store_rows import NOW, content, in_migration, named, write

KINDS = ("sqlite", "postgresql")
Fresh = Callable[[str], str]
"""Answers the URL of a database of a kind that is not there yet (SQLite) or empty (PostgreSQL)."""


async def opened(url: str) -> SqlStore:
    store = SqlStore.open(url)
    await store.migrate()
    return store


async def fill(store: SqlStore, seed: int = 1, steps: int = 150) -> None:
    """Write a history of every kind of row, in an order that the seed decides."""
    chance = random.Random(seed)
    subjects = [Subject(context, name) for context in (".", ".x", ".ü") for name in ("a", "B", "ä é", "z/%:")]
    metadata = Metadata(tags={"f": ["pii"]}, properties={"team": "data", "tags": "x, y"}, sensitive=["team"])
    rules = RuleSet(domain_rules=[Rule(name="r", type="CEL", expr='a != "\u2028\\"')])

    async def step(writer: Writer, subject: Subject) -> None:
        keys = await writer.list_version_keys(subject)
        match chance.randrange(12):
            case 0 if keys:
                await writer.soft_delete_versions(subject, [chance.choice(keys).version])
            case 1 if keys:
                await writer.delete_versions(subject, [chance.choice(keys).version])
            case 2:
                await writer.put_config(subject, Config(CompatibilityLevel.FULL, alias="a", normalize=False))
            case 3:
                await writer.put_mode(subject, Mode.IMPORT)
            case 4:
                await writer.delete_mode(subject)
            case _:
                body = content(
                    f'{{"text": {chance.randrange(40)}, "é\U0001f980": "\\n\u2028"}}',
                    [Reference("n", str(chance.choice(subjects)), chance.randrange(1, 9))],
                    chance.choice([None, metadata]),
                    chance.choice([None, rules]),
                )
                await write(writer, subject, body)

    for _ in range(steps):
        subject = chance.choice(subjects)
        async with store.transaction(lock=[subject]) as writer:
            await step(writer, subject)
    async with store.transaction() as writer:
        await writer.put_config(Subject(".", ""), Config(CompatibilityLevel.NONE))
        await writer.put_config(Subject(GLOBAL_CONTEXT, ""), Config(CompatibilityLevel.BACKWARD))
        await writer.put_mode(Subject(".x", ""), Mode.READONLY)
        for name in "ab":
            job = Job(name, JobRequest(), JobState.QUEUED, 2, NOW, "someone")
            await writer.add_job(job, [JobCandidate(named("s"), Submission("AVRO", "é"))])
        claim = await writer.claim_job("worker", NOW, NOW + 1)
        assert claim is not None
        result = JobResult(1, named("s"), 1, Verdict.INCOMPATIBLE, Report(is_compatible=False, messages=("é",)))
        await writer.keep_results(claim.job.id, "worker", NOW + 2, [result], (named("s"), 1))
        await writer.add_report(StoredReport("r", NOW, named("s"), Report(is_compatible=True)), 0, 10)
        await writer.add_document(Document(DocumentKind.REFERENCE_DATA, "models", 1, '["é"]', NOW, "someone"), 3)
        violation = Violation(ViolationKind.TYPE_MISMATCH, "/é", "no")
        await writer.add_samples([Sample("v", NOW, named("s"), 1, 1, Encoding.JSON, (violation,), '"é"')], 0, 10)


async def many_events(url: str, first: int, last: int) -> None:
    """Add lines to the log as plain rows, for tables of some size."""
    store = await opened(url)

    def write(connection: Connection) -> None:
        connection.execute(
            text(
                f"WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
                "INSERT INTO events (position, type, context, subject, actor, request_id, at, details) "
                "SELECT i, 'VERSION_REGISTERED', '.', 's' || i, 'someone', 'request', i, '{}' FROM n"
            )
        )
        connection.execute(text(f"UPDATE counters SET last = {last} WHERE name = 'events'"))

    await in_migration(store, write)
    await store.close()


def put_chunk(objects: Objects, chunk: dict[str, Any], lines: bytes, rows: int) -> None:
    """Write a chunk as this package would, and name it."""
    compressed = gzip.compress(lines)
    chunk |= {
        "digest": hashlib.sha256(lines).hexdigest(),
        "rows": rows,
        "text_bytes": len(lines),
        "object_bytes": len(compressed),
    }
    objects.write(manifest.name_of_chunk(chunk["digest"]), compressed)


def put_manifest(objects: Objects, name: str, document: object) -> None:
    objects.write(f"manifests/{name}.json", json.dumps(document).encode())


async def one_backup(fresh: Fresh, objects: Objects) -> tuple[str, dict[str, Any]]:
    """A backup of a few rows: its name, and what its manifest says."""
    url = fresh("sqlite")
    store = await opened(url)
    await fill(store, steps=30)
    await store.close()
    saved = await save(url, objects)
    return saved.name, json.loads(objects.read(f"manifests/{saved.name}.json"))
