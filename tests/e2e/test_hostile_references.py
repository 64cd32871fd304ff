"""References in chains of a thousand and in diamonds that are huge once inlined: answered, never by a fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from llm_schema_registry.model import Reference, SchemaContent, Subject
from llm_schema_registry.registry.identity import guid_of
from llm_schema_registry.store.sql import SqlStore
from server_process import running_server

LINKS = {"chain": 1_000, "diamond": 150}
DEADLINE_SECONDS = 35.0
"""Beyond the request timeout of the server, which would be a 500."""


def avro(number: int, used: tuple[int, ...]) -> str:
    fields = [{"name": f"f{place}", "type": f"R{other}"} for place, other in enumerate(used)]
    return json.dumps({"type": "record", "name": f"R{number}", "fields": fields}, separators=(",", ":"))


def json_schema(number: int, used: tuple[int, ...]) -> str:
    properties = {f"f{place}": {"$ref": f"R{other}"} for place, other in enumerate(used)}
    return json.dumps({"title": f"R{number}", "properties": properties}, separators=(",", ":"))


def protobuf(number: int, used: tuple[int, ...]) -> str:
    imports = "".join(f'import "R{other}";' for other in dict.fromkeys(used))
    fields = "".join(f"R{other} f{place} = {place + 1};" for place, other in enumerate(used))
    return f'syntax = "proto3";{imports}message R{number} {{{fields}}}'


WRITERS: dict[str, Callable[[int, tuple[int, ...]], str]] = {"AVRO": avro, "JSON": json_schema, "PROTOBUF": protobuf}

SHAPES: dict[str, Callable[[int], tuple[int, ...]]] = {
    "chain": lambda number: (number - 1,) if number else (),
    # Each link uses the one before twice, and the one before that: inlined, the last has more than 2^150 parts.
    "diamond": lambda number: tuple(other for other in (number - 1, number - 1, number - 2) if other >= 0),
}


def references_of(used: tuple[int, ...], subject: Callable[[int], str]) -> list[dict[str, object]]:
    return [{"name": f"R{other}", "subject": subject(other), "version": 1} for other in dict.fromkeys(used)]


async def fill(url: str) -> None:
    """Store every link but the last, as registrations one after the other would, which takes minutes."""
    store = SqlStore.open(url)
    await store.migrate()
    async with store.transaction() as writer:
        for schema_type, write in WRITERS.items():
            for shape, uses in SHAPES.items():
                for number in range(LINKS[shape]):
                    subject = Subject(".", f"{shape}-{schema_type}-{number}")
                    used = dict.fromkeys(uses(number))
                    references = tuple(Reference(f"R{n}", f"{shape}-{schema_type}-{n}", 1) for n in used)
                    content = SchemaContent(schema_type, write(number, uses(number)), references, None, None)
                    schema = await writer.add_schema(".", guid_of(content), content)
                    await writer.add_version(subject, 1, schema.id, registered_at=1, registered_by="someone")
    await store.close()


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server over a database with the links of every shape and format."""
    url = f"sqlite:///{tmp_path_factory.mktemp('references')}/registry.db"
    asyncio.run(fill(url))
    with (
        running_server("--database-url", url) as server,
        httpx.Client(base_url=server.url, timeout=DEADLINE_SECONDS) as client,
    ):
        yield client


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("schema_type", WRITERS)
def test_many_links(http: httpx.Client, schema_type: str, shape: str) -> None:
    last = LINKS[shape]
    subject = f"{shape}-{schema_type}-{last}"
    used = SHAPES[shape](last)
    body = {
        "schema": WRITERS[schema_type](last, used),
        "schemaType": schema_type,
        "references": references_of(used, lambda number: f"{shape}-{schema_type}-{number}"),
    }
    inlined = {"schema": WRITERS[schema_type](last, ()), "schemaType": schema_type}
    asked = [
        ("POST", f"/subjects/{subject}/versions", body),
        ("POST", f"/subjects/{subject}/versions", {**body, "schema": WRITERS[schema_type](last + 1, used)}),
        ("POST", f"/compatibility/subjects/{subject}/versions?verbose=true", inlined),
        ("POST", f"/subjects/{subject}", inlined),
        ("GET", f"/subjects/{shape}-{schema_type}-{last - 1}/versions/latest?format=resolved", None),
        ("GET", f"/subjects/{shape}-{schema_type}-{last - 1}/versions/latest?format=serialized", None),
        ("GET", f"/subjects/{shape}-{schema_type}-{last - 1}/versions/latest?findTags=*", None),
        ("GET", f"/subjects/{shape}-{schema_type}-0/versions/1/referencedby", None),
        ("DELETE", f"/subjects/{shape}-{schema_type}-1", None),
    ]
    taken = []
    for method, path, sent in asked:
        response = http.request(method, path, json=sent)
        assert response.status_code < 500, (method, path, response.text[:500])
        assert response.status_code == 200 or set(response.json()) == {"error_code", "message"}
        assert len(response.content) < 32 << 20
        taken.append(f"{response.status_code} in {response.elapsed.total_seconds():.1f} s")
    print(f"{schema_type} {shape}: {', '.join(taken)}")
