"""Reports that were kept when a schema was refused.

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

from llm_schema_registry.errors import ReportNotFound
from llm_schema_registry.registry import reports
from llm_schema_registry.rest.request import IMMUTABLE, Request, Response, json_answer
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.wire.report import KeptReportBody, kept_report_v1


async def get_report(request: Request) -> Response:
    kept = await reports.get_report(request.call, request.path("report"))
    return json_answer(kept_report_v1(kept), cache_control=IMMUTABLE)


ROUTES = (
    Route(
        "GET",
        "/v1/compatibility/reports/{report}",
        get_report,
        "Return the report of a schema that was refused.",
        "compatibility",
        answer=KeptReportBody,
        errors=(ReportNotFound,),
    ),
)
