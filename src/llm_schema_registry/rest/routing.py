"""The route table's rows and how a raw path finds one.

Refuses to know what any handler does, and to decode a path before it is split: `a%2Fb` is one segment.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from llm_schema_registry.errors import BadRequest, MethodNotAllowed, RegistryError, RouteNotFound
from llm_schema_registry.model import DEFAULT_CONTEXT
from llm_schema_registry.names import parse_context
from llm_schema_registry.rest.request import Query, Request, Response

Handler = Callable[[Request], Awaitable[Response]]

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint: how it is reached, what it takes, answers and refuses.

    `path` is an OpenAPI template and the metrics label. `answer` is the msgspec type of the success body (`str` is
    raw text, None is no body) and `status` its status. `errors` are the refusals of the use case; those that the
    transport itself can make (400, 404, 406, 413, 415, ...) need not be listed. `media_types` are what the success
    body can be when that is not one of the three Confluent types. `example` is a request body worth sending. `takes`
    are the media types of a body that is not one JSON document of ours.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    query: tuple[Query, ...] = ()
    body: type | None = None
    answer: Any = None
    status: int = 200
    errors: tuple[type[RegistryError], ...] = ()
    media_types: tuple[str, ...] | None = None
    example: Any = None
    takes: tuple[str, ...] = ()
    parameters: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read the names of the path parameters off the template."""
        object.__setattr__(self, "parameters", tuple(_PARAMETER.findall(self.path)))


@dataclass(frozen=True, slots=True)
class Match:
    """A route with the decoded values of its path parameters and the context that the path was prefixed with."""

    route: Route
    values: dict[str, str]
    context: str


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


class Router:
    """A tree of path segments. A literal segment beats a parameter; a parameter may be empty."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.path.split("/")[1:]:
                if _PARAMETER.fullmatch(segment):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literals.setdefault(segment, _Node())
            if route.method in node.routes:
                raise ValueError(f"two routes for {route.method} {route.path}")
            node.routes[route.method] = route

    def match(self, method: str, raw_path: bytes) -> Match:
        """Find the route of an undecoded path, without its query. HEAD finds GET.

        Raises RouteNotFound, MethodNotAllowed, and BadRequest for a path that is not percent-encoded UTF-8.
        """
        method = "GET" if method == "HEAD" else method
        if b"%" in raw_path:
            segments = [decode_segment(segment) for segment in raw_path.split(b"/")[1:]]
        else:
            segments = decode_segment(raw_path).split("/")[1:]
        allowed: set[str] = set()
        for context, rest in _readings(segments):
            for node, values in self._find(self._root, rest, 0, []):
                route = node.routes.get(method)
                if route is not None:
                    return Match(route, dict(zip(route.parameters, values, strict=True)), _context(context))
                allowed.update(node.routes)
        if not allowed:
            raise RouteNotFound
        if "GET" in allowed:
            allowed.add("HEAD")
        raise MethodNotAllowed(tuple(sorted(allowed)))

    def _find(
        self, node: _Node, segments: Sequence[str], at: int, values: list[str]
    ) -> Iterator[tuple[_Node, list[str]]]:
        """Yield the nodes with routes that the segments lead to, best first."""
        if at == len(segments):
            if node.routes:
                yield node, values
            return
        literal = node.literals.get(segments[at])
        if literal is not None:
            yield from self._find(literal, segments, at + 1, values)
        if node.parameter is not None:
            yield from self._find(node.parameter, segments, at + 1, [*values, segments[at]])


def decode_segment(raw: bytes) -> str:
    """Decode percent-encoded UTF-8 once. Raises BadRequest for a bad escape, bad UTF-8 or a NUL."""
    if _BAD_ESCAPE.search(raw):
        raise BadRequest("The address holds a '%' that is not followed by two hexadecimal digits; write it as %25")
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise BadRequest("The address is not percent-encoded UTF-8") from None
    if "\x00" in text:
        raise BadRequest("The address holds a NUL character, which no name can have")
    return text


def _readings(segments: list[str]) -> Iterator[tuple[str | None, list[str]]]:
    """Yield the ways to read a path, preferred first: without its trailing slash, then with an empty last segment;
    each as it stands, then with `/contexts/{ctx}` taken off as a prefix (rest-api section 7)."""
    shapes = [segments[:-1], segments] if len(segments) > 1 and not segments[-1] else [segments]
    for shape in shapes:
        yield None, shape
        if len(shape) > 2 and shape[0] == "contexts":
            yield shape[1], shape[2:]


def _context(prefix: str | None) -> str:
    return DEFAULT_CONTEXT if prefix is None else parse_context(prefix)
