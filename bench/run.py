"""`make bench`: how many reads by id and registrations one server answers, beside a bare ASGI application.

Starts its own servers on loopback, loads them with wrk for a few seconds each, prints a table and stops them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
EVENT = {
    "type": "record",
    "name": "InferenceEvent",
    "namespace": "telemetry.observatory",
    "fields": [{"name": f"field_{index}", "type": ["null", "string"], "default": None} for index in range(20)],
}


@dataclass(frozen=True)
class Row:
    """One line of the table; rates per second, latencies in milliseconds, memory in MiB."""

    name: str
    rate: float
    p50: float
    p95: float
    p99: float
    errors: int
    rss: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int, path: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; wait for its first 200."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=HERE)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).read()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the server did not start: {' '.join(command)}") from None
                time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def resident_mib(pid: int) -> float:
    """Memory of a process and its children."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if (entry.name == str(pid) or fields["PPid"].strip() == str(pid)) and "VmRSS" in fields:
            total += int(fields["VmRSS"].split()[0])
    return total / 1024


def load(name: str, url: str, script: str, process: subprocess.Popen[bytes], seconds: int, connections: int) -> Row:
    """Load one address with wrk and read what its script reports."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / script), url]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE).stdout
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    result = json.loads(line.removeprefix("RESULT "))
    return Row(
        name,
        result["requests"] / (result["duration_us"] / 1e6),
        result["p50"] / 1000,
        result["p95"] / 1000,
        result["p99"] / 1000,
        result["errors"],
        resident_mib(process.pid),
    )


def register_one(base: str) -> int:
    body = json.dumps({"schema": json.dumps(EVENT)}).encode()
    request = urllib.request.Request(
        f"{base}/subjects/bench-value/versions", body, {"Content-Type": "application/json"}, method="POST"
    )
    schema_id: int = json.load(urllib.request.urlopen(request, timeout=10))["id"]
    return schema_id


def etag_of(url: str) -> str:
    """The tag under which a client may have an answer already."""
    tag: str = urllib.request.urlopen(url, timeout=10).headers["etag"]
    return tag


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="length of each load")
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        port, bare_port = free_port(), free_port()
        serve = [str(BIN / "llm-schema-registry"), "serve", "--port", str(port)]
        serve += ["--database-url", f"sqlite:///{folder}/registry.db", "--log-level", "warning"]
        bare = [str(BIN / "granian"), "--interface", "asgi", "--port", str(bare_port), "bare:app"]
        os.environ["BENCH_BODY"] = json.dumps({"schema": json.dumps(EVENT)})
        with running(serve, port, "/subjects") as server, running(bare, bare_port, "/") as reference:
            base = f"http://127.0.0.1:{port}"
            schema_id = register_one(base)

            def both(name: str, url: str, script: str, process: subprocess.Popen[bytes]) -> None:
                rows.append(load(name, url, script, process, options.seconds, options.connections))

            both("bare ASGI, constant body", f"http://127.0.0.1:{bare_port}/", "report.lua", reference)
            by_id = f"{base}/schemas/ids/{schema_id}"
            subject = f"{base}/subjects/bench-value"
            both("read by id, kept", by_id, "report.lua", server)
            os.environ["BENCH_ETAG"] = etag_of(by_id)
            both("read by id, kept, 304", by_id, "conditional.lua", server)
            both("read by id, not kept", f"{by_id}?subject=unused", "report.lua", server)
            both("latest", f"{subject}/versions/latest", "report.lua", server)
            both("versions list", f"{subject}/versions", "report.lua", server)
            both("config", f"{base}/config", "report.lua", server)
            both("register, with check", base, "register.lua", server)
    print_table(rows)
    if any(row.errors for row in rows):
        raise SystemExit("some requests failed")


def print_table(rows: Sequence[Row]) -> None:
    reference = rows[0].rate
    print(f"{'':28}{'requests/s':>12}{'ratio':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'errors':>8}{'RSS MiB':>9}")
    for row in rows:
        print(
            f"{row.name:28}{row.rate:12,.0f}{row.rate / reference:8.3f}{row.p50:9.2f}{row.p95:9.2f}{row.p99:9.2f}"
            f"{row.errors:8}{row.rss:9.0f}"
        )


if __name__ == "__main__":
    main()
