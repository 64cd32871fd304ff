"""`backup` and `restore`: a registry's database into a folder or an object store, and back.

Refuses to know how; it needs the server's packages and reaches the database itself, not a server.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from llm_schema_registry.cli.failure import Failure
from llm_schema_registry.cli.output import Output, print_json, print_text
from llm_schema_registry.cli.session import Session, command
from llm_schema_registry.errors import RegistryError
from llm_schema_registry.settings import CONFIG_VARIABLE, SettingsError, describe, load_settings

app = typer.Typer()

_PLACE = "A folder, or s3://bucket/prefix with credentials and endpoint in the AWS_ variables."
DatabaseUrl = Annotated[str | None, typer.Option(help=describe("database_url"), show_default=False)]
ConfigFile = Annotated[
    Path | None,
    typer.Option(help=f"TOML file with settings by name; {CONFIG_VARIABLE} may name it too.", show_default=False),
]


@command(app, "backup", "lsr backup /backups/registry", "lsr backup s3://backups/registry --keep-days 30")
def backup(
    session: Session,
    target: Annotated[str, typer.Argument(help=_PLACE)],
    keep_days: Annotated[
        float | None,
        typer.Option(min=0, help="Afterwards remove backups that are older than this.", show_default=False),
    ] = None,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
) -> None:
    """Back up the database while the server runs; what the target has already is not sent again."""
    url = _database_url(database_url, config)
    with _failures():
        from llm_schema_registry.backup.objects import Objects  # noqa: PLC0415 - needs the server's packages
        from llm_schema_registry.backup.retention import retain  # noqa: PLC0415 - as above
        from llm_schema_registry.backup.save import save  # noqa: PLC0415 - as above

        objects = Objects(target, is_new=True)
        saved = asyncio.run(save(url, objects))
        removed = None if keep_days is None else retain(objects, keep_days)
    if session.output is Output.JSON:
        print_json(msgspec.to_builtins(saved) | ({} if removed is None else {"removed": msgspec.to_builtins(removed)}))
        return
    print_text(
        f"{saved.name}: {saved.rows} rows, log position {saved.log_position}; {saved.sent} chunks sent "
        f"({saved.sent_bytes} bytes), {saved.found} were there"
    )
    if removed is not None:
        print_text(f"removed {removed.backups} backups and {removed.chunks} chunks")


@command(
    app,
    "restore",
    "lsr restore s3://backups/registry --list",
    "lsr restore /backups/registry --database-url sqlite:///data/restored.db",
)
def restore(
    session: Session,
    source: Annotated[str, typer.Argument(help=_PLACE)],
    at: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which backup; the newest unless said.", show_default=False)
    ] = None,
    above_position: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How far the log of the lost database had come; ids go on exactly behind. A million are skipped "
            "unless said.",
            show_default=False,
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Only list the backups, the oldest first.")] = False,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
) -> None:
    """Restore a backup into an empty database, SQLite's or PostgreSQL's. No id that was given out comes again."""
    with _failures():
        from llm_schema_registry.backup import manifest  # noqa: PLC0415 - needs the server's packages
        from llm_schema_registry.backup.objects import Objects  # noqa: PLC0415 - as above
        from llm_schema_registry.backup.restore import restore as restore_into  # noqa: PLC0415 - as above

        objects = Objects(source)
        if list_:
            names = manifest.names(objects)
            session.show(names, ("backup", "taken"), ((name, manifest.taken_at(name).isoformat()) for name in names))
            return
        restored = asyncio.run(restore_into(objects, _database_url(database_url, config), at, above_position))
    if session.output is Output.JSON:
        print_json(msgspec.to_builtins(restored))
        return
    print_text(
        f"{restored.name}: {restored.rows} rows, log position {restored.log_position}; {restored.skipped_ids} ids are "
        "skipped in every context"
    )


def _database_url(flag: str | None, config: Path | None) -> str:
    try:
        return load_settings({"database_url": flag}, os.environ, config).database_url
    except SettingsError as error:
        raise Failure(str(error)) from None


@contextmanager
def _failures() -> Iterator[None]:
    try:
        from llm_schema_registry.backup.failure import BackupFailed  # noqa: PLC0415 - as below

        yield
    except ImportError as error:
        raise Failure(str(error), "This needs: pip install 'llm-schema-registry[server]'") from None
    except (BackupFailed, RegistryError, ValueError) as error:
        raise Failure(str(error)) from None
