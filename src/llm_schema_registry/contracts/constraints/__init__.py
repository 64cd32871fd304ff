"""Field constraints beyond the schema language, kept in a version's metadata (FR-5.1)."""
