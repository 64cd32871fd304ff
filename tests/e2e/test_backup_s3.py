"""Backups in a real S3 server, versitygw. `make backup-s3` builds it and runs this; VERSITYGW names its binary."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backups import fill, many_events, opened
from everything import events_of, everything
from server_process import environment_of

pytestmark = pytest.mark.s3

LSR = (sys.executable, "-c", "from llm_schema_registry.cli import main; main()")
BUCKET, KEY, SECRET = "backups", "an-access-key", "a-secret-key"
TARGET = f"s3://{BUCKET}/of/registry"


class Gateway:
    """An S3 server whose buckets are folders."""

    def __init__(self, folder: Path) -> None:
        self.bucket = folder / "root" / BUCKET
        self.bucket.mkdir(parents=True)
        (folder / "meta").mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        flags = ("--access", KEY, "--secret", SECRET, "--port", f"127.0.0.1:{self.port}", "--quiet")
        self._command = (
            *(os.environ["VERSITYGW"], *flags),
            *("posix", "--sidecar", str(folder / "meta"), str(folder / "root")),
        )
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("the S3 server did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    @property
    def environment(self) -> dict[str, str]:
        return environment_of(
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{self.port}", AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET
        )

    def chunks(self) -> list[Path]:
        return sorted(self.bucket.rglob("*.jsonl.gz"))

    def lsr(self, *arguments: str, **environment: str) -> Any:  # noqa: ANN401 - what JSON holds
        """Run a command that must succeed and return what it answered."""
        done = self._run(*arguments, "--output", "json", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refusal(self, *arguments: str, **environment: str) -> str:
        """Run a command that must fail and return what it complained of."""
        done = self._run(*arguments, **environment)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Traceback" not in done.stderr
        return done.stderr

    def _run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*LSR, *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    server = Gateway(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with rows of every kind, and a log of many chunks."""
    url = f"sqlite:///{tmp_path}/registry.db"

    async def write() -> None:
        store = await opened(url)
        await fill(store)
        position = await store.reader.find_log_position()
        await store.close()
        await many_events(url, position + 1, position + 150_000)

    asyncio.run(write())
    return url


def test_a_backup_goes_to_s3_and_comes_back(gateway: Gateway, url: str, tmp_path: Path) -> None:
    first = gateway.lsr("backup", TARGET, "--database-url", url)
    second = gateway.lsr("backup", TARGET, "--database-url", url, "--keep-days", "30")
    assert (second["sent"], second["found"]) == (0, first["sent"])
    assert second["removed"] == {"backups": 0, "chunks": 0}
    assert gateway.lsr("restore", TARGET, "--list") == [first["name"], second["name"]]
    copy_url = f"sqlite:///{tmp_path}/copy.db"
    restored = gateway.lsr("restore", TARGET, "--database-url", copy_url, "--at", first["name"])

    async def compare() -> int:
        original, copy = await opened(url), await opened(copy_url)
        assert await everything(original.reader) == await everything(copy.reader)
        log = await events_of(original.reader)
        assert (await events_of(copy.reader))[:-1] == log
        await original.close()
        await copy.close()
        return len(log)

    events = asyncio.run(compare())
    print(
        f"\nS3: {first['rows']} rows in {first['sent']} chunks, {first['sent_bytes']} bytes; again: {second['sent']} "
        f"sent, {second['found']} found; restored {restored['rows']} rows, {events} events equal"
    )


def test_a_server_that_dies_in_the_middle_is_gone_on_with(gateway: Gateway, url: str, tmp_path: Path) -> None:
    def kill_in_the_middle() -> None:
        while len(gateway.chunks()) < 20:
            time.sleep(0.001)
        gateway.kill()

    killing = threading.Thread(target=kill_in_the_middle, daemon=True)
    killing.start()
    complaint = gateway.refusal("backup", TARGET, "--database-url", url)
    assert "cannot be used" in complaint
    killing.join(30)
    there = len(gateway.chunks())
    assert there >= 20
    assert not list(gateway.bucket.rglob("*.json"))
    gateway.start()
    assert "There is no backup" in gateway.refusal("restore", TARGET, "--database-url", f"sqlite:///{tmp_path}/c.db")
    done = gateway.lsr("backup", TARGET, "--database-url", url)
    # The last one may have been stored without an answer.
    assert there - 1 <= done["found"] <= there
    assert done["found"] + done["sent"] == len(gateway.chunks())
    restored = gateway.lsr("restore", TARGET, "--database-url", f"sqlite:///{tmp_path}/c.db")
    assert restored["rows"] == done["rows"]
    print(f"\nS3: died after {there} chunks; gone on: {done['found']} found, {done['sent']} sent; restored")


def test_retention_removes_what_no_backup_names(gateway: Gateway, url: str, tmp_path: Path) -> None:
    old = gateway.lsr("backup", TARGET, "--database-url", url)
    [manifest] = gateway.bucket.rglob("*.json")
    manifest.rename(manifest.with_name(f"20200101T000000000000Z-{old['name'][-8:]}.json"))
    with sqlite3.connect(tmp_path / "registry.db") as connection:
        connection.execute("UPDATE events SET request_id = 'changed' WHERE position > 100000")
    connection.close()
    before = len(gateway.chunks())
    for path in gateway.chunks():
        os.utime(path, (0, 0))
    new = gateway.lsr("backup", TARGET, "--database-url", url, "--keep-days", "30")
    assert new["removed"]["backups"] == 1
    assert new["removed"]["chunks"] > 0
    assert len(gateway.chunks()) == before + new["sent"] - new["removed"]["chunks"] == new["sent"] + new["found"]
    assert gateway.lsr("restore", TARGET, "--database-url", f"sqlite:///{tmp_path}/c.db")["rows"] == new["rows"]
    print(f"\nS3: retention removed {new['removed']}; {new['found']} found, {new['sent']} sent; restored")


def test_a_damaged_chunk_and_wrong_credentials_are_refused(gateway: Gateway, url: str, tmp_path: Path) -> None:
    gateway.lsr("backup", TARGET, "--database-url", url)
    assert "cannot be used" in gateway.refusal(
        "backup", TARGET, "--database-url", url, AWS_SECRET_ACCESS_KEY="not-the-secret"
    )
    assert "cannot be used" in gateway.refusal("backup", "s3://nobodys-bucket/x", "--database-url", url)
    victim = gateway.chunks()[3]
    victim.write_bytes(victim.read_bytes()[::-1])
    assert "is damaged" in gateway.refusal("restore", TARGET, "--database-url", f"sqlite:///{tmp_path}/c.db")
    assert not list(tmp_path.glob("c.db*"))
    print("\nS3: wrong secret, unknown bucket and a damaged chunk refused")
