"""The composition root: settings become a store, formats, routes and a listening socket.

Refuses to hold any logic of the registry; what it chooses is named once, here.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

import msgspec
import stamina
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from structlog.typing import FilteringBoundLogger

from llm_schema_registry import __version__, telemetry
from llm_schema_registry.errors import RegistryError, StoreUnavailable
from llm_schema_registry.formats import AvroRules, build_formats
from llm_schema_registry.registry.engines import Engines, spare_collections
from llm_schema_registry.registry.job_worker import JobWorker, working
from llm_schema_registry.registry.operation import Call, Policy
from llm_schema_registry.rest.app import Options, RestApp
from llm_schema_registry.rest.hot_path import following
from llm_schema_registry.rest.table import build_routes
from llm_schema_registry.settings import Settings, without_password
from llm_schema_registry.store.base import Store
from llm_schema_registry.store.cached import ValueCache
from llm_schema_registry.store.guard import Use
from llm_schema_registry.store.shared import SharedCache
from llm_schema_registry.store.sql import SqlStore
from llm_schema_registry.workers import Workers, WorkersFailed

__all__ = ["StartRefused", "WorkersFailed", "leave", "open_app", "run", "run_worker"]

STORES: Mapping[str, Callable[..., Store]] = {
    "sqlite": SqlStore.open,
    "postgresql": SqlStore.open,
    "postgres": SqlStore.open,
}
"""Which store serves which kind of URL."""

STOP_SECONDS = 4.0
"""How long requests that have begun may go on after the signal to stop."""

_POLL_SECONDS = 0.005

BACKLOG = 4096
"""Connections that the kernel may hold before they are accepted."""

_OTHER_FILES = 500
"""Files that a process opens besides its clients' connections: those to databases, pipes of compilers, modules."""
# -P: a module's name in the current folder is no module of ours.
_WORKER = (sys.executable, "-P", "-c", "from llm_schema_registry.server import run_worker; run_worker()")

SWITCH_SECONDS = 0.0005
"""How long an engine's thread may keep the interpreter when the event loop waits for it. A read takes a dozen turns: at
Python's 5 ms each it took a second while sixteen clients had hard schemas compared."""


class StartRefused(Exception):
    """The server cannot start; the message says why and what to do."""


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what has begun. Raises StartRefused and WorkersFailed."""
    log = telemetry.open_log(settings.log_level)
    settings = msgspec.structs.replace(settings, port=_claim_port(settings.host, settings.port))
    if settings.workers == 1:
        _run(_serve(settings, log, partial(_greet, settings)), settings.max_connections)
    else:
        _run(_supervise(settings, log), settings.max_connections)


def run_worker() -> None:
    """Serve as one of several processes: told the settings on standard input, until that or the process is ended."""
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)

    def say() -> None:
        sys.stdout.write("serving\n")
        sys.stdout.flush()

    try:
        _run(
            _serve(settings, telemetry.open_log(settings.log_level), say, leash=sys.stdin.fileno()),
            settings.max_connections,
        )
    except StartRefused as error:
        sys.exit(f"error: {error}")
    leave()


def leave() -> NoReturn:
    """End the process, in which everything is closed and written.

    Threads of the HTTP server may still be about to call Python: before 3.14 the end of the interpreter cancels them
    inside Rust, which aborts the process.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _run(serving: Coroutine[Any, Any, None], max_connections: int) -> None:
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max_connections + _OTHER_FILES
    # What a shell allows at first, often 1,024, is no bound that anybody chose.
    if allowed not in (resource.RLIM_INFINITY, most) and allowed < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most)
        )
    sys.setswitchinterval(SWITCH_SECONDS)
    uvloop.run(serving)


@asynccontextmanager
async def open_app(settings: Settings, log: FilteringBoundLogger) -> AsyncIterator[RestApp]:
    """Open the store, bring its tables up to date and answer the application over it. Raises StartRefused."""
    shared = _open_shared(settings, log)
    cache = ValueCache(settings.value_cache_bytes, telemetry.cache_looked_into, shared)
    store = _open_store(settings, log, cache if settings.value_cache_bytes or shared else None)
    engines = Engines(build_formats(AvroRules(settings.avro_rules)))
    try:
        await _migrate(store, settings, log)
        call = Call(
            store=store,
            engines=engines,
            clock=lambda: time.time_ns() // 1_000_000,
            policy=Policy(
                default_level=settings.default_compatibility,
                default_policy=settings.default_compatibility_policy,
                compare_seconds=settings.comparison_milliseconds / 1000,
                requires_owner=settings.require_owner,
                max_schema_bytes=settings.max_schema_bytes,
                job_retention_days=settings.job_retention_days,
            ),
        )
        worker = JobWorker(call, log)
        options = Options(
            max_body_bytes=settings.max_body_bytes,
            request_timeout_seconds=settings.request_timeout_seconds,
            legacy_409_code=settings.legacy_409_code,
            answer_cache_bytes=settings.answer_cache_bytes,
        )
        routes = build_routes(settings.kafka_cluster, settings.registry_cluster)
        app = RestApp(routes, replace(call, wake_worker=worker.wake), log, options)
        async with working(worker), following(app.kept_answers, call, log), AsyncExitStack() as stack:
            if shared is not None:
                await stack.enter_async_context(shared.running(on_hint=store.freshness.hint))
            yield app
    finally:
        engines.close()
        await store.close()


