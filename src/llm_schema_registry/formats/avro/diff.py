"""What stops a reader schema from reading data of a writer schema (compatibility-rules Part 2).

Refuses to judge: every difference found here breaks by its row in `kinds`, and none that is allowed is reported.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias

from llm_schema_registry.formats.avro import kinds
from llm_schema_registry.formats.avro.parse import NamedType
from llm_schema_registry.formats.avro.tree import Array, Enum, Field, Fixed, Map, Primitive, Record, Type, Union
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.model import Difference

# A pair keeps at most so many findings: the pairs below it may repeat theirs, which doubles with every level.
MAX_FINDINGS = 1_000
# A record of 1,000 fields takes some 1,000 steps, a union of 200 records of 20 fields against its like some 45,000.

_PROMOTIONS = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}

Findings: TypeAlias = list[Difference]
# A comparison yields the pairs (reader, writer, path) it needs and is sent the findings of each.
Pair: TypeAlias = tuple[Type, Type, str]
Comparison: TypeAlias = Generator[Pair, Findings, Findings]


class _AmbiguousAliases(Exception):
    """Two fields of the writer fit one of the reader: the whole answer is this one difference (rules 2.4)."""


def compare(reader: Type, writer: Type, budget: Budget) -> Findings:
    """Return all differences in the order of the rules.

    Schemas may refer to themselves and to each other to any depth, so the pairs in progress are on a stack of our own.
    Raises TooComplex.
    """
    try:
        return _Comparer(budget).run((reader, writer, ""))
    except _AmbiguousAliases as ambiguous:
        return list(ambiguous.args)


class _Comparer:
    """One comparison of two schemas, with the memo of rules 2.6."""

    def __init__(self, budget: Budget) -> None:
        self._found: dict[tuple[int, int], Findings] = {}
        self._budget = budget

    def run(self, asked: Pair) -> Findings:
        """Drive the comparisons. A pair met again answers what it found at first, nothing while it is in progress."""
        stack: list[tuple[tuple[int, int], Comparison]] = []
        while True:
            key = (id(asked[0]), id(asked[1]))
            answer = self._found.get(key)
            if answer is None:
                outcome = self._compare(*asked)
                if isinstance(outcome, list):
                    answer = self._found[key] = outcome
                else:
                    self._found[key] = []
                    stack.append((key, outcome))
            while stack:
                key, comparison = stack[-1]
                try:
                    # Sending None starts a comparison that was just put on the stack.
                    asked = comparison.send(answer)  # type: ignore[arg-type] # a started one always gets findings
                    break
                except StopIteration as finished:
                    stack.pop()
                    answer = self._found[key] = finished.value
            else:
                return answer or []

    def _compare(self, reader: Type, writer: Type, path: str) -> Findings | Comparison:
        """Return the findings of a pair, or the comparison that finds them when other pairs have a part in it."""
        self._spend(1, path)
        match reader, writer:
            case Union(), Union():
                return self._compare_unions(reader, writer, path)
            case _, Union():
                return self._read_every_branch(reader, writer, path)
            case Union(), _:
                return self._find_branch(reader, writer, path)
            case Array(), Array():
                return _compare_part(reader.items, writer.items, f"{path}/items")
            case Map(), Map():
                return _compare_part(reader.values, writer.values, f"{path}/values")
            case Record(), Record():
                return self._compare_records(reader, writer, path)
            case Enum(), Enum():
                return self._compare_enums(reader, writer, path)
            case Fixed(), Fixed():
                return _compare_fixed(reader, writer, path)
            case _ if is_read_plainly(reader, writer):
                return []
            case _:
                types = f"reader type: {reader.type.upper()} not compatible with writer type: {writer.type.upper()}"
                return [_difference(kinds.TYPE_MISMATCH, path, types)]

    def _read_every_branch(self, reader: Type, writer: Union, path: str) -> Comparison:
        found: Findings = []
        for index, branch in enumerate(writer.branches):
            self._keep(found, (yield reader, branch, f"{path}/{index}"))
        return found

    def _find_branch(self, reader: Union, writer: Type, path: str) -> Comparison:
        for branch in reader.branches:
            if isinstance(branch, Record) and isinstance(writer, Record) and not is_named_alike(branch, writer):
                self._pass_over(branch, writer, path)
            elif not (yield branch, writer, path):
                return []
        return [_missing_branch(writer, path)]

    def _pass_over(self, reader: Record, writer: Record, path: str) -> None:
        """Look at no field of a record of another name, or each of a hundred records were compared with each.

        Only the aliases are looked at, since they alone can make more of it than a branch that does not fit.
        """
        self._spend(1 + len(reader.fields) // 20, path)
        for index, field in enumerate(reader.fields.values()):
            if field.aliases:
                self._find_field(field, writer, f"{path}/fields/{index}")

    def _compare_unions(self, reader: Union, writer: Union, path: str) -> Comparison:
        found: Findings = []
        for index, branch in enumerate(writer.branches):
            at = f"{path}/{index}"
            if (yield reader, branch, at):
                self._keep(found, [_missing_branch(branch, at)])
        return found

    def _compare_records(self, reader: Record, writer: Record, path: str) -> Comparison:
        found = _compare_names(reader, writer, path)
        for index, field in enumerate(reader.fields.values()):
            at = f"{path}/fields/{index}"
            written = self._find_field(field, writer, at)
            if written is not None:
                # Most fields are plain: not worth a pair, since a mention of a primitive is never met again.
                if not is_read_plainly(field.type, written.type):
                    self._keep(found, (yield field.type, written.type, f"{at}/type"))
            elif isinstance(field.type, Enum) and field.type.default is not None and not field.has_default:
                # The original asks whether the enum reads the whole record. It never does; the finding is called so.
                self._keep(found, (yield field.type, writer, f"{at}/type"))
            elif not field.has_default:
                self._keep(found, [_difference(kinds.READER_FIELD_MISSING_DEFAULT_VALUE, at, field.name)])
        return found

    def _find_field(self, field: Field, writer: Record, path: str) -> Field | None:
        """Find the one field of the writer that has the name of the reader's, or an alias of it (rules 2.4)."""
        self._spend(1 + len(field.aliases), path)
        names = matching_names(field, writer)
        if len(names) > 1:
            fits = f"field '{field.name}' matches {', '.join(names)}"
            raise _AmbiguousAliases(_difference(kinds.AMBIGUOUS_FIELD_ALIASES, path, fits))
        return writer.fields[names[0]] if names else None

    def _compare_enums(self, reader: Enum, writer: Enum, path: str) -> Findings:
        found = _compare_names(reader, writer, path)
        if reader.default is None:
            self._spend(len(writer.symbols), path)
            missing = sorted(writer.symbols.keys() - reader.symbols.keys())
            if missing:
                symbols = f"[{', '.join(missing)}]"
                found.append(_difference(kinds.MISSING_ENUM_SYMBOLS, f"{path}/symbols", symbols))
        return found

    def _keep(self, found: Findings, more: Findings) -> None:
        self._spend(len(more) // 10, "")
        found += more[: MAX_FINDINGS - len(found)]

    def _spend(self, parts: int, path: str) -> None:
        """Count the work, and the memory that paths take: those of schemas that refer in circles grow long."""
        self._budget.spend(parts * (1 + len(path) // 200))


def matching_names(field: Field, writer: Record) -> list[str]:
    """Return the names of the writer's fields that have the name of the reader's or one of its aliases (rules 2.4)."""
    return [name for name in dict.fromkeys((field.name, *field.aliases)) if name in writer.fields]


def is_read_plainly(reader: Type, writer: Type) -> bool:
    """Whether both are primitives, the same or one that is promoted to the other (rules 2.1 and 2.2)."""
    return (
        isinstance(reader, Primitive)
        and isinstance(writer, Primitive)
        and (reader.type == writer.type or writer.type in _PROMOTIONS.get(reader.type, ()))
    )


def _compare_part(reader: Type, writer: Type, path: str) -> Comparison:
    return (yield reader, writer, path)


def _compare_fixed(reader: Fixed, writer: Fixed, path: str) -> Findings:
    found = _compare_names(reader, writer, path)
    if reader.size != writer.size:
        sizes = f"expected: {writer.size}, found: {reader.size}"
        found.append(_difference(kinds.FIXED_SIZE_MISMATCH, f"{path}/size", sizes))
    return found


def is_named_alike(reader: NamedType, writer: NamedType) -> bool:
    """Namespaces do not matter, unless an alias is what makes the names meet (rules 2.3)."""
    return reader.name.simple == writer.name.simple or writer.name.full in reader.aliases


def _compare_names(reader: NamedType, writer: NamedType, path: str) -> Findings:
    if is_named_alike(reader, writer):
        return []
    return [_difference(kinds.NAME_MISMATCH, f"{path}/name", f"expected: {writer.name.full}")]


def _missing_branch(writer: Type, path: str) -> Difference:
    return _difference(kinds.MISSING_UNION_BRANCH, path, f"reader union lacking writer type: {writer.type.upper()}")


def _difference(kind: str, path: str, info: str) -> Difference:
    return Difference(kind, path or "/", info)
