"""Schemas as conjunctions of small parts, the same for every draft, and which of them mean the same.

Refuses to read schema texts (`shapes`) and to reason (`search`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import IntEnum, auto
from fractions import Fraction
from typing import Any, NamedTuple

from llm_schema_registry.formats.places import pointer_token

Atom = str
NULL, BOOLEAN, INTEGER, WHOLE, FRACTION, STRING, ARRAY, OBJECT = (
    "null",
    "boolean",
    "integer",
    # A number that is written with a fraction or exponent but is whole (1.0): no integer in draft 4.
    "whole",
    "fraction",
    "string",
    "array",
    "object",
)
ATOMS = (NULL, BOOLEAN, INTEGER, WHOLE, FRACTION, STRING, ARRAY, OBJECT)
EVERY = frozenset(ATOMS)
NUMBERS = frozenset({INTEGER, WHOLE, FRACTION})
_STRINGS = frozenset({STRING})
_ARRAYS = frozenset({ARRAY})
_OBJECTS = frozenset({OBJECT})

_ROUNDS = 40
_MAX_EXPONENT = 1_000


class PartKind(IntEnum):
    """What a part asks for. In brackets the value and the shapes that it holds."""

    TYPES = auto()  # [frozenset of atoms]
    VALUES = auto()  # [JSON values by their `value_key`]
    ALL = auto()  # [-; shape]
    ANY = auto()  # [-; shapes]
    ONE = auto()  # [-; shapes]
    NOT = auto()  # [-; shape]
    IF = auto()  # [-; condition, then, else]
    OPAQUE = auto()  # [what cannot be reasoned about]
    MIN_LENGTH = auto()  # [int]
    MAX_LENGTH = auto()  # [int]
    PATTERN = auto()  # [regular expression]
    FORMAT = auto()  # [keyword, name: what only validators can test]
    MINIMUM = auto()  # [Fraction, is exclusive]
    MAXIMUM = auto()  # [Fraction, is exclusive]
    MULTIPLE_OF = auto()  # [Fraction]
    PREFIX = auto()  # [index; shape]
    REST = auto()  # [first index; shape]
    CONTAINS = auto()  # [minimum, maximum or None; shape]
    MIN_ITEMS = auto()  # [int]
    MAX_ITEMS = auto()  # [int]
    UNIQUE = auto()
    PROPERTY = auto()  # [name; shape]
    PATTERN_PROPERTY = auto()  # [regular expression; shape]
    ADDITIONAL = auto()  # [frozenset of names, tuple of patterns; shape]
    REQUIRED = auto()  # [name]
    MIN_PROPERTIES = auto()  # [int]
    MAX_PROPERTIES = auto()  # [int]
    PROPERTY_NAMES = auto()  # [-; shape]
    DEPENDENT_REQUIRED = auto()  # [name, name]
    DEPENDENT_SCHEMA = auto()  # [name; shape]
    UNEVALUATED_PROPERTIES = auto()  # [Reach, Reach: surely and perhaps evaluated; shape, all parts beside it]
    UNEVALUATED_ITEMS = auto()  # likewise

    @property
    def atoms(self) -> frozenset[Atom]:
        """The types of values that such a part says something about."""
        return _ATOMS.get(self, EVERY)


_ATOMS = {
    **dict.fromkeys((PartKind.MIN_LENGTH, PartKind.MAX_LENGTH, PartKind.PATTERN, PartKind.FORMAT), _STRINGS),
    **dict.fromkeys((PartKind.MINIMUM, PartKind.MAXIMUM, PartKind.MULTIPLE_OF), NUMBERS),
    **dict.fromkeys(
        (
            PartKind.PREFIX,
            PartKind.REST,
            PartKind.CONTAINS,
            PartKind.MIN_ITEMS,
            PartKind.MAX_ITEMS,
            PartKind.UNIQUE,
            PartKind.UNEVALUATED_ITEMS,
        ),
        _ARRAYS,
    ),
    **dict.fromkeys(
        (
            PartKind.PROPERTY,
            PartKind.PATTERN_PROPERTY,
            PartKind.ADDITIONAL,
            PartKind.REQUIRED,
            PartKind.MIN_PROPERTIES,
            PartKind.MAX_PROPERTIES,
            PartKind.PROPERTY_NAMES,
            PartKind.DEPENDENT_REQUIRED,
            PartKind.DEPENDENT_SCHEMA,
            PartKind.UNEVALUATED_PROPERTIES,
        ),
        _OBJECTS,
    ),
}


class Where(NamedTuple):
    """The way from a document's root to a keyword; `document` is the reference name, empty for the schema itself."""

    document: str
    parent: Where | None = None
    token: str = ""

    def below(self, token: str | int) -> Where:
        """Go one step down."""
        return Where(self.document, self, str(token))

    def __str__(self) -> str:
        tokens = []
        where = self
        while where.parent is not None:
            tokens.append(pointer_token(where.token))
            where = where.parent
        return "".join(f"/{token}" for token in reversed(tokens))


