"""The history of the tables, and the one step that brings a database up to date.

Refuses to run without a transaction and the lock that its caller holds. A release only adds; what it makes
superfluous is removed by a later one, so that the previous release keeps working on the newer tables.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect, select

# The newest revision; revisions are numbered, so text order is their order.
HEAD = "0005"
# Not Alembic's own default: another application may keep its tables in the same database.
VERSION_TABLE = "schema_registry_revision"

_revision = Table(VERSION_TABLE, MetaData(), Column("version_num", Text)).c.version_num


def upgrade(connection: Connection, revision: str = HEAD) -> None:
    """Bring the tables to a revision inside the connection's transaction. Newer tables are left alone."""
    if find_revision(connection) >= revision:
        return
    # Loaded on demand: a start on tables that are up to date need not pay for Alembic.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", "llm_schema_registry.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def find_revision(connection: Connection) -> str:
    """Answer the revision of the tables; "" on an empty database."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    return connection.execute(select(_revision)).scalar() or ""
