"""`config`: the settings of subjects, contexts and the top level.

Refuses to decide anything: the server does.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llm_schema_registry.cli.remote import path
from llm_schema_registry.cli.session import Session, command
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, ValidationLevel

LEVELS = "BACKWARD, FORWARD or FULL, each also with _TRANSITIVE behind it, or NONE."
POLICIES = "STRICT, LENIENT, LOGICAL or SOUND."

app = typer.Typer(help="Read and change settings, compatibility levels above all.", no_args_is_help=True)

Scope = Annotated[
    str | None, typer.Argument(metavar="SUBJECT", help="Subject, or :.ctx: for a context; the top level unless said.")
]
Effective = Annotated[bool, typer.Option("--effective", help="Fill what is unset here from the wider scopes.")]


@command(app, "get", "lsr config get", "lsr config get orders-value --effective")
def get(session: Session, subject: Scope = None, effective: Effective = False) -> None:
    """Print the settings of a scope."""
    _show(session, session.remote.get(_target(subject), {"defaultToGlobal": effective}))


@command(
    app,
    "set",
    "lsr config set --compatibility FULL",
    "lsr config set orders-value --compatibility BACKWARD_TRANSITIVE --normalize",
    "lsr config set orders-value --unset compatibility",
)
def set_(
    session: Session,
    subject: Scope = None,
    compatibility: Annotated[
        CompatibilityLevel | None,
        typer.Option(metavar="LEVEL", case_sensitive=False, help=LEVELS, show_default=False),
    ] = None,
    policy: Annotated[
        CompatibilityPolicy | None,
        typer.Option(metavar="POLICY", case_sensitive=False, help=POLICIES, show_default=False),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Metadata property; only versions that share its value are compared.", show_default=False),
    ] = None,
    alias: Annotated[str | None, typer.Option(help="Subject that this name stands for.", show_default=False)] = None,
    normalize: Annotated[bool | None, typer.Option(help="Normalise every schema first.", show_default=False)] = None,
    validate_fields: Annotated[
        bool | None, typer.Option(help="Keep reserved field names free.", show_default=False)
    ] = None,
    validate_new_schemas: Annotated[
        bool | None, typer.Option(help="Validate new schemas strictly.", show_default=False)
    ] = None,
    validate_rules: Annotated[bool | None, typer.Option(help="Validate rule sets.", show_default=False)] = None,
    validation_level: Annotated[
        ValidationLevel | None,
        typer.Option(help="What a payload that breaks its contract means.", case_sensitive=False, show_default=False),
    ] = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SETTING", help="Setting to take back, named as `config get` names it.", show_default=False
        ),
    ] = None,
) -> None:
    """Change settings of a scope; what is not named stays."""
    stated: dict[str, Any] = {
        "compatibility": compatibility,
        "compatibilityPolicy": policy,
        "compatibilityGroup": group,
        "alias": alias,
        "normalize": normalize,
        "validateFields": validate_fields,
        "validateNewSchemas": validate_new_schemas,
        "validateRules": validate_rules,
        "validationLevel": validation_level,
    }
    changes = {name: value for name, value in stated.items() if value is not None}
    # Confluent: the level has one name when it is written and another when it is read (rest-api section 3).
    changes |= {"compatibility" if name == "compatibilityLevel" else name: None for name in unset or ()}
    if not changes:
        raise typer.BadParameter("name at least one setting to change")
    answer = session.remote.put(_target(subject), changes)
    _show(session, {"compatibilityLevel" if name == "compatibility" else name: answer[name] for name in answer})


def _target(subject: str | None) -> str:
    return path("config") if subject is None else path("config", subject)


def _show(session: Session, settings: dict[str, Any]) -> None:
    session.show(settings, ("setting", "value"), settings.items())
