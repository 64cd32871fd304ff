"""Changes to the tables inside one transaction.

Refuses to begin or end the transaction, and to take the locks that its opener took.

Locks beyond the opener's are taken in one order: first a context's row, under which its contents come and go and its
ids are given; last the log's counter, which is why events wait in memory until just before the commit. Both counters
are rows, not sequences: what they gave becomes visible in rising order, and a rollback gives it back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert  # SQLite compiles it to the same words
from sqlalchemy.sql import Executable

from llm_schema_registry.errors import IdsExhausted, InvalidSubject
from llm_schema_registry.model import MAX_ID, Config, Event, Metadata, Mode, Schema, SchemaContent, State, Subject
from llm_schema_registry.names import parse_subject
from llm_schema_registry.store.base import IdTaken, Reader, VersionTaken
from llm_schema_registry.store.documents import SqlDocumentWriter
from llm_schema_registry.store.jobs import SqlJobWriter
from llm_schema_registry.store.reader import SqlReader
from llm_schema_registry.store.rows import Change, Parameters, Rows, Run, RunTogether, json_of, refuse_unstorable
from llm_schema_registry.store.tables import (
    MAX_KEY_BYTES,
    contexts,
    counters,
    events,
    schema_properties,
    schema_references,
    schema_rule_types,
    schema_tags,
    schemas,
    subjects,
    versions,
)

# Both databases bound the number of parameters of a statement.
_CHUNK = 500
# Rows of one kind that wait; more are written at once.
_FEW = 3

_OF_CONTEXT = contexts.c.name == bindparam("of_context")
_OF_SCOPE = (subjects.c.context == bindparam("of_context")) & (subjects.c.name == bindparam("of_subject"))
_OF_SUBJECT = (versions.c.context == bindparam("of_context")) & (versions.c.subject == bindparam("of_subject"))
_HAS_VERSIONS = (
    select(1).where(versions.c.context == subjects.c.context, versions.c.subject == subjects.c.name).exists()
)
_HAS_USERS = select(1).where(versions.c.context == schemas.c.context, versions.c.schema_id == schemas.c.id).exists()

_FIRST_ID = select(counters.c.last).where(counters.c.name == "first_id").scalar_subquery()
_HOLD_CONTEXT = (
    upsert(contexts)
    .values(name=bindparam("name"), last_id=func.coalesce(_FIRST_ID, 0), is_live=bindparam("is_live"))
    .on_conflict_do_update(index_elements=["name"], set_={"is_live": True})
    .returning(contexts.c.last_id)
)
_COUNT_ID = update(contexts).where(_OF_CONTEXT).values(last_id=bindparam("id_given"))
_LEAVE_CONTEXT = update(contexts).where(_OF_CONTEXT).values(is_live=False)
_FORGET_SCOPES = delete(subjects).where(subjects.c.context == bindparam("of_context"), ~_HAS_VERSIONS)

_ADD_SCHEMA = insert(schemas)
_ADD_REFERENCES = insert(schema_references)
_ADD_TAGS = insert(schema_tags)
_ADD_PROPERTIES = insert(schema_properties)
_ADD_RULE_TYPES = insert(schema_rule_types)
_ADD_EVENTS = insert(events)

_ADD_SUBJECT = upsert(subjects).on_conflict_do_nothing(index_elements=["context", "name"])
_put = upsert(subjects)
_PUT_CONFIG = _put.on_conflict_do_update(index_elements=["context", "name"], set_={"config": _put.excluded.config})
_PUT_MODE = _put.on_conflict_do_update(index_elements=["context", "name"], set_={"mode": _put.excluded.mode})
_DELETE_CONFIG = update(subjects).where(_OF_SCOPE).values(config=None)
_DELETE_MODE = update(subjects).where(_OF_SCOPE).values(mode=None)
_FORGET_SUBJECT = delete(subjects).where(
    _OF_SCOPE, subjects.c.config.is_(None), subjects.c.mode.is_(None), ~_HAS_VERSIONS
)

_NEWEST_NUMBER = select(versions.c.version).where(_OF_SUBJECT).order_by(versions.c.version.desc()).limit(1)
_ADD_VERSION = (
    upsert(versions)
    .on_conflict_do_nothing(index_elements=["context", "subject", "version"])
    .returning(versions.c.version)
)
_SOFT_DELETE = (
    update(versions)
    .where(_OF_SUBJECT, versions.c.version.in_(bindparam("numbers", expanding=True)))
    .values(is_deleted=True)
)
_DELETE = (
    delete(versions)
    .where(_OF_SUBJECT, versions.c.version.in_(bindparam("numbers", expanding=True)))
    .returning(versions.c.schema_id)
)
_DELETE_UNUSED = delete(schemas).where(
    schemas.c.context == bindparam("of_context"),
    schemas.c.id.in_(bindparam("ids", expanding=True)),
    ~_HAS_USERS,
)

_COUNT_EVENTS = (
    update(counters)
    .where(counters.c.name == "events")
    .values(last=counters.c.last + bindparam("more"))
    .returning(counters.c.last)
)


class SqlWriter(SqlReader, SqlJobWriter, SqlDocumentWriter):
    """The changes of `base.Writer`, made through `run` on the transaction's connection.

    `log_position` is that of its last event; 0 while none is written.
    """

    def __init__(self, run: Run, run_together: RunTogether, committed: Reader | None = None) -> None:
        super().__init__(self._run_next)
        self._run_at_once = run
        self._run_together = run_together
        # Changes that nobody needs an answer to wait for the next that somebody does: on PostgreSQL they are one round
        # trip then, while the context and the log are locked.
        self._waiting: list[Change] = []
        self.committed: Reader = committed or self
        self._subjects: set[Subject] = set()
        self._last_ids: dict[str, int] = {}
        self._pending_events: list[Parameters] = []
        self.log_position = 0

    async def next_version(self, subject: Subject) -> int:
        rows = await self._ask(_NEWEST_NUMBER, of_context=subject.context, of_subject=subject.name)
        if rows:
            self._subjects.add(subject)
        return 1 + int(rows[0][0]) if rows else 1

    async def add_schema(self, context: str, guid: str, content: SchemaContent, schema_id: int | None = None) -> Schema:
        last_id = await self._hold_context(context)
        if schema_id is None:
            known = await self.list_schemas_by_guid(guid, context)
            if known:
                return known[0]
            schema_id = last_id + 1
            if schema_id > MAX_ID:
                raise IdsExhausted(context)
        else:
            holder = await self.find_schema(context, schema_id)
            if holder is not None:
                if holder.guid != guid:
                    raise IdTaken(f"Id {schema_id} names another content in context {context}")
                return holder
        largest = max(last_id, schema_id)
        schema = Schema(context, schema_id, guid, content)
        await self._change(*_rows_of(schema), (_COUNT_ID, [{"of_context": context, "id_given": largest}]))
        self._last_ids[context] = largest
        return schema

    async def add_version(
        self,
        subject: Subject,
        version: int,
        schema_id: int,
        *,
        registered_at: int,
        registered_by: str,
        state: State = State.ACTIVE,
    ) -> None:
        row: Parameters = {
            "context": subject.context,
            "subject": subject.name,
            "version": version,
            "schema_id": schema_id,
            "state": state.value,
            "is_deleted": False,
            "registered_at": registered_at,
            "registered_by": registered_by,
        }
        refuse_unstorable([row])
        await self._hold_context(subject.context)
        if subject not in self._subjects:
            await self._change((_ADD_SUBJECT, [_subject_row(subject)]))
        if not await self._make_waiting((_ADD_VERSION, row)):
            raise VersionTaken(f"Subject {subject} already has a version {version}")

    async def soft_delete_versions(self, subject: Subject, versions: Sequence[int]) -> None:
        for numbers in _chunks(versions):
            await self._ask(_SOFT_DELETE, of_context=subject.context, of_subject=subject.name, numbers=numbers)

    async def delete_versions(self, subject: Subject, versions: Sequence[int]) -> None:
        freed: set[int] = set()
        for numbers in _chunks(versions):
            rows = await self._ask(_DELETE, of_context=subject.context, of_subject=subject.name, numbers=numbers)
            freed.update(schema_id for [schema_id] in rows)
        if not freed:
            return
        await self._hold_context(subject.context)
        for ids in _chunks(sorted(freed)):
            await self._ask(_DELETE_UNUSED, of_context=subject.context, ids=ids)
        self._subjects.discard(subject)
        await self._forget(subject)

    async def put_config(self, scope: Subject, config: Config) -> None:
        await self._put(_PUT_CONFIG, scope, "config", json_of(config))

    async def delete_config(self, scope: Subject) -> None:
        await self._ask(_DELETE_CONFIG, of_context=scope.context, of_subject=scope.name)
        await self._forget(scope)

    async def put_mode(self, scope: Subject, mode: Mode) -> None:
        await self._put(_PUT_MODE, scope, "mode", mode.value)

    async def delete_mode(self, scope: Subject) -> None:
        await self._ask(_DELETE_MODE, of_context=scope.context, of_subject=scope.name)
        await self._forget(scope)

    async def delete_context(self, context: str) -> None:
        await self._ask(_LEAVE_CONTEXT, of_context=context)
        await self._ask(_FORGET_SCOPES, of_context=context)
        self._last_ids.pop(context, None)

    async def append_event(self, event: Event) -> None:
        row: Parameters = {
            "type": event.type.value,
            "context": event.subject.context,
            "subject": event.subject.name,
            "version": event.version,
            "schema_id": event.schema_id,
            "actor": event.actor,
            "request_id": event.request_id,
            "at": event.at,
            "details": json_of(event.details),
        }
        refuse_unstorable([row])
        self._pending_events.append(row)

    async def list_events(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        await self.write_events()
        return await super().list_events(after, limit)

    async def find_log_position(self) -> int:
        await self.write_events()
        return await super().find_log_position()

    async def write_events(self) -> None:
        """Write the events that wait. Whoever ends the transaction calls this last, for the order of locks."""
        if self._pending_events:
            pending, self._pending_events = self._pending_events, []
            [[last]] = await self._run(_COUNT_EVENTS, {"more": len(pending)})
            self.log_position = last
            first = last - len(pending) + 1
            rows = [{"position": first + index, **row} for index, row in enumerate(pending)]
            await self._change((_ADD_EVENTS, rows))
        await self._make_waiting()

    async def _change(self, *changes: tuple[Executable, list[Parameters]]) -> None:
        """Write rows, soon, or none of them when one cannot be stored."""
        for _, rows in changes:
            refuse_unstorable(rows)
        for statement, rows in changes:
            if len(rows) > _FEW:
                await self._run(statement, rows)
            else:
                self._waiting += [(statement, row) for row in rows]

    async def _make_waiting(self, *last: Change) -> Rows:
        """Make the changes that wait, then one more, whose rows are the answer."""
        changes, self._waiting = [*self._waiting, *last], []
        return await self._run_together(changes) if changes else []

    async def _run_next(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        await self._make_waiting()
        return await self._run_at_once(statement, parameters)

    async def _hold_context(self, context: str) -> int:
        """Lock a context's row until the end of the transaction; answer the largest id ever given in it."""
        if context not in self._last_ids:
            scope = _subject_row(Subject(context, ""))
            [[last_id]] = await self._run(_HOLD_CONTEXT, {"name": scope["context"], "is_live": True})
            self._last_ids[context] = last_id
        return self._last_ids[context]

    async def _put(self, statement: Executable, scope: Subject, column: str, document: str) -> None:
        row = _subject_row(scope) | {column: document}
        await self._hold_context(scope.context)
        # Never beside another change of the same row, which PostgreSQL refuses in one statement.
        await self._run(statement, row)

    async def _forget(self, subject: Subject) -> None:
        """Remove the row of a subject that has neither versions nor settings."""
        await self._ask(_FORGET_SUBJECT, of_context=subject.context, of_subject=subject.name)


