"""Rule sets: which are well formed, how they are compiled against a schema, and how they run on a payload."""
