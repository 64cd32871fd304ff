"""An answer in its final form: header bytes, body and ETag; and the 304 that it becomes for whoever has it already.

Refuses to know what it says.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from llm_schema_registry.rest.request import IMMUTABLE, Response

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NO_STORE = "no-store"

_Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Rendered:
    """All of an answer but its request's id. `content_headers` describe the body, and a 304 goes without them."""

    status: int
    headers: _Headers
    content_headers: _Headers
    body: bytes
    etag: bytes | None
    is_immutable: bool
    stream: AsyncIterator[bytes] | None = None

    async def send(self, send: Send, request_id: str, if_none_match: bytes, *, with_body: bool) -> int:
        """Send it, or a 304 when the client has it already (RFC 9110 section 13), and return the status."""
        named = (b"x-request-id", request_id.encode("latin-1"))
        if if_none_match and self.etag is not None and _is_known(self.etag, if_none_match):
            await send({"type": "http.response.start", "status": 304, "headers": [*self.headers, named]})
            await send({"type": "http.response.body", "body": b""})
            return 304
        headers = [*self.headers, *self.content_headers, named]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if self.stream is None:
            await send({"type": "http.response.body", "body": self.body if with_body else b""})
            return self.status
        async for chunk in self.stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return self.status


def render(response: Response, *, is_read: bool) -> Rendered:
    """Finish an answer whose media type is chosen. One to a GET or HEAD gets an ETag."""
    headers = {"x-content-type-options": "nosniff", "cache-control": "no-cache", **response.headers}
    etag = None
    if is_read and response.status == 200 and headers["cache-control"] != NO_STORE:
        digest = hashlib.blake2b(response.body, digest_size=12, key=(response.media_type or "").encode()[:64])
        etag = headers["etag"] = f'"{digest.hexdigest()}"'
    content = {} if response.media_type is None else {"content-type": response.media_type}
    if response.status != 204 and response.stream is None:
        content["content-length"] = str(len(response.body))
    return Rendered(
        status=response.status,
        headers=_encoded(headers),
        content_headers=_encoded(content),
        body=response.body,
        etag=None if etag is None else etag.encode(),
        is_immutable=etag is not None and headers["cache-control"] == IMMUTABLE,
        stream=response.stream,
    )


def _encoded(headers: dict[str, str]) -> _Headers:
    return tuple((name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items())


def _is_known(etag: bytes, if_none_match: bytes) -> bool:
    if if_none_match.strip() == b"*":
        return True
    return etag in {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}
