"""What endangers data: rows for every kind, each sample judged by Google's own runtime."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from effort import calls_of
from llm_schema_registry.errors import TooComplex
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.protobuf import ProtobufFormat, ProtobufSchema
from llm_schema_registry.formats.protobuf.spots import find_spot, split
from llm_schema_registry.model import CompatibilityPolicy, Difference
from protobuf_oracle import message_of, observe, read_json

from .conftest import SAMPLES, package_files, read_package_file, reference, references_of

FOLDER = Path(__file__).parents[3] / "data" / "compat" / "protobuf"
ROWS = [json.loads(line) for file in sorted(FOLDER.glob("*.jsonl")) for line in file.read_text().splitlines()]


def message_of_sample(path: str, schema: ProtobufSchema, other: ProtobufSchema) -> str:
    """Return the full name of the message that a sample is one of: the innermost on the path, or else the first one."""
    tokens = split(path)
    is_enum = False
    while tokens:
        spot = find_spot(schema.layout, "#/" + "/".join(tokens), other.layout)
        is_enum = is_enum or (spot is not None and spot.enum is not None)
        if spot is not None and spot.message is not None:
            name = spot.message.full_name
            if not (is_enum and schema.symbols.messages[name].options.map_entry):
                return name
        tokens.pop()
    return schema.layout.roots[0]


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row['about']}: {row['name']}") for row in ROWS])
def test_row(fmt: ProtobufFormat, row: dict[str, Any]) -> None:
    reader, writer = fmt.parse(row["reader"]), fmt.parse(row["writer"])
    differences = fmt.diff(reader, writer, CompatibilityPolicy.STRICT, Budget(60))
    hazards = fmt.hazards(reader, writer, Budget(60))
    assert [[one.kind, one.path, one.info] for one in differences] == row["differences"]
    assert [[one.kind, one.path, one.info, one.sample, one.outcome] for one in hazards] == row["hazards"]
    for hazard in hazards:
        if hazard.sample:
            judge(hazard, reader, writer)


def judge(hazard: Difference, reader: ProtobufSchema, writer: ProtobufSchema) -> None:
    """Write the sample under the writer and see that the reader makes of it what the outcome says."""
    read = message_of_sample(hazard.path, reader, writer)
    written = message_of_sample(hazard.path, writer, reader)
    form, _, seen = hazard.outcome.partition(": ")
    if seen.startswith("read as field "):
        message = read_json(json.loads(hazard.sample), reader, read)
        assert message is None or [field.number for field, _ in message.ListFields()] == [int(seen.split()[-1])]
    elif not seen:
        name = hazard.outcome.split()[0]
        values = [value_of(message_of(*side), name) for side in ((reader, read), (writer, written))]
        assert f"{name} reads as {values[0]}, not {values[1]}" == hazard.outcome
    else:
        assert observe(hazard.sample, form, writer, written, reader, read) == hazard.outcome
        assert seen != hazard.sample or hazard.kind == "WIRE_BYTES_NOT_UTF8"


def value_of(message: Message, name: str) -> object:
    """Return what an absent field reads as; of an enum the name, as the zero of two enums differs in nothing else."""
    value = getattr(message, name)
    enum = message.DESCRIPTOR.fields_by_name[name].enum_type
    if enum is not None:
        return enum.values_by_number[value].name
    return int(value) if isinstance(value, bool) else value


def test_every_kind_has_rows_that_show_it_and_rows_that_do_not(fmt: ProtobufFormat) -> None:
    shown, not_shown = Counter[str](), Counter[str]()
    for row in ROWS:
        found = {kind for kind, *_ in (*row["differences"], *row["hazards"])}
        (shown if row["about"] in found else not_shown)[row["about"]] += 1
    history = {"WIRE_NUMBER_REUSED", "WIRE_NAME_REUSED"}
    assert set(shown) == set(not_shown) == set(fmt.kinds) - history


def test_a_schema_is_no_hazard_to_itself(fmt: ProtobufFormat) -> None:
    texts = {row[side] for row in ROWS for side in ("reader", "writer")}
    texts |= {path.read_text() for path in SAMPLES.glob("*.proto")}
    for case in json.loads((SAMPLES / "compat.json").read_text()):
        texts |= {case["original"], case["update"]}
    with gzip.open(FOLDER.parents[1] / "protobuf_compat_pairs.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            texts |= {row["original"], row["update"]}
    schemas = [fmt.parse(text) for text in sorted(texts)]
    schemas += [fmt.parse(read_package_file(name), references_of(name)) for name in package_files()]
    for schema in schemas:
        assert fmt.hazards(schema, schema, Budget(60)) == []
        found = fmt.diff(schema, schema, CompatibilityPolicy.STRICT, Budget(60))
        assert not [one for one in found if fmt.kinds[one.kind].breaks_under]


def test_what_is_safe_by_the_specification_is_not_refused(fmt: ProtobufFormat) -> None:
    """compatibility-rules 5.3 and 5.4: the false alarms of the original."""
    used = "message N { int32 x = 1; }"
    pairs = {
        "P11, the package": ("package a; message M { int32 x = 1; }", "package b; message M { int32 x = 1; }"),
        "P12, an unused message": (f"message M {{}} {used}", "message M {}"),
        "P13, a message into an import": (
            f"message M {{ N n = 1; }} {used}",
            'import "n.proto"; message M { N n = 1; }',
        ),
        "P16, a field into a oneof": ("message M { string a = 1; }", "message M { oneof o { string a = 1; } }"),
        "P18, a whole oneof": ("message M { oneof o { string a = 1; } }", "message M {}"),
        "P18, one member": ("message M { oneof o { M a = 1; M b = 2; } }", "message M { oneof o { M a = 1; } }"),
        "P21, a message in front": ("message M {}", f"{used} message M {{}}"),
        "P21, forward": (f"{used} message M {{}}", "message M {}"),
        "another name": (f"message M {{ N n = 1; }} {used}", "message M { O n = 1; } message O { int32 x = 1; }"),
    }
    p3 = 'syntax = "proto3"; '
    for name, (writer, reader) in pairs.items():
        found = fmt.hazards(
            fmt.parse(p3 + reader, (reference("n.proto", p3 + used),)), fmt.parse(p3 + writer), Budget(60)
        )
        assert not [one for one in found if fmt.kinds[one.kind].breaks_under], name


def test_a_message_that_moved_into_an_import_is_compared(fmt: ProtobufFormat) -> None:
    writer = fmt.parse(
        'syntax = "proto3"; package p; message M { N n = 1; } message N { int64 x = 1; } message First {}'
    )
    other = reference("n.proto", 'syntax = "proto3"; package p; message N { int32 x = 1; }')
    reader = fmt.parse('syntax = "proto3"; package p; import "n.proto"; message M { N n = 1; }', (other,))
    assert [(one.kind, one.path) for one in fmt.hazards(reader, writer, Budget(60))] == [
        ("WIRE_VALUE_NARROWED", "#/N/1")
    ]


def test_extensions_of_an_imported_message_are_data_but_options_are_not(fmt: ProtobufFormat) -> None:
    base = reference("b.proto", "package b; message B { extensions 4 to 9; }")
    text = (
        'import "b.proto"; import "google/protobuf/descriptor.proto"; message M {} extend b.B { optional %s e = 4; } '
    )
    text += "extend google.protobuf.FieldOptions { optional %s o = 50001; }"
    writer, reader = fmt.parse(text % ("int64", "int64"), (base,)), fmt.parse(text % ("int32", "int32"), (base,))
    assert [(one.kind, one.path) for one in fmt.hazards(reader, writer, Budget(60))] == [
        ("WIRE_VALUE_NARROWED", "#/B/4")
    ]
    assert fmt.hazards(fmt.parse("message M {}"), writer, Budget(60)) == []


def many_fields(count: int, kind: str) -> str:
    return 'syntax = "proto3"; message M { ' + "".join(f"{kind} field_{n} = {n + 20_000}; " for n in range(count)) + "}"


def work_for(fmt: ProtobufFormat, count: int) -> int:
    reader, writer = fmt.parse(many_fields(count, "int32")), fmt.parse(many_fields(count, "int32"))
    found: list[Difference] = []
    calls = calls_of(lambda: found.extend(fmt.hazards(reader, writer, Budget(60))))
    assert found == []
    return calls


def test_the_work_grows_with_the_fields(fmt: ProtobufFormat) -> None:
    assert work_for(fmt, 3_000) < 15 * work_for(fmt, 300)


def chain(prefix: str, kind: str, count: int) -> str:
    links = [f"message {prefix}{n} {{ {prefix}{n + 1} next = 1; {kind} x = 2; }}" for n in range(count)]
    return f'syntax = "proto3"; message M {{ {prefix}0 f = 1; }} {" ".join(links)} message {prefix}{count} {{}}'


def test_a_long_chain_of_renamed_messages_takes_no_recursion_and_ends_with_the_budget(fmt: ProtobufFormat) -> None:
    reader, writer = fmt.parse(chain("A", "int64", 3_000)), fmt.parse(chain("B", "int64", 3_000))
    assert fmt.hazards(reader, writer, Budget(60)) == []
    with pytest.raises(TooComplex):
        fmt.hazards(reader, writer, Budget(0.005))


def test_a_long_chain_of_renamed_messages_is_explained_in_time(fmt: ProtobufFormat) -> None:
    reader, writer = fmt.parse(chain("A", "int32", 900)), fmt.parse(chain("B", "int64", 900))
    hazards = fmt.hazards(reader, writer, Budget(60))
    assert {one.kind for one in hazards} == {"WIRE_VALUE_NARROWED"}
    assert len(hazards) == 900
    assert hazards[0].path == "#/M/1/2"
    assert fmt.explain(hazards[10], reader, writer).writer_path == "B10.x"
    assert fmt.explain(hazards[-1], reader, writer).reader_path == "A899.x"

    def work(count: int) -> int:
        return calls_of(lambda: [fmt.explain(one, reader, writer) for one in hazards[:count]])

    # Explained in turn, the last ones cost what the first ones do.
    assert work(900) < 15 * work(90)


def test_fields_and_values_count_as_work(fmt: ProtobufFormat) -> None:
    fields = fmt.parse(f"message M {{ {' '.join(f'optional int32 f{n} = {n};' for n in range(1, 20))} }}")
    values = fmt.parse(f"message M {{ optional E e = 1; }} enum E {{ {' '.join(f'V{n} = {n};' for n in range(100))} }}")
    for schema in (fields, values):
        with pytest.raises(TooComplex):
            fmt.hazards(schema, schema, Budget(0))


def test_a_million_pairs_of_messages_end_with_the_budget(fmt: ProtobufFormat) -> None:
    def wheel(prefix: str, count: int) -> str:
        links = [f"message {prefix}{n} {{ {prefix}{(n + 1) % count} next = 1; }}" for n in range(count)]
        return f'syntax = "proto3"; message M {{ {prefix}0 f = 1; }} {" ".join(links)}'

    reader, writer = fmt.parse(wheel("A", 997)), fmt.parse(wheel("B", 1_009))
    with pytest.raises(TooComplex):
        fmt.hazards(reader, writer, Budget(0.1))
