"""Our verdict on payloads is that of Google's runtime, and of its ProtoJSON parser where both take a text.

`PAIRS` in the environment says how many pairs of messages are tried (default 2,000; nightly 100,000).
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.protobuf import ProtobufFormat, ProtobufSchema
from llm_schema_registry.formats.protobuf.payload import ProtobufPayloads
from llm_schema_registry.model import Encoding
from protobuf_oracle import message_of, read_json, to_json

from .protobuf_pairs import SYNTAXES, mutate, random_body, random_message, write_file

PAIRS = int(os.environ.get("PAIRS", "2000"))
BATCH = 20
SAMPLES = 4

FMT = ProtobufFormat()
SEEN = Counter[str]()
JUNK = (None, True, 0, -1, 1.5, 1e300, "", "1", "-", "1e3", "!!", "NaN", [], {}, [None], {"a": None}, 2**70, "E_Z")


def run_on_pairs(check: object) -> None:
    @settings(
        max_examples=max(1, PAIRS // BATCH),
        deadline=None,
        derandomize=PAIRS <= 2000,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        print_blob=True,
    )
    @given(seed=st.integers(0, 2**64))
    def run(seed: int) -> None:
        rng = random.Random(seed)
        bodies = [random_body(rng) for _ in range(BATCH)]
        syntax = rng.choice(SYNTAXES)
        texts = write_file(bodies, syntax), write_file([mutate(rng, body) for body in bodies], syntax)
        try:
            writer, reader = (FMT.parse(text) for text in texts)
        except InvalidSchema:  # two features of a file that do not go together
            return
        for index in range(BATCH):
            name = f"M{index}"
            payloads = FMT.payloads(reader, name)
            for _ in range(SAMPLES):
                message = message_of(writer, name)
                random_message(rng, message)
                check(rng, message, writer, reader, payloads)  # type: ignore[operator] # a function

    run()


def test_bytes_are_right_where_the_runtime_knows_all_of_them() -> None:
    def check(
        rng: random.Random, message: Message, _: ProtobufSchema, reader: ProtobufSchema, payloads: ProtobufPayloads
    ) -> None:
        content = message.SerializePartialToString()
        if rng.random() < 0.6:
            content = damage(rng, content)
        violations = payloads.read(Encoding.BINARY, content).violations
        known = message_of(reader, message.DESCRIPTOR.full_name)
        try:
            known.ParseFromString(content)
        except DecodeError:
            SEEN["refused"] += 1
            assert violations, content.hex()
            return
        is_known = knows_all(known)
        SEEN["known" if is_known else "unknown"] += 1
        SEEN["incomplete"] += not known.IsInitialized()
        assert (not violations) == (is_known and known.IsInitialized()), (content.hex(), violations, reader.canonical)
        if not violations:
            value = payloads.read(Encoding.BINARY, content).value
            assert payloads.read(Encoding.BINARY, content, 1).violations == ()
            assert isinstance(value, Message)
            assert payloads.restore(payloads.plain(value)) is not None

    run_on_pairs(check)
    assert all(SEEN[kind] > 100 for kind in ("refused", "known", "unknown", "incomplete")), SEEN


def damage(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0:
                changed[at:at] = rng.randbytes(rng.randint(1, 3))
            case 1:
                del changed[at : at + rng.randint(1, 3)]
            case 2 if at < len(changed):
                changed[at] = rng.choice((0, 0x7F, 0x80, 0xFF, changed[at] ^ 1 << rng.randrange(8)))
            case _:
                del changed[at:]
    return bytes(changed)


def knows_all(message: Message) -> bool:
    """Whether a message and all inside it hold nothing unknown, and no text that is none."""
    if len(UnknownFieldSet(message)):  # type: ignore[arg-type] # the stubs know no length
        return False
    for field, value in message.ListFields():
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map:
            if any(isinstance(key, bytes) for key in value):  # under which the runtime finds nothing
                return False
            key, held = field.message_type.fields
            parts = [(key, one) for one in value] + [(held, value[one]) for one in value]
        else:
            parts = [(field, one) for one in (value if field.is_repeated else [value])]
        for one, part in parts:
            if one.message_type is not None:
                if not knows_all(part):
                    return False
            elif one.type == FieldDescriptor.TYPE_STRING and isinstance(part, bytes):
                return False
    return True


def test_a_text_that_both_take_is_the_same_message() -> None:
    def check(
        rng: random.Random, message: Message, writer: ProtobufSchema, reader: ProtobufSchema, payloads: ProtobufPayloads
    ) -> None:
        if not knows_all(message):
            return
        text = to_json(message, writer)
        own = FMT.payloads(writer, message.DESCRIPTOR.full_name).read(Encoding.JSON, json.dumps(text).encode())
        assert own.violations == (), (text, own.violations, writer.canonical)
        assert isinstance(own.value, Message)
        assert own.value.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)
        if rng.random() < 0.7:
            spoil(rng, text)
        ours = payloads.read(Encoding.JSON, json.dumps(text).encode())
        theirs = read_json(text, reader, message.DESCRIPTOR.full_name)
        SEEN["refused text" if ours.violations else "read text"] += 1
        if not ours.violations:
            assert theirs is not None, (text, reader.canonical)
            assert isinstance(ours.value, Message)
            assert ours.value.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)

    run_on_pairs(check)
    assert all(SEEN[kind] > 100 for kind in ("refused text", "read text")), SEEN


def spoil(rng: random.Random, value: object) -> None:
    """Put something else somewhere in a JSON value."""
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        if isinstance(value[key], dict | list) and value[key] and rng.random() < 0.5:
            spoil(rng, value[key])
        else:
            value[rng.choice((key, key, "f1", "1", "-0"))] = rng.choice(JUNK)
    elif isinstance(value, list) and value:
        value[rng.randrange(len(value))] = rng.choice(JUNK)
