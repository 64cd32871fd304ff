"""The Avro format.

Refuses to be known by any module but the table of formats.
"""

from llm_schema_registry.formats.avro.format import AvroFormat, AvroSchema
from llm_schema_registry.formats.avro.parse import AvroRules

__all__ = ["AvroFormat", "AvroRules", "AvroSchema"]
