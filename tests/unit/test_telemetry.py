"""Log lines: one JSON object each in ASCII, whatever they tell; and metrics of one process and of several."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from llm_schema_registry.telemetry import WORKERS_VARIABLE, exposition, open_log


@pytest.mark.parametrize(
    "value",
    ["plain", "\n\r\x00\x7f\u2028", "é\U0001f980", "\ud800", 2**70, -(2**70), 1.5, None, True, ["a", {"b": 1}]],
    ids=ascii,
)
def test_a_line_holds_whatever_it_is_told(value: object) -> None:
    stream = io.StringIO()
    open_log("info", stream).info("event", told=value)
    text = stream.getvalue()
    assert text.isascii()
    assert text.count("\n") == 1
    line = json.loads(text)
    assert (line["event"], line["level"], line["told"]) == ("event", "info", value)
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None


def test_what_is_no_json_is_told_by_what_it_looks_like() -> None:
    stream = io.StringIO()
    open_log("info", stream).info("event", told=io.StringIO, beside="é")
    assert json.loads(stream.getvalue())["told"] == repr(io.StringIO)


def test_long_texts_are_cut() -> None:
    stream = io.StringIO()
    open_log("info", stream).info("event", told="x" * 300)
    assert json.loads(stream.getvalue())["told"] == "x" * 256 + "..."


def test_a_line_that_cannot_be_written_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        open_log("info", full).info("event")
        with pytest.raises(OSError, match="No space left"):
            full.write("the device refuses everything\n")
        # What is left in its buffer goes elsewhere, so that closing it succeeds.
        os.dup2(1, full.fileno())
    assert "event" in capfd.readouterr().out


def test_several_processes_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = "from llm_schema_registry import telemetry; telemetry.request_served('GET', '/counted-together', 200, 0.1)"
    for _ in range(3):
        subprocess.run([sys.executable, "-c", count], env={**os.environ, WORKERS_VARIABLE: str(tmp_path)}, check=True)
    counted = b'schema_registry_requests_total{endpoint="/counted-together",method="GET",status="200"} 3.0'
    build_infos = b"\nschema_registry_build_info{"
    assert counted not in exposition()
    assert b"process_resident_memory_bytes" in exposition()
    monkeypatch.setenv(WORKERS_VARIABLE, str(tmp_path))
    text = exposition()
    assert counted in text
    assert text.count(build_infos) == 1
    assert b"process_resident_memory_bytes" not in text
