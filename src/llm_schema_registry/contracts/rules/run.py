"""Runs a rule set on a payload: what each rule says, and what the payload becomes.

Refuses to compile rules, and to say what a violation means: a rule's own level is on its violations, and where it names
none the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import takewhile
from typing import NamedTuple

import msgspec
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from llm_schema_registry.contracts.cel.ast import conjunction
from llm_schema_registry.contracts.cel.engine import Binding, Environment, NotEvaluated
from llm_schema_registry.contracts.cel.messages import write_message
from llm_schema_registry.contracts.cel.reference_data import DataSet
from llm_schema_registry.contracts.cel.values import Change, guarded, instant, inward, outward
from llm_schema_registry.contracts.fields import FieldTags, json_path
from llm_schema_registry.contracts.rules.bounds import Bounds
from llm_schema_registry.contracts.rules.compile import FIELD, CompiledRule, RuleCompiler
from llm_schema_registry.contracts.rules.fields import FieldValues, Judged
from llm_schema_registry.errors import InvalidRuleSet
from llm_schema_registry.formats.base import Payloads
from llm_schema_registry.model import (
    Rule,
    RuleKind,
    RuleMode,
    RulePhase,
    RuleSet,
    ValidationLevel,
    Violation,
    ViolationKind,
    ViolationSource,
)

NO_DATA: Mapping[str, DataSet] = {}
MAX_RULES = 500
MAX_VIOLATIONS = 100
"""Of one rule on one payload; a rule about fields can have one for each."""

_NEVER_HERE = frozenset({RulePhase.GATEWAY, RulePhase.NONE})
_MESSAGE_TO_JSON = 5
_ZERO = b"\\u0000"


class Outcome(StrEnum):
    """What became of a rule: SKIPPED when its guard was false."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


class RuleRun(NamedTuple):
    """What rules made of a payload: its value after all transforms, and what was wrong, in the order of the rules."""

    value: object
    violations: tuple[Violation, ...]
    outcomes: tuple[tuple[str, Outcome], ...]


class _Step(NamedTuple):
    """A rule in a mode, and whether the payload may pass when the rule does, and when it does not."""

    rule: CompiledRule
    may_pass: bool
    may_fail: bool


@dataclass(slots=True)
class _Payload:
    """A payload on its way through the rules. All but `now` is made anew when a rule has changed the value.

    `size` is that of the value as JSON, in bytes, and negative for what JSON can not write, nor rules see.
    """

    value: object
    now: Timestamp | None
    size: int = -1
    is_held: bool = False
    has_zero: bool = False
    binding: Binding | None = None


class _AtOnce:
    """Conditions that are asked in one question first: most payloads break none, and then nothing else is asked.

    `fields` are all that they look at, None for the whole payload.
    """

    def __init__(self, rules: Sequence[CompiledRule], messages: Environment) -> None:
        self.program = messages.load(conjunction([rule.source for rule in rules]))
        self.outcomes = tuple((rule.name, Outcome.PASSED) for rule in rules)
        reads = [rule.reads for rule in rules]
        self.fields = None if None in reads else frozenset[str]().union(*(each for each in reads if each is not None))


