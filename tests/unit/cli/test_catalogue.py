"""`catalogue` without a server: what it lists, and what it says when it cannot do its work."""

from __future__ import annotations

from cli_command import Cli
from llm_schema_registry.catalogue import load


def test_the_list_needs_no_server(cli: Cli) -> None:
    rows = cli.json("catalogue", "list")
    assert [row["subject"] for row in rows] == [entry.subject for entry in load()]
    row = next(row for row in rows if row["subject"] == "cost.charge")
    assert (row["module"], row["type"], row["owner"]) == ("costops", "AVRO", "llm-costops")
    assert row["compatibility"] == "FULL_TRANSITIVE"
    assert "cost.charge" in cli.run("catalogue", "list").stdout


def test_the_list_of_a_module_has_the_parts_that_it_shares(cli: Cli) -> None:
    rows = cli.json("catalogue", "list", "--module", "GOVERNANCE")
    assert [row["subject"] for row in rows] == ["llm.envelope", "governance.registry_change"]


def test_a_module_that_there_is_not_is_named(cli: Cli) -> None:
    assert "'billing'" in cli.refusal("catalogue", "list", "--module", "billing")


def test_a_folder_that_holds_no_catalogue_is_refused(cli: Cli) -> None:
    assert "somewhere holds no catalogue" in cli.refusal("catalogue", "list", "--from", "somewhere")


def test_a_catalogue_that_is_not_well_formed_is_refused(cli: Cli) -> None:
    cli.write("mine/sentinel/a/schema.avsc", '"int"')
    said = cli.refusal("catalogue", "list", "--from", "mine")
    assert said.startswith("error: the catalogue cannot be read: ")
    assert "contract.json" in said
    cli.write("mine/sentinel/a/contract.json", "{")
    assert "contract.json: Input data was truncated" in cli.refusal("catalogue", "list", "--from", "mine")


def test_a_server_that_is_away_is_told(cli: Cli) -> None:
    assert cli.refusal("catalogue", "install").startswith("error: cannot connect to http://127.0.0.1:1")
