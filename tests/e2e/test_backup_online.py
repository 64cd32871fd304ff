"""Backups of a server that goes on registering, backups that are killed in the middle, and what the command says."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from polling import until
from server_process import ServerProcess, environment_of

LSR = (sys.executable, "-c", "from llm_schema_registry.cli import main; main()")
CLIENTS = 8
REGISTRATIONS = 20  # of each client before the backup begins
Acknowledged = dict[tuple[str, int], tuple[int, str]]  # (subject, version): (id, text)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of the database under backup."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/live/registry.db"
    found: str = request.getfixturevalue("empty_postgres_url")
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def copy_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of the database that is restored."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/restored/registry.db"
    server = request.getfixturevalue("private_postgres")
    found: str = server.url(server.create_database())
    return found


def schema(subject: str, number: int) -> str:
    fields = [{"name": f"f{number}", "type": ["null", "string"], "doc": f"é {subject}", "default": None}]
    return json.dumps({"type": "record", "name": "R", "fields": fields}, separators=(",", ":"), ensure_ascii=False)


async def register_for_ever(server: str, subject: str, acknowledged: Acknowledged, stop: asyncio.Event) -> None:
    """Register one new content after the other until told to stop; note what the server acknowledged."""
    async with httpx.AsyncClient(base_url=server, timeout=60) as client:
        number = 0
        while not stop.is_set():
            number += 1
            body = {"schema": schema(subject, number)}
            answer = await client.post(f"/subjects/{subject}/versions", json=body)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            acknowledged[subject, told["version"]] = (told["id"], body["schema"])


async def lsr(*arguments: str) -> str:
    """Run a command that must succeed and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *LSR, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment_of()
    )
    said, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return said.decode()


def count_of(acknowledged: Acknowledged) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        return len(acknowledged)

    return count


async def check_answers(server: str, acknowledged: Acknowledged) -> None:
    """Every registration is there: its version with its id, and its text, byte for byte."""
    async with httpx.AsyncClient(base_url=server, timeout=60) as client:
        for (subject, version), (schema_id, text) in acknowledged.items():
            found = (await client.get(f"/subjects/{subject}/versions/{version}")).json()
            assert (found["id"], found["schema"]) == (schema_id, text)
            assert (await client.get(f"/schemas/ids/{schema_id}")).json()["schema"] == text


async def test_a_backup_while_clients_register_has_all_that_was_acknowledged(
    url: str, copy_url: str, tmp_path: Path
) -> None:
    target = str(tmp_path / "backups")
    acknowledged: Acknowledged = {}
    stop = asyncio.Event()
    with ServerProcess(tmp_path, "--database-url", url) as server:
        clients = [
            asyncio.create_task(register_for_ever(server.url, f"s{number}", acknowledged, stop))
            for number in range(CLIENTS)
        ]
        await until(lambda count: count >= CLIENTS * REGISTRATIONS, count_of(acknowledged), seconds=60)
        before = dict(acknowledged)
        saved = json.loads(await lsr("backup", target, "--database-url", url, "--output", "json"))
        after = len(acknowledged)
        again = json.loads(await lsr("backup", target, "--database-url", url, "--output", "json"))
        stop.set()
        await asyncio.gather(*clients)
        assert after > len(before), "clients registered while the backup was taken"
        assert len(before) <= saved["log_position"] <= after + CLIENTS
        assert saved["log_position"] < again["log_position"]
        assert server.stop() == 0
    await lsr("restore", target, "--at", saved["name"], "--database-url", copy_url)
    with ServerProcess(tmp_path, "--database-url", copy_url) as server:
        await check_answers(server.url, before)
        async with httpx.AsyncClient(base_url=server.url) as client:
            # One moment: of each subject the versions up to one number, and of all as many as the log has lines.
            held = [(await client.get(f"/subjects/s{number}/versions")).json() for number in range(CLIENTS)]
            assert all(versions == list(range(1, len(versions) + 1)) for versions in held)
            assert sum(map(len, held)) == saved["log_position"]
            given = {schema_id for schema_id, _ in acknowledged.values()}
            new = [
                (await client.post(f"/subjects/s{number}/versions", json={"schema": schema("new", number)})).json()
                for number in range(CLIENTS)
            ]
            assert [told["version"] for told in new] == [len(versions) + 1 for versions in held]
            assert not {told["id"] for told in new} & given
        assert server.stop() == 0


async def test_a_server_on_an_older_copy_says_so(tmp_path: Path) -> None:
    database = tmp_path / "registry.db"
    url = f"sqlite:///{database}"
    with ServerProcess(tmp_path, "--database-url", url) as server:
        assert await registered(server.url, 1) == 1
        assert server.stop() == 0
    copy = database.read_bytes()
    with ServerProcess(tmp_path, "--database-url", url, "--workers", "2") as server:
        lost = [await registered(server.url, number) for number in (2, 3)]
        assert server.stop() == 0
    database.write_bytes(copy)
    with ServerProcess(tmp_path, "--database-url", url, "--workers", "2") as server:
        assert await registered(server.url, 4) == max(lost) + 1001
        assert server.stop() == 0
        warnings = [line["reason"] for line in server.log if line["level"] == "warning"]
    assert len(warnings) == 1
    assert "1002 ids are skipped" in warnings[0]


async def registered(server: str, number: int) -> int:
    async with httpx.AsyncClient(base_url=server, timeout=60) as client:
        answer = await client.post("/subjects/s/versions", json={"schema": schema("s", number)})
    schema_id: int = answer.json()["id"]
    return schema_id


def killed_when(folder: Path, is_enough: Callable[[int], bool], *arguments: str) -> int:
    """Kill a backup as soon as enough chunks are there, and answer how many there are."""
    process = subprocess.Popen([*LSR, *arguments], env=environment_of(), stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if is_enough(len(list(folder.glob("chunks/*/*.gz")))):
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait(60) == -signal.SIGKILL, "the backup was over too soon"
    return len(list(folder.glob("chunks/*/*.gz")))


async def test_a_backup_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    database, folder = tmp_path / "registry.db", tmp_path / "backups"
    url = f"sqlite:///{database}"
    with ServerProcess(tmp_path, "--database-url", url) as server:
        await registered(server.url, 1)
        assert server.stop() == 0
    with sqlite3.connect(database) as connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) INSERT INTO events "
            "SELECT i, 'VERSION_REGISTERED', '.', 's' || i, 1, 1, 'a', hex(randomblob(16)), i, '{}' FROM n"
        )
    connection.close()
    command = ("backup", str(folder), "--database-url", url, "--output", "json")
    there = 0
    for share in (20, 60):
        reached = killed_when(folder, lambda count, share=share: count >= share, *command)  # type: ignore[misc]  # mypy loses the default's type
        assert reached > there
        there = reached
        assert not list(folder.glob("manifests/*"))
    done = json.loads(await lsr(*command))
    assert done["found"] == there
    assert done["sent"] == len(list(folder.glob("chunks/*/*.gz"))) - there > 0
    said = await lsr("restore", str(folder), "--database-url", f"sqlite:///{tmp_path}/copy.db", "--output", "json")
    assert json.loads(said)["rows"] == done["rows"]
