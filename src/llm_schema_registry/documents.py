"""The values that contracts keep in the store: named documents with versions, and samples of violations.

Refuses to own rules, as `model` does; what a document's text means is decided in `contracts`.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from llm_schema_registry.model import Encoding, Subject, Violation


class DocumentKind(StrEnum):
    """What a named document is."""

    REFERENCE_DATA = "reference-data"
    POLICY = "policy"


class Document(msgspec.Struct, frozen=True):
    """One version of a named document. `body` is JSON text; `changed_at` is in milliseconds since the epoch, UTC."""

    kind: DocumentKind
    name: str
    version: int
    body: str
    changed_at: int
    changed_by: str


class Sample(msgspec.Struct, frozen=True):
    """A payload that broke its contract, kept to be looked at. `at` is in milliseconds since the epoch, UTC.

    `version` is None for a payload that was validated by its schema's id. `payload` is JSON text with its sensitive
    fields masked and perhaps shortened, empty when nothing could be read. Samples outlive releases: a member that is
    added later needs a default.
    """

    id: str
    at: int
    subject: Subject
    version: int | None
    schema_id: int
    encoding: Encoding
    violations: tuple[Violation, ...]
    payload: str = ""
