"""The table of kinds."""

from __future__ import annotations

from llm_schema_registry.formats.json_schema.kinds import KINDS, LENIENT


def test_the_table_has_the_size_that_the_rules_name() -> None:
    assert len(KINDS) == 129
    assert sum(not kind.breaks for kind in KINDS.values()) == 65
    assert sum(not kind.breaks_lenient for kind in KINDS.values()) == 74
    assert KINDS.keys() >= LENIENT


def test_exactly_breaking_kinds_have_a_remedy_of_one_sentence() -> None:
    for kind in KINDS.values():
        assert bool(kind.remedy) is kind.breaks
        assert not kind.remedy or kind.remedy.endswith(".")


def test_wordings_name_the_reader_first() -> None:
    for kind in KINDS.values():
        assert kind.wording.startswith("The {reader} schema ")
        assert "{path}" in kind.wording
