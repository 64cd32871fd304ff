"""Compatibility checks over Confluent's API (rest-api 4.7) and our own.

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

from llm_schema_registry.errors import (
    IncompatibleSchema,
    InvalidCompatibility,
    InvalidRuleSet,
    InvalidSchema,
    InvalidSubject,
    InvalidVersion,
    OperationNotPermitted,
    SchemaTooLarge,
    TooComplex,
    VersionNotFound,
)
from llm_schema_registry.model import Report
from llm_schema_registry.names import parse_subject, parse_version
from llm_schema_registry.registry import compatibility, impact, registration
from llm_schema_registry.rest.request import Query, Request, Response, json_answer, with_report_link
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.rest.subjects import EXAMPLE, NORMALIZE
from llm_schema_registry.wire import check as wire
from llm_schema_registry.wire.confluent import (
    CompatibilityCheckResponse,
    RegisterSchemaRequest,
    level_of,
    policy_of,
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
    return with_report_link(json_answer(report_body(report, verbose=verbose)), report)


async def check_v1(request: Request) -> Response:
    """Rehearse a registration, or compare with the versions that were named."""
    body = await request.body(wire.CheckRequest)
    subject = parse_subject(body.subject, request.context)
    submission = wire.submission_of_check(body)
    level = None if body.compatibility_mode is None else level_of(body.compatibility_mode)
    policy = None if body.compatibility_policy is None else policy_of(body.compatibility_policy)
    normalize = request.flag("normalize")
    caused = None
    if body.impact:
        caused = await impact.check_impact(request.call, subject, submission, normalize=normalize)
    if body.versions:
        versions = [parse_version(str(version)) for version in body.versions]
        report = await compatibility.check_versions(
            request.call, subject, submission, versions, normalize=normalize, level=level, policy=policy
        )
        return json_answer(wire.check_v1(subject, report, impact=caused))
    try:
        registered = await registration.rehearse(
            request.call, subject, submission, normalize=normalize, level=level, policy=policy
        )
    except IncompatibleSchema as refused:
        return json_answer(wire.check_v1(subject, refused.report, impact=caused))
    return json_answer(
        wire.check_v1(
            subject, registered.report, registered.version, impact=caused, is_registered=not registered.is_new
        )
    )


_QUERY = (NORMALIZE, _VERBOSE)
_ERRORS = (InvalidSchema, InvalidRuleSet, SchemaTooLarge, TooComplex)

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
    Route(
        "POST",
        "/v1/compatibility",
        check_v1,
        "Rehearse a registration and report what would break or harm, where, with samples and remedies.",
        "compatibility",
        query=(NORMALIZE,),
        body=wire.CheckRequest,
        example={"subject": "telemetry.inference-event", "definition": EXAMPLE["schema"]},
        answer=wire.CheckBody,
        errors=(
            InvalidCompatibility,
            InvalidSubject,
            InvalidVersion,
            OperationNotPermitted,
            VersionNotFound,
            *_ERRORS,
        ),
    ),
)
