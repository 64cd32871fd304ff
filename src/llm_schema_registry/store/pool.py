"""Connections as the store sees them, and how they are shared out.

Refuses to know a driver, a table and what a lock means.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy.sql import Executable

from llm_schema_registry.store.rows import Change, Parameters, Rows


class Lock(NamedTuple):
    """What a transaction excludes, or shares with others that share it. Two names of the same key merely wait."""

    key: int
    is_shared: bool


class Connection(Protocol):
    """One connection, used by one task at a time. What drivers raise comes out as it is."""

    @property
    def is_usable(self) -> bool:
        """Whether anything can still be asked here."""

    async def run(self, statement: Executable, parameters: Parameters | list[Parameters]) -> Rows:
        """Run a statement, of a list once for each member."""

    async def run_together(self, changes: Sequence[Change]) -> Rows:
        """Make changes of which none depends on another's outcome; answer the rows of the last."""

    async def begin(self, locks: Sequence[Lock]) -> None:
        """Begin a transaction and take its locks in the order given."""

    async def commit(self) -> None:
        """End the transaction durably."""

    async def reset(self) -> None:
        """Undo what was not committed, also after a task was cancelled in the middle of a statement."""

    async def close(self) -> None:
        """End the connection, at once."""


class Pool:
    """At most `size` connections, given to whoever has waited longest; the one used last is used first."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int, timeout_seconds: float) -> None:
        self._connect = connect
        self._turns = asyncio.Semaphore(size)
        self._timeout_seconds = timeout_seconds
        self._idle: deque[Connection] = deque()
        self._is_closed = False
        self.in_use = 0

    async def acquire(self) -> Connection:
        """Wait for a connection. Raises TimeoutError, and what the driver raises when it cannot connect."""
        if self._is_closed:
            raise ConnectionError("it is closed")
        if self._turns.locked():
            async with asyncio.timeout(self._timeout_seconds):
                await self._turns.acquire()
        else:
            await self._turns.acquire()
        self.in_use += 1
        try:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_usable:
                    return connection
                await connection.close()
            return await self._connect()
        except BaseException:
            self._leave()
            raise

    async def release(self, connection: Connection) -> None:
        """Give a connection back; what it did not commit is undone."""
        try:
            try:
                await connection.reset()
            finally:
                if connection.is_usable and not self._is_closed:
                    self._idle.append(connection)
                else:
                    await connection.close()
        finally:
            self._leave()

    async def close(self) -> None:
        """Close the connections that are free, and the others when they are given back."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close()

    def _leave(self) -> None:
        self.in_use -= 1
        self._turns.release()


class Pools(NamedTuple):
    """Where to read and where to write."""

    readers: Pool
    writers: Pool
