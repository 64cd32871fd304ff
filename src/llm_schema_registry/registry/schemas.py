"""Schemas by id, by guid, by what they carry; and their texts in other spellings (rest-api 4.4).

Refuses to know how they came in.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_registry.errors import NotAcceptable, SchemaNotFound
from llm_schema_registry.formats import FORMATS, get_format
from llm_schema_registry.model import (
    DEFAULT_CONTEXT,
    CompatibilityLevel,
    EntityTags,
    Schema,
    Subject,
    Version,
    VersionKey,
)
from llm_schema_registry.names import parse_subject
from llm_schema_registry.registry.candidate import parse_text
from llm_schema_registry.registry.compatibility import are_compatible
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.scopes import load_scopes, settle
from llm_schema_registry.registry.subjects import get_version
from llm_schema_registry.store.base import EVERYTHING, Page, Reader, VersionFilter, Visibility

ANY_TAG = "*"
NATIVE_MEDIA_TYPES = tuple(dict.fromkeys(media for fmt in FORMATS.values() for media in fmt.media_types))
"""What the schemas of any format can be represented in."""

_BATCH = 50


@operation(Permission.READ)
async def get_schema(
    call: Call, schema_id: int, *, context: str = DEFAULT_CONTEXT, subject: Subject | None = None
) -> tuple[Schema, VersionKey | None]:
    """Return the content behind an id, with one version that uses it (an active one, if there is one).

    `subject` picks the context: a qualified one its own; an unqualified one first its own versions in the default
    context, then in the others, then the id in the default context. Raises SchemaNotFound.
    """
    reader = call.store.reader
    if subject is not None:
        subject = (await settle(reader, subject)).subject
        context = subject.context
        used = await _find_use(reader, subject, schema_id)
        if used is not None:
            return used.schema, VersionKey(used.subject, used.version, schema_id, used.is_deleted)
    schema = await reader.find_schema(context, schema_id)
    if schema is None:
        raise SchemaNotFound(schema_id)
    for visibility in (Visibility.ACTIVE, Visibility.ALL):
        if keys := await reader.list_versions_of_schema(context, schema_id, visibility, Page(limit=1)):
            return schema, keys[0]
    return schema, None


@operation(Permission.READ)
async def get_schema_by_guid(call: Call, guid: str) -> Schema:
    """Return a content by its guid. Raises SchemaNotFound."""
    found = await call.store.reader.list_schemas_by_guid(guid.lower())
    if not found:
        raise SchemaNotFound(guid)
    return found[0]


@operation(Permission.READ)
async def list_ids_of_guid(call: Call, guid: str) -> list[Schema]:
    """List where a content is stored, by context and id; empty when it is unknown."""
    return await call.store.reader.list_schemas_by_guid(guid.lower())


@operation(Permission.READ)
async def list_versions_of_schema(
    call: Call,
    schema_id: int,
    *,
    context: str = DEFAULT_CONTEXT,
    subject: Subject | None = None,
    includes_deleted: bool = False,
    page: Page = EVERYTHING,
) -> list[VersionKey]:
    """List where an id is used, by subject and version; soft-deleted uses only on request. Raises SchemaNotFound."""
    schema, _ = await get_schema(call, schema_id, context=context, subject=subject)
    visibility = Visibility.ALL if includes_deleted else Visibility.ACTIVE
    return await call.store.reader.list_versions_of_schema(schema.context, schema_id, visibility, page)


@operation(Permission.READ)
async def search(call: Call, where: VersionFilter, page: Page = EVERYTHING) -> list[Version]:
    """List versions by what they are and carry, by subject and version."""
    return await call.store.lagging_reader.search_versions(where, page)


@operation(Permission.READ)
async def list_aliases(call: Call) -> dict[Subject, list[Subject]]:
    """Return the subjects that are aliases, by what they stand for, which may be in another context."""
    aliases: dict[Subject, list[Subject]] = {}
    for scope, config in await call.store.reader.list_configs():
        if config.alias:
            aliases.setdefault(parse_subject(config.alias, scope.context), []).append(scope)
    return aliases


@operation(Permission.READ)
async def find_max_id(call: Call, context: str = DEFAULT_CONTEXT) -> int:
    """Return the largest id in use in a context; 0 when there is none."""
    return await call.store.reader.find_max_schema_id(context)


@operation(Permission.READ)
async def find_latest_compatible(call: Call, subject: Subject, version: int, level: CompatibilityLevel) -> Version:
    """Return the newest active version that is compatible with `version` at a level (FR-3.1), perhaps itself.

    "Compatible" is asked of the pair alone, under the subject's policy: the newer one as candidate, `version` as the
    earlier one. Raises SubjectNotFound, VersionNotFound.
    """
    base = await get_version(call, subject, version)
    reader = call.store.reader
    config = (await load_scopes(reader, base.subject)).config(call.policy.default_level)
    offset = 0
    while versions := await reader.list_versions(base.subject, Visibility.ACTIVE, Page(offset, _BATCH)):
        offset += len(versions)
        for candidate in versions:
            if candidate.version <= base.version:
                return base
            if await are_compatible(call, reader, candidate, base, level, config.compatibility_policy):
                return candidate
    return base


@operation(Permission.READ)
async def render(call: Call, schema: Schema, style: str) -> str:
    """Return a schema's text in a `format=` style; an unknown style answers the stored text."""
    if not style:
        return schema.content.text
    parsed = await parse_text(call, call.store.reader, schema.context, schema.content)
    return await call.engines.run(parsed.render, style)


@operation(Permission.READ)
async def represent(call: Call, schema: Schema, media_type: str, *, pretty: bool) -> bytes:
    """Return a schema in one of its format's native media types. Raises NotAcceptable for a foreign one."""
    if media_type not in native_media_types(call, schema):
        raise NotAcceptable
    parsed = await parse_text(call, call.store.reader, schema.context, schema.content)
    return await call.engines.run(parsed.represent, media_type, pretty=pretty)


def native_media_types(call: Call, schema: Schema) -> tuple[str, ...]:
    """The media types in which a schema can be represented, the preferred one first."""
    return get_format(call.engines.formats, schema.content.schema_type).media_types


@operation(Permission.READ)
async def find_tags(call: Call, schema: Schema, wanted: Sequence[str]) -> tuple[EntityTags, ...]:
    """Return the tags inside a schema's text that are wanted (`*` for all), with where they hang."""
    parsed = await parse_text(call, call.store.reader, schema.context, schema.content)
    entities = await call.engines.run(lambda: parsed.tags)
    if ANY_TAG in wanted:
        return entities
    kept = (
        EntityTags(entity.path, entity.kind, tuple(tag for tag in entity.tags if tag in wanted)) for entity in entities
    )
    return tuple(entity for entity in kept if entity.tags)


async def _find_use(reader: Reader, subject: Subject, schema_id: int) -> Version | None:
    """Find the newest version of a subject that has an id, an active one if possible.

    An unqualified subject that does not use the id is looked for in the other contexts.
    """
    uses = await reader.search_versions(
        VersionFilter(subject=subject, schema_ids=(schema_id,), visibility=Visibility.ALL)
    )
    if uses:
        return max(uses, key=lambda use: (not use.is_deleted, use.version))
    if subject.context == DEFAULT_CONTEXT:
        for context in await reader.list_contexts():
            if context != DEFAULT_CONTEXT:
                used = await _find_use(reader, Subject(context, subject.name), schema_id)
                if used is not None:
                    return used
    return None
