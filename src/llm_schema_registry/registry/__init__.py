"""The use cases: one async function each. Every transport and every test comes in through them.

Transports may not know stores; the values in which a question is put are handed on here.
"""

from llm_schema_registry.store.base import Page, VersionFilter, Visibility

__all__ = ["Page", "VersionFilter", "Visibility"]
