"""Each deliberate divergence from the reference contract is listed with its reason, and is as listed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from registry_client import Json, Registry

ROWS: list[Json] = yaml.safe_load(Path(__file__).with_name("nonconforming.yaml").read_text())


async def send(registry: Registry, request: Json) -> Json:
    path = request.get("path") or f"/subjects/{'a' * request['path_of_length']}/versions"
    if "raw" in request:
        return await registry.ask(request["method"], path, (request["raw"] * request.get("repeat_raw", 1)).encode())
    return await registry.ask(request["method"], path, *([request["body"]] if "body" in request else []))


def test_each_divergence_says_why_once() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    assert all(row["reference"] and row["reason"] for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
async def test_divergence(registry: Registry, row: Json) -> None:
    for request in row.get("set_up", ()):
        assert (await send(registry, request)).status_code == 200
    response = await send(registry, row["request"])
    answer = row["answer"]
    assert response.status_code == answer["status"], response.text
    expected = answer.get("body")
    if isinstance(expected, dict):
        body = response.json()
        assert {name: body.get(name) for name in expected} == expected
    elif expected is not None:
        assert response.json() == expected
    for name, value in answer.get("headers", {}).items():
        assert response.headers.get(name) == value
    for name in answer.get("has_headers", ()):
        assert name in response.headers