def _subject_row(subject: Subject) -> Parameters:
    """Build the row of a subject. Raises InvalidSubject when the name is ambiguous or too long for an index."""
    text = str(subject)
    row: Parameters = {"context": subject.context, "name": subject.name, "qualified_name": text}
    refuse_unstorable([row])
    if parse_subject(text) != subject:
        raise InvalidSubject(f"The specified subject '{text}' is not a valid subject: its name reads as another one's")
    if len(text.encode()) > MAX_KEY_BYTES:
        raise InvalidSubject(f"The specified subject is longer than {MAX_KEY_BYTES} bytes in UTF-8; shorten it")
    return row


def _rows_of(schema: Schema) -> list[tuple[Executable, list[Parameters]]]:
    """Build the rows of a content: its own, and those by which it is found."""
    content = schema.content
    owner: Parameters = {"context": schema.context, "schema_id": schema.id}
    targets = [(parse_subject(pin.subject, schema.context), pin.version) for pin in content.references]
    row: Parameters = {
        "context": schema.context,
        "id": schema.id,
        "guid": schema.guid,
        "schema_type": content.schema_type,
        "definition": content.text,
        "definition_hash": hashlib.sha256(content.text.encode("utf-8", "surrogatepass")).hexdigest(),
        "pinned_references": json_of(content.references) if content.references else None,
        "metadata": None if content.metadata is None else json_of(content.metadata),
        "rule_set": None if content.rule_set is None else json_of(content.rule_set),
    }
    facets: list[tuple[Executable, list[Parameters]]] = [
        (
            _ADD_REFERENCES,
            [
                {"referenced_context": to.context, "referenced_subject": to.name, "referenced_version": version}
                for to, version in targets
            ],
        ),
        (_ADD_TAGS, [{"tag": tag} for tag in sorted(_tags(content.metadata))]),
        (_ADD_PROPERTIES, [{"key": key, "value": value} for key, value in _properties(content.metadata)]),
        (_ADD_RULE_TYPES, [{"rule_type": rule_type} for rule_type in sorted(_rule_types(content))]),
    ]
    numbered = [
        (statement, [{**owner, "position": position, **found} for position, found in enumerate(rows)])
        for statement, rows in facets
    ]
    return [(_ADD_SCHEMA, [row]), *numbered]


def _properties(metadata: Metadata | None) -> list[tuple[str, str]]:
    return list((metadata.properties or {}).items()) if metadata else []


def _tags(metadata: Metadata | None) -> set[str]:
    listed = dict(_properties(metadata)).get("tags", "").split(",")
    placed = [tag for tags in (metadata.tags or {}).values() for tag in tags] if metadata else []
    return {tag for tag in (*(tag.strip() for tag in listed), *placed) if tag}


def _rule_types(content: SchemaContent) -> set[str]:
    if content.rule_set is None:
        return set()
    lists = (content.rule_set.migration_rules, content.rule_set.domain_rules, content.rule_set.encoding_rules)
    return {rule.type for rules in lists for rule in rules or () if rule.type is not None}


def _chunks(numbers: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), _CHUNK):
        yield list(numbers[start : start + _CHUNK])
