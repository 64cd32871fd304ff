"""Our rows against `buf breaking`: every verdict that differs is listed with the reason, and none is listed in vain."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_schema_registry.formats.base import SOUND_ONLY
from llm_schema_registry.formats.protobuf import ProtobufFormat

BUF = Path(sys.executable).with_name("buf")
FOLDER = Path(__file__).parents[1] / "data" / "compat" / "protobuf"
# buf does not read message sets at all.
LINES = [line for file in sorted(FOLDER.glob("*.jsonl")) for line in file.read_text().splitlines()]
ROWS = [json.loads(line) for line in LINES if "message_set_wire_format" not in line]
LISTED = yaml.safe_load((FOLDER / "buf_differences.yaml").read_text())


def in_package(text: str, package: str) -> str:
    """Put a row's declarations in a package of their own, since all rows go into one run."""
    if re.search(r"\bpackage \w+;", text):
        return re.sub(r"\bpackage (\w+);", rf"package {package}.\1;", text)
    head = re.match(r'\s*(?:syntax|edition) = "\w+";', text)
    return f"{text[: head.end()]} package {package};{text[head.end() :]}" if head else f"package {package}; {text}"


def write_module(folder: Path, side: str, category: str) -> None:
    for index, row in enumerate(ROWS):
        file = folder / f"r{index}" / "row.proto"
        file.parent.mkdir(parents=True)
        file.write_text(in_package(row[side], f"r{index}"))
    (folder / "buf.yaml").write_text(f"version: v2\nbreaking:\n  use: [{category}]\n")


def verdicts_of_buf(folder: Path, category: str) -> dict[str, set[str]]:
    """Return the rules that each row breaks, by the row's name."""
    write_module(folder / "old", "writer", category)
    write_module(folder / "new", "reader", category)
    result = subprocess.run(
        [BUF, "breaking", folder / "new", "--against", folder / "old", "--error-format", "json"],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    )
    assert result.returncode == 100, result.stderr
    found: dict[str, set[str]] = {name_of(row): set() for row in ROWS}
    for line in result.stdout.splitlines():
        problem = json.loads(line)
        path = re.search(r"\br(\d+)/row\.proto$", problem.get("path", ""))
        assert path, problem
        found[name_of(ROWS[int(path[1])])].add(problem["type"])
    return found


def name_of(row: dict[str, Any]) -> str:
    return f"{row['about']}: {row['name']}"


def test_names_are_unique() -> None:
    assert len({name_of(row) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("category", ["WIRE", "WIRE_JSON"])
def test_every_difference_is_listed_with_its_reason(fmt: ProtobufFormat, tmp_path: Path, category: str) -> None:
    theirs = verdicts_of_buf(tmp_path, category)
    differing = {}
    for row in ROWS:
        harms = {kind for kind, *_ in row["hazards"] if fmt.kinds[kind].breaks_under == SOUND_ONLY}
        if category == "WIRE":
            harms = {kind for kind in harms if not kind.startswith("WIRE_JSON_")}
        rules = theirs[name_of(row)]
        if bool(harms) != bool(rules):
            differing[name_of(row)] = "refuses" if rules else "accepts"
    listed = {name: entry["buf"] for entry in LISTED if category == entry["category"] for name in entry["rows"]}
    assert all(entry["reason"] for entry in LISTED)
    assert differing == listed


@pytest.fixture(scope="session")
def fmt() -> ProtobufFormat:
    return ProtobufFormat()