NOWHERE = Where("")


class Reach(NamedTuple):
    """What keywords evaluate: properties by name and pattern, or the first `length` items; or everything."""

    names: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    length: int = 0
    is_everything: bool = False


class Part:
    """One constraint. `id` is equal for parts that mean the same, once `Meanings` settled them.

    A part that is not certain is asserted by some validators only: a writer's is not relied on, a reader's is held.
    """

    __slots__ = ("id", "is_certain", "kind", "shapes", "value", "where")

    def __init__(
        self,
        kind: PartKind,
        value: Any = None,  # noqa: ANN401 - see PartKind
        shapes: tuple[Shape, ...] = (),
        where: Where = NOWHERE,
        *,
        is_certain: bool = True,
    ) -> None:
        self.kind = kind
        self.value = value
        self.shapes = shapes
        self.where = where
        self.is_certain = is_certain
        self.id = 0


class Shape:
    """A schema: all its parts hold. Without parts it takes everything. `id` as for parts.

    `load` makes the parts of a shape that has its id already, when they are first asked for.
    """

    __slots__ = ("_load", "_parts", "id", "where")

    def __init__(
        self, parts: Iterable[Part] = (), where: Where = NOWHERE, load: Callable[[Shape], list[Part]] | None = None
    ) -> None:
        self._parts = list(parts)
        self._load = load
        self.where = where
        self.id: frozenset[int] = frozenset()

    @property
    def parts(self) -> list[Part]:
        """The parts; the list may grow until the shape is settled."""
        if self._load is not None:
            load, self._load = self._load, None
            self._parts = load(self)
        return self._parts


class Meanings:
    """Gives equal ids to what means the same, on both sides of a comparison.

    Shapes that lead into a circle are told apart by rounds of refinement (as a minimal automaton is found); if that
    takes too many rounds each is taken to mean something of its own, which loses speed but is never wrong.
    """

    def __init__(self) -> None:
        self._ids: dict[object, int] = {}
        self.true = self.settle_one(Shape())
        self.false = self.settle_one(Shape([Part(PartKind.TYPES, frozenset())]))

    def of_text(self, draft: object, text: str) -> frozenset[int]:
        """The id of a schema that refers to nothing, by its text."""
        return frozenset({self._id(("text", draft, text))})

    def make(self, kind: PartKind, value: Any = None, shapes: tuple[Shape, ...] = ()) -> Part:  # noqa: ANN401
        """Make a part that stands in no text."""
        part = Part(kind, value, shapes)
        self.settle_one(Shape([part]))
        return part

    def settle(self, shapes: Iterable[Shape], spend: Callable[[int], None]) -> None:
        """Give ids to all of these shapes, which hold no others, and to their parts."""
        pending = {id(shape): shape for shape in shapes}
        _cut_circles(pending)
        users: dict[int, list[int]] = {}
        missing: dict[int, int] = {}
        for key, shape in pending.items():
            inner = {id(child) for part in shape.parts for child in part.shapes} & pending.keys()
            missing[key] = len(inner)
            for child in inner:
                users.setdefault(child, []).append(key)
        ready = [key for key, count in missing.items() if not count]
        while ready:
            key = ready.pop()
            shape = pending.pop(key)
            spend(2 + len(shape.parts))
            self.settle_one(shape)
            for user in users.get(key, ()):
                missing[user] -= 1
                if not missing[user]:
                    ready.append(user)
        if pending:
            self._refine(list(pending.values()), spend)

    def settle_one(self, shape: Shape) -> Shape:
        """Give an id to a shape whose inner shapes have theirs."""
        found: set[int] = set()
        self.settle_parts(shape.parts)
        for part in shape.parts:
            if part.kind is PartKind.ALL:
                found |= part.shapes[0].id
            else:
                found.add(part.id)
        shape.id = frozenset(found)
        return shape

    def settle_parts(self, parts: Iterable[Part]) -> None:
        """Give ids to parts whose shapes have theirs."""
        for part in parts:
            part.id = self._id((part.kind, part.is_certain, _signature(part), tuple(c.id for c in part.shapes)))

    def _id(self, meaning: object) -> int:
        return self._ids.setdefault(meaning, len(self._ids) + 1)

    def _refine(self, shapes: list[Shape], spend: Callable[[int], None]) -> None:
        for shape in shapes:
            shape.id = frozenset({0})
        classes = 1
        for _ in range(_ROUNDS):
            fresh = []
            for shape in shapes:
                spend(1 + len(shape.parts))
                parts = [
                    (part.kind, part.is_certain, _signature(part), *(c.id for c in part.shapes)) for part in shape.parts
                ]
                fresh.append(frozenset({self._id(("circle", frozenset(parts)))}))
            for shape, meaning in zip(shapes, fresh, strict=True):
                shape.id = meaning
            count = len(set(fresh))
            if count == classes:
                break
            classes = count
        else:
            for shape in shapes:
                shape.id = frozenset({self._id(("alone", id(shape)))})
        for shape in shapes:
            self.settle_parts(shape.parts)


