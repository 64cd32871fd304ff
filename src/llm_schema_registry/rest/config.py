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

ROUTES = (
    Route(
        "GET",
        "/config",
        get_config,
        "Return the settings of the top level.",
        "config",
        query=(DEFAULT_TO_GLOBAL,),
        answer=Config,
        errors=(SubjectConfigNotFound,),
    ),
    Route(
        "PUT",
        "/config",
        put_config,
        "Change settings of the top level; what is absent is kept, `null` clears.",
        "config",
        body=ConfigUpdateRequest,
        answer=ConfigUpdateRequest,
        errors=_WRITE_ERRORS,
    ),
    Route(
        "DELETE",
        "/config",
        delete_config,
        "Unset the settings of the top level and return them as they were.",
        "config",
        answer=Config,
        errors=(SubjectNotFound, OperationNotPermitted),
    ),
    Route(
        "GET",
        "/config/{subject}",
        get_config,
        "Return the settings of a subject or context.",
        "config",
        query=(DEFAULT_TO_GLOBAL,),
        answer=Config,
        errors=(SubjectConfigNotFound,),
    ),
    Route(
        "PUT",
        "/config/{subject}",
        put_config,
        "Change settings of a subject or context; what is absent is kept, `null` clears.",
        "config",
        body=ConfigUpdateRequest,
        answer=ConfigUpdateRequest,
        errors=_WRITE_ERRORS,
    ),
    Route(
        "DELETE",
        "/config/{subject}",
        delete_config,
        "Unset the settings of a subject or context and return them as they were.",
        "config",
        answer=Config,
        errors=(SubjectNotFound, OperationNotPermitted),
    ),
)
