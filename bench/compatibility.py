"""`make bench`, second table: how long a check takes, by format and size, and how it grows.

Everything runs in this process, without a network: parsing aside, the same judge that the server asks. Times are CPU
milliseconds of the thread; the ratio is to parsing the candidate's text in the same run.
"""

from __future__ import annotations

import asyncio
import json
import resource
import runpy
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

from llm_schema_registry.compatibility import Judge, Side
from llm_schema_registry.errors import TooComplex
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import Format
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, Report, Subject, Submission
from llm_schema_registry.registry import compatibility, config, registration
from llm_schema_registry.registry.engines import Engines, spare_collections
from llm_schema_registry.registry.operation import Call, Policy
from llm_schema_registry.store.sql import SqlStore

BOMB = Path(__file__).resolve().parent.parent / "tests" / "data" / "schema_bomb_refs.py"
SIZES = (30, 300, 3_000)
HISTORY = 100
UNBOUNDED_SECONDS = 60.0


def avro(fields: int, extra: int = 0) -> str:
    """An event: strings, numbers, nullable and nested values; `extra` more fields have defaults."""
    types: list[object] = ["string", "long", ["null", "string"], {"type": "array", "items": "double"}, "boolean"]
    rows: list[dict[str, object]] = [{"name": f"f{index}", "type": types[index % 5]} for index in range(fields)]
    rows += [{"name": f"x{index}", "type": ["null", "string"], "default": None} for index in range(extra)]
    return json.dumps({"type": "record", "name": "Event", "namespace": "bench", "fields": rows})


def json_schema(fields: int, extra: int = 0) -> str:
    """The same event, closed to what is not declared."""
    types: list[dict[str, object]] = [
        {"type": "string", "maxLength": 100},
        {"type": "integer", "minimum": 0},
        {"type": ["null", "string"]},
        {"type": "array", "items": {"type": "number"}},
        {"enum": ["a", "b", "c"]},
    ]
    properties = {f"f{index}": types[index % 5] for index in range(fields)}
    properties |= {f"x{index}": {"type": "string"} for index in range(extra)}
    return json.dumps(
        {"type": "object", "properties": properties, "required": ["f0", "f1"], "additionalProperties": False}
    )


def protobuf(fields: int, extra: int = 0) -> str:
    """The same event as a message."""
    types = ("string", "int64", "optional string", "repeated double", "bool")
    lines = [f"  {types[index % 5]} f{index} = {index + 1};" for index in range(fields)]
    lines += [f"  string x{index} = {fields + index + 1};" for index in range(extra)]
    return "\n".join(['syntax = "proto3";', "package bench;", "message Event {", *lines, "}"])


MAKERS = {"AVRO": avro, "JSON": json_schema, "PROTOBUF": protobuf}


def measure(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the CPU milliseconds of each round, in ascending order."""
    work()
    times = []
    for _ in range(rounds):
        started = time.thread_time()
        work()
        times.append((time.thread_time() - started) * 1_000)
    return sorted(times)


def percentile(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]


def print_checks(policy: CompatibilityPolicy) -> None:
    """Print a line for each format and size: a BACKWARD check of a version with two more fields."""
    judge = Judge(CompatibilityLevel.BACKWARD, policy, UNBOUNDED_SECONDS)
    for name, fmt in FORMATS.items():
        smallest = 0.0
        for fields in SIZES:
            previous, candidate = MAKERS[name](fields), MAKERS[name](fields, 2)
            old = Side(name, previous, fmt.parse(previous), 1)
            new = Side(name, candidate, fmt.parse(candidate))

            def check(fmt: Format = fmt, new: Side = new, old: Side = old) -> Report:
                return judge.compare(fmt, new, old)

            assert check().is_compatible
            rounds = max(10, 3_000 // fields)
            times = measure(check, rounds)
            parse = statistics.median(measure(lambda: fmt.parse(candidate), 5))  # noqa: B023 - called at once
            p50 = percentile(times, 0.5)
            smallest = smallest or p50
            growth = p50 / smallest / (fields / SIZES[0])
            print(
                f"{policy:8}{name:10}{fields:8,}{p50:10.3f}{percentile(times, 0.95):10.3f}{growth:10.2f}"
                f"{p50 / parse:10.2f}"
            )


async def print_history() -> None:
    """Print how long BACKWARD_TRANSITIVE over many versions takes, parsed versions remembered and not."""
    for name in FORMATS:
        store = SqlStore.open("sqlite://")
        await store.migrate()
        engines = Engines(FORMATS)
        call = Call(store=store, engines=engines, clock=lambda: 0, policy=Policy())
        subject = Subject(".", "bench")
        await config.put_config(call, subject, {"compatibility_level": CompatibilityLevel.NONE})
        for extra in range(HISTORY):
            await registration.register(call, subject, Submission(name, MAKERS[name](30, extra)))
        level = {"compatibility_level": CompatibilityLevel.BACKWARD_TRANSITIVE}
        await config.put_config(call, subject, level)
        submission = Submission(name, MAKERS[name](30, HISTORY))
        for memory in ("cold", "warm"):
            if memory == "cold":
                call = Call(store=store, engines=Engines(FORMATS), clock=lambda: 0, policy=Policy())
            started = time.perf_counter()
            report = await compatibility.check(call, subject, submission)
            took = (time.perf_counter() - started) * 1_000
            assert report.is_compatible
            assert len(report.compared) == HISTORY
            print(f"{name:10}BACKWARD_TRANSITIVE over {HISTORY} versions, {memory}:{took:10.1f} ms")
        engines.close()
        call.engines.close()
        await store.close()


def print_bombs() -> None:
    """Print how long the bomb of references takes under the default budget, and what it leaves in memory."""
    fmt = FORMATS["JSON"]
    for levels in (20, 200, 2_000):
        printed = StringIO()
        with mock.patch.object(sys, "argv", [str(BOMB), str(levels)]), redirect_stdout(printed):
            runpy.run_path(str(BOMB))
        pair = json.loads(printed.getvalue())
        old, new = (Side("JSON", json.dumps(pair[key]), fmt.parse(json.dumps(pair[key])), 1) for key in ("old", "new"))
        for policy in (CompatibilityPolicy.STRICT, CompatibilityPolicy.SOUND):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            started = time.perf_counter()
            try:
                verdict = str(Judge(CompatibilityLevel.BACKWARD, policy).compare(fmt, new, old).is_compatible)
            except TooComplex:
                verdict = "too complex"
            took = (time.perf_counter() - started) * 1_000
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            print(f"bomb of {levels:5,} levels, {policy:8}{took:8.1f} ms  +{grown:.1f} MiB  compatible: {verdict}")


def main() -> None:
    spare_collections()  # as the server does when it has started
    print(f"{'policy':8}{'format':10}{'fields':>8}{'p50 ms':>10}{'p95 ms':>10}{'growth':>10}{'/ parse':>10}")
    for policy in (CompatibilityPolicy.STRICT, CompatibilityPolicy.SOUND):
        print_checks(policy)
    print("(growth: time per field as a multiple of the smallest schema's; 1 is linear)")
    asyncio.run(print_history())
    print_bombs()


if __name__ == "__main__":
    main()
