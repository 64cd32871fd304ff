"""What clients asked for and were told: each intent is written down before it is sent, its answer after.

Refuses to judge; `check` reads the registry back and compares.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from polling import until

CLIENT_SECONDS = 40
"""How long a client waits for an answer: longer than a server lets any request take."""
_PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class Intent:
    """One registration. `status` is None until it is answered; `version` and `id` are what was acknowledged.

    `is_unsent` when no server took the connection: nothing of it may ever be found.
    """

    subject: str
    text: str
    status: int | None = None
    is_unsent: bool = False
    url: str = ""
    version: int = 0
    id: int = 0
    retry_after: str | None = None
    answer: str = ""
    answered_at: float = 0.0

    @property
    def is_acknowledged(self) -> bool:
        """Whether the client was told that it is registered."""
        return self.status == 200

    @property
    def is_unknown(self) -> bool:
        """Whether the client cannot know what became of it."""
        return not self.is_unsent and (self.status is None or self.status >= 500)


@dataclass(slots=True)
class History:
    """All that was sent, in the order of sending."""

    intents: list[Intent] = field(default_factory=list)

    @property
    def acknowledged(self) -> list[Intent]:
        return [intent for intent in self.intents if intent.is_acknowledged]

    def answered(self, status: int) -> list[Intent]:
        """The intents with this answer."""
        return [intent for intent in self.intents if intent.status == status]

    def refusals(self) -> list[str]:
        """What no client expects: a refusal of a registration that is right, with what it said."""
        return [i.answer for i in self.intents if i.status is not None and 400 <= i.status < 500]

    async def grow(self, acknowledged: int, seconds: float) -> None:
        """Wait so long, and until so many more were acknowledged. Raises TimeoutError after another minute."""
        goal = len(self.acknowledged) + acknowledged
        await asyncio.sleep(seconds)
        await until(lambda count: count >= goal, self._count, 60)

    async def _count(self) -> int:
        return len(self.acknowledged)

    async def recovery(self, url: str, moment: float, patience: float = 10.0) -> float:
        """Wait until a server acknowledges again; return how long after a moment of the monotonic clock it did.

        Infinite when it does not within `patience` seconds.
        """
        while time.monotonic() < moment + patience:
            answered = (i.answered_at for i in self.intents if i.is_acknowledged and i.url == url)
            seconds = min((at - moment for at in answered if at >= moment), default=None)
            if seconds is not None:
                return seconds
            await asyncio.sleep(_PAUSE_SECONDS)
        return float("inf")


def record(*fields: str) -> str:
    """Return the text, as it is stored, of a record with optional fields: any two are compatible."""
    members = [{"name": name, "type": ["null", "string"], "default": None} for name in fields]
    return json.dumps({"type": "record", "name": "R", "fields": members}, separators=(",", ":"))


async def send(http: httpx.AsyncClient, url: str, intent: Intent) -> None:
    """Send one registration and note the answer; a broken connection leaves it without one."""
    intent.url = url
    try:
        response = await http.post(f"{url}/subjects/{intent.subject}/versions", json={"schema": intent.text})
        answer = response.json()
    except httpx.ConnectError:
        intent.is_unsent = True
        return
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        intent.answer = repr(error)
        return
    if response.status_code == 200:
        intent.version, intent.id = answer["version"], answer["id"]
    intent.answer, intent.retry_after = response.text, response.headers.get("retry-after")
    intent.answered_at = time.monotonic()
    intent.status = response.status_code


class Clients:
    """Clients that register until the block ends: new contents mostly, at subjects that they share.

    A client repeats what it knows to be registered, registers it at another subject, and tries half of what it is
    unsure of again. `urls` answers where the servers are at that moment.
    """

    def __init__(
        self, urls: Callable[[], Sequence[str]], history: History, count: int = 8, subjects: int = 4, name: str = "c"
    ) -> None:
        self._urls = urls
        self._history = history
        self._count = count
        self._subjects = [f"subject-{number}" for number in range(subjects)]
        self._name = name
        self._is_stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._tasks = [asyncio.create_task(self._work(number)) for number in range(self._count)]

    async def __aexit__(self, *_: object) -> None:
        """Let each client finish what it has begun."""
        self._is_stopping = True
        await asyncio.gather(*self._tasks)

    async def _work(self, number: int) -> None:
        chance = random.Random(number)
        unsure: Intent | None = None
        sent = 0
        async with httpx.AsyncClient(timeout=CLIENT_SECONDS) as http:
            while not self._is_stopping:
                subject, text = chance.choice(self._subjects), record(f"{self._name}{number}_{sent}")
                known = self._history.intents[-1000:]
                if unsure is not None and chance.random() < 0.5:
                    subject, text = unsure.subject, unsure.text
                elif known and chance.random() < 0.2:
                    earlier = chance.choice(known)
                    if earlier.is_acknowledged:
                        text = earlier.text
                        subject = earlier.subject if chance.random() < 0.5 else subject
                sent += 1
                intent = Intent(subject, text)
                self._history.intents.append(intent)
                await send(http, chance.choice(self._urls()), intent)
                unsure = intent if intent.is_unknown else None
                if not intent.is_acknowledged:
                    await asyncio.sleep(_PAUSE_SECONDS)
