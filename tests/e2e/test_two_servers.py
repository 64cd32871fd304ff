"""Several server processes on one PostgreSQL: they number versions as one, name contents as one, and start as one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from server_process import ServerProcess, running_server

CLIENTS = 64


@pytest.fixture
def two_servers(postgres_url: str) -> Iterator[tuple[str, str]]:
    """The addresses of two servers on one fresh database."""
    with running_server("--database-url", postgres_url) as one, running_server("--database-url", postgres_url) as two:
        yield one.url, two.url


def record(*fields: str) -> dict[str, str]:
    """Return a registration of a record with optional fields, so that any two are compatible."""
    members = [{"name": name, "type": ["null", "string"], "default": None} for name in fields]
    return {"schema": json.dumps({"type": "record", "name": "R", "fields": members})}


async def register_at_once(servers: tuple[str, ...], bodies: list[dict[str, str]]) -> list[dict[str, int]]:
    """Register each body at the same subject, each from a client of its own, in turns on the servers."""

    async def register(number: int, body: dict[str, str]) -> dict[str, int]:
        async with httpx.AsyncClient(base_url=servers[number % len(servers)], timeout=60) as client:
            await client.get("/")
            await gate.wait()
            response = await client.post("/subjects/hot/versions", json=body)
        assert response.status_code == 200, response.text
        answer: dict[str, int] = response.json()
        return answer

    gate = asyncio.Barrier(len(bodies))
    return await asyncio.gather(*(register(number, body) for number, body in enumerate(bodies)))


async def test_distinct_contents_from_64_clients(two_servers: tuple[str, str]) -> None:
    bodies = [record(f"field_{number}") for number in range(CLIENTS)]
    answers = await register_at_once(two_servers, bodies)
    assert sorted(answer["version"] for answer in answers) == list(range(1, CLIENTS + 1))
    assert len({answer["id"] for answer in answers}) == CLIENTS
    # Ids are given out in the order of the versions, whichever server did it.
    assert [a["id"] for a in sorted(answers, key=lambda a: a["version"])] == sorted(a["id"] for a in answers)
    for url in two_servers:
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/subjects/hot/versions")).json() == list(range(1, CLIENTS + 1))
            for answer, body in zip(answers, bodies, strict=True):
                stored = (await client.get(f"/schemas/ids/{answer['id']}")).json()["schema"]
                assert json.loads(stored) == json.loads(body["schema"])


async def test_the_same_content_from_64_clients(two_servers: tuple[str, str]) -> None:
    answers = await register_at_once(two_servers, [record("field")] * CLIENTS)
    assert {(answer["version"], answer["id"]) for answer in answers} == {(1, answers[0]["id"])}


async def test_few_contents_from_64_clients(two_servers: tuple[str, str]) -> None:
    contents = [record(f"field_{number}") for number in range(4)]
    answers = await register_at_once(two_servers, [contents[number // 2 % 4] for number in range(CLIENTS)])
    assert sorted(Counter((a["version"], a["id"]) for a in answers).values()) == [CLIENTS // 4] * 4
    assert {answer["version"] for answer in answers} == {1, 2, 3, 4}


def test_four_servers_start_on_a_fresh_database(empty_postgres_url: str) -> None:
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(4) as threads:

        def start(_: int) -> ServerProcess:
            return stack.enter_context(running_server("--database-url", empty_postgres_url))

        servers = list(threads.map(start, range(4)))
        answers = [httpx.post(f"{server.url}/subjects/s/versions", json=record("a")) for server in servers]
        assert [answer.json().get("version") for answer in answers] == [1] * 4
        assert all(httpx.get(f"{server.url}/health/ready").json()["status"] == "ready" for server in servers)
