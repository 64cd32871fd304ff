"""JSON bodies: Confluent's, frozen, and our own, versioned."""
