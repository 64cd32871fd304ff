"""JSON Schema as a `Format`: what the table of formats holds.

Refuses to hold rules; it only puts the parts of this folder behind the Protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.formats.base import Parsed, ResolvedReference, printable, sentence
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.json_schema.diff import diff
from llm_schema_registry.formats.json_schema.explain import explain
from llm_schema_registry.formats.json_schema.inclusion import hazards
from llm_schema_registry.formats.json_schema.kinds import KINDS
from llm_schema_registry.formats.json_schema.parse import MEDIA_TYPE, JsonSchema, parse
from llm_schema_registry.formats.json_schema.payload import JsonPayloads
from llm_schema_registry.formats.json_schema.table import to_logical
from llm_schema_registry.formats.logical_type import LogicalType
from llm_schema_registry.formats.places import locate_json
from llm_schema_registry.model import CompatibilityPolicy, Detail, Difference, Encoding, Place, Violation, ViolationKind


class JsonSchemaFormat:
    """Drafts 4, 6, 7, 2019-09 and 2020-12 (compatibility-rules Part 3)."""

    schema_type = "JSON"
    media_types = (MEDIA_TYPE,)
    kinds = KINDS
    remembers = False

    def parse(self, text: str, references: Sequence[ResolvedReference] = (), *, is_new: bool = True) -> JsonSchema:
        """Understand a JSON Schema or raise InvalidSchema naming the place and the mend; `is_new` changes nothing."""
        return parse(text, references)

    def diff(self, reader: Parsed, writer: Parsed, policy: CompatibilityPolicy, budget: Budget) -> Sequence[Difference]:
        """Return what differs when `reader` reads data of `writer`. Raises TooComplex."""
        return diff(cast("JsonSchema", reader), cast("JsonSchema", writer), policy, budget)

    def hazards(self, reader: Parsed, writer: Parsed, budget: Budget) -> Sequence[Difference]:
        """Return the ways in which a document of `writer` fails under `reader`."""
        return hazards(cast("JsonSchema", reader).resources, cast("JsonSchema", writer).resources, budget)

    def reused(
        self, candidate: Parsed, latest: Parsed, earlier: Sequence[Parsed], budget: Budget
    ) -> Sequence[Difference]:
        """Return nothing: names mean what the schema says that a document is held against."""
        return ()

    def explain(self, difference: Difference, reader: Parsed, writer: Parsed) -> Detail:
        """Say where a difference stands, as JSON Pointers, and how to mend it."""
        return explain(difference, cast("JsonSchema", reader).resources, cast("JsonSchema", writer).resources)

    def locate(self, text: str, paths: Collection[str]) -> Mapping[str, Place]:
        """Find the places of JSON Pointers in a text."""
        return locate_json(text, paths)

    def describe(self, difference: Difference, reader_name: str, writer_name: str) -> str:
        """Return the one-line pseudo-object of compatibility-rules 1.8; its last quote is a single one there."""
        text = sentence(KINDS[difference.kind], difference, reader_name, writer_name)
        return f'{{errorType:"{difference.kind}", description:"{printable(text)}\'}}'

    def logical(self, parsed: Parsed) -> LogicalType:
        """Return the schema as a table. Raises InvalidSchema when it cannot be one."""
        return to_logical(cast("JsonSchema", parsed).resources)

    def messages(self, parsed: Parsed) -> Sequence[str]:
        """Return the empty name: payloads are of one type."""
        return ("",)

    def payloads(self, parsed: Parsed, message: str = "") -> JsonPayloads:
        """Prepare to read documents of a schema. Raises InvalidPayload when a message is asked for: there are none."""
        if message:
            fault = Violation(
                ViolationKind.TYPE_MISMATCH,
                "",
                f"A JSON Schema has one type; the message '{printable(message[:200])}' is not in it",
                expected="no message",
                found=printable(message[:100]),
            )
            raise InvalidPayload(fault)
        return JsonPayloads(cast("JsonSchema", parsed).resources)

    def unframe(self, parsed: Parsed, body: bytes) -> tuple[str, Encoding, bytes]:
        """Return the body as it is: what Confluent's serializers frame is JSON text."""
        return "", Encoding.JSON, body
