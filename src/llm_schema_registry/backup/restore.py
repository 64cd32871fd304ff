"""`restore`: a backup into an empty database, of either kind, behind the fence.

Refuses to put anything beside what is there, and to let a database be that misses a chunk.
"""

from __future__ import annotations

import asyncio

import msgspec

from llm_schema_registry.backup import manifest
from llm_schema_registry.backup.chunks import unpack
from llm_schema_registry.backup.failure import BackupFailed
from llm_schema_registry.backup.manifest import Manifest
from llm_schema_registry.backup.objects import Objects
from llm_schema_registry.store.loading import UNKNOWN_JUMP, Loading, finish, open_loading
from llm_schema_registry.store.migrations import HEAD


class Restored(msgspec.Struct, frozen=True):
    """What was restored, and by how much ids were raised."""

    name: str
    log_position: int
    rows: int
    skipped_ids: int


async def restore(objects: Objects, url: str, name: str | None = None, lost_position: int | None = None) -> Restored:
    """Restore a backup, the newest unless named, into the empty database of a URL.

    `lost_position` is how far the log of the lost database had come, where that is known. Raises BackupFailed and
    StoreFailed, both with the database as it was.
    """
    chosen = _newest(objects) if name is None else name
    backup = await asyncio.to_thread(manifest.read, objects, chosen)
    if backup.revision > HEAD:
        raise BackupFailed(f"Backup {chosen} was made by a newer release ({backup.software}); restore it with that one")
    jump = UNKNOWN_JUMP if lost_position is None else lost_position - backup.log_position
    if jump < 0:
        raise BackupFailed(f"Backup {chosen} is at position {backup.log_position}, which is above {lost_position}")
    async with open_loading(url) as loading:
        await loading.create_tables(backup.revision)
        await _load(objects, backup, loading)
        await finish(loading, jump, f"restored from backup {chosen}, which is at position {backup.log_position}")
    return Restored(chosen, backup.log_position, sum(table.rows for table in backup.tables), jump)


async def _load(objects: Objects, backup: Manifest, loading: Loading) -> None:
    for table in backup.tables:
        for chunk in table.chunks:
            rows = unpack(chunk, await asyncio.to_thread(objects.read, chunk.name))
            if any(len(row) != len(table.columns) for row in rows):
                raise BackupFailed(f"{chunk.name} is damaged: its rows do not have the columns of {table.name}")
            await loading.add(table.name, table.columns, rows)


def _newest(objects: Objects) -> str:
    found = manifest.names(objects)
    if not found:
        raise BackupFailed("There is no backup at this place")
    return found[-1]
