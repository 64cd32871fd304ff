"""Where subjects, schemas, settings and events live."""
