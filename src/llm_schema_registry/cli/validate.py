"""`validate`: payloads in files, held against a registered contract.

Refuses to judge: the server does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_schema_registry.cli.failure import Failure
from llm_schema_registry.cli.remote import path
from llm_schema_registry.cli.session import Session, command
from llm_schema_registry.model import RuleMode

INVALID_EXIT_CODE = 100
LINES_SUFFIXES = (".ndjson", ".jsonl")
ENCODINGS = ("json", "binary", "framed")

app = typer.Typer()


@command(
    app,
    "validate",
    "lsr validate telemetry.inference-event event.json",
    "lsr validate cost.charge charges.ndjson --version 3",
    "lsr validate telemetry.inference-event event.avro --encoding binary",
)
def validate(
    session: Session,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Whose contract.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="A payload, or one a line (.ndjson, .jsonl); - is stdin.")
    ],
    version: Annotated[str, typer.Option(metavar="latest|N", help="Which version.")] = "latest",
    encoding: Annotated[str, typer.Option(metavar="|".join(ENCODINGS), help="How payloads are encoded.")] = "json",
    mode: Annotated[RuleMode, typer.Option(metavar="WRITE|READ", help="Which rules run.")] = RuleMode.WRITE,
    message: Annotated[
        str | None, typer.Option(metavar="NAME", help="Full name of a Protobuf message.", show_default=False)
    ] = None,
) -> None:
    """Say whether payloads keep their contract: structure, constraints, rules. Exit code 0: they do; 100: they do not.

    Notes (level WARN) are shown, and are no failure.
    """
    if encoding not in ENCODINGS or mode not in {RuleMode.WRITE, RuleMode.READ}:
        raise typer.BadParameter("--encoding is json, binary or framed, and --mode is WRITE or READ")
    query = {"encoding": encoding, "mode": mode, "message": message}
    target = path("v1", "subjects", subject, "versions", version, "validate")
    found: list[dict[str, Any]] = []
    for file in files:
        content = _content(file)
        is_lines = file.suffix in LINES_SUFFIXES
        media_type = "application/x-ndjson" if is_lines else "application/json"
        places = _places(file, content) if is_lines else [str(file)]
        found.extend(
            {"file": places[answer.get("index", 0)], **answer}
            for answer in session.remote.judge(target, content, media_type, query)
        )
    rows = [row for answer in found for row in _rows(answer)]
    session.show(found, ("payload", "level", "what", "path", "message"), rows)
    if not all(answer.get("valid") for answer in found):
        raise typer.Exit(INVALID_EXIT_CODE)


def _places(file: Path, content: bytes) -> list[str]:
    """Name the lines that hold payloads, and the end; the server leaves out empty ones."""
    lines = content.split(b"\n")
    return [*(f"{file}:{number}" for number, line in enumerate(lines, 1) if line.strip()), f"{file}:{len(lines)}"]


def _rows(answer: dict[str, Any]) -> list[tuple[object, ...]]:
    broken = [*answer.get("violations", ()), *answer.get("annotations", ())]
    if not broken:
        return [(answer["file"], "", "valid" if answer.get("valid") else "error", "", answer.get("message", ""))]
    return [
        (answer["file"], each["level"], each.get("rule") or each["kind"], each["path"], each["message"])
        for each in broken
    ]


def _content(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from None