class Rules:
    """The rules of one version of a schema. Immutable; safe to share between threads.

    `data_sets` are the names of the sets of reference data that the rules name.
    """

    def __init__(
        self, rules: Sequence[CompiledRule], compiler: RuleCompiler, payloads: Payloads, tags: FieldTags
    ) -> None:
        self.data_sets = frozenset(name for rule in rules for name in rule.data_sets)
        self._payloads = payloads
        self._needs_now = any(rule.needs_now for rule in rules)
        self._messages = compiler.messages
        self._bounds = Bounds(rules)
        self._inward: Change | None = None if payloads.shape.descriptor else inward(payloads.shape)
        self._fields = FieldValues(compiler.fields, payloads.shape, tags)
        # Confluent's clients read with the rules in the opposite order, so that reading undoes what writing did.
        self._by_mode = {
            RuleMode.WRITE: tuple(_step(rule, RuleMode.WRITE) for rule in rules if RuleMode.WRITE in rule.modes),
            RuleMode.READ: tuple(_step(rule, RuleMode.READ) for rule in reversed(rules) if RuleMode.READ in rule.modes),
        }
        self._at_once = {mode: self._join(steps) for mode, steps in self._by_mode.items()}

    def of(self, mode: RuleMode) -> tuple[CompiledRule, ...]:
        """Return the rules that run in a mode, WRITE or READ, in their order."""
        return tuple(step.rule for step in self._by_mode[mode])

    def run(
        self, value: object, mode: RuleMode, now: datetime, level: ValidationLevel = ValidationLevel.STRICT
    ) -> RuleRun:
        """Run the rules of a mode, WRITE or READ, on a value as `Payloads.read` gave it. Raises nothing.

        `now` is aware; `level` is that of violations whose rule names none. What a rule refuses, the next still sees,
        so that all is found at once; behind a transform that failed no rule is run.
        """
        steps = self._by_mode[mode]
        if not steps:
            return RuleRun(value, (), ())
        payload = _Payload(value, instant(now) if self._needs_now else None)
        self._take(payload, value)
        violations: list[Violation] = []
        outcomes: list[tuple[str, Outcome]] = []
        at_once = self._at_once[mode]
        if at_once is not None and payload.is_held and self._are_met(at_once, payload):
            outcomes.extend(at_once.outcomes)
            steps = steps[len(outcomes) :]
        for rule, may_pass, may_fail in steps:
            outcome, found = self._run(rule, payload)
            outcomes.append((rule.name, outcome))
            is_success = outcome is Outcome.PASSED or outcome is Outcome.SKIPPED
            if may_pass if is_success else may_fail:
                continue
            if is_success:
                found = [_violation(rule, ViolationKind.RULE_FAILED, "", "")]
            violations.extend(msgspec.structs.replace(each, level=rule.level or level) for each in found)
            if outcome is Outcome.ERROR and rule.kind is RuleKind.TRANSFORM:
                break
        return RuleRun(payload.value, tuple(violations), tuple(outcomes))

    def _join(self, steps: Sequence[_Step]) -> _AtOnce | None:
        """Join the conditions with which the rules begin; a condition behind a transform sees another payload."""
        simple = [
            step.rule
            for step in takewhile(
                lambda step: (
                    step.rule.kind is RuleKind.CONDITION
                    and not step.rule.is_on_fields
                    and step.rule.guard is None
                    and step.may_pass
                ),
                steps,
            )
        ]
        return _AtOnce(simple, self._messages) if len(simple) > 1 else None

    def _are_met(self, at_once: _AtOnce, payload: _Payload) -> bool:
        """Whether all are; if not, or if one has no value, each is asked by itself."""
        try:
            value = self._bindable(payload.value)
            if at_once.fields is None or not isinstance(value, dict):
                payload.binding = binding = self._bound(value, payload)
            else:
                # Converting what nobody looks at would take longer than asking.
                binding = self._bound({name: value[name] for name in at_once.fields if name in value}, payload)
            return at_once.program.evaluate(binding) is True
        except (NotEvaluated, ValueError, OverflowError):
            return False

    def _take(self, payload: _Payload, value: object) -> None:
        """Let a payload have a value."""
        payload.value = value
        payload.binding = None
        if isinstance(value, Message):
            payload.size = value.ByteSize() * _MESSAGE_TO_JSON
            payload.is_held = self._bounds.hold(payload.size, value)
            return
        try:
            text = msgspec.json.encode(value)
        except (ValueError, TypeError, OverflowError, RecursionError):
            payload.size = -1
            payload.is_held = False
            return
        payload.size = len(text)
        payload.is_held = self._bounds.hold(payload.size, value)
        payload.has_zero = _ZERO in text

    def _run(self, rule: CompiledRule, payload: _Payload) -> tuple[Outcome, list[Violation]]:
        # A payload that JSON can not write is not held either.
        if not payload.is_held and (reason := self._unfit(rule, payload)):
            return Outcome.ERROR, [_violation(rule, ViolationKind.RULE_ERROR, "", reason)]
        try:
            if rule.is_on_fields:
                return self._run_on_fields(rule, payload)
            return self._run_on_message(rule, payload)
        except (NotEvaluated, ValueError, OverflowError) as error:
            return Outcome.ERROR, [_violation(rule, ViolationKind.RULE_ERROR, "", str(error))]

    def _unfit(self, rule: CompiledRule, payload: _Payload) -> str:
        """Return why a rule can not be run on a payload, nothing when it can."""
        if payload.size < 0:
            return "the payload holds what no rule can see: half of a surrogate pair, a number beyond 64 bits"
        if not rule.is_on_fields:
            return (
                f"with {payload.size} bytes as JSON and its lists as long as they are, the rules could take too long "
                f"on the payload; up to {self._bounds.limit} bytes any is fine"
            )
        return ""

    def _run_on_message(self, rule: CompiledRule, payload: _Payload) -> tuple[Outcome, list[Violation]]:
        if payload.binding is None:
            payload.binding = self._bound(self._bindable(payload.value), payload)
        if rule.guard is not None and not rule.guard.evaluate(payload.binding):
            return Outcome.SKIPPED, []
        result = rule.body.evaluate(payload.binding)
        if rule.kind is RuleKind.CONDITION:
            if result:
                return Outcome.PASSED, []
            return Outcome.FAILED, [_violation(rule, ViolationKind.RULE_FAILED, "", "")]
        if result is None:
            raise NotEvaluated("it gave null, not a payload")
        self._take(payload, self._taken(payload.value, result))
        return Outcome.PASSED, []

    def _bindable(self, value: object) -> object:
        return value if isinstance(value, Message) else self._payloads.plain(value)

    def _bound(self, value: object, payload: _Payload) -> Binding:
        ready = value if self._inward is None else self._inward(value)
        if payload.has_zero:
            ready = guarded(ready)
        return self._messages.bind({"message": ready, "now": payload.now})

    def _taken(self, before: object, result: object) -> object:
        """Return the payload that a transform gave."""
        if isinstance(before, Message):
            return write_message(before, result)
        return self._payloads.restore(outward(self._payloads.shape, result))

    def _run_on_fields(self, rule: CompiledRule, payload: _Payload) -> tuple[Outcome, list[Violation]]:
        plain = self._payloads.plain(payload.value)
        if rule.kind is RuleKind.CONDITION:
            return self._judge_fields(rule, plain, payload)
        changed = self._fields.change(rule, payload.value, plain, payload.now)
        if changed.is_run:
            self._take(payload, self._payloads.restore(changed.value))
        return (Outcome.PASSED if changed.is_run else Outcome.SKIPPED), []

    def _judge_fields(self, rule: CompiledRule, plain: object, payload: _Payload) -> tuple[Outcome, list[Violation]]:
        outcome = Outcome.SKIPPED
        violations: list[Violation] = []
        for found in self._fields.judge(rule, payload.value, plain, payload.now):
            if found.is_right:
                outcome = Outcome.PASSED if outcome is Outcome.SKIPPED else outcome
            elif found.error:
                outcome = Outcome.ERROR
                violations.append(self._misfit(rule, ViolationKind.RULE_ERROR, found))
            else:
                outcome = Outcome.FAILED if outcome is not Outcome.ERROR else outcome
                violations.append(self._misfit(rule, ViolationKind.RULE_FAILED, found))
            if len(violations) == MAX_VIOLATIONS:
                break
        return outcome, violations

    def _misfit(self, rule: CompiledRule, kind: ViolationKind, found: Judged) -> Violation:
        return _violation(rule, kind, json_path(self._payloads.shape, found.path), found.error)


