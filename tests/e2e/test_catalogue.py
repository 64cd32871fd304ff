"""The catalogue on a real server: installed, once more, upgraded from an earlier release, and in its owners' hands."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli_command import Cli
from llm_schema_registry.catalogue import SHARED, SHIPPED, Entry, Module, choose, load
from llm_schema_registry.cli.remote import Remote, path
from server_process import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
EARLIER = ROOT / "tests" / "data" / "catalogue" / "1.0.0"
ENTRIES = {entry.subject: entry for entry in load()}
CHANGED = {subject for subject, entry in ENTRIES.items() if entry.contract.release == "1.1.0"}
Rows = dict[str, dict[str, Any]]


class Registry:
    """A server of a test's own, the command line to it, and the file in which it keeps its log."""

    def __init__(self, folder: Path, server: ServerProcess) -> None:
        self.cli = Cli(folder, server.url)
        self.url = server.url
        self.remote = Remote(server.url)
        self._file = folder / "registry.db"

    def install(self, *arguments: str) -> Rows:
        return {row["subject"]: row for row in self.cli.json("catalogue", "install", *arguments)}

    def events(self) -> list[str]:
        with sqlite3.connect(self._file) as connection:
            return [row[0] for row in connection.execute("SELECT type FROM events ORDER BY position")]

    def versions(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row in self.remote.pages(path("v1", "schemas"), {"context": "*"}):
            found.setdefault(row["subject"], []).append(row["version"])
        return found

    def latest(self, subject: str) -> Any:  # noqa: ANN401 - what the route answers
        return self.remote.get(path("v1", "subjects", subject, "versions", "latest"))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with ServerProcess(tmp_path, "--database-url", f"sqlite:///{tmp_path / 'registry.db'}") as server:
        yield Registry(tmp_path, server)


def actions(rows: Rows) -> dict[str, str]:
    return {subject: row["action"] for subject, row in rows.items()}


def widened(entry: Entry) -> str:
    """Return the schema as an owner would extend it."""
    schema = json.loads(entry.text)
    schema["fields"].append({"name": "ours", "type": ["null", "string"], "default": None})
    return json.dumps(schema)


def test_all_of_it_is_installed_once(registry: Registry) -> None:
    first = registry.install()
    assert actions(first) == dict.fromkeys(ENTRIES, "installed")
    assert registry.versions() == {subject: [1] for subject in ENTRIES}
    for subject, entry in ENTRIES.items():
        row, contract = registry.latest(subject), entry.contract
        assert row["owner_team"] == contract.owner_team
        assert (row["description"], tuple(row["tags"])) == (contract.description, contract.tags)
        assert row["metadata"]["properties"]["catalogue.release"] == contract.release
        assert [(found["name"], found["subject"]) for found in row["references"]] == [
            (use.name, use.subject) for use in contract.references
        ]
        assert [rule["name"] for rule in row["rule_set"]["domainRules"]] == [
            rule.name for rule in contract.rule_set.domain_rules or ()
        ]
        assert registry.remote.get(path("config", subject)) == {
            "compatibilityLevel": contract.compatibility_level,
            "compatibilityPolicy": "SOUND",
        }

    log = registry.events()
    again = registry.install()
    assert actions(again) == dict.fromkeys(ENTRIES, "unchanged")
    assert not any(row["settings"] for row in again.values())
    assert registry.events() == log
    shown = registry.cli.run("catalogue", "install")
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "Nothing changed.")


def test_every_example_behaves_on_the_server(registry: Registry) -> None:
    registry.install()
    for subject, entry in ENTRIES.items():
        lines = [json.dumps(json.loads(bytes(example.payload))) for example in entry.examples]
        answer = httpx.post(
            f"{registry.url}/v1/subjects/{subject}/versions/latest/validate",
            content="\n".join(lines),
            headers={"content-type": "application/x-ndjson"},
        )
        judged = [json.loads(line) for line in answer.text.splitlines()]
        for example, verdict in zip(entry.examples, judged, strict=True):
            found = {(row["kind"], row["path"], row.get("rule", "")) for row in verdict.get("violations", ())}
            wanted = {(expected.kind, expected.path, expected.rule) for expected in example.violations}
            assert found == wanted, (subject, example.name)
            assert verdict["valid"] is not bool(example.violations)
            assert "annotations" not in verdict


