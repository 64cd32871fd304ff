"""`Contract`: a schema with all that its metadata, rules, policies and levels ask of its payloads, ready to judge.

Refuses to know where any of it comes from, and what is done with a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from llm_schema_registry.contracts.cel.reference_data import DataSet
from llm_schema_registry.contracts.constraints.constraints import PREFIX, compile_constraints
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.merge import property_of
from llm_schema_registry.contracts.rules.run import compile_rules
from llm_schema_registry.contracts.sensitive.detectors import Detectors, may_find
from llm_schema_registry.contracts.sensitive.masking import Masker, hide, mask_keys, mask_pii
from llm_schema_registry.contracts.sensitive.policies import Policy, Protections, Requirement, check_policies
from llm_schema_registry.errors import InvalidConstraint, InvalidRuleSet, PolicyNotMet
from llm_schema_registry.formats.base import Payloads
from llm_schema_registry.formats.shape import Shape
from llm_schema_registry.model import (
    Encoding,
    Metadata,
    RuleMode,
    RuleSet,
    ValidationLevel,
    Violation,
    ViolationKind,
    ViolationSource,
)

LEVEL_PROPERTY = "validation.level"
PII_PROPERTY = "validation.pii"
"""Properties of a version's metadata: the level of its violations, and what PII in untagged fields means (`OFF`: it is
not looked for)."""

OFF = "OFF"
_GRAVEST_FIRST = tuple(ValidationLevel)


class Terms(msgspec.Struct, frozen=True):
    """What a contract asks beside its schema. `level` is the one that the subject's settings give, if any."""

    metadata: Metadata | None = None
    rule_set: RuleSet | None = None
    level: ValidationLevel | None = None
    policies: tuple[Policy, ...] = ()
    data: Mapping[str, DataSet] = {}


