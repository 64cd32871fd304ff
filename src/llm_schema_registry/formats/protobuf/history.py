"""Numbers and names that a new version takes up again after the latest one had given them up.

Refuses to compare with the latest version: that is what `diff` and `hazards` do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from llm_schema_registry.formats.protobuf.layout import MessageLayout, SchemaLayout
from llm_schema_registry.model import Difference


class _Use(NamedTuple):
    """What a number means in a version: a name, and for a field its type. `text` is the declaration."""

    name: str
    type: str
    text: str


def find_reuse(candidate: SchemaLayout, latest: SchemaLayout, earlier: Sequence[SchemaLayout]) -> list[Difference]:
    """Return each number that meant something else before, and each name that belonged to another number.

    Messages and enums are the same by their names within the package. What the latest version has is old news. Linear
    in the fields and values of all versions.
    """
    found: list[Difference] = []
    for name in candidate.roots:
        versions = (
            _fields(schema, schema.message(known)) if (known := schema.counterpart(name, candidate.package)) else {}
            for schema in (latest, *earlier)
        )
        found += _compare(candidate, name, _fields(candidate, candidate.message(name)), versions)
    for name in candidate.own_enums:
        versions = (
            _values(schema.enum(known).numbers) if (known := schema.enum_counterpart(name, candidate.package)) else {}
            for schema in (latest, *earlier)
        )
        found += _compare(candidate, name, _values(candidate.enum(name).numbers), versions)
    return found


def _fields(schema: SchemaLayout, message: MessageLayout) -> dict[int, list[_Use]]:
    uses = {}
    for number, field in message.fields.items():
        kind = schema.type_text(field)
        is_list = field.is_repeated and not field.is_map
        shape = ("repeated " if is_list else "") + kind.removeprefix(field.label)
        uses[number] = [_Use(field.name, shape, f"{kind} {field.name} = {number}")]
    return uses


def _values(numbers: dict[str, int]) -> dict[int, list[_Use]]:
    uses: dict[int, list[_Use]] = {}
    for name, number in numbers.items():
        uses.setdefault(number, []).append(_Use(name, "", f"{name} = {number}"))
    return uses


def _compare(
    schema: SchemaLayout, name: str, now: dict[int, list[_Use]], versions: Iterator[dict[int, list[_Use]]]
) -> Iterable[Difference]:
    latest = next(versions)
    taken = {use.name for uses in latest.values() for use in uses}
    if now.keys() <= latest.keys() and taken.issuperset(use.name for uses in now.values() for use in uses):
        # Nothing is taken up, so that earlier versions need not be laid out.
        return
    former: dict[str, set[int]] = {}
    meanings: dict[int, list[_Use]] = {}
    for version in versions:
        for number, uses in version.items():
            meanings.setdefault(number, []).extend(uses)
            for use in uses:
                former.setdefault(use.name, set()).add(number)
    path = "#/" + schema.local_name(name).replace(".", "/")
    for number, uses in now.items():
        here = f"{path}/{number}"
        known = {use[:2] for use in uses}
        other = next((use for use in meanings.get(number, ()) if use[:2] not in known), None)
        if number not in latest and other is not None:
            yield Difference("WIRE_NUMBER_REUSED", here, f"{uses[0].text} against {other.text}")
        for use in uses:
            if use.name not in taken and former.get(use.name, set()) - {number}:
                yield Difference("WIRE_NAME_REUSED", here, use.name)
