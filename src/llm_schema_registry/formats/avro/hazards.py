"""What reads but lies, or may fail, though Java's check passes it (compatibility-rules 5.1 and 5.4).

Refuses to repeat what `diff` finds. Decided here: a logical type that is gained, lost or changed changes the meaning,
since Java goes by the reader's and fastavro by the writer's; only a UUID in a string is a string to everyone. A default
that was changed, another order of fields, symbols or sorting, and a wider decimal harm nothing. A field that is dropped
while another is added with a default is no rename, since nothing but an alias says so.
"""

from __future__ import annotations

from typing import NamedTuple

from llm_schema_registry.formats.avro import kinds
from llm_schema_registry.formats.avro.branches import choose
from llm_schema_registry.formats.avro.defaults import can_be_filled_in
from llm_schema_registry.formats.avro.diff import (
    MAX_FINDINGS,
    Findings,
    compare,
    is_named_alike,
    is_read_plainly,
    matching_names,
)
from llm_schema_registry.formats.avro.document import show
from llm_schema_registry.formats.avro.parse import NamedType
from llm_schema_registry.formats.avro.samples import Trail, name_of, sample_of
from llm_schema_registry.formats.avro.tree import Array, Enum, Field, Fixed, Map, Primitive, Record, Type, Union
from llm_schema_registry.formats.avro.values import compare_values
from llm_schema_registry.formats.base import Budget
from llm_schema_registry.model import Difference


class _Trial(NamedTuple):
    """The outermost union of the reader around a pair: what fails below it, Java's check may not have told."""

    path: str
    writer: Type
    branch: Type
    trail: Trail | None = None
    """The way from the written value to the part of it that a pair is about."""

    def step(self, step: str | int | None) -> _Trial:
        return _Trial(self.path, self.writer, self.branch, Trail(self.trail, step))


class _Pair(NamedTuple):
    reader: Type
    writer: Type
    path: str
    trial: _Trial | None
    beside: Union | None = None
    """The union of the writer that `writer` is a branch of."""


def find_hazards(reader: Type, writer: Type, budget: Budget) -> Findings:
    """Return all hazards in document order, one for each place. Raises TooComplex."""
    return _Walk(reader, writer, budget).run()


