"""Validating payloads against their schema's contract (FR-5, specification 4.3 flow 1).

Refuses to know how payloads arrive, and to stop one for what is only monitored.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from llm_schema_registry import telemetry
from llm_schema_registry.contracts.contract import Contract, Validation, unfit
from llm_schema_registry.contracts.jsonable import to_jsonable
from llm_schema_registry.documents import Sample
from llm_schema_registry.errors import InvalidConstraint, InvalidPayload, InvalidRuleSet, SchemaNotFound
from llm_schema_registry.formats import get_format
from llm_schema_registry.formats.framing import read_frame
from llm_schema_registry.model import (
    DEFAULT_CONTEXT,
    Encoding,
    RuleMode,
    Subject,
    ValidationLevel,
    Violation,
    ViolationKind,
)
from llm_schema_registry.registry.contracts import Governed, govern, prepare
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.samples import keep_samples
from llm_schema_registry.registry.schemas import get_schema, get_schema_by_guid
from llm_schema_registry.registry.subjects import get_version
from llm_schema_registry.store.base import Page, Visibility

MAX_PAYLOAD_BYTES = 1024 * 1024
"""A payload that is larger is refused unread: brokers of events take no larger ones either."""

MAX_USERS = 100


class Question(msgspec.Struct, frozen=True):
    """How payloads are to be read. `encoding` None: each is in Confluent's frame, which names its schema.

    `mode` WRITE or READ says which rules run. `message` is a Protobuf message's full name, the first when empty.
    `limit` bounds the violations that are told of one payload.
    """

    encoding: Encoding | None = Encoding.JSON
    mode: RuleMode = RuleMode.WRITE
    message: str = ""
    limit: int = 100


class Judged(NamedTuple):
    """What became of one payload. `schema_id` is None when that is not known; `changed` is the payload as plain JSON
    when defaults or transforms changed it."""

    schema_id: int | None
    violations: tuple[Violation, ...]
    changed: bytes | None = None


class _Task(NamedTuple):
    governed: Governed
    contract: Contract
    encoding: Encoding
    data: bytes


class Validator:
    """Judges the payloads of one request. What is in force is read once, before the first payload of a schema."""

    def __init__(self, call: Call, question: Question, governed: Governed | None, context: str) -> None:
        self._call = call
        self._question = question
        self._governed = governed
        self._context = context
        self._by_id: dict[int | str, Governed] = {}
        self._contracts: dict[tuple[str, str], Contract | Violation] = {}

    async def check(self, payloads: Sequence[bytes | Violation]) -> list[Judged]:
        """Judge payloads, in order; one that could not even be taken out of its wrapping is a violation already.

        Raises InvalidSchema when a schema that a frame names can be read no more.
        """
        tasks = [await self._task(data) for data in payloads]
        now = datetime.fromtimestamp(self._call.clock() / 1000, UTC)
        mode, limit = self._question.mode, self._question.limit

        def judge() -> list[tuple[Judged, Validation]]:
            judged = []
            for task in tasks:
                if isinstance(task, Violation):
                    judged.append((Judged(None, (task,)), Validation((task,))))
                    continue
                found = task.contract.check(task.encoding, task.data, now=now, mode=mode, limit=limit)
                changed = msgspec.json.encode(to_jsonable(found.value)) if found.is_changed else None
                judged.append((Judged(task.governed.schema.id, found.violations, changed), found))
            return judged

        judged = await self._call.engines.run(judge)
        validations = [validation for _, validation in judged]
        self._count(tasks, validations)
        await self._sample(tasks, validations)
        return [each for each, _ in judged]

    async def _task(self, data: bytes | Violation) -> _Task | Violation:
        if isinstance(data, Violation):
            return data
        if len(data) > MAX_PAYLOAD_BYTES:
            return Violation(
                ViolationKind.TOO_LARGE,
                "",
                f"The payload is larger than {MAX_PAYLOAD_BYTES} bytes",
                expected=f"at most {MAX_PAYLOAD_BYTES} bytes",
                found=str(len(data)),
            )
        encoding, message, governed = self._question.encoding, self._question.message, self._governed
        try:
            if encoding is None or governed is None:
                frame = read_frame(data)
                governed = await self._framed(frame.named)
                fmt = get_format(self._call.engines.formats, governed.schema.content.schema_type)
                message, encoding, data = fmt.unframe(governed.parsed, frame.body)
            contract = await self._contract(governed, message)
        except InvalidPayload as broken:
            return broken.violations[0]
        return contract if isinstance(contract, Violation) else _Task(governed, contract, encoding, data)

    async def _contract(self, governed: Governed, message: str) -> Contract | Violation:
        """Return the contract for a message, or why there is none. Raises InvalidPayload."""
        key = (governed.schema.guid, message)
        contract = self._contracts.get(key)
        if contract is None:
            try:
                contract = await prepare(self._call, governed, message)
            except (InvalidRuleSet, InvalidConstraint) as refusal:
                # Finding that out takes long; it is the same for all payloads.
                contract = unfit(refusal)
            self._contracts[key] = contract
        return contract

    async def _framed(self, named: int | str) -> Governed:
        """Return what governs a framed payload. Raises InvalidPayload for a schema that is not the one asked about."""
        expected = self._governed
        if expected is not None:
            if named not in {expected.schema.id, expected.schema.guid}:
                raise _wrong_schema(f"schema {expected.schema.id}", f"schema {named}")
            return expected
        known = self._by_id.get(named)
        if known is None:
            try:
                if isinstance(named, str):
                    known = await govern_guid(self._call, named)
                else:
                    known = await govern_schema(self._call, named, context=self._context)
            except SchemaNotFound:
                raise _wrong_schema("the id of a registered schema", f"{named}") from None
            self._by_id[named] = known
        return known

    def _count(self, tasks: Sequence[_Task | Violation], validations: Sequence[Validation]) -> None:
        worst = Counter(_worst(validation) for validation in validations)
        for level, count in worst.items():
            telemetry.payloads_validated(level, count)
        outcomes = Counter(
            (str(task.governed.subject), rule, outcome)
            for task, validation in zip(tasks, validations, strict=True)
            if isinstance(task, _Task)
            for rule, outcome in validation.outcomes
        )
        for (subject, rule, outcome), count in outcomes.items():
            telemetry.rule_ran(subject, rule, outcome, count)

    async def _sample(self, tasks: Sequence[_Task | Violation], validations: Sequence[Validation]) -> None:
        now = self._call.clock()
        kept: list[tuple[_Task, Validation]] = []
        for task, validation in zip(tasks, validations, strict=True):
            if not validation.violations or isinstance(task, Violation):
                continue
            if self._call.sampler.takes(task.governed.subject, task.governed.schema.id, now):
                kept.append((task, validation))
        if kept:
            # Masking looks at every text.
            samples = await self._call.engines.run(
                lambda: [_sample(task, validation, now, place) for place, (task, validation) in enumerate(kept)]
            )
            await keep_samples(self._call, samples)


@operation(Permission.READ)
async def validate_version(call: Call, subject: Subject, version: int, question: Question) -> Validator:
    """Prepare to judge payloads of a version. Raises SubjectNotFound, VersionNotFound, InvalidSchema."""
    found = await get_version(call, subject, version)
    governed = await govern(call, call.store.reader, found.schema, [found.subject], found.version)
    return Validator(call, question, governed, found.subject.context)


@operation(Permission.READ)
async def validate_schema(
    call: Call, schema_id: int, question: Question, *, context: str = DEFAULT_CONTEXT, subject: Subject | None = None
) -> Validator:
    """Prepare to judge payloads of a schema by its id; `subject` as in `get_schema`. Raises SchemaNotFound,
    InvalidSchema."""
    governed = await govern_schema(call, schema_id, context=context, subject=subject)
    return Validator(call, question, governed, governed.schema.context)


@operation(Permission.READ)
async def validate_framed(call: Call, question: Question, *, context: str = DEFAULT_CONTEXT) -> Validator:
    """Prepare to judge payloads each of which names its schema in Confluent's frame; ids are those of the context."""
    return Validator(call, msgspec.structs.replace(question, encoding=None), None, context)


