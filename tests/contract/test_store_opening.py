"""The store's contract on opening, upgrading and losing a database, and what only some kinds can show."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from llm_schema_registry import errors
from llm_schema_registry.store import migrations, tables
from llm_schema_registry.store.base import VersionFilter, VersionTaken
from llm_schema_registry.store.sql import SqlStore
from llm_schema_registry.store.sqlite import SqliteConnection
from polling import until
from postgres import PrivatePostgres
from store_rows import in_migration, named, numbers, register, write

START = """
import asyncio, sys
from llm_schema_registry.store.sql import SqlStore

async def start():
    store = SqlStore.open(sys.argv[1])
    await store.migrate()
    await store.ping()
    await store.close()

asyncio.run(start())
print("alembic" in sys.modules)
"""
REGISTER_FOR_EVER = """
import asyncio, itertools, sys
from llm_schema_registry.model import Event, EventType, SchemaContent, Subject
from llm_schema_registry.store.sql import SqlStore

async def run(store, name):
    for number in itertools.count():
        subject = Subject(".", name)
        async with store.transaction(lock=[subject]) as writer:
            schema = await writer.add_schema(".", f"{name} {number}", SchemaContent("AVRO", f"{name} {number}"))
            version = await writer.next_version(subject)
            await writer.add_version(subject, version, schema.id, registered_at=0, registered_by="")
            await writer.append_event(Event(EventType.VERSION_REGISTERED, subject, "", "", 0, version, schema.id))
        print(f'["{name}", {version}, {schema.id}, "{name} {number}"]', flush=True)

async def main():
    store = SqlStore.open(sys.argv[1])
    await asyncio.gather(*(run(store, name) for name in "abc"))

asyncio.run(main())
"""


@pytest.fixture(params=["sqlite-file", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database that several processes can open."""
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path}/deep/er/registry.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest_asyncio.fixture
async def pair(shared_url: str) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    """Two stores on one database."""
    first, second = SqlStore.open(shared_url), SqlStore.open(shared_url)
    await first.migrate()
    yield first, second
    await first.close()
    await second.close()


@pytest.mark.parametrize(
    "url", ["mysql://user:secret@host/db", "sqlite", "sqlite://relative.db", "sqlite:///", "", "/a/file"]
)
def test_a_url_of_an_unknown_kind_names_the_known_ones(url: str) -> None:
    with pytest.raises(ValueError, match="Known are sqlite:///path") as caught:
        SqlStore.open(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("url", "replica"), [("sqlite://", "postgresql://h/d"), ("postgresql://h/d", "sqlite://")])
def test_only_postgresql_has_replicas(url: str, replica: str) -> None:
    with pytest.raises(ValueError, match="SQLite has none"):
        SqlStore.open(url, replica_url=replica)


async def test_a_replica_answers_what_may_lag(private_postgres: PrivatePostgres, empty_postgres_url: str) -> None:
    """A copy that no longer follows shows which questions go there; when it is gone, the database answers them."""
    before = SqlStore.open(empty_postgres_url)
    await before.migrate()
    await register(before, named("old"), "x")
    await before.close()
    copied = empty_postgres_url.removeprefix("postgresql:///").partition("?")[0]
    copy = private_postgres.create_database(template=copied)
    store = SqlStore.open(empty_postgres_url, replica_url=private_postgres.url(copy))
    await register(store, named("new"), "y")
    assert [found.subject.name for found in await store.lagging_reader.search_versions(VersionFilter())] == ["old"]
    assert await store.reader.list_subjects() == [named("new"), named("old")]
    await store.close()
    gone = SqlStore.open(empty_postgres_url, replica_url=private_postgres.url("not_there"))
    assert [found.subject.name for found in await gone.lagging_reader.search_versions(VersionFilter())] == [
        "new",
        "old",
    ]
    await gone.close()


async def test_each_store_in_memory_is_its_own() -> None:
    first, second = SqlStore.open("sqlite://"), SqlStore.open("sqlite:///:memory:")
    await first.migrate()
    await second.migrate()
    await register(first, named("s"), "x")
    assert await second.reader.list_subjects() == []
    await first.close()
    await second.close()


async def test_a_relative_path_with_odd_letters_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqlStore.open("sqlite:///new/a ?b#%41é.db")
    await store.migrate()
    await store.close()
    assert (tmp_path / "new" / "a ?b#%41é.db").is_file()


async def test_a_file_is_written_for_durability(tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path}/r.db")
    await store.migrate()
    connection = await store._writers.acquire()
    assert isinstance(connection, SqliteConnection)
    for pragma, expected in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        assert connection._raw.execute(f"PRAGMA {pragma}").fetchone() == (expected,)
    await store._writers.release(connection)
    await store.close()


