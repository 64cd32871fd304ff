"""The description of the API is complete, valid, served, and equal to the committed file."""

from __future__ import annotations

from pathlib import Path

import httpx
import jsonschema
import pytest
import yaml

from llm_schema_registry.rest.openapi import build_document
from llm_schema_registry.rest.table import build_routes

ROUTES = build_routes()
DOCUMENT = build_document(ROUTES)
COMMITTED = Path(__file__).resolve().parents[2] / "openapi.yaml"
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


def test_the_committed_file_is_the_table() -> None:
    assert yaml.safe_load(COMMITTED.read_text()) == DOCUMENT, "run `make gen`"


async def test_the_served_document_is_the_table(client: httpx.AsyncClient) -> None:
    found = await client.get("/openapi.json")
    assert found.headers["content-type"] == "application/json"
    assert found.json() == DOCUMENT


def test_every_row_is_described_once() -> None:
    assert sorted(OPERATIONS) == sorted((route.path, route.method.lower()) for route in ROUTES)
    ids = [DOCUMENT["paths"][path][method]["operationId"] for path, method in OPERATIONS]
    assert len(set(ids)) == len(ids)


def test_the_table_always_gives_the_same_document() -> None:
    assert yaml.safe_dump(build_document(build_routes())) == yaml.safe_dump(DOCUMENT)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_an_operation_is_complete(path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    assert operation["summary"].endswith(".")
    assert operation["tags"]
    for parameter in operation.get("parameters", ()):
        assert parameter["description"]
        assert parameter["schema"]
    for status, response in operation["responses"].items():
        assert response["description"]
        if int(status) >= 400:
            for content in response["content"].values():
                assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}


def test_every_schema_is_json_schema_and_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    components = {f"#/components/{kind}/{name}" for kind, named in DOCUMENT["components"].items() for name in named}
    assert _references(DOCUMENT) <= components


def test_whoever_may_ask_again_is_told_when() -> None:
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status in {"429", "500", "503"}:
                    assert response["headers"] == {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}


def test_parameters_of_an_operation_have_one_meaning_each() -> None:
    for route in ROUTES:
        names = [query.name for query in route.query]
        assert len(set(names)) == len(names), route.path


def _references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {str(node["$ref"])} if "$ref" in node else set()
        return own.union(*map(_references, node.values()))
    if isinstance(node, list):
        return set().union(*map(_references, node))
    return set()
