"""What the fence remembers: where the database was, and from which id new contexts count.

Refuses to follow `tables` as it changes: a revision stays what it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table and the counter."""
    op.create_table(
        "homes",
        sa.Column("kind", _NAME, primary_key=True),
        sa.Column("identity", sa.Text, nullable=False),
    )
    counters = sa.table("counters", sa.column("name"), sa.column("last"))
    op.bulk_insert(counters, [{"name": "first_id", "last": 0}])
