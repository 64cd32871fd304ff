"""Governance of sensitive fields: policies that ask for their protection, and whether a schema and a value give it.

Refuses to protect anything itself, and to know where policies are kept.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET

from llm_schema_registry.contracts.fields import FieldPaths, FieldTags, Spot, json_path
from llm_schema_registry.contracts.jsonable import key_text
from llm_schema_registry.errors import InvalidDocument
from llm_schema_registry.formats.places import pointer_token
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind, walk_fields, walk_shapes
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

MAX_NAME = 256
"""Characters of a policy's name, tag and prefix of subjects."""

MIN_CIPHERTEXT = 16
"""Bytes of the shortest ciphertext: the tag of AES-SIV, which Confluent's clients use for keys to look up by; their
AES-GCM adds 28.
"""

MAX_VISIBLE = 4
"""Characters at the end of a masked text that may be shown."""

MIN_MASKS = 3
"""Mask characters of a masked text, at least."""

_MAX_NAMED = 5
_HIDDEN = re.compile(r"[\[<({*]{0,3}+(?:redacted|masked|hidden|removed|filtered)[\]>)}*]{0,3}+", re.IGNORECASE)
_MASKS = frozenset("*xX#•")
_VEIL = _MASKS | frozenset(" .,:;+-_/()@")
_TEXTUAL = frozenset(range(32, 127)) | {9, 10, 13}
_ENCRYPTABLE = frozenset({ShapeKind.STRING, ShapeKind.BYTES, ShapeKind.ANY})


class Requirement(StrEnum):
    """What a policy asks of tagged fields."""

    ENCRYPTED = "ENCRYPTED"
    MASKED = "MASKED"
    ABSENT = "ABSENT"


class Policy(msgspec.Struct, frozen=True):
    """Fields with `tag` in schemas of subjects that begin with `subject_prefix` must be as `requirement` says.

    `level` is what it means when a value breaks it; a schema that does not meet it is refused at every level.
    """

    name: str
    subject_prefix: str
    tag: str
    requirement: Requirement
    level: ValidationLevel = ValidationLevel.STRICT


class _Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy as its document spells it; the name is the document's, whatever is written."""

    subject_prefix: Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
    tag: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
    requirement: Requirement
    level: ValidationLevel = ValidationLevel.STRICT
    name: str = ""


def read_policy(name: str, body: str) -> Policy:
    """Read a policy from JSON text. Raises InvalidDocument."""
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidDocument(f"The name of a policy has between 1 and {MAX_NAME} characters, not {len(name)}")
    try:
        given = msgspec.json.decode(body, type=_Given)
    except msgspec.DecodeError as error:
        members = ", ".join(member for member in Policy.__struct_fields__ if member != "name")
        raise InvalidDocument(f"Policy '{name}': {error}; a policy is a JSON object of {members}") from None
    return Policy(name, given.subject_prefix, given.tag, given.requirement, given.level)


def check_policies(policies: Sequence[Policy], shape: Shape, tags: FieldTags, rule_set: RuleSet | None) -> list[str]:
    """Return a sentence for every policy that a schema does not meet: its fields, the policy and the mend.

    ENCRYPTED is met by an enabled rule that encrypts the tag, or the whole payload, when it is written; MASKED by a
    transform of type CEL_FIELD for the tag that runs then; ABSENT when no field has the tag. Which policies are about
    the subject is for the caller to say.
    """
    fields = list(walk_fields(shape))
    rules = _write_rules(rule_set)
    unmet = []
    for policy in policies:
        tagged = [field for field in fields if policy.tag in tags.of(field)]
        if tagged and (mend := _mend(policy, tagged, rules)):
            unmet.append(f"Policy '{policy.name}' asks that {_named(tagged)} with the tag '{policy.tag}' {mend}")
    return unmet


def _mend(policy: Policy, tagged: list[ShapeField], rules: list[Rule]) -> str:
    """Return what is asked and how to give it, empty when it is given."""
    tag = policy.tag
    if policy.requirement is Requirement.ABSENT:
        return "be absent; take the fields out of the schema"
    if policy.requirement is Requirement.MASKED:
        if any(rule.type == "CEL_FIELD" and tag in (rule.tags or ()) for rule in rules):
            return ""
        return f"be masked; add a domain rule of type CEL_FIELD, kind TRANSFORM and mode WRITE for the tag '{tag}'"
    if any(rule.type == "ENCRYPT_PAYLOAD" for rule in rules):
        return ""
    if not any(rule.type == "ENCRYPT" and tag in (rule.tags or ()) for rule in rules):
        return f"be encrypted; add a rule of type ENCRYPT and mode WRITEREAD for the tag '{tag}'"
    if unfit := [field for field in tagged if not _is_encryptable(field.shape)]:
        return f"be encrypted, but {_named(unfit)} cannot be: only text and bytes can; change the type"
    return ""


