"""The page that shows the API: complete without any network."""

from __future__ import annotations

import re

import httpx


async def test_the_page_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    found = await client.get("/docs", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert found.status_code == 200
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"""(?:src|href|url\(|import)\s*[=(]?\s*["']?(?:https?:)?//""", found.text)
    policy = found.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy


async def test_the_page_reads_the_description_that_is_served(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert 'fetch("openapi.json")' in page
    assert (await client.get("/openapi.json")).json()["openapi"] == "3.1.0"


async def test_the_page_never_writes_markup_from_data(client: httpx.AsyncClient) -> None:
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", (await client.get("/docs")).text)
