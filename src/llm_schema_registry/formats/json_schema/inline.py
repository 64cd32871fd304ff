"""One text for schemas that differ only in whether a part is written inline or by reference.

Refuses to be read as a schema again: the text serves equality alone.

Each object that is nothing but a `$ref` to a whole registered document gives way to that document, without the
document's `$schema` and id. Where that is not possible (a `$ref` with siblings or into a document, a document that
refers to its own parts, a text beyond the bounds of `document`), the text is the canonical one followed by every
registered document, sorted by name.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llm_schema_registry.formats.json_schema.document import MAX_BYTES, MAX_DEPTH, write_json
from llm_schema_registry.formats.json_schema.references import Resources


class _Part(NamedTuple):
    """A value with its references replaced; `size` and `depth` are known before it is written."""

    value: Any
    size: int = 10
    depth: int = 0


class _NotInlinableError(Exception):
    """A reference cannot give way to its document."""


def inline_references(canonical: str, resources: Resources) -> str:
    """Return the text described above; without references it is the canonical text."""
    if not resources.names:
        return canonical
    # References come after those they depend on, so that each document is replaced once and without nesting.
    documents: dict[str, _Part | None] = {}
    for name in resources.names:
        try:
            documents[name] = _Inliner(resources, documents, is_root=False).document(name)
        except _NotInlinableError:
            documents[name] = None
    try:
        root = _Inliner(resources, documents, is_root=True).part(*resources.root)
    except _NotInlinableError:
        texts = (f"\n{name} {write_json(resources.document(name).schema)}" for name in sorted(resources.names))
        return canonical + "".join(texts)
    return write_json(root.value)


class _Inliner:
    def __init__(self, resources: Resources, documents: dict[str, _Part | None], *, is_root: bool) -> None:
        self._resources = resources
        self._documents = documents
        self._is_root = is_root

    def document(self, name: str) -> _Part:
        schema, base = self._resources.document(name)
        if isinstance(schema, dict):
            left_out = ("$schema", self._resources.draft.id_keyword)
            schema = {key: value for key, value in schema.items() if key not in left_out}
        return self.part(schema, base)

    def part(self, value: Any, base: str) -> _Part:  # noqa: ANN401 - any JSON value
        """Replace the references below a value; recursion is bounded by MAX_DEPTH of one document."""
        if isinstance(value, list):
            parts = [self.part(item, base) for item in value]
            return _bounded([part.value for part in parts], parts, 0)
        if not isinstance(value, dict):
            return _Part(value, 10 + len(value) if isinstance(value, str) else 10)
        base = self._resources.base_of(value, base)
        if isinstance(value.get("$ref"), str):
            replaced = self._replace(value, value["$ref"], base)
            if replaced is not None:
                return replaced
        members = {key: self.part(item, base) for key, item in value.items()}
        return _bounded({key: part.value for key, part in members.items()}, members.values(), sum(map(len, members)))

    def _replace(self, schema: dict[str, Any], reference: str, base: str) -> _Part | None:
        """The document that stands for a `$ref`, or None for one into the root document itself."""
        if self._is_root and reference.startswith("#"):
            return None
        place = self._resources.find(reference, base)
        name = None if place is None else self._resources.name_of(place)
        document = None if name is None else self._documents.get(name)
        if document is None or len(schema) > 1:
            raise _NotInlinableError
        return document


def _bounded(value: Any, parts: Any, extra: int) -> _Part:  # noqa: ANN401 - any JSON value and its parts
    size = 10 + extra + sum(part.size for part in parts)
    depth = 1 + max((part.depth for part in parts), default=0)
    if size > MAX_BYTES or depth > MAX_DEPTH:
        raise _NotInlinableError
    return _Part(value, size, depth)
