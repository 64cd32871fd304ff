"""The first tables.

Refuses to follow `tables` as it changes: a revision stays what it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create all tables, the default context and the log's counter."""
    contexts = op.create_table(
        "contexts",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("is_live", sa.Boolean, nullable=False),
    )
    op.create_table(
        "subjects",
        sa.Column("context", _NAME, sa.ForeignKey("contexts.name", ondelete="RESTRICT"), primary_key=True),
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("qualified_name", _NAME, nullable=False),
        sa.Column("config", sa.Text),
        sa.Column("mode", sa.Text),
    )
    op.create_index("ix_subjects_qualified_name", "subjects", ["qualified_name"], unique=True)
    op.create_table(
        "schemas",
        sa.Column("context", _NAME, sa.ForeignKey("contexts.name", ondelete="RESTRICT"), primary_key=True),
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("guid", _NAME, nullable=False),
        sa.Column("schema_type", sa.Text, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("definition_hash", sa.Text, nullable=False),
        sa.Column("pinned_references", sa.Text),
        sa.Column("metadata", sa.Text),
        sa.Column("rule_set", sa.Text),
    )
    op.create_index("ix_schemas_guid", "schemas", ["guid", "context", "id"])
    _create_facet(
        "schema_references",
        "referenced_subject",
        sa.Column("referenced_context", _NAME, nullable=False),
        sa.Column("referenced_subject", _NAME, nullable=False),
        sa.Column("referenced_version", sa.BigInteger, nullable=False),
    )
    _create_facet("schema_tags", "tag", sa.Column("tag", _NAME, nullable=False))
    _create_facet(
        "schema_properties",
        "value",
        sa.Column("key", _NAME, nullable=False),
        sa.Column("value", _NAME, nullable=False),
    )
    _create_facet("schema_rule_types", "rule_type", sa.Column("rule_type", _NAME, nullable=False))
    op.create_table(
        "versions",
        sa.Column("context", _NAME, primary_key=True),
        sa.Column("subject", _NAME, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("schema_id", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.Column("registered_at", sa.BigInteger, nullable=False),
        sa.Column("registered_by", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["context", "subject"], ["subjects.context", "subjects.name"], ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["context", "schema_id"], ["schemas.context", "schemas.id"], ondelete="RESTRICT"),
    )
    op.create_index("ix_versions_schema_id", "versions", ["context", "schema_id"])
    counters = op.create_table(
        "counters",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("context", _NAME, nullable=False),
        sa.Column("subject", _NAME, nullable=False),
        sa.Column("version", sa.BigInteger),
        sa.Column("schema_id", sa.BigInteger),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.bulk_insert(contexts, [{"name": ".", "last_id": 0, "is_live": True}])
    op.bulk_insert(counters, [{"name": "events", "last": 0}])


def _create_facet(name: str, indexed: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("context", _NAME, primary_key=True),
        sa.Column("schema_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        *columns,
        sa.ForeignKeyConstraint(["context", "schema_id"], ["schemas.context", "schemas.id"], ondelete="CASCADE"),
    )
    op.create_index(f"ix_{name}_{indexed}", name, [indexed], postgresql_using="hash")
