"""Our own API under `/v1`: registration with everything FR-1.2 names, and retrieval in bulk (FR-3).

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from llm_schema_registry.errors import (
    BadRequest,
    IncompatibleSchema,
    InvalidCompatibility,
    InvalidRuleSet,
    InvalidSchema,
    InvalidSubject,
    InvalidVersion,
    OperationNotPermitted,
    SchemaNotFound,
    SchemaTooLarge,
    SubjectNotFound,
    TooComplex,
    VersionNotFound,
)
from llm_schema_registry.model import LATEST, CompatibilityLevel, Subject, Version
from llm_schema_registry.names import parse_context, parse_version
from llm_schema_registry.registry import Page, VersionFilter, Visibility, config, registration, schemas, subjects
from llm_schema_registry.rest.request import IMMUTABLE, Query, Request, Response, json_answer, with_report_link
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.rest.subjects import DELETED, EXAMPLE
from llm_schema_registry.wire.confluent import level_of
from llm_schema_registry.wire.v1 import (
    RegisterRequest,
    SchemaV1,
    VersionPage,
    VersionV1,
    schema_v1,
    submission_of_v1,
    version_v1,
)

DEFAULT_ROWS = 100
MAX_ROWS = 1000
EVERY_CONTEXT = "*"


async def register(request: Request) -> Response:
    body = await request.body(RegisterRequest)
    registered = await registration.register(
        request.call,
        request.subject(),
        submission_of_v1(body),
        normalize=request.flag("normalize"),
        level=None if body.compatibility_mode is None else level_of(body.compatibility_mode),
    )
    return with_report_link(json_answer(await _version_body(request, registered.version)), registered.report)


async def get_version(request: Request) -> Response:
    number = parse_version(request.path("version"))
    anchor = request.text("compatible_with")
    if anchor:
        if number != LATEST:
            raise BadRequest("compatible_with goes with the version 'latest' only")
        level = level_of(request.text("compatibility_mode") or CompatibilityLevel.FULL)
        version = await schemas.find_latest_compatible(request.call, request.subject(), parse_version(anchor), level)
    else:
        version = await subjects.get_version(
            request.call, request.subject(), number, includes_deleted=request.flag("deleted")
        )
    return json_answer(await _version_body(request, version))


async def list_versions(request: Request) -> Response:
    """List a subject's versions; an unknown subject is refused, as everywhere else."""
    subject = request.subject()
    keys = await subjects.list_versions(request.call, subject, visibility=_visibility(request), page=Page(limit=1))
    return await _search(request, VersionFilter(subject=keys[0].subject if keys else subject))


async def search(request: Request) -> Response:
    context = request.text("context")
    return await _search(
        request,
        VersionFilter(
            context=None if context == EVERY_CONTEXT else (parse_context(context) if context else request.context),
            prefix=request.text("prefix"),
            pattern=request.text("pattern") or None,
            schema_ids=tuple(_id(text) for text in request.texts("id")),
            tags=tuple(request.texts("tag")),
            properties=tuple(_property(text) for text in request.texts("property")),
            rule_type=request.text("rule_type") or None,
            latest_only=request.flag("latest"),
        ),
    )


async def get_by_id(request: Request) -> Response:
    schema, _ = await schemas.get_schema(request.call, request.path_int("id"), context=request.context)
    return json_answer(schema_v1(schema), cache_control=IMMUTABLE)


async def get_by_guid(request: Request) -> Response:
    schema = await schemas.get_schema_by_guid(request.call, request.path("guid"))
    return json_answer(schema_v1(schema), cache_control=IMMUTABLE)


async def _search(request: Request, where: VersionFilter) -> Response:
    """Answer one page; one row more is asked for to know whether another page follows."""
    limit = request.rows(DEFAULT_ROWS, MAX_ROWS)
    cursor = request.text("cursor")
    where = msgspec.structs.replace(
        where, visibility=_visibility(request), after=_read_cursor(cursor) if cursor else None
    )
    found = await schemas.search(request.call, where, Page(limit=limit + 1))
    more = len(found) > limit
    levels = await config.levels_of(request.call, {version.subject for version in found[:limit]})
    items = [version_v1(version, levels[version.subject]) for version in found[:limit]]
    return json_answer(VersionPage(items, _cursor(found[limit - 1]) if more else None))


