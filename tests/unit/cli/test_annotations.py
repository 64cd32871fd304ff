"""What programs take: each format is read back by the rules of those who read it."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import msgspec
import pytest

from cli_command import Cli, Json
from llm_schema_registry import __version__
from llm_schema_registry.wire.report import ReportBody
from report_server import Peer, finding, place

AWKWARD = "100%, a:b\r\n::error::<&\"'>]]> \x00\x1b\ufffe\U0001f600"
BREAKING = finding(
    kind="TYPE_MISMATCH",
    reader=place("/fields/0/type", 2, 3),
    writer=place("/fields/0/type", 1, 9),
    sample='{"id": 1}',
    outcome="no",
    explanation="It cannot be read.",
    remedy="Keep the type.",
    message="{errorType:'TYPE_MISMATCH'}",
)
HARMING = finding(kind="LOSSY", severity="hazard", reader=place("/a"), explanation=AWKWARD)
KNOWN = finding(kind="DOC", severity="info", reader=None, explanation="Another doc.")
EVERYTHING = (
    'It cannot be read.\ncompared with: version 1 of orders\nvalid with the old schema: {"id": 1}\n'
    "the new schema says: no\nfix: Keep the type."
)


def written(peer: Peer, error_format: str, *arguments: str, code: int = 100) -> str:
    done = peer.check("--error-format", error_format, *arguments)
    assert (done.returncode, done.stderr) == (code, "")
    return done.stdout


class TestJson:
    def test_the_report_is_whole(self, peer: Peer) -> None:
        peer.answers(BREAKING, HARMING, KNOWN)
        (file,) = json.loads(written(peer, "json"))["files"]
        assert file["report"] == {"version": None, "is_registered": False, "impact": None, **peer.server.report}
        assert [file[name] for name in ("file", "schema_type", "is_compatible", "earlier", "error")] == [
            "new.avsc",
            "AVRO",
            False,
            {"1": "version 1 of orders"},
            None,
        ]
        assert msgspec.convert(file["report"], ReportBody).findings[0].kind == "TYPE_MISMATCH"

    def test_only_what_was_said_is_asked(self, peer: Peer) -> None:
        peer.answers()
        peer.check("-o", "json")
        usual = {"subject": "orders", "schema_type": "AVRO", "definition": "new text", "references": []}
        assert peer.server.asked.pop() == ("/v1/compatibility", usual)
        peer.check("-o", "json", "--level", "full", "--policy", "sound", "--version", "latest", "--normalize")
        said = {"compatibility_mode": "FULL", "compatibility_policy": "SOUND", "versions": ["latest"]}
        assert peer.server.asked == [("/v1/compatibility?normalize=true", {**usual, **said})]

    @pytest.mark.parametrize("answer", [{}, [], {"is_compatible": "yes"}])
    def test_an_answer_that_is_no_report_is_an_error(self, peer: Peer, answer: object) -> None:
        peer.server.report = answer
        done = peer.check("-o", "json")
        assert (done.returncode, done.stdout) == (1, "")
        assert "report cannot be read" in done.stderr


class TestGitHubActions:
    """Workflow commands: `::name key=value,key=value::message`, escaped as the runner's toolkit does."""

    COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")

    def commands(self, text: str) -> list[tuple[str, dict[str, str], str]]:
        found = []
        for line in text.splitlines():
            match = self.COMMAND.fullmatch(line)
            assert match, line
            stated = dict(part.split("=", 1) for part in match[2].split(","))
            found.append((match[1], {name: unquote(value) for name, value in stated.items()}, unquote(match[3])))
        return found

    def test_findings_are_annotations_at_their_lines(self, peer: Peer) -> None:
        peer.answers(BREAKING, HARMING, KNOWN)
        error, warning = self.commands(written(peer, "github-actions"))
        place_of = {"file": "new.avsc", "line": "2", "col": "3", "title": "TYPE_MISMATCH"}
        assert error == ("error", place_of, EVERYTHING)
        assert warning[:2] == ("warning", {"file": "new.avsc", "title": "LOSSY"})
        assert warning[2].startswith(AWKWARD.replace("\x00", "\\u0000").replace("\x1b", "\\u001b"))
        assert self.commands(written(peer, "github-actions", "--verbose"))[2][0] == "notice"

    def test_nothing_found_is_nothing_written(self, peer: Peer) -> None:
        peer.answers()
        assert written(peer, "github-actions", code=0) == ""

    def test_a_name_can_forge_no_command(self, cli: Cli) -> None:
        name = cli.write("a,b:c%::error::x\ny.avsc", '"int"')
        done = cli.run("check", name, cli.write("old.avsc", '"string"'), "--error-format", "github-actions")
        ((_, stated, _),) = self.commands(done.stdout)
        assert stated == {"file": name, "title": "TYPE_MISMATCH"} | {
            key: stated[key] for key in ("line", "col") if key in stated
        }


