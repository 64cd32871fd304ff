"""From what a caller hands in to a content that could be stored: references, parsing, tags, inheritance, merging.

Refuses to know whether the content may be registered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from llm_schema_registry.contracts.merge import (
    VERSION_PROPERTY,
    merge_metadata,
    merge_rule_sets,
    property_of,
    with_properties,
    without_number,
)
from llm_schema_registry.contracts.rules.check import check_rule_set
from llm_schema_registry.errors import InvalidSchema, SchemaTooLarge
from llm_schema_registry.formats.base import Parsed
from llm_schema_registry.model import (
    LATEST,
    Config,
    Metadata,
    Reference,
    RuleSet,
    SchemaContent,
    Subject,
    Submission,
    Version,
)
from llm_schema_registry.names import parse_subject
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.registry.references import resolve
from llm_schema_registry.store.base import Reader, Visibility


@dataclass(frozen=True, slots=True)
class Candidate:
    """A submission that was understood, before it meets the versions of its subject."""

    schema_type: str
    text: str
    references: tuple[Reference, ...]
    parsed: Parsed
    submission: Submission
    is_normalized: bool

    def content(self, config: Config, latest: Version | None) -> SchemaContent:
        """Return the content that this candidate would be under a subject.

        Metadata and rule set that were not given are inherited from the latest version; then the scope's defaults and
        overrides are merged in (rest-api section 10). An explicit version number is noted in the metadata.
        """
        given, rules = self.submission.metadata, self.submission.rule_set
        if latest is not None:
            given = without_number(latest.schema.content.metadata) if given is None else given
            rules = latest.schema.content.rule_set if rules is None else rules
        metadata = merge_metadata(config.default_metadata, given, config.override_metadata)
        if self._is_numbered:
            metadata = with_properties(metadata, **{VERSION_PROPERTY: str(self.submission.version)})
        return self._content(metadata, merge_rule_sets(config.default_rule_set, rules, config.override_rule_set))

    def given_content(self) -> SchemaContent:
        """Return the content exactly as given: nothing inherited, no defaults, no overrides."""
        return self._content(merge_metadata(self.submission.metadata), merge_rule_sets(self.submission.rule_set))

    def repeated_contents(self, config: Config, latest: Version) -> tuple[SchemaContent, ...]:
        """Return the contents that this candidate repeats when its subject has one of them, best first.

        They are what was given, what it would become, and that under the latest version's explicit number.
        """
        content = self.content(config, latest)
        if self._is_numbered:
            return (content,)
        numbered = {VERSION_PROPERTY: property_of(latest.schema.content.metadata, VERSION_PROPERTY)}
        return (
            self.given_content(),
            content,
            self._content(with_properties(content.metadata, **numbered), content.rule_set),
        )

    @property
    def _is_numbered(self) -> bool:
        return self.submission.version is not None and self.submission.version > 0

    def _content(self, metadata: Metadata | None, rule_set: RuleSet | None) -> SchemaContent:
        return SchemaContent(self.schema_type, self.text, self.references, metadata, rule_set)

    def referenced_subjects(self, context: str) -> tuple[Subject, ...]:
        """The subjects that the candidate refers to directly, seen from a context."""
        return tuple(parse_subject(ref.subject, context) for ref in self.references)


async def understand(
    call: Call,
    reader: Reader,
    subject: Subject,
    submission: Submission,
    config: Config,
    *,
    normalize: bool = False,
    is_import: bool = False,
    is_lookup: bool = False,
) -> Candidate:
    """Parse a submission in the light of its subject's settings.

    An empty text stands for the latest version's. An import is not normalised. Neither an import nor a lookup is held
    to the rules for new schemas, and a lookup may refer to what is soft-deleted. Raises InvalidSchema, SchemaTooLarge,
    InvalidRuleSet.
    """
    if len(submission.text.encode(errors="surrogatepass")) > call.policy.max_schema_bytes:
        raise SchemaTooLarge(f"The schema is larger than {call.policy.max_schema_bytes} bytes")
    if submission.rule_set is not None:
        submission = msgspec.structs.replace(submission, rule_set=check_rule_set(submission.rule_set))
    if not submission.text.strip():
        submission = await _with_previous_text(reader, subject, submission)
    resolution = await resolve(reader, subject.context, submission.references, are_new=not is_lookup)
    is_new = config.validate_new_schemas is not False and not is_import and not is_lookup

    async def parse(text: str) -> Parsed:
        return await call.engines.parse(submission.schema_type, text, resolution.resolved, is_new=is_new)

    parsed = await parse(submission.text)
    if submission.tags_to_add or submission.tags_to_remove:
        tagged = await call.engines.run(parsed.with_tags, submission.tags_to_add, submission.tags_to_remove)
        parsed = await parse(tagged)
    if submission.propagates_tags:
        parsed = await parse(await _with_propagated_tags(call, reader, subject, parsed))
    if config.validate_fields and parsed.reserved_misuse:
        raise InvalidSchema(parsed.reserved_misuse)
    is_normalized = (normalize or config.normalize is True) and not is_import
    return Candidate(
        schema_type=submission.schema_type,
        text=parsed.normalized if is_normalized else parsed.canonical,
        references=_normalized(resolution.pinned) if is_normalized else resolution.pinned,
        parsed=parsed,
        submission=submission,
        is_normalized=is_normalized,
    )


async def parse_text(call: Call, reader: Reader, context: str, content: SchemaContent) -> Parsed:
    """Parse a stored content with its references. Raises InvalidSchema when today's rules refuse it."""
    resolution = await resolve(reader, context, content.references)
    return await call.engines.parse(content.schema_type, content.text, resolution.resolved)


