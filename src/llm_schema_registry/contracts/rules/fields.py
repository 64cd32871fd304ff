"""Runs a rule on the fields that its tags choose (CEL_FIELD), one value at a time, as Confluent's clients walk them.

Refuses to say what a rule's verdict means. Looked at are fields of primitive types, and each value in a list or a map
of them; absent fields are not, and null only where the format has it as a value of its own (Avro).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from llm_schema_registry.contracts.cel.cost import MAX_NANOSECONDS, MAX_ROUNDS
from llm_schema_registry.contracts.cel.engine import Environment, NotEvaluated
from llm_schema_registry.contracts.cel.messages import message_at
from llm_schema_registry.contracts.cel.values import Change, branch_for, guarded, inward, outward
from llm_schema_registry.contracts.fields import FieldTags, Record, Spot
from llm_schema_registry.contracts.rules.compile import PRIMITIVES, CompiledRule
from llm_schema_registry.formats.places import pointer_token
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind, walk_shapes

_CONVERTED = 50
_SCALAR_SIZE = 24


class Judged(NamedTuple):
    """What a rule says of one value: right, or wrong, or with `error` nothing."""

    path: str
    is_right: bool
    error: str = ""


class Changed(NamedTuple):
    """A payload with its values changed. `is_run` says that the rule ran on at least one of them."""

    value: object
    is_run: bool


class _Record(NamedTuple):
    """A record as rules see it; the original is kept, so that no other takes its identity."""

    original: Record
    ready: object
    size: int


@dataclass(slots=True)
class _Work:
    """A rule on its way through a payload, and what it has cost."""

    rule: CompiledRule
    root: object
    now: Timestamp | None
    rounds: int = 0
    nanoseconds: float = 0
    is_run: bool = False
    records: dict[int, _Record] = field(default_factory=dict)

    def charge(self, size: int) -> None:
        """Count one value of a size. Raises NotEvaluated when it is one too many."""
        self.rounds += 1
        self.nanoseconds += self.rule.costs[min(size.bit_length(), len(self.rule.costs) - 1)]
        if self.rule.needs_message:
            self.nanoseconds += size * _CONVERTED
        if self.rounds > MAX_ROUNDS or self.nanoseconds > MAX_NANOSECONDS:
            raise NotEvaluated(f"it takes too long: {self.rounds} values are in its fields, or they are too large")


class FieldValues:
    """The fields of one schema's payloads, as rules see them."""

    def __init__(self, environment: Environment, shape: Shape, tags: FieldTags) -> None:
        self._environment = environment
        self._tags = tags
        self._is_message = shape.descriptor is not None
        self._holders = {id(one): holder for holder in walk_shapes(shape) for one in holder.fields.values()}
        self._changes: dict[int, Change | None] = {}

    def judge(self, rule: CompiledRule, root: object, plain: object, now: Timestamp | None) -> Iterator[Judged]:
        """Yield the rule's verdict on each value, none where its guard is false. Raises NotEvaluated for too many.

        `root` is the payload that `plain` stands for.
        """
        work = _Work(rule, root, now)
        for spot in rule.paths.visit(plain):
            if spot.value is msgspec.UNSET:
                continue
            for path, shape, value in self._leaves(spot.field, spot.path, spot.field.shape, spot.value):
                self._charge(work, spot, value)
                try:
                    is_run, result = self._evaluate(work, spot, shape, value)
                except NotEvaluated as error:
                    yield Judged(path, is_right=False, error=str(error))
                    continue
                if is_run:
                    # Only false itself is a no to Confluent's clients.
                    yield Judged(path, is_right=result is not False)

    def change(self, rule: CompiledRule, root: object, plain: object, now: Timestamp | None) -> Changed:
        """Return the payload with each value replaced by what the rule gives. Raises NotEvaluated."""
        work = _Work(rule, root, now)
        value = rule.paths.replace(plain, lambda spot: self._changed(work, spot))
        return Changed(value, work.is_run)

    def _changed(self, work: _Work, spot: Spot) -> object:
        return self._replaced(work, spot, spot.field.shape, spot.value)

    def _replaced(self, work: _Work, spot: Spot, shape: Shape, value: object) -> object:
        if shape.kind is ShapeKind.COMBINED:
            shape = branch_for(shape, value)
        if isinstance(value, list) and shape.items is not None:
            return [self._replaced(work, spot, shape.items, item) for item in value]
        if isinstance(value, dict) and shape.items is not None:
            return {key: self._replaced(work, spot, shape.items, item) for key, item in value.items()}
        if not self._is_seen(spot.field, shape, value):
            return value
        self._charge(work, spot, value)
        is_run, result = self._evaluate(work, spot, shape, value)
        work.is_run |= is_run
        return outward(shape, result) if is_run else value

    def _leaves(self, one: ShapeField, path: str, shape: Shape, value: object) -> Iterator[tuple[str, Shape, object]]:
        if shape.kind is ShapeKind.COMBINED:
            shape = branch_for(shape, value)
        if isinstance(value, list) and shape.items is not None:
            for index, item in enumerate(value):
                yield from self._leaves(one, f"{path}/{index}", shape.items, item)
        elif isinstance(value, dict) and shape.items is not None:
            for key, item in value.items():
                yield from self._leaves(one, f"{path}/{pointer_token(str(key))}", shape.items, item)
        elif self._is_seen(one, shape, value):
            yield path, shape, value

    def _is_seen(self, one: ShapeField, shape: Shape, value: object) -> bool:
        """Whether Confluent's clients show a value to a rule: an absent one and JSON's null they do not."""
        if value is None:
            return not self._is_message and not one.full_name.startswith("$")
        return shape.kind in PRIMITIVES

    def _charge(self, work: _Work, spot: Spot, value: object) -> None:
        size = len(value) if isinstance(value, str | bytes) else _SCALAR_SIZE
        work.charge(size + self._record(work, spot).size if work.rule.needs_message else size)

    def _evaluate(self, work: _Work, spot: Spot, shape: Shape, value: object) -> tuple[bool, object]:
        """Return whether the rule's guard lets it run, and what it gives."""
        change = self._change(shape)
        ready = self._record(work, spot).ready if work.rule.needs_message else {}
        binding = self._environment.bind(
            {
                "value": guarded(value) if change is None or value is None else change(value),
                "fullName": guarded(spot.field.full_name),
                "name": guarded(spot.field.name),
                "typeName": "NULL" if value is None else shape.kind.value,
                "tags": sorted(self._tags.of(spot.field)),
                "message": ready,
                "event": ready,
                "now": work.now,
            }
        )
        guard = work.rule.guard
        if guard is not None and not guard.evaluate(binding):
            return False, None
        return True, work.rule.body.evaluate(binding)

    def _change(self, shape: Shape) -> Change | None:
        if id(shape) not in self._changes:
            self._changes[id(shape)] = inward(shape)
        return self._changes[id(shape)]

    def _record(self, work: _Work, spot: Spot) -> _Record:
        found = work.records.get(id(spot.record))
        if found is None:
            if isinstance(work.root, Message):
                ready: object = message_at(work.root, spot.path)
            else:
                change = self._change(self._holders[id(spot.field)])
                ready = guarded(spot.record if change is None else change(spot.record))
            found = work.records[id(spot.record)] = _Record(spot.record, ready, len(msgspec.json.encode(spot.record)))
        return found