class TestGitLab:
    """Code Quality: description, check_name, fingerprint, severity, location.path, location.lines.begin."""

    def issues(self, text: str) -> list[Json]:
        issues = json.loads(text)
        for issue in issues:
            assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
            assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
            assert set(issue["location"]) == {"path", "lines"}
        return issues

    def test_findings_are_issues(self, peer: Peer) -> None:
        peer.answers(BREAKING, HARMING, KNOWN)
        error, warning, info = self.issues(written(peer, "gitlab", "--verbose"))
        assert (error["description"], error["check_name"], error["severity"]) == (
            EVERYTHING,
            "TYPE_MISMATCH",
            "critical",
        )
        assert error["location"] == {"path": "new.avsc", "lines": {"begin": 2}}
        assert (warning["severity"], warning["location"]["lines"]["begin"], info["severity"]) == ("minor", 1, "info")
        peer.answers()
        assert self.issues(written(peer, "gitlab", code=0)) == []

    def test_a_fingerprint_outlives_a_move_and_no_two_are_equal(self, peer: Peer) -> None:
        moved = {**BREAKING, "reader": place("/fields/0/type", 90, 1), "explanation": "Said otherwise."}
        elsewhere = {**BREAKING, "reader": place("/fields/1/type", 2, 3)}

        def fingerprints(*findings: dict[str, Any]) -> list[str]:
            peer.answers(*findings)
            return [issue["fingerprint"] for issue in self.issues(written(peer, "gitlab"))]

        before = fingerprints(BREAKING, BREAKING, elsewhere, {**BREAKING, "direction": "FORWARD"})
        assert len(set(before)) == 4
        assert fingerprints(moved, moved) == before[:2]


class TestJunit:
    def case(self, text: str) -> tuple[ET.Element, ET.Element]:
        root = ET.fromstring(text)
        suites = [root, *root]
        assert [suite.tag for suite in suites] == ["testsuites", "testsuite"]
        case = suites[1][0]
        assert case.tag == "testcase"
        assert {suite.get(name) for suite in suites for name in ("tests",)} == {str(len(suites[1]))}
        for name, tag in (("failures", "failure"), ("errors", "error")):
            assert {suite.get(name) for suite in suites} == {str(len(root.findall(f".//{tag}")))}
        return root, case

    def test_an_incompatible_file_is_a_failure(self, peer: Peer) -> None:
        peer.answers(BREAKING, HARMING)
        _, case = self.case(written(peer, "junit"))
        assert (case.get("name"), [child.tag for child in case]) == ("new.avsc", ["failure", "system-out"])
        assert (case[0].get("type"), case[0].get("message")) == ("TYPE_MISMATCH", "It cannot be read.")
        assert case[0].text == f"new.avsc:2:3: breaking: TYPE_MISMATCH: {EVERYTHING}"

    def test_no_character_that_xml_lacks_is_written(self, peer: Peer) -> None:
        peer.answers({**BREAKING, "explanation": AWKWARD}, HARMING)
        _, case = self.case(written(peer, "junit"))
        legal = AWKWARD.replace("\x00", "\\u0000").replace("\x1b", "\\u001b").replace("\ufffe", "\\ufffe")
        assert case[0].get("message") == legal
        assert "\\u0000\\u001b\\ufffe\U0001f600" in str(case[1].text)

    def test_a_compatible_file_passes_and_an_invalid_one_is_an_error(self, cli: Cli) -> None:
        good = cli.write("a.avsc", '"int"')
        done = cli.run("check", good, good, "--error-format", "junit")
        assert (done.returncode, len(self.case(done.stdout)[1])) == (0, 0)
        done = cli.run("check", cli.write("b.avsc", "{"), good, "--error-format", "junit")
        _, case = self.case(done.stdout)
        assert (done.returncode, case[0].tag, case[0].get("type")) == (1, "error", "INVALID_SCHEMA")


