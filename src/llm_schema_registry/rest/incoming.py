"""A request as it arrives: its headers, and its body within bounds.

Refuses to know what a body means.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from llm_schema_registry.errors import BadRequest, BodyTimedOut, TooLarge

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
RawHeaders = Sequence[tuple[bytes, bytes]]

LINGER_BYTES = 64 * 1024 * 1024
LINGER_SECONDS = 2.0
"""How much of a body that nobody reads is dropped before a request is answered, and for how long."""


def read_header(headers: RawHeaders, name: str) -> str | None:
    """Return a header by its lower-case name, several joined by commas; None when it was not sent."""
    wanted = name.encode()
    values = [value.decode("latin-1") for key, value in headers if key == wanted]
    return ", ".join(values) if values else None


class Incoming:
    """The body of one request. `is_awaited` tells whether a reader waits for the client to send it."""

    __slots__ = ("_announced", "_asks_first", "_idle_seconds", "_is_whole", "_max_bytes", "_receive", "is_awaited")

    def __init__(
        self,
        receive: Receive,
        headers: RawHeaders,
        max_bytes: int,
        http_version: str = "1.1",
        idle_seconds: float = 30.0,
    ) -> None:
        self._idle_seconds = idle_seconds
        self._receive = receive
        self._max_bytes = max_bytes
        length = read_header(headers, "content-length") or "0"
        self._announced = int(length[:20]) if length.isdigit() else 0
        self._asks_first = read_header(headers, "expect") is not None
        # Only HTTP/1 says by its headers that no body follows (RFC 9112 section 6.3).
        is_bare = not self._announced and read_header(headers, "transfer-encoding") is None
        self._is_whole = is_bare and http_version.startswith("1")
        self.is_awaited = False

    async def read(self) -> bytes:
        """Return the whole body. Raises TooLarge, and BadRequest when the connection ends before the body does."""
        if self._announced > self._max_bytes:
            raise TooLarge(f"The body is larger than {self._max_bytes} bytes")
        chunks: list[bytes] = []
        size = 0
        self.is_awaited = True
        while not self._is_whole:
            chunk = await self._next()
            size += len(chunk)
            if size > self._max_bytes:
                raise TooLarge(f"The body is larger than {self._max_bytes} bytes")
            chunks.append(chunk)
        self.is_awaited = False
        return b"".join(chunks)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, however long it is.

        Raises BodyTimedOut when nothing arrives for too long, BadRequest when the connection ends before the body.
        """
        while not self._is_whole:
            try:
                async with asyncio.timeout(self._idle_seconds):
                    chunk = await self._next()
            except TimeoutError:
                raise BodyTimedOut(f"No more of the body arrived for {self._idle_seconds:g} seconds") from None
            yield chunk

    async def linger(self) -> None:
        """Drop what was not read, so that the connection can go on and a client that writes before it reads sees the
        answer. A client that asked whether to send anything is told at once."""
        if self._is_whole or self._asks_first:
            return
        size = 0
        with contextlib.suppress(TimeoutError, BadRequest):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._is_whole and size <= self._max_bytes + LINGER_BYTES:
                    size += len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._is_whole = True
            raise BadRequest("The connection ended before the body did")
        self._is_whole = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk
