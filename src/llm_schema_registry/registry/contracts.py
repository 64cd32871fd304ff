"""From a stored schema to its contract: the policies, levels and reference data in force, and contracts kept ready.

Refuses to judge payloads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from llm_schema_registry.contracts.cel.reference_data import DataSet, names_of_data, read_data_set
from llm_schema_registry.contracts.contract import Contract, Terms, has_terms, require_policies
from llm_schema_registry.contracts.sensitive.policies import Policy, read_policy
from llm_schema_registry.documents import Document, DocumentKind
from llm_schema_registry.errors import InvalidConstraint, InvalidPayload, InvalidRuleSet
from llm_schema_registry.formats import get_format
from llm_schema_registry.formats.base import Format, Parsed, Payloads, ResolvedReference
from llm_schema_registry.model import Config, RuleSet, Schema, SchemaContent, Subject, ValidationLevel
from llm_schema_registry.registry.engines import CONTRACT_BYTES, KeptContract
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.registry.references import resolve
from llm_schema_registry.registry.scopes import load_scopes
from llm_schema_registry.store.base import Reader

MAX_MESSAGES = 50
_SEVERITY = (None, *ValidationLevel)
"""The levels of subjects, the strictest first; where none is set it is STRICT."""


class Governed(NamedTuple):
    """A stored schema with what is in force for its payloads.

    `subject` is the first that uses the schema, or its whole context when none does; `version` is None when the schema
    was asked for by its id.
    """

    schema: Schema
    subject: Subject
    version: int | None
    parsed: Parsed
    references: tuple[ResolvedReference, ...]
    level: ValidationLevel | None
    policies: tuple[Document, ...]
    data: tuple[Document, ...]


async def govern(
    call: Call, reader: Reader, schema: Schema, subjects: Sequence[Subject], version: int | None
) -> Governed:
    """Read what is in force for a schema's payloads: the policies for all of these subjects, at least one, and the
    strictest of their levels. Raises InvalidSchema when it can be read no more.
    """
    levels = [
        (await load_scopes(reader, subject)).config(call.policy.default_level).validation_level for subject in subjects
    ]
    content = schema.content
    references = (await resolve(reader, schema.context, content.references)).resolved
    return Governed(
        schema=schema,
        subject=subjects[0],
        version=version,
        parsed=await call.engines.parse(content.schema_type, content.text, references),
        references=references,
        level=min(levels, key=_SEVERITY.index),
        policies=await _policies(reader, subjects),
        data=await _data(reader, content.rule_set),
    )


async def prepare(call: Call, governed: Governed, message: str = "") -> Contract:
    """Return the contract for payloads of one Protobuf message, or of the schema. It is made once and kept.

    Raises InvalidRuleSet and InvalidConstraint when the schema was registered without being held to them, and
    InvalidPayload for a message that it does not have.
    """
    schema = governed.schema
    key = (schema.context, schema.guid, message, governed.level, governed.policies, governed.data)
    kept = call.engines.contracts.get(key)
    # References of equal content may lead to other texts elsewhere, or later.
    if kept is not None and kept.parsed is governed.parsed:
        return kept.contract
    fmt = get_format(call.engines.formats, schema.content.schema_type)
    content, level = schema.content, governed.level

    def make() -> Contract:
        terms = _terms(content, content.rule_set, level, governed.policies, governed.data)
        return Contract(fmt.payloads(governed.parsed, message), terms)

    contract = await call.engines.run(make)
    size = _bytes_of(governed)
    if size <= CONTRACT_BYTES // 4:
        call.engines.contracts[key] = KeptContract(governed.parsed, contract, size)
    return contract


async def check_content(
    call: Call, reader: Reader, subject: Subject, content: SchemaContent, parsed: Parsed, config: Config
) -> None:
    """Hold a new version to its own rules and constraints, and to the policies for its subject.

    Rules and constraints are about one message, and a Protobuf file has several: they must fit one of the first
    MAX_MESSAGES. Rules are not looked into under `validateRules` false. Raises InvalidRuleSet, InvalidConstraint,
    PolicyNotMet.
    """
    rule_set = None if config.validate_rules is False else content.rule_set
    policies = await _policies(reader, [subject])
    if not policies and not has_terms(content.metadata, rule_set):
        return
    data = await _data(reader, rule_set)
    fmt = get_format(call.engines.formats, content.schema_type)
    messages = fmt.messages(parsed)[:MAX_MESSAGES]

    def check() -> None:
        of_messages: Iterable[Payloads] = _payloads_of(fmt, parsed, messages)
        if policies:
            of_messages = list(of_messages)
            terms = _terms(content, content.rule_set, None, policies, ())
            for payloads in of_messages:
                require_policies(payloads.shape, terms)
        terms = _terms(content, rule_set, None, (), data)
        refusal: InvalidRuleSet | InvalidConstraint | None = None
        for payloads in of_messages:
            try:
                Contract(payloads, terms)
            except (InvalidRuleSet, InvalidConstraint) as refused:
                refusal = refusal or refused
            else:
                return
        if refusal is not None:
            raise refusal

    await call.engines.run(check)


def _bytes_of(governed: Governed) -> int:
    """Return about what a contract takes, by measurements (without reference data, which contracts share)."""
    rules = governed.schema.content.rule_set
    count = len((rules and rules.domain_rules) or ())
    # What a rule compiles its regular expressions to is beyond knowing; 100 KB were seen.
    return 300_000 + 100 * len(governed.parsed.canonical) + 100_000 * count + sum(len(d.body) for d in governed.data)


def _payloads_of(fmt: Format, parsed: Parsed, messages: Iterable[str]) -> Iterator[Payloads]:
    """Yield what reads the payloads of each message; a message that none can be read of is left out."""
    for message in messages:
        with suppress(InvalidPayload):
            yield fmt.payloads(parsed, message)


async def _policies(reader: Reader, subjects: Sequence[Subject]) -> tuple[Document, ...]:
    """Return the policies that hold for any of some subjects, by name."""
    policies = await reader.list_documents(DocumentKind.POLICY)
    names = [str(subject) for subject in subjects]
    return tuple(each for each in policies if any(name.startswith(_policy(each).subject_prefix) for name in names))


async def _data(reader: Reader, rule_set: RuleSet | None) -> tuple[Document, ...]:
    """Return the sets of reference data that rules name, as far as they are there, by name."""
    names = names_of_data(rule_set)
    found = [await reader.find_document(DocumentKind.REFERENCE_DATA, name) for name in sorted(names)]
    return tuple(document for document in found if document is not None)


def _terms(
    content: SchemaContent,
    rule_set: RuleSet | None,
    level: ValidationLevel | None,
    policies: Iterable[Document],
    data: Iterable[Document],
) -> Terms:
    return Terms(
        metadata=content.metadata,
        rule_set=rule_set,
        level=level,
        policies=tuple(_policy(each) for each in policies),
        data={each.name: _data_set(each) for each in data},
    )


@lru_cache(1024)
def _policy(document: Document) -> Policy:
    return read_policy(document.name, document.body)


@lru_cache(32)
def _data_set(document: Document) -> DataSet:
    return read_data_set(document.name, document.version, document.body)
