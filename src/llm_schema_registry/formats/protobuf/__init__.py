"""Protocol Buffers: proto2, proto3 and editions.

Refuses to know where schemas are stored or which level is in force.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from llm_schema_registry.formats.base import Kind, Parsed, ResolvedReference, sentence
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.logical_type import LogicalType
from llm_schema_registry.formats.protobuf.compiler import Compiler
from llm_schema_registry.formats.protobuf.diff import compare
from llm_schema_registry.formats.protobuf.explain import explain
from llm_schema_registry.formats.protobuf.hazards import find_hazards
from llm_schema_registry.formats.protobuf.history import find_reuse
from llm_schema_registry.formats.protobuf.kinds import KINDS
from llm_schema_registry.formats.protobuf.locate import locate_declarations
from llm_schema_registry.formats.protobuf.parse import BINARY_MEDIA_TYPES, TEXT_MEDIA_TYPE, ProtobufSchema, parse_schema
from llm_schema_registry.formats.protobuf.payload import ProtobufPayloads, unframe
from llm_schema_registry.formats.protobuf.table import to_logical
from llm_schema_registry.model import CompatibilityPolicy, Detail, Difference, Encoding, Place

__all__ = ["ProtobufFormat", "ProtobufSchema"]


class ProtobufFormat:
    """The format PROTOBUF. Owns the processes that run protoc; they start with the first schema."""

    schema_type = "PROTOBUF"
    media_types = (TEXT_MEDIA_TYPE, *BINARY_MEDIA_TYPES)
    kinds: Mapping[str, Kind] = KINDS
    remembers = True

    def __init__(self) -> None:
        self._compiler = Compiler()

    def parse(
        self,
        text: str,
        references: Sequence[ResolvedReference] = (),
        *,
        is_new: bool = True,  # no check of this format is for new schemas only
    ) -> ProtobufSchema:
        """Compile .proto text, or base64 of a serialized FileDescriptorProto. Raises InvalidSchema."""
        return parse_schema(self._compiler, text, references)

    def diff(
        self,
        reader: Parsed,
        writer: Parsed,
        policy: CompatibilityPolicy,  # no rule of this format depends on it
        budget: Budget,
    ) -> Sequence[Difference]:
        """Return all differences between two schemas that this format parsed (compatibility-rules part 4)."""
        return compare(cast("ProtobufSchema", reader), cast("ProtobufSchema", writer), budget)

    def hazards(self, reader: Parsed, writer: Parsed, budget: Budget) -> Sequence[Difference]:
        """Return the ways in which a message of `writer` loses or changes data under `reader`."""
        return find_hazards(cast("ProtobufSchema", reader).layout, cast("ProtobufSchema", writer).layout, budget)

    def explain(self, difference: Difference, reader: Parsed, writer: Parsed) -> Detail:
        """Say where a difference stands: paths are full names, of an enum's value after its enum's."""
        return explain(difference, cast("ProtobufSchema", reader).layout, cast("ProtobufSchema", writer).layout)

    def locate(self, text: str, paths: Collection[str]) -> Mapping[str, Place]:
        """Find the places of full names in a .proto text."""
        return locate_declarations(text, paths)

    def reused(
        self, candidate: Parsed, latest: Parsed, earlier: Sequence[Parsed], budget: Budget
    ) -> Sequence[Difference]:
        """Return what a candidate takes up again that earlier versions, not the latest, used for something else."""
        former = (cast("ProtobufSchema", schema).layout for schema in earlier)
        return find_reuse(
            cast("ProtobufSchema", candidate).layout, cast("ProtobufSchema", latest).layout, former, budget
        )

    def describe(self, difference: Difference, reader_name: str, writer_name: str) -> str:
        """Return a pseudo-object with double quotes (compatibility-rules 1.8)."""
        description = sentence(KINDS[difference.kind], difference, reader_name, writer_name)
        return f'{{errorType:"{difference.kind}", description:"{description}"}}'

    def logical(self, parsed: Parsed) -> LogicalType:
        """Return the first message as a table. Raises InvalidSchema when it cannot be one."""
        schema = cast("ProtobufSchema", parsed)
        return to_logical(schema.file, schema.symbols)

    def messages(self, parsed: Parsed) -> Sequence[str]:
        """Return the full names of the file's messages, outer before inner; the empty name if it has none."""
        return cast("ProtobufSchema", parsed).layout.roots or ("",)

    def payloads(self, parsed: Parsed, message: str = "") -> ProtobufPayloads:
        """Prepare to read a message by its full name, the first of the file if empty. Raises InvalidPayload."""
        return ProtobufPayloads(cast("ProtobufSchema", parsed), message)

    def unframe(self, parsed: Parsed, body: bytes) -> tuple[str, Encoding, bytes]:
        """Take off the message's indexes, which count in the order of the schema's own text. Raises InvalidPayload."""
        message, payload = unframe(cast("ProtobufSchema", parsed), body)
        return message, Encoding.BINARY, payload
