"""Laws of the Avro comparison on random pairs of schemas, with data that is written by one and read by the other.

`PAIRS` is how many pairs each law is asked of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import avro.compatibility
import avro.schema
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from avro_data import Schema, decode, differences, encode, samples
from avro_pairs import Json, pairs, schemas
from llm_schema_registry.compatibility import Judge, Side
from llm_schema_registry.formats.avro import AvroFormat, AvroSchema, kinds
from llm_schema_registry.formats.base import Budget
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, Difference

AVRO = AvroFormat()
PAIRS = int(os.environ.get("PAIRS", "2000"))
# Where decoders do not do what Java's check has them do, and so may fail.
MAY_FAIL = {
    kinds.UNION_BRANCH_AMBIGUOUS,
    kinds.UNION_BRANCH_UNREADABLE,
    kinds.FIELD_ALIAS_UNRELIABLE,
    kinds.DEFAULT_UNUSABLE,
}

UNREAD = object()

of_pairs = settings(max_examples=PAIRS, deadline=None, suppress_health_check=list(HealthCheck))


def parse(schema: Json) -> AvroSchema:
    return AVRO.parse(json.dumps(schema), is_new=False)


def diff(reader: AvroSchema, writer: AvroSchema) -> Sequence[Difference]:
    return AVRO.diff(reader, writer, CompatibilityPolicy.STRICT, Budget(60))


def is_ambiguous(found: Sequence[Difference]) -> bool:
    return [one.kind for one in found] == [kinds.AMBIGUOUS_FIELD_ALIASES]


@of_pairs
@given(pairs())
def test_what_is_compatible_is_read_and_what_is_sound_keeps_its_meaning(pair: tuple[Json, Json]) -> None:
    parsed = [parse(schema) for schema in pair]
    for reader, writer in ((0, 1), (1, 0)):
        if diff(parsed[reader], parsed[writer]):
            continue
        hazards = {one.kind for one in AVRO.hazards(parsed[reader], parsed[writer], Budget(60))}
        if hazards & MAY_FAIL:
            continue
        ours, theirs = Schema(pair[reader]), Schema(pair[writer])
        for value in samples(theirs):
            result = read(encode(theirs, theirs.root, value), theirs, ours)
            if result is UNREAD:
                continue
            if not hazards:
                assert list(differences(theirs, theirs.root, value, ours, ours.root, result)) == []


def read(written: bytes, writer: Schema, reader: Schema) -> object:
    """fastavro 1.13 fails for a record outside of unions where the reader's union has only its name."""
    try:
        return decode(written, writer, reader)
    except TypeError as error:
        if not str(error).startswith("string indices must be integers"):
            raise
        return UNREAD


@of_pairs
@given(schemas())
def test_a_schema_reads_what_it_writes_unharmed(schema: Json) -> None:
    parsed = parse(schema)
    found = diff(parsed, parsed)
    assert is_ambiguous(found) or not found
    assert not AVRO.hazards(parsed, parsed, Budget(60))


@of_pairs
@given(pairs())
def test_the_verdict_equals_the_apache_librarys(pair: tuple[Json, Json]) -> None:
    for reader, writer in (pair, pair[::-1]):
        found = diff(parse(reader), parse(writer))
        # Of several fields that fit, the Apache library for Python takes one, where Java refuses.
        assume(not is_ambiguous(found))
        assert is_compatible_for_apache(reader, writer) == (not found), found


def is_compatible_for_apache(reader: Json, writer: Json) -> bool:
    result = avro.compatibility.ReaderWriterCompatibilityChecker().get_compatibility(
        avro.schema.parse(json.dumps(reader)), avro.schema.parse(json.dumps(writer))
    )
    return result.compatibility is avro.compatibility.SchemaCompatibilityType.compatible


@of_pairs
@given(pairs(), st.sampled_from([CompatibilityPolicy.STRICT, CompatibilityPolicy.SOUND]))
def test_forward_is_backward_with_the_sides_changed(pair: tuple[Json, Json], policy: CompatibilityPolicy) -> None:
    new, old = (Side("AVRO", json.dumps(schema), parse(schema)) for schema in pair)
    forward = Judge(CompatibilityLevel.FORWARD, policy, budget_seconds=60).compare(AVRO, new, old)
    backward = Judge(CompatibilityLevel.BACKWARD, policy, budget_seconds=60).compare(AVRO, old, new)
    full = Judge(CompatibilityLevel.FULL, policy, budget_seconds=60).compare(AVRO, new, old)
    other = Judge(CompatibilityLevel.BACKWARD, policy, budget_seconds=60).compare(AVRO, new, old)
    assert forward.is_compatible == backward.is_compatible
    assert [one.difference for one in forward.findings] == [one.difference for one in backward.findings]
    assert full.is_compatible == (forward.is_compatible and other.is_compatible)


@of_pairs
@given(pairs())
def test_every_difference_is_explained_and_found_in_the_texts(pair: tuple[Json, Json]) -> None:
    reader, writer = (parse(schema) for schema in pair)
    texts = [json.dumps(schema, indent=1) for schema in pair]
    for one in (*diff(reader, writer), *AVRO.hazards(reader, writer, Budget(60))):
        detail = AVRO.explain(one, reader, writer)
        assert detail.explanation.endswith(".")
        assert detail.remedy.endswith(".")
        for path, text in zip((detail.reader_path, detail.writer_path), texts, strict=True):
            assert path is None or path in AVRO.locate(text, [path]), (one, detail)
