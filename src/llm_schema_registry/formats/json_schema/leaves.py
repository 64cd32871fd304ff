"""Keywords that look at one value alone, and patterns: held against values by compiled validators, in bounds.

Refuses to follow references and to look into a value's parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema_rs

from llm_schema_registry.formats.json_schema.drafts import VALIDATORS, Draft
from llm_schema_registry.formats.json_schema.patterns import MAX_PATTERN
from llm_schema_registry.formats.json_schema.wording import listed, shown, size_of, type_of
from llm_schema_registry.model import ViolationKind

MAX_BACKTRACKED = 10_000
"""Characters of a string that is searched by going back, as look-around and back-references need."""

PATTERNS = jsonschema_rs.FancyRegexOptions(size_limit=256 * 1024, backtrack_limit=10_000)
"""How validators of payloads compile patterns."""

_LINEAR = jsonschema_rs.RegexOptions(size_limit=256 * 1024)
_BASE64 = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_MAX_PATTERNS = 500

_KINDS = {
    "type": ViolationKind.TYPE_MISMATCH,
    "enum": ViolationKind.VALUE_NOT_ALLOWED,
    "const": ViolationKind.VALUE_NOT_ALLOWED,
    "minimum": ViolationKind.OUT_OF_RANGE,
    "maximum": ViolationKind.OUT_OF_RANGE,
    "exclusiveMinimum": ViolationKind.OUT_OF_RANGE,
    "exclusiveMaximum": ViolationKind.OUT_OF_RANGE,
    "multipleOf": ViolationKind.NOT_PRECISE,
    "minLength": ViolationKind.LENGTH_OUT_OF_RANGE,
    "maxLength": ViolationKind.LENGTH_OUT_OF_RANGE,
    "minItems": ViolationKind.LENGTH_OUT_OF_RANGE,
    "maxItems": ViolationKind.LENGTH_OUT_OF_RANGE,
    "minProperties": ViolationKind.LENGTH_OUT_OF_RANGE,
    "maxProperties": ViolationKind.LENGTH_OUT_OF_RANGE,
    "uniqueItems": ViolationKind.ITEMS_NOT_UNIQUE,
    "format": ViolationKind.FORMAT_MISMATCH,
}
_EXCLUDING = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
}


class Leaf(NamedTuple):
    """A fault of a single value."""

    keyword: str
    kind: ViolationKind
    expected: str
    found: str


class Leaves:
    """The compiled keywords and patterns of one schema, each compiled when it is first needed."""

    def __init__(self, draft: Draft) -> None:
        """Begin with none."""
        self._draft = draft
        # With the schema, so that its identity is not given to another one.
        self._compiled: dict[int, tuple[Any, dict[str, jsonschema_rs.Validator]]] = {}
        self._patterns: dict[str, tuple[jsonschema_rs.Validator | None, bool]] = {}

    def faults(self, schema: dict[str, Any], value: object) -> Iterator[Leaf]:
        """Yield what is wrong with a value by itself."""
        known = self._compiled.get(id(schema))
        if known is None:
            known = self._compiled[id(schema)] = (schema, self._compile_keywords(schema))
        for keyword, validator in known[1].items():
            if not validator.is_valid(value):
                yield Leaf(keyword, _KINDS[keyword], *_told(schema, keyword, value))

    def is_match(self, pattern: str, text: str) -> bool:
        """Search a text; what no engine can search in bounds does not match."""
        known = self._patterns.get(pattern)
        if known is None:
            if len(self._patterns) >= _MAX_PATTERNS:
                self._patterns.clear()
            known = self._patterns[pattern] = self._compile_pattern(pattern)
        validator, is_linear = known
        return validator is not None and (is_linear or len(text) <= MAX_BACKTRACKED) and validator.is_valid(text)

    def is_linear(self, pattern: str) -> bool:
        """Whether a pattern can be searched in one go, however long the text."""
        self.is_match(pattern, "")
        return self._patterns[pattern][1]

    def matches_metaschema(self, address: str, value: object) -> bool:
        """Whether a value is a schema by an official metaschema."""
        return self._compile({"$ref": address}).is_valid(value)

    def _compile_keywords(self, schema: dict[str, Any]) -> dict[str, jsonschema_rs.Validator]:
        """Compile each keyword by itself: a list of what fails would come with copies of the value and the schema."""
        compiled = {}
        for keyword in _KINDS:
            beside = _EXCLUDING.get(keyword, "")
            if keyword not in schema or (self._draft is Draft.D4 and keyword in _EXCLUDING.values()):
                continue
            alone = {keyword: schema[keyword]}
            if self._draft is Draft.D4 and beside in schema:
                alone[beside] = schema[beside]
            compiled[keyword] = self._compile(alone, validate_formats=True)
        return compiled

    def _compile_pattern(self, pattern: str) -> tuple[jsonschema_rs.Validator | None, bool]:
        if len(pattern) <= MAX_PATTERN:
            for options in (_LINEAR, PATTERNS):
                try:
                    return self._compile({"pattern": pattern}, pattern_options=options), options is _LINEAR
                except jsonschema_rs.ValidationError:
                    continue
        return None, False

    def _compile(self, schema: dict[str, Any], **options: Any) -> jsonschema_rs.Validator:  # noqa: ANN401 - theirs
        return VALIDATORS[self._draft](schema, offline=True, mask="", **options)


def is_base64(text: str) -> bool:
    """Whether a text is what `contentEncoding: base64` asks for: RFC 4648's alphabet, padded, without line breaks."""
    return len(text) % 4 == 0 and _BASE64.fullmatch(text) is not None


def _told(schema: dict[str, Any], keyword: str, value: object) -> tuple[str, str]:
    """Say what a keyword asks for and what there is."""
    asked = schema[keyword]
    if keyword == "type":
        found = shown(value) if isinstance(value, dict | list) else f"{type_of(value)} {shown(value)}"
        return listed(asked if isinstance(asked, list) else [asked], "or"), found
    if keyword == "enum":
        return f"one of {listed([shown(item) for item in asked[:50]], 'or')}", shown(value)
    if keyword == "uniqueItems":
        return "items that differ", "an item again"
    if keyword == "format":
        return f"the format {asked}", shown(value)
    if keyword in _BOUNDS:
        # Draft 4 says by true that the bound beside it is excluded.
        is_excluded = schema.get(_EXCLUDING.get(keyword, "")) is True
        return f"{_BOUNDS[_EXCLUDING[keyword] if is_excluded else keyword]} {shown(asked)}", shown(value)
    if keyword == "const":
        return shown(asked), shown(value)
    bound = "at least" if keyword.startswith("min") else "at most"
    return f"{bound} {shown(asked)}{_UNITS[keyword[3:]]}", size_of(value)


_UNITS = {"Length": " characters", "Items": " items", "Properties": " fields"}
