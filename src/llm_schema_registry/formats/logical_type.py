"""The neutral type of a schema seen as a table: rows of columns, lists, maps and scalars (compatibility-rules 1.5).

Refuses to know any format, and what a change of a type means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import msgspec

from llm_schema_registry.errors import InvalidSchema

MAX_DEPTH = 50
"""Types inside each other: more than tables have, and few enough for recursion."""

UNBOUNDED = 2**31 - 1
"""The length of text or bytes without a limit, as SQL engines write it."""

DEFAULT_PRECISION = 10

_INTEGER = re.compile(r"-?[0-9]{1,9}")


class Root(StrEnum):
    """The kinds of scalars, by their names in SQL."""

    BOOLEAN = "BOOLEAN"
    TINYINT = "TINYINT"
    SMALLINT = "SMALLINT"
    INT = "INT"
    BIGINT = "BIGINT"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    DECIMAL = "DECIMAL"
    CHAR = "CHAR"
    VARCHAR = "VARCHAR"
    BINARY = "BINARY"
    VARBINARY = "VARBINARY"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    TIMESTAMP_LTZ = "TIMESTAMP_LTZ"
    VARIANT = "VARIANT"


_UNSIZED = frozenset(
    {
        Root.BOOLEAN,
        Root.TINYINT,
        Root.SMALLINT,
        Root.INT,
        Root.BIGINT,
        Root.FLOAT,
        Root.DOUBLE,
        Root.DATE,
        Root.VARIANT,
    }
)


class Scalar(msgspec.Struct, frozen=True):
    """A type without parts.

    `size` is a length in characters or bytes, the digits of a decimal, or the digits of a fraction of a second.
    """

    root: Root
    size: int = 0
    scale: int = 0

    def __str__(self) -> str:
        if self.root is Root.DECIMAL:
            return f"DECIMAL({self.size}, {self.scale})"
        if self.root in _UNSIZED or self.size == UNBOUNDED:
            return self.root.value
        return f"{self.root.value}({self.size})"


class Slot(NamedTuple):
    """Where a type is used: as a column, an element, or a key or value of a map."""

    type: LogicalType
    is_nullable: bool

    def __str__(self) -> str:
        return f"{self.type}" if self.is_nullable else f"{self.type} NOT NULL"


class Column(NamedTuple):
    """A named part of a row. A null is no default.

    `place` leads into the schema's own text, as the paths of `model.Detail` do; None when it is in a reference.
    """

    name: str
    slot: Slot
    has_default: bool
    place: str | None


class Row:
    """A struct, or a union of which one column has a value. `columns` are by name, in order."""

    __slots__ = ("columns", "depth", "is_union")

    def __init__(self, columns: Iterable[Column], *, is_union: bool = False) -> None:
        """Take columns of different names. Raises InvalidSchema when the row nests too deep."""
        self.columns = {column.name: column for column in columns}
        self.is_union = is_union
        self.depth = _depth(column.slot for column in self.columns.values())

    def __str__(self) -> str:
        return "UNION" if self.is_union else "ROW"


class ListOf:
    """A list of elements."""

    __slots__ = ("depth", "element")

    def __init__(self, element: Slot) -> None:
        """Take the elements' type. Raises InvalidSchema when it nests too deep."""
        self.element = element
        self.depth = _depth((element,))

    def __str__(self) -> str:
        return "LIST"


class MapOf:
    """A map of keys to values."""

    __slots__ = ("depth", "key", "value")

    def __init__(self, key: Slot, value: Slot) -> None:
        """Take the types of keys and values. Raises InvalidSchema when they nest too deep."""
        self.key = key
        self.value = value
        self.depth = _depth((key, value))

    def __str__(self) -> str:
        return "MAP"


LogicalType: TypeAlias = Scalar | Row | ListOf | MapOf
"""A type as a tree that may share parts: a named type that is used twice is one object. It never contains itself."""

TEXT = Scalar(Root.VARCHAR, UNBOUNDED)


class Conversion:
    """What the conversion of one schema remembers: the parts that are made, and those that it is in the midst of."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Slot] = {}
        self._open: set[Hashable] = set()

    def once(self, key: Hashable, what: str, make: Callable[[], Slot]) -> Slot:
        """Make a part, or return it as it was made before.

        Raises InvalidSchema for a part inside of itself, and beyond MAX_DEPTH of parts inside each other.
        """
        if key in self._made:
            return self._made[key]
        if key in self._open:
            raise InvalidSchema(f"The type {what[:200]} contains itself, which no column of a table can")
        if len(self._open) == MAX_DEPTH:
            raise InvalidSchema(_too_deep())
        self._open.add(key)
        made = self._made[key] = make()
        self._open.remove(key)
        return made


def sized(fixed: Root, variable: Root, least: object, most: object) -> Scalar:
    """Return text or bytes between two lengths: of a fixed length where both are the same. Raises InvalidSchema."""
    length = whole(most, UNBOUNDED)
    return Scalar(fixed if whole(least, 0) == length else variable, length)


def decimal(precision: object, scale: object) -> Scalar:
    """Return a decimal with what a schema says of it, be it in range or not. Raises InvalidSchema for no numbers."""
    return Scalar(Root.DECIMAL, whole(precision, DEFAULT_PRECISION), whole(scale, 0))


def whole(value: object, default: int) -> int:
    """Read a whole number, also one in quotes, cut to what 32 bits hold. Raises InvalidSchema for anything else."""
    if value is None:
        return default
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        if not -UNBOUNDED <= value <= UNBOUNDED:
            return UNBOUNDED if value > 0 else -UNBOUNDED
        if int(value) == value:
            return int(value)
    raise InvalidSchema(f"{str(value)[:80]!r} is not a whole number, as a length, precision or scale has to be")


def _depth(slots: Iterable[Slot]) -> int:
    inner = max((slot.type.depth for slot in slots if not isinstance(slot.type, Scalar)), default=0)
    if inner == MAX_DEPTH:
        raise InvalidSchema(_too_deep())
    return inner + 1


def _too_deep() -> str:
    return f"The schema nests more than {MAX_DEPTH} types inside each other, which is too deep for a table"
