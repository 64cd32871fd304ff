"""A registry in process for suites that speak HTTP: short ways to ask, to expect a refusal, and to read the log."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import httpx

from llm_schema_registry.formats import FORMATS
from llm_schema_registry.model import Event
from llm_schema_registry.registry.engines import Engines
from llm_schema_registry.registry.operation import Call, Policy
from llm_schema_registry.rest.app import Options, RestApp
from llm_schema_registry.rest.table import build_routes
from llm_schema_registry.store.base import Store
from llm_schema_registry.telemetry import open_log

NOW = 1_760_000_000_000
AMPLE = Policy(compare_seconds=10)
"""Time enough for comparing while coverage is measured."""
_ENGINES = Engines(FORMATS)
_NO_BODY = object()

Json = Any  # what `json.loads` answers


class Registry:
    """A client of a whole server over one store."""

    def __init__(self, store: Store, policy: Policy | None = None, options: Options | None = None) -> None:
        self.store = store
        self.now = NOW
        call = Call(store=store, engines=_ENGINES, clock=self._tick, policy=policy or AMPLE)
        self.app = RestApp(build_routes(), call, open_log("error"), options)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://registry")

    def _tick(self) -> int:
        self.now += 1
        return self.now

    async def ask(
        self, method: str, path: str, body: object = _NO_BODY, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a request. `path` stands as it is, query included; `body` is sent as JSON, bytes as they are."""
        content = None if body is _NO_BODY else body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await self.http.request(method, path, content=content, headers=headers)
        assert response.status_code != 500, response.text
        return response

    async def get(self, path: str) -> Json:
        """Return what a GET answers, which must be 200."""
        return _ok(await self.ask("GET", path))

    async def text(self, path: str) -> str:
        """Return the raw text of a GET, which must be 200."""
        response = await self.ask("GET", path)
        assert response.status_code == 200, response.text
        return response.text

    async def post(self, path: str, body: object) -> Json:
        """Return what a POST answers, which must be 200."""
        return _ok(await self.ask("POST", path, body))

    async def put(self, path: str, body: object) -> Json:
        """Return what a PUT answers, which must be 200."""
        return _ok(await self.ask("PUT", path, body))

    async def delete(self, path: str) -> Json:
        """Return what a DELETE answers, which must be 200."""
        return _ok(await self.ask("DELETE", path))

    async def register(self, subject: str, schema: str | None, query: str = "", **members: object) -> dict[str, Json]:
        """Register a schema and return the answer."""
        body = {"schema": schema, **members} if schema is not None else members
        return cast("dict[str, Json]", await self.post(f"/subjects/{subject}/versions{query}", body))

    async def refuse(self, code: int, method: str, path: str, body: object = _NO_BODY) -> str:
        """Expect a refusal with this code, in the two-key body, and return its message."""
        response = await self.ask(method, path, body)
        assert (response.status_code, response.json().get("error_code")) == (int(str(code)[:3]), code), response.text
        assert set(response.json()) == {"error_code", "message"}
        return str(response.json()["message"])

    async def refuse_registration(self, code: int, subject: str, schema: str | None = None, **members: object) -> str:
        """Expect a registration to be refused with this code and return the message."""
        body = {"schema": schema, **members} if schema is not None else members
        return await self.refuse(code, "POST", f"/subjects/{subject}/versions", body)

    async def events(self, after: int = 0) -> list[Event]:
        """Return the log behind a position."""
        return [event for _, event in await self.store.reader.list_events(after)]

    async def event_lines(self, after: int = 0) -> list[str]:
        """Return the log behind a position as `TYPE subject[/version]`."""
        return [
            f"{event.type} {event.subject}" + (f"/{event.version}" if event.version is not None else "")
            for event in await self.events(after)
        ]

    async def close(self) -> None:
        """Close the client; the store is its opener's."""
        await self.http.aclose()


OpenRegistry = Callable[..., Awaitable[Registry]]
"""What opens further registries: `await open_registry(policy, options)`."""


def _ok(response: httpx.Response) -> Json:
    assert response.status_code == 200, f"{response.status_code} {response.text}"
    return response.json()


def record(name: str, *fields: str, **members: object) -> str:
    """An Avro record; a field is `name:type` or, with a default of that type, `name:type=default`."""
    return json.dumps({"type": "record", "name": name, "fields": [_field(field) for field in fields], **members})


def _field(text: str) -> dict[str, object]:
    name, _, rest = text.partition(":")
    type_, has_default, default = rest.partition("=")
    return {"name": name, "type": type_, **({"default": json.loads(default)} if has_default else {})}


def compact(text: str) -> str:
    """JSON as it is stored: the same order, no white space."""
    return json.dumps(json.loads(text), separators=(",", ":"))
