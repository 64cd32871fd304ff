"""Where the path of a difference leads in the text of a schema: a JSON Pointer and the value there.

Refuses to know kinds of differences. Paths are those of compatibility-rules 1.8: names as they are, indexes of parts
that stand in no text, `items/0` for the first of prefixItems, `dependencies` for what replaced it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from llm_schema_registry.formats.json_schema.references import Place, Resources
from llm_schema_registry.formats.places import pointer_token

_MAX_HOPS = 50
_MAX_STEPS = 2_000
# Of one name, plus one.
_MAX_SLASHES = 16


class Spot(NamedTuple):
    """A value in a schema. `pointer` is None when it stands in a referenced document."""

    pointer: str | None
    value: Any


class _At(NamedTuple):
    place: Place
    pointer: str | None
    rest: str


def find(resources: Resources, path: str) -> Spot | None:
    """Follow a path from the root; None when this side has no such place."""
    return _Finder(resources).find(path)


class _Finder:
    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def find(self, path: str) -> Spot | None:
        """Try the ways in which the path may be meant, the plainest first."""
        rest = path.partition("#")[2].removeprefix("/")
        stack = [_At(self._resources.root, "", rest)]
        for _ in range(_MAX_STEPS):
            if not stack:
                return None
            at = stack.pop()
            if not at.rest:
                return Spot(at.pointer, at.place.schema)
            stack.extend(reversed(list(self._steps(self._target(at)))))
        return None

    def _target(self, at: _At) -> _At:
        """Follow references that stand in the way."""
        keyword = at.rest.partition("/")[0]
        for _ in range(_MAX_HOPS):
            schema, base = at.place
            if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str) or keyword in schema:
                break
            target = self._resources.find(schema["$ref"], self._resources.base_of(schema, base))
            if target is None:
                break
            at = _At(target, self._pointer_of(target.schema), at.rest)
        return at

    def _pointer_of(self, schema: object) -> str | None:
        number, pointer = self._resources.pointers.get(id(schema), (1, ""))
        return None if number else pointer

    def _steps(self, at: _At) -> Iterator[_At]:
        value = at.place.schema
        if isinstance(value, list):
            token, _, rest = at.rest.partition("/")
            if token.isdecimal() and len(token) < 10 and int(token) < len(value):
                yield self._down(at, value[int(token)], token, rest)
            elif at.rest in value:
                # `required` and enum lists are entered by value.
                yield self._down(at, at.rest, str(value.index(at.rest)), "")
        elif isinstance(value, dict):
            yield from self._members(at, value)
            keyword, _, rest = at.rest.partition("/")
            for other in _ALSO.get(keyword, ()):
                if other in value:
                    yield self._down(at, value[other], other, rest)
            if keyword in _COMBINED:
                # A part that stands in no text: its keywords stand here.
                yield at._replace(rest=rest.partition("/")[2])

    def _members(self, at: _At, value: dict[str, Any]) -> Iterator[_At]:
        """Names may hold slashes, so every name that fits is tried, the longest first."""
        tokens = at.rest.split("/", _MAX_SLASHES)
        for count in range(min(len(tokens), _MAX_SLASHES), 0, -1):
            name = "/".join(tokens[:count])
            if name in value:
                yield self._down(at, value[name], name, "/".join(tokens[count:]))

    def _down(self, at: _At, value: Any, token: str, rest: str) -> _At:  # noqa: ANN401 - any JSON value
        pointer = None if at.pointer is None else f"{at.pointer}/{pointer_token(token)}"
        return _At(Place(value, at.place.base), pointer, rest)


_COMBINED = frozenset({"allOf", "anyOf", "oneOf"})
_ALSO = {
    "items": ("prefixItems",),
    "additionalItems": ("items",),
    "dependencies": ("dependentRequired", "dependentSchemas"),
    "minContains": ("contains",),
}
