"""`save`: one backup of a database that is being written to.

Refuses to remove anything (`retention`).

Every chunk that is there already is not sent again, which makes backups incremental and lets an interrupted one go on.
"There" means: named by the newest backup, or written within the last hours. Nobody removes such a chunk before this
backup has named it, see `retention`.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec

from llm_schema_registry import __version__
from llm_schema_registry.backup import manifest
from llm_schema_registry.backup.chunks import pack
from llm_schema_registry.backup.failure import BackupFailed
from llm_schema_registry.backup.manifest import FORMAT, Chunk, Manifest, TableBackup
from llm_schema_registry.backup.objects import Objects
from llm_schema_registry.store.snapshot import TABLES, Snapshot, columns_of, key_length, open_snapshot

FRESH = timedelta(hours=12)
"""How long a chunk that no backup names may be counted on."""


class Saved(msgspec.Struct, frozen=True):
    """What a backup came to. `sent` and `found` count chunks, the latter those that were there."""

    name: str
    log_position: int
    rows: int
    sent: int
    found: int
    sent_bytes: int


async def save(url: str, objects: Objects) -> Saved:
    """Back up the database of a URL. Raises BackupFailed, StoreFailed and, for a database in memory, ValueError."""
    async with open_snapshot(url) as snapshot:
        sending = _Sending(objects, await asyncio.to_thread(_reusable, objects))
        taken_at = datetime.now(UTC)
        tables = [await _save_table(snapshot, name, sending) for name in TABLES]
    return await asyncio.to_thread(_conclude, objects, snapshot, taken_at, tables, sending)


class _Sending:
    """Sends chunks that are not there. `present` is the size of each object that may be counted on, by its name."""

    def __init__(self, objects: Objects, present: dict[str, int]) -> None:
        self._objects = objects
        self._present = present
        self.sent = self.found = self.sent_bytes = 0

    def send(self, chunk: Chunk, content: bytes) -> None:
        # An object of another size is one that was cut off.
        if self._present.get(chunk.name) == chunk.object_bytes:
            self.found += 1
            return
        self._objects.write(chunk.name, content)
        self._present[chunk.name] = chunk.object_bytes
        self.sent += 1
        self.sent_bytes += chunk.object_bytes


async def _save_table(snapshot: Snapshot, name: str, sending: _Sending) -> TableBackup:
    chunks: list[Chunk] = []
    async for chunk, content in pack(snapshot.rows(name), key_length(name)):
        await asyncio.to_thread(sending.send, chunk, content)
        chunks.append(chunk)
    return TableBackup(name, list(columns_of(name)), sum(chunk.rows for chunk in chunks), chunks)


def _conclude(
    objects: Objects, snapshot: Snapshot, taken_at: datetime, tables: list[TableBackup], sending: _Sending
) -> Saved:
    objects.settle()
    # Another machine's retention, with a clock of its own, or a person may have removed what was counted on.
    there = {item.name for item in objects.find("chunks")}
    if any(chunk.name not in there for table in tables for chunk in table.chunks):
        raise BackupFailed("Chunks were removed while the backup was being written; start it again")
    name = manifest.write(
        objects,
        Manifest(
            FORMAT, f"llm-schema-registry {__version__}", snapshot.revision, snapshot.log_position, taken_at, tables
        ),
    )
    objects.settle()
    rows = sum(table.rows for table in tables)
    return Saved(name, snapshot.log_position, rows, sending.sent, sending.found, sending.sent_bytes)


def _reusable(objects: Objects) -> dict[str, int]:
    newest = manifest.names(objects)[-1:]
    named = {chunk.name for name in newest for table in manifest.read(objects, name).tables for chunk in table.chunks}
    since = datetime.now(UTC) - FRESH
    return {item.name: item.size for item in objects.find("chunks") if item.name in named or item.modified > since}
