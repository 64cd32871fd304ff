"""Questions to the tables: the statements that only read, and how rows become values of `model`.

Refuses to open connections or transactions: it is given a way to ask, so that one text serves both sides of a
transaction and both dialects.

Statements of a fixed shape are built once: building one costs more than SQLite needs to answer it.
"""

from __future__ import annotations

from functools import cache, lru_cache

import msgspec
from sqlalchemy import BigInteger, bindparam, func, or_, select, tuple_

from llm_schema_registry.model import (
    DEFAULT_CONTEXT,
    EVERYWHERE,
    GLOBAL_CONTEXT,
    LATEST,
    Config,
    Event,
    EventType,
    Metadata,
    Mode,
    Reference,
    RuleSet,
    Schema,
    SchemaContent,
    State,
    Subject,
    Version,
    VersionKey,
)
from llm_schema_registry.store.base import EVERYTHING, Page, ScopeSettings, VersionFilter, Visibility
from llm_schema_registry.store.documents import SqlDocumentReader
from llm_schema_registry.store.jobs import SqlJobReader
from llm_schema_registry.store.rows import AnyRow, Parameters, is_storable
from llm_schema_registry.store.search import (
    AnySelect,
    filter_versions,
    is_visible,
    prefix_conditions,
    prefix_parameters,
    select_subjects,
    windowed,
)
from llm_schema_registry.store.tables import contexts, counters, events, schema_references, schemas, subjects, versions

# No table holds more rows, and both databases take it as a limit.
_NO_LIMIT = 2**62

_references_of = msgspec.json.Decoder(tuple[Reference, ...]).decode
_metadata_of = msgspec.json.Decoder(Metadata).decode
_rule_set_of = msgspec.json.Decoder(RuleSet).decode
_config_of = msgspec.json.Decoder(Config).decode
_details_of = msgspec.json.Decoder(dict[str, str]).decode

_CONTENT = (
    schemas.c.context,
    schemas.c.id,
    schemas.c.guid,
    schemas.c.schema_type,
    schemas.c.definition,
    schemas.c.pinned_references,
    schemas.c.metadata,
    schemas.c.rule_set,
)
_BINDING = (
    versions.c.subject,
    versions.c.version,
    versions.c.is_deleted,
    versions.c.registered_at,
    versions.c.registered_by,
    versions.c.state,
)
_KEY = (versions.c.context, versions.c.subject, versions.c.version, versions.c.schema_id, versions.c.is_deleted)
_USES = (schemas.c.context == versions.c.context) & (schemas.c.id == versions.c.schema_id)
_NAMES = (subjects.c.context == versions.c.context) & (subjects.c.name == versions.c.subject)
_OF_SUBJECT = (versions.c.context == bindparam("context")) & (versions.c.subject == bindparam("subject"))

_WITH_CONTENT = select(*_CONTENT, *_BINDING).join_from(versions, schemas, _USES)
_SCHEMA = select(*_CONTENT).where(schemas.c.context == bindparam("context"), schemas.c.id == bindparam("id"))
_BY_GUID = select(*_CONTENT).where(schemas.c.guid == bindparam("guid")).order_by(schemas.c.context, schemas.c.id)
_BY_GUID_IN_CONTEXT = _BY_GUID.where(schemas.c.context == bindparam("context"))
_MAX_SCHEMA_ID = select(func.max(schemas.c.id)).where(schemas.c.context == bindparam("context"))
_SETTINGS = select(subjects.c.config, subjects.c.mode).where(
    subjects.c.context == bindparam("context"), subjects.c.name == bindparam("name")
)
_SETTINGS_OF_SCOPES = select(subjects.c.context, subjects.c.name, subjects.c.config, subjects.c.mode).where(
    or_(
        (subjects.c.context == bindparam("context")) & subjects.c.name.in_([bindparam("name"), ""]),
        (subjects.c.context == GLOBAL_CONTEXT) & (subjects.c.name == ""),
    )
)
_MODES = (
    select(subjects.c.name, subjects.c.mode)
    .where(subjects.c.context == bindparam("context"), subjects.c.mode.is_not(None))
    .order_by(subjects.c.name)
)
_CONFIGS = (
    select(subjects.c.context, subjects.c.name, subjects.c.config)
    .where(subjects.c.config.is_not(None))
    .order_by(subjects.c.qualified_name)
)
_CONFIGS_IN_CONTEXT = _CONFIGS.where(subjects.c.context == bindparam("context"))
_EVENTS = (
    select(
        events.c.position,
        events.c.type,
        events.c.context,
        events.c.subject,
        events.c.actor,
        events.c.request_id,
        events.c.at,
        events.c.version,
        events.c.schema_id,
        events.c.details,
    )
    .where(events.c.position > bindparam("after"))
    .order_by(events.c.position)
    .limit(bindparam("limit", type_=BigInteger))
)

