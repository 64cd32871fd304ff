"""Bulk jobs of real server processes: killed in the middle, and shared by two servers."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import httpx

from polling import until
from registry_client import Json
from server_process import ServerProcess, running_server

JOBS = "/v1/compatibility/jobs"
SUBJECTS, VERSIONS, BROKEN = 15, 12, 11


def schema(number: int) -> str:
    """A large record that breaks only in its eleventh version, so that a job over all of them takes a while."""
    fields = [{"name": f"f{index}", "type": "int", "default": 0} for index in range(250)]
    fields.append({"name": f"added{number}", "type": "int", **({} if number == BROKEN - 1 else {"default": 0})})
    return json.dumps({"type": "record", "name": "R", "fields": fields})


async def fill(http: httpx.AsyncClient) -> None:
    (await http.put("/config", json={"compatibility": "NONE"})).raise_for_status()
    for number in range(SUBJECTS):
        for version in range(VERSIONS):
            body = {"schema": schema(version)}
            (await http.post(f"/subjects/s{number:02}/versions", json=body)).raise_for_status()


async def submit(http: httpx.AsyncClient) -> str:
    body = {"pattern": "s*", "scope": "all", "compatibility_mode": "FULL_TRANSITIVE"}
    answer = await http.post(JOBS, json=body)
    assert answer.status_code == 202
    assert answer.json()["total"] == SUBJECTS * VERSIONS
    return str(answer.json()["id"])


async def wait(http: httpx.AsyncClient, job_id: str, *, done: int) -> Json:
    async def ask() -> Json:
        return (await http.get(f"{JOBS}/{job_id}")).json()

    return await until(lambda job: job["done"] >= done, ask, seconds=90)


async def results(http: httpx.AsyncClient, job_id: str) -> list[Json]:
    rows: list[Json] = []
    cursor = ""
    while True:
        page = (await http.get(f"{JOBS}/{job_id}/results?limit=100{cursor}")).json()
        rows += page["items"]
        if page["next"] is None:
            return rows
        cursor = f"&cursor={page['next']}"


def check(job: Json, rows: list[Json]) -> None:
    """Hold a finished job to what each of its checks must find, none missing and none twice."""
    assert job["state"] == "done"
    assert [row["position"] for row in rows] == list(range(1, SUBJECTS * VERSIONS + 1))
    assert [(row["subject"], row["version"]) for row in rows] == [
        (f"s{number:02}", version) for number in range(SUBJECTS) for version in range(1, VERSIONS + 1)
    ]
    # The version that adds a field without default fails, and so does the next, which removes it.
    expected = [version < BROKEN for version in range(1, VERSIONS + 1)]
    assert [row["is_compatible"] for row in rows] == expected * SUBJECTS
    assert job["compatible"] == expected.count(True) * SUBJECTS
    assert job["done"] == job["compatible"] + job["incompatible"] == job["total"]


async def test_a_job_survives_the_death_of_its_server(tmp_path: Path) -> None:
    flags = ("--database-url", f"sqlite:///{tmp_path}/registry.db")
    with ServerProcess(tmp_path, *flags) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            await fill(http)
            job_id = await submit(http)
            done = (await wait(http, job_id, done=1))["done"]
            assert done < SUBJECTS * VERSIONS, "the job was over before its server could die"
        server.stop(signal.SIGKILL)
    with ServerProcess(tmp_path, *flags) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            found = (await http.get(f"{JOBS}/{job_id}")).json()
            assert (found["state"], found["done"] >= done) == ("running", True)
            await wait(http, job_id, done=SUBJECTS * VERSIONS)
            job = await until(lambda job: job["state"] != "running", lambda: _get(http, job_id))
            check(job, await results(http, job_id))
        assert server.stop() == 0
        assert not [line for line in server.log if line["level"] == "error"]


async def test_two_servers_share_jobs_and_take_over_from_each_other(postgres_url: str, tmp_path: Path) -> None:
    flags = ("--database-url", postgres_url)
    with ServerProcess(tmp_path, *flags) as doomed, running_server(*flags) as other:
        async with (
            httpx.AsyncClient(base_url=doomed.url, timeout=60) as first,
            httpx.AsyncClient(base_url=other.url, timeout=60) as second,
        ):
            await fill(first)
            job_ids = [await submit(first), await submit(second)]
            for job_id in job_ids:
                await wait(second, job_id, done=1)
            # Each server runs one of them; one dies, and its job goes to the other.
            doomed.stop(signal.SIGKILL)
            for job_id in job_ids:
                job = await until(lambda job: job["state"] == "done", lambda each=job_id: _get(second, each), 120)
                check(job, await results(second, job_id))


async def test_requests_are_answered_while_a_job_runs(tmp_path: Path) -> None:
    with running_server("--database-url", f"sqlite:///{tmp_path}/registry.db") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            await fill(http)
            job_id = await submit(http)
            await wait(http, job_id, done=1)
            seconds = []
            while (await _get(http, job_id))["state"] == "running":
                started = asyncio.get_running_loop().time()
                (await http.get("/subjects/s00/versions/1")).raise_for_status()
                seconds.append(asyncio.get_running_loop().time() - started)
            assert len(seconds) > 10
            assert sorted(seconds)[len(seconds) // 2] < 0.1, "half of the reads took longer than a tenth of a second"
            # A server that is told to stop does not wait for its job.
            await submit(http)


async def _get(http: httpx.AsyncClient, job_id: str) -> Json:
    return (await http.get(f"{JOBS}/{job_id}")).json()
