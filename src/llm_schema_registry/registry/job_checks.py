"""The checks that a bulk job is made of: one registered version against its predecessors, or one candidate.

Refuses to know how a job is kept and who runs it.
"""

from __future__ import annotations

from llm_schema_registry.checks import CheckError, JobCandidate, JobRequest, JobResult, Verdict
from llm_schema_registry.errors import RegistryError, TooComplex
from llm_schema_registry.model import LATEST, Config, Report, Subject, Version
from llm_schema_registry.registry.candidate import parse_stored, taken_for_candidate, understand
from llm_schema_registry.registry.gate import gate
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.registry.reports import fit
from llm_schema_registry.registry.scopes import Scopes, fill, load_scopes, settle
from llm_schema_registry.store.base import Page

MAX_RESULT_BYTES = 64 * 1024
"""How large the report of one result may be; further findings are left out and counted."""

MAX_ERROR_LENGTH = 4_000


async def check_version(call: Call, request: JobRequest, version: Version) -> Report:
    """Pass a registered version through the gate as if its successors were not there yet.

    Raises InvalidSchema when today's rules refuse it, TooComplex.
    """
    reader = call.store.reader
    config = _config(call, request, await load_scopes(reader, version.subject))
    earlier = await reader.list_versions(version.subject, page=Page(limit=1), before=version.version)
    candidate = taken_for_candidate(version, await parse_stored(call, reader, version))
    return await gate(call, reader, version.subject, candidate, config, earlier[0] if earlier else None)


async def check_candidate(call: Call, request: JobRequest, given: JobCandidate) -> Report:
    """Pass a candidate through the gate as its registration would. Raises what a registration refuses it with."""
    reader = call.store.reader
    scopes = await settle(reader, given.subject)
    config = _config(call, request, scopes)
    candidate = await understand(call, reader, scopes.subject, given.submission, config)
    latest = await reader.find_version(scopes.subject, LATEST)
    return await gate(call, reader, scopes.subject, candidate, config, latest)


def decided(position: int, subject: Subject, version: int | None, report: Report) -> JobResult:
    """Write down a verdict."""
    verdict = Verdict.COMPATIBLE if report.is_compatible else Verdict.INCOMPATIBLE
    fitted, left_out = fit(report, MAX_RESULT_BYTES)
    return JobResult(position, subject, version, verdict, fitted, left_out=left_out)


def undecided(position: int, subject: Subject, version: int | None, error: RegistryError) -> JobResult:
    """Write down why there is no verdict, with what was found until then."""
    report, left_out = None, 0
    if isinstance(error, TooComplex) and error.report is not None:
        report, left_out = fit(error.report, MAX_RESULT_BYTES)
    told = CheckError(error.code, str(error)[:MAX_ERROR_LENGTH].encode(errors="replace").decode())
    return JobResult(position, subject, version, Verdict.ERROR, report, told, left_out)


def _config(call: Call, request: JobRequest, scopes: Scopes) -> Config:
    asked = Config(compatibility_level=request.level, compatibility_policy=request.policy)
    return fill(asked, scopes.config(call.policy.default_level))
