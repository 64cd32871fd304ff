"""`make bench-full`: beside nginx, many connections, PostgreSQL, two instances with Redis, a million versions.

Starts everything it needs on loopback in folders of its own and stops it. Takes some fifteen minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from measure import (
    BIN,
    EVENT,
    HERE,
    Row,
    constant_nginx,
    free_port,
    load,
    print_table,
    register_one,
    resident_mib,
    running,
    running_nginx,
)
from million import VERSIONS_PER_SUBJECT
from postgres import PrivatePostgres
from redis_server import PrivateRedis
from run import reads

TURNS = 5
OFFERED = 10_000
STEADY = 2_000
RANDOM_READS = 100_000


def serve_command(port: int, database_url: str, *flags: str) -> list[str]:
    """How a server is started for a load: it logs no line for each request."""
    command = [str(BIN / "llm-schema-registry"), "serve", "--port", str(port), "--log-level", "warning"]
    return [*command, "--database-url", database_url, *flags]


@contextmanager
def registry(database_url: str, *flags: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a server."""
    port = free_port()
    with running(serve_command(port, database_url, *flags), port, "/subjects?limit=1") as process:
        yield f"http://127.0.0.1:{port}", process


def against_nginx(seconds: int) -> None:
    """S1: reads by id beside nginx and bare applications, in turns; then many connections at a fixed rate."""
    body = os.environ["BENCH_BODY"] = json.dumps({"schema": json.dumps(EVENT)})
    bare_port = free_port()
    bare = [str(BIN / "granian"), "--interface", "asgi", "--loop", "uvloop", "--port", str(bare_port), "bare:app"]
    with (
        tempfile.TemporaryDirectory() as folder,
        constant_nginx(body) as (nginx_url, nginx),
        running(bare, bare_port, "/") as bare_server,
        registry(f"sqlite:///{folder}/registry.db") as (base, server),
    ):
        by_id = f"{base}/schemas/ids/{register_one(base)}"
        competitors = (
            ("nginx, constant body", nginx_url, nginx),
            ("bare ASGI, constant body", f"http://127.0.0.1:{bare_port}/", bare_server),
            ("read by id", by_id, server),
        )
        turns = [
            [load(name, url, "report.lua", process, seconds, 64) for name, url, process in competitors]
            for _ in range(TURNS)
        ]
        print(f"\n## Read by id, one worker, 64 connections: medians of {TURNS} turns\n")
        print_table([_median([turn[place] for turn in turns]) for place in range(len(competitors))])
        print(f"\n## Read by id, {OFFERED:,} requests a second offered\n")
        print("| connections | answered a second | p50 ms | p99 ms | errors |\n|---:|---:|---:|---:|---:|")
        for connections in (64, 1000, 5000):
            rate, p50, p99, errors = offered([by_id], connections, OFFERED, max(seconds, 10))
            print(f"| {connections:,} | {rate:,.0f} | {p50:.1f} | {p99:.1f} | {errors} |")


def offered(urls: Sequence[str], connections: int, rate: int, seconds: int) -> tuple[float, float, float, int]:
    """Offer a fixed rate over so many connections, of these addresses in turn.

    Answers the rate reached, p50 and p99 in ms, and failures.
    """
    with tempfile.TemporaryDirectory() as folder:
        log, addresses = Path(folder) / "log", Path(folder) / "urls"
        addresses.write_text("\n".join(urls))
        command = ["h2load", "--h1", "-t1", f"-c{connections}", "-D", str(seconds), "--warm-up-time=3"]
        command += [f"--rps={rate / connections:g}", f"--log-file={log}", f"--input-file={addresses}"]
        subprocess.run(command, check=True, capture_output=True)
        rows = [line.split("\t") for line in log.read_text().splitlines()]
    # What was sent while the connections were opened is not in the log.
    begun = [int(row[0]) for row in rows]
    times = sorted(int(row[2]) for row in rows)
    errors = sum(row[1] != "200" for row in rows)
    rate_reached = len(rows) / (max(begun) - min(begun)) * 1e6
    return rate_reached, times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000, errors


