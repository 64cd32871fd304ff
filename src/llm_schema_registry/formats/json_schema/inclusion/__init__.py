"""Set inclusion of JSON Schemas: does every document of the writer pass the reader?

Refuses parity with other engines: here the truth about documents alone counts (docs/decisions/0010).
"""

from __future__ import annotations

from llm_schema_registry.formats.json_schema.inclusion.hazards import hazards

__all__ = ["hazards"]