@operation(Permission.READ)
async def govern_schema(
    call: Call, schema_id: int, *, context: str = DEFAULT_CONTEXT, subject: Subject | None = None
) -> Governed:
    """Return a schema with all that is in force for its payloads. Raises SchemaNotFound, InvalidSchema.

    Without a subject it is what is in force for any of the first MAX_USERS that use it: a payload does not say whose it
    is, and whoever registers the same schema elsewhere must not soften what its owner asks.
    """
    schema, key = await get_schema(call, schema_id, context=context, subject=subject)
    reader = call.store.reader
    # Of a schema that nobody uses any more its context's settings decide.
    users = [Subject(schema.context, "") if key is None else key.subject]
    if subject is None:
        keys = await reader.list_versions_of_schema(schema.context, schema.id, Visibility.ACTIVE, Page(limit=MAX_USERS))
        users = list(dict.fromkeys(each.subject for each in keys)) or users
    return await govern(call, reader, schema, users, None)


@operation(Permission.READ)
async def govern_guid(call: Call, guid: str) -> Governed:
    """Return a schema by its guid, with all that is in force for its payloads. Raises SchemaNotFound, InvalidSchema."""
    schema = await get_schema_by_guid(call, guid)
    return await govern_schema(call, schema.id, context=schema.context)


def _wrong_schema(expected: str, found: str) -> InvalidPayload:
    message = f"The payload's frame names another schema: expected {expected}, found {found}"
    return InvalidPayload(Violation(ViolationKind.FRAME_BROKEN, "", message, expected=expected, found=found))


def _worst(validation: Validation) -> str:
    if not validation.violations:
        return "none"
    levels = {violation.level for violation in validation.violations}
    return next(level.value for level in ValidationLevel if level in levels)


def _sample(task: _Task, validation: Validation, now: int, place: int) -> Sample:
    """Make a sample; those of one moment are listed by their places."""
    payload = "" if validation.value is None else msgspec.json.encode(task.contract.mask(validation.value)).decode()
    return Sample(
        id=f"{now:012x}-{place:02x}-{secrets.token_hex(8)}",
        at=now,
        subject=task.governed.subject,
        version=task.governed.version,
        schema_id=task.governed.schema.id,
        encoding=task.encoding,
        violations=tuple(task.contract.mask_violation(each) for each in validation.violations),
        payload=payload,
    )
