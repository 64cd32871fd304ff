"""What every command is given: which server, as whom, and in which form to answer.

Refuses to know any command. The options stand before or after a command's name; after it wins.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Annotated, Concatenate, ParamSpec

import typer

from llm_schema_registry.cli.failure import Failure
from llm_schema_registry.cli.output import Output, print_json, print_table
from llm_schema_registry.cli.remote import Remote
from llm_schema_registry.settings import URL_VARIABLE, USER_VARIABLE

P = ParamSpec("P")

DEFAULT_URL = "http://127.0.0.1:8081"
_PANEL = "Connection and output"


@dataclass(frozen=True)
class Session:
    """The settings of one command. `user` is `NAME:PASSWORD`, or `NAME` alone to be asked for the password."""

    url: str
    user: str
    output: Output

    @cached_property
    def remote(self) -> Remote:
        """The server. Raises Failure when a password is missing and nobody is there to ask."""
        return Remote(self.url, self._credentials())

    def show(self, value: object, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write an answer: the value as JSON, or the rows as a table."""
        if self.output is Output.JSON:
            print_json(value)
        else:
            print_table(columns, rows)

    def _credentials(self) -> tuple[str, str] | None:
        name, separator, password = self.user.partition(":")
        if not name:
            return None
        if not separator:
            if not sys.stdin.isatty():
                raise Failure(f"the password of '{name}' is missing", "Give --user NAME:PASSWORD.")
            password = typer.prompt(f"Password of {name}", hide_input=True, err=True)
        return name, password


Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help=f"Where the registry is. Else {URL_VARIABLE}, else {DEFAULT_URL}.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
User = Annotated[
    str | None,
    typer.Option(
        metavar="NAME:PASSWORD",
        help=f"Credentials for Basic authentication. Else {USER_VARIABLE}, which lists of processes do not show.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
OutputForm = Annotated[
    Output | None,
    typer.Option("--output", "-o", help="How to answer; table unless said.", rich_help_panel=_PANEL),
]


def open_session(ctx: typer.Context, url: Url = None, user: User = None, output: OutputForm = None) -> Session:
    """Return the session of a command: its own options, then those before its name, then the environment."""
    base = ctx.obj
    if not isinstance(base, Session):
        base = Session(
            url=os.environ.get(URL_VARIABLE) or DEFAULT_URL,
            user=os.environ.get(USER_VARIABLE) or "",
            output=Output.TABLE,
        )
    return Session(
        url=base.url if url is None else url,
        user=base.user if user is None else user,
        output=base.output if output is None else output,
    )


_SHARED = tuple(inspect.signature(open_session, eval_str=True).parameters.values())


def command(
    app: typer.Typer, name: str, *examples: str
) -> Callable[[Callable[Concatenate[Session, P], None]], Callable[Concatenate[Session, P], None]]:
    """Add a function to an app: its first parameter is the session, the others are its own options and arguments."""

    def add(function: Callable[Concatenate[Session, P], None]) -> Callable[Concatenate[Session, P], None]:
        @wraps(function)
        def run(
            ctx: typer.Context,
            url: str | None,
            user: str | None,
            output: Output | None,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> None:
            function(open_session(ctx, url, user, output), *args, **kwargs)

        signature = inspect.signature(function, eval_str=True)
        own = tuple(signature.parameters.values())[1:]
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *_SHARED)]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # what Typer reads
        app.command(name, epilog="\n  ".join(("Examples:", *examples)))(run)
        return function

    return add
