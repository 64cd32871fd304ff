"""The command line: which commands there are.

Refuses to know what any of them does.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llm_schema_registry import __version__
from llm_schema_registry.cli import backup, catalogue, check, config, mode, schema, validate
from llm_schema_registry.cli.failure import Failure
from llm_schema_registry.cli.output import harmless
from llm_schema_registry.cli.serve import serve
from llm_schema_registry.cli.session import OutputForm, Url, User, open_session

_USAGE_EXIT_CODE = 2

app = typer.Typer(name="llm-schema-registry", no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(serve)
app.add_typer(schema.app, name="schema")
app.add_typer(check.app)
app.add_typer(config.app, name="config")
app.add_typer(mode.app, name="mode")
app.add_typer(backup.app)
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(validate.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    ctx: typer.Context,
    url: Url = None,
    user: User = None,
    output: OutputForm = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Schema registry and data contracts for platforms that run LLMs."""
    ctx.obj = open_session(ctx, url, user, output)


def main() -> None:
    """Run the command line. Exit codes: 0 done; 100 `check` or `validate` found something; 1 everything else."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name must not stop its listing
    try:
        app()
    except Failure as failure:
        typer.echo(harmless(f"{failure.title}: {failure}"), err=True)
        if failure.hint:
            typer.echo(failure.hint, err=True)
        raise SystemExit(1) from None
    except SystemExit as end:
        raise SystemExit(1 if end.code == _USAGE_EXIT_CODE else end.code) from None
