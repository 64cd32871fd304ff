"""Bulk compatibility jobs over the API: what they check, how they are watched, and that nothing else suffers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from api.conftest import Log, MakeClient
from llm_schema_registry import telemetry
from llm_schema_registry.server import open_app
from llm_schema_registry.settings import Settings
from polling import until
from registry_client import Json, record

PATH = "/v1/compatibility/jobs"
INT, LONG, TEXT = '"int"', '"long"', '"string"'
ENDED = {"done", "failed", "cancelled"}


class Jobs:
    """Short ways to register, to run a job to its end and to read all of its results."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def register(self, subject: str, *schemas: str, **members: Json) -> None:
        for schema in schemas:
            body = {"schema": schema, **members}
            response = await self.http.post(f"/subjects/{subject}/versions?force=true", json=body)
            assert response.status_code == 200, response.text

    async def level(self, subject: str, level: str, **members: Json) -> None:
        found = await self.http.put(f"/config/{subject}", json={"compatibility": level, **members})
        assert found.status_code == 200, found.text

    async def history(self, subject: str, *schemas: str, level: str | None = None, **members: Json) -> None:
        """Register schemas whether they are compatible or not, then set the level."""
        await self.level(subject, "NONE")
        await self.register(subject, *schemas, **members)
        if level is None:
            await self.http.delete(f"/config/{subject}")
        else:
            await self.level(subject, level)

    async def submit(self, path: str = PATH, **body: Json) -> Json:
        response = await self.http.post(path, json=body)
        assert response.status_code == 202, response.text
        assert response.headers["location"] == f"{PATH}/{response.json()['id']}"
        return response.json()

    async def get(self, job: Json) -> Json:
        return (await self.http.get(f"{PATH}/{job['id']}")).json()

    async def started(self, job: Json) -> Json:
        return await until(lambda job: job["state"] != "queued", lambda: self.get(job))

    async def ended(self, job: Json) -> Json:
        return await until(lambda job: job["state"] in ENDED, lambda: self.get(job))

    async def results(self, job: Json, query: str = "", limit: int = 50) -> list[Json]:
        rows: list[Json] = []
        cursor = ""
        while True:
            page = (await self.http.get(f"{PATH}/{job['id']}/results?limit={limit}{query}{cursor}")).json()
            assert len(page["items"]) <= limit
            rows += page["items"]
            if page["next"] is None:
                return rows
            cursor = f"&cursor={page['next']}"

    async def run(self, path: str = PATH, **body: Json) -> list[Json]:
        """Run a job to its end, hold its counts to its results and return these."""
        job = await self.ended(await self.submit(path, **body))
        assert job["state"] == "done", job
        rows = await self.results(job)
        assert [row["position"] for row in rows] == list(range(1, job["done"] + 1))
        assert job["total"] == job["done"]
        verdicts = [row["verdict"] for row in rows]
        assert job["compatible"] == verdicts.count("compatible")
        assert job["incompatible"] == verdicts.count("incompatible")
        assert job["errors"] == verdicts.count("error")
        return rows

    async def verdicts(self, path: str = PATH, **body: Json) -> dict[str, str]:
        return {f"{row['subject']}/{row['version']}": row["verdict"] for row in await self.run(path, **body)}


@pytest.fixture
def jobs(client: httpx.AsyncClient) -> Jobs:
    return Jobs(client)


async def test_the_latest_version_of_each_subject_is_held_against_its_history(jobs: Jobs) -> None:
    await jobs.history("a.good", INT, LONG)
    await jobs.history("a.bad", LONG, INT)
    await jobs.history("a.single", INT)
    await jobs.history("a.none", LONG, INT, level="NONE")
    await jobs.history("b.other", LONG, INT)
    assert await jobs.verdicts(pattern="a.*") == {
        "a.bad/2": "incompatible",
        "a.good/2": "compatible",
        "a.none/2": "compatible",
        "a.single/1": "compatible",
    }


async def test_a_level_is_tried_without_setting_it(jobs: Jobs) -> None:
    await jobs.history("s", TEXT, INT, LONG)
    assert await jobs.verdicts(pattern="s") == {"s/3": "compatible"}
    assert await jobs.verdicts(pattern="s", compatibility_mode="full") == {"s/3": "incompatible"}
    assert await jobs.verdicts(pattern="s", compatibility_mode="BACKWARD_TRANSITIVE") == {"s/3": "incompatible"}
    assert await jobs.verdicts(pattern="s", compatibility_mode="NONE") == {"s/3": "compatible"}
    assert (await jobs.http.get("/config/s")).status_code == 404


