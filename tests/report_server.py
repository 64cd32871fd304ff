"""A registry of one report, and the command that asks it.

Refuses to judge: a test states the report.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cli_command import Cli, Done


def place(path: str, line: int | None = None, column: int | None = None) -> dict[str, Any]:
    return {"path": path, "line": line, "column": column}


def finding(**stated: object) -> dict[str, Any]:
    """A finding as a server writes it; what is not stated is empty."""
    empty = dict.fromkeys(("before", "after", "sample", "outcome", "explanation", "remedy", "message"), "")
    usual = {"kind": "KIND", "severity": "breaking", "direction": "BACKWARD", "version": 1}
    return {**empty, **usual, "reader": place(""), "writer": place(""), **stated}


class Answer(BaseHTTPRequestHandler):
    """A registry that knows one report."""

    server: AnsweringServer

    def do_POST(self) -> None:  # the name that http.server calls
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, json.loads(body)))
        self._answer(self.server.report)

    def do_GET(self) -> None:  # the name that http.server calls
        self.server.asked.append((self.path, None))
        self._answer({"definition": self.server.texts[int(self.path.rpartition("/")[2])]})

    def _answer(self, value: object) -> None:
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the signature of http.server
        """Say nothing."""


class AnsweringServer(ThreadingHTTPServer):
    def __init__(self) -> None:
        self.report: object = {}
        self.texts: dict[int, str] = {}
        self.asked: list[tuple[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Answer)


class Peer:
    """A server whose report a test states, and the command that asks it about the file `new.avsc`."""

    def __init__(self, server: AnsweringServer, folder: Path) -> None:
        self.server = server
        self.cli = Cli(folder, f"http://127.0.0.1:{server.server_port}")
        self.cli.write("new.avsc", "new text")

    def answers(self, *findings: dict[str, Any], texts: dict[int, str] | None = None, **stated: object) -> None:
        breaks = any(found["severity"] == "breaking" for found in findings)
        usual = {
            "is_compatible": not breaks,
            "level": "BACKWARD",
            "policy": "STRICT",
            "compared_versions": [1],
            "hazards_complete": True,
            "findings": list(findings),
            "messages": [found["message"] for found in findings if found["severity"] == "breaking"],
            "subject": "orders",
        }
        self.server.report = {**usual, **stated}
        self.server.texts = texts or {}

    def check(self, *arguments: str, **environment: str) -> Done:
        return self.cli.run("check", "--subject", "orders", "new.avsc", *arguments, **environment)

    def lines(self, *arguments: str) -> list[str]:
        return self.check(*arguments).stdout.splitlines()
