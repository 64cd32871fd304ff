"""`schema`: register, get, list, look up and delete schemas.

Refuses to decide anything: the server does.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from llm_schema_registry.cli.config import LEVELS
from llm_schema_registry.cli.failure import Failure, Refused
from llm_schema_registry.cli.findings import INCOMPATIBLE_CODES, readable, told
from llm_schema_registry.cli.output import Output, harmless, print_json, print_schema
from llm_schema_registry.cli.remote import path
from llm_schema_registry.cli.schema_file import (
    Normalize,
    References,
    SchemaFile,
    SchemaType,
    confluent_body,
    read_json,
    read_schema,
    reference_bodies,
    type_of,
)
from llm_schema_registry.cli.session import Session, command
from llm_schema_registry.model import CompatibilityLevel

app = typer.Typer(help="Register, read, search and delete schemas.", no_args_is_help=True)

SubjectName = Annotated[str, typer.Argument(metavar="SUBJECT", help="Name; :.ctx:name in another context.")]
Deleted = Annotated[bool, typer.Option("--deleted", help="Count soft-deleted versions too.")]

EVERY_CONTEXT = "*"


@command(
    app,
    "register",
    "lsr schema register orders-value order.avsc --owner payments --tag pii",
    "lsr schema register order-api order.proto --reference money.proto=money:latest",
    "cat order.json | lsr schema register order - --type JSON",
)
def register(
    session: Session,
    subject: SubjectName,
    file: SchemaFile,
    schema_type: SchemaType = None,
    reference: References = None,
    normalize: Normalize = False,
    owner: Annotated[str | None, typer.Option(help="Team that owns the schema.", show_default=False)] = None,
    description: Annotated[str | None, typer.Option(help="What the data is.", show_default=False)] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Tag; repeat for more.", show_default=False)] = None,
    doc_url: Annotated[str | None, typer.Option(help="Address of its documentation.", show_default=False)] = None,
    compatibility: Annotated[
        CompatibilityLevel | None,
        typer.Option(
            metavar="LEVEL", case_sensitive=False, help=f"The subject's level from now on: {LEVELS}", show_default=False
        ),
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="Number that the version must get.", show_default=False)
    ] = None,
    rule_set: Annotated[
        str | None, typer.Option(metavar="FILE", help="Rules of its contract, as JSON.", show_default=False)
    ] = None,
    metadata_property: Annotated[
        list[str] | None,
        typer.Option(
            "--property", metavar="KEY=VALUE", help="Property of its metadata; repeat for more.", show_default=False
        ),
    ] = None,
) -> None:
    """Register a schema under a subject; one that is registered already answers its version."""
    stated = {
        "version": version,
        "compatibility_mode": compatibility,
        "owner_team": owner,
        "description": description,
        "tags": tag,
        "documentation_url": doc_url,
        "rule_set": None if rule_set is None else read_json(rule_set),
        "metadata": _properties(metadata_property),
    }
    body = {
        "definition": read_schema(file),
        "schema_type": type_of(file, schema_type),
        "references": reference_bodies(reference),
        **{name: value for name, value in stated.items() if value},
    }
    try:
        answer = session.remote.post(path("v1", "subjects", subject, "versions"), body, {"normalize": normalize})
    except Refused as refused:
        if refused.code not in INCOMPATIBLE_CODES:
            raise
        raise Refused(refused.code, "\n".join(told(session.remote)) or readable(str(refused))) from None
    for line in told(session.remote):
        typer.echo(harmless(line), err=True)
    _show_identity(session, answer)


def _properties(given: list[str] | None) -> dict[str, Any]:
    """Read KEY=VALUE properties as metadata; nothing when there are none."""
    properties = dict(pair.partition("=")[::2] for pair in given or ())
    return {"properties": properties} if properties else {}


@command(
    app,
    "get",
    "lsr schema get orders-value",
    "lsr schema get orders-value --version 3 --output json",
    "lsr schema get --id 42",
)
def get(
    session: Session,
    subject: Annotated[str | None, typer.Argument(metavar="SUBJECT", help="Name of the subject.")] = None,
    version: Annotated[str, typer.Option(metavar="N|latest", help="Which version of the subject.")] = "latest",
    schema_id: Annotated[int | None, typer.Option("--id", min=0, help="Schema id.", show_default=False)] = None,
    guid: Annotated[str | None, typer.Option(help="Schema guid.", show_default=False)] = None,
    context: Annotated[str | None, typer.Option(help="Context of the id.", show_default=False)] = None,
    deleted: Deleted = False,
) -> None:
    """Print a schema's text, or with --output json everything that is known about it."""
    if sum(given is not None for given in (subject, schema_id, guid)) != 1:
        raise typer.BadParameter("name one of SUBJECT, --id and --guid")
    if subject is not None:
        answer = session.remote.get(path("v1", "subjects", subject, "versions", version), {"deleted": deleted})
    elif schema_id is not None:
        prefix = path("contexts", context) if context else ""
        answer = session.remote.get(prefix + path("v1", "schemas", "ids", schema_id))
    else:
        answer = session.remote.get(path("v1", "schemas", "guids", guid or ""))
    if session.output is Output.JSON:
        print_json(answer)
    else:
        print_schema(answer["definition"])