class _Walk:
    """A walk over all pairs of types that decoders bring together, each pair once."""

    def __init__(self, reader: Type, writer: Type, budget: Budget) -> None:
        self._root = _Pair(reader, writer, "", None)
        self._budget = budget
        self._found: dict[str, Difference] = {}
        self._told: Findings | None = None

    def run(self) -> Findings:
        seen: set[tuple[int, int, int]] = set()
        waiting = [self._root]
        while waiting and len(self._found) < MAX_FINDINGS:
            pair = waiting.pop()
            self._budget.spend(2 + len(pair.path) // 200)
            key = (id(pair.reader), id(pair.writer), id(pair.beside))
            if key not in seen:
                seen.add(key)
                waiting += reversed(self._step(pair))
        return list(self._found.values())

    def _step(self, pair: _Pair) -> list[_Pair]:
        """Look at one pair of types, and return the pairs below it."""
        reader, writer, path, trial, _ = pair
        match reader, writer:
            case _, Union():
                return [
                    _Pair(reader, branch, f"{path}/{index}", trial and trial.step(index), writer)
                    for index, branch in enumerate(writer.branches)
                ]
            case Union(), _:
                return self._enter_union(reader, pair)
            case Array(), Array():
                return [_Pair(reader.items, writer.items, f"{path}/items", trial and trial.step(None))]
            case Map(), Map():
                return [_Pair(reader.values, writer.values, f"{path}/values", trial and trial.step(None))]
            case Record(), Record():
                self._compare_names(reader, writer, path, trial)
                return self._compare_fields(reader, writer, path, trial)
            case Enum(), Enum():
                self._compare_names(reader, writer, path, trial)
                self._compare_symbols(reader, writer, path, trial)
            case Fixed(), Fixed() if reader.size == writer.size:
                self._compare_names(reader, writer, path, trial)
                self._compare_values(reader, writer, path)
            case Primitive(), Primitive() if is_read_plainly(reader, writer):
                self._compare_values(reader, writer, path)
            case _:
                self._fail(trial, f"{name_of(writer)} at {path}")
        return []

    def _enter_union(self, reader: Union, pair: _Pair) -> list[_Pair]:
        self._budget.spend(len(reader.branches))
        choice = choose(reader, pair.writer, pair.beside)
        if choice.branch is None:
            self._fail(pair.trial, f"{name_of(pair.writer)} at {pair.path}")
            return []
        if choice.rival is not None:
            self._tell_rivals(choice.branch, choice.rival, pair)
            return []
        trial = pair.trial or _Trial(pair.path, pair.writer, choice.branch)
        if choice.is_unnamed:
            self._fail(trial, f"the full name {name_of(pair.writer)}")
        return [_Pair(choice.branch, pair.writer, pair.path, trial)]

    def _tell_rivals(self, chosen: Type, rival: Type, pair: _Pair) -> None:
        writer = pair.writer
        if chosen.type != writer.type:
            outcome = f"5.0, though the union has the branch {name_of(rival)}"
        elif isinstance(writer, Primitive):
            outcome = f"a {rival.type} for a decoder that takes the first branch that fits, such as fastavro"
        else:
            outcome = (
                f"the branch {name_of(chosen)} for Java's decoder, though {name_of(rival)} fits too; fastavro takes "
                "the first that fits"
            )
        self._tell(
            kinds.UNION_BRANCH_AMBIGUOUS,
            pair.path,
            f"{name_of(writer)}: {name_of(chosen)} or {name_of(rival)}",
            sample_of(writer),
            outcome,
        )

    def _compare_names(self, reader: NamedType, writer: NamedType, path: str, trial: _Trial | None) -> None:
        if not is_named_alike(reader, writer):
            self._fail(trial, f"{name_of(writer)} at {path}")

    def _compare_fields(self, reader: Record, writer: Record, path: str, trial: _Trial | None) -> list[_Pair]:
        pairs = []
        taken: set[str] = set()
        for index, field in enumerate(reader.fields.values()):
            at = f"{path}/fields/{index}"
            self._budget.spend(1 + len(field.aliases))
            names = matching_names(field, writer)
            if len(names) == 1:
                written = writer.fields[names[0]]
                if names[0] != field.name:
                    self._compare_alias(field, names[0], reader, writer, at, is_taken=names[0] in taken)
                taken.add(names[0])
                pairs.append(_Pair(field.type, written.type, f"{at}/type", trial and trial.step(names[0])))
            elif names or not field.has_default:
                self._fail(trial, f"field '{field.name}' at {at}")
            elif not can_be_filled_in(field):
                outcome = "fails, or gets no value of the type, where the default is filled in"
                self._tell(kinds.DEFAULT_UNUSABLE, at, field.name, sample_of(writer), outcome)
        return pairs

    def _compare_alias(
        self, field: Field, name: str, reader: Record, writer: Record, path: str, *, is_taken: bool
    ) -> None:
        """Ask whether decoders give the writer's field to this one of the reader's.

        Each gives it to one field only. Java applies the aliases of the fields of a record whose full name is the
        writer's, once the record's own aliases are applied.
        """
        if is_taken or name in reader.fields:
            outcome = (
                f"'{field.name}' or another field of the reader gets the value of '{name}', the other one does not"
            )
        elif reader.name.full != writer.name.full and writer.name.full not in reader.aliases:
            outcome = f"Java's decoder does not find '{name}' for '{field.name}'"
        else:
            return
        self._tell(
            kinds.FIELD_ALIAS_UNRELIABLE, path, f"field '{field.name}' by alias '{name}'", sample_of(writer), outcome
        )

    def _compare_symbols(self, reader: Enum, writer: Enum, path: str, trial: _Trial | None) -> None:
        self._budget.spend(len(writer.symbols) // 10)
        missing = sorted(writer.symbols.keys() - reader.symbols.keys())
        if missing and reader.default is None:
            self._fail(trial, f"symbol {missing[0]} at {path or '/'}", missing[0])
        elif missing and reader.default is not None:
            symbols = f"[{', '.join(missing)}]"
            self._tell(kinds.ENUM_SYMBOL_REPLACED, f"{path}/symbols", symbols, show(missing[0]), show(reader.default))

    def _compare_values(self, reader: Primitive | Fixed, writer: Primitive | Fixed, path: str) -> None:
        harm = compare_values(reader, writer)
        if harm is not None:
            self._tell(harm.kind, path, harm.info, harm.sample, harm.outcome)

    def _fail(self, trial: _Trial | None, reason: str, symbol: str | None = None) -> None:
        """Note what decoders cannot read, unless Java's check said so.

        Outside of unions it did. In one it may have found another branch that fits, or taken a pair that was in
        progress for one that fits and not looked again (compatibility-rules 2.6).
        """
        if trial is None or trial.path in self._found or self._is_told(trial.path):
            return
        outcome = f"fails: decoders take the branch {name_of(trial.branch)}, which cannot read {reason}"
        self._tell(
            kinds.UNION_BRANCH_UNREADABLE, trial.path, reason, sample_of(trial.writer, trial.trail, symbol), outcome
        )

    def _is_told(self, path: str) -> bool:
        """Whether Java's check finds no branch there, or stops at ambiguous aliases; asked seldom, so found late."""
        if self._told is None:
            self._told = compare(self._root.reader, self._root.writer, self._budget)
        return any(
            one.kind == kinds.AMBIGUOUS_FIELD_ALIASES
            or (one.kind == kinds.MISSING_UNION_BRANCH and one.path == (path or "/"))
            for one in self._told
        )

    def _tell(self, kind: str, path: str, info: str, sample: str, outcome: str) -> None:
        self._budget.spend(20)
        self._found.setdefault(path, Difference(kind, path or "/", info, sample, outcome))
