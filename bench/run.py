"""`make bench`: how many reads and registrations one server on SQLite answers, beside nginx with a constant body.

Starts its own servers on loopback, loads them with wrk for a few seconds each, prints a table and stops them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator

from measure import BIN, EVENT, Row, constant_nginx, etag_of, free_port, load, print_table, register_one, running


def reads(base: str, schema_id: int) -> Iterator[tuple[str, str, str]]:
    """The reads that are measured: name, address, script of wrk."""
    by_id = f"{base}/schemas/ids/{schema_id}"
    subject = f"{base}/subjects/bench-value"
    yield "read by id", by_id, "report.lua"
    os.environ["BENCH_ETAG"] = etag_of(by_id)
    yield "read by id, 304", by_id, "conditional.lua"
    yield "read by id, not kept", f"{by_id}?subject=unused", "report.lua"
    yield "latest", f"{subject}/versions/latest", "report.lua"
    yield "version", f"{subject}/versions/1", "report.lua"
    yield "versions list", f"{subject}/versions", "report.lua"
    yield "subjects page", f"{base}/subjects?limit=100", "report.lua"
    yield "config", f"{base}/config/bench-value?defaultToGlobal=true", "report.lua"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="length of each load")
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    rows: list[Row] = []
    body = os.environ["BENCH_BODY"] = json.dumps({"schema": json.dumps(EVENT)})
    bare_port, port = free_port(), free_port()
    bare = [str(BIN / "granian"), "--interface", "asgi", "--port", str(bare_port), "bare:app"]
    with tempfile.TemporaryDirectory() as folder:
        serve = [str(BIN / "llm-schema-registry"), "serve", "--port", str(port), "--log-level", "warning"]
        serve += ["--database-url", f"sqlite:///{folder}/registry.db"]
        with (
            constant_nginx(body) as (nginx_url, nginx),
            running(bare, bare_port, "/") as bare_server,
            running(serve, port, "/subjects") as server,
        ):
            base = f"http://127.0.0.1:{port}"
            schema_id = register_one(base)
            rows.append(
                load("nginx, constant body", nginx_url, "report.lua", nginx, options.seconds, options.connections)
            )
            bare_url = f"http://127.0.0.1:{bare_port}/"
            rows.append(
                load(
                    "bare ASGI, constant body",
                    bare_url,
                    "report.lua",
                    bare_server,
                    options.seconds,
                    options.connections,
                )
            )
            for name, url, script in reads(base, schema_id):
                rows.append(load(name, url, script, server, options.seconds, options.connections))
            rows.append(load("register, with check", base, "register.lua", server, options.seconds, 32))
    print_table(rows)
    if any(row.errors for row in rows):
        raise SystemExit("some requests failed")


if __name__ == "__main__":
    main()
