"""What a person needs to understand a difference: where it stands in both texts, what stood there, how to mend it.

Refuses to find differences, and to advise policies or levels (the judge does).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llm_schema_registry.formats.base import sentence
from llm_schema_registry.formats.json_schema.document import write_json
from llm_schema_registry.formats.json_schema.kinds import KINDS
from llm_schema_registry.formats.json_schema.pointers import Spot, find
from llm_schema_registry.formats.json_schema.references import Resources
from llm_schema_registry.model import Detail, Difference

_CLIP = 200
_LISTED = 5


def explain(difference: Difference, reader: Resources, writer: Resources) -> Detail:
    """Explain a difference between these two. Never raises; bounded by the length of its path and of both documents."""
    kind = KINDS[difference.kind]
    is_inclusion = difference.kind.startswith("DOCUMENT_")
    path = _raw(difference.path) if is_inclusion else difference.path
    is_elsewhere = is_inclusion and not difference.path.startswith("#")
    after = None if is_elsewhere else _narrowed(find(reader, path), difference.kind, reader)
    before = None if is_elsewhere else _narrowed(find(writer, path), difference.kind, writer)
    facts = Facts(difference, path, before, after, find(reader, _parent(path)))
    remedy = facts.remedy() if kind.remedy else ""
    return Detail(
        reader_path=after.pointer if after else None,
        writer_path=before.pointer if before else None,
        before=_text(before),
        after=_text(after),
        explanation=_explanation(facts, sentence(kind, difference, "reader", "writer")),
        remedy=remedy or kind.remedy,
    )


class Facts:
    """A difference with what stands at its place; makes the remedy."""

    def __init__(
        self, difference: Difference, path: str, before: Spot | None, after: Spot | None, parent: Spot | None
    ) -> None:
        """Take what was found."""
        self.difference = difference
        self.kind = difference.kind
        self.keyword, self.name = _last(path)
        self.before = before
        self.after = after
        self.parent = parent

    @property
    def place(self) -> str:
        """Where to mend, in words."""
        spot = self.after or self.parent
        if spot is None or spot.pointer is None:
            return "the reader"
        return f"the reader at '{spot.pointer}'" if spot.pointer else "the reader's root"

    def remedy(self) -> str:
        """One or two sentences that name what to write; empty when the kind's own remedy says it all."""
        if self.kind.startswith(_OWN_REMEDY):
            return ""
        # Every kind that breaks has one of these endings.
        return next(make(self) for ending, make in _REMEDIES if self.kind.endswith(ending))


def _added(facts: Facts) -> str:
    return (
        f"Take {_member(facts.keyword, facts.after)} out of the reader; or let the writer have it in a version before, "
        "once no data without it is left."
    )


def _loosened(facts: Facts) -> str:
    return f"Write {_member(facts.keyword, facts.before)} in the reader, as the writer has it, or something looser."


def _enum(facts: Facts) -> str:
    old, new = _listed(facts.before), _listed(facts.after)
    known = {write_json(value) for value in new}
    missing = [text for value in old if (text := write_json(value)) not in known]
    if not missing:
        return ""
    more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
    return f"Add {', '.join(missing[:_LISTED])}{more} to the values of {facts.place}."


def _type(facts: Facts) -> str:
    old, new = _types(facts.before), _types(facts.after)
    if old and new:
        names = list(dict.fromkeys((*new, *old)))
        if "number" in names and "integer" in names:
            names.remove("integer")
        listed = f'"{names[0]}"' if len(names) == 1 else write_json(names)
        return f'Write "type": {listed} in {facts.place}, so that it takes what the writer allows too.'
    return f'Offer both in the reader: {{"anyOf": [{_text(facts.before)}, {_text(facts.after)}]}}.'


def _required(facts: Facts) -> str:
    return (
        f'Take "{facts.name}" out of "required" in the reader; or let the writer require it in a version before. '
        "Validators do not fill in a default."
    )


def _open(facts: Facts) -> str:
    return (
        f'Documents may already hold "{facts.name}" with any value. Close the model with "additionalProperties": false '
        f'in the version before, or declare "{facts.name}": {{}} in the reader, or give the property another name.'
    )


def _required_unopen(facts: Facts) -> str:
    return (
        f'Documents written before do not hold "{facts.name}". Take it out of "required" in the reader, or give it a '
        "default."
    )


def _item_open(facts: Facts) -> str:
    return (
        f"Arrays may already hold any value at position {facts.name}. Declare that item as {{}} in the reader, or "
        "forbid additional items in the version before."
    )


def _uncovered(facts: Facts) -> str:
    what = _text(facts.after or facts.before)
    return f'Write a schema for "{facts.name}" that takes all that covered it before; now it is {what}.'


def _removed_closed(facts: Facts) -> str:
    return (
        f'Keep "{facts.name}": {_text(facts.before)} in the reader, or declare "{facts.name}": {{}}, or permit '
        "what is not declared."
    )


def _rest(facts: Facts) -> str:
    before = _text(facts.before) or "true"
    return f'Write "{facts.keyword}": {before} in the reader: documents of the writer may hold what it refuses.'


def _refused(facts: Facts) -> str:
    keyword = facts.keyword
    sample = facts.difference.sample
    if keyword == "type" and facts.after is not None:
        return (
            f'Widen "type": {_text(facts.after)} in {facts.place} so that it takes the value that was refused '
            f"({facts.difference.outcome})."
        )
    if facts.before is not None and _text(facts.before) != _text(facts.after):
        return (
            f"Write {_member(keyword, facts.before)} in {facts.place}, as the writer has it, or something looser that "
            f"takes {_clip(sample)}."
        )
    return (
        f"Loosen or remove {_member(keyword, facts.after)} in {facts.place} so that it takes {_clip(sample)}; or let "
        "the writer refuse such documents in a version before."
    )


