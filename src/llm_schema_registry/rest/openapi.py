"""The OpenAPI 3.1 document, read off the route table and the msgspec types.

Refuses to know a route that the table does not hold, and to document what no row says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from llm_schema_registry import __version__
from llm_schema_registry.errors import (
    BadRequest,
    BodyTimedOut,
    EmptyBody,
    NotAcceptable,
    Overloaded,
    RegistryError,
    RouteNotFound,
    StoreFailed,
    StoreUnavailable,
    TimedOut,
    TooDeep,
    TooLarge,
    UnsupportedMediaType,
)
from llm_schema_registry.rest.request import CONFLUENT_MEDIA_TYPES, MAX_INTEGER, Query
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.wire.confluent import ErrorBody

Document = dict[str, Any]

_REF = "#/components/schemas/{name}"
_INTEGER = {"type": "integer", "minimum": -(2**31), "maximum": MAX_INTEGER}
_ID = {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER}
_TEXT = {"type": "string"}
_CONTEXT = {"type": "string", "pattern": "^[^:]+$"}
_GUID = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_VERSION = {"type": "string", "pattern": "^(latest|-1|[1-9][0-9]{0,8})$"}

_RETRY_AFTER = {"description": "Seconds after which asking again may help.", "schema": {"type": "integer"}}

_PATH_PARAMETERS: dict[str, tuple[str, dict[str, Any], str | int]] = {
    "subject": ("A subject, percent-encoded; `:.context:name` is one of another context.", _TEXT, "orders-value"),
    "version": ("A version number, or `latest`.", _VERSION, "latest"),
    "id": ("The id of a schema.", _ID, 1),
    "guid": ("The guid of a schema.", _GUID, "c5c1a9a2-6b1e-3a52-9c0f-1f6f0e1d2c3b"),
    "job": ("The id of a job.", _TEXT, "c5c1a9a2-6b1e-4a52-9c0f-1f6f0e1d2c3b"),
    "report": ("The id of a report that was kept.", _TEXT, "c5c1a9a2-6b1e-4a52-9c0f-1f6f0e1d2c3b"),
    "data_set": ("The name of a set of reference data.", _TEXT, "models"),
    "policy": ("The name of a policy.", _TEXT, "security-pii"),
    "context": ("A context, with or without its leading dot.", _CONTEXT, ".staging"),
    "namespace": ("The namespace of a resource; `-` is any.", _TEXT, "-"),
    "name": ("The name of a resource.", _TEXT, "orders"),
    "resource": ("The id of a resource.", _TEXT, "lkc-1:orders"),
}

_INTRODUCTION = (
    "Avro, Protobuf and JSON Schema over Confluent's Schema Registry API. Every path may be prefixed with "
    "`/contexts/{context}`. Answers carry an `ETag`; a refusal is `{error_code, message}`, and the first three digits "
    "of its code are the HTTP status."
)


def build_document(routes: Sequence[Route]) -> Document:
    """Describe a route table. The same table always gives the same document."""
    types = {type_ for route in routes for type_ in (route.body, route.answer) if type_ not in {None, str}}
    ordered = sorted({*types, ErrorBody}, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    for component in components.values():
        if "description" in component:
            # Docstrings come with the indentation of their source until Python 3.13 strips it.
            component["description"] = inspect.cleandoc(component["description"])
    schema_of = dict(zip(ordered, schemas, strict=True))
    paths: Document = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "LLM-Schema-Registry",
            "version": __version__,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {"headers": {"RetryAfter": _RETRY_AFTER}, "schemas": dict(sorted(components.items()))},
    }
    # Defaults may be tuples; the document is plain JSON.
    plain: Document = msgspec.json.decode(msgspec.json.encode(document))
    return plain


def _operation(route: Route, schema_of: dict[Any, Document]) -> Document:
    operation: Document = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', route.path).rstrip('_')}",
        "summary": route.summary,
        "tags": [route.tag],
    }
    parameters = [*map(_path_parameter, route.parameters), *map(_query_parameter, route.query)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        content: Document = {"schema": schema_of[route.body]}
        if route.example is not None:
            content["example"] = route.example
        operation["requestBody"] = {
            "required": True,
            "content": dict.fromkeys(CONFLUENT_MEDIA_TYPES, content),
        }
    if route.takes:
        operation["requestBody"] = {"required": True, "content": {media_type: {} for media_type in route.takes}}
    operation["responses"] = _responses(route, schema_of)
    return operation


def _responses(route: Route, schema_of: dict[Any, Document]) -> Document:
    responses: Document = {str(route.status): _success(route, schema_of)}
    if route.method == "GET" and route.status == 200:
        responses["304"] = {"description": "The client has this answer already (`If-None-Match`)."}
    error_content = {media_type: {"schema": schema_of[ErrorBody]} for media_type in CONFLUENT_MEDIA_TYPES}
    refusals: dict[int, list[type[RegistryError]]] = {}
    for error in dict.fromkeys((*route.errors, *_transport_errors(route))):
        refusals.setdefault(int(str(error.code)[:3]), []).append(error)
    for status, errors in sorted(refusals.items()):
        response = responses[str(status)] = {"description": _codes(errors), "content": error_content}
        if any(error.retry_seconds is not None for error in errors):
            response["headers"] = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    return responses


def _success(route: Route, schema_of: dict[Any, Document]) -> Document:
    if route.answer is None:
        return {"description": "Done; the answer has no body."}
    schema = {"description": "The text as it is, not JSON-quoted."} if route.answer is str else schema_of[route.answer]
    media_types = dict.fromkeys(
        media_type.partition(";")[0] for media_type in route.media_types or CONFLUENT_MEDIA_TYPES
    )
    return {"description": "Success.", "content": {media_type: {"schema": schema} for media_type in media_types}}


def _transport_errors(route: Route) -> Iterable[type[RegistryError]]:
    """Name what is refused before or after a use case: addresses, types, sizes, failures."""
    integers = any(query.type == "integer" or query.choices for query in route.query)
    if integers or any(_PATH_PARAMETERS[name][1] is _ID for name in route.parameters):
        yield RouteNotFound
    if route.parameters or route.query or route.body:
        yield BadRequest
    yield NotAcceptable
    if route.takes:
        yield from (BodyTimedOut, TooLarge, UnsupportedMediaType)
    if route.body is not None:
        yield from (BodyTimedOut, TooLarge, UnsupportedMediaType, EmptyBody, TooDeep)
    yield from (StoreFailed, TimedOut, StoreUnavailable, Overloaded)


def _codes(errors: Iterable[type[RegistryError]]) -> str:
    named: dict[int, list[str]] = {}
    for error in errors:
        named.setdefault(error.code, []).append(error.__name__)
    return "; ".join(f"`{code}` {' or '.join(names)}" for code, names in sorted(named.items()))


def _path_parameter(name: str) -> Document:
    description, schema, example = _PATH_PARAMETERS[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": example,
    }


def _query_parameter(query: Query) -> Document:
    schema: Document = dict(_INTEGER) if query.type == "integer" else {"type": query.type}
    if query.choices:
        schema["enum"] = list(query.choices)
    if query.default is not None:
        schema["default"] = query.default
    if query.repeats:
        schema = {"type": "array", "items": schema}
    parameter: Document = {"name": query.name, "in": "query", "description": query.description, "schema": schema}
    example = query.example if query.example is not None else query.default
    if example is not None and example != "":
        parameter["example"] = [example] if query.repeats else example
    return parameter
