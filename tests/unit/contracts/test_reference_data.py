"""Sets of reference data are JSON, and bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from llm_schema_registry.contracts.cel.reference_data import DataSet, read_data_set
from llm_schema_registry.errors import InvalidDocument


def nested(depth: int) -> Any:  # noqa: ANN401 - lists of lists
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (["a"] * 10_001, "has 10001 entries; at most 10000"),
        (["a" * 2_000_000], "bytes as JSON; at most 1048576"),
        ([1], "Entry 0 of set 'models' must be a text or an object"),
        (["a", None], "Entry 1 of set 'models' must be"),
        ([{"a": nested(9)}], "is nested deeper than 8 levels"),
        ([{"a": 2**63}], "a number beyond 64 bits"),
        (["\ud800"], "not valid Unicode"),
        ([{"a": "b\0"}], "a zero byte"),
    ],
)
def test_what_is_not_a_set_is_refused(entries: list[Any], says: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        DataSet("models", 1, entries)
    assert says in str(refused.value)


def test_a_set_is_found_by_its_texts_and_by_what_its_objects_are_called() -> None:
    entries = ["a", {"id": "b", "name": "c"}, {"id": 1, "name": "d"}, {"other": "e"}, {"a": [1, 2.5, True, None]}]
    models = DataSet("models", 3, entries)
    assert models.keys == {"a", "b", "d"}
    assert (models.name, models.version, models.entries) == ("models", 3, entries)
    assert models.size == len(msgspec.json.encode(entries))


@pytest.mark.parametrize("body", ["", "{}", "1", "[" * 5_000])
def test_entries_that_are_no_list_are_no_set(body: str) -> None:
    with pytest.raises(InvalidDocument, match="no list of JSON values"):
        read_data_set("models", 1, body)
