"""The ASGI application: one request in, one answer out, with the headers, errors, metrics and logs of every route.

Refuses to know any single route, and to let an exception of any kind out as anything but a two-key JSON body.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import logging
import random
import re
import time
from collections.abc import Iterable, MutableMapping
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
from llm_schema_registry.rest.hot_path import DEFAULT_BYTES, READS, KeptAnswers, Key, key_of
from llm_schema_registry.rest.incoming import Incoming, RawHeaders, Receive, read_header
from llm_schema_registry.rest.rendered import Send, render
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

MAX_ACTOR_LENGTH = 255

_UNKNOWN_ROUTE = "unknown"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CHANGES = frozenset({"PUT", "DELETE"})
_REQUEST_ID = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What the transport was told once, at start."""

    max_body_bytes: int = 10 * 1024 * 1024
    request_timeout_seconds: float = 30.0
    legacy_409_code: bool = False
    answer_cache_bytes: int = DEFAULT_BYTES


class RestApp:
    """An ASGI application over a route table. `call` is the template of each request's call."""

    def __init__(
        self, routes: Iterable[Route], call: Call, log: FilteringBoundLogger, options: Options | None = None
    ) -> None:
        self._router = Router(routes)
        self._call = call
        self._log = log
        self._tells_requests = log.is_enabled_for(logging.INFO)
        self._options = options or Options()
        self.kept_answers = KeptAnswers(self._options.answer_cache_bytes)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request; other kinds of scope are not served."""
        if scope["type"] != "http":
            raise ValueError(f"cannot serve a {scope['type']} connection")
        started = time.perf_counter()
        method: str = scope["method"]
        headers: RawHeaders = scope["headers"]
        by_name = dict(headers)
        # Authentication comes here, before anything is answered, also what is kept.
        # What was sent twice is joined on the way that knows how.
        key = key_of(scope, by_name) if len(by_name) == len(headers) else None
        kept = None if key is None else self.kept_answers.find(key)
        if kept is None:
            await self._answer_anew(scope, receive, send, key, started)
            return
        request_id = _request_id(by_name.get(b"x-request-id"))
        if b"content-length" in by_name or b"transfer-encoding" in by_name or scope["http_version"][0] != "1":
            await self._incoming(scope, receive).linger()
        known = by_name.get(b"if-none-match", b"")
        status = await kept.answer.send(send, request_id, known, with_body=method != "HEAD")
        self._tell(method, kept.endpoint, status, started, request_id)

    async def _answer_anew(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, key: Key | None, started: float
    ) -> None:
        """Let a handler answer, and keep what it answers under the key if that can never change."""
        method: str = scope["method"]
        headers: RawHeaders = scope["headers"]
        sent_ids = [value for name, value in headers if name == b"x-request-id"]
        request_id = _request_id(sent_ids[0] if len(sent_ids) == 1 else None)
        incoming = self._incoming(scope, receive)
        generation = self.kept_answers.generation
        match: Match | None = None
        try:
            match = self._router.match(method, scope["raw_path"])
            response = await self._answer(match, method, request_id, headers, scope["query_string"], incoming)
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
        answer = render(_negotiated(response, headers, match), is_read=method in READS)
        endpoint = match.route.path if match else _UNKNOWN_ROUTE
        # A refusal of the caller's says that nothing was changed; one of ours may come after the change. Without the
        # database, what is kept is all there is: should a change have been made, the log will tell of it.
        if method in _CHANGES and not 400 <= answer.status < 500 and answer.status != 503:
            self.kept_answers.drop()
        if key is not None:
            self.kept_answers.keep(key, answer, endpoint, generation)
        if answer.stream is None:
            await incoming.linger()
        known = b",".join(value for name, value in headers if name == b"if-none-match")
        status = await answer.send(send, request_id, known, with_body=method != "HEAD")
        named = {"subject": match.values["subject"]} if match and "subject" in match.values else {}
        self._tell(method, endpoint, status, started, request_id, **named)

    def _incoming(self, scope: MutableMapping[str, Any], receive: Receive) -> Incoming:
        options = self._options
        return Incoming(
            receive,
            scope["headers"],
            options.max_body_bytes,
            scope["http_version"],
            options.request_timeout_seconds,
        )

    async def _answer(
        self, match: Match, method: str, request_id: str, headers: RawHeaders, query_string: bytes, incoming: Incoming
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
            outcome = "" if method in READS else ". Whether it changed anything is not known: look, or send it again"
            raise TimedOut(f"The request took longer than {seconds:g} seconds{outcome}") from error
        if response.body and response.media_type is None:
            response.media_type = media_type
        return response

    def _refuse(self, error: RegistryError, request_id: str) -> Response:
        """Translate a refusal: the one place where errors become HTTP."""
        if error.http_status == 503:
            # Every request ends so while the database is away: one line each, and no trace.
            self._log.warning("refused", request_id=request_id, error_code=error.code, reason=str(error))
        elif error.http_status >= 500:
            self._log.error("failed", request_id=request_id, error_code=error.code, exc_info=error)
        code = error.code
        if self._options.legacy_409_code and isinstance(error, IncompatibleSchema):
            code = 409
        response = _error_answer(error.http_status, code, str(error))
        if isinstance(error, IncompatibleSchema):
            with_report_link(response, error.report)
        if error.retry_seconds is not None:
            response.headers["retry-after"] = str(error.retry_seconds)
        if isinstance(error, MethodNotAllowed):
            response.headers["allow"] = ", ".join(error.allowed)
        return response

    def _tell(self, method: str, endpoint: str, status: int, started: float, request_id: str, **named: str) -> None:
        seconds = time.perf_counter() - started
        telemetry.request_served(method if method in _METHODS else "other", endpoint, status, seconds)
        if self._tells_requests:
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


def _request_id(sent: bytes | None) -> str:
    """Echo the caller's id when one printable, short, non-blank one was sent (rest-api 1.2), or make one."""
    if sent is not None:
        text = sent.decode("latin-1").strip(" \t")
        if _REQUEST_ID.fullmatch(text):
            return text
    # The form of uuid4, at a tenth of its cost: an id tells requests apart and keeps no secret.
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


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


def _negotiated(response: Response, headers: RawHeaders, match: Match | None) -> Response:
    """Choose what is left open: the media type of a refusal, and whether caches must mind what the client accepts."""
    produced = (match.route.media_types if match else None) or CONFLUENT_MEDIA_TYPES
    if response.body and response.media_type is None:
        response.media_type = negotiate(read_header(headers, "accept"), CONFLUENT_MEDIA_TYPES)
        response.media_type = response.media_type or CONFLUENT_MEDIA_TYPES[0]
    if len(produced) > 1 or response.status >= 400:
        response.headers.setdefault("vary", "Accept")
    return response
