"""`lsr validate` and what a schema is registered with besides its text, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cli_command import Cli
from server_process import running_server

EVENT = json.dumps(
    {
        "type": "object",
        "properties": {"model": {"type": "string"}, "tokens": {"type": "integer"}},
        "required": ["model"],
    }
)
RULE = {"name": "some", "kind": "CONDITION", "type": "CEL", "expr": "message.tokens > 0", "doc": "Some tokens"}
SOFT = {**RULE, "name": "many", "expr": "message.tokens > 5", "params": {"level": "WARN"}}


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    with running_server("--log-level", "error") as server:
        opened = Cli(tmp_path_factory.mktemp("cli"), server.url)
        opened.write("event.json", EVENT)
        opened.write("rules.json", json.dumps({"domainRules": [RULE, SOFT]}))
        registered = ("schema", "register", "event", "event.json", "--rule-set", "rules.json")
        assert opened.run(*registered, "--property", "team=search", "--property", "eq=a=b").returncode == 0
        yield opened


def test_rules_and_properties_are_registered(cli: Cli) -> None:
    found = cli.json("schema", "get", "event")
    assert [rule["name"] for rule in found["rule_set"]["domainRules"]] == ["some", "many"]
    assert found["metadata"]["properties"] == {"team": "search", "eq": "a=b"}
    assert "is not JSON" in cli.refusal(
        "schema", "register", "event", "event.json", "--rule-set", cli.write("bad.json", "{")
    )


def test_a_payload_that_keeps_its_contract(cli: Cli) -> None:
    done = cli.run("validate", "event", cli.write("good.json", '{"model": "m", "tokens": 9}'))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split() == ["good.json", "valid"]


def test_a_note_is_shown_and_is_no_failure(cli: Cli) -> None:
    done = cli.run("validate", "event", "-", stdin='{"model": "m", "tokens": 3}')
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].split()[:3] == ["-", "WARN", "many"]


def test_violations_end_with_exit_code_100(cli: Cli) -> None:
    lines = cli.write("events.ndjson", '{"model": "m", "tokens": 9}\n{"model": 1}\n{"model": "m", "tokens": 0}\n')
    done = cli.run("validate", "event", lines, "--output", "json")
    assert (done.returncode, done.stderr) == (100, "")
    found = json.loads(done.stdout)
    assert [(each["file"], each["valid"]) for each in found] == [
        ("events.ndjson:1", True),
        ("events.ndjson:2", False),
        ("events.ndjson:3", False),
    ]
    assert found[1]["violations"][0]["path"] == "/model"


def test_lines_are_counted_as_an_editor_does(cli: Cli) -> None:
    lines = cli.write("gaps.ndjson", '\n{"model": "m", "tokens": 1}\n\n \r\n{"model": 1}\n')
    found = json.loads(cli.run("validate", "event", lines, "--output", "json").stdout)
    assert [each["file"] for each in found] == ["gaps.ndjson:2", "gaps.ndjson:5"]


def test_what_cannot_be_asked_is_an_error(cli: Cli) -> None:
    assert "cannot read" in cli.refusal("validate", "event", "missing.json")
    assert "40401" in cli.refusal("validate", "nobody", cli.write("good.json", "{}"))
    assert "40402" in cli.refusal("validate", "event", "good.json", "--version", "9")
    assert "--encoding" in cli.refusal("validate", "event", "good.json", "--encoding", "xml")
    assert "--mode" in cli.refusal("validate", "event", "good.json", "--mode", "UPGRADE")
