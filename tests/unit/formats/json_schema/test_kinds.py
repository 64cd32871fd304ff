"""The table of kinds."""

from __future__ import annotations

from llm_schema_registry.formats.json_schema.kinds import KINDS, LENIENT
from llm_schema_registry.model import CompatibilityPolicy

STRICT, LENIENT_POLICY = CompatibilityPolicy.STRICT, CompatibilityPolicy.LENIENT


def test_the_table_has_the_size_that_the_rules_name() -> None:
    assert len(KINDS) == 131
    assert sum(STRICT not in kind.breaks_under for kind in KINDS.values()) == 67
    assert sum(LENIENT_POLICY not in kind.breaks_under for kind in KINDS.values()) == 76
    assert KINDS.keys() >= LENIENT


def test_exactly_breaking_kinds_have_a_remedy_of_one_sentence() -> None:
    for kind in KINDS.values():
        assert bool(kind.remedy) is bool(kind.breaks_under)
        assert not kind.remedy or kind.remedy.endswith(".")


def test_wordings_name_the_reader_first() -> None:
    for kind in KINDS.values():
        assert kind.wording.startswith("The {reader} schema ")
        assert "{path}" in kind.wording
