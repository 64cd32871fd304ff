"""Where `$ref` leads: inside the document, to registered references, to ids in those, to official metaschemas.

Refuses the network and the file system: what is not registered does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urljoin

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.json_schema.document import read_json, write_json, write_sorted
from llm_schema_registry.formats.json_schema.drafts import (
    LISTED,
    MAPPED,
    SINGLE,
    Draft,
    check_metaschema,
    is_metaschema,
    pointer,
)
from llm_schema_registry.formats.places import pointer_token, token_name

_ANCHORS = ("$anchor", "$dynamicAnchor")
_LISTED_NAMES = 20


class Place(NamedTuple):
    """A schema together with the address that its relative references start from."""

    schema: Any
    base: str


class _Origin(NamedTuple):
    """The way from a document's root to a part, for messages only."""

    document: str
    parent: _Origin | None = None
    tokens: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        path: list[str | int] = []
        origin: _Origin | None = self
        while origin is not None:
            path.extend(reversed(origin.tokens))
            origin = origin.parent
        at = f"'{pointer(path[::-1])}'"
        return f"{at} of the reference '{self.document}'" if self.document else at


class Resources:
    """All documents a schema may refer to, indexed by address, anchor and reference name. Immutable once built."""

    def __init__(self, draft: Draft, root: object, references: Sequence[ResolvedReference]) -> None:
        """Index the root and its references; of two equal names or ids the first wins. Raises InvalidSchema."""
        self.draft = draft
        self.references = tuple(references)
        self._by_address: dict[str, Place] = {}
        self._by_name: dict[str, Place] = {}
        self._anchors: dict[tuple[str, str], Place] = {}
        # Names that a reference may find anew in each schema it is reached from; `$recursiveAnchor` has none.
        self.dynamic_anchors: list[str] = []
        self._bases: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._texts: dict[int, str] = {}
        self._pending: list[tuple[str, str, _Origin]] = []
        # Subschemas that were held against the metaschema: as part of the root, or as target of a `$ref`.
        self._checked: set[int] = set()
        self.root = self._add("", "", root, is_checked=True)
        for reference in references:
            if reference.name not in self._by_name:
                place = self._add(_address(reference.name), reference.name, read_json(reference.text), is_checked=False)
                self._by_name[reference.name] = place
                self._names[id(place.schema)] = reference.name
        self._check()
        self._pending.clear()

    @cached_property
    def text(self) -> str:
        """The root document as text, numbers as their author wrote them."""
        return write_json(self.root.schema)

    @cached_property
    def pointers(self) -> Mapping[int, tuple[int, str]]:
        """Where each object stands, by identity: the number of its document (0 is the root) and a pointer."""
        found: dict[int, tuple[int, str]] = {}
        for number, document in enumerate([self.root.schema, *(place.schema for place in self._by_name.values())]):
            stack: list[tuple[Any, str]] = [(document, "")]
            while stack:
                value, pointer = stack.pop()
                if isinstance(value, dict):
                    found.setdefault(id(value), (number, pointer))
                    stack.extend((item, f"{pointer}/{pointer_token(name)}") for name, item in value.items())
                elif isinstance(value, list):
                    stack.extend((item, f"{pointer}/{index}") for index, item in enumerate(value))
        return found

    @property
    def is_static(self) -> bool:
        """Whether every reference leads to one schema, whatever way it is reached by."""
        return len(set(self.dynamic_anchors)) == len(self.dynamic_anchors)

    def is_schema(self, value: object) -> bool:
        """Whether a part of a document is a schema object, as far as references and keywords tell."""
        return id(value) in self._bases

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the registered references, first one first."""
        return tuple(self._by_name)

    def document(self, name: str) -> Place:
        """Return the document registered under a name."""
        return self._by_name[name]

    def is_document(self, schema: object) -> bool:
        """Whether this is the root or a whole registered document."""
        return schema is self.root.schema or id(schema) in self._names

    def name_of(self, place: Place) -> str | None:
        """Return the reference name of a place that is a whole registered document."""
        return self._names.get(id(place.schema))

    def text_of(self, schema: object) -> str:
        """Return the text of a part of these documents with sorted keys; written once."""
        text = self._texts.get(id(schema))
        if text is None:
            text = self._texts[id(schema)] = write_sorted(schema)
        return text

    def base_of(self, schema: object, base: str) -> str:
        """Return the address that references inside a schema start from, given its surroundings' address."""
        return self._bases.get(id(schema), base)

    def find(self, reference: str, base: str) -> Place | None:
        """Follow a `$ref` written where `base` holds; None when it is dangling or an official metaschema."""
        if reference in self._by_name:
            return self._by_name[reference]
        address, _, fragment = reference.partition("#")
        return self._at(address, base, unquote(fragment))

    def _check(self) -> None:
        """Raise InvalidSchema for the first dangling `$ref`, those in targets outside the known keywords included."""
        # The list grows while targets are entered.
        for reference, base, origin in self._pending:
            target = self.find(reference, base)
            if target is not None:
                self._check_target(target, reference, origin)
            elif not is_metaschema(_join(base, reference.partition("#")[0])):
                name = reference.partition("#")[0][:200]
                mend = f"add a reference named '{name}'" if name else "add that part to the document"
                raise InvalidSchema(
                    f"Dangling $ref '{reference[:200]}' at {origin}: it is neither in the document nor registered; "
                    f"{mend}, or correct the $ref. Known names: {self._listed_names()}"
                )

    def _check_target(self, target: Place, reference: str, origin: _Origin) -> None:
        """Hold a part against the metaschema unless the root's own check reached it there."""
        if isinstance(target.schema, dict) and id(target.schema) not in self._checked:
            where = f" of what the $ref '{reference[:200]}' leads to"
            check_metaschema(write_json(target.schema), self.draft, where)
            self._enter_all(target, origin, is_checked=True)

    def _listed_names(self) -> str:
        names = [f"'{name}'" for name in self._by_name]
        rest = f" and {len(names) - _LISTED_NAMES} more" if len(names) > _LISTED_NAMES else ""
        return ", ".join(names[:_LISTED_NAMES]) + rest if names else "none"

    def _at(self, address: str, base: str, fragment: str) -> Place | None:
        for known in (_join(base, address) if address else base, _address(address)):
            resource = self._by_address.get(known)
            if resource is not None:
                break
        else:
            resource = self._by_name.get(unquote(address))
        if resource is None or not fragment:
            return resource
        if fragment.startswith("/"):
            return self._walk(resource, fragment.split("/")[1:])
        return self._anchors.get((resource.base, fragment))

    def _walk(self, resource: Place, tokens: list[str]) -> Place | None:
        names = [token_name(token) for token in tokens]
        found = self._descend(resource, names)
        if found is None and names[0] == "$defs":
            # Top-level definitions count as $defs, where they do not exist (rules 3.1).
            found = self._descend(resource, ["definitions", *names[1:]])
        return found

    def _descend(self, resource: Place, names: list[str]) -> Place | None:
        value, base = resource
        for name in names:
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdecimal() and len(name) < 10 and int(name) < len(value):
                value = value[int(name)]
            else:
                return None
            base = self._bases.get(id(value), base)
        return Place(value, base) if isinstance(value, dict | bool) else None

    def _add(self, address: str, name: str, document: object, *, is_checked: bool) -> Place:
        place = Place(document, self._base(document, address))
        self._by_address.setdefault(address, place)
        self._enter_all(Place(document, address), _Origin(name), is_checked=is_checked)
        return place

    def _enter_all(self, start: Place, origin: _Origin, *, is_checked: bool) -> None:
        """Index ids, anchors and references of a schema and all its subschemas, without recursion."""
        stack: list[tuple[Any, str, _Origin, bool]] = [(start.schema, start.base, origin, is_checked)]
        while stack:
            schema, outer, at, is_known = stack.pop()
            if not isinstance(schema, dict):
                continue
            if id(schema) not in self._bases:
                self._enter(schema, outer, at)
            if is_known:
                self._checked.add(id(schema))
            base = self._bases[id(schema)]
            self._check_unknown_tuple(schema, at)
            parts = [
                (part, base, _Origin(at.document, at, tokens), is_known and self.draft.knows(str(tokens[0])))
                for tokens, part in subschemas(schema)
            ]
            stack.extend(reversed(parts))

    def _check_unknown_tuple(self, schema: dict[str, Any], origin: _Origin) -> None:
        """Hold against the metaschema what comparing reads though the draft has no such keyword (rules 3.2.2)."""
        items = schema.get("prefixItems", [])
        if self.draft is Draft.D2019 and items != []:
            check_metaschema(write_json({"allOf": items}), self.draft, f" of the prefixItems at {origin}")

    def _enter(self, schema: dict[str, Any], outer: str, origin: _Origin) -> None:
        base = self._base(schema, outer)
        if base != outer:
            self._by_address.setdefault(base, Place(schema, base))
        self._bases[id(schema)] = base
        named = schema.get(self.draft.id_keyword)
        if isinstance(named, str) and "#" in named and not self.draft.is_modern:
            self._anchors.setdefault((base, named.partition("#")[2]), Place(schema, base))
        for keyword in _ANCHORS if self.draft.is_modern else ():
            anchor = schema.get(keyword)
            if isinstance(anchor, str):
                self._anchors.setdefault((base, anchor), Place(schema, base))
            if keyword == "$dynamicAnchor" and isinstance(anchor, str):
                self.dynamic_anchors.append(anchor)
        if schema.get("$recursiveAnchor") is True and self.draft is Draft.D2019:
            self.dynamic_anchors.append("")
        for keyword in ("$ref", "$dynamicRef") if self.draft.is_modern else ("$ref",):
            if keyword in schema:
                reference = schema[keyword]
                if not isinstance(reference, str):
                    raise InvalidSchema(f"The {keyword} at {origin} is not a string; write the address of a schema")
                self._pending.append((reference, base, _Origin(origin.document, origin, (keyword,))))
        if self.draft.is_modern and isinstance(schema.get("items"), list):
            raise InvalidSchema(
                f"The items at {origin} is a list, which serializers of {self.draft.value} do not load; "
                "write prefixItems (2020-12), or use draft 7"
            )

    def _base(self, schema: object, outer: str) -> str:
        if not isinstance(schema, dict) or ("$ref" in schema and not self.draft.is_modern):
            return outer
        named = schema.get(self.draft.id_keyword)
        address = named.partition("#")[0] if isinstance(named, str) else ""
        return _join(outer, address) if address else outer


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the path and value of each direct subschema of a schema object, in document order."""
    for keyword, value in schema.items():
        if keyword in MAPPED and isinstance(value, dict):
            for name, part in value.items():
                yield (keyword, name), part
        elif keyword in LISTED and isinstance(value, list):
            for index, part in enumerate(value):
                yield (keyword, index), part
        elif keyword in SINGLE:
            yield (keyword,), value


def with_bridged_definitions(root: dict[str, Any]) -> dict[str, Any]:
    """Copy the entries of a document's `definitions` into its `$defs`, where they do not exist (rules 3.1)."""
    definitions = root.get("definitions")
    own = root.get("$defs", {})
    if not definitions or not isinstance(definitions, dict) or not isinstance(own, dict):
        return root
    return {**root, "$defs": {**definitions, **own}}


def _address(text: str) -> str:
    """Percent-encode what a URI may not hold, so that any string can be an address."""
    return quote(text.partition("#")[0], safe="%/:=&?~+!$,;'@()*[]")


def _join(base: str, address: str) -> str:
    try:
        return urljoin(base, _address(address))
    except ValueError:  # urllib refuses some addresses, e.g. an unclosed [ in the host
        return address
