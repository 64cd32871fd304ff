"""What operators ask: is it alive, is it ready, who is it, how is it doing (rest-api 4.1).

Refuses to know what the registry is for.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import msgspec

from llm_schema_registry import __version__, telemetry
from llm_schema_registry.errors import NotReady, Overloaded, RegistryError, StoreUnavailable, TimedOut
from llm_schema_registry.rest.request import Request, Response, json_answer, text_answer
from llm_schema_registry.rest.routing import Handler, Route

Availability = Literal["available", "unavailable"]

READY_SECONDS = 2.0
"""How long the store may take to say that it is there."""

_TAG = "operations"


class Empty(msgspec.Struct, frozen=True):
    """The object without members."""


class Health(msgspec.Struct, frozen=True):
    """`live`."""

    status: str


class Readiness(msgspec.Struct, frozen=True):
    """`ready`, or `degraded` when only what is kept can be answered; and each dependency, `available` or not."""

    status: Literal["ready", "degraded"]
    dependencies: dict[str, Availability]


class Clusters(msgspec.Struct, frozen=True, rename="kebab"):
    """The names under which clients know this registry."""

    kafka_cluster: str
    schema_registry_cluster: str


class Scope(msgspec.Struct, frozen=True):
    """Where this registry is; `path` is always empty."""

    path: tuple[str, ...]
    clusters: Clusters


class ClusterId(msgspec.Struct, frozen=True):
    """The identity of this registry."""

    scope: Scope


class ServerVersion(msgspec.Struct, frozen=True, rename="camel"):
    """What runs here. `commit_id` is empty when the build does not know it."""

    version: str
    commit_id: str


async def say_nothing(_request: Request) -> Response:
    return json_answer(Empty())


async def get_version(_request: Request) -> Response:
    return json_answer(ServerVersion(__version__, ""))


async def get_live(_request: Request) -> Response:
    return json_answer(Health("live"), cache_control="no-store")


async def get_ready(request: Request) -> Response:
    """Ask the store. One that is away degrades, as it does all other instances: taking them out of use helps nobody.

    Raises NotReady for what waiting does not heal.
    """
    try:
        async with asyncio.timeout(READY_SECONDS):
            await request.call.store.ping()
    except (StoreUnavailable, Overloaded, TimedOut, TimeoutError):
        return _readiness(request, "degraded", "unavailable")
    except RegistryError as error:
        raise NotReady(f"The store is not ready: {error}") from error
    return _readiness(request, "ready", "available")


def _readiness(request: Request, status: Literal["ready", "degraded"], database: Availability) -> Response:
    redis = request.call.store.shared_cache
    # Nothing depends on Redis: without it the registry is ready.
    dependencies = {"database": database} if redis is None else {"database": database, "redis": redis}
    return json_answer(Readiness(status, dependencies), cache_control="no-store")


async def get_metrics(_request: Request) -> Response:
    return text_answer(telemetry.exposition(), media_type=telemetry.METRICS_MEDIA_TYPE, cache_control="no-store")


def build_routes(kafka_cluster: str, registry_cluster: str) -> tuple[Route, ...]:
    """Make the rows; the two names are what `/v1/metadata/id` answers."""
    identity = ClusterId(Scope((), Clusters(kafka_cluster, registry_cluster)))

    async def get_id(_request: Request) -> Response:
        return json_answer(identity)

    return (
        _row("/", say_nothing, "Answer an empty object; clients use it to see whether the registry is there.", Empty),
        Route("POST", "/", say_nothing, "Answer an empty object.", _TAG, answer=Empty),
        _row("/v1/metadata/id", get_id, "Return the names of this registry and its Kafka cluster.", ClusterId),
        _row("/v1/metadata/version", get_version, "Return the version of this server.", ServerVersion),
        _row("/v1/metadata/deployment", say_nothing, "Return the attributes of this deployment: none.", Empty),
        _row("/health/live", get_live, "Say whether the process answers.", Health),
        _row("/healthz", get_live, "Say whether the process answers.", Health),
        _row("/health/ready", get_ready, "Say whether requests can be answered, and by what.", Readiness, NotReady),
        _row("/readyz", get_ready, "Say whether requests can be answered, and by what.", Readiness, NotReady),
        Route(
            "GET",
            "/metrics",
            get_metrics,
            "Return the metrics in Prometheus' text format.",
            _TAG,
            answer=str,
            media_types=(telemetry.METRICS_MEDIA_TYPE,),
        ),
    )


def _row(path: str, handler: Handler, summary: str, answer: Any, *errors: type[RegistryError]) -> Route:  # noqa: ANN401 - a msgspec type
    return Route("GET", path, handler, summary, _TAG, answer=answer, errors=errors)