@command(
    app,
    "list",
    "lsr schema list --pattern 'telemetry.*'",
    "lsr schema list --tag pii --property owner:payments --output json",
)
def list_schemas(
    session: Session,
    pattern: Annotated[
        str | None, typer.Option(help="Pattern of the name; * is any characters.", show_default=False)
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Beginning of the name.", show_default=False)] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Tag that it has; repeat for more.", show_default=False)] = None,
    property_: Annotated[
        list[str] | None,
        typer.Option(
            "--property", metavar="KEY:VALUE", help="Metadata that it has; repeat for more.", show_default=False
        ),
    ] = None,
    context: Annotated[str, typer.Option(help="Only this context; * is every one.")] = EVERY_CONTEXT,
    all_versions: Annotated[bool, typer.Option("--all-versions", help="Not only the newest version.")] = False,
    deleted: Deleted = False,
) -> None:
    """List the newest version of each subject."""
    found = list(
        session.remote.pages(
            path("v1", "schemas"),
            {
                "context": context,
                "pattern": pattern,
                "prefix": prefix,
                "tag": tag,
                "property": property_,
                "latest": not all_versions,
                "deleted": deleted,
            },
        )
    )
    session.show(
        found,
        ("subject", "version", "id", "type", "compatibility", "owner", "tags", "state"),
        (
            (
                row["subject"],
                row["version"],
                row["id"],
                row["schema_type"],
                row["compatibility_mode"],
                row["owner_team"],
                row["tags"],
                _state(row),
            )
            for row in found
        ),
    )


@command(app, "versions", "lsr schema versions orders-value --deleted")
def versions(session: Session, subject: SubjectName, deleted: Deleted = False) -> None:
    """List the versions of a subject."""
    found = list(session.remote.pages(path("v1", "subjects", subject, "versions"), {"deleted": deleted}))
    session.show(
        found,
        ("version", "id", "type", "guid", "registered", "by", "state"),
        (
            (
                row["version"],
                row["id"],
                row["schema_type"],
                row["guid"],
                row["registered_at"],
                row["registered_by"],
                _state(row),
            )
            for row in found
        ),
    )


@command(app, "lookup", "lsr schema lookup orders-value order.avsc")
def lookup(
    session: Session,
    subject: SubjectName,
    file: SchemaFile,
    schema_type: SchemaType = None,
    reference: References = None,
    normalize: Normalize = False,
    deleted: Deleted = False,
) -> None:
    """Find the version of a subject that holds a schema; nothing is written."""
    body = confluent_body(file, schema_type, reference)
    found = session.remote.post(path("subjects", subject), body, {"normalize": normalize, "deleted": deleted})
    target = path("v1", "subjects", found["subject"], "versions", found["version"])
    _show_identity(session, session.remote.get(target, {"deleted": deleted}))


@command(
    app,
    "delete",
    "lsr schema delete orders-value --version 3",
    "lsr schema delete orders-value --permanent --force",
)
def delete(
    session: Session,
    subject: SubjectName,
    version: Annotated[
        str | None, typer.Option(metavar="N|latest", help="Only this version.", show_default=False)
    ] = None,
    permanent: Annotated[bool, typer.Option("--permanent", help="For good; only what is soft-deleted.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Do not ask.")] = False,
) -> None:
    """Delete a subject or one of its versions: softly first, for good with --permanent."""
    what = f"subject '{subject}'" if version is None else f"version {version} of subject '{subject}'"
    if not force:
        if not sys.stdin.isatty():
            raise Failure(f"{what} is not deleted: nobody is there to confirm it", "Add --force.")
        typer.confirm(f"Delete {what}{' for good' if permanent else ''}?", abort=True, err=True)
    query = {"permanent": permanent}
    if version is None:
        numbers = session.remote.delete(path("subjects", subject), query)
    else:
        numbers = [session.remote.delete(path("subjects", subject, "versions", version), query)]
    session.show(
        {"subject": subject, "versions": numbers, "permanent": permanent},
        ("subject", "deleted", "permanent"),
        [(subject, numbers, permanent)],
    )


def _show_identity(session: Session, row: dict[str, Any]) -> None:
    session.show(
        row,
        ("subject", "version", "id", "type", "guid"),
        [(row["subject"], row["version"], row["id"], row["schema_type"], row["guid"])],
    )


def _state(row: dict[str, Any]) -> str:
    return "deleted" if row["deleted"] else str(row["state"]).lower()
