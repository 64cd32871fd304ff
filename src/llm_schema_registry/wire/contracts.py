"""JSON bodies of contracts under `/v1`: what became of payloads, reference data, policies, samples of violations.

Refuses to know HTTP and use cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from llm_schema_registry.documents import Document, Sample
from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.model import (
    Encoding,
    Metadata,
    RuleSet,
    Schema,
    Subject,
    ValidationLevel,
    Violation,
    ViolationKind,
    ViolationSource,
)
from llm_schema_registry.wire.times import utc


class ViolationBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way in which a payload breaks its contract. `path` is a JSON Pointer into the payload."""

    level: ValidationLevel
    source: ViolationSource
    kind: ViolationKind
    path: str
    message: str
    expected: str = ""
    found: str = ""
    schema_path: str = ""
    rule: str = ""


class ValidationBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a payload.

    `valid` says that nothing STRICT was broken. `violations` are those that block, `annotations` those at level WARN;
    what is only monitored is counted and told by neither. `payload` is there when defaults or transforms changed it:
    the changed one as plain JSON.
    """

    valid: bool
    schema_id: int | None = None
    violations: tuple[ViolationBody, ...] = ()
    annotations: tuple[ViolationBody, ...] = ()
    payload: msgspec.Raw | UnsetType = UNSET
    index: int | None = None
    error_code: int | None = None
    message: str = ""


class DataSetBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A set of reference data. A listing leaves out the entries."""

    name: str
    version: int
    changed_at: datetime
    changed_by: str
    entries: msgspec.Raw | UnsetType = UNSET


class DataSetRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The entries of a set: strings, or objects that rules can look into."""

    entries: list[Any]


class PolicyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the fields with a tag must be protected in every schema whose subject begins so.

    A subject of another context than the default one begins with `:.context:`.
    """

    subject_prefix: str
    tag: str
    requirement: str
    level: ValidationLevel = ValidationLevel.STRICT


class PolicyBody(msgspec.Struct, frozen=True, kw_only=True):
    """A governance policy."""

    name: str
    version: int
    changed_at: datetime
    changed_by: str
    subject_prefix: str
    tag: str
    requirement: str
    level: ValidationLevel


class SampleBody(msgspec.Struct, frozen=True, kw_only=True):
    """A payload that broke its contract; sensitive fields are masked. `payload` is null when it could not be read."""

    id: str
    at: datetime
    subject: str
    version: int | None
    schema_id: int
    encoding: Encoding
    violations: tuple[ViolationBody, ...]
    payload: msgspec.Raw


class SamplePage(msgspec.Struct, frozen=True):
    """Samples, newest first; `next` is the `cursor` of the following page, null on the last one."""

    samples: list[SampleBody]
    next: str | None


class ReferencedText(msgspec.Struct, frozen=True, kw_only=True):
    """A schema that a contract's schema needs, with the name that it is referred to by."""

    name: str
    subject: str
    version: int
    definition: str
    is_direct: bool


class ContractBody(msgspec.Struct, frozen=True, kw_only=True):
    """All that a client needs to validate payloads by itself, in one answer."""

    schema_id: int
    subject: str | None
    schema_type: str
    definition: str
    references: tuple[ReferencedText, ...]
    metadata: Metadata | None
    rule_set: RuleSet | None
    level: ValidationLevel
    policies: tuple[PolicyBody, ...]
    reference_data: tuple[DataSetBody, ...]


def violation_body(violation: Violation) -> ViolationBody:
    """Write a violation."""
    return ViolationBody(
        level=violation.level,
        source=violation.source,
        kind=violation.kind,
        path=violation.path,
        message=violation.message,
        expected=violation.expected,
        found=violation.found,
        schema_path=violation.schema_path,
        rule=violation.rule,
    )


def validation_body(
    schema_id: int | None, violations: Sequence[Violation], changed: bytes | None, index: int | None = None
) -> ValidationBody:
    """Write what became of a payload; of one that is refused with the code and message of InvalidPayload."""
    blocking = [violation for violation in violations if violation.level is ValidationLevel.STRICT]
    noted = [violation for violation in violations if violation.level is ValidationLevel.WARN]
    return ValidationBody(
        valid=not blocking,
        schema_id=schema_id,
        violations=tuple(map(violation_body, blocking)),
        annotations=tuple(map(violation_body, noted)),
        payload=UNSET if changed is None else msgspec.Raw(changed),
        index=index,
        error_code=InvalidPayload.code if blocking else None,
        message=str(InvalidPayload(*blocking)) if blocking else "",
    )


def line_of(index: int, schema_id: int | None, violations: Sequence[Violation], changed: bytes | None) -> bytes:
    """Write the line for one payload of a batch, its end included."""
    if not violations and changed is None:
        # Most payloads are valid, and then there is little to say.
        return b'{"valid":true,"schema_id":%d,"index":%d}\n' % (schema_id or 0, index)
    return msgspec.json.encode(validation_body(schema_id, violations, changed, index)) + b"\n"


def policy_text(body: PolicyBody) -> str:
    """Write a policy as it is kept."""
    request = PolicyRequest(
        subject_prefix=body.subject_prefix, tag=body.tag, requirement=body.requirement, level=body.level
    )
    return msgspec.json.encode(request).decode()


def entries_text(body: DataSetBody) -> str:
    """Write the entries of a set as they are kept."""
    return "[]" if body.entries is UNSET else bytes(body.entries).decode()


def contract_body(
    schema: Schema,
    subject: Subject,
    references: Sequence[ReferencedText],
    level: ValidationLevel | None,
    policies: Sequence[Document],
    data: Sequence[Document],
) -> ContractBody:
    """Write a schema with all that is in force for its payloads."""
    return ContractBody(
        schema_id=schema.id,
        subject=str(subject) if subject.name else None,
        schema_type=schema.content.schema_type,
        definition=schema.content.text,
        references=tuple(references),
        metadata=schema.content.metadata,
        rule_set=schema.content.rule_set,
        level=level or ValidationLevel.STRICT,
        policies=tuple(map(policy_body, policies)),
        reference_data=tuple(map(data_set_body, data)),
    )


def data_set_body(document: Document, *, with_entries: bool = True) -> DataSetBody:
    """Write a set of reference data."""
    return DataSetBody(
        name=document.name,
        version=document.version,
        changed_at=utc(document.changed_at),
        changed_by=document.changed_by,
        entries=msgspec.Raw(document.body.encode()) if with_entries else UNSET,
    )


def policy_body(document: Document) -> PolicyBody:
    """Write a policy."""
    request = msgspec.json.decode(document.body, type=PolicyRequest)
    return PolicyBody(
        name=document.name,
        version=document.version,
        changed_at=utc(document.changed_at),
        changed_by=document.changed_by,
        subject_prefix=request.subject_prefix,
        tag=request.tag,
        requirement=request.requirement,
        level=request.level,
    )


def sample_body(sample: Sample) -> SampleBody:
    """Write a sample."""
    return SampleBody(
        id=sample.id,
        at=utc(sample.at),
        subject=str(sample.subject),
        version=sample.version,
        schema_id=sample.schema_id,
        encoding=sample.encoding,
        violations=tuple(violation_body(each) for each in sample.violations),
        payload=msgspec.Raw((sample.payload or "null").encode()),
    )
