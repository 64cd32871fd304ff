"""What a handler is given (`Request`) and what it gives back (`Response`): parameters, bodies, negotiation.

Refuses to know routes' meanings, and to let an unbounded, undecodable or over-deep body reach an engine.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from llm_schema_registry.errors import (
    BadRequest,
    EmptyBody,
    RouteNotFound,
    TooDeep,
    UnsupportedMediaType,
)
from llm_schema_registry.model import Report, Subject
from llm_schema_registry.names import parse_subject
from llm_schema_registry.registry import Page
from llm_schema_registry.registry.operation import Call
from llm_schema_registry.rest.incoming import Incoming, RawHeaders, read_header

T = TypeVar("T")

CONFLUENT_MEDIA_TYPES = (
    "application/vnd.schemaregistry.v1+json",
    "application/vnd.schemaregistry+json",
    "application/json",
)
"""What every route produces unless it says otherwise, best first (rest-api 1.1)."""

IMMUTABLE = "public, max-age=31536000, immutable"
"""Cache-Control of an answer that can never change."""

MAX_INTEGER = 2**31 - 1
MAX_DEPTH = 100
MAX_QUERY_FIELDS = 1000

_CONSUMED = frozenset({*CONFLUENT_MEDIA_TYPES, "application/octet-stream"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
# A `\u0000` that is an escape itself, not the tail of an escaped backslash.
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*+\\u0000")
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_BRACES_TO_BRACKETS = bytes.maketrans(b"{}", b"[]")


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter that a route reads. `default` None: the parameter has no default.

    A value outside `choices` answers 404/404, like an integer that is none (rest-api 1.5).
    """

    name: str
    type: Literal["boolean", "integer", "string"]
    default: bool | int | str | None
    description: str
    repeats: bool = False
    choices: tuple[str, ...] = ()
    example: bool | int | str | None = None


PAGING = (
    Query("offset", "integer", 0, "How many rows to leave out at the start.", example=0),
    Query("limit", "integer", -1, "How many rows to answer at most; 0 or below is the server's own limit.", example=10),
)
"""What a route declares whose handler reads `Request.page`."""


@dataclass(slots=True)
class Response:
    """An answer. `media_type` None is the negotiated one; `headers` are lower-case names.

    `stream` is what follows the body, made while it is sent; it must not raise.
    """

    body: bytes = b""
    status: int = 200
    media_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None


def json_answer(
    value: object, status: int = 200, *, media_type: str | None = None, cache_control: str | None = None
) -> Response:
    """Answer a value as JSON. `cache_control` replaces the default `no-cache`."""
    return _response(msgspec.json.encode(value), status, media_type, cache_control)


def with_report_link(response: Response, report: Report | None) -> Response:
    """Lead to the whole report of a comparison from an answer of Confluent's that has no room for it."""
    if report is not None and report.id:
        response.headers["link"] = f'</v1/compatibility/reports/{report.id}>; rel="describedby"'
    return response


def text_answer(
    text: str | bytes, status: int = 200, *, media_type: str | None = None, cache_control: str | None = None
) -> Response:
    """Answer a text as it is, not JSON-quoted."""
    return _response(text.encode() if isinstance(text, str) else text, status, media_type, cache_control)


def empty_answer(status: int = 204) -> Response:
    """Answer without a body."""
    return Response(status=status)


