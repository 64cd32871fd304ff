"""`retain`: old backups go, and with them the chunks that no other backup names.

Refuses to remove the newest backup, however old, and chunks that a backup may be counting on at this moment: those
that are younger than a day (`save` counts on a chunk without a name for half of that).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from llm_schema_registry.backup import manifest
from llm_schema_registry.backup.objects import Objects

GRACE = timedelta(days=1)


class Retained(msgspec.Struct, frozen=True):
    """How many backups and chunks were removed."""

    backups: int
    chunks: int


def retain(objects: Objects, days: float) -> Retained:
    """Remove backups older than `days`. Raises BackupFailed, before a chunk goes, when a manifest is unreadable."""
    now = datetime.now(UTC)
    names = manifest.names(objects)
    old = [name for name in names[:-1] if now - manifest.taken_at(name) > timedelta(days=days)]
    if old:
        objects.remove([f"{manifest.FOLDER}/{name}.json" for name in old])
    # Listed before the manifests are read: whatever is named by then stays.
    unnamed = {item.name for item in objects.find("chunks") if now - item.modified > GRACE}
    for name in manifest.names(objects):
        unnamed -= {chunk.name for table in manifest.read(objects, name).tables for chunk in table.chunks}
    if unnamed:
        objects.remove(sorted(unnamed))
    return Retained(len(old), len(unnamed))
