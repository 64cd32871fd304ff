"""`SharedCache`: values that several instances share in Redis, and hints from one to the others that the log has grown.

Refuses to be needed: whatever Redis does, an answer is at most a little later, never an error. Refuses to trust it: a
value is opened only with what stands in this database's own log at the place at which the value was read, and whether
it still holds is for whoever asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, NamedTuple

import msgspec
from structlog.typing import FilteringBoundLogger

from llm_schema_registry.store.freshness import Mark
from llm_schema_registry.store.sealed import OVERHEAD_BYTES, Witness, is_readable, seal, unseal

CALL_SECONDS = 0.1
"""How long Redis may take for one answer."""

PROBE_SECONDS = 1.0
"""How often Redis is asked whether it is there, by nobody who waits."""

LISTEN_SECONDS = 10.0
"""How long the channel may be silent before it is asked whether it is there, and again before it is opened anew."""

MAX_VALUE_BYTES = 256 * 1024
"""What is larger is not shared."""

_FAILURES = 3  # in a row, after which nobody asks until a probe has succeeded
_CONNECTIONS = 16
_WAITING = 100  # values and hints on their way to Redis; more are dropped
_CHANNEL = "schema:log"


class Place(NamedTuple):
    """Where a value is shared: its key without the prefix, for how many seconds, and of which type it is."""

    key: str
    seconds: int
    type: Any


class Shared(NamedTuple):
    """A value that was shared, the place at which it was read, and how many bytes its encoding took."""

    mark: Mark
    value: Any
    encoded: int


class SharedCache:
    """A Redis or Redis Cluster, used while it runs and answers in time."""

    def __init__(self, url: str, prefix: str, log: FilteringBoundLogger) -> None:
        """Prepare a client; nothing connects yet. Raises ValueError for a URL of no known kind."""
        self._client, self._failing = _open(url)
        self._prefix = prefix
        self._log = log
        self._is_up = False
        self._failures = 0
        self._waiting: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue(_WAITING)

    @property
    def state(self) -> Literal["available", "unavailable"]:
        """Whether Redis is used."""
        return "available" if self._is_up else "unavailable"

    async def find(self, place: Place, witness: Witness) -> Shared | None:
        """Return a value, if it was written under this key by someone who follows the same log, and is whole.

        Never raises. What was read where this process does not know the log is left for others; what is not such a
        value is removed.
        """
        if not self._is_up:
            return None
        key = self._key(place.key)
        # Never more than a value may have, whatever somebody else put there.
        entry: bytes | None = await self._try(lambda: self._client.getrange(key, 0, MAX_VALUE_BYTES))
        if not entry or not is_readable(entry, witness):
            return None
        opened = unseal(key, entry, witness)
        if opened is not None:
            mark, payload = opened
            # Another release may write values of another shape.
            with suppress(msgspec.DecodeError):
                return Shared(mark, msgspec.msgpack.decode(payload, type=place.type), len(payload))
        self._log.warning("an entry of redis was refused", key=place.key)
        self._later(lambda: self._client.delete(key))
        return None

    def keep(self, place: Place, mark: Mark, payload: bytes) -> None:
        """Share an encoded value that was read when the log had reached a place. Nobody waits for that."""
        if len(payload) <= MAX_VALUE_BYTES - OVERHEAD_BYTES and self._is_up:
            key = self._key(place.key)
            self._later(lambda: self._client.set(key, seal(key, mark, payload), ex=place.seconds))

    def announce(self, position: int) -> None:
        """Tell the other instances that the log has reached a position. Nobody waits for that."""
        if self._is_up:
            self._later(lambda: self._client.publish(self._prefix + _CHANNEL, position))

    @asynccontextmanager
    async def running(self, on_hint: Callable[[], None]) -> AsyncIterator[None]:
        """Use Redis during the block. `on_hint` is called when another instance may have changed something."""
        tasks = [asyncio.create_task(work) for work in (self._listen(on_hint), self._probe(), self._write())]
        try:
            yield
        finally:
            for task in tasks:
                # More than once: before Python 3.12 asyncio.wait_for, which redis-py uses, can lose a cancellation.
                while not task.done():
                    task.cancel()
                    await asyncio.wait([task], timeout=CALL_SECONDS)
            await self._close()

    def _key(self, key: str) -> bytes:
        return (self._prefix + key).encode("utf-8", "surrogatepass")

    def _later(self, command: Callable[[], Awaitable[object]]) -> None:
        # What is not shared is read again, and hints have a safety net.
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait(command)

    async def _try(self, command: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever Redis answers
        """Let Redis answer in time, or return None. Several failures in a row end all asking."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answer = await command()
        except self._failing as error:
            self._failures += 1
            if self._failures >= _FAILURES:
                self._turn(error)
            return None
        self._failures = 0
        return answer

    def _turn(self, failure: BaseException | None) -> None:
        """Begin or end the use of Redis, and tell."""
        is_up = failure is None
        if is_up != self._is_up:
            self._is_up, self._failures = is_up, 0
            if failure is None:
                self._log.info("redis is used")
            else:
                self._log.warning("redis is not used", reason=str(failure) or type(failure).__name__)

    async def _write(self) -> None:
        while True:
            command = await self._waiting.get()
            if self._is_up:
                await self._try(command)

    async def _probe(self) -> None:
        """Find out whether Redis is there, so that no reader has to."""
        while True:
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await self._client.ping()
            except self._failing as error:
                self._turn(error)
            else:
                self._turn(None)
            await asyncio.sleep(PROBE_SECONDS)

    async def _listen(self, on_hint: Callable[[], None]) -> None:
        """Pass on hints. Whatever a message says, it means only that the log may have grown."""
        while True:
            try:
                async with self._client.pubsub() as channel:
                    await channel.subscribe(self._prefix + _CHANNEL)
                    is_asked = False
                    while True:
                        heard = await channel.get_message(timeout=LISTEN_SECONDS)
                        if heard is None and is_asked:
                            break
                        is_asked = heard is None
                        if is_asked:
                            await channel.ping()
                        else:
                            # Also when the subscription is confirmed: something may have been missed before.
                            on_hint()
            except self._failing:
                await asyncio.sleep(PROBE_SECONDS)

    async def _close(self) -> None:
        with suppress(*self._failing):
            async with asyncio.timeout(CALL_SECONDS):
                await self._client.aclose()


