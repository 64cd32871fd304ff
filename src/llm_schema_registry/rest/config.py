"""Settings of scopes over Confluent's API (rest-api 4.5).

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

from llm_schema_registry.errors import (
    InvalidCompatibility,
    InvalidRuleSet,
    InvalidSubject,
    OperationNotPermitted,
    SubjectConfigNotFound,
    SubjectNotFound,
)
from llm_schema_registry.model import Config
from llm_schema_registry.registry import config
from llm_schema_registry.rest.request import Query, Request, Response, json_answer
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.wire.confluent import ConfigUpdateRequest, config_changes, config_update_body

SCOPES = {"": "the top level", "/{subject}": "a subject or context"}
"""What settings and modes can be about, by the rest of the path."""

DEFAULT_TO_GLOBAL = Query("defaultToGlobal", "boolean", False, "Whether wider scopes fill what is unset here.")


async def get_config(request: Request) -> Response:
    return json_answer(
        await config.get_config(request.call, request.scope(), defaults_to_global=request.flag("defaultToGlobal"))
    )


async def put_config(request: Request) -> Response:
    body = await request.body(ConfigUpdateRequest)
    return json_answer(config_update_body(await config.put_config(request.call, request.scope(), config_changes(body))))


async def delete_config(request: Request) -> Response:
    return json_answer(await config.delete_config(request.call, request.scope()))


_WRITE_ERRORS = (InvalidCompatibility, InvalidRuleSet, InvalidSubject, OperationNotPermitted)

ROUTES = tuple(
    route
    for path, scope in SCOPES.items()
    for route in (
        Route(
            "GET",
            f"/config{path}",
            get_config,
            f"Return the settings of {scope}.",
            "config",
            query=(DEFAULT_TO_GLOBAL,),
            answer=Config,
            errors=(SubjectConfigNotFound,),
        ),
        Route(
            "PUT",
            f"/config{path}",
            put_config,
            f"Change settings of {scope}; what is absent is kept, `null` clears.",
            "config",
            body=ConfigUpdateRequest,
            example={"compatibility": "FULL"},
            answer=ConfigUpdateRequest,
            errors=_WRITE_ERRORS,
        ),
        Route(
            "DELETE",
            f"/config{path}",
            delete_config,
            f"Unset the settings of {scope} and return them as they were.",
            "config",
            answer=Config,
            errors=(SubjectNotFound, OperationNotPermitted),
        ),
    )
)
