"""From what a caller hands in to a content that could be stored: references, parsing, tags, inheritance, merging.

Refuses to know whether the content may be registered.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from llm_schema_registry.contracts.merge import VERSION_PROPERTY, merge_metadata, merge_rule_sets, with_properties
from llm_schema_registry.contracts.rules import check_rule_set
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

    def content(self, config: Config, latest: Version | None, *, inherits: bool = True) -> SchemaContent:
        """Return the content that this candidate would be under a subject.

        Metadata and rule set that were not given are inherited from the latest version; then the scope's defaults and
        overrides are merged in (rest-api section 10). An explicit version number is noted in the metadata.
        """
        given, rules = self.submission.metadata, self.submission.rule_set
        if inherits and latest is not None:
            given = _inherited(latest) if given is None else given
            rules = latest.schema.content.rule_set if rules is None else rules
        metadata = merge_metadata(config.default_metadata, given, config.override_metadata)
        if self.submission.version is not None and self.submission.version > 0:
            metadata = with_properties(metadata, **{VERSION_PROPERTY: str(self.submission.version)})
        return self._content(metadata, merge_rule_sets(config.default_rule_set, rules, config.override_rule_set))

    def given_content(self) -> SchemaContent:
        """Return the content exactly as given: nothing inherited, no defaults, no overrides."""
        return self._content(merge_metadata(self.submission.metadata), merge_rule_sets(self.submission.rule_set))

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
    references_may_be_deleted: bool = False,
) -> Candidate:
    """Parse a submission in the light of its subject's settings.

    An empty text stands for the latest version's. An import is neither normalised nor held to the rules for new
    schemas. Raises InvalidSchema, SchemaTooLarge, InvalidRuleSet.
    """
    if len(submission.text.encode(errors="surrogatepass")) > call.policy.max_schema_bytes:
        raise SchemaTooLarge(f"The schema is larger than {call.policy.max_schema_bytes} bytes")
    if submission.rule_set is not None:
        submission = msgspec.structs.replace(submission, rule_set=check_rule_set(submission.rule_set))
    if not submission.text.strip():
        submission = await _with_previous_text(reader, subject, submission)
    resolution = await resolve(reader, subject.context, submission.references, are_new=not references_may_be_deleted)
    is_new = config.validate_new_schemas is not False and not is_import

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
    references = resolution.pinned
    return Candidate(
        schema_type=submission.schema_type,
        text=parsed.normalized if is_normalized else parsed.canonical,
        references=tuple(sorted(set(references))) if is_normalized else references,
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


async def _with_previous_text(reader: Reader, subject: Subject, submission: Submission) -> Submission:
    latest = await reader.find_version(subject, LATEST, Visibility.ACTIVE)
    if latest is None:
        raise InvalidSchema(f"Empty schema: subject '{subject}' has no version whose text could be taken; send one")
    content = latest.schema.content
    return msgspec.structs.replace(
        submission, schema_type=content.schema_type, text=content.text, references=content.references
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


def _inherited(latest: Version) -> Metadata | None:
    return with_properties(latest.schema.content.metadata, **{VERSION_PROPERTY: None})
