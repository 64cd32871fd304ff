"""An older copy of a database goes on behind every id that was given out, whichever way it came to be."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from llm_schema_registry import errors
from llm_schema_registry.model import MAX_ID, EventType
from llm_schema_registry.store.fence import UNKNOWN_JUMP
from llm_schema_registry.store.sql import SqlStore
from postgres import PrivatePostgres
from store_rows import in_migration, named, register


async def registered(store: SqlStore, *words: str, context: str = ".") -> list[int]:
    """Register a content for each word and return the ids."""
    return [(await register(store, named("s", context), word)).schema_id for word in words]


async def opened(url: str) -> tuple[SqlStore, str]:
    store = SqlStore.open(url)
    return store, await store.migrate()


async def last_event(store: SqlStore) -> tuple[int, EventType, dict[str, str]]:
    position, event = (await store.reader.list_events(limit=10_000))[-1]
    return position, event.type, event.details


class File:
    """A database in a file that can be put back to an earlier copy, as a person would: with cp."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "r.db"
        self.url = f"sqlite:///{self.path}"
        self.position = folder / "r.db-position"
        self._copy = folder / "copy"

    def copy(self) -> None:
        """Copy the database, which no process has open."""
        shutil.copy(self.path, self._copy)

    def put_back(self) -> None:
        shutil.copy(self._copy, self.path)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path)


async def lose(file: File, kept: int, lost: int) -> list[int]:
    """Register, copy, register more, put the copy back; return all ids that were acknowledged."""
    store, _ = await opened(file.url)
    ids = await registered(store, *(f"kept {index}" for index in range(kept)))
    await store.close()
    file.copy()
    store, warning = await opened(file.url)
    assert warning == ""
    ids += await registered(store, *(f"lost {index}" for index in range(lost)))
    await store.close()
    file.put_back()
    return ids


async def test_a_file_that_was_put_back_gives_no_id_again(file: File) -> None:
    acknowledged = await lose(file, kept=20, lost=7)
    store, warning = await opened(file.url)
    assert "is at position 20, but r.db-position says that it was at 27" in warning
    assert await last_event(store) == (
        20 + 1007 + 1,
        EventType.COPY_RESTORED,
        {"reason": warning.removeprefix("This is an older copy: ").partition(". ")[0], "skippedIds": "1007"},
    )
    new = await registered(store, *(f"new {index}" for index in range(10)))
    assert min(new) == 20 + 1007 + 1
    assert not set(new) & set(acknowledged)
    await store.close()
    store, warning = await opened(file.url)
    assert warning == "", "it is fenced once"
    await store.close()


async def test_without_the_fence_ids_would_come_again(file: File) -> None:
    """The control of the test above."""
    acknowledged = await lose(file, kept=20, lost=7)
    store = SqlStore.open(file.url)
    assert (await registered(store, "new"))[0] in acknowledged
    await store.close()


async def test_a_context_that_was_lost_begins_behind_its_ids(file: File) -> None:
    await lose(file, kept=1, lost=0)
    store, _ = await opened(file.url)
    lost = await registered(store, "a", "b", "c", context=".lost")
    await store.close()
    file.put_back()
    store, _ = await opened(file.url)
    assert min(await registered(store, "d", "e", context=".lost")) > max(lost)
    await store.close()


async def test_an_import_that_skipped_ids_is_behind_the_fence(file: File) -> None:
    await lose(file, kept=1, lost=0)
    store, _ = await opened(file.url)
    await register(store, named("s"), "imported", schema_id=50_000)
    lost = await registered(store, "after the import")
    assert lost == [50_001]
    await store.close()
    file.put_back()
    store, _ = await opened(file.url)
    assert min(await registered(store, "new")) > max(lost)
    await store.close()


async def test_contexts_after_a_fence_do_not_count_as_ids_given_out(file: File) -> None:
    """A fence raises where contexts begin; what the next one skips must not grow by that."""
    await lose(file, kept=1, lost=1)
    store, _ = await opened(file.url)
    await store.close()
    file.copy()
    store, _ = await opened(file.url)
    for index in range(5):
        await registered(store, "x", context=f".c{index}")
    await store.close()
    file.put_back()
    store, warning = await opened(file.url)
    assert "1005 ids are skipped" in warning
    await store.close()


@pytest.mark.parametrize("left", ["nothing", "half a line", "words"])
async def test_a_copy_without_its_position_skips_a_million(file: File, left: str) -> None:
    acknowledged = await lose(file, kept=3, lost=3)
    if left == "nothing":
        file.position.unlink()
    else:
        file.position.write_text({"half a line": "0000000000", "words": "not numbers"}[left])
    store, warning = await opened(file.url)
    assert "r.db-position is missing" in warning
    assert (await registered(store, "new"))[0] == 3 + UNKNOWN_JUMP + 1 > max(acknowledged)
    await store.close()