def _undecided(facts: Facts) -> str:
    what = f" there ({_member(facts.keyword, facts.after)})" if facts.after is not None and facts.keyword else ""
    return (
        f"Leave {facts.place} as it was{what}, or write it with simpler keywords: without circles of one value, "
        "dynamic references, look-around in patterns, or unevaluated keywords beside choices."
    )


_REMEDIES: tuple[tuple[str, Callable[[Facts], str]], ...] = (
    ("DOCUMENT_REFUSED", _refused),
    ("DOCUMENT_UNDECIDED", _undecided),
    ("REQUIRED_ATTRIBUTE_ADDED", _required),
    ("ITEM_ADDED_TO_OPEN_CONTENT_MODEL", _item_open),
    ("ADDED_TO_OPEN_CONTENT_MODEL", _open),
    ("ADDED_TO_UNOPEN_CONTENT_MODEL", _required_unopen),
    ("NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", _uncovered),
    ("REMOVED_FROM_CLOSED_CONTENT_MODEL", _removed_closed),
    ("ADDITIONAL_PROPERTIES_REMOVED", _rest),
    ("ADDITIONAL_PROPERTIES_NARROWED", _rest),
    ("ADDITIONAL_ITEMS_REMOVED", _rest),
    ("ADDITIONAL_ITEMS_NARROWED", _rest),
    ("UNEVALUATED_PROPERTIES_REMOVED", _rest),
    ("UNEVALUATED_PROPERTIES_NARROWED", _rest),
    ("UNEVALUATED_ITEMS_REMOVED", _rest),
    ("UNEVALUATED_ITEMS_NARROWED", _rest),
    ("ENUM_ARRAY_NARROWED", _enum),
    ("ENUM_ARRAY_CHANGED", _enum),
    ("TYPE_CHANGED", _type),
    ("TYPE_NARROWED", _type),
    ("_ADDED", _added),
    ("_DECREASED", _loosened),
    ("_INCREASED", _loosened),
    ("_EXPANDED", _loosened),
    ("_EXTENDED", _loosened),
    ("_CHANGED", _loosened),
)
# These say enough themselves, or name several places.
_OWN_REMEDY = ("COMBINED_TYPE", "PRODUCT_TYPE", "SUM_TYPE", "NOT_TYPE")


def _explanation(facts: Facts, text: str) -> str:
    if facts.kind == "DOCUMENT_REFUSED":
        return (
            f"{_clip(facts.difference.sample)} is valid under the writer, but the reader refuses it: "
            f"{facts.difference.outcome}."
        )
    if facts.kind == "DOCUMENT_UNDECIDED":
        return f"{text}; it is treated as incompatible."
    return f"{text}."


def _raw(path: str) -> str:
    """The path of an inclusion finding, whose names are escaped, as `find` takes it."""
    document, _, pointer = path.partition("#")
    return f"{document}#{pointer}".replace("~1", "/").replace("~0", "~")


def _narrowed(spot: Spot | None, kind: str, resources: Resources) -> Spot | None:
    """Go from a schema to the keyword that a kind speaks of, if the schema has it."""
    if spot is None or not isinstance(spot.value, dict):
        return spot
    for prefix, keywords in _KEYWORDS_OF:
        if kind.startswith(prefix):
            named = (resources.draft.id_keyword,) if prefix == "ID_CHANGED" else keywords
            keyword = next((word for word in named if word in spot.value), None)
            if keyword is None:
                return None if kind in _ANNOTATIONS else spot
            pointer = None if spot.pointer is None else f"{spot.pointer}/{keyword}"
            return Spot(pointer, spot.value[keyword])
    return spot


_KEYWORDS_OF = (
    ("TYPE_", ("type",)),
    ("ID_CHANGED", ()),
    ("TITLE_CHANGED", ("title",)),
    ("DESCRIPTION_CHANGED", ("description",)),
    ("DEFAULT_CHANGED", ("default",)),
    ("SUM_TYPE", ("oneOf", "anyOf", "type")),
    ("PRODUCT_TYPE", ("allOf",)),
    ("COMBINED_TYPE", ("oneOf", "anyOf", "allOf", "type")),
)
_ANNOTATIONS = frozenset({"ID_CHANGED", "TITLE_CHANGED", "DESCRIPTION_CHANGED", "DEFAULT_CHANGED"})


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "#"


def _last(path: str) -> tuple[str, str]:
    """The last keyword of a path, and the name or index behind it."""
    tokens = path.partition("#")[2].split("/")[1:]
    if len(tokens) > 1 and tokens[-2] in _NAMING:
        return tokens[-2], tokens[-1]
    return (tokens[-1], tokens[-1]) if tokens else ("", "")


_NAMING = frozenset({"properties", "required", "dependencies", "items", "patternProperties"})


def _member(keyword: str, spot: Spot | None) -> str:
    return f'"{keyword}": {_text(spot)}' if spot is not None else f'"{keyword}"'


def _listed(spot: Spot | None) -> list[Any]:
    if spot is None:
        return []
    return spot.value if isinstance(spot.value, list) else [spot.value]


def _types(spot: Spot | None) -> list[str]:
    return [name for name in _listed(spot) if isinstance(name, str)]


def _text(spot: Spot | None) -> str:
    return "" if spot is None else _clip(write_json(spot.value))


def _clip(text: str) -> str:
    return text if len(text) <= _CLIP else f"{text[:_CLIP]}..."