class Validation(msgspec.Struct, frozen=True):
    """What became of one payload.

    `native` is the value after defaults and transforms as the format's decoder gives it (a message of Protobuf), None
    when the payload could not be read or breaks its structure; `is_changed` says that it is not what the payload held.
    `outcomes` are the rules that ran, by name, each with what it came to.
    """

    violations: tuple[Violation, ...] = ()
    native: object = None
    payloads: Payloads | None = None
    is_changed: bool = False
    outcomes: tuple[tuple[str, str], ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether nothing blocks the payload."""
        return all(violation.level is not ValidationLevel.STRICT for violation in self.violations)

    @property
    def value(self) -> object:
        """The value in plain Python, made anew at each look; None when the payload could not be read."""
        return None if self.payloads is None else self.payloads.plain(self.native)


class Contract:
    """Judges payloads of one schema. Immutable, safe to share between threads.

    Raises InvalidRuleSet and InvalidConstraint when it is made from terms that do not fit the schema.
    """

    def __init__(self, payloads: Payloads, terms: Terms) -> None:
        tags = FieldTags(terms.metadata)
        self._payloads = payloads
        self._level = _version_level(terms.metadata) or terms.level or ValidationLevel.STRICT
        self._constraints = compile_constraints(terms.metadata, payloads.shape)
        self._rules = compile_rules(terms.rule_set, payloads, tags, terms.data)
        self._when_read = Protections(terms.policies, payloads.shape, tags)
        self._when_written = Protections(_asked_when_written(terms, payloads.shape, tags), payloads.shape, tags)
        pii = _pii_level(terms.metadata)
        self._detectors = None if pii is None else Detectors(payloads.shape, tags)
        self._pii_level = pii or ValidationLevel.WARN
        self._looks_inside = not self._constraints.is_empty or bool(terms.policies)
        self._masker = Masker(payloads.shape, tags)

    def check(
        self,
        encoding: Encoding,
        data: bytes,
        *,
        now: datetime,
        mode: RuleMode = RuleMode.WRITE,
        limit: int = 100,
    ) -> Validation:
        """Judge a payload: its structure first, then constraints, rules, and the protection of sensitive fields.

        A payload that breaks its structure is asked nothing more. `mode` WRITE or READ says which rules run: one that
        is written must be protected as its rules leave it, one that is read as it comes. `now` is aware. There are at
        most `limit` violations, and none that blocks is left out for one that does not. Never raises.
        """
        payloads = self._payloads
        value, broken = payloads.read(encoding, data, limit)
        if broken:
            return Validation(tuple(self._leveled(broken)))
        found: list[Violation] = []
        is_filled = False
        detectors = self._detectors
        if detectors is not None and not may_find(encoding, data):
            detectors = None
        if self._looks_inside or detectors is not None:
            plain = payloads.plain(value)
            filled = self._constraints.fill(plain)
            is_filled = filled is not plain and filled != plain
            if is_filled:
                value = payloads.restore(filled)
            found.extend(self._constraints.check(filled, limit))
            if mode is RuleMode.READ:
                found.extend(self._when_read.check(filled, limit))
            if detectors is not None:
                found.extend(detectors.check(filled, limit))
        run = self._rules.run(value, mode, now, self._level)
        if self._looks_inside and mode is not RuleMode.READ:
            found.extend(self._when_written.check(payloads.plain(run.value), limit))
        violations = _foremost((*self._leveled(found), *run.violations), limit)
        return Validation(violations, run.value, payloads, is_filled or run.value is not value, run.outcomes)

    def mask(self, value: object) -> object:
        """Return a plain value as JSON may show it: of bounded size, with sensitive fields masked, and all with PII."""
        masked = self._masker.mask(value)
        if self._detectors is not None:
            for path in self._detectors.places(value):
                masked = hide(masked, path)
            masked = mask_keys(masked)
        return masked

    def mask_violation(self, violation: Violation) -> Violation:
        """Return a violation that tells nothing of a sensitive field's value, nor of PII in another."""
        masked = self._masker.mask_violation(violation)
        return masked if self._detectors is None else mask_pii(masked)

    def _leveled(self, violations: Iterable[Violation]) -> Iterable[Violation]:
        """Give each violation the level of the version or subject, unless it is of a policy, which has its own."""
        for violation in violations:
            level = self._level
            if violation.kind is ViolationKind.PII_FOUND:
                level = self._pii_level
            elif violation.kind is ViolationKind.NOT_PROTECTED:
                level = violation.level
            yield violation if violation.level is level else msgspec.structs.replace(violation, level=level)


def _foremost(violations: tuple[Violation, ...], limit: int) -> tuple[Violation, ...]:
    """Return up to `limit` violations; where there are more, the gravest: a hundred notes must not hide a refusal."""
    if len(violations) <= limit:
        return violations
    return tuple(sorted(violations, key=lambda violation: _GRAVEST_FIRST.index(violation.level))[:limit])


def _asked_when_written(terms: Terms, shape: Shape, tags: FieldTags) -> tuple[Policy, ...]:
    """Return the policies that a payload must keep before its client's own rules encrypt it."""
    return tuple(
        policy
        for policy in terms.policies
        if policy.requirement is not Requirement.ENCRYPTED or check_policies([policy], shape, tags, terms.rule_set)
    )


def unfit(refusal: InvalidRuleSet | InvalidConstraint) -> Violation:
    """Say of a payload that the schema's own terms cannot be asked of it: they were registered without being looked
    into, or are about another message of the schema."""
    return Violation(ViolationKind.RULE_ERROR, "", str(refusal), source=ViolationSource.RULE)


def has_terms(metadata: Metadata | None, rule_set: RuleSet | None) -> bool:
    """Whether metadata or rules say anything that could not fit a schema."""
    names = (metadata and metadata.properties) or ()
    return any(name.startswith((PREFIX, LEVEL_PROPERTY, PII_PROPERTY)) for name in names) or bool(
        rule_set and rule_set.domain_rules
    )


def require_policies(shape: Shape, terms: Terms) -> None:
    """Hold a schema to the policies for its subject. Raises PolicyNotMet."""
    unmet = check_policies(terms.policies, shape, FieldTags(terms.metadata), terms.rule_set)
    if unmet:
        raise PolicyNotMet("; ".join(unmet))


def _version_level(metadata: Metadata | None) -> ValidationLevel | None:
    """Return the level that a version's metadata states. Raises InvalidConstraint."""
    stated = property_of(metadata, LEVEL_PROPERTY)
    return None if stated is None else _level(LEVEL_PROPERTY, stated)


def _pii_level(metadata: Metadata | None) -> ValidationLevel | None:
    """Return what PII in an untagged field means; None when it is not looked for. Raises InvalidConstraint."""
    stated = property_of(metadata, PII_PROPERTY)
    if stated is None:
        return ValidationLevel.WARN
    return None if stated == OFF else _level(PII_PROPERTY, stated, OFF)


def _level(name: str, stated: str, *others: str) -> ValidationLevel:
    try:
        return ValidationLevel(stated)
    except ValueError:
        allowed = ", ".join((*ValidationLevel, *others))
        raise InvalidConstraint(f"The property '{name}' of the metadata is '{stated}'; allowed are {allowed}") from None
