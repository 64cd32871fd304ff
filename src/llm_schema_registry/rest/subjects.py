"""Subjects and versions over Confluent's API (rest-api 4.2 and 4.3).

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

import msgspec

from llm_schema_registry.errors import (
    BadRequest,
    IdDoesNotMatch,
    IncompatibleSchema,
    InvalidRuleSet,
    InvalidSchema,
    InvalidSubject,
    InvalidVersion,
    OperationNotPermitted,
    ReferenceExists,
    RegistryError,
    SchemaNotFound,
    SchemaTooLarge,
    SubjectNotFound,
    SubjectNotSoftDeleted,
    SubjectSoftDeleted,
    TooComplex,
    VersionNotFound,
    VersionNotSoftDeleted,
    VersionSoftDeleted,
)
from llm_schema_registry.model import DEFAULT_CONTEXT, Reference, Version
from llm_schema_registry.names import parse_subject, parse_version
from llm_schema_registry.registry import Visibility, lookup, references, registration, schemas, subjects
from llm_schema_registry.rest.request import PAGING, Query, Request, Response, json_answer, with_report_link
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.rest.schema_text import PRETTY, SCHEMA_MEDIA_TYPES, answer_schema_text
from llm_schema_registry.wire.confluent import (
    RegisterSchemaRequest,
    SchemaBody,
    TagSchemaRequest,
    answered_format,
    registered_body,
    submission_of,
    tags_of,
    version_body,
)

EVERY_CONTEXT = ":*:"

NORMALIZE = Query("normalize", "boolean", False, "Whether to normalise the schema first.", example=True)
FORMAT = Query("format", "string", "", "The spelling of the schema in the answer, such as `resolved` or `serialized`.")
DELETED = Query("deleted", "boolean", False, "Whether soft-deleted ones count too.")
PERMANENT = Query("permanent", "boolean", False, "Whether to delete for good what is soft-deleted already.")
REFERENCE_FORMAT = Query("referenceFormat", "string", "", "`qualified` adds the context to the references' subjects.")
FIND_TAGS = Query("findTags", "string", None, "Inline tags to answer; `*` is all of them.", repeats=True)

EXAMPLE = {
    "schema": '{"type":"record","name":"InferenceEvent","fields":[{"name":"model","type":"string"}]}',
    "metadata": {"properties": {"owner": "observatory"}},
}
"""A body of register, lookup and check that is worth sending."""

_REGISTRATION_ERRORS: tuple[type[RegistryError], ...] = (
    IdDoesNotMatch,
    IncompatibleSchema,
    InvalidRuleSet,
    InvalidSchema,
    InvalidSubject,
    OperationNotPermitted,
    SchemaTooLarge,
    TooComplex,
)


async def list_subjects(request: Request) -> Response:
    context, prefix = split_prefix(request.text("subjectPrefix", EVERY_CONTEXT), request.context)
    visibility = _visibility(request)
    page = request.page()
    found = await subjects.list_subjects(request.call, context=context, prefix=prefix, visibility=visibility, page=page)
    return request.link_next(json_answer([str(subject) for subject in found]), page, len(found))


async def look_up(request: Request) -> Response:
    body = await request.body(RegisterSchemaRequest)
    found = await lookup.lookup(
        request.call,
        request.subject(),
        submission_of(body),
        normalize=request.flag("normalize"),
        includes_deleted=request.flag("deleted"),
    )
    return json_answer(
        version_body(found, text=await schemas.render(request.call, found.schema, request.text("format")))
    )


async def get_by_metadata(request: Request) -> Response:
    keys, values = request.texts("key"), request.texts("value")
    if len(keys) != len(values):
        raise BadRequest("The query needs as many 'value' as 'key'; they are paired by position")
    found = await subjects.find_by_metadata(
        request.call, request.subject(), list(zip(keys, values, strict=True)), includes_deleted=request.flag("deleted")
    )
    return json_answer(
        version_body(found, text=await schemas.render(request.call, found.schema, request.text("format")))
    )


async def delete_subject(request: Request) -> Response:
    return json_answer(
        await subjects.delete_subject(request.call, request.subject(), permanent=request.flag("permanent"))
    )


async def list_versions(request: Request) -> Response:
    negative = request.flag("deletedAsNegative")
    visibility = Visibility.ALL if negative else _visibility(request)
    page = request.page()
    keys = await subjects.list_versions(request.call, request.subject(), visibility=visibility, page=page)
    numbers = [-key.version if negative and key.is_deleted else key.version for key in keys]
    return request.link_next(json_answer(numbers), page, len(numbers))


async def register(request: Request) -> Response:
    body = await request.body(RegisterSchemaRequest)
    registered = await registration.register(
        request.call,
        request.subject(),
        submission_of(body),
        normalize=request.flag("normalize"),
        force=request.flag("force"),
    )
    version = registered.version
    text = await schemas.render(request.call, version.schema, request.text("format") or answered_format(body))
    return with_report_link(json_answer(registered_body(version, text=text)), registered.report)


async def get_version(request: Request) -> Response:
    version = await _find_version(request)
    call = request.call
    wanted = request.texts("findTags")
    return json_answer(
        version_body(
            version,
            text=await schemas.render(call, version.schema, request.text("format")),
            references=qualified(version.schema.content.references, version.subject.context, request),
            tags=await schemas.find_tags(call, version.schema, wanted) if wanted else (),
        )
    )


async def get_version_schema(request: Request) -> Response:
    version = await _find_version(request)
    return await answer_schema_text(request, version.schema)


async def list_referrers(request: Request) -> Response:
    keys = await references.list_referrers(
        request.call,
        request.subject(),
        parse_version(request.path("version")),
        includes_deleted=request.flag("deleted"),
    )
    page = request.page(default_limit=1000, max_limit=1000)
    ids = sorted({key.schema_id for key in keys})[page.offset : page.offset + (page.limit or 0)]
    return request.link_next(json_answer(ids), page, len(ids))


async def delete_version(request: Request) -> Response:
    return json_answer(
        await subjects.delete_version(
            request.call,
            request.subject(),
            parse_version(request.path("version")),
            permanent=request.flag("permanent"),
        )
    )


async def tag_version(request: Request) -> Response:
    body = await request.body(TagSchemaRequest)
    registered = await registration.amend(
        request.call,
        request.subject(),
        parse_version(request.path("version")),
        new_version=body.new_version,
        tags_to_add=tags_of(body.tags_to_add),
        tags_to_remove=tags_of(body.tags_to_remove),
        metadata=body.metadata,
        rule_set=body.rule_set,
        rules_to_merge=body.rules_to_merge,
        rules_to_remove=body.rules_to_remove or (),
    )
    return with_report_link(json_answer(registered_body(registered.version)), registered.report)


def split_prefix(text: str, context: str) -> tuple[str | None, str]:
    """Split a subject prefix into its context (None is every one) and the prefix of the name (rest-api 4.4)."""
    if text.startswith(EVERY_CONTEXT):
        # Below a `/contexts/{ctx}/` prefix, "every context" is that one.
        return (None if context == DEFAULT_CONTEXT else context), text[len(EVERY_CONTEXT) :]
    subject = parse_subject(text, context)
    return subject.context, subject.name


def qualified(refs: tuple[Reference, ...], context: str, request: Request) -> tuple[Reference, ...]:
    """Return references with qualified subjects when the request asks for `referenceFormat=qualified`."""
    if request.text("referenceFormat").lower() != "qualified":
        return refs
    named = ((ref, parse_subject(ref.subject, context)) for ref in refs)
    return tuple(msgspec.structs.replace(ref, subject=f":{subject.context}:{subject.name}") for ref, subject in named)


def _visibility(request: Request) -> Visibility:
    if request.flag("deletedOnly"):
        return Visibility.DELETED
    return Visibility.ALL if request.flag("deleted") else Visibility.ACTIVE


async def _find_version(request: Request) -> Version:
    return await subjects.get_version(
        request.call,
        request.subject(),
        parse_version(request.path("version")),
        includes_deleted=request.flag("deleted"),
    )


_LISTING = (DELETED, Query("deletedOnly", "boolean", False, "Whether to answer only soft-deleted ones."), *PAGING)
_MISSING: tuple[type[RegistryError], ...] = (SubjectNotFound, VersionNotFound, InvalidVersion)

ROUTES = (
    Route(
        "GET",
        "/subjects",
        list_subjects,
        "List subjects by name.",
        "subjects",
        query=(
            Query("subjectPrefix", "string", EVERY_CONTEXT, "Prefix of the name; `:*:` is every context."),
            *_LISTING,
        ),
        answer=list[str],
    ),
    Route(
        "POST",
        "/subjects/{subject}",
        look_up,
        "Find the version of a subject that holds a schema; nothing is written.",
        "subjects",
        query=(NORMALIZE, DELETED, FORMAT),
        body=RegisterSchemaRequest,
        example=EXAMPLE,
        answer=SchemaBody,
        errors=(SubjectNotFound, SchemaNotFound, InvalidSchema, InvalidRuleSet, SchemaTooLarge),
    ),
    Route(
        "GET",
        "/subjects/{subject}/metadata",
        get_by_metadata,
        "Find the newest version of a subject that has the given metadata properties.",
        "subjects",
        query=(
            Query("key", "string", None, "Property name, paired with `value` by position.", repeats=True),
            Query("value", "string", None, "Property value.", repeats=True),
            FORMAT,
            DELETED,
        ),
        answer=SchemaBody,
        errors=(SubjectNotFound, SchemaNotFound, InvalidSchema),
    ),
    Route(
        "DELETE",
        "/subjects/{subject}",
        delete_subject,
        "Delete a subject, softly first and for good with `permanent`.",
        "subjects",
        query=(PERMANENT,),
        answer=list[int],
        errors=(SubjectNotFound, SubjectSoftDeleted, SubjectNotSoftDeleted, OperationNotPermitted, ReferenceExists),
    ),
    Route(
        "GET",
        "/subjects/{subject}/versions",
        list_versions,
        "List the version numbers of a subject.",
        "versions",
        query=(
            Query("deletedAsNegative", "boolean", False, "Whether soft-deleted versions appear as negative numbers."),
            *_LISTING,
        ),
        answer=list[int],
        errors=(SubjectNotFound,),
    ),
    Route(
        "POST",
        "/subjects/{subject}/versions",
        register,
        "Register a schema under a subject.",
        "versions",
        query=(
            NORMALIZE,
            FORMAT,
            Query("force", "boolean", False, "Whether to skip the compatibility check."),
        ),
        body=RegisterSchemaRequest,
        example=EXAMPLE,
        answer=SchemaBody,
        errors=_REGISTRATION_ERRORS,
    ),
    Route(
        "GET",
        "/subjects/{subject}/versions/{version}",
        get_version,
        "Return a version; `latest` is the newest that is not deleted.",
        "versions",
        query=(FORMAT, REFERENCE_FORMAT, DELETED, FIND_TAGS),
        answer=SchemaBody,
        errors=(*_MISSING, InvalidSchema),
    ),
    Route(
        "GET",
        "/subjects/{subject}/versions/{version}/schema",
        get_version_schema,
        "Return the text of a version's schema alone.",
        "versions",
        query=(FORMAT, DELETED, PRETTY),
        answer=str,
        errors=(*_MISSING, InvalidSchema),
        media_types=SCHEMA_MEDIA_TYPES,
    ),
    Route(
        "GET",
        "/subjects/{subject}/versions/{version}/referencedby",
        list_referrers,
        "List the ids of the schemas that refer to a version.",
        "versions",
        query=(DELETED, *PAGING),
        answer=list[int],
        errors=_MISSING,
    ),
    Route(
        "DELETE",
        "/subjects/{subject}/versions/{version}",
        delete_version,
        "Delete a version, softly first and for good with `permanent`.",
        "versions",
        query=(PERMANENT,),
        answer=int,
        errors=(*_MISSING, VersionSoftDeleted, VersionNotSoftDeleted, OperationNotPermitted, ReferenceExists),
    ),
    Route(
        "POST",
        "/subjects/{subject}/versions/{version}/tags",
        tag_version,
        "Register a copy of a version with other inline tags, metadata or rules.",
        "versions",
        body=TagSchemaRequest,
        example={"metadata": {"properties": {"owner": "sentinel"}}},
        answer=SchemaBody,
        errors=(*_MISSING, *_REGISTRATION_ERRORS),
    ),
)
