"""Both npm clients against a running server: each script plays its scenarios once, each scenario is a test here."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from server_process import ServerProcess

NPM = Path(__file__).parent / "npm"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "use-existing-clients.md"
DEADLINE_SECONDS = 120
INSTALL_SECONDS = 600
TEXT_SCENARIOS = (
    *("auto_register", "use_latest", "use_latest_with_metadata", "references"),
    *("normalize", "evolution", "guid_in_header", "cel_rules"),
)
CONFLUENT = (
    *(f"avro_{name}" for name in TEXT_SCENARIOS),
    *(f"json_{name}" for name in TEXT_SCENARIOS),
    *("protobuf_auto_register", "protobuf_nested_message", "protobuf_lookup", "protobuf_use_latest"),
    *("protobuf_normalize", "protobuf_guid_in_header", "protobuf_cel_rules"),
    *("client_subjects_and_versions", "client_compatibility_and_config"),
    *("client_migration_rules", "client_a_context_in_the_url"),
)
KAFKAJS = (
    *(f"{kind}_{name}" for kind in ("avro", "json", "protobuf") for name in ("round_trip", "ids", "references")),
    *("avro_the_name_is_the_subject", "avro_a_reader_of_the_next_version", "avro_what_breaks_readers_is_refused"),
)
Outcomes = dict[str, str | None]


@pytest.fixture(scope="module")
def packages() -> None:
    """Install the pinned packages, unless they are there already and as new as their lock."""
    installed = NPM / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (NPM / "package-lock.json").stat().st_mtime:
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=NPM, check=True, capture_output=True, timeout=INSTALL_SECONDS)


def node(*arguments: str) -> str:
    """Run node beside the packages; return what it printed."""
    done = subprocess.run(
        ["node", *arguments], cwd=NPM, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def play(script: str, *arguments: str) -> Outcomes:
    """Run a script; return what each scenario threw."""
    lines = [json.loads(line) for line in node(script, *arguments).splitlines()]
    return {line["scenario"]: line["error"] for line in lines}


@pytest.fixture(scope="module")
def confluent(packages: None, server: ServerProcess, compiled: Path) -> Outcomes:
    """What @confluentinc/schemaregistry met."""
    return play("confluent.mjs", server.url, str(compiled / "shop.desc"))


@pytest.fixture(scope="module")
def kafkajs(packages: None, server: ServerProcess) -> Outcomes:
    """What @kafkajs/confluent-schema-registry met."""
    return play("kafkajs.mjs", server.url)


def test_every_scenario_is_a_test(confluent: Outcomes, kafkajs: Outcomes) -> None:
    assert (sorted(confluent), sorted(kafkajs)) == (sorted(CONFLUENT), sorted(KAFKAJS))


@pytest.mark.parametrize("scenario", CONFLUENT)
def test_confluent(confluent: Outcomes, scenario: str) -> None:
    assert confluent[scenario] is None, confluent[scenario]


@pytest.mark.parametrize("scenario", KAFKAJS)
def test_kafkajs(kafkajs: Outcomes, scenario: str) -> None:
    assert kafkajs[scenario] is None, kafkajs[scenario]


@pytest.mark.usefixtures("packages")
def test_the_javascript_of_the_howto_runs_as_it_stands(server: ServerProcess) -> None:
    (code,) = re.findall(r"```javascript\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert "http://127.0.0.1:8081" in code
    assert node("--input-type=module", "--eval", code.replace("http://127.0.0.1:8081", server.url)) == ""
