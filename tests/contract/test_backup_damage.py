"""A backup that is damaged, forged or not there is refused, and the database stays as it was."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from backups import KINDS, Fresh, one_backup, put_chunk, put_manifest
from llm_schema_registry.backup import manifest
from llm_schema_registry.backup.failure import BackupFailed
from llm_schema_registry.backup.objects import Objects
from llm_schema_registry.backup.restore import restore
from llm_schema_registry.errors import StoreFailed
from llm_schema_registry.store.sql import SqlStore
from store_rows import in_migration


def chunk_of(document: dict[str, Any], table: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in document["tables"] if each["name"] == table)["chunks"][-1]
    return found


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "a bit": lambda content: content[:30] + bytes([content[30] ^ 1]) + content[31:],
    "another content": lambda content: gzip.compress(gzip.decompress(content).replace(b"text", b"tixt")),
    "a bomb": lambda _: gzip.compress(b"0" * 50_000_000),
    "no gzip": lambda _: b"words",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_chunk_is_refused_and_leaves_nothing(
    fresh: Fresh, objects: Objects, kind: str, damage: str
) -> None:
    _, document = await one_backup(fresh, objects)
    # The last table but one: much has been inserted by then.
    name = manifest.name_of_chunk(chunk_of(document, "schemas")["digest"])
    objects.write(name, DAMAGES[damage](objects.read(name)))
    url = fresh(kind)
    with pytest.raises(BackupFailed, match="is damaged"):
        await restore(objects, url)
    await check_untouched(url)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_missing_chunk_is_refused_and_leaves_nothing(fresh: Fresh, objects: Objects, kind: str) -> None:
    _, document = await one_backup(fresh, objects)
    objects.remove([manifest.name_of_chunk(chunk_of(document, "versions")["digest"])])
    url = fresh(kind)
    with pytest.raises(BackupFailed, match="An object is missing"):
        await restore(objects, url)
    await check_untouched(url)


async def check_untouched(url: str) -> None:
    """Nothing of the restore is left: no file, or no tables."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        assert list(path.parent.glob(f"{path.name}*")) == []
        return
    store = SqlStore.open(url)
    count = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    tables = await in_migration(store, lambda connection: connection.execute(count).scalar())
    assert tables == 0
    await store.close()


def forge(document: dict[str, Any], what: str) -> None:
    table = next(each for each in document["tables"] if each["name"] == "events")
    match what:
        case "format":
            document |= {"format": 2, "tables": "of another shape"}
        case "revision":
            document["revision"] = "9999"
        case "digest":
            table["chunks"][0]["digest"] = "../../../../etc/passwd"
        case "table":
            table["name"] = 'homes"; DROP TABLE contexts; --'
        case "column":
            table["columns"][0] = "position, type"
        case "rows":
            table["rows"] += 1
        case "twice":
            document["tables"].append(table)
        case "missing":
            del document["tables"]
        case "negative":
            table["chunks"][0]["text_bytes"] = -1


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("format", "has format 2, and this release reads 1"),
        ("revision", "made by a newer release"),
        ("digest", "is damaged.*digest"),
        ("table", "does not know"),
        ("column", "does not know"),
        ("rows", "do not add up"),
        ("twice", "names a table twice"),
        ("missing", "is damaged"),
        ("negative", "is damaged"),
    ],
)
async def test_a_forged_manifest_is_refused(fresh: Fresh, objects: Objects, what: str, words: str) -> None:
    name, document = await one_backup(fresh, objects)
    forge(document, what)
    put_manifest(objects, name, document)
    url = fresh("sqlite")
    with pytest.raises(BackupFailed, match=words):
        await restore(objects, url)
    await check_untouched(url)


@pytest.mark.parametrize("lines", [b"[1]\n", b"{}\n", b'["a", 1, true], ["b", 1, true]\n', b"[1,\n"])
async def test_a_chunk_that_holds_something_else_is_refused(fresh: Fresh, objects: Objects, lines: bytes) -> None:
    name, document = await one_backup(fresh, objects)
    table = next(each for each in document["tables"] if each["name"] == "contexts")
    put_chunk(objects, table["chunks"][0], lines, rows=1)
    table["rows"] = 1
    put_manifest(objects, name, document)
    url = fresh("sqlite")
    with pytest.raises(BackupFailed, match="is damaged"):
        await restore(objects, url)
    await check_untouched(url)


@pytest.mark.parametrize("kind", KINDS)
async def test_rows_that_the_tables_refuse_leave_nothing(fresh: Fresh, objects: Objects, kind: str) -> None:
    name, document = await one_backup(fresh, objects)
    table = next(each for each in document["tables"] if each["name"] == "contexts")
    put_chunk(objects, table["chunks"][0], b'[".", 1, true]\n[".", 2, true]\n', rows=2)
    table["rows"] = 2
    put_manifest(objects, name, document)
    url = fresh(kind)
    with pytest.raises(StoreFailed, match="cannot be written"):
        await restore(objects, url)
    await check_untouched(url)


@pytest.mark.parametrize("name", ["../manifests/x", "x", "20260131T235959000000Z-0123abcd/../..", ""])
async def test_a_name_that_is_a_path_is_refused(fresh: Fresh, objects: Objects, name: str) -> None:
    await one_backup(fresh, objects)
    with pytest.raises(BackupFailed, match="is no name of a backup"):
        await restore(objects, fresh("sqlite"), name)


@pytest.mark.parametrize("url", ["sqlite://", "mysql://host/x"])
async def test_what_no_database_can_be_kept_in_is_refused(fresh: Fresh, objects: Objects, url: str) -> None:
    await one_backup(fresh, objects)
    with pytest.raises(ValueError, match="Only a database in a file or of PostgreSQL can be restored"):
        await restore(objects, url)


async def test_a_backup_that_is_not_there_is_refused(fresh: Fresh, objects: Objects) -> None:
    with pytest.raises(BackupFailed, match="There is no backup at this place"):
        await restore(objects, fresh("sqlite"))
    with pytest.raises(BackupFailed, match="An object is missing"):
        await restore(objects, fresh("sqlite"), "20260131T235959000000Z-0123abcd")


@pytest.mark.parametrize("place", ["gs://bucket", "s3://", "s3://user@bucket/x", "http://host/x"])
def test_a_place_of_another_kind_is_refused(place: str) -> None:
    with pytest.raises(BackupFailed, match="Backups are kept in a folder, and s3://bucket/prefix"):
        Objects(place)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="There is no folder"):
        Objects(str(tmp_path / "none"))