_LOG_POSITION = select(counters.c.last).where(counters.c.name == "events")


_NAMED_WITH_CONTENT = _WITH_CONTENT.join(subjects, _NAMES)
_NAMED = select(versions.c.version).join(schemas, _USES).join(subjects, _NAMES)


@lru_cache(maxsize=256)
def _count_of(found: AnySelect) -> AnySelect:
    return select(func.count()).select_from(found.subquery())


@cache
def _numbered(visibility: Visibility) -> AnySelect:
    return _WITH_CONTENT.where(_OF_SUBJECT, versions.c.version == bindparam("version"), is_visible(visibility))


@cache
def _newest(visibility: Visibility) -> AnySelect:
    return _WITH_CONTENT.where(_OF_SUBJECT, is_visible(visibility)).order_by(versions.c.version.desc()).limit(1)


@cache
def _newest_with_guid(visibility: Visibility) -> AnySelect:
    return _newest(visibility).where(schemas.c.guid == bindparam("guid"))


@cache
def _all_of_subject(visibility: Visibility) -> AnySelect:
    is_earlier = versions.c.version < bindparam("before", type_=BigInteger)
    return windowed(
        _WITH_CONTENT.where(_OF_SUBJECT, is_earlier, is_visible(visibility)).order_by(versions.c.version.desc())
    )


@cache
def _keys_of_subject(visibility: Visibility) -> AnySelect:
    return windowed(select(*_KEY).where(_OF_SUBJECT, is_visible(visibility)).order_by(versions.c.version))


@cache
def _keys_of_schema(visibility: Visibility) -> AnySelect:
    used = (versions.c.context == bindparam("context")) & (versions.c.schema_id == bindparam("id"))
    return windowed(select(*_KEY).where(used, is_visible(visibility)).order_by(versions.c.subject, versions.c.version))


@cache
def _referrers(visibility: Visibility, *, of_any_version: bool) -> AnySelect:
    pinned = schema_references.c
    holders = select(pinned.context, pinned.schema_id).where(
        pinned.referenced_context == bindparam("context"),
        pinned.referenced_subject == bindparam("subject"),
    )
    if not of_any_version:
        holders = holders.where(pinned.referenced_version == bindparam("version"))
    return (
        select(*_KEY)
        .join_from(versions, subjects, _NAMES)
        .where(tuple_(versions.c.context, versions.c.schema_id).in_(holders), is_visible(visibility))
        .order_by(versions.c.schema_id, subjects.c.qualified_name, versions.c.version)
    )


@cache
def _contexts(named: frozenset[str]) -> AnySelect:
    # The global context is a scope of settings, never a place for subjects.
    is_listed = or_(contexts.c.is_live & (contexts.c.name != GLOBAL_CONTEXT), contexts.c.name == DEFAULT_CONTEXT)
    conditions = prefix_conditions(contexts.c.name, named)
    return windowed(select(contexts.c.name).where(is_listed, *conditions).order_by(contexts.c.name))


