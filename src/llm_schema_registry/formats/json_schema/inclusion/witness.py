"""The real validators of both sides: only they say that a document is a witness.

Refuses to look for candidates. What is compiled is the user's schema as `rewrite` makes it, so that names of references
may be any string and nothing is ever fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import jsonschema_rs

from llm_schema_registry.formats.json_schema.document import ExactNumber, plain, write_json
from llm_schema_registry.formats.json_schema.drafts import VALIDATORS
from llm_schema_registry.formats.json_schema.patterns import MAX_PATTERN
from llm_schema_registry.formats.json_schema.references import Resources
from llm_schema_registry.formats.json_schema.rewrite import NUMBERS, PREFIX, rewritten, target_of

MAX_DEPTH = 220
"""Levels of a document that validators are given."""

_MAX_OUTCOME = 300
# One compiled pattern takes at most some milliseconds, and memory of this size.
_PATTERNS = jsonschema_rs.FancyRegexOptions(size_limit=1024 * 1024, backtrack_limit=10_000)
# Enough that the clock is looked at for each.
_COMPILE_STEPS = 256
_MAX_FAULTS = 10


class Refusal(NamedTuple):
    """What a validator says of a document: its words, and the tokens that lead to the keyword.

    `document` is the name of the reference that holds the keyword; empty for the schema itself.
    """

    message: str
    document: str
    tokens: tuple[str, ...]


class Side:
    """One side's validator, compiled when it is first needed."""

    def __init__(self, resources: Resources, spend: Callable[[int], None], *, keeps_uncertain: bool) -> None:
        """Take a side; what only some validators assert is left out unless it is kept."""
        self._spend = spend
        self._resources = resources
        self._keeps_uncertain = keeps_uncertain

    @cached_property
    def validator(self) -> jsonschema_rs.Validator | None:
        """The validator; None where there is none: references depend on the way they are reached, or a pattern is
        beyond the engine. Raises TooComplex.
        """
        resources = self._resources
        if not resources.is_static:
            return None
        if self._is_plain():
            root, others = plain(resources.text), []
            if isinstance(root, dict):
                root.pop("$schema", None)
        else:
            # Only some validators assert it in a modern draft.
            is_unasserted = resources.draft.is_modern and not self._keeps_uncertain
            root, *others = rewritten(resources, frozenset({"dependencies"} if is_unasserted else ()))
        listed = [(f"{PREFIX}{index}", other) for index, other in enumerate(others, 1)]
        number = NUMBERS[resources.draft]
        if not all(map(self._is_moderate, _patterns([root, *others]))):
            return None
        try:
            registry = jsonschema_rs.Registry([(f"{PREFIX}0", root), *listed], draft=number)
            return VALIDATORS[resources.draft](
                root, registry=registry, base_uri=f"{PREFIX}0", offline=True, pattern_options=_PATTERNS
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return None

    def _is_moderate(self, pattern: str) -> bool:
        """Compile a pattern in bounds. One at a time, for compiling all those of a schema cannot be interrupted."""
        if len(pattern) > MAX_PATTERN:
            return False
        self._spend(_COMPILE_STEPS)
        with suppress(jsonschema_rs.ValidationError):
            jsonschema_rs.Draft7Validator({"pattern": pattern}, offline=True, pattern_options=_PATTERNS)
        return True

    def _is_plain(self) -> bool:
        """Whether the schema says all by itself, so that nothing needs to be rewritten; most do."""
        words = ("$ref", "$dynamicRef", "$recursiveRef", "dependencies", self._resources.draft.id_keyword)
        return not any(f'"{word}":' in self._resources.text for word in words)

    def takes(self, value: Any) -> bool:  # noqa: ANN401 - any JSON value
        """Whether a document is valid; false where there is no validator."""
        return self.validator is not None and self.validator.is_valid(value)

    def refusals(self, value: Any, *, all_of_them: bool = True) -> list[Refusal]:  # noqa: ANN401 - any JSON value
        """Return the first faults of a document, or only one; none if it is valid, or where there is no validator."""
        if self.validator is None:
            return []
        if all_of_them:
            return [self._refusal(error) for error in islice(self.validator.iter_errors(value), _MAX_FAULTS)]
        first = []
        try:
            self.validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            first.append(self._refusal(error))
        return first

    def _refusal(self, error: jsonschema_rs.ValidationError) -> Refusal:
        message = error.message if len(error.message) <= _MAX_OUTCOME else error.message[:_MAX_OUTCOME] + "..."
        target = target_of(error.absolute_keyword_location or "")
        name = self._resources.names[target[0] - 1] if target and 0 < target[0] <= len(self._resources.names) else ""
        return Refusal(message, name, tuple(map(str, error.schema_path)))


def _patterns(documents: list[Any]) -> set[str]:
    """What validators compile, and perhaps some more: what looks like a pattern but stands where data do."""
    found: set[str] = set()
    waiting = documents.copy()
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            pattern, properties = value.get("pattern"), value.get("patternProperties")
            found.update([pattern] if isinstance(pattern, str) else ())
            found.update(properties if isinstance(properties, dict) else ())
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def as_text(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """Write a document down; None if it is nested too deeply to be used."""
    exact = _exact(value, 0)
    return None if exact is _TOO_DEEP else write_json(exact)


_TOO_DEEP = object()


def _exact(value: Any, depth: int) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Decimal):
        return ExactNumber(str(value))
    if not isinstance(value, dict | list):
        return value
    if depth >= MAX_DEPTH:
        return _TOO_DEEP
    members = list(value.values()) if isinstance(value, dict) else value
    copies = [_exact(item, depth + 1) for item in members]
    if any(copy is _TOO_DEEP for copy in copies):
        return _TOO_DEEP
    return dict(zip(value, copies, strict=True)) if isinstance(value, dict) else copies
