"""Where declarations stand in a .proto text: line and column by full name.

Refuses to judge the text: what it does not understand it steps over. protoc's grammar is at
protobuf.dev/reference/protobuf/edition-2023-spec; a descriptor in base64 has no places.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection

from llm_schema_registry.formats.protobuf.symbols import join
from llm_schema_registry.model import Place

_TOKEN = re.compile(
    r"""(?P<skipped>\s+|//[^\n]*|/\*.*?(?:\*/|\Z))|(?P<string>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)"""
    r"""|(?P<word>\.?[A-Za-z_][\w.]*|[-+]?[\d.][\w.]*)|(?P<sign>.)""",
    re.DOTALL,
)
# What opens a scope of names when a brace follows.
_SCOPES = frozenset({"message", "enum", "service"})
_VISIBILITIES = frozenset({"export", "local"})
# Statements with an equals sign that declare nothing.
_ASSIGNMENTS = frozenset({"option", "syntax", "edition"})
# A brace that opens no declarations: a value of an option, the body of a method.
_OPAQUE = None

# protoc refuses deeper messages long before; the full names of 100,000 would be too long to keep.
_MAX_DEPTH = 100

Word = tuple[str, int]


class _Reader:
    """Reads tokens in order. Names in `found` are relative to the package, which may stand after what is in it."""

    def __init__(self) -> None:
        self.package: Word = ("", 0)
        self.found: dict[str, int] = {}
        self._scopes: list[str | None] = []
        self._begin()

    def _begin(self) -> None:
        """Start a statement."""
        self._words: list[Word] = []
        self._name: Word | None = None
        self._brackets = 0

    def word(self, text: str, offset: int) -> None:
        if self._scopes[-1:] != [_OPAQUE] and not self._brackets:
            self._words.append((text, offset))

    def sign(self, sign: str) -> None:
        if sign == "{":
            self._open()
        elif sign == "}":
            self._close()
        elif self._scopes[-1:] == [_OPAQUE]:
            return
        elif sign == "=" and self._name is None and self._words:
            self._name = self._words[-1]
        elif sign in "[]":
            self._brackets += 1 if sign == "[" else -1
        elif sign == ";":
            self._end()

    @property
    def _scope(self) -> str:
        return self._scopes[-1] or "" if self._scopes else ""

    def _declare(self, name: Word) -> str:
        full_name = join(self._scope, name[0])
        self.found.setdefault(full_name, name[1])
        return full_name

    def _end(self) -> None:
        words = self._words
        if self._name is not None and words[0][0] not in _ASSIGNMENTS:
            self._declare(self._name)
        elif not self._scopes and len(words) == 2 and words[0][0] == "package":
            self.package = words[1]
        self._begin()

    def _open(self) -> None:
        words = [word for index, word in enumerate(self._words) if index or word[0] not in _VISIBILITIES]
        keyword = words[0][0] if words else ""
        scope: str | None = _OPAQUE
        if self._scopes[-1:] == [_OPAQUE] or self._brackets:
            pass
        elif self._name is not None:
            if any(word == "group" for word, _ in words[:2]):
                # A group is a field, called as its type in lower case.
                self._declare((self._name[0].lower(), self._name[1]))
                scope = self._declare(self._name)
        elif keyword in _SCOPES and len(words) > 1:
            scope = self._declare(words[1])
        elif keyword == "oneof" and len(words) > 1:
            self._declare(words[1])
            scope = self._scope
        elif keyword == "extend":
            scope = self._scope
        if len(self._scopes) >= _MAX_DEPTH:
            scope = _OPAQUE
        self._scopes.append(scope)
        if scope is not _OPAQUE:
            self._begin()

    def _close(self) -> None:
        is_opaque = bool(self._scopes) and self._scopes.pop() is _OPAQUE
        if not is_opaque or (self._words and self._words[0][0] == "rpc"):
            self._begin()


def locate_declarations(text: str, names: Collection[str]) -> dict[str, Place]:
    """Return the place of each full name that the text declares, its package included: where the name is written.

    Linear in the text and without recursion.
    """
    reader = _Reader()
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "word":
            reader.word(token[0], token.start())
        elif token.lastgroup == "sign":
            reader.sign(token[0])
    package, package_at = reader.package
    offsets = {}
    for name in names:
        if name == package:
            offsets[name] = package_at
        elif not package or name.startswith(f"{package}."):
            offset = reader.found.get(name.removeprefix(f"{package}.") if package else name)
            if offset is not None:
                offsets[name] = offset
    return _places(text, {name: offset for name, offset in offsets.items() if name})


def _places(text: str, offsets: dict[str, int]) -> dict[str, Place]:
    starts = [0, *(found.end() for found in re.finditer("\n", text))] if offsets else [0]
    places = {}
    for name, offset in offsets.items():
        line = bisect_right(starts, offset)
        places[name] = Place(line, offset - starts[line - 1] + 1)
    return places
