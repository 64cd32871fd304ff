"""Write the reference pages that code is the source of: settings, error codes, kinds of differences, events, catalogue.

`render()` gives every page's text by its path, so that a test can hold the committed pages to it.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llm_schema_registry import errors, model
from llm_schema_registry.catalogue import SHARED, Entry, Example, Module, load
from llm_schema_registry.compatibility.logical_kinds import KINDS as LOGICAL_KINDS
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import breaks
from llm_schema_registry.model import CompatibilityPolicy
from llm_schema_registry.settings import FIELDS, PREFIX, describe

PAGES = Path(__file__).resolve().parent.parent / "docs" / "reference"
STANDARDS = {
    "otel.attribute": ("OpenTelemetry", "otel.semconv.version"),
    "otel.metric": ("OpenTelemetry metric", "otel.semconv.version"),
    "otel.proposed": ("proposed to OpenTelemetry", ""),
    "ocsf.attribute": ("OCSF", "ocsf.version"),
    "focus.column": ("FOCUS", "focus.version"),
    "cloudevents.attribute": ("CloudEvents", "cloudevents.version"),
    "w3c.field": ("W3C Trace Context level", "w3c.trace_context.level"),
}
"""The annotation on a field that names a standard's attribute: the standard, and the property with its version."""

NOTICE = "<!-- Written by `make gen`; edit the code instead. -->"


def render() -> Mapping[Path, str]:
    """Return the text of each page by its path."""
    pages = {
        "settings.md": _settings(),
        "errors.md": _errors(),
        "kinds.md": _kinds(),
        "events.md": _events(),
        "catalogue.md": _catalogue(),
    }
    return {PAGES / name: text for name, text in pages.items()}


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(head), line(["---"] * len(head)), *(line(row) for row in rows)]


def _page(title: str, intro: str, *parts: list[str]) -> str:
    return "\n".join([f"# {title}", "", NOTICE, "", intro, *(line for part in parts for line in ["", *part]), ""])


def _settings() -> str:
    rows = [
        (f"`--{name.replace('_', '-')}`", f"`{PREFIX}{name.upper()}`", f"`{field.default}`", describe(name))
        for name, field in FIELDS.items()
    ]
    intro = (
        "A flag wins over the environment, that over the TOML file (`--config FILE`, keys as in the flag with `_` for "
        "`-`), that over the default. An unknown key refuses to start and names the nearest known one."
    )
    return _page("Settings", intro, _table(("Flag", "Environment", "Default", "What"), rows))


def _errors() -> str:
    classes = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.RegistryError) and "code" in vars(value)
    ]
    rows = [
        (f"`{cls.code}`", str(cls.code)[:3], cls.__name__) for cls in sorted(classes, key=lambda cls: str(cls.code))
    ]
    intro = 'Every refusal is `{"error_code": CODE, "message": TEXT}`; the HTTP status is the first three digits.'
    return _page("Error codes", intro, _table(("Code", "HTTP", "Name"), rows))


def _kinds() -> str:
    tables = {fmt.schema_type: fmt.kinds for fmt in FORMATS.values()} | {"Tables, under LOGICAL alone": LOGICAL_KINDS}
    parts = []
    for title, kinds in tables.items():
        rows = [
            (
                f"`{kind.id}`",
                *("breaks" if breaks(kind, policy) else "fine" for policy in CompatibilityPolicy),
                kind.wording.replace("{path}", "PATH").replace("{info}", "INFO"),
                kind.remedy,
            )
            for kind in kinds.values()
        ]
        parts.append([f"## {title}", "", *_table(("Kind", *CompatibilityPolicy, "Says", "Remedy"), rows)])
    intro = (
        "What a comparison of a reader with a writer can find, and which policies it breaks compatibility under. What "
        "only SOUND refuses is reported as a hazard under the others."
    )
    return _page("Kinds of differences", intro, *parts)


def _events() -> str:
    intro = "What the event log can tell; each is written in the transaction that made the change."
    return _page("Events", intro, _table(("Event",), [(f"`{event}`",) for event in model.EventType]))


class _Field(NamedTuple):
    path: str
    type: str
    about: str
    notes: Mapping[str, Any]
    """What else the schema says of it: the standards' names, tags."""


def _catalogue() -> str:
    entries = load()
    modules = (SHARED, *Module)
    rows = [
        (
            f"[`{entry.subject}`](#{entry.subject.replace('.', '')})",
            entry.module,
            entry.contract.schema_type,
            entry.contract.compatibility_level,
            f"`{entry.contract.owner_team}`",
            entry.contract.release,
            entry.contract.description,
        )
        for module in modules
        for entry in entries
        if entry.module == module
    ]
    intro = (
        "The canonical schemas that `lsr catalogue install` registers, with the names that the standards give to their "
        "fields. Every level is judged under the policy SOUND. Examples stand in the JSON of their format, as Avro and "
        "Protobuf encode it; a bad one is the first good one with a change, and shows what it breaks."
    )
    head = ("Subject", "Module", "Format", "Level", "Owner", "Release", "What")
    parts = [_entry(entry) for module in modules for entry in entries if entry.module == module]
    return _page("Catalogue", intro, _table(head, rows), *parts)


