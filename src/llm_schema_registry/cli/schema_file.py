"""A schema in a file or on standard input, with what must be said about it to a server.

Refuses to understand the schema: that is the server's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_schema_registry.cli.failure import Failure
from llm_schema_registry.errors import InvalidVersion
from llm_schema_registry.names import parse_version

STANDARD_INPUT = "-"
MAX_BYTES = 64 * 1024 * 1024
"""More than any server takes; bounds what an endless file can do to us."""

SchemaFile = Annotated[str, typer.Argument(metavar="FILE", help="File with the schema; - is standard input.")]
SchemaType = Annotated[
    str | None,
    typer.Option(
        "--type", help="AVRO, JSON or PROTOBUF. Unless said, .avsc, .json or .proto tell.", show_default=False
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        metavar="NAME=SUBJECT:VERSION",
        help="A registered version that the schema names; VERSION may be latest. Repeat for more.",
        show_default=False,
    ),
]
Normalize = Annotated[bool, typer.Option("--normalize", help="Normalise the schema before it is compared.")]


def read_schema(file: str) -> str:
    """Read a schema's text. Raises Failure for what cannot be read, is no UTF-8 or too large."""
    try:
        if file == STANDARD_INPUT:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from None
    return decode_schema(data, file)


def read_json(file: str) -> object:
    """Read a document beside a schema, such as its rules. Raises Failure, also for what is no JSON."""
    try:
        document: object = json.loads(read_schema(file))
    except (ValueError, RecursionError) as error:
        raise Failure(f"{file} is not JSON: {error}") from None
    return document


def decode_schema(data: bytes, file: str) -> str:
    """Return the text that a file's bytes hold. Raises Failure for what is no UTF-8 or too large."""
    if len(data) > MAX_BYTES:
        raise Failure(f"{file} is larger than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8: byte {error.start} cannot be read") from None


def type_of(file: str, given: str | None) -> str:
    """Return the schema type that was given or that the file's name tells. Raises Failure when neither does."""
    if given is not None:
        return given.upper()
    from llm_schema_registry.formats import FILE_SUFFIXES  # noqa: PLC0415  # loads every format's engine

    try:
        return FILE_SUFFIXES[Path(file).suffix.lower()]
    except KeyError:
        source = "standard input" if file == STANDARD_INPUT else file
        raise Failure(f"cannot tell the schema type of {source}", "Add --type AVRO, JSON or PROTOBUF.") from None


def reference_bodies(texts: Sequence[str] | None) -> list[dict[str, Any]]:
    """Read `NAME=SUBJECT:VERSION`; a name may hold `=`, a subject `:`. Raises Failure."""
    return [_reference_body(text) for text in texts or ()]


def confluent_body(file: str, schema_type: str | None, references: Sequence[str] | None) -> dict[str, Any]:
    """Write the body of a lookup or check (rest-api section 3)."""
    return {
        "schema": read_schema(file),
        "schemaType": type_of(file, schema_type),
        "references": reference_bodies(references),
    }


def _reference_body(text: str) -> dict[str, Any]:
    target, _, version = text.rpartition(":")
    name, _, subject = target.rpartition("=")
    if not (name and subject):
        raise Failure(
            f"the reference '{text}' cannot be read", "Give --reference NAME=SUBJECT:VERSION; VERSION may be latest."
        )
    try:
        return {"name": name, "subject": subject, "version": parse_version(version)}
    except InvalidVersion as error:
        raise Failure(f"the reference '{text}' cannot be read: {error}") from None
