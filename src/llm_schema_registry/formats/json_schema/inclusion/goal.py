"""What is asked while reasoning, and what is answered: is there a value that satisfies these shapes and not those?

Refuses to reason (`search` and the modules of the types do).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from llm_schema_registry.formats.json_schema.inclusion.evaluate import Evaluator
from llm_schema_registry.formats.json_schema.inclusion.parts import Atom, Meanings, Part, PartKind, Shape, Where

MAX_VALUES = 20
"""Values that one answer holds at most."""

Json = Any


class Goal(NamedTuple):
    """Find values that satisfy all of `positive` and none of `negative`.

    They stand inside the values of the goal that asks, or else they are candidates for its own.
    """

    positive: tuple[Shape, ...]
    negative: tuple[Shape, ...] = ()
    is_inside: bool = True

    @property
    def key(self) -> tuple[frozenset[frozenset[int]], frozenset[frozenset[int]]]:
        """Equal for goals that mean the same."""
        return frozenset(shape.id for shape in self.positive), frozenset(shape.id for shape in self.negative)


class Answer(NamedTuple):
    """Values that were found. Without any: a proof that there are none, or where reasoning gave up."""

    values: tuple[Json, ...] = ()
    gaps: tuple[Where, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it is proved that no value exists."""
        return not self.values and not self.gaps


EMPTY = Answer()

Result = TypeVar("Result")
Asking = Generator[Goal, Answer, Result]


class Case:
    """One way in which a goal may be reached by values of one type.

    `parts` hold all that must be satisfied, by id, and `held` those ids and the ids of whole shapes; `pending` are
    those of them that leave a choice; `negative` are the shapes that must not be satisfied, `refused` the ids of those
    that are taken into account; `denials` are single parts that must not be satisfied. `label` are the ids of the parts
    that are denied, so that one value is found for each way to fail. Cases share `parts` until they differ.
    """

    __slots__ = (
        "atom",
        "cache",
        "denials",
        "held",
        "is_dead",
        "is_sifted",
        "label",
        "negative",
        "parts",
        "pending",
        "refused",
    )

    def __init__(self, atom: Atom) -> None:
        self.atom = atom
        self.parts: dict[int, Part] = {}
        self.held: set[int] = set()
        self.refused: frozenset[frozenset[int]] = frozenset()
        self.pending: list[Part] = []
        self.negative: list[Shape] = []
        self.denials: tuple[Part, ...] = ()
        self.label: frozenset[int] = frozenset()
        self.is_dead = False
        self.is_sifted = False
        self.cache: dict[str, Any] = {}

    def add(self, shapes: Sequence[Shape] = (), parts: Sequence[Part] = ()) -> None:
        """Ask for shapes and parts too."""
        waiting = list(parts)
        for shape in shapes:
            self.held |= shape.id
            waiting.extend(shape.parts)
        if waiting:
            self.cache = {}
        seen = set()
        while waiting and not self.is_dead:
            part = waiting.pop()
            kind = part.kind
            if kind is PartKind.ALL:
                # Its id is that of what it leads to, which may be another such part.
                if id(part) not in seen:
                    seen.add(id(part))
                    self.held |= part.shapes[0].id
                    waiting.extend(part.shapes[0].parts)
                continue
            if part.id in self.parts or self.atom not in kind.atoms:
                continue
            self.parts[part.id] = part
            self.held.add(part.id)
            if kind is PartKind.TYPES:
                self.is_dead = self.atom not in part.value
            elif kind is PartKind.NOT:
                self.negative.append(part.shapes[0])
            elif kind in CHOICES and part.is_certain:
                self.pending.append(part)

    def branch(self, choice: Choice) -> Case:
        """Return the case in which a choice is made."""
        case = Case(self.atom)
        case.parts, case.held, case.cache, case.refused = self.parts, self.held, self.cache, self.refused
        case.pending = [part for part in self.pending if part is not choice.settled]
        case.negative = [*self.negative, *choice.negative]
        case.denials = self.denials if choice.denied is None else (*self.denials, choice.denied)
        case.label = self.label if choice.source is None else self.label | {choice.source}
        case.is_dead = self.is_dead
        case.is_sifted = self.is_sifted and not choice.negative and not choice.shapes
        if choice.shapes or choice.parts:
            case.parts, case.held = dict(self.parts), set(self.held)
            case.add(choice.shapes, choice.parts)
        return case

    def of(self, kind: PartKind) -> list[Part]:
        """All parts of a kind that must be satisfied."""
        found: list[Part] | None = self.cache.get(kind.name)
        if found is None:
            found = self.cache[kind.name] = [part for part in self.parts.values() if part.kind is kind]
        return found


class Choice(NamedTuple):
    """What is added to a case by one of several ways to satisfy or to deny something.

    `settled` is the pending part that it satisfies, `source` the id of the part that it denies.
    """

    shapes: tuple[Shape, ...] = ()
    negative: tuple[Shape, ...] = ()
    parts: tuple[Part, ...] = ()
    denied: Part | None = None
    settled: Part | None = None
    source: int | None = None


CHOICES = frozenset({PartKind.ANY, PartKind.ONE, PartKind.IF, PartKind.DEPENDENT_REQUIRED, PartKind.DEPENDENT_SCHEMA})


class Tools(Protocol):
    """What the reasoning about single types needs of the search."""

    meanings: Meanings
    evaluator: Evaluator

    def spend(self, steps: int) -> None:
        """Count work."""
