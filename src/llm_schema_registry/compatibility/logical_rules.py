"""What no table can be, and what no table can become: the rules of Flink and Iceberg (compatibility-rules 1.5).

Refuses to know formats and levels; it compares two neutral types, one direction at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from llm_schema_registry.compatibility import logical_kinds as kinds
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.logical_type import Column, ListOf, LogicalType, MapOf, Root, Row, Scalar, Slot


class Table(StrEnum):
    """The kinds of tables whose rules are asked; by their names in Confluent's messages."""

    FLINK = "FLINK"
    ICEBERG = "ICEBERG_V2"


BOTH = (Table.FLINK, Table.ICEBERG)
_ICEBERG = (Table.ICEBERG,)

_MAX_DIGITS = 38
_MAX_ICEBERG_PRECISION = 6

# What exact numbers need in digits before the point, and what each number may become without loss.
_DIGITS = {Root.TINYINT: 3, Root.SMALLINT: 5, Root.INT: 10, Root.BIGINT: 19}
_WIDER = {
    Root.TINYINT: {Root.SMALLINT, Root.INT, Root.BIGINT, Root.FLOAT, Root.DOUBLE},
    Root.SMALLINT: {Root.INT, Root.BIGINT, Root.FLOAT, Root.DOUBLE},
    Root.INT: {Root.BIGINT, Root.DOUBLE},
    Root.FLOAT: {Root.DOUBLE},
}
_VARIABLE = {Root.CHAR: Root.VARCHAR, Root.BINARY: Root.VARBINARY}

# Iceberg has one integer of 32 bits and one type of text: what it cannot tell apart is no change to it.
_IN_ICEBERG = {Root.TINYINT: Root.INT, Root.SMALLINT: Root.INT, Root.CHAR: Root.VARCHAR}
_PROMOTIONS = {(Root.INT, Root.BIGINT), (Root.FLOAT, Root.DOUBLE)}

_LEAST_LENGTHS = {Root.CHAR: 1, Root.BINARY: 1, Root.VARCHAR: 0, Root.VARBINARY: 0}
_TIMESTAMPS = {Root.TIMESTAMP, Root.TIMESTAMP_LTZ}


class At(NamedTuple):
    """A place in both types: its path, and where its column stands in the texts of the reader and the writer."""

    path: str = ""
    reader: str | None = ""
    writer: str | None = ""

    def column(self, name: str, reader: Column | None, writer: Column | None) -> At:
        """Return the place of a column that either row has, or both."""
        path = f"{self.path}.{name}" if self.path else name
        return At(path, reader.place if reader else None, writer.place if writer else None)

    def inside(self, token: str) -> At:
        """Return the place of the elements of a list, or of the keys or values of a map."""
        return self._replace(path=self.path + token)


class Problem(NamedTuple):
    """A rule that is broken, and for which tables. `before` stands in the writer, `after` in the reader."""

    kind: str
    at: At
    tables: tuple[Table, ...]
    before: str
    after: str
    info: str


