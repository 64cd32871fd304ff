"""Statements of SQLAlchemy Core as the texts and positional values that a driver takes.

Refuses to run them. SQLAlchemy's own way from a statement to its rows costs ten times what the drivers need for the
questions asked here (docs/decisions/0017-statements-run-on-the-drivers.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import ClauseElement, Executable
from sqlalchemy.sql.compiler import SQLCompiler

from llm_schema_registry.store.rows import Parameters

# Nearly all statements are built once; the few that are made for one question must not pile up.
_MAX_TEXTS = 500


class _Text(NamedTuple):
    """A text with the names of its positions, each with the value that stands in the statement itself."""

    sql: str
    positions: tuple[tuple[str, object], ...]


class Texts:
    """What statements read in one dialect, compiled once for each set of parameters."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[tuple[object, ...], _Text | SQLCompiler] = {}

    def bind(self, statement: Executable, parameters: Parameters) -> tuple[str, Sequence[object]]:
        """Answer a statement's text and its values in the order of their positions."""
        key = (statement, *parameters)
        text = self._known.get(key)
        if text is None:
            if len(self._known) >= _MAX_TEXTS:
                self._known.clear()
            text = self._known[key] = self._compile(statement, parameters)
        if isinstance(text, _Text):
            return text.sql, [parameters.get(name, default) for name, default in text.positions]
        # A list among the parameters makes a text for each length.
        expanded = text.construct_expanded_state(parameters)
        return expanded.statement, expanded.positional_parameters

    def bind_many(self, statement: Executable, rows: Sequence[Parameters]) -> tuple[str, list[Sequence[object]]]:
        """Answer a statement's text and the values of each row. The rows have the same members."""
        return self.bind(statement, rows[0])[0], [self.bind(statement, row)[1] for row in rows]

    def _compile(self, statement: Executable, parameters: Parameters) -> _Text | SQLCompiler:
        # Only statements that define tables compile to something else.
        compiled = cast(
            "SQLCompiler",
            cast("ClauseElement", statement).compile(dialect=self._dialect, column_keys=list(parameters)),
        )
        lists = [bind.key for bind in compiled.binds.values() if bind.expanding]
        if any(name in parameters for name in lists):
            return compiled
        if not lists:
            return _text(compiled.string, compiled.positiontup, compiled.params)
        expanded = compiled.construct_expanded_state(parameters)
        return _text(expanded.statement, expanded.positiontup, expanded.parameters)


def _text(sql: str, positions: Sequence[str] | None, defaults: Mapping[str, object]) -> _Text:
    return _Text(sql, tuple((name, defaults[name]) for name in positions or ()))