def _step(rule: CompiledRule, mode: RuleMode) -> _Step:
    """Read a rule's actions. On failure, NONE lets the payload pass. Any other action refuses it: ERROR by itself, DLQ
    and what else a client may know by taking it elsewhere. On success, only ERROR refuses it.
    """
    refuses_success = _action(rule.rule.on_success, mode) == "ERROR"
    return _Step(rule, may_pass=not refuses_success, may_fail=_action(rule.rule.on_failure, mode) == "NONE")


def _are_same_transform(one: Rule, other: Rule) -> bool:
    return (
        bool(one.tags)
        and one.kind is RuleKind.TRANSFORM
        and (one.kind, one.mode, one.type, one.tags) == (other.kind, other.mode, other.type, other.tags)
        and (one.type or "").upper() == FIELD
    )


def _action(given: str | None, mode: RuleMode) -> str:
    """Return the action for a mode: of a pair, the first for writing and the second for reading."""
    first, separator, second = (given or "").partition(",")
    return second if separator and mode is RuleMode.READ else first


def _violation(rule: CompiledRule, kind: ViolationKind, path: str, error: str) -> Violation:
    expected = rule.rule.doc or rule.rule.expr or ""
    where = f" for {path}" if path else ""
    if kind is ViolationKind.RULE_ERROR:
        message = f"Rule '{rule.name}' could not be evaluated{where}: {error}"
    else:
        message = f"Rule '{rule.name}' is broken{where}: {expected}"
    return Violation(kind, path, message, expected=expected, found=error, source=ViolationSource.RULE, rule=rule.name)


def compile_rules(
    rule_set: RuleSet | None, payloads: Payloads, tags: FieldTags, data: Mapping[str, DataSet] = NO_DATA
) -> Rules:
    """Compile the enabled CEL rules among a rule set's domain rules. Raises InvalidRuleSet.

    A registry that is asked about a payload answers as the client would that writes or reads it: rules enabled at
    CLIENT run here, and those at SERVER and ALL. Those at GATEWAY or NONE are checked and never run. `data` are the
    sets of reference data by name.
    """
    given = (rule_set and rule_set.domain_rules) or []
    if len(given) > MAX_RULES:
        raise InvalidRuleSet(f"domainRules: there are {len(given)} rules; at most {MAX_RULES} are allowed")
    compiler = RuleCompiler(payloads.shape, tags, data)
    rules = [
        compiled
        for index, rule in enumerate(given)
        if not rule.disabled
        and (compiled := compiler.compile(f"domainRules[{index}]", rule)) is not None
        # Of several transforms of the same tags, Confluent's clients run the first.
        and not any(_are_same_transform(rule, earlier) for earlier in given[:index])
    ]
    if rule_set is not None and rule_set.enable_at in _NEVER_HERE:
        rules = []
    return Rules(rules, compiler, payloads, tags)
