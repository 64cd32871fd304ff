"""The command line: which commands there are.

Refuses to know what any of them does.
"""

from __future__ import annotations

from typing import Annotated

import typer

from llm_schema_registry import __version__
from llm_schema_registry.cli.serve import serve

app = typer.Typer(name="llm-schema-registry", no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(serve)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Schema registry and data contracts for platforms that run LLMs."""


def main() -> None:
    """Run the command line."""
    app()
