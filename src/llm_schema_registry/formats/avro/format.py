"""The Avro format: what the registry asks of it, put together from the modules beside.

Refuses to own any rule itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import cast

from llm_schema_registry.errors import InvalidPayload, InvalidSchema
from llm_schema_registry.formats.avro.defaults import check_defaults
from llm_schema_registry.formats.avro.diff import compare
from llm_schema_registry.formats.avro.document import check_size, shorten, write
from llm_schema_registry.formats.avro.explain import explain
from llm_schema_registry.formats.avro.hazards import find_hazards
from llm_schema_registry.formats.avro.kinds import KINDS
from llm_schema_registry.formats.avro.parse import AvroRules, Reader
from llm_schema_registry.formats.avro.payload import AvroPayloads
from llm_schema_registry.formats.avro.render import Renderer, merge_tags
from llm_schema_registry.formats.avro.spot import Places
from llm_schema_registry.formats.avro.table import to_logical
from llm_schema_registry.formats.avro.tree import Record, Type
from llm_schema_registry.formats.base import Kind, Parsed, Payloads, ResolvedReference, sentence
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.logical_type import LogicalType
from llm_schema_registry.formats.places import locate_json
from llm_schema_registry.model import (
    CompatibilityPolicy,
    Detail,
    Difference,
    Encoding,
    EntityTags,
    Place,
    Violation,
    ViolationKind,
)

SCHEMA_TYPE = "AVRO"
MEDIA_TYPES = ("application/vnd.apache.avro+json", "application/avro+json")


class AvroSchema:
    """An Avro schema that was understood. `root` is its type; names of references are resolved in it.

    `referenced` are the full names of the types that references define; `places` says where the text defines others.
    """

    reserved_misuse: str | None = None

    def __init__(self, root: Type, types: frozenset[str], referenced: frozenset[str], places: Places) -> None:
        """Write the schema once, so that one which cannot be stored is refused here. Raises InvalidSchema."""
        self.root = root
        self.places = places
        self._types = types
        self.referenced = referenced
        renderer = Renderer(types, referenced)
        self.canonical = renderer.text(root)
        check_size(self.canonical)
        self._tags = renderer.tags_found
        self.inlined = Renderer(types, ()).text(root) if referenced else self.canonical

    @property
    def normalized(self) -> str:
        return Renderer(self._types, self.referenced, is_normalized=True).text(self.root)

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(self.root.fields) if isinstance(self.root, Record) else ()

    @property
    def tags(self) -> tuple[EntityTags, ...]:
        return tuple(EntityTags(path, kind, tags) for (kind, path), tags in self._tags.items() if tags)

    def with_tags(self, add: Sequence[EntityTags], remove: Sequence[EntityTags]) -> str:
        tags = merge_tags(self._tags, add, remove)
        return Renderer(self._types, self.referenced, tags=tags).text(self.root)

    def render(self, style: str) -> str:
        return self.inlined if style == "resolved" else self.canonical

    def represent(self, media_type: str, *, pretty: bool) -> bytes:
        if media_type not in MEDIA_TYPES:
            raise KeyError(media_type)
        text = write(json.loads(self.canonical), indent=2) if pretty else self.canonical
        return text.encode()


class AvroFormat:
    """Avro under the rules of one Java release."""

    schema_type = SCHEMA_TYPE
    media_types = MEDIA_TYPES
    kinds: Mapping[str, Kind] = KINDS
    remembers = False

    def __init__(self, rules: AvroRules = AvroRules.V1_12) -> None:
        self._rules = rules

    def parse(self, text: str, references: Sequence[ResolvedReference] = (), *, is_new: bool = True) -> AvroSchema:
        reader = Reader(self._rules)
        texts: dict[str, str] = {}
        for reference in references:
            texts.setdefault(reference.name, reference.text)
        for name, referenced_text in texts.items():
            try:
                reader.read(referenced_text, checks_names=False)
            except InvalidSchema as error:
                raise InvalidSchema(f"Reference '{shorten(name)}' cannot be used: {error}") from None
        referenced = frozenset(reader.types)
        root = reader.read(text, checks_names=is_new)
        if is_new:
            check_defaults(reader.defaults, self._rules)
        return AvroSchema(root, frozenset(reader.types), referenced, reader.places)

    def diff(self, reader: Parsed, writer: Parsed, policy: CompatibilityPolicy, budget: Budget) -> Sequence[Difference]:
        # One verdict under every policy (compatibility-rules 1.4).
        return compare(cast("AvroSchema", reader).root, cast("AvroSchema", writer).root, budget)

    def hazards(self, reader: Parsed, writer: Parsed, budget: Budget) -> Sequence[Difference]:
        ours, theirs = cast("AvroSchema", reader), cast("AvroSchema", writer)
        # Decoders read data of an equal schema as it is, whatever they would make of its unions and aliases.
        return find_hazards(ours.root, theirs.root, budget) if ours.inlined != theirs.inlined else ()

    def reused(
        self, candidate: Parsed, latest: Parsed, earlier: Sequence[Parsed], budget: Budget
    ) -> Sequence[Difference]:
        # Data is read by the schema that it was written with: names mean nothing beyond it.
        return ()

    def explain(self, difference: Difference, reader: Parsed, writer: Parsed) -> Detail:
        ours, theirs = cast("AvroSchema", reader), cast("AvroSchema", writer)
        return explain(difference, (ours.root, ours.places), (theirs.root, theirs.places))

    def locate(self, text: str, paths: Collection[str]) -> Mapping[str, Place]:
        return locate_json(text, paths)

    def describe(self, difference: Difference, reader_name: str, writer_name: str) -> str:
        description = sentence(KINDS[difference.kind], difference, reader_name, writer_name)
        # Names of old versions may not have been checked: a line break in one must not break the line.
        info = " ".join(difference.info.splitlines())
        return f"{{errorType:'{difference.kind}', description:'{description}', additionalInfo:'{info}'}}"

    def logical(self, parsed: Parsed) -> LogicalType:
        schema = cast("AvroSchema", parsed)
        return to_logical(schema.root, schema.referenced)

    def messages(self, parsed: Parsed) -> Sequence[str]:
        """Return the empty name: payloads are of one type."""
        return ("",)

    def payloads(self, parsed: Parsed, message: str = "") -> Payloads:
        if message:
            found = f"the message '{shorten(message)}'"
            text = f"Expected no message, since payloads of an Avro schema are of its one type, found {found}"
            raise InvalidPayload(Violation(ViolationKind.TYPE_MISMATCH, "", text, "no message", found))
        schema = cast("AvroSchema", parsed)
        return AvroPayloads(schema.root, schema.places)

    def unframe(self, parsed: Parsed, body: bytes) -> tuple[str, Encoding, bytes]:
        return "", Encoding.BINARY, body