async def test_four_processes_start_on_an_empty_database(shared_url: str) -> None:
    """All get ready, and the tables are made once (failure-and-attack-tests T4)."""
    command = (sys.executable, "-c", START, shared_url)
    processes = [await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(4)]
    said = [(await process.communicate())[0].decode().strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert said.count("True") == 1, "one process runs the migrations"
    # A start on tables that are up to date does not even load what runs them.
    late = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert (await late.communicate())[0].decode().strip() == "False"


async def test_a_store_without_tables_says_so(shared_url: str) -> None:
    store = SqlStore.open(shared_url)
    await store.ping()
    with pytest.raises(errors.StoreFailed):
        await store.reader.list_subjects()
    await store.migrate()
    assert await store.reader.list_subjects() == []
    await store.close()


async def test_migrations_make_the_tables_that_queries_know(store: SqlStore) -> None:
    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": migrations.VERSION_TABLE})
        return list(compare_metadata(context, tables.metadata))

    assert await in_migration(store, compare) == []
    assert await in_migration(store, migrations.find_revision) == migrations.HEAD


def test_the_newest_revision_is_head() -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", "llm_schema_registry.store:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == migrations.HEAD
    assert sorted(script.revision for script in scripts.walk_revisions()) == [
        f"{number:04}" for number in range(1, int(migrations.HEAD) + 1)
    ]


async def test_tables_of_an_older_release_are_brought_up_to_date(shared_url: str) -> None:
    """What the first release wrote is there afterwards, and what is new works."""
    store = SqlStore.open(shared_url)

    await in_migration(store, partial(migrations.upgrade, revision="0001"))
    key = await register(store, named("s"), "x")
    with pytest.raises(errors.StoreFailed):
        await store.reader.list_jobs()
    await store.migrate()
    assert await store.reader.list_version_keys(named("s")) == [key]
    assert await store.reader.list_jobs() == []
    await store.close()


async def test_tables_of_a_newer_release_are_left_alone(store: SqlStore) -> None:
    newer = text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '9999'")
    await in_migration(store, lambda connection: connection.execute(newer).close())
    await store.migrate()
    assert (await register(store, named("s"), "x")).schema_id == 1
    assert await in_migration(store, migrations.find_revision) == "9999"


async def test_what_one_store_writes_another_sees_at_once(pair: tuple[SqlStore, SqlStore]) -> None:
    for turn in range(6):
        writer, reader = pair[turn % 2], pair[1 - turn % 2]
        key = await register(writer, named("s"), f"text {turn}")
        assert await reader.reader.list_version_keys(named("s")) != []
        assert (await reader.reader.list_version_keys(named("s")))[-1] == key


async def test_two_stores_share_ids_versions_and_positions(pair: tuple[SqlStore, SqlStore]) -> None:
    """Two servers, one subject (failure-and-attack-tests T2)."""
    work = [register(pair[index % 2], named("s"), f"text {index // 2}") for index in range(48)]
    keys = await asyncio.gather(*work)
    assert sorted(key.version for key in keys) == list(range(1, 49))
    assert {key.schema_id for key in keys} == set(range(1, 25))
    log = await pair[0].reader.list_events()
    assert [position for position, _ in log] == list(range(1, 49))
    assert list(dict.fromkeys(line.schema_id for _, line in log)) == list(range(1, 25))


async def test_a_lock_of_another_store_is_waited_for_and_given_up(shared_url: str) -> None:
    patient, hasty = SqlStore.open(shared_url), SqlStore.open(shared_url, lock_timeout_seconds=0.1)
    await patient.migrate()
    async with patient.transaction(lock=[named("s")]) as writer:
        await write(writer, named("s"), "x")
        with pytest.raises(errors.TimedOut):
            await register(hasty, named("s"), "y")
        assert await hasty.reader.list_subjects() == [], "readers do not wait for writers"
    assert (await register(hasty, named("s"), "y")).version == 2
    await patient.close()
    await hasty.close()


async def test_what_was_acknowledged_survives_a_kill(shared_url: str) -> None:
    """Kill a registering process; all it acknowledged is there, in order (failure-and-attack-tests T1)."""
    store = SqlStore.open(shared_url)
    await store.migrate()
    acknowledged: list[list[object]] = []
    for lines in (25, 40):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", REGISTER_FOR_EVER, shared_url, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        acknowledged += [json.loads(await process.stdout.readline()) for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        await process.wait()
    for name, version, schema_id, words in acknowledged:
        found = await store.reader.find_version(named(str(name)), int(str(version)))
        assert found is not None
        assert (found.schema.id, found.schema.content.text) == (schema_id, words)
    log = await store.reader.list_events()
    assert [position for position, _ in log] == list(range(1, len(log) + 1))
    kept = [len(await numbers(store, named(name))) for name in "abc"]
    assert sum(kept) == len(log) >= len(acknowledged)
    largest = len({line.schema_id for _, line in log})
    assert await store.reader.find_max_schema_id(".") == largest
    assert (await register(store, named("new"), "new")).schema_id == largest + 1
    await store.close()


async def test_a_file_that_is_no_database_fails_cleanly(tmp_path: Path) -> None:
    (tmp_path / "r.db").write_bytes(b"not a database " * 1000)
    store = SqlStore.open(f"sqlite:///{tmp_path}/r.db")
    with pytest.raises(errors.StoreFailed, match="not a database"):
        await store.migrate()
    with pytest.raises(errors.StoreFailed):
        await store.ping()
    await store.close()


async def test_a_server_that_is_not_there_fails_cleanly() -> None:
    for url in ("postgresql://nobody@localhost:1/none", "postgres:///none?host=/nowhere", "postgresql://[bad"):
        store = SqlStore.open(url)
        with pytest.raises(errors.StoreFailed):
            await store.ping()
        with pytest.raises(errors.StoreFailed):
            await register(store, named("s"), "x")
        await store.close()


async def test_postgresql_lets_sharers_and_strangers_proceed(postgres_url: str) -> None:
    store = SqlStore.open(postgres_url, lock_timeout_seconds=60)
    everyone = asyncio.Barrier(4)

    async def enter(turn: int) -> None:
        # Nobody gets behind the barrier unless all are inside at once.
        async with store.transaction(lock=[named(f"s{turn}")], share=[named("shared")]):
            await everyone.wait()

    await asyncio.wait_for(asyncio.gather(*(enter(turn) for turn in range(4))), 60)
    await store.close()


async def test_without_the_lock_two_registrations_do_collide(postgres_url: str) -> None:
    """The control of the tests above: they would notice if locks did nothing."""
    store = SqlStore.open(postgres_url)
    both = asyncio.Barrier(2)

    async def register_unlocked(body: str) -> None:
        async with store.transaction() as writer:
            version = await writer.next_version(named("s"))
            await both.wait()
            await write(writer, named("s"), body, version=version)

    results = await asyncio.gather(register_unlocked("a"), register_unlocked("b"), return_exceptions=True)
    assert sorted(type(result) for result in results if result) == [VersionTaken]
    assert await numbers(store, named("s")) == [1]
    await store.close()


async def answers(store: SqlStore) -> bool:
    try:
        await store.ping()
    except errors.StoreUnavailable:
        return False
    return True


async def test_a_restarted_postgresql_is_used_again(private_postgres: PrivatePostgres, postgres_url: str) -> None:
    """Pooled connections to a server that died do no harm (failure-and-attack-tests T3)."""
    store = SqlStore.open(postgres_url)
    await asyncio.gather(*(register(store, named(f"s{index}"), f"text {index}") for index in range(8)))
    await asyncio.gather(*(store.reader.list_subjects() for _ in range(8)))
    await asyncio.to_thread(private_postgres.stop, "immediate")
    try:
        with pytest.raises(errors.StoreUnavailable):
            await store.reader.list_subjects()
        with pytest.raises(errors.StoreUnavailable):
            await register(store, named("s"), "x")
        with pytest.raises(errors.StoreUnavailable):
            await store.ping()
    finally:
        await asyncio.to_thread(private_postgres.start)
    await until(bool, partial(answers, store), 5)
    await asyncio.gather(*(store.reader.list_subjects() for _ in range(8)))
    await asyncio.gather(*(register(store, named(f"s{index}"), f"again {index}") for index in range(8)))
    # Nobody asked while it was away: the first question of every kind succeeds.
    await asyncio.to_thread(private_postgres.stop, "immediate")
    await asyncio.to_thread(private_postgres.start)
    assert len(await store.reader.list_subjects()) == 8
    assert (await register(store, named("s0"), "third")).version == 3
    await store.close()


async def test_a_postgresql_that_dies_in_a_transaction_fails_it(
    private_postgres: PrivatePostgres, postgres_url: str
) -> None:
    store = SqlStore.open(postgres_url)

    async def die() -> None:
        async with store.transaction(lock=[named("s")]) as writer:
            await write(writer, named("s"), "x")
            await asyncio.to_thread(private_postgres.stop, "immediate")
            await asyncio.to_thread(private_postgres.start)

    with pytest.raises(errors.StoreFailed):
        await die()
    assert await store.reader.list_subjects() == []
    assert (await register(store, named("s"), "x")).schema_id == 1
    await store.close()
