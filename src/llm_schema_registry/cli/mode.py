"""`mode`: which writes subjects, contexts and the top level take.

Refuses to decide anything: the server does.
"""

from __future__ import annotations

from typing import Annotated

import typer

from llm_schema_registry.cli.config import Effective, Scope
from llm_schema_registry.cli.remote import path
from llm_schema_registry.cli.session import Session, command
from llm_schema_registry.model import Mode

app = typer.Typer(help="Read and change which writes are taken.", no_args_is_help=True)


@command(app, "get", "lsr mode get", "lsr mode get orders-value --effective")
def get(session: Session, subject: Scope = None, effective: Effective = False) -> None:
    """Print the mode of a scope."""
    answer = session.remote.get(_target(subject), {"defaultToGlobal": effective})
    session.show(answer, ("mode",), [(answer["mode"],)])


@command(app, "set", "lsr mode set READONLY", "lsr mode set IMPORT orders-value --force")
def set_(
    session: Session,
    mode: Annotated[Mode, typer.Argument(metavar="MODE", case_sensitive=False, help=f"{', '.join(Mode)}.")],
    subject: Scope = None,
    force: Annotated[bool, typer.Option("--force", help="Set IMPORT although the scope has subjects.")] = False,
) -> None:
    """Set the mode of a scope."""
    answer = session.remote.put(_target(subject), {"mode": mode}, {"force": force})
    session.show(answer, ("mode",), [(answer["mode"],)])


def _target(subject: str | None) -> str:
    return path("mode") if subject is None else path("mode", subject)
