"""Compatibility checks over Confluent's API (rest-api 4.7).

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

from llm_schema_registry.errors import InvalidRuleSet, InvalidSchema, InvalidVersion, SchemaTooLarge, VersionNotFound
from llm_schema_registry.model import Report
from llm_schema_registry.names import parse_version
from llm_schema_registry.registry import compatibility
from llm_schema_registry.rest.request import Query, Request, Response, json_answer
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.rest.subjects import EXAMPLE, NORMALIZE
from llm_schema_registry.wire.confluent import (
    CompatibilityCheckResponse,
    RegisterSchemaRequest,
    report_body,
    submission_of,
)

_VERBOSE = Query("verbose", "boolean", False, "Whether to say what is incompatible.", example=True)


async def check_version(request: Request) -> Response:
    return await _check(request, parse_version(request.path("version")))


async def check_subject(request: Request) -> Response:
    return await _check(request, None)


async def _check(request: Request, version: int | None) -> Response:
    body = await request.body(RegisterSchemaRequest)
    verbose = request.flag("verbose")
    try:
        report = await compatibility.check(
            request.call, request.subject(), submission_of(body), version, normalize=request.flag("normalize")
        )
    except InvalidSchema as error:
        if not verbose:
            raise
        # Confluent: a verbose check reports an invalid schema as a finding (rest-api section 14, trap 12).
        report = Report(is_compatible=False, messages=(str(error),))
    return json_answer(report_body(report, verbose=verbose))


_QUERY = (NORMALIZE, _VERBOSE)
_ERRORS = (InvalidSchema, InvalidRuleSet, SchemaTooLarge)

ROUTES = (
    Route(
        "POST",
        "/compatibility/subjects/{subject}/versions/{version}",
        check_version,
        "Say whether a schema is compatible with one version.",
        "compatibility",
        query=_QUERY,
        body=RegisterSchemaRequest,
        example=EXAMPLE,
        answer=CompatibilityCheckResponse,
        errors=(VersionNotFound, InvalidVersion, *_ERRORS),
    ),
    Route(
        "POST",
        "/compatibility/subjects/{subject}/versions",
        check_subject,
        "Say whether a schema could be registered under a subject.",
        "compatibility",
        query=_QUERY,
        body=RegisterSchemaRequest,
        example=EXAMPLE,
        answer=CompatibilityCheckResponse,
        errors=_ERRORS,
    ),
)
