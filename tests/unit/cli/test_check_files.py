"""Files against earlier files: the same verdicts as a server's, and no server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli_command import Cli, Json
from llm_schema_registry.cli.annotations import WRITERS
from llm_schema_registry.cli.check import ErrorFormat

ROOT = Path(__file__).resolve().parents[3]
ID = '{"name": "id", "type": "string"}'
NOTE = '{"name": "note", "type": "string", "default": ""}'
TOTAL = '{"name": "total", "type": "int"}'
MONEY = 'syntax = "proto3"; message Money { int64 n = 1; }'
PRICE = 'syntax = "proto3"; import "money.proto"; message Price { Money m = 1; }'


def order(*fields: str) -> str:
    return f'{{"type": "record", "name": "Order", "fields": [{", ".join(fields)}]}}'


def report(cli: Cli, *arguments: str, stdin: str = "") -> Json:
    (answer,) = json.loads(cli.run("check", *arguments, "-o", "json", stdin=stdin).stdout)["files"]
    return answer["report"]


def kinds(answer: Json) -> list[tuple[str, str, int]]:
    return [(found["kind"], found["severity"], found["version"]) for found in answer["findings"]]


def test_the_exit_code_tells_in_every_format(cli: Cli) -> None:
    old, new, breaking = (
        cli.write("1.avsc", order(ID)),
        cli.write("2.avsc", order(ID, NOTE)),
        cli.write("3.avsc", order(ID, TOTAL)),
    )
    invalid = cli.write("4.avsc", "{")
    assert set(ErrorFormat) == {"text", *WRITERS}
    for error_format in ErrorFormat:
        asked = ("--error-format", error_format)
        assert cli.run("check", new, old, *asked).returncode == 0
        assert cli.run("check", breaking, old, *asked).returncode == 100
        done = cli.run("check", invalid, old, *asked)
        assert (done.returncode, "4.avsc" in done.stdout + done.stderr) == (1, True)
        done = cli.run("check", breaking, "none.avsc", *asked)
        assert (done.returncode, done.stdout) == (1, "")
        assert "none.avsc" in done.stderr


def test_the_installed_command_checks_without_a_server(cli: Cli) -> None:
    done = cli.start("check", cli.write("2.avsc", order(ID, TOTAL)), cli.write("1.avsc", order(ID)))
    first, *_, verdict = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (100, "")
    assert first.startswith("error  READER_FIELD_MISSING_DEFAULT_VALUE  2.avsc")
    assert verdict.startswith("incompatible: 2.avsc; compared with 1.avsc; level BACKWARD; policy STRICT; 1 error")


def test_nothing_of_the_engines_is_loaded_for_help() -> None:
    code = (
        "import sys; from llm_schema_registry.cli import main; sys.argv[1:] = ['check', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "engines = ('llm_schema_registry.formats', 'fastavro', 'grpc', 'httpx')\n"
        "loaded = [name for name in sys.modules if name.startswith(engines)]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    environment = {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--against-git" in done.stdout


def test_a_transitive_level_compares_all_newest_first_until_one_fails(cli: Cli) -> None:
    files = [cli.write("3.avsc", order(ID, NOTE, TOTAL.replace('"int"', '"int", "default": 0')))]
    files += [cli.write("1.avsc", order(ID, TOTAL)), cli.write("2.avsc", order(ID))]
    answer = report(cli, *files, "--level", "backward_transitive")
    assert (answer["is_compatible"], answer["compared_versions"]) == (True, [2, 1])

    files[0] = cli.write("4.avsc", order(ID, TOTAL))
    answer = report(cli, *files, "--level", "BACKWARD_TRANSITIVE")
    assert (answer["is_compatible"], answer["compared_versions"]) == (False, [2])
    assert answer["messages"][-1] == "{validateFields: 'false', compatibility: 'BACKWARD_TRANSITIVE'}"


def test_another_level_compares_the_last_and_warns_of_those_before(cli: Cli) -> None:
    new = cli.write("3.avsc", order(ID, TOTAL))
    first, second = cli.write("1.avsc", order(ID)), cli.write("2.avsc", order(ID, TOTAL))
    answer = report(cli, new, first, second)
    assert (answer["is_compatible"], answer["compared_versions"]) == (True, [2])
    assert kinds(answer) == [("READER_FIELD_MISSING_DEFAULT_VALUE", "hazard", 1)]
    done = cli.run("check", new, first, second)
    assert done.returncode == 0
    assert done.stdout.startswith("warning  READER_FIELD_MISSING_DEFAULT_VALUE  3.avsc")
    assert "; 0 errors, 1 warning" in done.stdout
    assert report(cli, new, second, first)["is_compatible"] is False
    # What several versions share is told once, of the newest.
    assert kinds(report(cli, new, first, first, second)) == [("READER_FIELD_MISSING_DEFAULT_VALUE", "hazard", 2)]


def test_level_none_compares_nothing_but_every_file_is_a_schema(cli: Cli) -> None:
    new, old = cli.write("2.avsc", order(ID, TOTAL)), cli.write("1.avsc", order(ID))
    answer = report(cli, new, old, "--level", "none")
    assert (answer["is_compatible"], answer["compared_versions"]) == (True, [])
    verdict = "compatible: 2.avsc; compared with nothing; level NONE; policy STRICT; 0 errors\n"
    assert cli.run("check", new, old, "--level", "none").stdout == verdict
    assert "error: bad.avsc" in cli.refusal("check", new, cli.write("bad.avsc", "{}"), "--level", "none")


def test_the_policy_judges(cli: Cli) -> None:
    old = cli.write(
        "1.json", '{"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}'
    )
    new = cli.write("2.json", '{"type": "object", "properties": {}, "additionalProperties": false}')
    assert report(cli, new, old, "--policy", "strict")["is_compatible"] is False
    answer = report(cli, new, old, "--level", "forward", "--policy", "lenient")
    assert (answer["level"], answer["policy"]) == ("FORWARD", "LENIENT")


def test_another_type_is_refused_with_a_sentence_in_every_format(cli: Cli) -> None:
    new, old = cli.write("2.avsc", '"int"'), cli.write("1.json", "{}")
    for error_format in ErrorFormat:
        done = cli.run("check", new, old, "--error-format", error_format)
        assert done.returncode == 100
        assert "SCHEMA_TYPE_CHANGED" in done.stdout
    assert "only level NONE permits another schema type" in cli.run("check", new, old).stdout


def test_standard_input_takes_the_type_of_the_others(cli: Cli) -> None:
    old = cli.write("1.avsc", '"int"')
    assert report(cli, "-", old, stdin='"long"')["is_compatible"]
    assert report(cli, old, "-", stdin='"long"')["is_compatible"] is False
    assert "compatible: standard input; compared with 1.avsc" in cli.run("check", "-", old, stdin='"long"').stdout
    assert report(cli, "-", cli.write("old", '"int"'), "--type", "avro", stdin='"long"')["is_compatible"]
    assert "--type" in cli.refusal("check", "-", cli.write("old", '"int"'), stdin='"long"')
    assert "only one" in cli.refusal("check", "-", "-", "--type", "avro", stdin='"long"')
    assert "known are" in cli.refusal("check", "-", old, "--type", "xml", stdin='"long"')


def test_references_are_files(cli: Cli) -> None:
    cli.write("proto/money.proto", MONEY)
    new = cli.write("2.proto", PRICE.replace("Money m = 1;", "Money m = 1; int32 count = 2;"))
    old = cli.write("1.proto", PRICE)
    named = ("--reference", "money.proto=proto/money.proto")
    assert report(cli, new, old, *named)["is_compatible"]
    assert "2.proto:1:" in cli.refusal("check", new, old)
    assert "NAME=FILE" in cli.refusal("check", new, old, "--reference", "money.proto")
    assert "No such file" in cli.refusal("check", new, old, "--reference", "money.proto=none")


def test_references_may_name_those_before_them(cli: Cli) -> None:
    unit = cli.write("unit.avsc", '{"type": "enum", "name": "Unit", "symbols": ["CENT"]}')
    money = cli.write("money.avsc", '{"type": "record", "name": "Money", "fields": [{"name": "u", "type": "Unit"}]}')
    new = cli.write("2.avsc", order('{"name": "price", "type": "Money"}', NOTE))
    old = cli.write("1.avsc", order('{"name": "price", "type": "Money"}'))
    assert report(cli, new, old, "--reference", f"Unit={unit}", "--reference", f"Money={money}")["is_compatible"]
    assert "Unit" in cli.refusal("check", new, old, "--reference", f"Money={money}", "--reference", f"Unit={unit}")


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("bad.avsc", '{\n  "type": }', "2:11"),
        ("bad.json", '{\n  "type": }', "2:11"),
        ("bad.proto", 'syntax = "proto3";\nmessage A {\n  int33 x = 1;\n}', "3:3"),
    ],
)
def test_an_invalid_file_is_an_error_at_its_line(cli: Cli, name: str, text: str, place: str) -> None:
    old = cli.write(f"old{Path(name).suffix}", {".avsc": '"int"', ".json": "{}", ".proto": MONEY}[Path(name).suffix])
    bad = cli.write(name, text)
    assert cli.refusal("check", bad, old).startswith(f"error: {name}:{place}: ")
    assert cli.refusal("check", old, bad).startswith(f"error: {name}:{place}: ")
    line, column = place.split(":")
    for files in ((bad, old), (old, bad)):
        done = cli.run("check", *files, "--error-format", "github-actions")
        assert done.stdout.startswith(f"::error file={name},line={line},col={column},title=INVALID_SCHEMA::")
        (answer,) = json.loads(cli.run("check", *files, "-o", "json").stdout)["files"]
        assert (answer["report"], answer["error"]["file"], answer["error"]["line"]) == (None, name, int(line))


def test_an_invalid_part_is_found_where_its_pointer_leads(cli: Cli) -> None:
    new = cli.write("2.avsc", '{"type": "record", "name": "A", "fields": [\n  {"name": "x", "type": "Money"}]}')
    message = cli.refusal("check", new, cli.write("1.avsc", '"int"'))
    assert message.startswith("error: 2.avsc")
    assert "/fields/0/type" in message
    assert "empty" in cli.refusal("check", cli.write("empty.avsc", ""), "1.avsc")


def test_a_name_may_be_no_text_and_look_like_a_place(cli: Cli) -> None:
    name = "caf\udce9.avsc"
    path = cli.folder / name
    path.write_text('"int"')
    old = cli.write("1.avsc", '"string"')
    for error_format in ErrorFormat:
        done = cli.start("check", name, old, "--error-format", error_format)
        assert (done.returncode, done.stderr) == (100, "")
        assert ("caf%E9.avsc" if error_format is ErrorFormat.SARIF else "caf\\udce9.avsc") in done.stdout
    path.write_text(f'{{"type": "record", "name": "A", "fields": [{{"name": "line {"9" * 5000} column 1"}}]}}')
    assert "line 9999" in cli.start("check", name, old).stderr


def test_schemas_that_take_too_long_are_an_error(cli: Cli) -> None:
    def bomb(leaf: str) -> str:
        union = ", ".join(f'{{"type": "object", "properties": {{"p{n}": {{"type": "{leaf}"}}}}}}' for n in range(900))
        return f'{{"anyOf": [{union}]}}'

    new, old = cli.write("2.json", bomb("string")), cli.write("1.json", bomb("integer"))
    done = cli.run("check", new, old, "-o", "json")
    (answer,) = json.loads(done.stdout)["files"]
    assert (done.returncode, answer["report"], answer["error"]["kind"]) == (1, None, "TOO_COMPLEX")
    assert "too complex" in cli.refusal("check", new, old)
    # A version that the level does not ask about refuses nothing.
    assert report(cli, new, old, cli.write("last.json", "{}"), "--level", "forward")["is_compatible"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "1.avsc"),
        ("check", "1.avsc", "2.avsc", "--subject", "s"),
        ("check", "1.avsc", "--subject", "s", "--against-git", "HEAD"),
        ("check", "1.avsc", "2.avsc", "--version", "1"),
        ("check", "1.avsc", "2.avsc", "--normalize"),
        ("check", "1.avsc", "2.avsc", "--error-format", "yaml"),
        ("check", "1.avsc", "2.avsc", "--level", "SIDEWAYS"),
        ("check", "1.avsc", "2.avsc", "--color", "red"),
    ],
)
def test_wrong_usage_is_exit_code_one(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert "Usage:" in cli.refusal(*arguments)
