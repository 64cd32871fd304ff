"""What the benchmarks share: servers of their own on loopback, load by wrk, memory, and a table.

Refuses to outlive its blocks.
"""

from __future__ import annotations

import json
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
    """A port that nobody listens on."""
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


@contextmanager
def constant_nginx(body: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run an nginx of one process that answers every request with this body: what the machine can do at most."""
    port = free_port()
    # In its language of texts a dollar begins a variable.
    quoted = body.replace("\\", "\\\\").replace('"', '\\"').replace("$", "-")
    config = f"""
        events {{ worker_connections 8192; }}
        http {{
            access_log off; keepalive_requests 100000000;
            server {{
                listen 127.0.0.1:{port} backlog=4096;
                location / {{ default_type application/vnd.schemaregistry.v1+json; return 200 "{quoted}"; }}
            }}
        }}"""
    with running_nginx(config, port) as process:
        yield f"http://127.0.0.1:{port}", process


@contextmanager
def running_nginx(config: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run nginx in the foreground with a configuration, its files in a folder that goes with it."""
    with tempfile.TemporaryDirectory() as folder:
        # Its worker must be able to write here whoever it runs as.
        Path(folder).chmod(0o755)
        path = Path(folder) / "nginx.conf"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        path.write_text(config.replace("http {", f"http {{ {places}", 1))
        own = f"daemon off; pid {folder}/pid; error_log {folder}/error.log;"
        with running(["nginx", "-p", folder, "-c", str(path), "-g", own], port, "/") as process:
            yield process


def register_one(base: str) -> int:
    """Register the event of all benchmarks; answer its id."""
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


def print_table(rows: Sequence[Row]) -> None:
    """Print the rows; the ratio is to the first."""
    reference = rows[0].rate
    print(f"{'':28}{'requests/s':>12}{'ratio':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'errors':>8}{'RSS MiB':>9}")
    for row in rows:
        print(
            f"{row.name:28}{row.rate:12,.0f}{row.rate / reference:8.3f}{row.p50:9.2f}{row.p95:9.2f}{row.p99:9.2f}"
            f"{row.errors:8}{row.rss:9.0f}"
        )
