"""`serve`: run the server.

Refuses to know settings' meanings; flags only name them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy
from llm_schema_registry.settings import CONFIG_VARIABLE, SettingsError, describe, load_settings


def serve(
    config: Annotated[
        Path | None, typer.Option(help=f"TOML file with settings by name; {CONFIG_VARIABLE} may name it too.")
    ] = None,
    host: Annotated[str | None, typer.Option(help=describe("host"))] = None,
    port: Annotated[int | None, typer.Option(help=describe("port"))] = None,
    workers: Annotated[int | None, typer.Option(help=describe("workers"))] = None,
    database_url: Annotated[str | None, typer.Option(help=describe("database_url"))] = None,
    database_wait_seconds: Annotated[float | None, typer.Option(help=describe("database_wait_seconds"))] = None,
    replica_url: Annotated[str | None, typer.Option(help=describe("replica_url"))] = None,
    database_pool_size: Annotated[int | None, typer.Option(help=describe("database_pool_size"))] = None,
    database_statement_seconds: Annotated[
        float | None, typer.Option(help=describe("database_statement_seconds"))
    ] = None,
    log_level: Annotated[str | None, typer.Option(help=describe("log_level"))] = None,
    default_compatibility: Annotated[
        CompatibilityLevel | None,
        typer.Option(help=describe("default_compatibility"), case_sensitive=False),
    ] = None,
    default_compatibility_policy: Annotated[
        CompatibilityPolicy | None,
        typer.Option(help=describe("default_compatibility_policy"), case_sensitive=False),
    ] = None,
    comparison_milliseconds: Annotated[float | None, typer.Option(help=describe("comparison_milliseconds"))] = None,
    require_owner: Annotated[bool | None, typer.Option(help=describe("require_owner"))] = None,
    avro_rules: Annotated[str | None, typer.Option(help=describe("avro_rules"))] = None,
    legacy_409_code: Annotated[
        bool | None, typer.Option("--legacy-409-code/--no-legacy-409-code", help=describe("legacy_409_code"))
    ] = None,
    max_body_bytes: Annotated[int | None, typer.Option(help=describe("max_body_bytes"))] = None,
    max_schema_bytes: Annotated[int | None, typer.Option(help=describe("max_schema_bytes"))] = None,
    request_timeout_seconds: Annotated[float | None, typer.Option(help=describe("request_timeout_seconds"))] = None,
    max_connections: Annotated[int | None, typer.Option(help=describe("max_connections"))] = None,
    answer_cache_bytes: Annotated[int | None, typer.Option(help=describe("answer_cache_bytes"))] = None,
    value_cache_bytes: Annotated[int | None, typer.Option(help=describe("value_cache_bytes"))] = None,
    redis_url: Annotated[str | None, typer.Option(help=describe("redis_url"))] = None,
    redis_prefix: Annotated[str | None, typer.Option(help=describe("redis_prefix"))] = None,
    kafka_cluster: Annotated[str | None, typer.Option(help=describe("kafka_cluster"))] = None,
    registry_cluster: Annotated[str | None, typer.Option(help=describe("registry_cluster"))] = None,
) -> None:
    """Run the server until it is told to stop.

    Every flag can also be set by an environment variable SCHEMA_REGISTRY_<NAME>, or in the file that --config names.
    """
    flags = {name: value for name, value in locals().items() if name != "config"}
    try:
        settings = load_settings(flags, os.environ, config)
    except SettingsError as error:
        raise _refuse(error) from None
    try:
        from llm_schema_registry import server  # noqa: PLC0415 - the SDK is installed without the server's packages
    except ImportError as error:
        raise _refuse(f"{error}. The server needs: pip install 'llm-schema-registry[server]'") from None
    try:
        server.run(settings)
    except (server.StartRefused, server.WorkersFailed) as error:
        raise _refuse(error) from None
    server.leave()


def _refuse(reason: object) -> typer.Exit:
    typer.echo(f"error: {reason}", err=True)
    return typer.Exit(1)
