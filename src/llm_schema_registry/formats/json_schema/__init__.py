"""JSON Schema: parse, compare, explain. Refuses to know other formats."""

from __future__ import annotations

from llm_schema_registry.formats.json_schema.format import JsonSchemaFormat

__all__ = ["JsonSchemaFormat"]
