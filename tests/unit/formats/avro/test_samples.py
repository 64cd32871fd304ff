"""That the samples of hazards show what they say: each is written as its writer has it, and read with fastavro."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from avro_data import Branch, Datum, Schema, decode, differences, encode
from avro_pairs import Json, branch_key
from llm_schema_registry.formats.avro import AvroFormat
from llm_schema_registry.formats.budget import Budget

AVRO = AvroFormat()
DATA = Path(__file__).parents[3] / "data" / "compat" / "avro"
ROWS = [
    pytest.param(row, hazard, id=f"{hazard['kind']}: {row['name']}")
    for file in sorted(DATA.glob("*.json"))
    for row in json.loads(file.read_text())
    for hazard in row.get("hazards", ())
    if hazard["sample"]
]
AT_ROOT = [row for row in ROWS if row.values[1]["path"] in ("/", "/symbols") and not row.values[0]["differences"]]
FAILING = {"BYTES_READ_AS_STRING"}
# Read well by fastavro, and not by Java: shown by the words of its own rules only.
OF_JAVA = {"UNION_BRANCH_UNREADABLE", "UNION_BRANCH_AMBIGUOUS"}


def of_json(schema: Schema, part: Json, value: Json) -> Datum:
    """Return the datum that Avro's JSON encoding stands for, refusing what is no value of the type."""
    part = schema.resolved(part)
    if isinstance(part, list):
        keys = [branch_key(schema.resolved(branch)) for branch in part]
        if value is None:
            return Branch(keys.index("null"), None)
        ((key, inner),) = value.items()
        return Branch(keys.index(key), of_json(schema, part[keys.index(key)], inner))
    match part if isinstance(part, str) else part["type"]:
        case "record":
            assert value.keys() == {field["name"] for field in part["fields"]}
            return {field["name"]: of_json(schema, field["type"], value[field["name"]]) for field in part["fields"]}
        case "array":
            return [of_json(schema, part["items"], item) for item in value]
        case "map":
            return {key: of_json(schema, part["values"], item) for key, item in value.items()}
        case "bytes":
            return value.encode("latin-1")
        case "fixed":
            assert len(value) == part["size"]
            return value.encode("latin-1")
        case "enum":
            assert value in part["symbols"]
            return value
        case plain:
            types = {"null": type(None), "boolean": bool, "string": str, "int": int, "long": int}
            assert type(value) is types.get(plain, float)
            assert plain != "int" or -(2**31) <= value < 2**31
            return value


def follow(text: Any, pointer: str) -> Any:  # noqa: ANN401 # any part of a schema
    for token in pointer.removesuffix("/symbols").split("/")[1:]:
        text = text[int(token)] if isinstance(text, list) else text[token]
    return text


@pytest.mark.parametrize(("row", "hazard"), ROWS)
def test_a_sample_is_a_value_of_the_writer(row: dict[str, Any], hazard: dict[str, str]) -> None:
    reader, writer = (AVRO.parse(json.dumps(row[side]), is_new=False) for side in ("reader", "writer"))
    detail = next(
        AVRO.explain(one, reader, writer)
        for one in AVRO.hazards(reader, writer, Budget(60))
        if (one.kind, one.path) == (hazard["kind"], hazard["path"])
    )
    schema = Schema(row["writer"])
    # What a field lacks is shown by a whole record.
    pointer = (detail.writer_path or "").partition("/fields/")[0] if "FIELD" in hazard["kind"] else detail.writer_path
    part = follow(row["writer"], pointer or "")
    assert encode(schema, part, of_json(schema, part, json.loads(hazard["sample"]))) is not None


@pytest.mark.parametrize(("row", "hazard"), AT_ROOT)
def test_a_sample_shows_its_outcome(row: dict[str, Any], hazard: dict[str, str]) -> None:
    writer, reader = Schema(row["writer"]), Schema(row["reader"])
    value = of_json(writer, writer.root, json.loads(hazard["sample"]))
    written = encode(writer, writer.root, value)
    kind = hazard["kind"]
    if kind in FAILING:
        with pytest.raises(UnicodeDecodeError):
            decode(written, writer, reader)
        return
    if kind in OF_JAVA and writer.root not in ("int", "long", "string", "bytes"):
        return
    result = decode(written, writer, reader)
    if isinstance(result, float) and "double" not in hazard["info"]:
        # fastavro's floats have 64 bits, Java's 32.
        (result,) = struct.unpack("<f", struct.pack("<f", result))
    if kind == "LOSSY_PROMOTION" or (kind == "UNION_BRANCH_AMBIGUOUS" and "5.0" in hazard["outcome"]):
        assert str(result) == hazard["outcome"].partition(",")[0]
    elif kind == "ENUM_SYMBOL_REPLACED":
        assert json.dumps(result) == hazard["outcome"]
    elif kind == "STRING_READ_AS_BYTES":
        assert f"the bytes {result.hex(' ')}" == hazard["outcome"]
    elif kind == "UNION_BRANCH_AMBIGUOUS":
        assert type(result) is not type(value)
    elif hazard["outcome"].startswith("fails"):
        assert result == value, "what fails is told of the reader's logical type"
    else:
        assert list(differences(writer, writer.root, value, reader, reader.root, result)) != []