async def _version_body(request: Request, version: Version) -> VersionV1:
    levels = await config.levels_of(request.call, {version.subject})
    return version_v1(version, levels[version.subject])


def _visibility(request: Request) -> Visibility:
    return Visibility.ALL if request.flag("deleted") else Visibility.ACTIVE


def _property(text: str) -> tuple[str, str]:
    key, separator, value = text.partition(":")
    if not separator:
        raise BadRequest(f"The filter property={text} needs the form property=KEY:VALUE")
    return key, value


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise BadRequest(f"The filter id={text} is not the id of a schema")
    return int(text)


def _cursor(version: Version) -> str:
    """Write where the next page begins; opaque to callers."""
    place = msgspec.json.encode((version.subject.context, version.subject.name, version.version))
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[Subject, int]:
    try:
        place = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        context, name, version = msgspec.json.decode(place, type=tuple[str, str, int])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise BadRequest("The cursor is not one that a previous page answered as 'next'") from None
    return Subject(context, name), version


_PAGING = (
    Query("limit", "integer", DEFAULT_ROWS, f"Rows a page, at most {MAX_ROWS}.", example=10),
    Query("cursor", "string", "", "The `next` of the previous page."),
)
_REGISTRATION_ERRORS = (
    IncompatibleSchema,
    InvalidCompatibility,
    InvalidRuleSet,
    InvalidSchema,
    InvalidSubject,
    OperationNotPermitted,
    SchemaTooLarge,
    TooComplex,
)

ROUTES = (
    Route(
        "POST",
        "/v1/subjects/{subject}/versions",
        register,
        "Register a schema with its owner, description, tags, documentation and compatibility mode in one call.",
        "v1",
        query=(Query("normalize", "boolean", False, "Whether to normalise the schema first."),),
        body=RegisterRequest,
        example={
            "definition": EXAMPLE["schema"],
            "owner_team": "observatory",
            "description": "One call of a model.",
            "tags": ["telemetry"],
            "compatibility_mode": "BACKWARD",
        },
        answer=VersionV1,
        errors=_REGISTRATION_ERRORS,
    ),
    Route(
        "GET",
        "/v1/subjects/{subject}/versions",
        list_versions,
        "List a subject's versions with their schemas.",
        "v1",
        query=(DELETED, *_PAGING),
        answer=VersionPage,
        errors=(SubjectNotFound,),
    ),
    Route(
        "GET",
        "/v1/subjects/{subject}/versions/{version}",
        get_version,
        "Return a version with the whole model.",
        "v1",
        query=(
            DELETED,
            Query("compatible_with", "string", "", "Answer instead the newest version compatible with this one."),
            Query("compatibility_mode", "string", "FULL", "The level that `compatible_with` asks about."),
        ),
        answer=VersionV1,
        errors=(
            BadRequest,
            SubjectNotFound,
            VersionNotFound,
            InvalidVersion,
            InvalidCompatibility,
            InvalidSchema,
            TooComplex,
        ),
    ),
    Route(
        "GET",
        "/v1/schemas",
        search,
        "Find versions by subject, pattern, tag, metadata, id or rule type.",
        "v1",
        query=(
            Query("context", "string", "", "Only this context; `*` is every one.", example="*"),
            Query("prefix", "string", "", "Prefix of the subject's name."),
            Query("pattern", "string", "", "Pattern of the name; `*` is any characters.", example="telemetry.*"),
            Query("id", "string", None, "Only schemas with one of these ids.", repeats=True, example="1"),
            Query("tag", "string", None, "Only schemas that have each of these tags.", repeats=True),
            Query("property", "string", None, "Only schemas with this KEY:VALUE in their metadata.", repeats=True),
            Query("rule_type", "string", "", "Only schemas with a rule of this type."),
            Query("latest", "boolean", False, "Whether to answer only the newest version of each subject."),
            DELETED,
            *_PAGING,
        ),
        answer=VersionPage,
        errors=(BadRequest,),
    ),
    Route(
        "GET",
        "/v1/schemas/ids/{id}",
        get_by_id,
        "Return the schema behind an id with its documentation fields.",
        "v1",
        answer=SchemaV1,
        errors=(SchemaNotFound,),
    ),
    Route(
        "GET",
        "/v1/schemas/guids/{guid}",
        get_by_guid,
        "Return the schema behind a guid with its documentation fields.",
        "v1",
        answer=SchemaV1,
        errors=(SchemaNotFound,),
    ),
)
