"""How much a compiled validator may have to do for one value: what a schema multiplies by its own shape.

Refuses to look at values. Definitions that are referred to twice, by definitions that are referred to twice, and so on,
double the work at each turn; circles do not, for compiled validators remember those.
"""

from __future__ import annotations

from typing import Any

from llm_schema_registry.formats.json_schema.drafts import Draft
from llm_schema_registry.formats.json_schema.references import subschemas
from llm_schema_registry.formats.json_schema.rewrite import At

MAX_SPREAD = 10_000
"""Schemas that one value, or one part of it, is held against."""

MAX_SCHEMAS = 20_000
"""Schemas that are compiled together; each takes some kilobytes."""

_EXCLUSIVE = frozenset({"properties"})
_UNUSED = frozenset({"$defs", "definitions", "contentSchema"})


def is_spread(documents: list[Any], draft: Draft) -> bool:
    """Whether one value may be held against more than MAX_SPREAD schemas, or against a chain too long to follow; or
    there are more than MAX_SCHEMAS of them.
    """
    spread = _Spread(documents, draft)
    try:
        return spread.of(At(documents[0])) > MAX_SPREAD or spread.size > MAX_SCHEMAS
    except RecursionError:
        return True


def patterns_in(documents: list[Any]) -> list[str]:
    """Return what validators compile, and perhaps some more: what looks like a pattern but stands where data do."""
    found: dict[str, None] = {}
    waiting = list(documents)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            pattern, properties = value.get("pattern"), value.get("patternProperties")
            found.update({pattern: None} if isinstance(pattern, str) else {})
            found.update(dict.fromkeys(properties) if isinstance(properties, dict) else {})
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return list(found)


class _Spread:
    def __init__(self, documents: list[Any], draft: Draft) -> None:
        self._documents = documents
        self._draft = draft
        self._known: dict[int, int] = {}

    @property
    def size(self) -> int:
        """How many schemas were met."""
        return len(self._known)

    def of(self, at: At) -> int:
        """Count the schemas that a value may meet on its way down; a part of it meets one of the properties."""
        schema = at.schema
        if not isinstance(schema, dict):
            return 1
        known = self._known.get(id(schema))
        if known is not None:
            return known
        self._known[id(schema)] = 0
        count, widest = 1, 0
        target = at.target(self._documents)
        if target is not None:
            count += self.of(target)
        for tokens, _ in subschemas(schema) if target is None or self._draft.is_modern else ():
            if tokens[0] in _EXCLUSIVE:
                widest = max(widest, self.of(at.down(*tokens)))
            elif tokens[0] not in _UNUSED:
                count += self.of(at.down(*tokens))
        self._known[id(schema)] = min(count + widest, MAX_SPREAD + 1)
        return self._known[id(schema)]
