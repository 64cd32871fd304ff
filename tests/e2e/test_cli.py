"""The real command against a real server: answers, exit codes, names of every kind, and a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cli_command import COLOUR, Cli
from llm_schema_registry import __version__
from llm_schema_registry.cli.remote import Remote
from server_process import running_server

ORDER = '{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}'
WIDER = ORDER.replace('"string"}', '"string"},{"name":"note","type":"string","default":""}')
BREAKING = ORDER.replace('"string"}', '"string"},{"name":"total","type":"int"}')


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    folder = tmp_path_factory.mktemp("cli")
    # The client's own variable stands in the server's environment too, as on a developer's machine.
    with running_server("--log-level", "error", SCHEMA_REGISTRY_URL="http://127.0.0.1:1") as server:
        yield Cli(folder, server.url)


def test_a_schema_lives_and_dies(cli: Cli) -> None:
    file = cli.write("life.avsc", ORDER)
    described = (
        "--owner",
        "payments",
        "--tag",
        "pii",
        "--tag",
        "gold",
        "--description",
        "Orders",
        "--doc-url",
        "http://x",
    )
    first = cli.json("schema", "register", "life", file, *described, "--compatibility", "full", "--version", "1")
    assert (first["subject"], first["version"], first["compatibility_mode"]) == ("life", 1, "FULL")
    assert (first["owner_team"], first["tags"]) == ("payments", ["pii", "gold"])
    assert (first["description"], first["documentation_url"]) == ("Orders", "http://x")
    second = cli.json("schema", "register", "life", cli.write("wider.avsc", WIDER))
    assert second["version"] == 2

    assert cli.json("schema", "get", "life", "--version", "1") == first
    assert cli.json("schema", "get", "life") == second
    assert cli.json("schema", "get", "--id", str(first["id"]))["guid"] == first["guid"]
    assert cli.json("schema", "get", "--guid", first["guid"])["definition"] == ORDER
    assert cli.run("schema", "get", "life", "--version", "1").stdout == f"{ORDER}\n"
    assert cli.json("schema", "versions", "life") == [first, second]
    assert cli.json("schema", "lookup", "life", file) == first

    deleted = cli.json("schema", "delete", "life", "--version", "2", "--force")
    assert deleted == {"subject": "life", "versions": [2], "permanent": False}
    assert [row["deleted"] for row in cli.json("schema", "versions", "life", "--deleted")] == [False, True]
    assert cli.json("schema", "delete", "life", "--force")["versions"] == [1]
    assert "--permanent" in cli.refusal("schema", "delete", "life", "--force")
    assert cli.json("schema", "delete", "life", "--permanent", "--force")["versions"] == [1, 2]
    assert cli.refusal("schema", "versions", "life").startswith("error 40401: Subject 'life' not found.\n`lsr schema")


def test_a_list_is_searched(cli: Cli) -> None:
    for subject, tag in (("telemetry.a", "hot"), ("telemetry.b", "cold"), (":.list:telemetry.c", "hot")):
        cli.json("schema", "register", subject, "-", "--type", "avro", "--tag", tag, "--owner", "obs", stdin=ORDER)
    cli.json("schema", "register", "telemetry.a", "-", "--type", "avro", "--tag", "hot", stdin=WIDER)

    def names(*arguments: str) -> list[tuple[str, int]]:
        return [(row["subject"], row["version"]) for row in cli.json("schema", "list", *arguments)]

    assert names("--pattern", "*metry.*") == [(":.list:telemetry.c", 1), ("telemetry.a", 2), ("telemetry.b", 1)]
    assert names("--prefix", "telemetry.", "--tag", "hot", "--context", ".") == [("telemetry.a", 2)]
    assert names("--prefix", "telemetry.a", "--all-versions") == [("telemetry.a", 1), ("telemetry.a", 2)]
    assert names("--property", "owner:obs", "--tag", "cold") == [("telemetry.b", 1)]
    pages = Remote(cli.url).pages("/v1/schemas", {"prefix": "telemetry.", "context": "*", "limit": 1})
    assert [row["subject"] for row in pages] == [":.list:telemetry.c", "telemetry.a", "telemetry.a", "telemetry.b"]


def test_a_table_off_a_terminal_is_plain_and_whole(cli: Cli) -> None:
    subject = "table-" + "long" * 60
    cli.json("schema", "register", subject, "-", "--type", "avro", "--owner", "\x1b[31mred\n", stdin=ORDER)
    done = cli.run("schema", "list", "--prefix", "table-")
    head, row = done.stdout.splitlines()
    assert head.split() == ["SUBJECT", "VERSION", "ID", "TYPE", "COMPATIBILITY", "OWNER", "TAGS", "STATE"]
    assert row.startswith(f"{subject}  1")
    assert "\\u001b[31mred\\u000a" in row
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("subject", ["a/b", "a%2Fb", ":.eu:orders", ":.eu:a/b", "..", "a b", "é\u0301?#&+"])
def test_a_subject_may_hold_anything(cli: Cli, subject: str) -> None:
    registered = cli.json("schema", "register", subject, "-", "--type", "AVRO", stdin=ORDER)
    assert registered["subject"] == subject
    assert cli.json("schema", "get", subject)["subject"] == subject


def test_ids_belong_to_contexts(cli: Cli) -> None:
    registered = cli.json("schema", "register", ":.ids:x", "-", "--type", "AVRO", stdin='"bytes"')
    found = cli.json("schema", "get", "--id", str(registered["id"]), "--context", ".ids")
    assert (found["context"], found["definition"]) == (".ids", '"bytes"')


def test_references_are_registered_checked_and_found(cli: Cli) -> None:
    cli.json(
        "schema", "register", "money", cli.write("money.proto", 'syntax = "proto3"; message Money { int64 n = 1; }')
    )
    price = 'syntax = "proto3"; import "money.proto"; message Price { Money m = 1; }'
    file = cli.write("price.proto", price)
    reference = ("--reference", "money.proto=money:latest")
    registered = cli.json("schema", "register", "price", file, *reference)
    assert registered["references"] == [{"name": "money.proto", "subject": "money", "version": 1}]
    assert cli.json("schema", "lookup", "price", file, *reference)["id"] == registered["id"]
    assert cli.json("check", "--subject", "price", file, *reference)["files"][0]["is_compatible"]
    assert cli.refusal("schema", "register", "price", file).startswith("error 42201: ")


def test_a_refused_registration_lists_what_breaks(cli: Cli) -> None:
    cli.json("schema", "register", "refused", "-", "--type", "AVRO", stdin=ORDER)
    lines = cli.refusal("schema", "register", "refused", "-", "--type", "AVRO", stdin=BREAKING).splitlines()
    assert lines[0] == "error 40901: the schema is incompatible with version 1 (level BACKWARD, policy STRICT):"
    assert lines[1].split() == ["error", "READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/1"]
    assert lines[3].startswith("  fix: Give ")
    assert len(lines) == 4


def test_a_registration_that_may_harm_data_warns(cli: Cli) -> None:
    text = 'syntax = "proto3"; message M { int64 n = 1; }'
    first = cli.run("schema", "register", "narrowed", "-", "--type", "PROTOBUF", stdin=text)
    assert (first.returncode, first.stderr) == (0, "")
    second = cli.run("schema", "register", "narrowed", "-", "--type", "PROTOBUF", stdin=text.replace("64", "32"))
    assert second.returncode == 0
    lines = second.stderr.splitlines()
    assert lines[0].split() == ["warning", "WIRE_VALUE_NARROWED", "M.n"]
    assert lines[2].startswith("  fix: Keep ")


def test_a_check_of_a_subject_tells_by_its_exit_code(cli: Cli) -> None:
    cli.json("schema", "register", "checked", "-", "--type", "AVRO", stdin=ORDER)
    cli.json("schema", "register", "checked", "-", "--type", "AVRO", stdin=WIDER)
    wider, breaking = cli.write("checked.avsc", WIDER), cli.write("breaking.avsc", BREAKING)

    done = cli.start("check", "--subject", "checked", wider)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "compatible: checked.avsc; it is version 2 of checked already\n"
    wider = cli.write("checked.avsc", WIDER.replace("note", "remark"))
    done = cli.run("check", "--subject", "checked", wider)
    assert done.stdout.startswith("compatible: checked.avsc; compared with version 2 of checked; level BACKWARD;")
    done = cli.run("check", "--subject", "nobody", breaking)
    assert (done.returncode, "there is nothing to compare it with" in done.stdout) == (0, True)

    done = cli.run("check", "--subject", "checked", breaking)
    first, *_, verdict = done.stdout.splitlines()
    assert done.returncode == 100
    assert first.startswith("error  READER_FIELD_MISSING_DEFAULT_VALUE  breaking.avsc")
    assert "written with version 2 of checked" in done.stdout
    assert verdict.startswith("incompatible: breaking.avsc; compared with version 2 of checked; ")

    asked = ("--version", "1", "--version", "latest", "--level", "full", "--policy", "sound")
    done = cli.start("check", "--subject", "checked", breaking, *asked, "--output", "json")
    (answer,) = json.loads(done.stdout)["files"]
    assert (done.returncode, answer["is_compatible"]) == (100, False)
    assert answer["earlier"] == {"1": "version 1 of checked", "2": "version 2 of checked"}
    report = answer["report"]
    assert (report["level"], report["policy"], report["compared_versions"]) == ("FULL", "SOUND", [1, 2])


def test_a_check_of_a_subject_may_normalise(cli: Cli) -> None:
    cli.json("schema", "register", "spelled", "-", "--type", "AVRO", stdin='{"type": "string"}')
    again = ("check", "--subject", "spelled", "-", "--type", "AVRO", "-o", "json")
    plain = json.loads(cli.run(*again, stdin='"string"').stdout)["files"][0]["report"]
    normalised = json.loads(cli.run(*again, "--normalize", stdin='"string"').stdout)["files"][0]["report"]
    assert (plain["subject"], normalised["subject"]) == ("spelled", "spelled")
    assert normalised["is_compatible"]


def test_a_check_of_a_subject_that_has_no_answer_is_an_error(cli: Cli) -> None:
    cli.json("schema", "register", "unanswered", "-", "--type", "AVRO", stdin=ORDER)
    asked = ("check", "--subject", "unanswered", "-", "--type", "AVRO")
    assert cli.refusal(*asked, stdin="{").startswith("error 42201: ")
    assert cli.refusal(*asked, "--version", "7", stdin=ORDER).startswith("error 40402: Version 7 not found.")
    assert "--type" in cli.refusal("check", "--subject", "unanswered", "-", stdin=ORDER)
    assert "No such file" in cli.refusal("check", "--subject", "unanswered", "none.avsc")


def test_settings_and_modes_are_read_and_changed(cli: Cli) -> None:
    assert "--effective" in cli.refusal("config", "get", "set")
    assert cli.json("config", "get", "set", "--effective") == {"compatibilityLevel": "BACKWARD"}
    changed = cli.json("config", "set", "set", "--compatibility", "full", "--policy", "lenient", "--normalize")
    assert changed == {"compatibilityLevel": "FULL", "compatibilityPolicy": "LENIENT", "normalize": True}
    cli.json("config", "set", "set", "--unset", "compatibilityLevel", "--no-normalize")
    assert cli.json("config", "get", "set") == {"compatibilityPolicy": "LENIENT", "normalize": False}
    table = cli.run("config", "get", "set").stdout.splitlines()
    assert [line.split() for line in table] == [
        ["SETTING", "VALUE"],
        ["normalize", "no"],
        ["compatibilityPolicy", "LENIENT"],
    ]
    assert "name at least one" in cli.refusal("config", "set", "set")

    assert cli.json("mode", "set", "readonly", ":.set:") == {"mode": "READONLY"}
    assert cli.json("mode", "get", ":.set:x", "--effective") == {"mode": "READONLY"}
    assert "error 42205: " in cli.refusal("schema", "register", ":.set:x", "-", "--type", "AVRO", stdin=ORDER)
    assert cli.run("mode", "get").stdout == "MODE\nREADWRITE\n"


def test_a_delete_needs_a_yes(cli: Cli) -> None:
    cli.json("schema", "register", "asked", "-", "--type", "AVRO", stdin=ORDER)
    assert "--force" in cli.refusal("schema", "delete", "asked", stdin="y\n")
    code, shown = cli.on_terminal("schema", "delete", "asked", typed="n\n")
    assert (code, "Delete subject 'asked'?" in shown) == (1, True)
    assert cli.json("schema", "versions", "asked")
    code, shown = cli.on_terminal("schema", "delete", "asked", typed="y\n")
    assert (code, "DELETED" in shown) == (0, True)
    assert "error 40401" in cli.refusal("schema", "versions", "asked")


def test_a_terminal_gets_layout_and_colours_unless_they_are_unwanted(cli: Cli) -> None:
    cli.json("schema", "register", "shown", "-", "--type", "AVRO", stdin=ORDER)
    _, shown = cli.on_terminal("schema", "get", "shown")
    assert '{\r\n  "type": "record",' in shown
    assert COLOUR.search(cli.on_terminal("--help")[1])
    assert not COLOUR.search(cli.on_terminal("--help", NO_COLOR="1")[1])
    assert "\x1b" not in cli.start("--help").stdout


def test_a_pipeline_registers_and_reads(cli: Cli) -> None:
    done = cli.start("schema", "register", "piped", "-", "--type", "AVRO", stdin=ORDER)
    assert (done.returncode, done.stdout.split()[5], done.stderr) == (0, "piped", "")
    assert cli.start("schema", "register", "piped").returncode == 1
    assert cli.start("schema", "get", "piped") == (0, f"{ORDER}\n", "")


def test_options_stand_before_or_after_the_command(cli: Cli) -> None:
    elsewhere = {"SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}
    before = cli.run("--url", cli.url, "--output", "json", "mode", "get", **elsewhere)
    assert json.loads(before.stdout) == {"mode": "READWRITE"}
    after = cli.run("--url", "http://127.0.0.1:2", "mode", "get", "--url", cli.url, **elsewhere)
    assert after.returncode == 0


def test_what_cannot_be_reached_is_named(cli: Cli) -> None:
    message = cli.refusal("mode", "get", "--url", "http://ann:secret@127.0.0.1:1")
    assert "http://ann:***@127.0.0.1:1" in message
    assert "llm-schema-registry serve" in message
    assert "http://HOST:PORT" in cli.refusal("mode", "get", "--url", "localhost:8081")
    assert "password of 'ann'" in cli.refusal("mode", "get", "--user", "ann")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("schema", "get"),
        ("schema", "get", "x", "--id", "1"),
        ("schema", "register", "x"),
        ("config", "set", "--compatibility", "SIDEWAYS"),
        ("mode", "get", "--output", "yaml"),
    ],
)
def test_wrong_usage_is_exit_code_one(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert "Usage:" in cli.refusal(*arguments)


def test_the_version_and_completion_are_answered(cli: Cli) -> None:
    assert cli.start("--version").stdout.strip() == __version__
    completed = cli.start(_LSR_COMPLETE="complete_bash", COMP_WORDS="lsr sch", COMP_CWORD="1")
    assert completed.stdout.split() == ["schema"]
