"""The page about checks in CI: its commands are run in a repository with the examples, its settings held to schemas."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli_command import Cli
from transcript import is_shown, transcript

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "howto" / "check-in-ci.md").read_text()
CONSOLE = transcript(PAGE)
SETTINGS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
BIN = Path(sys.executable).parent


@pytest.fixture
def repository(tmp_path: Path) -> Cli:
    cli = Cli(tmp_path)
    for example in (ROOT / "examples").glob("*.avsc"):
        cli.write(example.name, example.read_text())
    cli.git("init", "--quiet")
    cli.git("add", ".")
    cli.git("commit", "--quiet", "--message", "Examples")
    return cli


def run(cli: Cli, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}:{cli.environment['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cli.folder,
        env={**cli.environment, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def of_schema(name: str, settings: object, folder: Path) -> None:
    """Hold settings to the schema of the service that reads them."""
    file = folder / "settings.yaml"
    # YAML 1.1 reads the key `on` of a workflow as true.
    file.write_text(yaml.safe_dump(settings).replace("true: pull_request", "'on': pull_request"))
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", name, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("command", "shown"), CONSOLE, ids=[command for command, _ in CONSOLE])
def test_every_command_prints_what_the_page_shows(repository: Cli, command: str, shown: str) -> None:
    done = run(repository, command)
    assert is_shown(shown, done.stdout), done.stdout
    assert (done.returncode, done.stderr) == (100 if "incompatible:" in shown else 0, "")


def test_the_page_shows_a_hook_that_there_is() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    ((used,),) = [repo["hooks"] for repo in SETTINGS[0]["repos"]]
    assert used["id"] == hook["id"]
    assert re.search(used["files"], "schemas/a/b.avsc")
    assert not re.search(used["files"], "package.json")


def test_the_hook_refuses_a_commit_that_breaks(repository: Cli) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert set(hook) == {
        "id",
        "name",
        "description",
        "entry",
        "language",
        "files",
        "types",
        "require_serial",
    }
    assert hook["language"] == "python"
    names = ["a.avsc", "b/c.proto", "d.json"]
    assert [name for name in [*names, "a.avsc.md", "proto"] if re.search(hook["files"], name)] == names
    entry = f"{hook['entry']} --level FULL"
    assert run(repository, f"{entry} inference-1.avsc inference-2.avsc inference-3.avsc").returncode == 0
    repository.write("inference-2.avsc", (ROOT / "examples" / "inference-3.avsc").read_text())
    done = run(repository, f"{entry} inference-1.avsc inference-2.avsc")
    assert (done.returncode, done.stderr) == (100, "")
    assert "incompatible: inference-2.avsc" in done.stdout


def action() -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
    return value


def test_the_settings_are_what_the_services_take(tmp_path: Path) -> None:
    _, workflow, pipeline = SETTINGS
    of_schema("vendor.github-actions", action(), tmp_path)
    of_schema("vendor.github-workflows", workflow, tmp_path)
    of_schema("vendor.gitlab-ci", pipeline, tmp_path)
    used = workflow["jobs"]["schemas"]["steps"][1]
    assert set(used["with"]) <= set(action()["inputs"])


def test_the_script_for_gitlab_writes_the_report(repository: Cli) -> None:
    job = SETTINGS[2]["schemas"]
    _, command = job["script"]
    done = run(repository, command, CI_MERGE_REQUEST_DIFF_BASE_SHA="HEAD")
    assert (done.returncode, done.stderr) == (0, "")
    assert (repository.folder / job["artifacts"]["reports"]["codequality"]).read_text() == "[]\n"


def check_by_action(cli: Cli, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the action's own script as a runner does, with the command that is installed here."""
    install, check = action()["runs"]["steps"]
    assert '"$GITHUB_ACTION_PATH"' in install["run"]
    folder = cli.folder / "temp" / "llm-schema-registry"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "bin").exists():
        (folder / "bin").symlink_to(BIN)
    stated = {name: entry.get("default", "") for name, entry in action()["inputs"].items()} | {
        name.replace("_", "-"): value for name, value in inputs.items()
    }
    environment = {
        name: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: stated[found[1]], value)
        for name, value in check["env"].items()
    }
    assert not re.search(r"\$\{\{", check["run"]), "an input in a script could run as one"
    return run(cli, f"set -eo pipefail\n{check['run']}", RUNNER_TEMP=str(cli.folder / "temp"), **environment)


def test_the_action_annotates_what_breaks(repository: Cli) -> None:
    repository.write("inference-2.avsc", (ROOT / "examples" / "inference-3.avsc").read_text())
    repository.write("deep/er/new.avsc", '"int"')
    repository.git("add", ".")
    repository.git("commit", "--quiet", "--message", "Break")
    done = check_by_action(repository, files="**/*.avsc", level="FULL", policy="STRICT")
    assert done.returncode == 100
    assert "::error file=inference-2.avsc," in done.stdout
    assert not [line for line in done.stdout.splitlines() if not line.startswith("::")]
    assert check_by_action(repository, files="deep/**/*.avsc\ninference-1.avsc").returncode == 0
    assert check_by_action(repository, files="none/*.avsc").returncode == 1

    done = check_by_action(repository, files="*.avsc", error_format="sarif", output_file="schemas.sarif")
    assert (done.returncode, done.stdout) == (100, "")
    assert '"version": "2.1.0"' in (repository.folder / "schemas.sarif").read_text()


def test_the_action_takes_references_and_no_commands(repository: Cli) -> None:
    repository.write("money.proto", 'syntax = "proto3"; message Money { int64 n = 1; }')
    repository.write("price.proto", 'syntax = "proto3"; import "money.proto"; message Price { Money m = 1; }')
    done = check_by_action(
        repository, files="*.proto", against="HEAD", references="money.proto=money.proto\n", error_format="text"
    )
    assert (done.returncode, done.stdout.count("compatible: ")) == (0, 2)
    done = check_by_action(
        repository, files="$(touch evil) `touch evil`", against="HEAD; touch evil", level="$(touch evil)"
    )
    assert done.returncode == 1
    assert not (repository.folder / "evil").exists()
