"""`PayloadValidator`: contracts fetched from a registry once, payloads judged here, with the registry's own code.

Refuses to serialize, and to talk to a broker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Self

import httpx
import msgspec

from llm_schema_registry.contracts.cel.reference_data import read_data_set
from llm_schema_registry.contracts.contract import Contract, Terms, Validation, unfit
from llm_schema_registry.contracts.sensitive.policies import read_policy
from llm_schema_registry.errors import InvalidConstraint, InvalidPayload, InvalidRuleSet, RegistryError, SchemaNotFound
from llm_schema_registry.formats import FORMATS, get_format
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.framing import read_frame
from llm_schema_registry.model import Encoding, RuleMode, Violation, ViolationKind
from llm_schema_registry.wire.contracts import ContractBody, entries_text, policy_text

DEFAULT_REFRESH_SECONDS = 300.0
"""How long levels, policies and reference data are taken for what they were. A schema itself never changes."""

_RETRY_SECONDS = 5.0


class RegistryUnavailable(Exception):
    """The registry could not be asked for a contract that this process does not have yet."""


class Validated(NamedTuple):
    """What became of one payload. `schema` is the id, or the guid, that named its schema; None when nothing did."""

    schema: int | str | None
    validation: Validation

    @property
    def is_valid(self) -> bool:
        """Whether nothing STRICT was broken."""
        return self.validation.is_valid

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What was broken, of every level."""
        return self.validation.violations

    @property
    def value(self) -> object:
        """The value in plain Python, after defaults and transforms; None when the payload could not be read."""
        return self.validation.value

    @property
    def native(self) -> object:
        """The value as the format's decoder gives it: of Protobuf a message, else the same as `value`."""
        return self.validation.native


class _Refusal(msgspec.Struct, frozen=True):
    error_code: int


class _Schema:
    """What is known of one schema: its contracts by Protobuf message, and when to look again."""

    def __init__(self, body: ContractBody, etag: str, ends_at: float) -> None:
        self.etag = etag
        self.ends_at = ends_at
        self.format = get_format(FORMATS, body.schema_type)
        references = [
            ResolvedReference(each.name, each.subject, each.version, each.definition, each.is_direct)
            for each in body.references
        ]
        self.parsed = self.format.parse(body.definition, references, is_new=False)
        self._terms = Terms(
            metadata=body.metadata,
            rule_set=body.rule_set,
            level=body.level,
            policies=tuple(read_policy(each.name, policy_text(each)) for each in body.policies),
            data={
                each.name: read_data_set(each.name, each.version, entries_text(each)) for each in body.reference_data
            },
        )
        self._contracts: dict[str, Contract | Violation] = {}

    def contract(self, message: str) -> Contract | Violation:
        """Return the contract for a message, or why there is none. Raises InvalidPayload."""
        contract = self._contracts.get(message)
        if contract is None:
            payloads = self.format.payloads(self.parsed, message)
            try:
                contract = Contract(payloads, self._terms)
            except (InvalidRuleSet, InvalidConstraint) as refusal:
                contract = unfit(refusal)
            self._contracts[message] = contract
        return contract


