"""A backup that is restored, into either kind of database, tells through the Reader what the original tells."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from backups import KINDS, Fresh, fill, many_events, one_backup, opened, put_chunk, put_manifest
from everything import events_of, everything
from llm_schema_registry.backup import manifest
from llm_schema_registry.backup.chunks import MOST_BYTES, MOST_ROWS, ROWS_ON_AVERAGE
from llm_schema_registry.backup.failure import BackupFailed
from llm_schema_registry.backup.objects import Objects
from llm_schema_registry.backup.restore import restore
from llm_schema_registry.backup.retention import retain
from llm_schema_registry.backup.save import save
from llm_schema_registry.documents import DocumentKind
from llm_schema_registry.errors import StoreFailed
from llm_schema_registry.model import (
    EventType,
)
from llm_schema_registry.store import migrations
from llm_schema_registry.store.fence import UNKNOWN_JUMP
from llm_schema_registry.store.sql import SqlStore
from store_rows import in_migration, named, register


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
async def test_what_is_restored_tells_what_the_original_tells(
    fresh: Fresh, objects: Objects, source: str, target: str, seed: int
) -> None:
    url, copy_url = fresh(source), fresh(target)
    original = await opened(url)
    await fill(original, seed)
    saved = await save(url, objects)
    restored = await restore(objects, copy_url)
    assert (restored.name, restored.rows, restored.skipped_ids) == (saved.name, saved.rows, UNKNOWN_JUMP)
    copy = await opened(copy_url)
    assert await everything(copy.reader) == await everything(original.reader)
    assert await copy.reader.find_report("r") == await original.reader.find_report("r")
    assert await copy.reader.list_documents(DocumentKind.REFERENCE_DATA) != []
    assert await copy.reader.list_samples() == await original.reader.list_samples() != []
    log, copied_log = await events_of(original.reader), await events_of(copy.reader)
    assert copied_log[:-1] == log
    assert (copied_log[-1][0], copied_log[-1][1].type) == (
        log[-1][0] + UNKNOWN_JUMP + 1,
        EventType.COPY_RESTORED,
    )
    # Ids go on in each context, one that was left included, and in one that was never seen.
    for context in (".", ".x", ".ü", ".new"):
        assert (await register(copy, named("new", context), "new")).schema_id > UNKNOWN_JUMP
    # Backing up the copy finds the chunks of what did not change.
    again = await save(copy_url, objects)
    assert again.found > 0
    await original.close()
    await copy.close()


async def test_a_move_without_loss_skips_no_id(fresh: Fresh, objects: Objects) -> None:
    url, copy_url = fresh("sqlite"), fresh("sqlite")
    store = await opened(url)
    await register(store, named("s"), "x")
    await store.close()
    saved = await save(url, objects)
    assert (await restore(objects, copy_url, lost_position=saved.log_position)).skipped_ids == 0
    copy = await opened(copy_url)
    assert (await register(copy, named("s"), "y")).schema_id == 2
    await copy.close()


async def test_a_known_loss_skips_exactly_that(fresh: Fresh, objects: Objects) -> None:
    url = fresh("sqlite")
    store = await opened(url)
    await register(store, named("s"), "x")
    await save(url, objects)
    lost = [(await register(store, named("s"), f"lost {index}")).schema_id for index in range(5)]
    position = await store.reader.find_log_position()
    await store.close()
    with pytest.raises(BackupFailed, match="is at position 1, which is above 0"):
        await restore(objects, fresh("sqlite"), lost_position=0)
    copy_url = fresh("sqlite")
    await restore(objects, copy_url, lost_position=position)
    copy = await opened(copy_url)
    assert (await register(copy, named("s"), "y")).schema_id == max(lost) + 1
    await copy.close()


async def test_an_older_backup_is_restored_by_its_name(fresh: Fresh, objects: Objects) -> None:
    url = fresh("sqlite")
    store = await opened(url)
    await register(store, named("s"), "first")
    first = await save(url, objects)
    before = await everything(store.reader)
    await register(store, named("s"), "second")
    await save(url, objects)
    await store.close()
    copy_url = fresh("postgresql")
    await restore(objects, copy_url, first.name)
    copy = await opened(copy_url)
    assert await everything(copy.reader) == before
    await copy.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_tables_of_an_older_release_are_brought_up_to_date(fresh: Fresh, objects: Objects, kind: str) -> None:
    """A backup from before the last revision: restored as it was, then migrated."""
    url = fresh("sqlite")
    store = await opened(url)
    await fill(store)
    saved = await save(url, objects)
    # What an earlier release would have written: without the tables and the counter that came later.
    backup = json.loads(objects.read(f"manifests/{saved.name}.json"))
    backup["revision"] = "0002"
    backup["tables"] = [table for table in backup["tables"] if table["name"] not in {"documents", "samples"}]
    counters = next(table for table in backup["tables"] if table["name"] == "counters")
    [chunk] = counters["chunks"]
    lines = gzip.decompress(objects.read(manifest.name_of_chunk(chunk["digest"]))).splitlines(keepends=True)
    put_chunk(objects, chunk, b"".join(line for line in lines if b"first_id" not in line), rows=1)
    counters["rows"] = 1
    put_manifest(objects, saved.name, backup)
    copy_url = fresh(kind)
    await restore(objects, copy_url)
    copy = await opened(copy_url)
    assert await everything(copy.reader) == await everything(store.reader) | {"documents": [[], []], "samples": []}
    assert (await register(copy, named("s", ".new"), "x")).schema_id == UNKNOWN_JUMP + 1
    await copy.close()
    await store.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_database_that_holds_a_registry_is_left_alone(fresh: Fresh, objects: Objects, kind: str) -> None:
    url = fresh(kind)
    store = await opened(url)
    await register(store, named("s"), "x")
    await save(url, objects)
    before = await events_of(store.reader)
    with pytest.raises(StoreFailed, match="holds a registry already"):
        await restore(objects, url)
    assert await events_of(store.reader) == before
    await store.close()


async def test_a_database_of_another_revision_is_not_backed_up(fresh: Fresh, objects: Objects) -> None:
    url = fresh("sqlite")
    store = SqlStore.open(url)

    await in_migration(store, partial(migrations.upgrade, revision="0002"))
    with pytest.raises(StoreFailed, match=f"of revision '0002', and this release reads {migrations.HEAD}"):
        await save(url, objects)
    await store.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///{folder}/none.db", "There is no database"),
        ("postgresql://nobody@localhost:1/none", "cannot be read"),
        ("sqlite://", "in a file or of PostgreSQL"),
        ("mysql://host", "in a file or of PostgreSQL"),
    ],
)
async def test_what_is_no_database_is_not_backed_up(objects: Objects, tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises((StoreFailed, ValueError), match=words):
        await save(url.format(folder=tmp_path), objects)
    assert manifest.names(objects) == []
    assert not (tmp_path / "none.db").exists()


async def test_an_empty_postgresql_is_not_backed_up(fresh: Fresh, objects: Objects) -> None:
    with pytest.raises(StoreFailed, match="of revision ''"):
        await save(fresh("postgresql"), objects)


async def test_the_next_backup_sends_only_what_changed(fresh: Fresh, objects: Objects) -> None:
    url = fresh("sqlite")
    await many_events(url, 1, 60_000)
    first = await save(url, objects)
    assert 60_000 / MOST_ROWS < first.sent < 60_000 / ROWS_ON_AVERAGE * 2
    same = await save(url, objects)
    assert (same.sent, same.found, same.sent_bytes) == (0, first.sent, 0)
    await many_events(url, 60_001, 60_100)
    more = await save(url, objects)
    # The last chunk of the log, perhaps one that ended in between, and the counter of its position.
    assert (more.sent <= 3, more.found >= first.sent - 2) == (True, True)
    # A row in the middle goes: what follows is cut at the same places as before.
    store = await opened(url)
    gone = text("DELETE FROM events WHERE position = 30000")
    await in_migration(store, lambda connection: connection.execute(gone).close())
    await store.close()
    assert (await save(url, objects)).sent == 1


async def test_what_an_interrupted_backup_sent_is_not_sent_again(fresh: Fresh, objects: Objects, folder: Path) -> None:
    url = fresh("sqlite")
    await many_events(url, 1, 20_000)
    whole = await save(url, objects)
    shutil.rmtree(folder / "manifests")
    chunks = sorted((folder / "chunks").rglob("*.gz"))
    # One was never sent, one was cut off, and one has been there for so long that it may be removed at any time.
    chunks[0].unlink()
    chunks[1].write_bytes(chunks[1].read_bytes()[:-1])
    long_ago = time.time() - 13 * 3600
    os.utime(chunks[2], (long_ago, long_ago))
    resumed = await save(url, objects)
    assert (resumed.sent, resumed.found) == (3, whole.sent - 3)
    os.utime(chunks[2], (long_ago, long_ago))
    assert (await save(url, objects)).sent == 0, "the newest backup names it"
    copy_url = fresh("sqlite")
    assert (await restore(objects, copy_url)).rows == whole.rows


async def test_rows_of_any_size_are_cut_into_bounded_chunks(fresh: Fresh, objects: Objects) -> None:
    url = fresh("sqlite")
    store = await opened(url)
    sizes = [MOST_BYTES // 3] * 5 + [MOST_BYTES * 2] + [10] * 5
    for index, size in enumerate(sizes):
        await register(store, named("s"), f"{index} " + "x" * size)
    saved = await save(url, objects)
    document = json.loads(objects.read(f"manifests/{saved.name}.json"))
    [table] = [each for each in document["tables"] if each["name"] == "schemas"]
    assert len(table["chunks"]) >= 4
    assert all(chunk["text_bytes"] <= MOST_BYTES or chunk["rows"] == 1 for chunk in table["chunks"])
    copy_url = fresh("sqlite")
    await restore(objects, copy_url)
    copy = await opened(copy_url)
    assert await everything(copy.reader) == await everything(store.reader)
    await copy.close()
    await store.close()


def rename(objects: Objects, name: str, days: float) -> str:
    """Make a backup as old as said, and answer its new name."""
    at = time.gmtime(time.time() - days * 86400)
    older = f"{time.strftime('%Y%m%dT%H%M%S', at)}000000Z-{name[-8:]}"
    objects.write(f"manifests/{older}.json", objects.read(f"manifests/{name}.json"))
    objects.remove([f"manifests/{name}.json"])
    return older


async def test_old_backups_go_with_the_chunks_that_only_they_name(fresh: Fresh, objects: Objects, folder: Path) -> None:
    url = fresh("sqlite")
    await many_events(url, 1, 3000)
    first = rename(objects, (await save(url, objects)).name, days=40)
    await many_events(url, 3001, 6000)
    second = rename(objects, (await save(url, objects)).name, days=20)
    everything_there = {item.name for item in objects.find("chunks")}
    fresh_orphans = retain(objects, 30)
    assert (fresh_orphans.backups, fresh_orphans.chunks) == (1, 0), "a backup may be counting on young chunks"
    assert manifest.names(objects) == [second]
    assert first != second
    long_ago = time.time() - 25 * 3600
    for path in (folder / "chunks").rglob("*.gz"):
        os.utime(path, (long_ago, long_ago))
    named_by_second = {chunk.name for table in manifest.read(objects, second).tables for chunk in table.chunks}
    removed = retain(objects, 30)
    assert (removed.backups, removed.chunks) == (0, len(everything_there - named_by_second))
    assert removed.chunks > 0
    assert {item.name for item in objects.find("chunks")} == named_by_second
    # The newest stays, however old.
    assert retain(objects, 0).backups == 0
    await restore(objects, fresh("sqlite"), second)


async def test_chunks_of_a_backup_that_cannot_be_read_stay(fresh: Fresh, objects: Objects, folder: Path) -> None:
    name, document = await one_backup(fresh, objects)
    put_manifest(objects, name, document | {"format": 2})
    for path in (folder / "chunks").rglob("*.gz"):
        os.utime(path, (0, 0))
    before = objects.find("chunks")
    with pytest.raises(BackupFailed, match="has format 2"):
        retain(objects, 30)
    assert objects.find("chunks") == before


async def test_chunks_that_vanish_while_a_backup_is_written_are_noticed(
    fresh: Fresh, objects: Objects, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fresh("sqlite")
    await many_events(url, 1, 3000)

    def remove_and_settle() -> None:
        shutil.rmtree(next((folder / "chunks").iterdir()))

    monkeypatch.setattr(objects, "settle", remove_and_settle)
    with pytest.raises(BackupFailed, match="Chunks were removed while the backup was being written"):
        await save(url, objects)
    assert manifest.names(objects) == []
