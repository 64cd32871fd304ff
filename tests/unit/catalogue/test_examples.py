"""Every example of the catalogue against its contract: the good ones pass, the bad ones break exactly what they say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

import pytest

from llm_schema_registry.catalogue import Entry, Example, load
from llm_schema_registry.contracts.contract import Contract, Terms
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.model import Encoding, RuleMode

ENTRIES = {entry.subject: entry for entry in load()}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EXAMPLES = [
    pytest.param(entry, example, id=f"{entry.subject}: {example.name}")
    for entry in ENTRIES.values()
    for example in entry.examples
]


@cache
def contract_of(subject: str) -> Contract:
    entry = ENTRIES[subject]
    fmt = FORMATS[entry.contract.schema_type]
    parsed = fmt.parse(entry.text, tuple(resolved(entry)))
    terms = Terms(metadata=entry.contract.metadata, rule_set=entry.contract.rule_set)
    return Contract(fmt.payloads(parsed), terms)


def resolved(entry: Entry) -> Iterator[ResolvedReference]:
    for use in entry.contract.references:
        used = ENTRIES[use.subject]
        yield from resolved(used)
        yield ResolvedReference(use.name, use.subject, 1, used.text)


@pytest.mark.parametrize("mode", [RuleMode.WRITE, RuleMode.READ])
@pytest.mark.parametrize(("entry", "example"), EXAMPLES)
def test_an_example_behaves_as_it_says(entry: Entry, example: Example, mode: RuleMode) -> None:
    judged = contract_of(entry.subject).check(Encoding.JSON, bytes(example.payload), now=NOW, mode=mode)
    found = {(violation.kind, violation.path, violation.rule) for violation in judged.violations}
    assert found == {(expected.kind, expected.path, expected.rule) for expected in example.violations}
    assert judged.is_valid is not bool(example.violations)
