"""The whole route table: the rows of every noun, and the two that describe the table itself.

Refuses to know what any row does.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from llm_schema_registry.rest import (
    catalog,
    compatibility,
    config,
    contexts,
    contracts,
    health,
    jobs,
    mode,
    reports,
    schemas,
    subjects,
    validation,
)
from llm_schema_registry.rest.openapi import Document, build_document
from llm_schema_registry.rest.request import Request, Response, text_answer
from llm_schema_registry.rest.routing import Route

_TAG = "documentation"


def build_routes(kafka_cluster: str = "", registry_cluster: str = "schema-registry") -> tuple[Route, ...]:
    """Assemble every row of the server; the two names are what `/v1/metadata/id` answers."""
    return with_documentation(
        (
            *subjects.ROUTES,
            *schemas.ROUTES,
            *compatibility.ROUTES,
            *jobs.ROUTES,
            *reports.ROUTES,
            *validation.ROUTES,
            *contracts.ROUTES,
            *config.ROUTES,
            *mode.ROUTES,
            *contexts.ROUTES,
            *catalog.ROUTES,
            *health.build_routes(kafka_cluster, registry_cluster),
        )
    )


def with_documentation(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Add the rows that answer the table's OpenAPI document and a page that shows it without any network."""

    @cache
    def document() -> bytes:
        return msgspec.json.encode(build_document(table))

    async def get_openapi(_request: Request) -> Response:
        return text_answer(document(), media_type="application/json")

    async def get_page(_request: Request) -> Response:
        answer = text_answer(_page(), media_type="text/html; charset=utf-8")
        # Whatever a schema's name or a document says, the page runs only its own script and talks only to us.
        answer.headers["content-security-policy"] = (
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"
        )
        return answer

    table = (
        *routes,
        Route(
            "GET",
            "/openapi.json",
            get_openapi,
            "Return this description of the API.",
            _TAG,
            answer=Document,
            media_types=("application/json",),
        ),
        Route(
            "GET",
            "/docs",
            get_page,
            "Return a page that shows this description and tries it out.",
            _TAG,
            answer=str,
            media_types=("text/html; charset=utf-8",),
        ),
    )
    return table


@cache
def _page() -> bytes:
    return resources.files(__package__).joinpath("docs.html").read_bytes()