class Text(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Rule(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    id: str
    short_description: Text
    full_description: Text
    help: Text


class Driver(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    version: str
    rules: list[Rule]


class Tool(msgspec.Struct, forbid_unknown_fields=True):
    driver: Driver


class Artifact(msgspec.Struct, forbid_unknown_fields=True):
    uri: str


class Region(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    start_line: int
    start_column: int | None = None


class Physical(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    artifact_location: Artifact
    region: Region


class Location(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    physical_location: Physical


class Result(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    rule_id: str
    rule_index: int
    level: str
    message: Text
    locations: list[Location]
    partial_fingerprints: dict[str, str]


class Invocation(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    execution_successful: bool


class Run(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    tool: Tool
    results: list[Result]
    column_kind: str
    invocations: list[Invocation]


class TestSarif:
    """The members of SARIF 2.1.0 that are written, with those that GitHub's code scanning asks for required."""

    def run_of(self, text: str) -> Run:
        log = json.loads(text)
        assert set(log) == {"$schema", "version", "runs"}
        assert (log["$schema"], log["version"]) == ("https://json.schemastore.org/sarif-2.1.0.json", "2.1.0")
        (run,) = msgspec.convert(log["runs"], list[Run])
        assert (run.tool.driver.name, run.tool.driver.version) == ("llm-schema-registry", __version__)
        assert run.column_kind == "unicodeCodePoints"
        assert {result.level for result in run.results} <= {"error", "warning", "note"}
        rules = [rule.id for rule in run.tool.driver.rules]
        assert len(rules) == len(set(rules))
        assert all(rules[result.rule_index] == result.rule_id for result in run.results)
        return run

    def test_findings_are_results_and_their_kinds_rules(self, peer: Peer) -> None:
        peer.answers(BREAKING, HARMING, BREAKING, KNOWN)
        run = self.run_of(written(peer, "sarif", "--verbose"))
        assert [result.level for result in run.results] == ["error", "warning", "error", "note"]
        first = run.results[0]
        assert first.message.text == EVERYTHING
        physical = first.locations[0].physical_location
        assert (physical.artifact_location.uri, physical.region) == ("new.avsc", Region(2, 3))
        assert run.results[1].locations[0].physical_location.region == Region(1)
        assert first.partial_fingerprints != run.results[2].partial_fingerprints
        known, unknown, _ = run.tool.driver.rules
        assert known.help.text.startswith("Keep the type, widen it")
        assert "cannot read the type" in known.full_description.text
        assert (unknown.id, unknown.help.text) == ("LOSSY", "Lossy")
        assert run.invocations == [Invocation(execution_successful=True)]

    def test_a_path_is_a_uri(self, cli: Cli) -> None:
        old = cli.write("old.avsc", '"string"')
        for name, uri in (
            ("./a b#%é.avsc", "a%20b%23%25%C3%A9.avsc"),
            (str(cli.folder / "c d.avsc"), f"file://{cli.folder}/c%20d.avsc"),
        ):
            done = cli.run("check", cli.write(name, '"int"'), old, "--error-format", "sarif")
            (result,) = self.run_of(done.stdout).results
            assert result.locations[0].physical_location.artifact_location.uri == uri

    def test_a_file_that_is_no_schema_is_a_result_of_a_run_that_failed(self, cli: Cli) -> None:
        done = cli.run("check", cli.write("a.avsc", '"'), cli.write("b.avsc", '"int"'), "--error-format", "sarif")
        run = self.run_of(done.stdout)
        assert (done.returncode, run.invocations[0].execution_successful) == (1, False)
        assert [result.rule_id for result in run.results] == ["INVALID_SCHEMA"]