def validate(schema: LogicalType, budget: Budget) -> Sequence[Problem]:
    """Return what no table can have, whatever came before. Raises TooComplex."""
    problems: list[Problem] = []
    seen: set[int] = set()
    waiting: list[tuple[LogicalType, At]] = [(schema, At(writer=None))]
    while waiting:
        part, at = waiting.pop()
        budget.spend(2 + len(at.path) // 64)
        if isinstance(part, Scalar):
            problems += _invalid_scalar(part, at)
        elif id(part) not in seen:
            seen.add(id(part))
            if isinstance(part, Row):
                problems += _invalid_row(part, at)
            waiting += reversed(list(_parts(part, at)))
    return problems


def _parts(part: Row | ListOf | MapOf, at: At) -> Iterator[tuple[LogicalType, At]]:
    if isinstance(part, Row):
        for name, column in part.columns.items():
            yield column.slot.type, at.column(name, column, None)
    elif isinstance(part, ListOf):
        yield part.element.type, at.inside("[]")
    else:
        yield part.key.type, at.inside("{key}")
        yield part.value.type, at.inside("{}")


def _invalid_row(row: Row, at: At) -> Iterator[Problem]:
    if not row.columns:
        yield Problem(kinds.ROW_EMPTY, at, _ICEBERG, "", str(row), str(row))
    by_folded: dict[str, list[str]] = defaultdict(list)
    for name in row.columns:
        by_folded[name.casefold()].append(name)
    for names in by_folded.values():
        if len(names) > 1:
            listed = ", ".join(names)
            yield Problem(kinds.NAMES_DIFFER_BY_CASE, at, _ICEBERG, "", listed, listed)


def _invalid_scalar(scalar: Scalar, at: At) -> Iterator[Problem]:
    root, text = scalar.root, str(scalar)
    if root is Root.DECIMAL:
        if not (1 <= scalar.size <= _MAX_DIGITS and 0 <= scalar.scale <= scalar.size):
            yield Problem(kinds.DECIMAL_OUT_OF_RANGE, at, BOTH, "", text, text)
    elif root in _LEAST_LENGTHS:
        if scalar.size < _LEAST_LENGTHS[root]:
            yield Problem(kinds.LENGTH_OUT_OF_RANGE, at, BOTH, "", text, text)
    elif root is Root.VARIANT:
        yield Problem(kinds.VARIANT_UNSUPPORTED, at, _ICEBERG, "", text, text)
    elif root in _TIMESTAMPS and scalar.size > _MAX_ICEBERG_PRECISION:
        yield Problem(kinds.TIMESTAMP_TOO_FINE, at, _ICEBERG, "", text, text)


def compare(reader: LogicalType, writer: LogicalType, budget: Budget) -> Sequence[Problem]:
    """Return what forbids a table of the writer's rows to become one of the reader's. Raises TooComplex.

    A pair of types that meets again, in another column, is not looked at again: its problems are told once.
    """
    comparison = _Comparison(budget)
    comparison.types(reader, writer, At())
    return comparison.problems


class _Comparison:
    """One comparison. Types nest no deeper than `logical_type.MAX_DEPTH`, so it may recurse."""

    def __init__(self, budget: Budget) -> None:
        self.problems: list[Problem] = []
        self._budget = budget
        self._seen: set[tuple[int, int]] = set()

    def types(self, reader: LogicalType, writer: LogicalType, at: At) -> None:
        """Compare two types that stand at one place."""
        self._budget.spend(2 + len(at.path) // 64)
        if isinstance(reader, Scalar) and isinstance(writer, Scalar):
            self._scalars(reader, writer, at)
            return
        pair = (id(reader), id(writer))
        if pair in self._seen:
            return
        self._seen.add(pair)
        if isinstance(reader, Row) and isinstance(writer, Row) and reader.is_union is writer.is_union:
            self._rows(reader, writer, at)
        elif isinstance(reader, ListOf) and isinstance(writer, ListOf):
            self._slots(reader.element, writer.element, at.inside("[]"))
        elif isinstance(reader, MapOf) and isinstance(writer, MapOf):
            here = at.inside("{key}")
            if not self._is_same(reader.key, writer.key):
                self._report(kinds.MAP_KEY_CHANGED, here, writer.key, reader.key, _ICEBERG)
            self._slots(reader.key, writer.key, here)
            self._slots(reader.value, writer.value, at.inside("{}"))
        else:
            self._report(kinds.STRUCTURE_CHANGED, at, writer, reader)

    def _rows(self, reader: Row, writer: Row, at: At) -> None:
        common = [name for name in reader.columns if name in writer.columns]
        former = [name for name in writer.columns if name in reader.columns]
        if common != former:
            first = next(name for name, other in zip(common, former, strict=True) if name != other)
            problem = Problem(kinds.COLUMNS_REORDERED, at, _ICEBERG, ", ".join(former), ", ".join(common), first)
            self.problems.append(problem)
        for name, column in reader.columns.items():
            before = writer.columns.get(name)
            here = at.column(name, column, before)
            if before is None:
                self._budget.spend()
                self._added(column, here)
                continue
            if before.has_default and not (column.has_default or column.slot.is_nullable):
                self._report(kinds.DEFAULT_REMOVED, here, before.slot, column.slot, info=str(column.slot))
            self._slots(column.slot, before.slot, here)
        for name, before in writer.columns.items():
            if name not in reader.columns:
                here = at.column(name, None, before)
                self._report(kinds.COLUMN_REMOVED, here, before.slot, "", _ICEBERG, info=str(before.slot))

    def _added(self, column: Column, at: At) -> None:
        if column.slot.is_nullable:
            return
        is_collection = isinstance(column.slot.type, ListOf | MapOf)
        if not column.has_default:
            self._report(kinds.COLUMN_ADDED_NOT_NULL, at, "", column.slot, info=str(column.slot))
        elif not is_collection:
            self._report(kinds.COLUMN_ADDED_NOT_NULL, at, "", column.slot, _ICEBERG, info=str(column.slot))

    def _slots(self, reader: Slot, writer: Slot, at: At) -> None:
        if writer.is_nullable and not reader.is_nullable:
            self._report(kinds.MADE_NOT_NULL, at, writer, reader)
        self.types(reader.type, writer.type, at)

    def _scalars(self, reader: Scalar, writer: Scalar, at: At) -> None:
        kind = _loss(reader, writer)
        if kind is not None:
            self._report(kind, at, writer, reader)
        elif not _is_promotion(reader, writer):
            self._report(kinds.TYPE_NOT_PROMOTED, at, writer, reader, _ICEBERG)

    def _is_same(self, reader: Slot, writer: Slot) -> bool:
        """Whether two types are one and the same, all through."""
        self._budget.spend(2)
        left, right = reader.type, writer.type
        if reader.is_nullable is not writer.is_nullable or str(left) != str(right):
            return False
        if isinstance(left, Row) and isinstance(right, Row):
            return list(left.columns) == list(right.columns) and all(
                self._is_same(column.slot, right.columns[name].slot) for name, column in left.columns.items()
            )
        if isinstance(left, ListOf) and isinstance(right, ListOf):
            return self._is_same(left.element, right.element)
        if isinstance(left, MapOf) and isinstance(right, MapOf):
            return self._is_same(left.key, right.key) and self._is_same(left.value, right.value)
        return True

    def _report(
        self,
        kind: str,
        at: At,
        before: LogicalType | Slot | str,
        after: LogicalType | Slot | str,
        tables: tuple[Table, ...] = BOTH,
        info: str = "",
    ) -> None:
        self.problems.append(Problem(kind, at, tables, str(before), str(after), info or f"{before} became {after}"))


def _loss(reader: Scalar, writer: Scalar) -> str | None:
    """Return the kind of loss when values of a writer's type become the reader's; None when all of them fit."""
    root = writer.root
    if reader.root is not root:
        return None if _is_widened(reader, writer) else kinds.TYPE_NOT_WIDENED
    if root is Root.DECIMAL and reader.scale != writer.scale:
        return kinds.SCALE_CHANGED
    if root is Root.DECIMAL:
        return kinds.PRECISION_REDUCED if reader.size < writer.size else None
    if root in _VARIABLE.values():
        return kinds.LENGTH_REDUCED if reader.size < writer.size else None
    if reader.size == writer.size:
        return None
    return kinds.LENGTH_CHANGED if root in _VARIABLE else kinds.TEMPORAL_PRECISION_CHANGED


def _is_widened(reader: Scalar, writer: Scalar) -> bool:
    if reader.root is Root.DECIMAL:
        digits = _DIGITS.get(writer.root)
        return digits is not None and reader.size - reader.scale >= digits
    if _VARIABLE.get(writer.root) is reader.root:
        return reader.size >= writer.size
    return reader.root in _WIDER.get(writer.root, ())


def _is_promotion(reader: Scalar, writer: Scalar) -> bool:
    """Whether Iceberg takes a change that loses nothing. Sizes and scales were compared before."""
    after, before = (_IN_ICEBERG.get(scalar.root, scalar.root) for scalar in (reader, writer))
    return after is before or (before, after) in _PROMOTIONS
