"""Reading one path again and again while something is broken, and remembering every answer.

Refuses to decide which answers were right.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Self

import httpx

from faults.history import CLIENT_SECONDS


@dataclass(slots=True)
class Look:
    """One answer. `status` is None when the connection broke; moments are of the monotonic clock, in seconds."""

    began_at: float
    ended_at: float
    status: int | None
    text: str
    retry_after: str | None

    @property
    def seconds(self) -> float:
        return self.ended_at - self.began_at


class Watch:
    """Reads a path of a server until its block ends, at most every `pause` seconds."""

    def __init__(self, url: str, path: str, pause: float = 0.02) -> None:
        self._url = url + path
        self._pause = pause
        self._is_stopping = False
        self.looks: list[Look] = []

    def ended_between(self, start: float, end: float) -> list[Look]:
        """The looks that were answered within these moments."""
        return [look for look in self.looks if start <= look.ended_at <= end]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_stopping = True
        await self._task

    async def _work(self) -> None:
        async with httpx.AsyncClient(timeout=CLIENT_SECONDS) as http:
            while not self._is_stopping:
                began_at = time.monotonic()
                try:
                    answer = await http.get(self._url)
                except httpx.HTTPError as error:
                    look = Look(began_at, time.monotonic(), None, repr(error), None)
                else:
                    retry_after = answer.headers.get("retry-after")
                    look = Look(began_at, time.monotonic(), answer.status_code, answer.text, retry_after)
                self.looks.append(look)
                await asyncio.sleep(self._pause)


def percentile(seconds: list[float], share: float) -> float:
    """Return the time that this share of all stays under. Raises IndexError for none."""
    return sorted(seconds)[min(int(len(seconds) * share), len(seconds) - 1)]
