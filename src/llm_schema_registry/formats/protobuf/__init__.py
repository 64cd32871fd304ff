"""Protocol Buffers: proto2, proto3 and editions.

Refuses to know where schemas are stored or which level is in force.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.protobuf.compiler import Compiler
from llm_schema_registry.formats.protobuf.parse import BINARY_MEDIA_TYPES, TEXT_MEDIA_TYPE, ProtobufSchema, parse

__all__ = ["ProtobufFormat", "ProtobufSchema"]


class ProtobufFormat:
    """The format PROTOBUF. Owns the processes that run protoc; they start with the first schema."""

    schema_type = "PROTOBUF"
    media_types = (TEXT_MEDIA_TYPE, *BINARY_MEDIA_TYPES)

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
        return parse(self._compiler, text, references)
