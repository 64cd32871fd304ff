"""No pair that SOUND calls compatible loses or changes data: Google's runtime writes with one and reads with the other.

`PAIRS` in the environment says how many pairs of messages are tried (default 2,000; nightly 100,000).
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.base import breaks
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.protobuf import ProtobufFormat, ProtobufSchema
from llm_schema_registry.model import CompatibilityPolicy
from protobuf_oracle import message_of, read_binary, read_json, to_json

from .protobuf_pairs import SYNTAXES, mutate, random_body, random_message, write_file

PAIRS = int(os.environ.get("PAIRS", "2000"))
# Messages of one file, to compile once for many.
BATCH = 20
SAMPLES = 6

FMT = ProtobufFormat()
SEEN = Counter[str]()


@settings(
    max_examples=max(1, PAIRS // BATCH),
    deadline=None,
    derandomize=PAIRS <= 2000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    print_blob=True,
)
@given(seed=st.integers(0, 2**64))
def check(seed: int) -> None:
    rng = random.Random(seed)
    bodies = [random_body(rng) for _ in range(BATCH)]
    syntax = rng.choice(SYNTAXES)
    other = rng.choice(SYNTAXES) if rng.random() < 0.3 else syntax
    texts = write_file(bodies, syntax), write_file([mutate(rng, body) for body in bodies], other)
    try:
        writer, reader = (FMT.parse(text) for text in texts)
    except InvalidSchema:  # two features of a file that do not go together
        SEEN["invalid"] += BATCH
        return
    differences = [*FMT.hazards(reader, writer, Budget(60))]
    broken = {one.path.split("/")[1] for one in differences if breaks(FMT.kinds[one.kind], CompatibilityPolicy.SOUND)}
    for index in range(BATCH):
        name = f"M{index}"
        SEEN["broken" if name in broken else "compatible"] += 1
        if name not in broken:
            is_changed = writer.symbols.messages[name] != reader.symbols.messages[name] or syntax != other
            SEEN["changed and compatible"] += is_changed
            for _ in range(SAMPLES):
                message = message_of(writer, name)
                random_message(rng, message)
                assert_same(message, writer, reader, name)


def assert_same(message: Message, writer: ProtobufSchema, reader: ProtobufSchema, name: str) -> None:
    content, known = message.SerializeToString(), reader.layout.message(name).by_json_name
    # Told to ignore unknown fields, Python's parser still refuses extensions where a message has no range for them.
    text = {key: value for key, value in to_json(message, writer).items() if key in known or not key.startswith("[")}
    for form, read in (
        ("binary", read_binary(content, reader, name)),
        ("ProtoJSON", read_json(text, reader, name, ignore_unknown=True)),
    ):
        where = f"{form} of {to_json(message, writer)} of {text_of(writer, name)} under {text_of(reader, name)}"
        assert read is not None, f"refused: {where}"
        assert read.IsInitialized(), f"incomplete: {where}"
        problem = difference(message, read)
        assert problem is None, f"{problem}: {where}"


def text_of(schema: ProtobufSchema, name: str) -> str:
    """Return the part of a .proto text that declares a message."""
    return re.search(rf"(?ms)^message {name} {{.*?^}}", schema.canonical)[0]  # type: ignore[index] # it is declared


def values_of(message: Message) -> dict[int, tuple[FieldDescriptor, object]]:
    """Return all values of a message by number, defaults of what is absent included."""
    extensions = message.DESCRIPTOR.file.pool.FindAllExtensions(message.DESCRIPTOR)
    found = {one.number: (one, message.Extensions[one]) for one in extensions}
    found |= {one.number: (one, getattr(message, one.name)) for one in message.DESCRIPTOR.fields}
    return found


def is_present(message: Message, one: FieldDescriptor) -> bool:
    if one.is_extension:
        return bool(message.Extensions[one]) if one.is_repeated else message.HasExtension(one)
    if one.is_repeated:
        return len(getattr(message, one.name)) > 0
    return message.HasField(one.name) if one.has_presence else bool(getattr(message, one.name))


def difference(written: Message, read: Message) -> str | None:
    """Return what the reader sees otherwise, or None. What the reader does not know is not looked at."""
    writers, readers = values_of(written), values_of(read)
    for number, (one, value) in readers.items():
        if number not in writers:
            if is_present(read, one):
                return f"{one.full_name} appears from nowhere"
            continue
        former, before = writers[number]
        if (
            one.message_type is not None
            and not one.is_repeated
            and is_present(written, former) != is_present(read, one)
        ):
            return f"{one.full_name} appears or disappears"
        problem = value_difference(former, before, one, value)
        if problem is not None:
            return problem
    return None


def value_difference(former: FieldDescriptor, before: object, one: FieldDescriptor, value: object) -> str | None:
    if one.message_type is not None and one.message_type.GetOptions().map_entry:
        if set(before) != set(value):  # type: ignore[call-overload] # both are maps
            return f"{one.full_name} has other keys"
        former_value, value_field = former.message_type.fields[1], one.message_type.fields[1]
        pairs = [(before[key], value[key]) for key in list(value)]  # type: ignore[index,call-overload] # both are maps
        found = [element_difference(former_value, *pair, value_field) for pair in pairs]
    elif one.is_repeated:
        if len(before) != len(value):  # type: ignore[arg-type] # both are lists
            return f"{one.full_name} has another length"
        found = [element_difference(former, *pair, one) for pair in zip(before, value, strict=True)]  # type: ignore[call-overload] # both are lists
    else:
        found = [element_difference(former, before, value, one)]
    return next((problem for problem in found if problem is not None), None)


def element_difference(former: FieldDescriptor, before: object, value: object, one: FieldDescriptor) -> str | None:
    if isinstance(before, Message) and isinstance(value, Message):
        return difference(before, value)
    if before != value or isinstance(before, Message) or isinstance(value, Message):
        return f"{one.full_name}: {before!r} reads as {value!r}"
    if former.enum_type is not None and one.enum_type is not None and before in former.enum_type.values_by_number:
        name = former.enum_type.values_by_number[before].name
        if name not in one.enum_type.values_by_name or one.enum_type.values_by_name[name].number != before:
            return f"{one.full_name}: {name} is not {before}"
    return None


def test_what_is_compatible_keeps_its_values() -> None:
    SEEN.clear()
    check()
    assert SEEN["changed and compatible"] > PAIRS / 10
    assert SEEN["broken"] > PAIRS / 10
    assert SEEN["invalid"] < PAIRS / 10
