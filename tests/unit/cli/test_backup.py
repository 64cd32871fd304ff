"""`backup` and `restore` on the command line: what they print, and how they refuse."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from cli_command import Cli
from llm_schema_registry.store.sql import SqlStore
from store_rows import named, register

NAME = r"\d{8}T\d{12}Z-[0-9a-f]{8}"
URL = ("--database-url", "sqlite:///r.db")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command in a folder with a database of one version."""

    async def write() -> None:
        store = SqlStore.open(f"sqlite:///{tmp_path}/r.db")
        await store.migrate()
        await register(store, named("s"), "x")
        await store.close()

    asyncio.run(write())
    return Cli(tmp_path)


def test_a_backup_says_what_it_sent_and_found(cli: Cli) -> None:
    first = cli.run("backup", "there", *URL)
    assert re.fullmatch(
        rf"{NAME}: 7 rows, log position 1; 6 chunks sent \(\d+ bytes\), 0 were there\n", first.stdout
    ), first
    second = cli.run("backup", "there", *URL, "--keep-days", "0").stdout.splitlines()
    assert re.fullmatch(rf"{NAME}: 7 rows, log position 1; 0 chunks sent \(0 bytes\), 6 were there", second[0])
    assert second[1:] == ["removed 1 backups and 0 chunks"]


def test_a_backup_as_json(cli: Cli) -> None:
    saved = cli.json("backup", "there", *URL)
    assert {key: saved[key] for key in ("log_position", "rows", "sent", "found")} == {
        "log_position": 1,
        "rows": 7,
        "sent": 6,
        "found": 0,
    }
    assert cli.json("backup", "there", *URL, "--keep-days", "1")["removed"] == {"backups": 0, "chunks": 0}
    assert cli.json("restore", "there", "--list")[0] == saved["name"]
    restored = cli.json("restore", "there", "--database-url", "sqlite:///copy.db", "--at", saved["name"])
    assert restored == {"name": saved["name"], "log_position": 1, "rows": 7, "skipped_ids": 1_000_000}


def test_the_database_is_that_of_serve(cli: Cli) -> None:
    done = cli.run("backup", "there", SCHEMA_REGISTRY_DATABASE_URL="sqlite:///r.db")
    assert done.returncode == 0
    cli.write("settings.toml", 'database_url = "sqlite:///copy.db"\n')
    done = cli.run("restore", "there", "--above-position", "1", "--config", "settings.toml")
    assert re.fullmatch(rf"{NAME}: 7 rows, log position 1; 0 ids are skipped in every context\n", done.stdout), (
        done.stderr
    )
    assert (cli.folder / "copy.db").is_file()


def test_backups_are_listed(cli: Cli) -> None:
    for _ in range(2):
        cli.run("backup", "there", *URL)
    lines = cli.run("restore", "there", "--list").stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["BACKUP", "TAKEN"]
    assert lines[1] < lines[2]
    assert lines[1].endswith("+00:00")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("backup", "there", "--database-url", "sqlite:///none.db"), "There is no database at none.db"),
        (("backup", "there", "--database-url", "sqlite://"), "Only a database in a file or of PostgreSQL"),
        (("backup", "gs://there", *URL), "Backups are kept in a folder, and s3://bucket/prefix"),
        (("backup", "r.db", *URL), "The backup's place cannot be used"),
        (("backup", "there", "--config", "none.toml"), "none.toml cannot be read"),
        (("restore", "nowhere"), "There is no folder nowhere"),
        (("restore", "."), "There is no backup at this place"),
        (("restore", ".", "--at", "../x"), "'../x' is no name of a backup"),
        (("backup", "there", *URL, "--keep-days", "-1"), "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    complaint = cli.refusal(*arguments)
    assert words in complaint
    assert "Traceback" not in complaint


def test_a_registry_is_not_restored_over(cli: Cli) -> None:
    cli.run("backup", "there", *URL)
    assert cli.refusal("restore", "there", *URL).startswith("error: The database holds a registry already")


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_without_the_servers_packages_the_remedy_is_named(
    cli: Cli, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.startswith("llm_schema_registry.backup"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    assert "pip install 'llm-schema-registry[server]'" in cli.refusal(command, "there", *URL)