async def test_a_policy_is_tried_without_setting_it(jobs: Jobs) -> None:
    closed = '{"type": "object", "additionalProperties": false}'
    other = '{"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}}}'
    opened = '{"type": "object"}'
    await jobs.history("s", opened, '{"type": "object", "properties": {"a": {"type": "string"}}}', schemaType="JSON")
    await jobs.history("t", closed, other, schemaType="JSON")
    assert await jobs.verdicts(pattern="*") == {"s/2": "incompatible", "t/2": "compatible"}
    assert await jobs.verdicts(pattern="*", compatibility_policy="lenient") == {
        "s/2": "compatible",
        "t/2": "compatible",
    }
    [row, _] = await jobs.run(pattern="*", compatibility_policy="lenient")
    assert row["report"]["policy"] == "LENIENT"


async def test_every_version_is_held_against_those_before_it(jobs: Jobs) -> None:
    await jobs.history("s", TEXT, INT, LONG, '"double"', level="BACKWARD_TRANSITIVE")
    assert await jobs.verdicts(pattern="s", scope="all", compatibility_mode="BACKWARD") == {
        "s/1": "compatible",
        "s/2": "incompatible",
        "s/3": "compatible",
        "s/4": "compatible",
    }
    rows = await jobs.run(pattern="s", scope="all")
    assert [(row["is_compatible"], row["compared_versions"]) for row in rows] == [
        (True, []),
        (False, [1]),
        (False, [2, 1]),
        (False, [3, 2, 1]),
    ]
    report = rows[-1]["report"]
    assert (report["level"], report["is_compatible"], rows[-1]["findings_left_out"]) == (
        "BACKWARD_TRANSITIVE",
        False,
        0,
    )
    assert report["findings"][0]["kind"] == "TYPE_MISMATCH"
    assert report["messages"]


async def test_soft_deleted_versions_do_not_count(jobs: Jobs) -> None:
    await jobs.history("s", INT, TEXT, LONG)
    assert (await jobs.http.delete("/subjects/s/versions/2")).status_code == 200
    assert await jobs.verdicts(pattern="s", scope="all") == {"s/1": "compatible", "s/3": "compatible"}


async def test_a_compatibility_group_is_kept_apart(jobs: Jobs) -> None:
    await jobs.level("s", "NONE", compatibilityGroup="major")
    for schema, major in ((INT, "1"), (TEXT, "2"), (LONG, "1"), ('"bytes"', "2"), ('"boolean"', "2")):
        await jobs.register("s", schema, metadata={"properties": {"major": major}})
    rows = await jobs.run(pattern="s", scope="all", compatibility_mode="BACKWARD")
    assert [row["compared_versions"] for row in rows] == [[], [], [1], [2], [4]]
    assert [row["is_compatible"] for row in rows] == [True, True, True, True, False]


async def test_where_a_pattern_looks(jobs: Jobs) -> None:
    for subject in ("s", ":.x:s", ":.y:s", ":.y:t"):
        await jobs.history(subject, INT)

    async def subjects(path: str = PATH, **body: Json) -> list[str]:
        return [row["subject"] for row in await jobs.run(path, **body)]

    assert await subjects(pattern="*") == ["s"]
    assert await subjects(pattern="s*", context="*") == [":.x:s", ":.y:s", "s"]
    assert await subjects(pattern="*", context="y") == [":.y:s", ":.y:t"]
    assert await subjects(f"/contexts/.x{PATH}", pattern="*") == [":.x:s"]
    assert await subjects(pattern="nothing*") == []
    assert await subjects(pattern="%") == []


