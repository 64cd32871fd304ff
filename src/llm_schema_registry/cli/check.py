"""`check`: whether a schema may follow earlier versions.

Refuses to judge: the engines do, here or in a server.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from shutil import get_terminal_size
from typing import Annotated

import typer

from llm_schema_registry.cli.checked import Checked, Problem
from llm_schema_registry.cli.config import LEVELS, POLICIES
from llm_schema_registry.cli.output import Colour, Output, harmless, print_text
from llm_schema_registry.cli.schema_file import Normalize, SchemaType
from llm_schema_registry.cli.session import Session, command
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy

INCOMPATIBLE_EXIT_CODE = 100
"""Tells an incompatible schema from a command that failed (1)."""

app = typer.Typer()


class ErrorFormat(StrEnum):
    """For whom the findings are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB_ACTIONS = "github-actions"
    GITLAB = "gitlab"
    JUNIT = "junit"
    SARIF = "sarif"


@command(
    app,
    "check",
    "lsr check order.avsc order-1.avsc order-2.avsc --level FULL_TRANSITIVE",
    "lsr check --against-git HEAD order.avsc price.proto --reference money.proto=money.proto",
    "lsr check --subject orders-value order.avsc --error-format json",
)
def check(
    session: Session,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="NEW [OLD]",
            help="File with the new schema, then its earlier versions, oldest first; - is standard input. "
            "With --against-git or --subject every file is a new schema.",
        ),
    ],
    against_git: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            help="Compare each file with what git has of it at this revision; one that is not there is new.",
            show_default=False,
        ),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(help="Ask the server whether the file could be registered under this name.", show_default=False),
    ] = None,
    version: Annotated[
        list[str] | None,
        typer.Option(
            metavar="latest|N",
            help="With --subject: compare with this version instead; repeat for more.",
            show_default=False,
        ),
    ] = None,
    level: Annotated[
        CompatibilityLevel | None,
        typer.Option(
            metavar="LEVEL",
            case_sensitive=False,
            help=f"{LEVELS} BACKWARD unless said, or the subject's. A transitive one looks at every earlier version, "
            "newest first; the others at the last.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        CompatibilityPolicy | None,
        typer.Option(
            metavar="POLICY",
            case_sensitive=False,
            help=f"{POLICIES} STRICT unless said, or the subject's.",
            show_default=False,
        ),
    ] = None,
    schema_type: SchemaType = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            metavar="NAME=FILE",
            help="A text that the schemas name; after those that it names itself. Repeat for more. "
            "With --subject NAME=SUBJECT:VERSION.",
            show_default=False,
        ),
    ] = None,
    normalize: Normalize = False,
    error_format: Annotated[
        ErrorFormat | None,
        typer.Option(help="How to write what was found; text unless said.", show_default=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show differences that do no harm too.")] = False,
    color: Annotated[Colour, typer.Option(help="When to write text in colours.")] = Colour.AUTO,
) -> None:
    """Say whether a schema may follow its earlier versions, which are files, what git has, or a subject's.

    Exit code 0: compatible; 100: incompatible; 1: no answer. Files are checked without a server.
    """
    if error_format is None:
        error_format = ErrorFormat.JSON if session.output is Output.JSON else ErrorFormat.TEXT
    if subject is not None:
        if len(files) != 1 or against_git is not None:
            raise typer.BadParameter("--subject takes one file, and not --against-git")
        from llm_schema_registry.cli import online  # noqa: PLC0415  # loads what only a check needs

        overrides = {"versions": version, "compatibility_mode": level, "compatibility_policy": policy}
        results = [
            online.check_subject(
                session.remote,
                subject,
                files[0],
                schema_type,
                reference,
                overrides,
                normalize=normalize,
                with_texts=error_format is ErrorFormat.TEXT,
            )
        ]
    else:
        if version or normalize:
            raise typer.BadParameter("--version and --normalize go with --subject")
        if against_git is None and len(files) == 1:
            raise typer.BadParameter("name earlier versions behind the file, or --against-git, or --subject")
        results = _check_files(files, against_git, level, policy, schema_type, reference)
    _write(results, error_format, color, is_verbose=verbose)
    if any(isinstance(checked.result, Problem) for checked in results):
        raise typer.Exit(1)
    if not all(checked.is_compatible for checked in results):
        raise typer.Exit(INCOMPATIBLE_EXIT_CODE)


def _check_files(
    files: Sequence[str],
    against_git: str | None,
    level: CompatibilityLevel | None,
    policy: CompatibilityPolicy | None,
    schema_type: str | None,
    references: Sequence[str] | None,
) -> list[Checked]:
    from llm_schema_registry.cli.git import Revision  # noqa: PLC0415  # as below
    from llm_schema_registry.cli.offline import Offline  # noqa: PLC0415  # loads every format's engine

    offline = Offline(
        level or CompatibilityLevel.BACKWARD, policy or CompatibilityPolicy.STRICT, schema_type, references
    )
    if against_git is None:
        return [offline.check_files(files)]
    revision = Revision(against_git)
    return [offline.check_since(file, revision) for file in files]


def _write(results: Sequence[Checked], error_format: ErrorFormat, colour: Colour, *, is_verbose: bool) -> None:
    if error_format is not ErrorFormat.TEXT:
        from llm_schema_registry.cli.annotations import WRITERS  # noqa: PLC0415  # loads every format's engine

        text = WRITERS[error_format](results, is_verbose=is_verbose)
        if text:
            print_text(text)
        return
    from llm_schema_registry.cli.excerpt import Layout  # noqa: PLC0415  # not needed for programs

    columns = get_terminal_size().columns if sys.stdout.isatty() else None
    for line in Layout(colour.is_wanted, columns, is_verbose).lines(results):
        print(line)
    sys.stdout.flush()  # a log that takes both streams keeps their order
    for checked in results:
        if isinstance(checked.result, Problem):
            problem = checked.result
            place = f":{problem.place.line}:{problem.place.column}" if problem.place else ""
            typer.echo(harmless(f"error: {problem.file}{place}: {problem.message}"), err=True)