class PayloadValidator:
    """Judges payloads against the contracts of a registry. Safe to share between threads; close it, or use `with`.

    A contract is fetched when its schema is first met; after `refresh_seconds` the registry is asked whether anything
    changed, and while it cannot be reached what is known goes on.
    """

    def __init__(
        self,
        url: str,
        *,
        http: httpx.Client | None = None,
        timeout_seconds: float = 10.0,
        refresh_seconds: float = DEFAULT_REFRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._http = http or httpx.Client(timeout=timeout_seconds)
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._schemas: dict[int | str, _Schema] = {}
        self._asks_again_at = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def validate(self, framed: bytes, *, mode: RuleMode = RuleMode.READ, limit: int = 100) -> Validated:
        """Judge a payload in Confluent's frame, which names its schema.

        `mode` says which rules run. Raises RegistryUnavailable for a schema that was not fetched before; a frame that
        is broken, or names what is not registered, is a violation.
        """
        named: int | str | None = None
        try:
            named, body = read_frame(framed)
            schema = self._schema(named)
            message, encoding, payload = schema.format.unframe(schema.parsed, body)
            contract = schema.contract(message)
        except InvalidPayload as broken:
            return Validated(named, Validation(broken.violations))
        return _judged(named, contract, encoding, payload, mode, limit)

    def validate_payload(
        self,
        schema_id: int,
        payload: bytes,
        *,
        encoding: Encoding = Encoding.BINARY,
        message: str = "",
        mode: RuleMode = RuleMode.WRITE,
        limit: int = 100,
    ) -> Validated:
        """Judge a payload without a frame against a schema. Raises RegistryUnavailable, InvalidPayload for a schema or
        message that does not exist."""
        return _judged(schema_id, self._schema(schema_id).contract(message), encoding, payload, mode, limit)

    def _schema(self, named: int | str) -> _Schema:
        known = self._schemas.get(named)
        if known is not None and self._clock() < max(known.ends_at, self._asks_again_at):
            return known
        if known is None:
            self._lock.acquire()
        elif not self._lock.acquire(blocking=False):
            # Another thread looks whether anything changed, or fetches what is not known at all.
            return known
        try:
            known = self._schemas.get(named)
            if known is None or self._clock() >= max(known.ends_at, self._asks_again_at):
                known = self._schemas[named] = self._fetch(named, known)
            return known
        finally:
            self._lock.release()

    def _fetch(self, named: int | str, known: _Schema | None) -> _Schema:
        kind = "ids" if isinstance(named, int) else "guids"
        headers = {"accept": "application/json"} | ({} if known is None else {"if-none-match": known.etag})
        begun = self._clock()
        try:
            answer = self._http.get(f"{self._url}/v1/schemas/{kind}/{named}/contract", headers=headers)
        except httpx.HTTPError as error:
            return self._go_on(named, known, begun, str(error) or type(error).__name__)
        if known is not None and answer.status_code == httpx.codes.NOT_MODIFIED:
            known.ends_at = self._clock() + self._refresh_seconds
            return known
        if answer.status_code == httpx.codes.NOT_FOUND and _is_not_registered(answer.content):
            message = f"The payload names schema {named}, which is not registered"
            raise InvalidPayload(Violation(ViolationKind.FRAME_BROKEN, "", message, found=str(named)))
        if not answer.is_success:
            return self._go_on(named, known, begun, f"HTTP {answer.status_code} {answer.text[:200]}")
        try:
            body = msgspec.json.decode(answer.content, type=ContractBody)
            return _Schema(body, answer.headers.get("etag", ""), self._clock() + self._refresh_seconds)
        except (msgspec.DecodeError, RegistryError) as error:
            return self._go_on(named, known, begun, f"this client cannot read it: {error}")

    def _go_on(self, named: int | str, known: _Schema | None, begun: float, reason: str) -> _Schema:
        """Use what is known while the registry cannot answer, and ask it again soon, but for a tenth of the time."""
        if known is None:
            raise RegistryUnavailable(f"The contract of schema {named} cannot be fetched: {reason}")
        now = self._clock()
        self._asks_again_at = now + max(_RETRY_SECONDS, 10 * (now - begun))
        return known


def _is_not_registered(answer: bytes) -> bool:
    """Whether the registry says so, and not what stands before it, or a server at a mistyped address."""
    try:
        return msgspec.json.decode(answer, type=_Refusal).error_code == SchemaNotFound.code
    except msgspec.DecodeError:
        return False


def _judged(
    named: int | str, contract: Contract | Violation, encoding: Encoding, payload: bytes, mode: RuleMode, limit: int
) -> Validated:
    if isinstance(contract, Violation):
        return Validated(named, Validation((contract,)))
    return Validated(named, contract.check(encoding, payload, now=datetime.now(UTC), mode=mode, limit=limit))
