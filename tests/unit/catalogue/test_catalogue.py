"""Catalogues read from folders: order, parts, what is not well formed; and what the shipped one promises."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry.catalogue import SHARED, SHIPPED, Entry, Module, choose, load, release_of
from llm_schema_registry.contracts.rules.check import check_rule_set
from llm_schema_registry.formats import FILE_SUFFIXES, FORMATS
from llm_schema_registry.formats.base import Parsed, ResolvedReference
from llm_schema_registry.model import CompatibilityPolicy, Event, EventType, ViolationKind

ENTRIES = {entry.subject: entry for entry in load()}
EVERY_ENTRY = pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
CONTRACT = {
    "schema_type": "AVRO",
    "release": "1.0.0",
    "owner_team": "t",
    "description": "d",
    "compatibility_level": "FULL",
    "compatibility_policy": "SOUND",
}
STANDARDS = {
    "otel.attribute": "otel.semconv.version",
    "otel.metric": "otel.semconv.version",
    "ocsf.attribute": "ocsf.version",
    "focus.column": "focus.version",
    "cloudevents.attribute": "cloudevents.version",
    "w3c.field": "w3c.trace_context.level",
}
VERSIONS = {
    "otel.semconv.version": "1.41.1",
    "ocsf.version": "1.8.0",
    "focus.version": "1.2",
    "cloudevents.version": "1.0.2",
    "w3c.trace_context.level": "2",
}


def put(folder: Path, module: str, subject: str, *uses: str, **changes: Any) -> Path:  # noqa: ANN401 - any JSON
    place = folder / module / subject
    place.mkdir(parents=True)
    references = [{"name": use, "subject": use} for use in uses]
    (place / "contract.json").write_text(json.dumps({**CONTRACT, "references": references, **changes}))
    (place / "examples.json").write_text("[]")
    (place / "schema.avsc").write_text('"int"')
    return place


def subjects(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.subject for entry in entries]


def test_what_others_refer_to_comes_first(tmp_path: Path) -> None:
    put(tmp_path, "observatory", "a", "b", "s")
    put(tmp_path, "observatory", "b", "c")
    put(tmp_path, "sentinel", "c")
    put(tmp_path, "shared", "s")
    entries = load(tmp_path)
    assert subjects(entries) == ["s", "c", "b", "a"]
    assert subjects(choose(entries, {Module.SENTINEL})) == ["c"]
    assert subjects(choose(entries, {Module.OBSERVATORY})) == ["s", "c", "b", "a"]
    assert subjects(choose(entries, set())) == []


def test_a_folder_without_modules_is_an_empty_catalogue(tmp_path: Path) -> None:
    assert load(tmp_path) == ()


def test_references_in_a_circle_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "sentinel", "a", "b")
    put(tmp_path, "sentinel", "b", "a")
    with pytest.raises(ValueError, match="circle among a, b"):
        load(tmp_path)


def test_references_to_nothing_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "sentinel", "a", "gone")
    with pytest.raises(ValueError, match="does not have: gone"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"release": "1.0"}, "is no release"),
        ({"release": "1.0.x"}, "is no release"),
        ({"owner": "t"}, "contract.json: .*unknown field `owner`"),
        ({"compatibility_level": "SOME"}, "contract.json: .*SOME"),
        ({"description": None}, "contract.json: .*description"),
    ],
)
def test_a_contract_that_is_not_well_formed_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    put(tmp_path, "sentinel", "a", **changes)
    with pytest.raises(ValueError, match=words):
        load(tmp_path)


def test_a_schema_has_one_text(tmp_path: Path) -> None:
    place = put(tmp_path, "sentinel", "a")
    (place / "schema.json").write_text("{}")
    with pytest.raises(ValueError, match=r"a has 2 files schema\.\*"):
        load(tmp_path)


def test_examples_that_are_not_well_formed_are_refused(tmp_path: Path) -> None:
    place = put(tmp_path, "sentinel", "a")
    (place / "examples.json").write_bytes(b'[{"name": "\xff"}]')
    with pytest.raises(ValueError, match=r"examples\.json"):
        load(tmp_path)


def test_releases_have_an_order() -> None:
    assert release_of("1.9.0") < release_of("1.10.0") < release_of("2.0.0")


def parse(entry: Entry) -> Parsed:
    return FORMATS[entry.contract.schema_type].parse(entry.text, tuple(resolved(entry)))


def resolved(entry: Entry) -> Iterator[ResolvedReference]:
    for use in entry.contract.references:
        used = ENTRIES[use.subject]
        yield from resolved(used)
        yield ResolvedReference(use.name, use.subject, 1, used.text)


@EVERY_ENTRY
def test_each_schema_says_whose_and_what_it_is(entry: Entry) -> None:
    contract = entry.contract
    (text,) = (file for file in SHIPPED.joinpath(entry.module, entry.subject).iterdir() if "schema." in file.name)
    assert FILE_SUFFIXES[Path(text.name).suffix] == contract.schema_type
    assert contract.owner_team
    assert contract.description.endswith(".")
    assert contract.tags
    assert contract.compatibility_policy is CompatibilityPolicy.SOUND
    assert contract.compatibility_level.endswith("_TRANSITIVE")
    assert check_rule_set(contract.rule_set).domain_rules == contract.rule_set.domain_rules
    assert all(rule.doc for rule in contract.rule_set.domain_rules or ())
    assert parse(entry).canonical


@EVERY_ENTRY
def test_each_field_is_documented(entry: Entry) -> None:
    if entry.contract.schema_type == "PROTOBUF":
        fields = re.findall(r"^  [\w. ]+ = \d+ (.*?);$", entry.text, re.DOTALL | re.MULTILINE)
        assert fields
        assert len(fields) == len(re.findall(r" = \d+ ", entry.text))
        assert all('doc: "' in field for field in fields)
        return
    word = "doc" if entry.contract.schema_type == "AVRO" else "description"
    fields = list(fields_of(json.loads(entry.text)))
    assert fields
    assert all(field.get(word, "").endswith((".", "?")) for field in fields)


def fields_of(schema: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Yield the fields of records (Avro) and the properties of objects (JSON Schema), at any depth."""
    if isinstance(schema, dict):
        if isinstance(schema.get("fields"), list):
            yield from schema["fields"]
        if isinstance(schema.get("properties"), dict):
            yield from schema["properties"].values()
        for part in schema.values():
            yield from fields_of(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from fields_of(part)


@EVERY_ENTRY
def test_the_version_of_each_standard_is_told(entry: Entry) -> None:
    properties = entry.contract.metadata.properties or {}
    for key, version in STANDARDS.items():
        if f'"{key}"' in entry.text:
            assert properties[version] == VERSIONS[version]


@EVERY_ENTRY
def test_each_schema_has_good_and_bad_examples(entry: Entry) -> None:
    good = [example for example in entry.examples if not example.violations]
    bad = [example for example in entry.examples if example.violations]
    assert len(good) >= 1
    assert len(bad) >= 3
    assert len({example.name for example in entry.examples}) == len(entry.examples)
    rules = {rule.name for rule in entry.contract.rule_set.domain_rules or ()}
    for example in bad:
        for violation in example.violations:
            assert (violation.rule in rules) == (violation.kind is ViolationKind.RULE_FAILED)


@pytest.mark.parametrize("module", [*Module, SHARED])
def test_each_module_has_the_formats_of_its_kind(module: str) -> None:
    found = {entry.contract.schema_type for entry in ENTRIES.values() if entry.module == module}
    wanted = {
        "shared": {"AVRO", "JSON", "PROTOBUF"},
        "observatory": {"AVRO", "PROTOBUF"},
        "sentinel": {"AVRO", "JSON"},
        "costops": {"AVRO", "JSON"},
    }
    assert found == wanted.get(module, {"AVRO"})


def test_money_is_never_a_floating_point_number() -> None:
    for entry in ENTRIES.values():
        if entry.contract.schema_type == "AVRO":
            for field in fields_of(json.loads(entry.text)):
                if re.search(r"[Cc]ost$|[Pp]rice$|amount$|savings$", field["name"]):
                    assert "double" not in json.dumps(field["type"]), field["name"]
                    assert "float" not in json.dumps(field["type"]), field["name"]


def test_what_content_holds_is_tagged() -> None:
    tagged = {
        f"{entry.subject}: {field['name']}"
        for entry in ENTRIES.values()
        if entry.contract.schema_type == "AVRO"
        for field in fields_of(json.loads(entry.text))
        if "confluent:tags" in field
    }
    assert {
        "telemetry.inference.request: input_messages",
        "telemetry.inference.request: system_instructions",
        "telemetry.inference.response: output_messages",
        "telemetry.error: exception_message",
        "security.object.user: email_addr",
        "security.object.message_context: prompt_text",
        "security.authentication: session_uid",
    } <= tagged


def test_changes_of_the_registry_fit_its_event_log() -> None:
    entry = ENTRIES["governance.registry_change"]
    names = {field["name"] for field in json.loads(entry.text)["fields"]}
    # `at` is the time of the envelope; the subject brings its context.
    assert {*Event.__struct_fields__} - {"at"} | {"context", "envelope"} <= names
    (rule,) = (rule for rule in entry.contract.rule_set.domain_rules or () if rule.name == "version_named")
    assert set(re.findall(r"[A-Z_]{5,}", rule.expr or "")) <= set(EventType)
