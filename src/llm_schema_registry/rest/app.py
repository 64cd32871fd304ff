"""The ASGI application: one request in, one answer out, with the headers, errors, metrics and logs of every route.

Refuses to know any single route, and to let an exception of any kind out as anything but a two-key JSON body.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from structlog.typing import FilteringBoundLogger

from llm_schema_registry import telemetry
from llm_schema_registry.errors import (
    BodyTimedOut,
    IncompatibleSchema,
    MethodNotAllowed,
    NotAcceptable,
    RegistryError,
    TimedOut,
)
from llm_schema_registry.model import ANONYMOUS, Actor
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.rest.incoming import Incoming, RawHeaders, Receive, read_header
from llm_schema_registry.rest.request import (
    CONFLUENT_MEDIA_TYPES,
    Request,
    Response,
    json_answer,
    negotiate,
    with_report_link,
)
from llm_schema_registry.rest.routing import Match, Route, Router
from llm_schema_registry.wire.confluent import ErrorBody

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NO_STORE = "no-store"
MAX_ACTOR_LENGTH = 255

_UNKNOWN_ROUTE = "unknown"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What the transport was told once, at start."""

    max_body_bytes: int = 10 * 1024 * 1024
    request_timeout_seconds: float = 30.0
    legacy_409_code: bool = False


class RestApp:
    """An ASGI application over a route table. `call` is the template of each request's call."""

    def __init__(
        self, routes: Iterable[Route], call: Call, log: FilteringBoundLogger, options: Options | None = None
    ) -> None:
        self._router = Router(routes)
        self._call = call
        self._log = log
        self._options = options or Options()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request; other kinds of scope are not served."""
        if scope["type"] != "http":
            raise ValueError(f"cannot serve a {scope['type']} connection")
        started = time.perf_counter()
        method: str = scope["method"]
        headers: RawHeaders = scope["headers"]
        request_id = _request_id(headers)
        incoming = Incoming(receive, headers, self._options.max_body_bytes, scope["http_version"])
        match: Match | None = None
        try:
            match = self._router.match(method, scope["raw_path"])
            response = await self._answer(match, request_id, headers, scope["query_string"], incoming)
        except asyncio.CancelledError:
            raise
        except RegistryError as error:
            response = self._refuse(error, request_id)
        except BaseException as error:
            # An engine's panic is a BaseException, and must not end the process.
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            self._log.error("unhandled", request_id=request_id, exc_info=error)
            response = _error_answer(500, 500, "Internal Server Error")
        _complete(response, method, request_id, headers, match)
        await incoming.linger()
        await _send(response, send, with_body=method != "HEAD")
        self._tell(method, match, response.status, time.perf_counter() - started, request_id)

    async def _answer(
        self, match: Match, request_id: str, headers: RawHeaders, query_string: bytes, incoming: Incoming
    ) -> Response:
        produced = match.route.media_types or CONFLUENT_MEDIA_TYPES
        media_type = negotiate(read_header(headers, "accept"), produced)
        if media_type is None:
            raise NotAcceptable
        request = Request(
            call=dataclasses.replace(self._call, request_id=request_id, actor=_actor(headers)),
            context=match.context,
            path_values=match.values,
            declared=match.route.query,
            headers=headers,
            query_string=query_string,
            incoming=incoming,
        )
        seconds = self._options.request_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                response = await match.route.handler(request)
        except TimeoutError as error:
            if incoming.is_awaited:
                raise BodyTimedOut(f"The body did not arrive within {seconds:g} seconds") from None
            raise TimedOut(f"The request took longer than {seconds:g} seconds") from error
        if response.body and response.media_type is None:
            response.media_type = media_type
        return response

    def _refuse(self, error: RegistryError, request_id: str) -> Response:
        """Translate a refusal: the one place where errors become HTTP."""
        if error.http_status >= 500:
            self._log.error("failed", request_id=request_id, error_code=error.code, exc_info=error)
        code = error.code
        if self._options.legacy_409_code and isinstance(error, IncompatibleSchema):
            code = 409
        response = _error_answer(error.http_status, code, str(error))
        if isinstance(error, IncompatibleSchema):
            with_report_link(response, error.report)
        if isinstance(error, MethodNotAllowed):
            response.headers["allow"] = ", ".join(error.allowed)
        return response

    def _tell(self, method: str, match: Match | None, status: int, seconds: float, request_id: str) -> None:
        endpoint = match.route.path if match else _UNKNOWN_ROUTE
        telemetry.request_served(method if method in _METHODS else "other", endpoint, status, seconds)
        named = {"subject": match.values["subject"]} if match and "subject" in match.values else {}
        self._log.info(
            "request",
            method=method,
            route=endpoint,
            status=status,
            duration_ms=round(seconds * 1000, 3),
            request_id=request_id,
            **named,
        )


def _error_answer(status: int, code: int, message: str) -> Response:
    return json_answer(ErrorBody(code, message), status)


def _request_id(headers: RawHeaders) -> str:
    """Echo the caller's id when exactly one printable, short, non-blank one was sent (rest-api 1.2)."""
    sent = [value for name, value in headers if name == b"x-request-id"]
    if len(sent) == 1:
        text = sent[0].decode("latin-1").strip(" \t")
        if _REQUEST_ID.fullmatch(text):
            return text
    return str(uuid.uuid4())


def _actor(headers: RawHeaders) -> Actor:
    """Name the caller by the user of Basic credentials. Nothing is verified yet: the name is the caller's own word."""
    scheme, _, credentials = (read_header(headers, "authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return ANONYMOUS
    try:
        user = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except ValueError:
        return ANONYMOUS
    is_printable = user.isprintable() and 0 < len(user) <= MAX_ACTOR_LENGTH
    return Actor(user) if is_printable else ANONYMOUS


def _complete(response: Response, method: str, request_id: str, headers: RawHeaders, match: Match | None) -> None:
    """Add what every answer carries, and turn it into a 304 when the client has it already (RFC 9110 section 13)."""
    ours = response.headers
    produced = (match.route.media_types if match else None) or CONFLUENT_MEDIA_TYPES
    if response.body and response.media_type is None:
        response.media_type = negotiate(read_header(headers, "accept"), CONFLUENT_MEDIA_TYPES)
        response.media_type = response.media_type or CONFLUENT_MEDIA_TYPES[0]
    ours["x-request-id"] = request_id
    ours["x-content-type-options"] = "nosniff"
    ours.setdefault("cache-control", "no-cache")
    if len(produced) > 1 or response.status >= 400:
        ours.setdefault("vary", "Accept")
    if method in {"GET", "HEAD"} and response.status == 200 and ours["cache-control"] != NO_STORE:
        digest = hashlib.blake2b(response.body, digest_size=12, key=(response.media_type or "").encode()[:64])
        ours["etag"] = f'"{digest.hexdigest()}"'
        known = read_header(headers, "if-none-match")
        if known is not None and _is_known(ours["etag"], known):
            response.status = 304
            response.body = b""
            response.media_type = None


def _is_known(etag: str, if_none_match: str) -> bool:
    if if_none_match.strip() == "*":
        return True
    return etag in {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}


async def _send(response: Response, send: Send, *, with_body: bool) -> None:
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in response.headers.items()]
    if response.media_type is not None:
        headers.append((b"content-type", response.media_type.encode()))
    if response.status not in {204, 304}:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body if with_body else b""})
