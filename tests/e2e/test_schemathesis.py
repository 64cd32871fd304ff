"""The description of the API against the API: generated requests, every answer as described, no fault of the server.

`make schemathesis` runs the long form: every phase, 200 examples an operation, other ones each time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

from server_process import running_server

SHORT = ("--phases", "examples,fuzzing", "--max-examples", "40", "--generation-deterministic")
LONG = ("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "200", "--generation-database", "none")

# Left out: negative_data_rejection and positive_data_acceptance. By Confluent's contract unknown members are ignored
# and a boolean that is none is false, and what a schema's text may be is not for OpenAPI to say.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "allow_header_conformance",
)


def test_generated_requests_are_answered_as_described(tmp_path: Path) -> None:
    with running_server() as server:
        # What the description's examples name exists, so that they reach beyond 404.
        for schema in ('"int"', '"long"'):
            httpx.post(f"{server.url}/subjects/orders-value/versions", json={"schema": schema}).raise_for_status()
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"]
        # A slow machine is no fault of the API.
        options = ["--checks", ",".join(CHECKS), "--request-timeout", "60", "--suppress-health-check", "all"]
        chosen = LONG if os.environ.get("SCHEMATHESIS") == "long" else SHORT
        found = subprocess.run(
            [*command, *options, *chosen, "--no-color", "--continue-on-failure", "--warnings", "off"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    print(found.stdout)
    assert found.returncode == 0, found.stdout[-20_000:] + found.stderr[-2_000:]
