"""JSON bodies owned by us, under `/v1`: the whole model of specification 8.1, and how it maps to `metadata`.

Refuses to know HTTP and use cases. Owner, description, tags and documentation live in the schema's
`metadata.properties`, so that a plain Confluent client can set and see them.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from llm_schema_registry.errors import BadRequest
from llm_schema_registry.model import (
    CompatibilityLevel,
    Metadata,
    Reference,
    RuleSet,
    Schema,
    State,
    Submission,
    Version,
    Version32,
)
from llm_schema_registry.wire.confluent import DEFAULT_SCHEMA_TYPE, ReferenceBody, RegisterSchemaRequest, submission_of
from llm_schema_registry.wire.times import utc

OWNER = "owner"
DESCRIPTION = "description"
DOCUMENTATION = "documentation"
TAGS = "tags"
"""Properties of `metadata` that hold the fields of FR-1.2; `tags` is a comma-separated list."""


class RegisterRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a registration can carry (FR-1.2).

    `version` absent numbers automatically. `compatibility_mode` becomes the subject's level in the same transaction.
    The four documentation fields are written into `metadata.properties` and win over what stands there.
    """

    definition: str
    schema_type: str = DEFAULT_SCHEMA_TYPE
    references: tuple[ReferenceBody, ...] = ()
    version: Version32 | None = None
    compatibility_mode: str | None = None
    owner_team: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    documentation_url: str | None = None
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None


class SchemaV1(msgspec.Struct, frozen=True, kw_only=True):
    """A content without the versions that use it."""

    context: str
    id: int
    guid: str
    schema_type: str
    definition: str
    references: tuple[Reference, ...]
    owner_team: str | None
    description: str | None
    tags: tuple[str, ...]
    documentation_url: str | None
    metadata: Metadata | None
    rule_set: RuleSet | None


class VersionV1(SchemaV1, frozen=True, kw_only=True):
    """A version with the whole model of specification 8.1.

    Times are RFC 3339 in UTC. The lifecycle times are null while the version was never deprecated or archived; the
    usage counts are null while usage is not tracked.
    """

    subject: str
    version: int
    compatibility_mode: CompatibilityLevel
    state: State
    deleted: bool
    registered_at: datetime
    registered_by: str
    deprecated_at: datetime | None = None
    sunset_date: datetime | None = None
    archived_at: datetime | None = None
    producer_count: int | None = None
    consumer_count: int | None = None
    validation_count: int | None = None


class VersionPage(msgspec.Struct, frozen=True):
    """Some versions; `next` is the `cursor` of the following page, null on the last one."""

    items: list[VersionV1]
    next: str | None


def submission_of_v1(request: RegisterRequest) -> Submission:
    """Read a request, the documentation fields folded into the metadata.

    Raises BadRequest for a tag that could not be read back, and InvalidSchema as Confluent's does.
    """
    for tag in request.tags:
        if "," in tag or tag != tag.strip() or not tag:
            raise BadRequest(f"The tag {tag!r} is empty, or holds a comma or white space at an end, which no tag can")
    given = {
        OWNER: request.owner_team,
        DESCRIPTION: request.description,
        DOCUMENTATION: request.documentation_url,
        TAGS: ",".join(request.tags) or None,
    }
    stated = {key: value for key, value in given.items() if value is not None}
    metadata = request.metadata
    if stated:
        base = metadata or Metadata()
        metadata = msgspec.structs.replace(base, properties={**(base.properties or {}), **stated})
    return submission_of(
        RegisterSchemaRequest(
            schema=request.definition,
            schema_type=request.schema_type,
            references=request.references,
            metadata=metadata,
            rule_set=request.rule_set,
            version=request.version,
        )
    )


def schema_v1(schema: Schema) -> SchemaV1:
    """Write a content."""
    return SchemaV1(**_schema_members(schema))  # type: ignore[arg-type]  # the members are those of the struct


def version_v1(version: Version, level: CompatibilityLevel) -> VersionV1:
    """Write a version; `level` is the one in force for its subject."""
    return VersionV1(
        **_schema_members(version.schema),  # type: ignore[arg-type]  # the members are those of the struct
        subject=str(version.subject),
        version=version.version,
        compatibility_mode=level,
        state=version.state,
        deleted=version.is_deleted,
        registered_at=utc(version.registered_at),
        registered_by=version.registered_by,
    )


def _schema_members(schema: Schema) -> dict[str, object]:
    content = schema.content
    properties = (content.metadata.properties if content.metadata else None) or {}
    return {
        "context": schema.context,
        "id": schema.id,
        "guid": schema.guid,
        "schema_type": content.schema_type,
        "definition": content.text,
        "references": content.references,
        "owner_team": properties.get(OWNER),
        "description": properties.get(DESCRIPTION),
        "tags": tuple(tag.strip() for tag in properties.get(TAGS, "").split(",") if tag.strip()),
        "documentation_url": properties.get(DOCUMENTATION),
        "metadata": content.metadata,
        "rule_set": content.rule_set,
    }