async def test_candidates_are_checked_as_their_registration_would_be(jobs: Jobs) -> None:
    await jobs.history("s", INT, level="BACKWARD")
    await jobs.history("t", INT, level="FORWARD")
    await jobs.history(":.x:s", TEXT)
    await jobs.register("base", record("Base", "a:int"))
    reference = [{"name": "Base", "subject": "base", "version": -1}]
    candidates = [
        {"subject": "s", "definition": LONG},
        {"subject": "t", "definition": LONG},
        {"subject": "new", "definition": LONG},
        {"subject": "s", "definition": "{nonsense"},
        {"subject": "new", "definition": record("Uses", "b:Base"), "references": reference},
        {"subject": "new", "definition": record("Uses", "b:Base")},
        {"subject": ":.x:s", "definition": LONG},
        {"subject": "new", "definition": '{"type": "string"}', "schema_type": "JSON"},
        {"subject": "new", "definition": "", "schema_type": "COBOL"},
        {"subject": "s", "definition": '{"type": "record", "name": "\\ud800", "fields": []}'},
    ]
    rows = await jobs.run(candidates=candidates)
    assert [row["verdict"] for row in rows] == [
        "compatible",
        "incompatible",
        "compatible",
        "error",
        "compatible",
        "error",
        "incompatible",
        "compatible",
        "error",
        "error",
    ]
    assert [row["subject"] for row in rows] == [candidate["subject"] for candidate in candidates]
    assert {row["version"] for row in rows} == {None}
    assert rows[3]["error"]["error_code"] == 42201
    assert rows[3]["is_compatible"] is rows[3]["report"] is None
    tried = await jobs.run(candidates=candidates[:2], compatibility_mode="FULL")
    assert [row["verdict"] for row in tried] == ["incompatible", "incompatible"]
    in_context = await jobs.run(f"/contexts/.x{PATH}", candidates=candidates[:1])
    assert in_context[0]["subject"] == ":.x:s"
    assert (await jobs.http.get("/subjects")).json() == [":.x:s", "base", "s", "t"], "nothing is registered"


async def test_a_comparison_that_takes_too_long_is_one_result(make_client: MakeClient, log: Log) -> None:
    settings = Settings(database_url="sqlite://", comparison_milliseconds=0.001)
    wide = record("R", *(f"f{number}:int" for number in range(2000)))
    wider = record("R", *(f"f{number}:int" for number in range(2000)), "more:int=0")
    async with open_app(settings, telemetry.open_log("info", log)) as app:
        jobs = Jobs(make_client(app))
        await jobs.history("a", wide, wider)
        await jobs.history("b", INT)
        rows = await jobs.run(pattern="*")
    assert [(row["verdict"], (row["error"] or {}).get("error_code")) for row in rows] == [
        ("error", 42212),
        ("compatible", None),
    ]
    assert rows[0]["report"]["is_compatible"] is True, "what was decided until then"


async def test_results_are_read_in_pages_and_by_verdict(jobs: Jobs) -> None:
    await jobs.history("s", *(record(f"Named{number}") for number in range(12)))
    job = await jobs.ended(await jobs.submit(pattern="s", scope="all"))
    everything = await jobs.results(job)
    assert len(everything) == 12
    for limit in (1, 5, 12, 13):
        assert await jobs.results(job, limit=limit) == everything
    broken = await jobs.results(job, "&only=incompatible", limit=4)
    assert broken == [row for row in everything if row["verdict"] == "incompatible"]
    assert len(broken) == 11
    assert await jobs.results(job, "&only=error") == []


async def test_a_large_report_is_cut_and_says_so(jobs: Jobs) -> None:
    fields = [f"field_{number}_{'x' * 50}:int" for number in range(600)]
    await jobs.history("s", record("R"), record("R", *fields))
    [row] = await jobs.run(pattern="s")
    report = row["report"]
    assert not report["is_compatible"]
    assert row["findings_left_out"] > 100
    assert 20 < len(report["findings"]) < 600
    assert len(str(row)) < 100_000