async def parse_stored(call: Call, reader: Reader, version: Version) -> Parsed:
    """Parse a stored version, as `parse_text` does."""
    return await parse_text(call, reader, version.subject.context, version.schema.content)


def taken_for_candidate(version: Version, parsed: Parsed) -> Candidate:
    """Return a registered version, parsed perhaps otherwise than it was, as what could be registered."""
    content = version.schema.content
    return Candidate(
        schema_type=content.schema_type,
        text=content.text,
        references=content.references,
        parsed=parsed,
        submission=Submission(
            content.schema_type, content.text, content.references, content.metadata, content.rule_set
        ),
        is_normalized=False,
    )


async def _with_previous_text(reader: Reader, subject: Subject, submission: Submission) -> Submission:
    latest = await reader.find_version(subject, LATEST, Visibility.ACTIVE)
    if latest is None:
        raise InvalidSchema(f"Empty schema: subject '{subject}' has no version whose text could be taken; send one")
    content = latest.schema.content
    return msgspec.structs.replace(
        submission,
        schema_type=content.schema_type,
        text=content.text,
        references=content.references,
        metadata=without_number(content.metadata) if submission.metadata is None else submission.metadata,
        rule_set=content.rule_set if submission.rule_set is None else submission.rule_set,
    )


async def _with_propagated_tags(call: Call, reader: Reader, subject: Subject, parsed: Parsed) -> str:
    """Return the text with the latest version's inline tags on every entity that is still there."""
    latest = await reader.find_version(subject, LATEST)
    if latest is None:
        return parsed.canonical
    earlier = await parse_stored(call, reader, latest)
    kept = []
    for entity in earlier.tags:
        try:
            await call.engines.run(parsed.with_tags, (entity,), ())
        except InvalidSchema:
            # The entity is gone in the new schema; its tags go with it.
            continue
        kept.append(entity)
    return await call.engines.run(parsed.with_tags, kept, ())


def _normalized(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Sort references and drop all but the first of each name: the others were never looked at."""
    first: dict[str, Reference] = {}
    for reference in references:
        first.setdefault(reference.name, reference)
    return tuple(sorted(first.values()))