async def test_an_empty_database_beside_an_old_position_is_an_older_copy(file: File) -> None:
    acknowledged = await lose(file, kept=3, lost=3)
    file.path.unlink()
    store, warning = await opened(file.url)
    assert "is at position 0" in warning
    assert (await registered(store, "new"))[0] > max(acknowledged)
    await store.close()


async def test_a_position_that_lags_is_no_older_copy(file: File) -> None:
    """A loss of power may take the file's last lines; a release before the fence wrote none."""
    store, _ = await opened(file.url)
    await registered(store, "a")
    lagging = file.position.read_bytes()
    await registered(store, "b", "c")
    await store.close()
    file.position.write_bytes(lagging)
    store, warning = await opened(file.url)
    assert (warning, await registered(store, "d")) == ("", [4])
    await store.close()


async def test_two_processes_on_a_file_are_no_older_copy(file: File) -> None:
    one, _ = await opened(file.url)
    two, _ = await opened(file.url)
    for index in range(10):
        await registered((one, two)[index % 2], f"text {index}")
    three, warning = await opened(file.url)
    assert (warning, await registered(three, "last")) == ("", [11])
    for store in (one, two, three):
        await store.close()


async def test_a_commit_stands_when_its_position_cannot_be_written(file: File) -> None:
    store, _ = await opened(file.url)
    store._fence.close()
    file.position.unlink()
    file.position.mkdir()
    assert await registered(store, "a") == [1]
    await store.close()


async def test_more_lost_ids_than_a_registry_has_are_left_to_a_person(file: File) -> None:
    await lose(file, kept=1, lost=0)
    file.position.write_text(f"{0:020} {2**30:020}\n")
    store = SqlStore.open(file.url)
    with pytest.raises(errors.StoreFailed, match=r"would skip \d+ of 2147483647; bring back a newer copy"):
        await store.migrate()
    await store.close()


async def test_a_context_without_ids_left_refuses_and_the_others_go_on(file: File) -> None:
    await lose(file, kept=1, lost=0)
    store, _ = await opened(file.url)
    await register(store, named("s", ".full"), "x", schema_id=MAX_ID - 5)
    await store.close()
    file.position.unlink()
    store, _ = await opened(file.url)
    with pytest.raises(errors.IdsExhausted, match=r"Context \.full has no id left"):
        await registered(store, "y", context=".full")
    assert (await register(store, named("s", ".full"), "x", version=9)).schema_id == MAX_ID - 5
    assert await registered(store, "y") == [1 + UNKNOWN_JUMP + 1]
    await store.close()


async def test_a_database_in_memory_has_no_fence() -> None:
    store, warning = await opened("sqlite://")
    assert (warning, await registered(store, "a")) == ("", [1])
    await store.close()


@pytest.fixture
def own_postgres() -> Iterator[PrivatePostgres]:
    """A server whose data the test replaces."""
    server = PrivatePostgres()
    yield server
    server.remove()


async def test_a_restarted_postgresql_is_at_home(private_postgres: PrivatePostgres, postgres_url: str) -> None:
    store, warning = await opened(postgres_url)
    assert (warning, await registered(store, "a")) == ("", [1])
    private_postgres.stop("immediate")
    private_postgres.start()
    assert await registered(store, "b") == [2]
    await store.close()
    store, warning = await opened(postgres_url)
    assert (warning, await registered(store, "c")) == ("", [3])
    await store.close()


@pytest.mark.parametrize("place", ["elsewhere", "over the tables"])
async def test_a_dump_that_is_loaded_gives_no_id_again(
    private_postgres: PrivatePostgres, postgres_url: str, place: str
) -> None:
    store, _ = await opened(postgres_url)
    acknowledged = await registered(store, "a", "b")
    dump = dump_of(private_postgres, postgres_url, "--clean", "--if-exists")
    acknowledged += await registered(store, "c", "d")
    await store.close()
    url = postgres_url
    if place == "elsewhere":
        url = private_postgres.url(private_postgres.create_database())
    load(private_postgres, url, dump)
    store, warning = await opened(url)
    assert ("database was" in warning) == (place == "elsewhere")
    assert "contexts was" in warning
    new = await registered(store, "e", "f")
    assert new == [2 + UNKNOWN_JUMP + 1, 2 + UNKNOWN_JUMP + 2]
    assert not set(new) & set(acknowledged)
    assert [event.type for _, event in await store.reader.list_events()][2] is EventType.COPY_RESTORED
    await store.close()


