"""The judge of the fault tests is itself held against planted faults: each is found, and a sound registry has none."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from faults.check import check
from faults.history import History, Intent, record, send
from faults.servers import Servers

# What is done to the file behind the registry's back, and what must be found.
PLANTED = {
    "DELETE FROM versions WHERE subject = 'a' AND version = 3": "lost",
    "DELETE FROM versions WHERE subject = 'a' AND version = 2": "not contiguous",
    "UPDATE versions SET schema_id = 1 WHERE subject = 'a' AND version = 2": "is there 2 times",
    "UPDATE versions SET schema_id = 2 WHERE subject = 'b' AND version = 1": "lost",
    "UPDATE schemas SET definition = replace(definition, 'f2', 'f3') WHERE id = 3": "nobody sent",
    "UPDATE schemas SET definition = (SELECT definition FROM schemas WHERE id = 1) WHERE id = 2": "has ids",
    "INSERT INTO schemas SELECT context, 9, guid, schema_type, definition, definition_hash, NULL, NULL, NULL "
    "FROM schemas WHERE id = 1": "contents that no version uses",
    "DELETE FROM events WHERE position = 2": "have gaps",
    "DELETE FROM events WHERE position = 4": "events without",
    "UPDATE events SET schema_id = 3 - schema_id WHERE position IN (1, 2)": "was committed after",
    "UPDATE events SET version = 3 - version WHERE position IN (1, 2)": "out of order",
    "UPDATE events SET type = 'CONFIG_CHANGED' WHERE position = 2": "no client caused",
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, History]:
    """A registry with five registrations, of which one content is at two subjects, and their history."""
    folder = tmp_path_factory.mktemp("sound")
    history = History([Intent("a", record(f"f{number}")) for number in range(3)])
    history.intents += [Intent("b", record("f0")), Intent("a", record("f0"))]
    with (
        Servers(folder, "--database-url", f"sqlite:///{folder}/registry.db", count=1) as servers,
        httpx.Client(base_url=servers.urls[0]) as http,
    ):
        for intent in history.intents:
            answer = http.post(f"/subjects/{intent.subject}/versions", json={"schema": intent.text}).json()
            intent.status, intent.version, intent.id = 200, answer["version"], answer["id"]
        servers.stop()
    return folder / "registry.db", history


async def test_a_sound_registry(sound: tuple[Path, History]) -> None:
    file, history = sound
    count = await check(history, f"sqlite:///{file}")
    assert not count.faults
    assert (count.acknowledged, count.versions, count.contents, count.lost, count.duplicated) == (5, 4, 3, 0, 0)


@pytest.mark.parametrize(("statement", "fault"), PLANTED.items(), ids=PLANTED.values())
async def test_a_planted_fault(sound: tuple[Path, History], tmp_path: Path, statement: str, fault: str) -> None:
    file = Path(shutil.copy(sound[0], tmp_path))
    connection = sqlite3.connect(file)
    assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()
    count = await check(sound[1], f"sqlite:///{file}")
    assert any(fault in found for found in count.faults), count.faults


async def test_outcomes_that_nobody_knows(sound: tuple[Path, History]) -> None:
    file, history = sound
    unsure = [replace(history.intents[0], status=503), replace(history.intents[1], status=None)]
    never = Intent("a", record("never"))
    count = await check(History([*unsure, never, *history.intents[2:]]), f"sqlite:///{file}")
    assert (count.whole, count.absent, count.faults) == (1, 1, [])
    # The content of the second intent is there, and no other intent asked for it.
    ghost = History(
        [history.intents[0], replace(history.intents[1], status=None, is_unsent=True), *history.intents[2:]]
    )
    assert "no server was asked" in str((await check(ghost, f"sqlite:///{file}")).faults)


async def test_what_a_server_answers(sound: tuple[Path, History], tmp_path: Path) -> None:
    file, history = sound
    other = Intent("b", record("other"))
    with Servers(tmp_path, "--database-url", f"sqlite:///{tmp_path}/other.db", count=1) as servers:
        async with httpx.AsyncClient() as http:
            await send(http, servers.urls[0], other)
        count = await check(history, f"sqlite:///{file}", servers.urls)
    assert len(count.faults) == 8
    assert all("instead of" in fault for fault in count.faults)