def _write_rules(rule_set: RuleSet | None) -> list[Rule]:
    """Return the enabled rules that change a value when it is written."""
    if rule_set is None or rule_set.enable_at is RulePhase.NONE:
        return []
    return [
        rule
        for rule in (*(rule_set.domain_rules or ()), *(rule_set.encoding_rules or ()))
        if not rule.disabled
        and rule.kind in {None, RuleKind.TRANSFORM}
        and rule.mode in {None, RuleMode.WRITE, RuleMode.WRITEREAD}
    ]


def _is_encryptable(shape: Shape) -> bool:
    """Whether text or bytes can be in a field; rules go through arrays and maps."""
    return any(each.kind in _ENCRYPTABLE for each in walk_shapes(shape, into_fields=False))


def _named(fields: list[ShapeField]) -> str:
    names = ", ".join(f"'{field.full_name}'" for field in fields[:_MAX_NAMED])
    more = f" and {len(fields) - _MAX_NAMED} more" if len(fields) > _MAX_NAMED else ""
    return f"field{'s' if len(fields) > 1 else ''} {names}{more}"


class _Protection(NamedTuple):
    policy: Policy
    paths: FieldPaths


class Protections:
    """Whether values are protected as policies ask. Immutable; safe to share between threads.

    Nothing is asked of what is absent, null, empty, zero or false: it tells nothing that can be hidden. An encrypted
    value is base64 text or bytes of at least `MIN_CIPHERTEXT` bytes that are not text themselves. A masked value is
    text of at least three mask characters (`*`, `x`, `X`, `#`, `•`) and punctuation, behind which up to four characters
    are shown, or a word such as `[REDACTED]`; a hash is not masked, because short values are found by trying. In
    arrays, maps and records every value is held against this.
    """

    def __init__(self, policies: Sequence[Policy], shape: Shape, tags: FieldTags) -> None:
        """Find the fields that the policies are about."""

        def has(tag: str) -> Callable[[ShapeField], bool]:
            return lambda field: tag in tags.of(field)

        self._shape = shape
        by_tag = {tag: FieldPaths(shape, has(tag)) for tag in {policy.tag for policy in policies}}
        self._protections = [
            _Protection(policy, by_tag[policy.tag]) for policy in policies if not by_tag[policy.tag].is_empty
        ]

    def check(self, plain: object, limit: int = 100) -> list[Violation]:
        """Return up to `limit` values for each policy that are not protected, at its level. Raises nothing."""
        return [
            violation
            for protection in self._protections
            for violation in islice(self._violations(protection, plain), limit)
        ]

    def _violations(self, protection: _Protection, plain: object) -> Iterator[Violation]:
        policy, paths = protection
        for spot in paths.visit(plain):
            if spot.value is UNSET or not spot.value:
                continue
            if policy.requirement is Requirement.ABSENT:
                yield _unprotected(policy, spot, json_path(self._shape, spot.path))
                continue
            is_met = _is_ciphertext if policy.requirement is Requirement.ENCRYPTED else _is_masked
            for path, value in _leaves(spot.path, spot.value):
                if value and not is_met(value):
                    yield _unprotected(policy, spot, json_path(self._shape, path))


def _is_masked(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return _HIDDEN.fullmatch(value) is not None or _is_veil(value) or _is_veil(value[:-MAX_VISIBLE])


def _is_veil(text: str) -> bool:
    return _VEIL.issuperset(text) and sum(char in _MASKS for char in text) >= MIN_MASKS


def _is_ciphertext(value: object) -> bool:
    if isinstance(value, str):
        try:
            value = b64decode(value, validate=True)
        except ValueError:
            return False
    return isinstance(value, bytes) and len(value) >= MIN_CIPHERTEXT and not _TEXTUAL.issuperset(value)


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield every value that holds no others."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{path}/{pointer_token(key_text(key))}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(f"{path}/{index}", item)
    else:
        yield path, value


def _unprotected(policy: Policy, spot: Spot, path: str) -> Violation:
    state = policy.requirement.lower()
    return Violation(
        kind=ViolationKind.NOT_PROTECTED,
        path=path,
        message=(
            f"Field '{spot.field.full_name}' has the tag '{policy.tag}', so policy '{policy.name}' asks that it is "
            f"{state}, but it is not"
        ),
        expected=f"a value that is {state}" if policy.requirement is not Requirement.ABSENT else "no value",
        found="a value that is readable" if policy.requirement is not Requirement.ABSENT else "a value",
        schema_path=spot.field.schema_path,
        source=ViolationSource.SENSITIVITY,
        rule=policy.name,
        level=policy.level,
    )
