"""What Alembic runs to reach the database: it uses the connection that `upgrade` was given.

Refuses to connect, to commit and to run offline.
"""

from __future__ import annotations

from alembic import context

from llm_schema_registry.store.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