def _cut_circles(shapes: dict[int, Shape]) -> None:
    """Replace what makes a schema ask for itself of the same value: nobody can say what that means."""
    inner = {
        key: [(part, id(child)) for part in shape.parts if part.kind in _SAME_VALUE for child in part.shapes]
        for key, shape in shapes.items()
    }
    for key in _on_circles({key: [child for _, child in children] for key, children in inner.items()}):
        parts = shapes[key].parts
        parts[:] = [
            Part(PartKind.OPAQUE, object(), where=part.where) if part.kind in _SAME_VALUE else part for part in parts
        ]


def _on_circles(graph: dict[int, list[int]]) -> set[int]:
    """The nodes that can be left over: those that do not only lead to ends, in both directions."""
    remaining = set(graph)
    reverse: dict[int, list[int]] = {}
    for key, children in graph.items():
        for child in children:
            reverse.setdefault(child, []).append(key)
    for forward, backward in ((graph, reverse), (reverse, graph)):
        counts = {key: sum(child in remaining for child in forward.get(key, ())) for key in remaining}
        ends = [key for key, count in counts.items() if not count]
        while ends:
            key = ends.pop()
            remaining.discard(key)
            for user in backward.get(key, ()):
                if user in remaining:
                    counts[user] -= 1
                    if not counts[user]:
                        ends.append(user)
    return remaining


_SAME_VALUE = frozenset(
    {PartKind.ALL, PartKind.ANY, PartKind.ONE, PartKind.NOT, PartKind.IF, PartKind.DEPENDENT_SCHEMA}
)


def _signature(part: Part) -> object:
    if part.kind is PartKind.VALUES:
        return frozenset(part.value)
    return part.value


def value_key(value: object) -> object:
    """A hashable stand-in, equal for values that JSON Schema calls equal: 1 is 1.0 but not true."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value if not isinstance(value, bool) else (value,)
    if isinstance(value, list):
        return ("list", *map(value_key, value))
    if isinstance(value, dict):
        return frozenset((name, value_key(item)) for name, item in value.items())
    number = fraction(value)
    return ("huge", str(value)) if number is None else number


def fraction(number: Any) -> Fraction | None:  # noqa: ANN401 - a JSON number
    """The exact value; None when its exponent makes arithmetic expensive."""
    if isinstance(number, Decimal) and abs(number.adjusted()) > _MAX_EXPONENT:
        return None
    return Fraction(number)


def atom_of(value: object) -> Atom:
    """The type of a JSON value."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INTEGER
    if isinstance(value, Decimal):
        exact = fraction(value)
        return WHOLE if exact is None or exact.denominator == 1 else FRACTION
    if isinstance(value, str):
        return STRING
    return ARRAY if isinstance(value, list) else OBJECT