def on_databases(seconds: int) -> None:
    """S2: every kind of read, and registrations by 32 clients, on SQLite and on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, postgres() as private:
        for name, url in (
            ("SQLite", f"sqlite:///{folder}/registry.db"),
            ("PostgreSQL", private.url(private.create_database())),
        ):
            with registry(url) as (base, server):
                print(f"\n## One worker on {name}, 64 connections (registrations: 32)\n")
                print_table(_all_kinds(base, server, seconds))


def behind_nginx(seconds: int) -> None:
    """Two instances on one PostgreSQL and one Redis behind nginx with the shipped configuration."""
    with ExitStack() as stack:
        private = stack.enter_context(postgres())
        redis = stack.enter_context(PrivateRedis())
        url = private.url(private.create_database())
        instances = [stack.enter_context(registry(url, "--redis-url", redis.url)) for _ in range(2)]
        port = free_port()
        config = (HERE.parent / "deploy" / "nginx.conf").read_text().replace("listen 8080", f"listen 127.0.0.1:{port}")
        for shipped, (base, _) in zip(("127.0.0.1:8081", "127.0.0.1:8082"), instances, strict=True):
            config = config.replace(shipped, base.removeprefix("http://"))
        nginx = stack.enter_context(running_nginx(config, port))
        print("\n## Two instances on PostgreSQL and Redis behind nginx, 64 connections (RSS: nginx)\n")
        print_table(_all_kinds(f"http://127.0.0.1:{port}", nginx, seconds))
        print("\nRSS of the instances after it:", ", ".join(f"{resident_mib(one.pid):.0f} MiB" for _, one in instances))


def capacity(versions: int, seconds: int) -> None:
    """S5: a thousand versions and a million: size, start, memory, random reads."""
    print(
        f"\n## Growth: SQLite, {RANDOM_READS:,} reads of random ids over 32 connections, none kept in memory before\n"
    )
    print("| versions | loaded in | bytes a version | start ms | RSS MiB | after reads | most reads/s ", end="")
    print(f"| p50 ms at {STEADY:,}/s | p99 ms | errors |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    chance = random.Random(7)
    tails = []
    for count in (1_000, versions):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "registry.db"
            started = time.perf_counter()
            fill = [sys.executable, str(HERE / "million.py"), f"sqlite:///{path}", str(count)]
            subprocess.run(fill, check=True, capture_output=True)
            loaded = time.perf_counter() - started
            started = time.perf_counter()
            # Answers are not kept, so that both sizes are asked of the database.
            with registry(f"sqlite:///{path}", "--answer-cache-bytes", "0") as (base, server):
                ready = (time.perf_counter() - started) * 1000
                fresh = resident_mib(server.pid)
                os.environ["BENCH_IDS"] = str(count)
                urls = [f"{base}/schemas/ids/{chance.randint(1, count)}" for _ in range(RANDOM_READS)]
                _, p50, p99, errors = offered(urls, 32, STEADY, RANDOM_READS // STEADY)
                row = load("random", base, "random.lua", server, seconds, 32)
                size = path.stat().st_size / count
                print(
                    f"| {count:,} | {loaded:.0f} s | {size:,.0f} | {ready:,.0f} | {fresh:.0f} | {row.rss:.0f} "
                    f"| {row.rate:,.0f} | {p50:.2f} | {p99:.2f} | {errors + row.errors} |"
                )
                tails.append(p99)
                if count == versions:
                    print_listings(base, count)
    print(f"\np99 at {versions:,} versions: {tails[1] / tails[0]:.2f} of that at 1,000")


def print_listings(base: str, versions: int) -> None:
    """How long the pages of listings take at the end of the million."""
    last = versions // VERSIONS_PER_SUBJECT - 1
    pages = {
        "first page of /subjects": f"{base}/subjects?limit=100",
        "last page of /subjects": f"{base}/subjects?limit=100&offset={last - 99}",
        "versions of a subject": f"{base}/subjects/bench-{last:05}-value/versions",
        "first page of /v1/schemas": f"{base}/v1/schemas?limit=100",
        "schemas by prefix": f"{base}/schemas?subjectPrefix=bench-{last:05}&limit=100",
    }
    print()
    for name, url in pages.items():
        started = time.perf_counter()
        urllib.request.urlopen(url, timeout=60).read()
        print(f"{name}: {(time.perf_counter() - started) * 1000:.1f} ms")


def idle() -> None:
    """S6: memory of an idle server and the time from the start of its process to its first 200."""
    print("\n## Idle\n")
    print("| workers | RSS MiB, all processes | cold start ms, median of 5 |\n|---:|---:|---:|")
    for workers in (1, 2):
        starts, sizes = [], []
        for _ in range(5):
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                with registry(f"sqlite:///{folder}/registry.db", "--workers", str(workers)) as (_, server):
                    starts.append((time.perf_counter() - started) * 1000)
                    time.sleep(1)
                    sizes.append(resident_mib(server.pid))
        print(f"| {workers} | {statistics.median(sizes):.0f} | {statistics.median(starts):.0f} |")


@contextmanager
def postgres() -> Iterator[PrivatePostgres]:
    """Run a PostgreSQL whose commits are durable."""
    private = PrivatePostgres("shared_buffers=256MB", is_durable=True)
    try:
        yield private
    finally:
        private.remove()


def _all_kinds(base: str, server: subprocess.Popen[bytes], seconds: int) -> list[Row]:
    kinds = list(reads(base, register_one(base)))
    rows = [load(name, url, script, server, seconds, 64) for name, url, script in kinds]
    return [*rows, load("register, with check", base, "register.lua", server, seconds, 32)]


def _median(rows: Sequence[Row]) -> Row:
    def of(pick: Callable[[Row], float]) -> float:
        return statistics.median(pick(row) for row in rows)

    return Row(
        rows[0].name,
        of(lambda row: row.rate),
        of(lambda row: row.p50),
        of(lambda row: row.p95),
        of(lambda row: row.p99),
        sum(row.errors for row in rows),
        of(lambda row: row.rss),
    )


PARTS = {
    "nginx": lambda options: against_nginx(options.seconds),
    "databases": lambda options: on_databases(options.seconds),
    "instances": lambda options: behind_nginx(options.seconds),
    "idle": lambda options: idle(),
    "million": lambda options: capacity(options.versions, options.seconds),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them unless told")
    parser.add_argument("--seconds", type=int, default=8, help="length of each load")
    parser.add_argument("--versions", type=int, default=1_000_000)
    options = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in options.parts or PARTS:
        PARTS[name](options)


if __name__ == "__main__":
    main()
