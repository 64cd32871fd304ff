"""Named documents with versions (reference data, policies), and samples of payloads that broke their contracts.

Refuses to follow `tables` as it changes: a revision stays what it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "documents",
        sa.Column("kind", _NAME, primary_key=True),
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("context", _NAME, nullable=False),
        sa.Column("subject", _NAME, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_samples_at", "samples", ["at", "id"])
    op.create_index("ix_samples_subject", "samples", ["context", "subject", "at", "id"])
