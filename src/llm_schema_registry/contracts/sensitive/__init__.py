"""Sensitive fields: governance policies, personal data in untagged text, and masking (FR-6.2)."""
