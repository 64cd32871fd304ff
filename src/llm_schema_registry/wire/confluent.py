"""JSON bodies owned by Confluent: exactly the members of rest-api section 3.

Refuses to know HTTP and use cases. Absent and empty members are left out of answers; `false` and `0` are written.
Requests take `null` wherever a member may be absent, and ignore members that they do not know.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from llm_schema_registry.errors import InvalidCompatibility, InvalidMode, InvalidSchema, InvalidVersion
from llm_schema_registry.model import (
    LATEST,
    CompatibilityLevel,
    CompatibilityPolicy,
    Config,
    EntityKind,
    EntityTags,
    Metadata,
    Mode,
    Reference,
    Report,
    RuleSet,
    Schema,
    Submission,
    ValidationLevel,
    Version,
    Version32,
    VersionKey,
)
from llm_schema_registry.names import parse_version

DEFAULT_SCHEMA_TYPE = "AVRO"


class ReferenceBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A reference; `version` -1 or "latest" is pinned to a number at registration."""

    name: str | None = None
    subject: str | None = None
    version: Version32 | str | None = None


class SchemaEntity(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    entity_path: str
    entity_type: EntityKind


class SchemaTags(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    schema_entity: SchemaEntity
    tags: tuple[str, ...] = ()


class RegisterSchemaRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Body of register, lookup and the compatibility checks."""

    schema: str | None = None
    schema_type: str | None = None
    references: tuple[ReferenceBody, ...] | None = None
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None
    version: Version32 | None = None
    id: Version32 | None = None
    schema_tags_to_add: tuple[SchemaTags, ...] | None = None
    schema_tags_to_remove: tuple[SchemaTags, ...] | None = None
    propagate_schema_tags: bool | None = None


class TagSchemaRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Body of `POST /subjects/{s}/versions/{v}/tags`."""

    new_version: Version32 | None = None
    tags_to_add: tuple[SchemaTags, ...] | None = None
    tags_to_remove: tuple[SchemaTags, ...] | None = None
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None
    rules_to_merge: RuleSet | None = None
    rules_to_remove: tuple[str, ...] | None = None


class SchemaBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A version, an id or a guid as answered; which members are set depends on the route."""

    subject: str | None = None
    version: int | None = None
    id: int | None = None
    guid: str | None = None
    schema_type: str | None = None
    references: tuple[Reference, ...] = ()
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None
    schema: str | None = None
    schema_tags: tuple[SchemaTags, ...] = ()
    max_id: int | None = None
    ts: int | None = None
    deleted: bool | None = None
    aliases: tuple[str, ...] = ()


class SubjectVersion(msgspec.Struct, frozen=True):
    subject: str
    version: int


class ContextId(msgspec.Struct, frozen=True):
    context: str
    id: int


class CompatibilityCheckResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """`messages` stands there, even empty, only when the caller asked for `verbose`."""

    is_compatible: bool
    messages: tuple[str, ...] | UnsetType = UNSET


class ModeBody(msgspec.Struct, frozen=True, omit_defaults=True):
    mode: str | None = None


class ModeUpdateRequest(msgspec.Struct, frozen=True):
    """Body of PUT mode; `null` clears the mode."""

    mode: str | UnsetType | None = UNSET


class ConfigUpdateRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Body and answer of PUT config: an absent member is kept, `null` clears it."""

    compatibility: str | UnsetType | None = UNSET
    alias: str | UnsetType | None = UNSET
    alias_for_deks: str | UnsetType | None = UNSET
    normalize: bool | UnsetType | None = UNSET
    validate_fields: bool | UnsetType | None = UNSET
    validate_new_schemas: bool | UnsetType | None = UNSET
    validate_rules: bool | UnsetType | None = UNSET
    compatibility_policy: str | UnsetType | None = UNSET
    compatibility_group: str | UnsetType | None = UNSET
    default_metadata: Metadata | UnsetType | None = UNSET
    override_metadata: Metadata | UnsetType | None = UNSET
    default_rule_set: RuleSet | UnsetType | None = UNSET
    override_rule_set: RuleSet | UnsetType | None = UNSET
    validation_level: ValidationLevel | UnsetType | None = UNSET


class ErrorBody(msgspec.Struct, frozen=True):
    """Every refusal, on every route."""

    error_code: int
    message: str


def submission_of(request: RegisterSchemaRequest) -> Submission:
    """Read a request. Raises InvalidSchema for a reference without name, subject or usable version."""
    return Submission(
        schema_type=request.schema_type or DEFAULT_SCHEMA_TYPE,
        text=request.schema or "",
        references=tuple(_reference_of(body) for body in request.references or ()),
        metadata=request.metadata,
        rule_set=request.rule_set,
        version=request.version,
        id=request.id,
        tags_to_add=tags_of(request.schema_tags_to_add),
        tags_to_remove=tags_of(request.schema_tags_to_remove),
        propagates_tags=bool(request.propagate_schema_tags),
    )


def answered_format(request: RegisterSchemaRequest) -> str:
    """Return the `format` for the answer to a registration that names none: the spelling that was sent.

    Confluent's serializers that send Protobuf as a base64 descriptor keep the answer and decode it as one later.
    """
    if request.schema_type != "PROTOBUF" or not request.schema:
        return ""
    # A .proto text that declares anything holds a semicolon or a brace; base64 never does.
    return "" if any(mark in request.schema for mark in ";{") else "serialized"


def tags_of(bodies: tuple[SchemaTags, ...] | None) -> tuple[EntityTags, ...]:
    """Read tags with the entities that they hang on."""
    return tuple(
        EntityTags(path=body.schema_entity.entity_path, kind=body.schema_entity.entity_type, tags=body.tags)
        for body in bodies or ()
    )


def tags_body(tags: tuple[EntityTags, ...]) -> tuple[SchemaTags, ...]:
    """Write tags with the entities that they hang on."""
    return tuple(
        SchemaTags(schema_entity=SchemaEntity(entity_path=entity.path, entity_type=entity.kind), tags=entity.tags)
        for entity in tags
    )


def version_body(
    version: Version,
    *,
    text: str | None = None,
    references: tuple[Reference, ...] | None = None,
    tags: tuple[EntityTags, ...] = (),
    aliases: tuple[str, ...] = (),
) -> SchemaBody:
    """Write a version; `text` and `references` replace the stored ones."""
    return msgspec.structs.replace(
        schema_body(version.schema, text=text, references=references, tags=tags),
        subject=str(version.subject),
        version=version.version,
        id=version.schema.id,
        ts=version.registered_at,
        deleted=version.is_deleted,
        aliases=aliases,
    )


def registered_body(version: Version, *, text: str | None = None) -> SchemaBody:
    """Write the answer of a registration: a version without its subject."""
    return msgspec.structs.replace(version_body(version, text=text), subject=None)


def schema_body(
    schema: Schema,
    *,
    text: str | None = None,
    references: tuple[Reference, ...] | None = None,
    tags: tuple[EntityTags, ...] = (),
    user: VersionKey | None = None,
    max_id: int | None = None,
) -> SchemaBody:
    """Write a content by id or guid; `user` is a version that uses it."""
    content = schema.content
    return SchemaBody(
        subject=str(user.subject) if user else None,
        version=user.version if user else None,
        guid=schema.guid,
        schema_type=content.schema_type,
        references=content.references if references is None else references,
        metadata=content.metadata,
        rule_set=content.rule_set,
        schema=content.text if text is None else text,
        schema_tags=tags_body(tags),
        max_id=max_id,
        deleted=user.is_deleted if user else None,
    )


def report_body(report: Report, *, verbose: bool) -> CompatibilityCheckResponse:
    """Write a verdict, with the messages if they were asked for."""
    return CompatibilityCheckResponse(report.is_compatible, report.messages if verbose else UNSET)


def config_changes(request: ConfigUpdateRequest) -> dict[str, Any]:
    """Read the members that a PUT names, as fields of `model.Config`. Raises InvalidCompatibility."""
    changes = {name: value for name in request.__struct_fields__ if (value := getattr(request, name)) is not UNSET}
    if "compatibility" in changes:
        level = changes.pop("compatibility")
        changes["compatibility_level"] = None if level is None else level_of(level)
    if changes.get("compatibility_policy") is not None:
        changes["compatibility_policy"] = policy_of(changes["compatibility_policy"])
    # An empty text means "unset" for the names among the settings.
    for name in ("alias", "alias_for_deks", "compatibility_group"):
        if changes.get(name) == "":
            changes[name] = None
    return changes


def config_update_body(config: Config) -> ConfigUpdateRequest:
    """Write settings with the keys of a PUT."""
    members = {name: value for name in config.__struct_fields__ if (value := getattr(config, name)) is not None}
    if "compatibility_level" in members:
        members["compatibility"] = members.pop("compatibility_level")
    return ConfigUpdateRequest(**members)


def level_of(text: str) -> CompatibilityLevel:
    """Read a compatibility level in any case. Raises InvalidCompatibility."""
    try:
        return CompatibilityLevel(text.upper())
    except ValueError:
        known = ", ".join(level.lower() for level in CompatibilityLevel)
        raise InvalidCompatibility(f"Invalid compatibility level '{text}'. Valid values are {known}") from None


def policy_of(text: str) -> CompatibilityPolicy:
    """Read a compatibility policy in any case. Raises InvalidCompatibility."""
    try:
        return CompatibilityPolicy(text.upper())
    except ValueError:
        known = ", ".join(CompatibilityPolicy)
        raise InvalidCompatibility(f"Invalid compatibility policy '{text}'. Valid values are {known}") from None


def mode_of(request: ModeUpdateRequest) -> Mode | None:
    """Read a mode in any case, None to clear it. Raises InvalidMode."""
    if request.mode is None:
        return None
    try:
        return Mode(str(request.mode or "").upper())
    except ValueError:
        raise InvalidMode(
            f"Invalid mode '{request.mode or ''}'. Valid values are {', '.join(Mode)}, and null to clear it"
        ) from None


def _reference_of(body: ReferenceBody) -> Reference:
    version = body.version
    if isinstance(version, str):
        try:
            version = parse_version(version)
        except InvalidVersion:
            raise InvalidSchema(
                f"Reference '{body.name}' has version '{version}'; give a number, -1 or \"latest\""
            ) from None
    return Reference(body.name or "", body.subject or "", LATEST if version is None else version)
