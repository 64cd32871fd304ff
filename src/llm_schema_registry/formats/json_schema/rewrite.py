"""A schema as validators can take it: every reference a plain one, nothing that has to be fetched or looked up.

Refuses to compile and to judge. All else stays where its author wrote it, so that a pointer into what comes out is one
into the registered text; what is added stands behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from llm_schema_registry.formats.json_schema.drafts import Draft
from llm_schema_registry.formats.json_schema.references import Place, Resources
from llm_schema_registry.formats.places import pointer_token, token_name

NUMBERS = {Draft.D4: 4, Draft.D6: 6, Draft.D7: 7, Draft.D2019: 19, Draft.D2020: 20}
"""The drafts as jsonschema-rs numbers them."""

PREFIX = "urn:reference:"
"""What the addresses of documents begin with; their number follows, and 0 is the schema itself."""

_NAMING = frozenset({"$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary"})


def rewritten(resources: Resources, left_out: frozenset[str] = frozenset()) -> list[Any]:
    """Return copies of the schema and then its references, numbers as int and Decimal, without some keywords; at last
    what stands for `true` and for `false`, which a reference may lead to and no draft knows as documents.
    """
    documents = [resources.root.schema, *(resources.document(name).schema for name in resources.names)]
    rewriter = _Rewriter(resources, _NAMING | left_out)
    return [*(rewriter.copy(document) for document in documents), {}, {"not": {}}]


class At(NamedTuple):
    """A part of what `rewritten` returns, and where it stands: the number of its document and a pointer."""

    schema: Any
    number: int = 0
    pointer: str = ""

    def down(self, *tokens: str | int) -> At:
        """Go to a part of this one."""
        schema = self.schema
        for token in tokens:
            schema = schema[token]
        return At(schema, self.number, self.pointer + "".join(f"/{pointer_token(str(token))}" for token in tokens))

    def target(self, documents: Sequence[Any]) -> At | None:
        """Follow the `$ref` of this schema; None if there is none, or one to a metaschema."""
        reference = self.schema.get("$ref") if isinstance(self.schema, dict) else None
        found = target_of(reference) if isinstance(reference, str) else None
        if found is None:
            return None
        at = At(documents[found[0]], found[0])
        for token in found[1].split("/")[1:]:
            name = token_name(token)
            at = at.down(int(name) if isinstance(at.schema, list) else name)
        return at

    def place(self, names: Sequence[str]) -> str:
        """Return the pointer into the registered text; the name of a reference stands before one into that."""
        return f"{names[self.number - 1]}#{self.pointer}" if 0 < self.number <= len(names) else self.pointer


def target_of(reference: str) -> tuple[int, str] | None:
    """Return the number of a document and the pointer that a rewritten `$ref` leads to; None for a metaschema."""
    if not reference.startswith(PREFIX):
        return None
    number, _, pointer = reference.removeprefix(PREFIX).partition("#")
    return int(number), unquote(pointer)


class _Rewriter:
    def __init__(self, resources: Resources, left_out: frozenset[str]) -> None:
        self._resources = resources
        self._left_out = left_out

    def copy(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Copy a value; depth is bounded by what `read_json` takes."""
        if isinstance(value, Decimal):
            return Decimal(value)
        if isinstance(value, list):
            return [self.copy(item) for item in value]
        if not isinstance(value, dict):
            return value
        if not self._resources.is_schema(value):
            return {name: self.copy(item) for name, item in value.items()}
        copy = {name: self.copy(item) for name, item in value.items() if name not in self._left_out}
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if isinstance(copy.get(keyword), str):
                self._point(copy, keyword, value)
        return copy

    def _point(self, copy: dict[str, Any], keyword: str, schema: dict[str, Any]) -> None:
        base = self._resources.base_of(schema, self._resources.root.base)
        target = self._resources.find(copy[keyword], base)
        if target is None:
            return
        if keyword == "$ref":
            copy[keyword] = self._address(target)
        else:
            del copy[keyword]
            copy["allOf"] = [*copy.get("allOf", ()), {"$ref": self._address(target)}]

    def _address(self, target: Place) -> str:
        if isinstance(target.schema, bool):
            return f"{PREFIX}{len(self._resources.names) + (1 if target.schema else 2)}"
        index, path = self._resources.pointers[id(target.schema)]
        return f"{PREFIX}{index}#{quote(path, safe='/~')}"
