"""For programs that produce and consume events: the registry's own validation, in their process."""

from llm_schema_registry.client.validation import PayloadValidator, RegistryUnavailable, Validated

__all__ = ["PayloadValidator", "RegistryUnavailable", "Validated"]
