"""Waiting for what happens by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(is_enough: Callable[[T], bool], ask: Callable[[], Awaitable[T]], seconds: float = 30) -> T:
    """Ask again and again until an answer is enough, and return it. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            answer = await ask()
            if is_enough(answer):
                return answer
            await asyncio.sleep(0.01)
