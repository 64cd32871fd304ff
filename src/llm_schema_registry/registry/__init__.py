"""The use cases: one async function each. Every transport and every test comes in through them."""

from llm_schema_registry.store.base import Page

__all__ = ["Page"]
