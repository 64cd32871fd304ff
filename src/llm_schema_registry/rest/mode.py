"""Modes of scopes over Confluent's API (rest-api 4.6).

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

from llm_schema_registry.errors import (
    InvalidMode,
    InvalidSubject,
    OperationNotPermitted,
    ReferenceExists,
    SubjectModeNotFound,
    SubjectNotFound,
)
from llm_schema_registry.registry import mode
from llm_schema_registry.rest.config import DEFAULT_TO_GLOBAL, SCOPES
from llm_schema_registry.rest.request import Query, Request, Response, json_answer
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.wire.confluent import ModeBody, ModeUpdateRequest, mode_of

_FORCE = Query("force", "boolean", False, "Whether to set IMPORT although the scope has subjects.")
_RECURSIVE = Query("recursive", "boolean", False, "Whether a context's subjects lose their modes too.")


async def get_mode(request: Request) -> Response:
    found = await mode.get_mode(request.call, request.scope(), defaults_to_global=request.flag("defaultToGlobal"))
    return json_answer(ModeBody(found))


async def put_mode(request: Request) -> Response:
    body = await request.body(ModeUpdateRequest)
    wanted = mode_of(body)
    await mode.put_mode(request.call, request.scope(), wanted, force=request.flag("force"))
    # The body is echoed as it was spelt.
    return json_answer(body if wanted else ModeBody())


async def delete_mode(request: Request) -> Response:
    return json_answer(
        ModeBody(await mode.delete_mode(request.call, request.scope(), recursive=request.flag("recursive")))
    )


_PUT_ERRORS = (InvalidMode, InvalidSubject, OperationNotPermitted, ReferenceExists)

ROUTES = tuple(
    route
    for path, scope in SCOPES.items()
    for route in (
        Route(
            "GET",
            f"/mode{path}",
            get_mode,
            f"Return the mode of {scope}.",
            "mode",
            query=(DEFAULT_TO_GLOBAL,),
            answer=ModeBody,
            errors=(SubjectModeNotFound,),
        ),
        Route(
            "PUT",
            f"/mode{path}",
            put_mode,
            f"Set the mode of {scope}; `null` clears it.",
            "mode",
            query=(_FORCE,),
            body=ModeUpdateRequest,
            example={"mode": "READONLY"},
            answer=ModeBody,
            errors=_PUT_ERRORS,
        ),
        Route(
            "DELETE",
            f"/mode{path}",
            delete_mode,
            f"Unset the mode of {scope} and return it as it was.",
            "mode",
            query=(_RECURSIVE,),
            answer=ModeBody,
            errors=(SubjectNotFound, OperationNotPermitted),
        ),
    )
)
