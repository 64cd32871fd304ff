"""Schemas by id and guid, and all of them, over Confluent's API (rest-api 4.4).

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

from llm_schema_registry.errors import InvalidSchema, SchemaNotFound
from llm_schema_registry.model import DEFAULT_CONTEXT, Subject, VersionKey
from llm_schema_registry.names import parse_subject
from llm_schema_registry.registry import VersionFilter, Visibility, schemas
from llm_schema_registry.rest.request import IMMUTABLE, PAGING, Query, Request, Response, json_answer
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.rest.schema_text import PRETTY, SCHEMA_MEDIA_TYPES, answer_schema_text
from llm_schema_registry.rest.subjects import (
    DELETED,
    FIND_TAGS,
    FORMAT,
    REFERENCE_FORMAT,
    qualified,
    split_prefix,
)
from llm_schema_registry.wire.confluent import ContextId, SchemaBody, SubjectVersion, schema_body, version_body

MAX_ROWS = 1000
"""Largest and default page of `/schemas` (rest-api 1.6)."""

_SUBJECT = Query("subject", "string", None, "A subject that picks the context of the id.")
_NO_FILTER = ""


async def list_schemas(request: Request) -> Response:
    context, prefix = split_prefix(request.text("subjectPrefix"), request.context)
    page = request.page(default_limit=MAX_ROWS, max_limit=MAX_ROWS)
    lifecycles = request.texts("lifecycle")
    if (lifecycles and "NONE" not in lifecycles) or request.texts("associationType") or request.text("resourceType"):
        # No subject has an association, so a filter that wants one matches nothing.
        return json_answer([])
    found = await schemas.search(
        request.call,
        VersionFilter(
            context=context,
            prefix=prefix,
            rule_type=request.text("ruleType") or None,
            latest_only=request.flag("latestOnly"),
            visibility=Visibility.ALL if request.flag("deleted") else Visibility.ACTIVE,
        ),
        page,
    )
    aliases = await schemas.list_aliases(request.call) if request.flag("aliases") else {}
    rows = [
        version_body(version, aliases=tuple(str(alias) for alias in aliases.get(version.subject, ())))
        for version in found
    ]
    return request.link_next(json_answer(rows), page, len(rows))


async def get_by_id(request: Request) -> Response:
    call = request.call
    subject = _subject(request)
    schema, user = await schemas.get_schema(call, request.path_int("id"), context=request.context, subject=subject)
    wanted = request.texts("findTags")
    fetches_max = request.flag("fetchMaxId")
    body = schema_body(
        schema,
        text=await schemas.render(call, schema, request.text("format")),
        references=qualified(schema.content.references, schema.context, request),
        tags=await schemas.find_tags(call, schema, wanted) if wanted else (),
        user=user,
        max_id=await schemas.find_max_id(call, schema.context) if fetches_max else None,
    )
    return json_answer(body, cache_control=None if fetches_max else _cache_control(subject, user))


async def get_text_by_id(request: Request) -> Response:
    subject = _subject(request)
    schema, user = await schemas.get_schema(
        request.call, request.path_int("id"), context=request.context, subject=subject
    )
    return await answer_schema_text(request, schema, cache_control=_cache_control(subject, user))


async def list_subjects_of_id(request: Request) -> Response:
    page = request.page()
    keys = await schemas.list_versions_of_schema(
        request.call,
        request.path_int("id"),
        context=request.context,
        subject=_subject(request),
        includes_deleted=request.flag("deleted"),
    )
    names = list(dict.fromkeys(str(key.subject) for key in keys))
    end = None if page.limit is None else page.offset + page.limit
    names = names[page.offset : end]
    return request.link_next(json_answer(names), page, len(names))


async def list_versions_of_id(request: Request) -> Response:
    page = request.page()
    keys = await schemas.list_versions_of_schema(
        request.call,
        request.path_int("id"),
        context=request.context,
        subject=_subject(request),
        includes_deleted=request.flag("deleted"),
        page=page,
    )
    rows = [SubjectVersion(str(key.subject), key.version) for key in keys]
    return request.link_next(json_answer(rows), page, len(rows))


async def get_by_guid(request: Request) -> Response:
    schema = await schemas.get_schema_by_guid(request.call, request.path("guid"))
    text = await schemas.render(request.call, schema, request.text("format"))
    return json_answer(schema_body(schema, text=text), cache_control=IMMUTABLE)


async def list_ids_of_guid(request: Request) -> Response:
    found = await schemas.list_ids_of_guid(request.call, request.path("guid"))
    return json_answer([ContextId(schema.context, schema.id) for schema in found])


async def list_types(request: Request) -> Response:
    return json_answer(list(request.call.engines.formats))


def _subject(request: Request) -> Subject | None:
    text = request.text("subject", _NO_FILTER)
    return parse_subject(text, request.context) if text else None


def _cache_control(subject: Subject | None, user: VersionKey | None) -> str | None:
    """An id names one content of its context for ever, but an unqualified subject that does not use it where it was
    looked for first may come to use it there, or in a context of another content."""
    is_certain = subject is None or subject.context != DEFAULT_CONTEXT or (user is not None and user.subject == subject)
    return IMMUTABLE if is_certain else None


_BY_ID = (SchemaNotFound, InvalidSchema)

ROUTES = (
    Route(
        "GET",
        "/schemas",
        list_schemas,
        "List schemas by subject and version, at most 1000 at a time.",
        "schemas",
        query=(
            Query("subjectPrefix", "string", "", "Prefix of the name; empty is the default context, `:*:` every one."),
            Query("aliases", "boolean", False, "Whether to name the subjects that are aliases of each row's subject."),
            DELETED,
            Query("latestOnly", "boolean", False, "Whether to answer only the newest version of each subject."),
            Query("ruleType", "string", "", "Only schemas that have a rule of this type, such as CEL."),
            Query("resourceType", "string", "", "Only subjects associated with such a resource."),
            Query("associationType", "string", None, "Only subjects with such an association.", repeats=True),
            Query(
                "lifecycle",
                "string",
                None,
                "Only subjects whose association has such a lifecycle.",
                repeats=True,
                choices=("NONE", "STRONG", "WEAK"),
            ),
            *PAGING,
        ),
        answer=list[SchemaBody],
    ),
    Route(
        "GET",
        "/schemas/types",
        list_types,
        "List the schema types that can be registered.",
        "schemas",
        answer=list[str],
    ),
    Route(
        "GET",
        "/schemas/ids/{id}",
        get_by_id,
        "Return the schema behind an id.",
        "schemas",
        query=(
            _SUBJECT,
            FORMAT,
            REFERENCE_FORMAT,
            FIND_TAGS,
            Query("fetchMaxId", "boolean", False, "Whether to add the largest id in use."),
        ),
        answer=SchemaBody,
        errors=_BY_ID,
    ),
    Route(
        "GET",
        "/schemas/ids/{id}/schema",
        get_text_by_id,
        "Return the text of the schema behind an id alone.",
        "schemas",
        query=(_SUBJECT, FORMAT, PRETTY),
        answer=str,
        errors=_BY_ID,
        media_types=SCHEMA_MEDIA_TYPES,
    ),
    Route(
        "GET",
        "/schemas/ids/{id}/subjects",
        list_subjects_of_id,
        "List the subjects that use an id.",
        "schemas",
        query=(_SUBJECT, DELETED, *PAGING),
        answer=list[str],
        errors=(SchemaNotFound,),
    ),
    Route(
        "GET",
        "/schemas/ids/{id}/versions",
        list_versions_of_id,
        "List the subjects and versions that use an id.",
        "schemas",
        query=(_SUBJECT, DELETED, *PAGING),
        answer=list[SubjectVersion],
        errors=(SchemaNotFound,),
    ),
    Route(
        "GET",
        "/schemas/guids/{guid}",
        get_by_guid,
        "Return the schema behind a guid, which is the same on every server.",
        "schemas",
        query=(FORMAT,),
        answer=SchemaBody,
        errors=_BY_ID,
    ),
    Route(
        "GET",
        "/schemas/guids/{guid}/ids",
        list_ids_of_guid,
        "List the contexts and ids under which a guid is stored.",
        "schemas",
        answer=list[ContextId],
    ),
)