class Request:
    """One request, matched to its route. Parameters are decoded; the body is read when it is asked for.

    `context` is the one of a `/contexts/{context}/` prefix, otherwise the default one.
    """

    __slots__ = (
        "_declared",
        "_headers",
        "_incoming",
        "_path_values",
        "_query",
        "_query_string",
        "call",
        "context",
    )

    def __init__(
        self,
        *,
        call: Call,
        context: str,
        path_values: Mapping[str, str],
        declared: Sequence[Query],
        headers: RawHeaders,
        query_string: bytes,
        incoming: Incoming,
    ) -> None:
        self.call = call
        self.context = context
        self._path_values = path_values
        self._declared = declared
        self._headers = headers
        self._query_string = query_string
        self._query: dict[str, list[str]] | None = None
        self._incoming = incoming

    def path(self, name: str) -> str:
        """Return a path parameter, decoded once."""
        return self._path_values[name]

    def path_int(self, name: str) -> int:
        """Return a path parameter that must be 0 to 2^31-1. Raises RouteNotFound (rest-api 1.5)."""
        number = _integer(self.path(name))
        if number < 0:
            raise RouteNotFound
        return number

    def subject(self, name: str = "subject") -> Subject:
        """Return a path parameter as a subject; an unqualified name belongs to the prefix's context."""
        return parse_subject(self.path(name), self.context)

    def scope(self) -> Subject:
        """Return what a settings route is about: its subject, or without one the prefix's whole context."""
        return self.subject() if "subject" in self._path_values else Subject(self.context, "")

    def texts(self, name: str) -> list[str]:
        """Return every value of a query parameter, in order."""
        declared = self._declaration(name)
        values = self._queries.get(name, [])
        if declared.choices and not set(values) <= set(declared.choices):
            raise RouteNotFound
        return values

    def text(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        values = self.texts(name)
        return values[0] if values else default

    def flag(self, name: str, default: bool = False) -> bool:
        """Return whether a query parameter is `true` in any case; anything else is false (rest-api 1.5)."""
        values = self.texts(name)
        return values[0].lower() == "true" if values else default

    def integer(self, name: str, default: int) -> int:
        """Return a query parameter of -2^31 to 2^31-1. Raises RouteNotFound for anything else (rest-api 1.5)."""
        values = self.texts(name)
        return _integer(values[0]) if values else default

    def page(self, default_limit: int | None = None, max_limit: int | None = None) -> Page:
        """Read `offset` and `limit`; a limit of 0, below, or above `max_limit` is the default one (rest-api 1.6)."""
        limit: int | None = self.integer("limit", -1)
        if limit is None or limit <= 0 or (max_limit is not None and limit > max_limit):
            limit = default_limit
        return Page(offset=max(0, self.integer("offset", 0)), limit=limit)

    def rows(self, default: int, maximum: int) -> int:
        """Read `limit` of a listing that goes on by `cursor`; 0 or below is `default`, more than `maximum` is that."""
        limit = self.integer("limit", default)
        return default if limit <= 0 else min(limit, maximum)

    def link_next(self, response: Response, page: Page, rows: int) -> Response:
        """Add a `Link` to the following page when this one is full, so that no list is cut silently."""
        if page.limit is not None and rows >= page.limit:
            fields = {**self._queries, "offset": [str(page.offset + rows)], "limit": [str(page.limit)]}
            response.headers["link"] = f'<?{urlencode(fields, doseq=True)}>; rel="next"'
        return response

    def header(self, name: str) -> str | None:
        """Return a header by its lower-case name, several joined by commas; None when it was not sent."""
        return read_header(self._headers, name)

    def accepts(self, *media_types: str) -> str | None:
        """Return the one of our media types that the client likes best, or None when it takes none of them."""
        return negotiate(self.header("accept"), media_types)

    async def body(self, type_: type[T]) -> T:
        """Read and decode the JSON body.

        Raises UnsupportedMediaType, TooLarge, TooDeep, EmptyBody (no body, or `null`) and BadRequest naming the place.
        """
        self._check_content()
        return decode_body(await self._incoming.read(), type_)

    @property
    def content_type(self) -> str:
        """The media type of the body, in lower case and without parameters; empty when it was not sent."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    async def raw_body(self, *media_types: str) -> bytes:
        """Read the body as it is, of one of these media types or of none. Raises UnsupportedMediaType, TooLarge."""
        self._check_content(media_types)
        return await self._incoming.read()

    def body_chunks(self, *media_types: str) -> AsyncIterator[bytes]:
        """Read a body of any length as it arrives. Raises UnsupportedMediaType, later BadRequest."""
        self._check_content(media_types)
        return self._incoming.chunks()

    @property
    def _queries(self) -> dict[str, list[str]]:
        if self._query is None:
            self._query = parse_query(self._query_string)
        return self._query

    def _declaration(self, name: str) -> Query:
        """Return the row that declares a query parameter: what is not documented cannot be read."""
        for query in self._declared:
            if query.name == name:
                return query
        raise LookupError(f"the query parameter {name!r} is read but not declared by the route")

    def _check_content(self, consumed: Collection[str] = _CONSUMED) -> None:
        encoding = self.header("content-encoding")
        if encoding is not None and encoding.strip().lower() not in {"", "identity"}:
            raise UnsupportedMediaType
        if self.content_type and self.content_type not in consumed:
            raise UnsupportedMediaType


def parse_query(query_string: bytes) -> dict[str, list[str]]:
    """Split a query string. Raises BadRequest for a bad escape, bad UTF-8, a NUL or too many fields."""
    if not query_string:
        return {}
    if _BAD_ESCAPE.search(query_string):
        raise BadRequest("The query holds a '%' that is not followed by two hexadecimal digits; write it as %25")
    try:
        text = query_string.decode()
        fields = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS)
    except UnicodeDecodeError:
        raise BadRequest("The query is not percent-encoded UTF-8") from None
    except ValueError:
        raise BadRequest(f"The query has more than {MAX_QUERY_FIELDS} fields") from None
    queries: dict[str, list[str]] = {}
    for name, value in fields:
        if "\x00" in value:
            raise BadRequest("The query holds a NUL character, which no value can have")
        queries.setdefault(name, []).append(value)
    return queries


def decode_body(body: bytes, type_: type[T]) -> T:
    """Decode JSON into a msgspec type. Raises EmptyBody, TooDeep, and BadRequest naming the place."""
    stripped = body.strip()
    if not stripped or stripped == b"null":
        raise EmptyBody("The request has no body; send a JSON document")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8 (byte {error.start})") from None
    if is_too_deep(body):
        raise TooDeep(MAX_DEPTH)
    if b"\\u0000" in body and _NUL_ESCAPE.search(body):
        raise BadRequest("The body holds a NUL character (\\u0000), which no text can have")
    try:
        decoded: T = _decoder(type_).decode(body)  # type: ignore[arg-type]  # mypy 2 takes no `type[T]` for Hashable
    except RecursionError:
        # Only a malformed body gets here: brackets that never close are not counted as depth beyond the cap.
        raise TooDeep(MAX_DEPTH) from None
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body has another shape: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not JSON: {error}") from None
    return decoded


def is_too_deep(body: bytes) -> bool:
    """Whether JSON nests deeper than MAX_DEPTH; brackets inside strings do not count. Linear, without recursion."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(unescaped.split(b'"')[::2])
    brackets = outside_strings.translate(_BRACES_TO_BRACKETS).translate(None, _NOT_BRACKETS)
    # Each round takes the innermost level off; what no round can take never closes.
    for _ in range(MAX_DEPTH):
        peeled = brackets.replace(b"[]", b"")
        if len(peeled) == len(brackets):
            return brackets.count(b"[") > MAX_DEPTH
        brackets = peeled
    return bool(brackets)


@lru_cache(maxsize=128)
def negotiate(accept: str | None, media_types: Sequence[str]) -> str | None:
    """Pick the one of our media types, best first, that an Accept header weighs highest (RFC 9110 section 12.5.1)."""
    if accept is None or not accept.strip():
        return media_types[0]
    ranges = _accept_ranges(accept)
    best: str | None = None
    best_quality = 0.0
    for media_type in media_types:
        quality = _quality(media_type, ranges)
        if quality > best_quality:
            best, best_quality = media_type, quality
    return best


def _accept_ranges(accept: str) -> dict[str, float]:
    """Read an Accept header; ranges that cannot be read match nothing, parameters other than `q` are ignored."""
    ranges: dict[str, float] = {}
    for element in accept.split(","):
        name, *parameters = [part.strip() for part in element.split(";")]
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                quality = float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
        name = "*/*" if name == "*" else name.lower()
        ranges[name] = max(quality, ranges.get(name, 0.0))
    return ranges


def _quality(media_type: str, ranges: dict[str, float]) -> float:
    """Weigh a media type by the most specific range that covers it."""
    name = media_type.partition(";")[0].lower()
    for candidate in (name, f"{name.partition('/')[0]}/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise RouteNotFound
    number = int(text)
    if not -MAX_INTEGER - 1 <= number <= MAX_INTEGER:
        raise RouteNotFound
    return number


def _response(body: bytes, status: int, media_type: str | None, cache_control: str | None) -> Response:
    headers = {} if cache_control is None else {"cache-control": cache_control}
    return Response(body, status, media_type, headers)


@cache
def _decoder(type_: Hashable) -> msgspec.json.Decoder[Any]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(type_)
    return decoder
