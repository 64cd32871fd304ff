"""Files against what git has of them, as a hook before a commit asks."""

from __future__ import annotations

import json

import pytest

from cli_command import Cli, Json

ORDER = '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}]}'
BREAKING = ORDER.replace('"string"}', '"string"}, {"name": "total", "type": "int"}')
MONEY = 'syntax = "proto3"; message Money { int64 n = 1; }'


@pytest.fixture
def repository(cli: Cli) -> Cli:
    cli.git("init", "--quiet")
    cli.write("schemas/order.avsc", ORDER)
    cli.write("money.proto", MONEY)
    cli.git("add", ".")
    cli.git("commit", "--quiet", "--message", "First")
    return cli


def check(cli: Cli, *arguments: str) -> tuple[int, list[Json]]:
    done = cli.run("check", "--against-git", "HEAD", *arguments, "-o", "json")
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)["files"]


def test_every_file_is_compared_with_itself_at_the_revision(repository: Cli) -> None:
    repository.write("schemas/order.avsc", BREAKING)
    repository.write("schemas/new.avsc", BREAKING)
    code, (changed, new, same) = check(repository, "schemas/order.avsc", "schemas/new.avsc", "money.proto")
    assert code == 100
    assert [changed["is_compatible"], new["is_compatible"], same["is_compatible"]] == [False, True, True]
    assert (changed["earlier"], new["earlier"]) == ({"1": "schemas/order.avsc at HEAD"}, {})
    assert new["report"]["compared_versions"] == []
    done = repository.run("check", "--against-git", "HEAD", "schemas/order.avsc", "schemas/new.avsc")
    assert "incompatible: schemas/order.avsc; compared with schemas/order.avsc at HEAD" in done.stdout
    assert "compatible: schemas/new.avsc; there is nothing to compare it with" in done.stdout


def test_paths_are_those_of_the_working_directory(repository: Cli) -> None:
    repository.write("schemas/order.avsc", BREAKING)
    below = Cli(repository.folder / "schemas")
    whole = str(repository.folder / "schemas" / "order.avsc")
    for files in (("order.avsc", "../money.proto"), ("./order.avsc", "../money.proto"), (whole, "../money.proto")):
        code, (order, money) = check(below, *files)
        assert (code, order["is_compatible"], money["is_compatible"]) == (100, False, True)


def test_an_invalid_file_does_not_hide_the_others(repository: Cli) -> None:
    repository.write("schemas/order.avsc", BREAKING)
    repository.write("money.proto", "message")
    code, (money, order) = check(repository, "money.proto", "schemas/order.avsc")
    assert (code, money["error"]["kind"], order["is_compatible"]) == (1, "INVALID_SCHEMA", False)
    done = repository.run("check", "--against-git", "HEAD", "money.proto", "schemas/order.avsc")
    assert (done.returncode, done.stderr.startswith("error: money.proto:1:")) == (1, True)
    assert "incompatible: schemas/order.avsc" in done.stdout


def test_references_are_those_of_either_time(repository: Cli) -> None:
    money = '{"type": "record", "name": "Money", "fields": [{"name": "n", "type": "long"}]}'
    price = '{"type": "record", "name": "Price", "fields": [{"name": "m", "type": "Money"}]}'
    files = (repository.write("price.avsc", price), repository.write("money.avsc", money))
    repository.git("add", ".")
    repository.git("commit", "--quiet", "--message", "Money")
    reference = ("--reference", "Money=money.avsc")
    assert check(repository, *files, *reference)[0] == 0

    # Neither text of the price names what changes; the file that is a reference does not refer to itself.
    repository.write("money.avsc", money.replace("long", "int"))
    assert [file["is_compatible"] for file in check(repository, *files, *reference)[1]] == [False, False]

    repository.write("money.avsc", money)
    repository.write("unit.avsc", '{"type": "enum", "name": "Unit", "symbols": ["CENT"]}')
    repository.write(
        "price.avsc", price.replace('"Money"}', '"Money"}, {"name": "u", "type": ["null", "Unit"], "default": null}')
    )
    code, found = check(repository, *files, *reference, "--reference", "Unit=unit.avsc")
    assert (code, found[0]["is_compatible"]) == (0, True)


def test_before_the_first_commit_everything_is_new(cli: Cli) -> None:
    cli.git("init", "--quiet")
    code, (file,) = check(cli, cli.write("order.avsc", ORDER))
    assert (code, file["earlier"]) == (0, {})


def test_what_git_cannot_answer_is_an_error(repository: Cli) -> None:
    order = "schemas/order.avsc"
    for revision in ("nowhere", "--all", "HEAD:money.proto"):
        assert f"no revision '{revision}'" in repository.refusal("check", f"--against-git={revision}", order)
    repository.folder.with_name("outside.avsc").write_text(ORDER)
    assert "outside repository" in repository.refusal("check", "--against-git", "HEAD", "../outside.avsc")
    assert "standard input" in repository.refusal("check", "--against-git", "HEAD", "-", "--type", "avro")
    assert "git refuses" in Cli(repository.folder.parent).refusal("check", "--against-git", "HEAD", "outside.avsc")
    assert "cannot run git" in repository.refusal("check", "--against-git", "HEAD", order, PATH="")
    repository.write("late.avsc", "\xff")
    (repository.folder / "late.avsc").write_bytes(b"\xff")
    repository.git("add", "late.avsc")
    repository.git("commit", "--quiet", "--message", "No UTF-8")
    repository.write("late.avsc", ORDER)
    assert "not UTF-8" in repository.refusal("check", "--against-git", "HEAD", "late.avsc")
