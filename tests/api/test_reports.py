"""Reports that are kept: read as they were, for as long as they are there, and never too large."""

from __future__ import annotations

from llm_schema_registry.formats import FORMATS
from llm_schema_registry.model import (
    CompatibilityLevel,
    CompatibilityPolicy,
    Detail,
    Difference,
    Direction,
    Finding,
    Report,
    Severity,
    Subject,
)
from llm_schema_registry.registry.engines import Engines
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.registry.reports import KEPT_MILLISECONDS, MAX_REPORT_BYTES, keep_report
from registry_client import NOW, Registry

ENGINES = Engines(FORMATS)
PATH = "/v1/compatibility/reports"


def finding(severity: Severity, number: int = 0, explanation: str = "why") -> Finding:
    detail = Detail(f"/{number}", None, "a", "b", explanation, "remedy")
    return Finding(Difference("KIND", f"/{number}"), severity, Direction.BACKWARD, 1, detail, "message")


async def keep(registry: Registry, report: Report, now: int = NOW) -> str:
    return (await keep_report(Call(registry.store, ENGINES, lambda: now), Subject(".x", "s"), report)).id


async def test_a_kept_report_is_answered_for_ever(registry: Registry) -> None:
    report = Report(
        is_compatible=False,
        messages=("one",),
        findings=(finding(Severity.HAZARD), finding(Severity.BREAKING, 1)),
        compared=(3, 2),
        level=CompatibilityLevel.FULL,
        policy=CompatibilityPolicy.SOUND,
    )
    report_id = await keep(registry, report)
    response = await registry.ask("GET", f"{PATH}/{report_id}")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    body = response.json()
    assert [found["severity"] for found in body.pop("findings")] == ["breaking", "hazard"]
    assert body == {
        "id": report_id,
        "subject": ":.x:s",
        "created_at": "2025-10-09T08:53:20Z",
        "findings_left_out": 0,
        "is_compatible": False,
        "level": "FULL",
        "policy": "SOUND",
        "compared_versions": [3, 2],
        "hazards_complete": True,
        "messages": ["one"],
    }


async def test_a_report_that_is_not_there(registry: Registry) -> None:
    await registry.refuse(40410, "GET", f"{PATH}/none")


async def test_what_tells_of_nothing_is_not_kept(registry: Registry) -> None:
    assert await keep(registry, Report(is_compatible=True, findings=(finding(Severity.INFO),))) == ""
    assert await keep(registry, Report(is_compatible=True, findings=(finding(Severity.HAZARD),)))


async def test_a_store_that_cannot_keep_it_stops_no_answer(registry: Registry) -> None:
    await registry.store.close()
    assert await keep(registry, Report(is_compatible=False)) == ""


async def test_reports_are_forgotten_in_time(registry: Registry) -> None:
    old = await keep(registry, Report(is_compatible=False))
    young = await keep(registry, Report(is_compatible=False), NOW + KEPT_MILLISECONDS)
    await registry.get(f"{PATH}/{old}")
    await keep(registry, Report(is_compatible=False), NOW + KEPT_MILLISECONDS + 1)
    await registry.refuse(40410, "GET", f"{PATH}/{old}")
    await registry.get(f"{PATH}/{young}")


async def test_a_large_report_keeps_what_breaks(registry: Registry) -> None:
    hazards = tuple(finding(Severity.HAZARD, number, "x" * 1000) for number in range(600))
    breaking = tuple(finding(Severity.BREAKING, number, "x" * 1000) for number in range(50))
    messages = tuple("x" * 1000 for _ in range(600))
    report_id = await keep(registry, Report(False, messages, (*hazards, *breaking)))
    response = await registry.ask("GET", f"{PATH}/{report_id}")
    body = response.json()
    assert len(response.content) < MAX_REPORT_BYTES * 1.1
    severities = [found["severity"] for found in body["findings"]]
    assert severities[:50] == ["breaking"] * 50
    assert 0 < severities.count("hazard") < 600
    assert body["findings_left_out"] == 650 - len(severities) + 600 - len(body["messages"])


async def test_what_no_text_can_hold_is_replaced(registry: Registry) -> None:
    report_id = await keep(registry, Report(False, ("a\ud800b",), (finding(Severity.BREAKING, 1, "\udfff"),)))
    body = await registry.get(f"{PATH}/{report_id}")
    assert (body["messages"], body["findings"][0]["explanation"]) == (["a?b"], "?")
