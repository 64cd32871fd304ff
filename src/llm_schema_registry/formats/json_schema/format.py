"""JSON Schema as a `Format`: what the table of formats holds.

Refuses to hold rules; it only puts the parts of this folder behind the Protocol.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.json_schema.parse import MEDIA_TYPE, JsonSchema, parse


class JsonSchemaFormat:
    """Drafts 4, 6, 7, 2019-09 and 2020-12 (compatibility-rules Part 3)."""

    schema_type = "JSON"
    media_types = (MEDIA_TYPE,)

    def parse(self, text: str, references: Sequence[ResolvedReference] = (), *, is_new: bool = True) -> JsonSchema:
        """Understand a JSON Schema or raise InvalidSchema naming the place and the mend; `is_new` changes nothing."""
        return parse(text, references)
