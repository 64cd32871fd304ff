"""Bulk checks with their results, and reports that are kept.

Refuses to follow `tables` as it changes: a revision stays what it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "jobs",
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("candidates", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("compatible", sa.BigInteger, nullable=False),
        sa.Column("incompatible", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("cursor", sa.Text),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("claimed_by", sa.Text),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("ix_jobs_created_at", "jobs", ["created_at", "id"])
    op.create_table(
        "job_results",
        sa.Column("job_id", _NAME, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_job_results_verdict", "job_results", ["job_id", "verdict", "position"])
    op.create_table(
        "reports",
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("context", _NAME, nullable=False),
        sa.Column("subject", _NAME, nullable=False),
        sa.Column("left_out", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_reports_at", "reports", ["at", "id"])