class SqlReader(SqlJobReader, SqlDocumentReader):
    """The questions of `base.Reader`."""

    async def find_schema(self, context: str, schema_id: int) -> Schema | None:
        rows = await self._ask(_SCHEMA, context=context, id=schema_id)
        return _schema(rows[0]) if rows else None

    async def list_schemas_by_guid(self, guid: str, context: str | None = None) -> list[Schema]:
        if context is None:
            rows = await self._ask(_BY_GUID, guid=guid)
        else:
            rows = await self._ask(_BY_GUID_IN_CONTEXT, guid=guid, context=context)
        return [_schema(row) for row in rows]

    async def find_version(
        self, subject: Subject, version: int, visibility: Visibility = Visibility.ACTIVE
    ) -> Version | None:
        if version == LATEST:
            rows = await self._ask(_newest(Visibility.ACTIVE), context=subject.context, subject=subject.name)
        else:
            rows = await self._ask(
                _numbered(visibility), context=subject.context, subject=subject.name, version=version
            )
        return _version(rows[0]) if rows else None

    async def find_version_by_guid(
        self, subject: Subject, guid: str, visibility: Visibility = Visibility.ACTIVE
    ) -> Version | None:
        rows = await self._ask(_newest_with_guid(visibility), context=subject.context, subject=subject.name, guid=guid)
        return _version(rows[0]) if rows else None

    async def list_versions(
        self,
        subject: Subject,
        visibility: Visibility = Visibility.ACTIVE,
        page: Page = EVERYTHING,
        before: int | None = None,
    ) -> list[Version]:
        rows = await self._ask(
            _all_of_subject(visibility),
            context=subject.context,
            subject=subject.name,
            before=_NO_LIMIT if before is None else before,
            **_window(page),
        )
        return [_version(row) for row in rows]

    async def list_version_keys(
        self, subject: Subject, visibility: Visibility = Visibility.ACTIVE, page: Page = EVERYTHING
    ) -> list[VersionKey]:
        rows = await self._ask(
            _keys_of_subject(visibility), context=subject.context, subject=subject.name, **_window(page)
        )
        return [_key(row) for row in rows]

    async def list_subjects(
        self,
        context: str | None = None,
        prefix: str = "",
        pattern: str | None = None,
        visibility: Visibility = Visibility.ACTIVE,
        page: Page = EVERYTHING,
    ) -> list[Subject]:
        statement, parameters = select_subjects(context, prefix, pattern, visibility)
        return [Subject(*row) for row in await self._ask(statement, **parameters, **_window(page))]

    async def search_versions(self, where: VersionFilter, page: Page = EVERYTHING) -> list[Version]:
        statement, parameters = filter_versions(_NAMED_WITH_CONTENT, where)
        return [_version(row) for row in await self._ask(statement, **parameters, **_window(page))]

    async def count_versions(self, where: VersionFilter) -> int:
        found, parameters = filter_versions(_NAMED, where)
        rows = await self._ask(_count_of(found), **parameters, **_window(EVERYTHING))
        return rows[0][0] if rows else 0

    async def list_versions_of_schema(
        self, context: str, schema_id: int, visibility: Visibility = Visibility.ACTIVE, page: Page = EVERYTHING
    ) -> list[VersionKey]:
        rows = await self._ask(_keys_of_schema(visibility), context=context, id=schema_id, **_window(page))
        return [_key(row) for row in rows]

    async def list_referrers(
        self, subject: Subject, version: int | None, visibility: Visibility = Visibility.ACTIVE
    ) -> list[VersionKey]:
        numbered = {} if version is None else {"version": version}
        statement = _referrers(visibility, of_any_version=version is None)
        rows = await self._ask(statement, context=subject.context, subject=subject.name, **numbered)
        return [_key(row) for row in rows]

    async def find_max_schema_id(self, context: str) -> int:
        rows = await self._ask(_MAX_SCHEMA_ID, context=context)
        return (rows[0][0] or 0) if rows else 0

    async def list_settings(self, subject: Subject) -> tuple[ScopeSettings, ScopeSettings, ScopeSettings]:
        # What surrounds a name decides also when the name itself cannot be stored.
        name = subject.name if is_storable(subject.name) else ""
        rows = await self._ask(_SETTINGS_OF_SCOPES, context=subject.context, name=name)
        found = {
            Subject(context, scope): ScopeSettings(
                None if config is None else _config_of(config), None if mode is None else Mode(mode)
            )
            for context, scope, config, mode in rows
        }
        nothing = ScopeSettings()
        return (
            found.get(subject, nothing),
            found.get(Subject(subject.context, ""), nothing),
            found.get(EVERYWHERE, nothing),
        )

    async def find_config(self, scope: Subject) -> Config | None:
        rows = await self._ask(_SETTINGS, context=scope.context, name=scope.name)
        config, _ = rows[0] if rows else (None, None)
        return None if config is None else _config_of(config)

    async def find_mode(self, scope: Subject) -> Mode | None:
        rows = await self._ask(_SETTINGS, context=scope.context, name=scope.name)
        _, mode = rows[0] if rows else (None, None)
        return None if mode is None else Mode(mode)

    async def list_configs(self, context: str | None = None) -> list[tuple[Subject, Config]]:
        if context is None:
            rows = await self._ask(_CONFIGS)
        else:
            rows = await self._ask(_CONFIGS_IN_CONTEXT, context=context)
        return [(Subject(scope, name), _config_of(config)) for scope, name, config in rows]

    async def list_modes(self, context: str) -> list[tuple[Subject, Mode]]:
        return [(Subject(context, name), Mode(mode)) for name, mode in await self._ask(_MODES, context=context)]

    async def list_contexts(self, prefix: str = "", page: Page = EVERYTHING) -> list[str]:
        parameters = prefix_parameters(prefix)
        statement = _contexts(frozenset(parameters))
        return [name for [name] in await self._ask(statement, **parameters, **_window(page))]

    async def list_events(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        rows = await self._ask(_EVENTS, after=after, limit=limit)
        return [
            (
                position,
                Event(
                    EventType(event_type),
                    Subject(context, name),
                    actor,
                    request_id,
                    at,
                    version,
                    schema_id,
                    _details_of(details),
                ),
            )
            for position, event_type, context, name, actor, request_id, at, version, schema_id, details in rows
        ]

    async def find_log_position(self) -> int:
        [[position]] = await self._ask(_LOG_POSITION)
        return int(position)


def _window(page: Page) -> Parameters:
    return {"offset": page.offset, "limit": _NO_LIMIT if page.limit is None else min(page.limit, _NO_LIMIT)}


def _schema(row: AnyRow) -> Schema:
    return _schema_of(*row)


def _schema_of(
    context: str,
    schema_id: int,
    guid: str,
    schema_type: str,
    text: str,
    references: str | None,
    metadata: str | None,
    rule_set: str | None,
) -> Schema:
    content = SchemaContent(
        schema_type,
        text,
        () if references is None else _references_of(references),
        None if metadata is None else _metadata_of(metadata),
        None if rule_set is None else _rule_set_of(rule_set),
    )
    return Schema(context, schema_id, guid, content)


def _version(row: AnyRow) -> Version:
    *content, name, number, is_deleted, registered_at, registered_by, state = row
    schema = _schema_of(*content)
    return Version(
        Subject(schema.context, name), number, schema, bool(is_deleted), registered_at, registered_by, State(state)
    )


def _key(row: AnyRow) -> VersionKey:
    context, name, version, schema_id, is_deleted = row
    return VersionKey(Subject(context, name), version, schema_id, bool(is_deleted))
