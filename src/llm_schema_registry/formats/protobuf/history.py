"""Numbers and names that a new version takes up again after the latest one had given them up.

Refuses to compare with the latest version: that is what `diff` and `hazards` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.protobuf.layout import MessageLayout, SchemaLayout
from llm_schema_registry.model import Difference


class _Use(NamedTuple):
    """What a number means in a version: a name, and for a field its type. `text` is the declaration."""

    name: str
    type: str
    text: str


class _Wanted(NamedTuple):
    """The numbers and names that a candidate takes up; None stands for all there are."""

    numbers: frozenset[int]
    names: frozenset[str]


_Uses = dict[int, list[_Use]]
_Read = Callable[[SchemaLayout, _Wanted | None], _Uses]


def find_reuse(
    candidate: SchemaLayout, latest: SchemaLayout, earlier: Iterable[SchemaLayout], budget: Budget
) -> list[Difference]:
    """Return each number that meant something else before, and each name that belonged to another number.

    Messages and enums are the same by their names within the package. What the latest version has is old news. Linear
    in the fields and values of all versions. Raises TooComplex.
    """
    versions = (latest, *earlier)
    found: list[Difference] = []
    for name in candidate.roots:
        now = _fields(candidate, candidate.message(name), None)
        found += _compare(candidate, name, now, versions, partial(_fields_of, name, candidate.package), budget)
    for name in candidate.own_enums:
        now = _values(candidate.enum(name).numbers, None)
        found += _compare(candidate, name, now, versions, partial(_values_of, name, candidate.package), budget)
    return found


def _fields_of(name: str, package: str, schema: SchemaLayout, wanted: _Wanted | None) -> _Uses:
    known = schema.counterpart(name, package)
    return _fields(schema, schema.message(known), wanted) if known else {}


def _values_of(name: str, package: str, schema: SchemaLayout, wanted: _Wanted | None) -> _Uses:
    known = schema.enum_counterpart(name, package)
    return _values(schema.enum(known).numbers, wanted) if known else {}


def _fields(schema: SchemaLayout, message: MessageLayout, wanted: _Wanted | None) -> _Uses:
    uses = {}
    for number, field in message.fields.items():
        if wanted is None or number in wanted.numbers or field.name in wanted.names:
            kind = schema.type_text(field)
            is_list = field.is_repeated and not field.is_map
            shape = ("repeated " if is_list else "") + kind.removeprefix(field.label)
            uses[number] = [_Use(field.name, shape, f"{kind} {field.name} = {number}")]
    return uses


def _values(numbers: dict[str, int], wanted: _Wanted | None) -> _Uses:
    uses: _Uses = {}
    for name, number in numbers.items():
        if wanted is None or number in wanted.numbers or name in wanted.names:
            uses.setdefault(number, []).append(_Use(name, "", f"{name} = {number}"))
    return uses


def _compare(
    schema: SchemaLayout, name: str, now: _Uses, versions: Sequence[SchemaLayout], read: _Read, budget: Budget
) -> Iterator[Difference]:
    latest = read(versions[0], None)
    taken = {use.name for uses in latest.values() for use in uses}
    names = {use.name for uses in now.values() for use in uses}
    wanted = _Wanted(frozenset(now.keys() - latest.keys()), frozenset(names - taken))
    if not (wanted.numbers or wanted.names):
        return
    former: dict[str, set[int]] = {}
    meanings: _Uses = {}
    for version in versions[1:]:
        budget.spend(20 + len(now) // 4)
        for number, uses in read(version, wanted).items():
            meanings.setdefault(number, []).extend(uses)
            for use in uses:
                former.setdefault(use.name, set()).add(number)
    path = "#/" + schema.local_name(name).replace(".", "/")
    for number, uses in now.items():
        here = f"{path}/{number}"
        known = {use[:2] for use in uses}
        other = next((use for use in meanings.get(number, ()) if use[:2] not in known), None)
        if number in wanted.numbers and other is not None:
            yield Difference("WIRE_NUMBER_REUSED", here, f"{uses[0].text} against {other.text}")
        for use in uses:
            if use.name in wanted.names and former.get(use.name, set()) - {number}:
                yield Difference("WIRE_NAME_REUSED", here, use.name)
