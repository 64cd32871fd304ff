"""The table of schema formats. A format is a folder and a row; no other module names a concrete one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro import AvroFormat, AvroRules
from llm_schema_registry.formats.base import Format
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.formats.protobuf import ProtobufFormat

__all__ = ["FILE_SUFFIXES", "FORMATS", "AvroRules", "build_formats", "get_format"]


def build_formats(avro_rules: AvroRules = AvroRules.V1_12) -> Mapping[str, Format]:
    """Build the table by wire name. `avro_rules` picks which Java Avro release the Avro validator equals."""
    formats: tuple[Format, ...] = (AvroFormat(avro_rules), JsonSchemaFormat(), ProtobufFormat())
    return MappingProxyType({fmt.schema_type: fmt for fmt in formats})


FORMATS = build_formats()

FILE_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        ".avsc": AvroFormat.schema_type,
        ".json": JsonSchemaFormat.schema_type,
        ".proto": ProtobufFormat.schema_type,
    }
)
"""The wire name of the format that a file's name tells."""


def get_format(formats: Mapping[str, Format], schema_type: str) -> Format:
    """Return the format with this wire name, or raise InvalidSchema naming the ones that exist."""
    try:
        return formats[schema_type]
    except KeyError:
        raise InvalidSchema(f"Unknown schemaType '{schema_type}'; known are {', '.join(formats)}") from None
