"""`check`: whether a schema may follow the versions of a subject.

Refuses to judge: the server does, with the same gate that a registration passes.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llm_schema_registry.cli.failure import Refused
from llm_schema_registry.cli.findings import Finding, findings_of, version_of
from llm_schema_registry.cli.output import Output, print_json, print_line
from llm_schema_registry.cli.remote import Remote, path
from llm_schema_registry.cli.schema_file import Normalize, References, SchemaFile, SchemaType, confluent_body
from llm_schema_registry.cli.session import Session, command

INCOMPATIBLE_EXIT_CODE = 100
"""Tells an incompatible schema from a command that failed (1)."""

EVERY_VERSION = "all"
_SUBJECT_NOT_FOUND = 40401

app = typer.Typer()


@command(
    app,
    "check",
    "lsr check orders-value order.avsc",
    "lsr check orders-value order.avsc --version all --output json",
)
def check(
    session: Session,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Name of the subject.")],
    file: SchemaFile,
    schema_type: SchemaType = None,
    reference: References = None,
    version: Annotated[
        str | None,
        typer.Option(
            metavar="latest|N|all",
            help="Compare with this version, or with each. Unless said: with those a registration compares.",
            show_default=False,
        ),
    ] = None,
    normalize: Normalize = False,
) -> None:
    """Say whether a schema could be registered. Exit code 0: compatible; 100: incompatible; 1: no answer."""
    body = confluent_body(file, schema_type, reference)
    existing = _version_numbers(session.remote, subject)
    asked: list[str | None] = [version]
    if version == EVERY_VERSION:
        asked = [*map(str, existing)] or [None]
    results = [_ask(session.remote, subject, body, token, normalize=normalize) for token in asked]
    incompatible = [result for result in results if result is not None]
    if session.output is Output.JSON:
        print_json(
            {
                "subject": subject,
                "is_compatible": not incompatible,
                "findings": [
                    {"version": number, "kind": finding.kind, "path": finding.path, "reason": finding.reason}
                    for number, findings in incompatible
                    for finding in findings
                ],
            }
        )
    else:
        for number, findings in incompatible:
            for finding in findings:
                print_line(str(finding))
            print_line(f"incompatible with {'' if number is None else f'version {number} of '}{subject}")
        if not incompatible:
            print_line(f"compatible with {subject}" if existing else f"compatible: {subject} has no version yet")
    if incompatible:
        raise typer.Exit(INCOMPATIBLE_EXIT_CODE)


def _version_numbers(remote: Remote, subject: str) -> list[int]:
    try:
        numbers: list[int] = remote.get(path("subjects", subject, "versions"))
    except Refused as refused:
        if refused.code == _SUBJECT_NOT_FOUND:
            return []
        raise
    return numbers


def _ask(
    remote: Remote, subject: str, body: dict[str, Any], version: str | None, *, normalize: bool
) -> tuple[int | None, list[Finding]] | None:
    """Return None for compatible, else the version that the schema breaks with and how.

    The reasons are asked for in a second request, since the verbose form answers an invalid schema as an incompatible
    one (rest-api section 14, trap 12).
    """
    target = path("compatibility", "subjects", subject, "versions")
    if version is not None:
        target += path(version)
    if remote.post(target, body, {"normalize": normalize})["is_compatible"]:
        return None
    messages = remote.post(target, body, {"normalize": normalize, "verbose": True}).get("messages", [])
    number = version_of(messages)
    if number is None and version is not None and version.isdigit():
        number = int(version)
    return number, findings_of(messages)