@pytest.mark.parametrize("restarts", [True, False], ids=["at start", "while the server runs"])
async def test_a_recovery_to_an_earlier_point_gives_no_id_again(own_postgres: PrivatePostgres, restarts: bool) -> None:
    """What a replica is that is promoted before it has all: an earlier state on a new timeline."""
    url = own_postgres.url(own_postgres.create_database())
    store, _ = await opened(url)
    acknowledged = await registered(store, "a", "b")
    own_postgres.stop()
    kept = own_postgres.keep_data()
    own_postgres.start()
    acknowledged += await registered(store, "c", "d")
    own_postgres.stop("immediate")
    own_postgres.recover_data(kept, restore_command="false")
    warning = ""
    if restarts:
        await store.close()
        store, warning = await opened(url)
    new = await registered(store, "e", "f")
    assert not set(new) & set(acknowledged)
    assert new == [2 + UNKNOWN_JUMP + 1, 2 + UNKNOWN_JUMP + 2]
    assert ("timeline was 00000001, is 00000002" in warning) == restarts
    told = [event.type for _, event in await store.reader.list_events()]
    assert told.count(EventType.COPY_RESTORED) == 1
    await store.close()


async def test_who_empties_what_is_remembered_asks_for_the_fence(postgres_url: str) -> None:
    store, _ = await opened(postgres_url)
    forget = text("UPDATE homes SET identity = ''")
    await in_migration(store, lambda connection: connection.execute(forget).close())
    assert "it was told to forget that place" in await store.migrate()
    assert await registered(store, "a") == [UNKNOWN_JUMP + 1]
    await store.close()


async def test_what_a_server_does_not_tell_never_differs(
    private_postgres: PrivatePostgres, empty_postgres_url: str
) -> None:
    """A user without the right to ask which cluster this is, and on which timeline."""
    revoked = "ON FUNCTION pg_control_system(), pg_walfile_name(pg_lsn) FROM PUBLIC"
    made = "CREATE ROLE plain LOGIN; GRANT CREATE ON SCHEMA public TO plain"
    load(private_postgres, empty_postgres_url, f"REVOKE EXECUTE {revoked}; {made}")
    try:
        store, _ = await opened(empty_postgres_url.replace("user=postgres", "user=plain"))
        assert await registered(store, "a") == [1]
        await store.close()
        for user in ("postgres", "plain"):
            store, warning = await opened(empty_postgres_url.replace("user=postgres", f"user={user}"))
            assert warning == ""
            await store.close()
    finally:
        load(private_postgres, empty_postgres_url, "DROP OWNED BY plain; DROP ROLE plain")


async def test_the_recipe_for_a_point_in_time_loses_only_what_came_later(own_postgres: PrivatePostgres) -> None:
    """docs/howto/back-up-and-restore.md: a base backup, an archive, and a target."""
    url = own_postgres.url(own_postgres.create_database())
    archive, base = own_postgres.folder("archive"), own_postgres.folder("base")
    command = f"test ! -f {archive}/%f && cp %p {archive}/%f"
    load(own_postgres, url, f"ALTER SYSTEM SET archive_mode = on; ALTER SYSTEM SET archive_command = '{command}'")
    own_postgres.stop()
    own_postgres.start()
    store, _ = await opened(url)
    kept = await registered(store, "a", "b")
    own_postgres.run(
        "pg_basebackup", *own_postgres.connection, f"--pgdata={base}", "--wal-method=none", "--checkpoint=fast"
    )
    kept += await registered(store, "c")
    now = text("SELECT clock_timestamp()::text")
    target = await in_migration(store, lambda connection: connection.execute(now).scalar())
    lost = await registered(store, "d", "e")
    load(own_postgres, url, "SELECT pg_switch_wal()")
    await store.close()
    own_postgres.stop()  # the archive has all by then
    own_postgres.recover_data(
        base,
        restore_command=f"cp {archive}/%f %p",
        recovery_target_time=target,
        recovery_target_action="promote",
    )
    store, warning = await opened(url)
    assert "timeline was 00000001, is 00000002" in warning
    assert [version.schema.id for version in await store.reader.list_versions(named("s"))][::-1] == kept
    new = await registered(store, "f")
    assert not set(new) & {*kept, *lost}
    await store.close()


def dump_of(server: PrivatePostgres, url: str, *flags: str) -> str:
    return subprocess.run(
        [server.program("pg_dump"), *flags, f"--dbname={url}"], capture_output=True, text=True, check=True
    ).stdout


def load(server: PrivatePostgres, url: str, dump: str) -> None:
    command = [server.program("psql"), "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={url}"]
    subprocess.run(command, input=dump, capture_output=True, text=True, check=True)
