"""The format behind the Protocol: messages of differences."""

from __future__ import annotations

import pytest

from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import Kind
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.model import Difference

FORMAT = JsonSchemaFormat()


def test_it_stands_in_the_table() -> None:
    assert isinstance(FORMATS["JSON"], JsonSchemaFormat)


def test_a_message_names_kind_path_and_both_sides_reader_first() -> None:
    line = FORMAT.describe(Difference("MAX_LENGTH_DECREASED", "#/maxLength", "5 against 9"), "new", "old")
    assert line == (
        '{errorType:"MAX_LENGTH_DECREASED", description:"The new schema has a smaller maxLength than the old schema '
        "at path '#/maxLength' (5 against 9)'}"
    )


@pytest.mark.parametrize("kind", FORMAT.kinds.values(), ids=lambda kind: kind.id)
def test_every_kind_can_be_told_on_one_line(kind: Kind) -> None:
    line = FORMAT.describe(Difference(kind.id, "#/properties/100%{info}\n", "x"), "new", "old")
    assert line.startswith(f'{{errorType:"{kind.id}", description:"The new schema ')
    assert "100%{info}\\n" in line
    assert "{reader}" not in line
    assert "\n" not in line