def _open(url: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """Make a client, of one of two types that share no base, and name what it raises when Redis fails."""
    # A server without Redis does not pay for its client: 6 MiB and 40 ms of its start.
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - said above
    from redis.asyncio.cluster import RedisCluster  # noqa: PLC0415 - said above
    from redis.asyncio.retry import Retry  # noqa: PLC0415 - said above
    from redis.backoff import NoBackoff  # noqa: PLC0415 - said above
    from redis.exceptions import RedisError  # noqa: PLC0415 - said above

    failing = (RedisError, OSError, TimeoutError)
    scheme, separator, rest = url.partition("://")
    never_again = Retry(NoBackoff(), 0)
    waits = {"socket_timeout": CALL_SECONDS, "socket_connect_timeout": CALL_SECONDS}
    if separator and scheme in ("redis+cluster", "rediss+cluster"):
        plain = f"{scheme.removesuffix('+cluster')}://{rest}"
        return RedisCluster.from_url(plain, max_connections=_CONNECTIONS, retry=never_again, **waits), failing
    if separator and scheme in ("redis", "rediss", "unix"):
        pool = BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, timeout=CALL_SECONDS, retry=never_again, **waits
        )
        return Redis.from_pool(pool), failing
    raise ValueError(
        "redis_url is of no known kind; known are redis://, rediss://, unix://, redis+cluster:// and rediss+cluster://"
    )
