"""Data contracts: metadata and rule sets that travel with a schema."""
