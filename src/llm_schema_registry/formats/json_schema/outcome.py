"""What comparing a pair of nodes found: differences by reference, so that a shared part is held once.

Refuses to compare. The number of paths through shared definitions is exponential; an outcome never is.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_schema_registry.formats.base import breaks
from llm_schema_registry.formats.json_schema.kinds import KINDS
from llm_schema_registry.model import CompatibilityPolicy, Difference

MAX_DIFFERENCES = 1_000
MAX_PATH_CHARACTERS = 1_000_000


class Outcome:
    """Differences of one pair, at paths relative to it, and whether the active policy allows all of them."""

    __slots__ = ("_entries", "_policy", "is_compatible")

    def __init__(self, policy: CompatibilityPolicy) -> None:
        """Begin without differences."""
        self._policy = policy
        self._entries: list[tuple[str, str, str] | tuple[str, Outcome]] = []
        self.is_compatible = True

    def add(self, kind: str, path: str = "", info: str = "") -> None:
        """Add a difference of this pair."""
        self._entries.append((path, kind, info))
        self.is_compatible = self.is_compatible and not breaks(KINDS[kind], self._policy)

    def include(self, other: Outcome, path: str = "") -> None:
        """Add all differences of a finished outcome below a path."""
        if other._entries:
            self._entries.append((path, other))
            self.is_compatible = self.is_compatible and other.is_compatible

    def differences(self) -> list[Difference]:
        """Return the differences in order, with whole paths.

        The list is cut at MAX_DIFFERENCES and MAX_PATH_CHARACTERS. If not all fit and some break, only those that
        break are listed, so that the verdict stays what it was.
        """
        found, is_whole = self._list(only_breaking=False)
        return found if is_whole or self.is_compatible else self._list(only_breaking=True)[0]

    def _list(self, *, only_breaking: bool) -> tuple[list[Difference], bool]:
        found: list[Difference] = []
        characters = 0
        for tokens, kind, info in self._walk(only_breaking=only_breaking):
            path = "#/" + "/".join(tokens)
            characters += len(path)
            if found and (len(found) == MAX_DIFFERENCES or characters > MAX_PATH_CHARACTERS):
                return found, False
            found.append(Difference(kind, path, info))
        return found, True

    def _walk(self, *, only_breaking: bool) -> Iterator[tuple[list[str], str, str]]:
        stack = [(iter(self._entries), 0)]
        tokens: list[str] = []
        while stack:
            entries, depth = stack[-1]
            del tokens[depth:]
            entry = next(entries, None)
            if entry is None:
                stack.pop()
                continue
            if entry[0]:
                tokens.append(entry[0])
            if len(entry) == 3:
                if not only_breaking or breaks(KINDS[entry[1]], self._policy):
                    yield tokens, entry[1], entry[2]
            elif not only_breaking or not entry[1].is_compatible:
                stack.append((iter(entry[1]._entries), len(tokens)))  # noqa: SLF001 - its own class