def test_two_at_the_same_time_install_it_once(registry: Registry) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: registry.cli.start("catalogue", "install"), range(2)))
    assert [(done.returncode, done.stderr) for done in both] == [(0, ""), (0, "")]
    assert registry.versions() == {subject: [1] for subject in ENTRIES}


def test_a_dry_run_writes_nothing(registry: Registry) -> None:
    before = registry.events()
    assert actions(registry.install("--dry-run")) == dict.fromkeys(ENTRIES, "installed")
    assert registry.versions() == {}
    assert registry.events() == before
    assert "to be installed" in registry.cli.run("catalogue", "install", "--dry-run").stdout


@pytest.mark.parametrize("module", list(Module))
def test_a_module_comes_with_what_it_refers_to(registry: Registry, module: Module) -> None:
    rows = registry.install("--module", module)
    assert set(rows) == {entry.subject for entry in choose(tuple(ENTRIES.values()), {module})}
    assert {ENTRIES[subject].module for subject in rows} <= {module, SHARED}
    assert set(actions(rows).values()) == {"installed"}


def test_an_earlier_release_is_upgraded_and_nothing_else(registry: Registry) -> None:
    registry.install("--from", str(EARLIER))
    log = registry.events()
    upgraded = registry.install()
    assert actions(upgraded) == {subject: "upgraded" if subject in CHANGED else "unchanged" for subject in ENTRIES}
    assert registry.versions() == {subject: [1, 2] if subject in CHANGED else [1] for subject in ENTRIES}
    assert registry.events()[len(log) :] == ["VERSION_REGISTERED"] * len(CHANGED)
    for subject in CHANGED:
        row = registry.latest(subject)
        assert row["metadata"]["properties"]["catalogue.release"] == "1.1.0"
        for reference in row["references"]:
            assert reference["version"] == (2 if reference["subject"] in CHANGED else 1)
    assert set(actions(registry.install()).values()) == {"unchanged"}
    assert registry.install("--from", str(EARLIER))["cost.charge"]["note"] == "version 2 came with release 1.1.0"


def test_every_format_was_changed_since_the_earlier_release() -> None:
    earlier = {entry.subject: entry for entry in load(EARLIER)}
    assert earlier.keys() == ENTRIES.keys()
    texts = {subject for subject, entry in ENTRIES.items() if entry.text != earlier[subject].text}
    assert {ENTRIES[subject].contract.schema_type for subject in texts} == {"AVRO", "JSON", "PROTOBUF"}
    for subject, entry in ENTRIES.items():
        is_changed = subject in texts or entry.contract.rule_set != earlier[subject].contract.rule_set
        leans_on_changed = any(use.subject in CHANGED for use in entry.contract.references)
        assert (subject in CHANGED) == (is_changed or leans_on_changed), subject


def test_what_an_owner_changed_is_left_alone(registry: Registry) -> None:
    registry.install("--module", "governance", "--from", str(EARLIER))
    subject = "governance.registry_change"
    registry.remote.put(path("config", subject), {"compatibilityPolicy": None, "compatibility": "NONE"})
    # Metadata is inherited, so the version says that it came with release 1.0.0.
    registry.remote.post(
        path("v1", "subjects", subject, "versions"),
        {
            "definition": widened(ENTRIES[subject]),
            "references": [{"name": "llm.Envelope", "subject": "llm.envelope", "version": 1}],
        },
    )
    row = registry.install("--module", "governance")[subject]
    assert (row["action"], row["version"], row["note"]) == ("left alone", 2, "version 2 is its owner's")
    assert registry.latest(subject)["version"] == 2
    assert registry.remote.get(path("config", subject)) == {"compatibilityLevel": "NONE"}