async def _supervise(settings: Settings, log: FilteringBoundLogger) -> None:
    """Let several processes serve. Raises StartRefused and WorkersFailed."""
    store = _open_store(settings, log)
    try:
        if store.is_private:
            raise StartRefused(
                f"database_url {settings.database_url} is in the memory of one process, and {settings.workers} workers "
                "were asked for; use sqlite:///path/to/file or postgresql://user@host/database, or --workers 1"
            )
        await _migrate(store, settings, log)
    finally:
        await store.close()
    with tempfile.TemporaryDirectory(prefix="schema-registry-metrics-") as folder:
        environment = {**os.environ, telemetry.WORKERS_VARIABLE: folder}
        # A second more than a worker takes by itself.
        workers = Workers(_WORKER, environment, msgspec.json.encode(settings), log, STOP_SECONDS + 1)
        _on_signals(workers.stop)
        await workers.run(settings.workers, partial(_greet, settings))


async def _serve(
    settings: Settings, log: FilteringBoundLogger, on_ready: Callable[[], None], leash: int | None = None
) -> None:
    """Serve until a signal or, if there is one, the end of the leash: a file that closes with the parent process."""
    host, port = settings.host, settings.port
    async with open_app(settings, log) as app:
        server = Server(
            app,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            websockets=False,
            backlog=BACKLOG,
            # Granian's word for how many connections are open at once; the next ones are not answered until one closes.
            backpressure=settings.max_connections,
            log_enabled=False,
        )
        serving = asyncio.ensure_future(server.serve())
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if leash is not None:
                loop.remove_reader(leash)
            server.stop()  # type: ignore[no-untyped-call]  # granian leaves this method untyped
            loop.call_later(STOP_SECONDS, serving.cancel)

        def tell(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            error = context.get("exception")
            # Granian reports the end of its serving also to a future that was cancelled meanwhile.
            if not (serving.cancelled() and isinstance(error, asyncio.InvalidStateError)):
                log.error("unhandled", reason=context["message"], exc_info=error)

        loop.set_exception_handler(tell)
        _on_signals(stop)
        if leash is not None:
            loop.add_reader(leash, stop)
        try:
            await _listening(serving, host, port)
            # Told first: whoever hears that it is ready may look for what it logged, or end it.
            log.info("started", host=host, port=port, version=__version__)
            on_ready()
            spare_collections()
            await serving
        except asyncio.CancelledError:
            log.warning("stopped before every request was finished", waited_seconds=STOP_SECONDS)
    log.info("stopped")


def _on_signals(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def _migrate(store: Store, settings: Settings, log: FilteringBoundLogger) -> None:
    """Wait for a database that is away, so that servers which start beside it need no other order."""

    def is_worth_waiting(error: Exception) -> bool:
        if isinstance(error, StoreUnavailable):
            log.warning("waiting for the database", reason=str(error))
        return isinstance(error, StoreUnavailable)

    seconds = settings.database_wait_seconds
    patiently = stamina.AsyncRetryingCaller(
        attempts=None if seconds else 1, timeout=seconds or None, wait_initial=0.2, wait_max=2.0, wait_jitter=0.3
    )
    try:
        warning = await patiently(is_worth_waiting, store.migrate)
    except RegistryError as error:
        raise StartRefused(f"{without_password(settings.database_url)} cannot be used. {error}") from error
    if warning:
        log.warning("older copy of the database", reason=warning)


def _open_shared(settings: Settings, log: FilteringBoundLogger) -> SharedCache | None:
    if not settings.redis_url:
        return None
    try:
        return SharedCache(settings.redis_url, settings.redis_prefix, log)
    except ValueError as error:
        raise StartRefused(f"{without_password(settings.redis_url)} cannot be used. {error}") from error


class _StorageWatch:
    """Tells log and metrics what becomes of the database."""

    def __init__(self, storage_type: str, log: FilteringBoundLogger) -> None:
        self._storage_type = storage_type
        self._log = log
        telemetry.storage_status(storage_type, is_available=True)

    def failed(self, use: Use) -> None:
        telemetry.storage_error(use)

    def changed(self, *, is_available: bool) -> None:
        telemetry.storage_status(self._storage_type, is_available=is_available)
        if is_available:
            self._log.info("the database is back")
        else:
            self._log.error("the database is away")


def _open_store(settings: Settings, log: FilteringBoundLogger, cache: ValueCache | None = None) -> Store:
    scheme = settings.database_url.partition("://")[0]
    if scheme not in STORES:
        raise StartRefused(f"database_url is of no known kind; known are {', '.join(f'{key}://' for key in STORES)}")
    try:
        return STORES[scheme](
            settings.database_url,
            _StorageWatch("sqlite" if scheme == "sqlite" else "postgresql", log),
            replica_url=settings.replica_url,
            pool_size=settings.database_pool_size,
            statement_timeout_seconds=settings.database_statement_seconds,
            cache=cache,
        )
    except (ValueError, OSError) as error:
        raise StartRefused(f"{without_password(settings.database_url)} cannot be opened. {error}") from error


def _claim_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0. Raises StartRefused when it is taken.

    The server itself listens with SO_REUSEPORT, which would silently share the port with another process.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            claimed: int = probe.getsockname()[1]
            return claimed
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartRefused(f"Cannot listen on {host}:{port}: {reason}. Choose another with --host and --port") from None


async def _listening(serving: asyncio.Future[None], host: str, port: int) -> None:
    """Wait until the server takes connections, which it does not tell, or has ended."""
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(_POLL_SECONDS)
        else:
            writer.close()
            return


def _greet(settings: Settings) -> None:
    address = f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{settings.port}"
    lines = (
        f"LLM-Schema-Registry {__version__}",
        f"  address   {address}",
        f"  docs      {address}/docs",
        f"  database  {without_password(settings.database_url)}",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
