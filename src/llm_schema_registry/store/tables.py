"""The tables, as SQLAlchemy sees them; `migrations` creates them, and a test keeps the two equal.

Refuses to know a query, a connection or a value of `model`.

The specification's table `schemas` (section 8.2) is split: a content (`schemas`) has one id however many subjects use
it; its binding to a subject is a row of `versions`. Documents (metadata, rule sets, references, settings) are JSON
text in the row that owns them, so that one row answers a read; what can be searched for is repeated in
`schema_references`, `schema_tags`, `schema_properties` and `schema_rule_types`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, ForeignKeyConstraint, Index, MetaData, Table, Text
from sqlalchemy.schema import SchemaItem

# Names are compared and ordered byte for byte: SQLite does so by itself, PostgreSQL when told.
NAME = Text().with_variant(Text(collation="C"), "postgresql")

# No row of PostgreSQL's B-trees may exceed 2,704 bytes. Keys hold at most a subject's context and name.
MAX_KEY_BYTES = 2600

metadata = MetaData()

contexts = Table(
    "contexts",
    metadata,
    Column("name", NAME, primary_key=True),
    # The largest id ever given. The row is also the lock under which contents of the context come and go.
    Column("last_id", BigInteger, nullable=False),
    # False once the context is deleted; the row stays, for its counter.
    Column("is_live", Boolean, nullable=False),
)

# Subjects and scopes of settings; the name '' is the scope of the context itself.
subjects = Table(
    "subjects",
    metadata,
    Column("context", NAME, ForeignKey("contexts.name", ondelete="RESTRICT"), primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("qualified_name", NAME, nullable=False),
    Column("config", Text),
    Column("mode", Text),
    # Unique, so that SQLite sees that this order and the versions' own are the order of a listing.
    Index("ix_subjects_qualified_name", "qualified_name", unique=True),
)

schemas = Table(
    "schemas",
    metadata,
    Column("context", NAME, ForeignKey("contexts.name", ondelete="RESTRICT"), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("guid", NAME, nullable=False),
    Column("schema_type", Text, nullable=False),
    Column("definition", Text, nullable=False),
    # SHA-256 of the definition, in hexadecimal digits.
    Column("definition_hash", Text, nullable=False),
    Column("pinned_references", Text),
    Column("metadata", Text),
    Column("rule_set", Text),
    Index("ix_schemas_guid", "guid", "context", "id"),
)


def _facet(name: str, indexed: str, *columns: Column[object]) -> Table:
    """Declare a table of what can be searched for in a content. Hash indexes take values of any length."""
    items: tuple[SchemaItem, ...] = (
        Column("context", NAME, primary_key=True),
        Column("schema_id", BigInteger, primary_key=True, autoincrement=False),
        Column("position", BigInteger, primary_key=True, autoincrement=False),
        *columns,
        ForeignKeyConstraint(["context", "schema_id"], ["schemas.context", "schemas.id"], ondelete="CASCADE"),
        Index(f"ix_{name}_{indexed}", indexed, postgresql_using="hash"),
    )
    return Table(name, metadata, *items)


schema_references = _facet(
    "schema_references",
    "referenced_subject",
    Column("referenced_context", NAME, nullable=False),
    Column("referenced_subject", NAME, nullable=False),
    Column("referenced_version", BigInteger, nullable=False),
)
schema_tags = _facet("schema_tags", "tag", Column("tag", NAME, nullable=False))
schema_properties = _facet(
    "schema_properties", "value", Column("key", NAME, nullable=False), Column("value", NAME, nullable=False)
)
schema_rule_types = _facet("schema_rule_types", "rule_type", Column("rule_type", NAME, nullable=False))

versions = Table(
    "versions",
    metadata,
    Column("context", NAME, primary_key=True),
    Column("subject", NAME, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("schema_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    # Milliseconds since the epoch, UTC.
    Column("registered_at", BigInteger, nullable=False),
    Column("registered_by", Text, nullable=False),
    ForeignKeyConstraint(["context", "subject"], ["subjects.context", "subjects.name"], ondelete="RESTRICT"),
    ForeignKeyConstraint(["context", "schema_id"], ["schemas.context", "schemas.id"], ondelete="RESTRICT"),
    # The order in which uses are told is in it, so that the first one is found at once.
    Index("ix_versions_uses", "context", "schema_id", "subject", "version"),
)

# One row per counter that outlives its rows: `events`, the position of the newest line of the log; `first_id`, behind
# which a new context begins to count, since a context of that name may be among what `store.fence` guards against.
counters = Table(
    "counters",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("context", NAME, nullable=False),
    Column("subject", NAME, nullable=False),
    Column("version", BigInteger),
    Column("schema_id", BigInteger),
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("details", Text, nullable=False),
)

# Where the database was when it was last opened, by kind of database; see `store.fence`. No part of a backup.
homes = Table(
    "homes",
    metadata,
    Column("kind", NAME, primary_key=True),
    Column("identity", Text, nullable=False),
)

# Bulk checks. A running job is held by one worker until its lease ends; see `base.Writer.claim_job`.
jobs = Table(
    "jobs",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("request", Text, nullable=False),
    # Only the worker reads these, once; they go when the job ends.
    Column("candidates", Text),
    Column("state", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("compatible", BigInteger, nullable=False),
    Column("incompatible", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("cursor", Text),
    Column("attempts", BigInteger, nullable=False),
    Column("claimed_by", Text),
    Column("lease_until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("reason", Text, nullable=False),
    Index("ix_jobs_created_at", "created_at", "id"),
)

job_results = Table(
    "job_results",
    metadata,
    Column("job_id", NAME, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("verdict", Text, nullable=False),
    # The whole result; the columns beside it are only for finding it.
    Column("document", Text, nullable=False),
    Index("ix_job_results_verdict", "job_id", "verdict", "position"),
)

reports = Table(
    "reports",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("context", NAME, nullable=False),
    Column("subject", NAME, nullable=False),
    Column("left_out", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_reports_at", "at", "id"),
)

# Reference data and policies: what rules and contracts refer to by name. The newest version is the one in force.
documents = Table(
    "documents",
    metadata,
    Column("kind", NAME, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("changed_by", Text, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("context", NAME, nullable=False),
    Column("subject", NAME, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_samples_at", "at", "id"),
    Index("ix_samples_subject", "context", "subject", "at", "id"),
)
