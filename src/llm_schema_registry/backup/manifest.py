"""The manifest: the one object that names all chunks of a backup, written last.

Refuses to read chunks. What it reads was perhaps written by somebody else: names of tables and columns are compared
with those that are known, and names of objects are made from digests, never taken.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from llm_schema_registry.backup.failure import BackupFailed
from llm_schema_registry.backup.objects import Objects
from llm_schema_registry.store.snapshot import TABLES

FORMAT = 1
FOLDER = "manifests"
# The time, to the microsecond, so that the order of names is that of backups.
_NAME = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{8}")
_TIME = "%Y%m%dT%H%M%S%fZ"

Count = Annotated[int, Meta(ge=0)]


class Chunk(msgspec.Struct, frozen=True):
    """Rows of one table, one JSON array a line, compressed by gzip. `digest` is the SHA-256 of the lines."""

    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    rows: Count
    text_bytes: Count
    object_bytes: Count

    @property
    def name(self) -> str:
        """The name of its object."""
        return name_of_chunk(self.digest)


class TableBackup(msgspec.Struct, frozen=True):
    """The chunks of a table, in the order of its rows."""

    name: str
    columns: list[str]
    rows: Count
    chunks: list[Chunk]


class Manifest(msgspec.Struct, frozen=True):
    """One backup. `revision` is that of the tables."""

    format: int
    software: str
    revision: Annotated[str, Meta(pattern="^[0-9]{4}$")]
    log_position: Count
    taken_at: datetime
    tables: list[TableBackup]


class _Versioned(msgspec.Struct):
    format: int


def name_of_chunk(digest: str) -> str:
    """Answer the name of a chunk's object."""
    return f"chunks/{digest[:2]}/{digest}.jsonl.gz"


def write(objects: Objects, manifest: Manifest) -> str:
    """Write a manifest under a new name, and answer that name."""
    name = f"{manifest.taken_at.strftime(_TIME)}-{secrets.token_hex(4)}"
    objects.write(f"{FOLDER}/{name}.json", msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return name


def names(objects: Objects) -> list[str]:
    """Answer the names of all backups, the oldest first."""
    found = [item.name.rpartition("/")[2].removesuffix(".json") for item in objects.find(FOLDER)]
    return sorted(name for name in found if _NAME.fullmatch(name))


def taken_at(name: str) -> datetime:
    """Answer when the backup of a name was taken."""
    return datetime.strptime(name.partition("-")[0], _TIME).replace(tzinfo=UTC)


def read(objects: Objects, name: str) -> Manifest:
    """Read a manifest by its name. Raises BackupFailed when it is damaged, unknown or of a newer release."""
    if not _NAME.fullmatch(name):
        raise BackupFailed(f"'{name}' is no name of a backup; one is 20260131T235959000000Z-0123abcd")
    content = objects.read(f"{FOLDER}/{name}.json")
    try:
        found = msgspec.json.decode(content, type=_Versioned).format
        if found != FORMAT:
            raise BackupFailed(f"Backup {name} has format {found}, and this release reads {FORMAT}")
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise BackupFailed(f"The manifest of backup {name} is damaged: {error}") from None
    _refuse_strangers(name, manifest)
    return manifest


def _refuse_strangers(name: str, manifest: Manifest) -> None:
    for table in manifest.tables:
        known = TABLES.get(table.name)
        if known is None or not set(table.columns) <= set({column.name for column in known.columns}):
            raise BackupFailed(f"Backup {name} holds a table or column that this release does not know")
        if sum(chunk.rows for chunk in table.chunks) != table.rows:
            raise BackupFailed(f"The manifest of backup {name} is damaged: the rows of {table.name} do not add up")
    if len({table.name for table in manifest.tables}) != len(manifest.tables):
        raise BackupFailed(f"The manifest of backup {name} is damaged: it names a table twice")
