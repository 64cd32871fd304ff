"""Which branch of a reader's union decoders take, where that is not the one by which the schemas were found compatible.

Refuses to look inside a branch. Two decoders count: Java's takes the branch of the same type or full name wherever it
stands, fastavro the first that fits at all.
"""

from __future__ import annotations

from typing import NamedTuple

from llm_schema_registry.formats.avro.diff import is_named_alike, is_read_plainly
from llm_schema_registry.formats.avro.parse import NamedType
from llm_schema_registry.formats.avro.tree import Enum, Fixed, Primitive, Record, Type, Union

_INTEGERS = ("int", "long")
_FLOATING = ("float", "double")


class Choice(NamedTuple):
    """The branch that Java takes; None if there is none. `rival` is the branch another decoder or a person expects.

    With `is_unnamed` Java takes none, although one is named alike: it wants the full name of an enum or fixed.
    """

    branch: Type | None
    rival: Type | None = None
    is_unnamed: bool = False


def choose(reader: Union, writer: Type, beside: Union | None) -> Choice:
    """Choose for one type of the writer, which may be a branch of the union `beside`.

    A primitive that stands before the writer's type in the writer's own union already is no news, and no rival: who
    has a union of string and bytes could change nothing any more. Types of one name or alias are, since those fail.
    """
    match writer:
        case Primitive():
            return _choose_primitive(reader, writer, beside)
        case Record() | Enum() | Fixed():
            return _choose_named(reader, writer, beside)
        case _:
            return Choice(next((branch for branch in reader.branches if branch.type == writer.type), None))


def _choose_primitive(reader: Union, writer: Primitive, beside: Union | None) -> Choice:
    fitting = [branch for branch in reader.branches if is_read_plainly(branch, writer)]
    if not fitting:
        return Choice(None)
    first = fitting[0]
    exact = next((branch for branch in fitting if branch.type == writer.type), None)
    if exact is not None:
        is_harmless = {first.type, exact.type} <= {*_INTEGERS} or {first.type, exact.type} <= {*_FLOATING}
        is_rival = not is_harmless and first is not exact and not _stands_before(beside, first, writer)
        return Choice(exact, first if is_rival else None)
    integer = next((branch for branch in fitting if branch.type == "long"), None)
    return Choice(first, integer if first.type in _FLOATING else None)


def _choose_named(reader: Union, writer: NamedType, beside: Union | None) -> Choice:
    alike = [
        branch
        for branch in reader.branches
        if isinstance(branch, NamedType) and branch.type == writer.type and is_named_alike(branch, writer)
    ]
    if not alike:
        return Choice(None)
    # Java renames the writer's type by the reader's aliases at first; the last reader that has the alias wins.
    exact = [branch for branch in alike if branch.name.full == writer.name.full]
    exact += [branch for branch in alike if writer.name.full in branch.aliases]
    if not exact and not isinstance(writer, Record) and not _are_equivalent(reader, beside):
        return Choice(alike[0], is_unnamed=True)
    chosen = exact[-1] if exact else alike[-1]
    # A branch that has the name loses it to one that has it for an alias: none of both is what was meant for sure.
    first = next((branch for branch in (*exact[:1], *reader.branches) if _is_first_fit(branch, writer)), None)
    if first is chosen:
        first = next((branch for branch in reader.branches if _is_first_fit(branch, writer)), None)
    return Choice(chosen, first if first is not chosen else None)


def _is_first_fit(reader: Type, writer: NamedType) -> bool:
    """fastavro goes by simple names, of whatever kind of type, and knows aliases without their namespace too."""
    if not isinstance(reader, NamedType) or (
        isinstance(reader, Fixed) and isinstance(writer, Fixed) and reader.size != writer.size
    ):
        return False
    return is_named_alike(reader, writer) or writer.name.simple in reader.aliases


def _stands_before(union: Union | None, rival: Type, writer: Primitive) -> bool:
    """Whether a branch of the rival's type stands before the writer's type in the writer's own union."""
    types = [branch.type for branch in union.branches] if union is not None else []
    return writer.type in types and rival.type in types[: types.index(writer.type)]


def _are_equivalent(reader: Union, writer: Union | None) -> bool:
    """Whether Java pairs the branches of two unions by their index, seen from plain branches, enums and fixed only."""
    return (
        writer is not None
        and len(reader.branches) == len(writer.branches)
        and all(_is_equivalent(*pair) for pair in zip(reader.branches, writer.branches, strict=True))
    )


def _is_equivalent(reader: Type, writer: Type) -> bool:
    match reader, writer:
        case Primitive(), Primitive():
            return reader.type == writer.type
        case Enum(), Enum():
            return reader.name.simple == writer.name.simple and list(reader.symbols) == list(writer.symbols)
        case Fixed(), Fixed():
            return reader.name.simple == writer.name.simple and reader.size == writer.size
        case _:
            return False