def _entry(entry: Entry) -> list[str]:
    contract = entry.contract
    versions = contract.metadata.properties or {}
    head = ("Field", "Type", "Standard's name", "Tags", "What")
    fields = [
        (f"`{field.path}`", field.type, _standards(field, versions), _tags(field), field.about)
        for field in _fields(entry)
    ]
    lines = [f"## {entry.subject}", "", f"{contract.description} Tags: {', '.join(contract.tags)}."]
    if contract.documentation_url:
        lines[-1] += f" After <{contract.documentation_url}>."
    if contract.references:
        names = (f"[`{use.name}`](#{use.subject.replace('.', '')})" for use in contract.references)
        lines += ["", f"Refers to {', '.join(names)}."]
    lines += ["", *_table(head, fields)]
    rules = [(f"`{rule.name}`", rule.type, rule.doc, f"`{rule.expr}`") for rule in contract.rule_set.domain_rules or ()]
    lines += ["", *_table(("Rule", "Executor", "Says", "Expression"), rows=rules)]
    constraints = [
        (f"`{key.removeprefix('constraints:')}`", f"`{terms}`")
        for key, terms in versions.items()
        if key.startswith("constraints:")
    ]
    if constraints:
        lines += ["", *_table(("Constrained field", "Terms"), constraints)]
    good = [example for example in entry.examples if not example.violations]
    text = json.dumps(_payload(good[0]), indent=2)
    lines += ["", f"<details><summary>Good: {good[0].name}</summary>", "", "```json", text, "```", "", "</details>"]
    if others := ", ".join(example.name for example in good[1:]):
        lines += ["", f"Good as well: {others}."]
    bad = [_bad(example, _payload(good[0])) for example in entry.examples if example.violations]
    return [*lines, "", *_table(("Bad", "The change", "Breaks"), bad)]


def _bad(example: Example, good: object) -> tuple[str, str, str]:
    changes = (f"`{path or '/'}` {change}" for path, change in _changes("", good, _payload(example)))
    broken = (
        f"`{violation.kind}`" + (f" `{violation.path}`" if violation.path else "") + f" {violation.rule}".rstrip()
        for violation in example.violations
    )
    return example.name, "; ".join(changes), ", ".join(broken)


def _payload(example: Example) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(bytes(example.payload))


def _changes(path: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON
    """Yield what was changed, by JSON Pointer."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() & after.keys():
        for key in {**before, **after}:
            if key not in after:
                yield f"{path}/{key}", "is missing"
            elif key not in before:
                yield f"{path}/{key}", f"= `{json.dumps(after[key])}`"
            else:
                yield from _changes(f"{path}/{key}", before[key], after[key])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (left, right) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{path}/{index}", left, right)
    elif before != after:
        shown = json.dumps(after)
        yield path, f"= `{shown if len(shown) <= 60 else shown[:60] + '...'}`"


def _standards(field: _Field, versions: Mapping[str, str]) -> str:
    found = []
    for note, (standard, version) in STANDARDS.items():
        if note in field.notes:
            told = field.notes.get(f"{note.partition('.')[0]}.since") or versions.get(version, "")
            found.append(f"`{field.notes[note]}` ({standard} {told}".rstrip() + ")")
    return ", ".join(found)


def _tags(field: _Field) -> str:
    return ", ".join(field.notes.get("confluent:tags", ()))


def _fields(entry: Entry) -> Iterator[_Field]:
    if entry.text.startswith("syntax"):
        yield from _proto_fields(entry.text)
        return
    schema = json.loads(entry.text)
    if "fields" in schema:
        yield from _avro_fields("", schema)
    else:
        yield from _json_fields("", schema, schema.get("$defs", {}))


def _avro_fields(path: str, record: Mapping[str, Any]) -> Iterator[_Field]:
    for field in record["fields"]:
        place = f"{path}{field['name']}"
        yield _Field(place, _avro_type(field["type"]), field["doc"], field)
        for branch in field["type"] if isinstance(field["type"], list) else [field["type"]]:
            if isinstance(branch, dict) and branch["type"] == "record":
                yield from _avro_fields(f"{place}.", branch)


def _avro_type(schema: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(schema, str):
        return schema
    if isinstance(schema, list):
        return f"{_avro_type(schema[1])}, or null"
    if "logicalType" in schema:
        logical: str = schema["logicalType"]
        return f"decimal({schema['precision']}, {schema['scale']})" if logical == "decimal" else logical
    if schema["type"] == "record":
        return "record"
    return f"{schema['type']} of {_avro_type(schema.get('items', schema.get('values')))}"


def _json_fields(path: str, schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Iterator[_Field]:
    for name, field in schema.get("properties", {}).items():
        place = f"{path}{name}"
        item = field.get("items", {})
        kind = field.get("type") or field["$ref"]
        if item:
            kind = f"array of {item.get('type') or item['$ref'].rpartition('/')[2]}"
        yield _Field(place, kind if name in schema["required"] else f"{kind}, optional", field["description"], field)
        part = item.get("$ref", "").removeprefix("#/$defs/")
        yield from _json_fields(f"{place}[].", parts.get(part, {}), parts)


def _proto_fields(text: str) -> Iterator[_Field]:
    several = text.count("\nmessage ") > 1
    for message, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE):
        for kind, name, options in re.findall(r"^  ([\w. ]+) (\w+) = \d+ \[(.*?)\];", body, re.DOTALL | re.MULTILINE):
            about = re.findall(r'doc: "(.*)"', options)[0]
            notes = dict(re.findall(r'key: "(.*)", value: "(.*)"', options))
            yield _Field(f"{message}.{name}" if several else name, kind, about, notes)


if __name__ == "__main__":
    PAGES.mkdir(parents=True, exist_ok=True)
    for path, text in render().items():
        path.write_text(text)
