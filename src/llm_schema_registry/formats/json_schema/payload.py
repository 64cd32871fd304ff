"""Payloads of a JSON Schema: documents, read strictly and held against the schema and its references.

Refuses to look for what is wrong by itself (`faults`), to say what values look like (`outline`), and to fetch anything.

Formats are asserted in every draft, though 2019-09 and 2020-12 take them for notes and so do some clients: who writes
`"format": "date"` into a contract means it, and Confluent's Java client asserts them for drafts 4 to 7. Unknown formats
say nothing. `contentEncoding: base64` is asserted in every draft too, for it is how a document carries bytes; another
encoding and `contentMediaType` are notes.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import jsonschema_rs
import msgspec

from llm_schema_registry.formats.base import Reading
from llm_schema_registry.formats.json_schema.document import plain
from llm_schema_registry.formats.json_schema.drafts import VALIDATORS
from llm_schema_registry.formats.json_schema.faults import Faults
from llm_schema_registry.formats.json_schema.leaves import MAX_BACKTRACKED, PATTERNS, is_base64
from llm_schema_registry.formats.json_schema.outline import outline
from llm_schema_registry.formats.json_schema.patterns import MAX_PATTERN
from llm_schema_registry.formats.json_schema.references import Resources
from llm_schema_registry.formats.json_schema.rewrite import NUMBERS, PREFIX, rewritten
from llm_schema_registry.formats.json_schema.spread import is_spread, patterns_in
from llm_schema_registry.formats.json_schema.wording import violation
from llm_schema_registry.formats.shape import Shape
from llm_schema_registry.formats.strict_json import read_json
from llm_schema_registry.model import Encoding, Violation, ViolationKind

_MAX_PATTERNS = 500
"""Patterns of a schema that are compiled together; each may take some milliseconds and a quarter of a MiB."""


class JsonPayloads:
    """The payloads of one schema."""

    def __init__(self, resources: Resources) -> None:
        """Compile the schema once; where that is not safe, each payload is searched for faults instead."""
        self._resources = resources
        documents = rewritten(resources)
        self._faults = Faults(resources.draft, documents, resources.names)
        patterns = patterns_in(documents)
        self._goes_back = any(not self._faults.leaves.is_linear(pattern) for pattern in patterns[:_MAX_PATTERNS])
        is_moderate = len(patterns) <= _MAX_PATTERNS and all(len(pattern) <= MAX_PATTERN for pattern in patterns)
        self._validator = None
        if is_moderate and not is_spread(documents, resources.draft):
            self._validator = _compile(resources, documents)

    @cached_property
    def shape(self) -> Shape:
        """What values look like."""
        return outline(self._resources.draft, self._faults.documents, self._resources.names)

    def read(self, encoding: Encoding, data: bytes, limit: int = 100) -> Reading:
        """Decode a document strictly and hold it against the schema; there is no binary encoding."""
        if encoding is not Encoding.JSON:
            return _refused(None, ViolationKind.MALFORMED, "JSON text", "a binary encoding, which JSON Schema lacks")
        reading = read_json(data, limit)
        if reading.violations:
            return reading
        # Patterns that go back take their time for each character.
        is_short = not self._goes_back or len(data) <= MAX_BACKTRACKED
        validator = self._validator if is_short else None
        if validator is not None and validator.is_valid(reading.value):
            return reading
        found, is_whole = self._faults.find(reading.value, limit)
        if found or (is_whole and validator is None):
            return Reading(reading.value, tuple(found))
        told = "too much to look at" if validator is None else "one that does not"
        return _refused(reading.value, ViolationKind.COMBINATION_FAILED, "a value that fits the schema", told)

    def plain(self, value: object) -> object:
        """Return the value itself, which is plain."""
        return value

    def restore(self, plain: object) -> object:
        """Return what JSON writes for a plain value. Raises ValueError for one that it has nothing for."""
        try:
            return msgspec.to_builtins(plain, str_keys=True)
        except (TypeError, msgspec.ValidationError, RecursionError) as error:
            raise ValueError(str(error)) from None


def _compile(resources: Resources, documents: list[Any]) -> jsonschema_rs.Validator | None:
    """Return a validator, or None where a pattern or a way of referring is beyond it."""
    options: dict[str, Any] = {"base_uri": f"{PREFIX}0"}
    listed = [(f"{PREFIX}{index}", document) for index, document in enumerate(documents)]
    root = documents[0]
    if not resources.is_static:
        # Where a reference leads depends on the way to it, which only the schema as it was written can tell.
        root, options = plain(resources.text), {}
        others = [resources.document(name) for name in resources.names]
        listed = [(other.base, plain(resources.text_of(other.schema))) for other in others]
    try:
        return VALIDATORS[resources.draft](
            root,
            registry=jsonschema_rs.Registry(listed, draft=NUMBERS[resources.draft]),
            offline=True,
            pattern_options=PATTERNS,
            validate_formats=True,
            keywords={"contentEncoding": _ContentEncoding, "contentMediaType": _Note},
            **options,
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        return None


class _ContentEncoding:
    """Asserts base64, as jsonschema-rs asks a keyword to."""

    def __init__(self, parent_schema: dict[str, Any], value: object, schema_path: list[str | int]) -> None:
        self._is_base64 = value == "base64"

    def validate(self, instance: object) -> None:
        if self._is_base64 and isinstance(instance, str) and not is_base64(instance):
            raise ValueError("not base64")


class _Note:
    """Asserts nothing."""

    def __init__(self, parent_schema: dict[str, Any], value: object, schema_path: list[str | int]) -> None:
        """Take what jsonschema-rs gives."""

    def validate(self, instance: object) -> None:
        """Take any value."""


def _refused(value: object, kind: ViolationKind, expected: str, found: str) -> Reading:
    fault: Violation = violation(kind, "", "", expected, found)
    return Reading(value, (fault,))
