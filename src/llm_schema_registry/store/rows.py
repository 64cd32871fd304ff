"""How a statement is asked, and which values may be its parameters or a row.

Refuses to know a table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy.sql import Executable

from llm_schema_registry.errors import InvalidSchema

_MAX_INTEGER = 2**63 - 1

Parameters = dict[str, object]
AnyRow = Sequence[Any]
Rows = Sequence[AnyRow]
Ask = Callable[[Executable, Parameters], Awaitable[Rows]]
Run = Callable[[Executable, Parameters | list[Parameters]], Awaitable[Rows]]
Change = tuple[Executable, Parameters]
RunTogether = Callable[[Sequence[Change]], Awaitable[Rows]]
"""Makes changes of which none depends on another's outcome, and answers the rows of the last."""


class Asker:
    """Asks through `ask`, outside a transaction or on its connection."""

    def __init__(self, ask: Ask) -> None:
        self._ask_store = ask

    async def _ask(self, statement: Executable, **parameters: object) -> Rows:
        """Run a statement. What cannot be stored cannot be found either."""
        if not is_storable(list(parameters.values())):
            return []
        return await self._ask_store(statement, parameters)


def is_storable(value: object) -> bool:
    """Tell whether both databases can hold a value: text without NUL and lone surrogates, integers of 64 bits."""
    if isinstance(value, str):
        return "\0" not in value and (value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value))
    if isinstance(value, int):
        return abs(value) <= _MAX_INTEGER
    return not isinstance(value, list) or all(is_storable(item) for item in value)


def refuse_unstorable(rows: Sequence[Parameters]) -> None:
    """Raise InvalidSchema when a value of a row cannot be stored."""
    if not all(is_storable(list(row.values())) for row in rows):
        raise InvalidSchema(
            "The text holds a character that cannot be stored (NUL, or half of a surrogate pair), or a number has more "
            "than 64 bits; remove it"
        )


def json_of(document: object) -> str:
    """Write a document as text. Raises InvalidSchema when it cannot be stored."""
    try:
        return msgspec.json.encode(document).decode()
    except UnicodeEncodeError:
        raise InvalidSchema(
            "A text holds a character that cannot be stored (half of a surrogate pair); remove it"
        ) from None
