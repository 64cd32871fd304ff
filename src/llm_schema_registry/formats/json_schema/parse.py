"""A JSON Schema that was understood: its texts, its fields, its tags.

Refuses to compare schemas (`diff`) and to validate payloads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.json_schema.document import read_json, write_json, write_pretty, write_sorted
from llm_schema_registry.formats.json_schema.drafts import check_metaschema, detect_draft
from llm_schema_registry.formats.json_schema.inline import inline_references
from llm_schema_registry.formats.json_schema.loader import Loader
from llm_schema_registry.formats.json_schema.nodes import Node
from llm_schema_registry.formats.json_schema.references import Resources
from llm_schema_registry.formats.json_schema.tags import read_tags, write_tags
from llm_schema_registry.model import EntityTags

MEDIA_TYPE = "application/schema+json"


def parse(text: str, references: Sequence[ResolvedReference] = ()) -> JsonSchema:
    """Understand a JSON Schema text; the rules are the same for new and for stored schemas.

    Raises InvalidSchema: not JSON, root neither object nor boolean, against the draft's metaschema, a list under
    `items` in a modern draft (compatibility-rules 3.2.2), a dangling `$ref`.
    """
    root = read_json(text)
    if not isinstance(root, dict | bool):
        raise InvalidSchema(
            f"A JSON Schema is an object or a boolean at its root, not {_name_of(root)}; "
            'write {"type": ...} around it'
        )
    draft = detect_draft(root)
    check_metaschema(text, draft)
    return JsonSchema(write_json(root), Resources(draft, root, references))


class JsonSchema:
    """A parsed schema. Immutable; safe to share between threads."""

    def __init__(self, canonical: str, resources: Resources) -> None:
        """Hold a checked document."""
        self.canonical = canonical
        self.resources = resources

    @cached_property
    def normalized(self) -> str:
        """The canonical text with the keys of every object sorted."""
        return write_sorted(self.resources.root.schema)

    @cached_property
    def inlined(self) -> str:
        """The canonical text with registered references put in the place of their `$ref` (see `inline`)."""
        return inline_references(self.canonical, self.resources)

    @cached_property
    def root(self) -> Node:
        """The node of the whole document, which comparing starts from; parts are loaded as they are looked at."""
        return Loader(self.resources).root

    @property
    def field_names(self) -> tuple[str, ...]:
        """The keys of the root's `properties`."""
        root: Any = self.resources.root.schema
        properties = root.get("properties") if isinstance(root, dict) else None
        return tuple(properties) if isinstance(properties, dict) else ()

    @property
    def reserved_misuse(self) -> str | None:
        """Say which top-level property starts with `$$` (rest-api 9.1)."""
        return next(
            (
                f"The property '{name}' starts with '$$', which is reserved; rename it"
                for name in self.field_names
                if name.startswith("$$")
            ),
            None,
        )

    @cached_property
    def tags(self) -> tuple[EntityTags, ...]:
        """The `confluent:tags` of the document, by the paths of `tags`."""
        return read_tags(self.resources)

    def with_tags(self, add: Sequence[EntityTags], remove: Sequence[EntityTags]) -> str:
        """Return the canonical text with tags removed, then added. Raises InvalidSchema for an unknown path."""
        return write_tags(self.canonical, self.resources, add, remove)

    def render(self, style: str) -> str:
        """Return the canonical text; JSON Schema has no other style."""
        return self.canonical

    def represent(self, media_type: str, *, pretty: bool) -> bytes:
        """Return the schema in its native media type. Raises KeyError for another one."""
        if media_type != MEDIA_TYPE:
            raise KeyError(media_type)
        return write_pretty(self.canonical) if pretty else self.canonical.encode()


def _name_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "a number"
