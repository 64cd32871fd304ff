from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry.formats.places import locate_json, pointer_token, token_name
from llm_schema_registry.model import Place

TEXT = """{
  "type": "record", // a comment, "name": 1
  /* and
     another { */
  "fields": [
    {"name": "a/b", "type": ["null", "int"]},
    {"name": "c~d", "type": {"type": "array", "items": "long"}}
  ],
  "a/b": {"c~d": 1.5e3},
  "\\u0041\\n\\"": true
}"""


@pytest.mark.parametrize(
    ("pointer", "line", "column"),
    [
        ("", 1, 1),
        ("/type", 2, 3),
        ("/fields", 5, 3),
        ("/fields/0", 6, 5),
        ("/fields/0/type/1", 6, 38),
        ("/fields/1/type/items", 7, 47),
        ("/a~1b/c~0d", 9, 11),
        ('/A\n"', 10, 3),
    ],
)
def test_a_pointer_has_a_place(pointer: str, line: int, column: int) -> None:
    assert locate_json(TEXT, {pointer}) == {pointer: Place(line, column)}


def test_many_pointers_are_found_in_one_pass_and_unknown_ones_left_out() -> None:
    found = locate_json(TEXT, {"/fields/0/name", "/fields/9", "/type/x", "/fields/1/name"})
    assert found == {"/fields/0/name": Place(6, 6), "/fields/1/name": Place(7, 6)}


@pytest.mark.parametrize("text", ["", "]", "{", '"open', "{,}", '{"a" 1', "@", "/", "\\", '{"\\x": 1}'])
def test_what_is_not_json_has_no_place_beyond_it(text: str) -> None:
    assert "/a/b" not in locate_json(text, {"/a/b"})


def test_depth_is_no_matter() -> None:
    assert locate_json("[" * 100_000 + "1", {"/0" * 100_000}) == {"/0" * 100_000: Place(1, 100_001)}


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(documents, st.sampled_from([None, 2]))
def test_every_value_of_a_document_is_found(document: object, indent: int | None) -> None:
    pointers: dict[str, bool] = {}

    def visit(value: object, pointer: str, is_member: bool) -> None:
        pointers[pointer] = is_member
        if isinstance(value, dict):
            for name, part in value.items():
                visit(part, f"{pointer}/{pointer_token(name)}", True)
        elif isinstance(value, list):
            for index, part in enumerate(value):
                visit(part, f"{pointer}/{index}", False)

    visit(document, "", False)
    text = json.dumps(document, indent=indent)
    lines = text.split("\n")
    places = locate_json(text, pointers.keys())
    assert places.keys() == pointers.keys()
    for pointer, place in places.items():
        rest = lines[place.line - 1][place.column - 1 :]
        if pointers[pointer]:
            name = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
            assert rest.startswith(json.dumps(name) + ":")


def test_names_are_written_as_parts_of_a_pointer_and_read_again() -> None:
    names = ["a", "a/b", "~", "~1/"]
    tokens = [pointer_token(name) for name in names]
    assert tokens == ["a", "a~1b", "~0", "~01~1"]
    assert [token_name(token) for token in tokens] == names
