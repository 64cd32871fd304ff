"""Contexts, and the place of associations, over Confluent's API (rest-api 4.8 and 4.9).

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

from llm_schema_registry.errors import BadRequest, ContextNotEmpty, OperationNotPermitted
from llm_schema_registry.names import parse_context
from llm_schema_registry.registry import contexts
from llm_schema_registry.rest.request import PAGING, Query, Request, Response, empty_answer, json_answer
from llm_schema_registry.rest.routing import Route


async def list_contexts(request: Request) -> Response:
    page = request.page()
    found = await contexts.list_contexts(request.call, prefix=request.text("contextPrefix"), page=page)
    return request.link_next(json_answer(found), page, len(found))


async def delete_context(request: Request) -> Response:
    await contexts.delete_context(request.call, parse_context(request.path("context")))
    return empty_answer()


async def list_associations(request: Request) -> Response:  # the answer is the same for every request
    """Answer that nothing is associated: clients ask at start and need a list (rest-api section 11)."""
    return json_answer([])


_ASSOCIATIONS = (
    Query("resourceType", "string", "", "Only resources of this type."),
    Query("associationType", "string", None, "Only associations of this type.", repeats=True),
    Query("lifecycle", "string", "", "Only associations of this lifecycle."),
    *PAGING,
)
_SUMMARY = "List associations; there are none in this version, so the list is empty."

ROUTES = (
    Route(
        "GET",
        "/contexts",
        list_contexts,
        "List the contexts, the default one first.",
        "contexts",
        query=(Query("contextPrefix", "string", "", "Prefix of the name, dot included."), *PAGING),
        answer=list[str],
    ),
    Route(
        "DELETE",
        "/contexts/{context}",
        delete_context,
        "Forget a context that holds no subject.",
        "contexts",
        status=204,
        errors=(BadRequest, ContextNotEmpty, OperationNotPermitted),
    ),
    *(
        Route(
            "GET", path, list_associations, _SUMMARY, "associations", query=_ASSOCIATIONS, answer=list[dict[str, str]]
        )
        for path in (
            "/associations/subjects/{subject}",
            "/associations/resources/{resource}",
            "/associations/resources/{namespace}/{name}",
        )
    ),
)
