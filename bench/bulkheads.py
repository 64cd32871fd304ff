"""How long reads take while sixteen clients have hard schemas compared or compiled: one line for each kind of load.

Starts its own server on a fresh SQLite file, reads one after the other for a few seconds a line, and stops it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import multiprocessing.connection
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from server_process import ServerProcess

CLIENTS = 16
SECONDS = 6.0
FIELDS = 1_500
READS = {"by id": "/schemas/ids/1", "latest": "/subjects/read/versions/latest"}


def avro(extra: int) -> dict[str, str]:
    names = [*(f"f{index}" for index in range(FIELDS)), f"x{extra}"]
    fields = [{"name": name, "type": ["null", "string", "long"], "default": None} for name in names]
    return {"schema": json.dumps({"type": "record", "name": "R", "fields": fields})}


def json_schema(extra: int) -> dict[str, str]:
    kinds = [{"anyOf": [{"type": "string", "maxLength": index}, {"type": "integer"}]} for index in range(1, 40)]
    properties = {f"f{index}": kinds[index % len(kinds)] for index in range(FIELDS)} | {f"x{extra}": kinds[0]}
    return {"schemaType": "JSON", "schema": json.dumps({"type": "object", "properties": properties})}


def protobuf(extra: int) -> dict[str, str]:
    fields = "".join(f"string f{index} = {index + 1}; " for index in range(FIELDS))
    text = f'syntax = "proto3"; message M {{ {fields} string x{extra} = {FIELDS + 1}; }}'
    return {"schemaType": "PROTOBUF", "schema": text}


LOADS = {"none": None, "Avro": avro, "JSON Schema": json_schema, "Protobuf": protobuf}


def load(url: str, name: str, pipe: multiprocessing.connection.Connection) -> None:
    """Send checks of schemas that nobody has seen until told to stop; answer how many had which status."""
    make = LOADS[name]
    numbers = itertools.count(1)
    counted: Counter[int] = Counter()

    async def client(http: httpx.AsyncClient) -> None:
        while not pipe.poll():
            found = await http.post(f"/compatibility/subjects/{name}/versions/latest", json=make(next(numbers)))
            counted[found.status_code] += 1

    async def run() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            await http.post(f"/subjects/{name}/versions", json=make(0))
            await asyncio.gather(*(client(http) for _ in range(CLIENTS)))

    asyncio.run(run())
    pipe.send(dict(counted))


def measure(url: str, path: str) -> tuple[int, float, float, float]:
    """Return how many reads were answered, and p50, p99 and the longest in milliseconds."""
    times = []
    end = time.monotonic() + SECONDS
    with httpx.Client(base_url=url) as http:
        while time.monotonic() < end:
            started = time.perf_counter()
            http.get(path).raise_for_status()
            times.append((time.perf_counter() - started) * 1000)
            time.sleep(0.002)
    return len(times), statistics.median(times), statistics.quantiles(times, n=100)[98], max(times)


def main() -> None:
    print(f"{'load':14}{'read':8}{'reads':>8}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}   checks by status")
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder), "--log-level", "error") as server:
        httpx.post(f"{server.url}/subjects/read/versions", json={"schema": '"string"'}).raise_for_status()
        for name in LOADS:
            for kind, path in READS.items():
                ours, theirs = multiprocessing.Pipe()
                process = multiprocessing.Process(target=load, args=(server.url, name, theirs), daemon=True)
                if name != "none":
                    process.start()
                    time.sleep(1.5)
                count, p50, p99, longest = measure(server.url, path)
                checks = {}
                if name != "none":
                    ours.send("stop")
                    checks = ours.recv()
                    process.join()
                print(f"{name:14}{kind:8}{count:8}{p50:9.2f}{p99:9.2f}{longest:9.2f}   {checks or ''}")


if __name__ == "__main__":
    main()
