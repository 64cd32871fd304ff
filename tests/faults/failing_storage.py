"""Storage of which one call fails: SQLite's driver raises, or the connection to PostgreSQL breaks.

Refuses to touch the store itself: what fails is the driver below it, or the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Self

_SOCKET = ".s.PGSQL.5432"


class How(StrEnum):
    """`BEFORE`: the call never reaches the database. `AFTER`: it is done, and its answer is lost. `ROLLED_BACK`: it is
    not done and the transaction is gone, as SQLite does by itself after errors of disk."""

    BEFORE = "before"
    AFTER = "after"
    ROLLED_BACK = "rolled back"


class Trigger:
    """Counts calls while it is armed and makes the n-th one fail."""

    def __init__(self) -> None:
        self._left = 0
        self.how = How.BEFORE

    def arm(self, number: int, how: How) -> None:
        """Let the call of this number, from 1, fail."""
        self._left, self.how = number, how

    def disarm(self) -> bool:
        """Let no call fail any more; tell whether one did."""
        has_fired, self._left = self._left <= 0, 0
        return has_fired

    def pull(self) -> bool:
        """Count a call; tell whether it is the one."""
        self._left -= 1
        return self._left == 0


def failing_connect(trigger: Trigger) -> Callable[..., sqlite3.Connection]:
    """Return what may stand for `sqlite3.connect`: each statement is a call."""

    def call(connection: sqlite3.Connection, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the driver answers
        if not trigger.pull():
            return work()
        if trigger.how is How.AFTER:
            # To its end: a driver that raises leaves no statement half done.
            if (cursor := work()) is not None:
                cursor.fetchall()
        elif trigger.how is How.ROLLED_BACK and connection.in_transaction:
            sqlite3.Cursor(connection).execute("ROLLBACK")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR, "SQLITE_IOERR"
        raise error

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, parameters: Any = ()) -> Self:  # noqa: ANN401 - a sequence or a mapping
            answer: Self = call(self.connection, partial(super().execute, sql, parameters))
            return answer

        def executemany(self, sql: str, parameters: Iterable[Any]) -> Self:
            answer: Self = call(self.connection, partial(super().executemany, sql, parameters))
            return answer

    class Connection(sqlite3.Connection):
        def cursor(self, _factory: object = None) -> Cursor:  # type: ignore[override]  # of our kind, whatever is asked
            return Cursor(self)

        def execute(self, sql: str, parameters: Any = ()) -> Cursor:  # noqa: ANN401 - a sequence or a mapping
            return self.cursor().execute(sql, parameters)

        def executemany(self, sql: str, parameters: Iterable[Any]) -> Cursor:
            return self.cursor().executemany(sql, parameters)

        def commit(self) -> None:
            call(self, super().commit)

    return partial(sqlite3.connect, factory=Connection)


class PostgresProxy:
    """A PostgreSQL behind a socket of its own in `folder`, until the block ends; each round trip is a call.

    A call that fails ends its connection; the server behind sees its client gone. With `is_lingering` a connection that
    the server ends stays open to the client for as long as the block lasts: the time between a word and its deed.
    """

    def __init__(self, folder: Path, target: Path, trigger: Trigger, *, is_lingering: bool = False) -> None:
        self._folder = folder
        self._target = target
        self._trigger = trigger
        self._is_lingering = is_lingering
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._folder / _SOCKET)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, client: StreamReader, to_client: StreamWriter) -> None:
        database, to_database = await asyncio.open_unix_connection(self._target / _SOCKET)
        is_cut = asyncio.Event()
        pumps = {
            asyncio.create_task(self._ask(client, to_database, is_cut)),
            asyncio.create_task(self._answer(database, to_client, is_cut)),
        }
        self._tasks |= pumps
        # Either side may end the connection; a question that is cut off after it was done awaits its answer.
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for task in pumps:
            task.cancel()
        self._tasks -= pumps
        for writer in (to_client, to_database):
            writer.close()

    async def _ask(self, client: StreamReader, to_database: StreamWriter, is_cut: asyncio.Event) -> None:
        """Pass messages on; one that asks for an answer is a call. The first message of a connection has no kind."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            to_database.write(await _message(client, b""))
            while True:
                kind = await client.readexactly(1)
                message = await _message(client, kind)
                # Query and Sync. A new statement is prepared by a Flush first: part of the call that follows.
                if kind in b"QS" and self._trigger.pull():
                    if self._trigger.how is How.BEFORE:
                        return
                    is_cut.set()
                to_database.write(message)

    async def _answer(self, database: StreamReader, to_client: StreamWriter, is_cut: asyncio.Event) -> None:
        """Pass answers on until there is none, or one is to be lost."""
        while (data := await database.read(65536)) and not is_cut.is_set():
            to_client.write(data)
        if self._is_lingering:
            await asyncio.Event().wait()


async def _message(reader: StreamReader, kind: bytes) -> bytes:
    size = await reader.readexactly(4)
    return kind + size + await reader.readexactly(struct.unpack("!I", size)[0] - 4)