def test_others_refer_to_what_the_catalogue_brought(registry: Registry) -> None:
    registry.install("--module", "governance")
    envelope = {"definition": widened(ENTRIES["llm.envelope"])}
    registry.remote.post(path("v1", "subjects", "llm.envelope", "versions"), envelope)
    rows = registry.install("--module", "costops")
    assert (rows["llm.envelope"]["action"], rows["llm.envelope"]["version"]) == ("left alone", 1)
    assert rows["cost.token_usage"]["action"] == "installed"
    assert registry.latest("cost.token_usage")["references"][0]["version"] == 1


def test_a_subject_that_somebody_had_before_keeps_its_schema(registry: Registry) -> None:
    foreign = {"definition": '{"type":"record","name":"Mine","fields":[]}'}
    registry.remote.post(path("v1", "subjects", "llm.money", "versions"), foreign)
    done = registry.cli.run("catalogue", "install", "--module", "costops", "--output", "json")
    rows = {row["subject"]: row for row in json.loads(done.stdout)}
    assert rows["llm.money"]["action"] == "left alone"
    # Who refers to it cannot be read with the other schema; all else is installed.
    assert {subject for subject, row in rows.items() if row["action"] == "refused"} == {
        "cost.api_call",
        "cost.resource_allocation",
    }
    assert rows["cost.charge"]["action"] == "installed"
    assert done.returncode == 1
    assert "cost.api_call: " in done.stderr
    assert "llm.Money" in done.stderr


def test_settings_that_are_there_stay(registry: Registry) -> None:
    registry.remote.put(path("config", "cost.charge"), {"compatibility": "BACKWARD"})
    assert registry.install()["cost.charge"]["settings"] == {"compatibilityPolicy": "SOUND"}
    assert registry.remote.get(path("config", "cost.charge")) == {
        "compatibilityLevel": "BACKWARD",
        "compatibilityPolicy": "SOUND",
    }


def test_an_incompatible_upgrade_is_refused_with_the_report(registry: Registry, tmp_path: Path) -> None:
    registry.install("--module", "sentinel")
    broken = tmp_path / "broken"
    shutil.copytree(str(SHIPPED), broken)
    for subject, change in (
        ("security.object.ai_model", lambda fields: fields.append({"name": "family", "type": "string"})),
        ("security.threat", lambda fields: None),
    ):
        folder = broken / "sentinel" / subject
        schema = json.loads((folder / "schema.avsc").read_text())
        change(schema["fields"])
        (folder / "schema.avsc").write_text(json.dumps(schema))
        contract = json.loads((folder / "contract.json").read_text())
        (folder / "contract.json").write_text(json.dumps({**contract, "release": "1.2.0"}))
    done = registry.cli.run("catalogue", "install", "--module", "sentinel", "--from", str(broken), "--output", "json")
    assert done.returncode == 1
    rows = {row["subject"]: row for row in json.loads(done.stdout)}
    assert actions({name: rows[name] for name in ("security.object.ai_model", "security.threat")}) == {
        "security.object.ai_model": "refused",
        "security.threat": "skipped",
    }
    assert rows["security.threat"]["note"] == "needs security.object.ai_model"
    assert "error  READER_FIELD_MISSING_DEFAULT_VALUE" in done.stderr
    assert "not all of the catalogue is installed: security.object.ai_model, security.threat" in done.stderr
    assert registry.versions()["security.threat"] == [1]


def test_the_wheel_brings_every_file_of_it(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name.removeprefix("llm_schema_registry/catalogue/schemas/") for name in zipfile.ZipFile(wheel).namelist()}
    folder = Path(str(SHIPPED))
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} <= packed
