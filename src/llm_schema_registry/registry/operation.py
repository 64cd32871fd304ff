"""What a use case is given (`Call`) and how it is declared (`@operation`).

Refuses to know transports, and what any single use case does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Concatenate, ParamSpec, TypeVar

from llm_schema_registry.model import (
    ANONYMOUS,
    Actor,
    CompatibilityLevel,
    CompatibilityPolicy,
    Event,
    EventType,
    Subject,
)
from llm_schema_registry.registry.engines import Engines
from llm_schema_registry.registry.sample_rate import Sampler
from llm_schema_registry.store.base import Store

P = ParamSpec("P")
T = TypeVar("T")


class Permission(StrEnum):
    """What an operation does, for the role table to come."""

    READ = "READ"
    WRITE = "WRITE"
    DELETE = "DELETE"
    CONFIGURE = "CONFIGURE"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the server was told once, at start."""

    default_level: CompatibilityLevel = CompatibilityLevel.BACKWARD
    default_policy: CompatibilityPolicy = CompatibilityPolicy.STRICT
    compare_seconds: float = 0.1
    requires_owner: bool = False
    max_schema_bytes: int = 10 * 1024 * 1024
    job_retention_days: float = 7.0


def _nobody() -> None:
    """Nobody works on jobs here."""


@dataclass(frozen=True, slots=True)
class Call:
    """Everything that one call of a use case may touch. `clock` answers milliseconds since the epoch, UTC.

    `wake_worker` tells the process's worker that a job is waiting.
    """

    store: Store
    engines: Engines
    clock: Callable[[], int]
    policy: Policy = Policy()
    actor: Actor = ANONYMOUS
    request_id: str = ""
    wake_worker: Callable[[], None] = _nobody
    sampler: Sampler = field(default_factory=Sampler)

    def event(
        self,
        type_: EventType,
        subject: Subject,
        *,
        version: int | None = None,
        schema_id: int | None = None,
        **details: str,
    ) -> Event:
        """Make the event that a change must append in its own transaction."""
        return Event(
            type=type_,
            subject=subject,
            actor=self.actor.name,
            request_id=self.request_id,
            at=self.clock(),
            version=version,
            schema_id=schema_id,
            details=details,
        )


Operation = Callable[Concatenate[Call, P], Awaitable[T]]

PERMISSIONS: dict[str, Permission] = {}
"""Each use case by `module.function`, with the permission that it takes."""


def operation(permission: Permission) -> Callable[[Operation[P, T]], Operation[P, T]]:
    """Declare a use case and the permission that it takes."""

    def declare(function: Operation[P, T]) -> Operation[P, T]:
        module = function.__module__.rpartition(".")[2]
        PERMISSIONS[f"{module}.{function.__name__}"] = permission
        return function

    return declare