async def test_jobs_are_listed_newest_first_in_pages(jobs: Jobs) -> None:
    ids = []
    for number in range(5):
        ids.insert(0, (await jobs.submit(pattern=f"p{number}"))["id"])
        await asyncio.sleep(0.002)
    for limit in (1, 2, 5, 9):
        seen: list[str] = []
        cursor = ""
        while True:
            page = (await jobs.http.get(f"{PATH}?limit={limit}{cursor}")).json()
            seen += [job["id"] for job in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert seen == ids


async def test_a_job_tells_what_was_asked_and_how_far_it_is(jobs: Jobs) -> None:
    await jobs.history("s", INT, TEXT)
    body = {"pattern": "s*", "scope": "all", "compatibility_mode": "Full", "compatibility_policy": "sound"}
    response = await jobs.http.post(PATH, json=body, auth=("someone", "secret"))
    job = response.json()
    assert {key: job[key] for key in ("state", "total", "done", "created_by", "started_at", "finished_at")} == {
        "state": "queued",
        "total": 2,
        "done": 0,
        "created_by": "someone",
        "started_at": None,
        "finished_at": None,
    }
    assert (job["pattern"], job["context"], job["scope"]) == ("s*", ".", "all")
    assert (job["compatibility_mode"], job["compatibility_policy"]) == ("FULL", "SOUND")
    ended = await jobs.ended(job)
    assert (ended["state"], ended["done"], ended["reason"]) == ("done", 2, "")
    assert job["created_at"] <= ended["started_at"] <= ended["finished_at"]


async def test_a_finished_job_is_removed(jobs: Jobs) -> None:
    await jobs.history("s", INT)
    job = await jobs.ended(await jobs.submit(pattern="s"))
    removed = await jobs.http.delete(f"{PATH}/{job['id']}")
    assert (removed.status_code, removed.json()) == (200, job)
    for response in (
        await jobs.http.get(f"{PATH}/{job['id']}"),
        await jobs.http.get(f"{PATH}/{job['id']}/results"),
        await jobs.http.delete(f"{PATH}/{job['id']}"),
    ):
        assert (response.status_code, response.json()["error_code"]) == (404, 40411)


async def test_a_running_job_is_cancelled(jobs: Jobs) -> None:
    # Thirty versions, each against all before it: some hundred comparisons of a large schema.
    wide = [record("R", *(f"f{number}:int=0" for number in range(300 + more))) for more in range(30)]
    await jobs.history("s", *wide)
    job = await jobs.submit(pattern="s", scope="all", compatibility_mode="FULL_TRANSITIVE")
    assert (await jobs.started(job))["state"] == "running"
    cancelled = (await jobs.http.delete(f"{PATH}/{job['id']}")).json()
    assert cancelled["state"] == "cancelled"
    # Its worker notices, and takes the next one.
    assert (await jobs.ended(await jobs.submit(pattern="s")))["state"] == "done"
    assert (await jobs.http.get(f"{PATH}/{job['id']}")).json() == cancelled
    assert (await jobs.results(job))[cancelled["done"] :] == []


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (400, {}),
        (400, {"pattern": "a", "candidates": [{"subject": "s", "definition": "x"}]}),
        (400, {"pattern": "a", "scope": "some"}),
        (400, {"pattern": "a", "context": "a:b"}),
        (400, {"context": "*", "candidates": [{"subject": "s", "definition": "x"}]}),
        (400, {"candidates": [{"subject": "s", "definition": "x"}] * 1001}),
        (400, {"candidates": [{"subject": "s"}]}),
        (42201, {"candidates": [{"subject": "s", "definition": "x", "references": [{"version": "n"}]}]}),
        (42203, {"pattern": "a", "compatibility_mode": "SIDEWAYS"}),
        (42203, {"pattern": "a", "compatibility_policy": "KIND"}),
    ],
)
async def test_a_job_that_makes_no_sense_is_refused(jobs: Jobs, code: int, body: Json) -> None:
    response = await jobs.http.post(PATH, json=body)
    assert (response.status_code, response.json()["error_code"]) == (int(str(code)[:3]), code)
    assert (await jobs.http.get(PATH)).json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("code", "path"),
    [
        (400, "?cursor=x"),
        (400, "?cursor=-1.x"),
        (400, f"?cursor={'9' * 30}.x"),
        (40411, "/none"),
        (40411, "/none/results"),
        (404, "/none/results?only=some"),
        (400, "/none/results?cursor=x"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(jobs: Jobs, code: int, path: str) -> None:
    response = await jobs.http.get(f"{PATH}{path}")
    assert (response.status_code, response.json()["error_code"]) == (int(str(code)[:3]), code)


async def test_a_stopped_server_gives_its_job_back(tmp_path: Path, make_client: MakeClient, log: Log) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/r.db")
    wide = [record("R", *(f"f{number}:int=0" for number in range(300 + more))) for more in range(20)]
    body = {"pattern": "s", "scope": "all", "compatibility_mode": "FULL_TRANSITIVE"}
    async with open_app(settings, telemetry.open_log("info", log)) as app:
        jobs = Jobs(make_client(app))
        await jobs.history("s", *wide)
        job = await jobs.submit(**body)
        await jobs.started(job)
    async with open_app(settings, telemetry.open_log("info", log)) as app:
        jobs = Jobs(make_client(app))
        # It need not wait for the lease to end.
        found = await jobs.ended(job)
        assert (found["state"], found["done"]) == ("done", 20)
        assert [row["position"] for row in await jobs.results(job)] == list(range(1, 21))
