"""Hooks for logs and metrics: what the server tells about itself.

Refuses to know routes and use cases; labels are bounded sets that the callers name, never a subject or a raw path.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Literal, TextIO, cast

import msgspec
import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from structlog.typing import EventDict, FilteringBoundLogger

from llm_schema_registry import __version__

LogLevel = Literal["debug", "info", "warning", "error"]

WORKERS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder in which the workers of one server count together. prometheus_client reads it when it is loaded."""

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_MAX_LOGGED_CHARACTERS = 256
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

disable_created_metrics()  # type: ignore[no-untyped-call]  # its package leaves this one function untyped
_REGISTRY = CollectorRegistry()
ProcessCollector(registry=_REGISTRY)
_REQUESTS = Counter(
    "schema_registry_requests_total",
    "Requests answered, by route template.",
    ("method", "endpoint", "status"),
    registry=_REGISTRY,
)
_DURATIONS = Histogram(
    "schema_registry_request_duration_seconds",
    "Time from the request's head to the end of its answer.",
    ("method", "endpoint"),
    buckets=_BUCKETS,
    registry=_REGISTRY,
)
_REGISTRATIONS = Counter(
    "schema_registry_schema_registrations_total",
    "Registrations, by what became of them.",
    ("status",),
    registry=_REGISTRY,
)
_COMPATIBILITY_CHECKS = Counter(
    "schema_registry_compatibility_checks_total",
    "Compatibility checks, by verdict.",
    ("result",),
    registry=_REGISTRY,
)
_CACHE_HITS = Counter(
    "schema_registry_cache_hits_total",
    "Values that were found in a cache and still held.",
    ("cache_type",),
    registry=_REGISTRY,
)
_CACHE_MISSES = Counter(
    "schema_registry_cache_misses_total",
    "Values that were not found in a cache, or held no longer.",
    ("cache_type",),
    registry=_REGISTRY,
)
_PAYLOADS = Counter(
    "schema_registry_payloads_validated_total",
    "Payloads validated, by the worst level that they broke: none, MONITOR, WARN, STRICT.",
    ("worst_level",),
    registry=_REGISTRY,
)
_RULES = Counter(
    "schema_registry_rule_outcomes_total",
    "Rules of contracts that ran on payloads, by subject and rule, the first ones by name and the rest as 'other'.",
    ("subject", "rule", "outcome"),
    registry=_REGISTRY,
)
_STORAGE_STATUS = Gauge(
    "schema_registry_storage_connection_status",
    "1 while the storage can be reached, 0 while it is away; of several processes what was last found.",
    ("storage_type",),
    registry=_REGISTRY,
    multiprocess_mode="mostrecent",
)
_STORAGE_ERRORS = Counter(
    "schema_registry_storage_operation_errors_total",
    "Uses of the storage that failed for good, by kind of use.",
    ("operation",),
    registry=_REGISTRY,
)
_BUILD = Gauge(
    "schema_registry_build_info",
    "Always 1; the labels say what runs.",
    ("version", "python"),
    registry=_REGISTRY,
    multiprocess_mode="max",
)
MAX_NAMED_RULES = 500
_named_rules: set[tuple[str, str]] = set()
_BUILD.labels(__version__, sys.version.partition(" ")[0]).set(1)


def registration(status: str) -> None:
    """Count a registration: `created`, `existing`, or why it was refused (`incompatible`, `invalid`, ...)."""
    _REGISTRATIONS.labels(status).inc()


def compatibility_check(result: str) -> None:
    """Count a verdict: `compatible` or `incompatible`."""
    _COMPATIBILITY_CHECKS.labels(result).inc()


def payloads_validated(worst_level: str, count: int = 1) -> None:
    """Count validated payloads by the worst level that they broke, or `none`."""
    _PAYLOADS.labels(worst_level).inc(count)


def rule_ran(subject: str, rule: str, outcome: str, count: int = 1) -> None:
    """Count what a rule came to: `passed`, `failed`, `error` or `skipped`."""
    if (subject, rule) not in _named_rules:
        if len(_named_rules) >= MAX_NAMED_RULES:
            subject = rule = "other"
        _named_rules.add((subject, rule))
    _RULES.labels(subject, rule, outcome).inc(count)


def storage_status(storage_type: str, *, is_available: bool) -> None:
    """Say whether a kind of storage can be reached."""
    _STORAGE_STATUS.labels(storage_type).set(int(is_available))


def storage_error(operation: str) -> None:
    """Count a failed use of the storage: `read`, `begin` or `transaction`."""
    _STORAGE_ERRORS.labels(operation).inc()


def request_served(method: str, endpoint: str, status: int, seconds: float) -> None:
    """Count an answered request. `endpoint` is a route template, or one fixed word for every unknown path."""
    _requests(method, endpoint, status).inc()
    _durations(method, endpoint).observe(seconds)


@cache
def _requests(method: str, endpoint: str, status: int) -> Counter:
    return _REQUESTS.labels(method, endpoint, str(status))


@cache
def _durations(method: str, endpoint: str) -> Histogram:
    return _DURATIONS.labels(method, endpoint)


def cache_looked_into(cache_type: str, is_hit: bool) -> None:
    """Count a look into a cache: `process` or `redis`."""
    _cache_looks(cache_type, is_hit).inc()


@cache
def _cache_looks(cache_type: str, is_hit: bool) -> Counter:
    return (_CACHE_HITS if is_hit else _CACHE_MISSES).labels(cache_type)


def exposition() -> bytes:
    """Write all metrics in Prometheus' text format; of several workers their sums, without what is one process's."""
    if WORKERS_VARIABLE not in os.environ:
        return generate_latest(_REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # its package leaves this one untyped
    return generate_latest(registry)


def open_log(level: LogLevel, stream: TextIO | None = None) -> FilteringBoundLogger:
    """Make a structured log of at least `level`: one JSON object a line, to stderr unless told otherwise.

    JSON escapes line ends and everything outside ASCII, so nothing that a user sends can look like another line. A line
    that cannot be written is lost; what it tells of goes on.
    """
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(cast("TextIO", _Forgiving(stream or sys.stderr))),
        processors=[
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(_written),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
    ).bind()
    return log


class _Forgiving:
    """A stream as a log needs it: a full disk or a closed pipe behind it is not the writer's failure."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def _stamp(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add the time and cut long texts."""
    for name, value in event.items():
        if name != "exception" and isinstance(value, str) and len(value) > _MAX_LOGGED_CHARACTERS:
            event[name] = f"{value[:_MAX_LOGGED_CHARACTERS]}..."
    now = time.time()
    event["timestamp"] = f"{_second(int(now))}.{int(now % 1 * 1000):03d}Z"
    return event


@lru_cache(maxsize=2)
def _second(now: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))


def _written(event: EventDict, default: Callable[[object], object]) -> str:
    """Write a line; msgspec takes a quarter of the time, and leaves what is not ASCII as it is."""
    # It also refuses halves of surrogate pairs and integers of more than 64 bits.
    with contextlib.suppress(ValueError, OverflowError):
        line = msgspec.json.encode(event, enc_hook=default)
        if line.isascii():
            return line.decode()
    return json.dumps(event, default=default)
