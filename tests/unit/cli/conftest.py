"""The command in a folder of its own: without any server, or with one that answers a given report."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_command import Cli
from report_server import AnsweringServer, Peer


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with AnsweringServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Peer(server, tmp_path)
        server.shutdown()
        thread.join()
