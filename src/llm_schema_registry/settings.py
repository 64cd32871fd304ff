"""What the server can be told, and where it was told: flag, then environment, then file, then default.

Refuses to start a server on a key that it does not know, and to know what a setting does.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy

PREFIX = "SCHEMA_REGISTRY_"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
URL_VARIABLE = f"{PREFIX}URL"
USER_VARIABLE = f"{PREFIX}USER"

_NO_SETTINGS = frozenset({CONFIG_VARIABLE, URL_VARIABLE, USER_VARIABLE})
"""Variables with our prefix that tell something else: where settings are, and how a client reaches a server."""

# Kubernetes tells every container of a service named `schema-registry` by variables that share our prefix.
_SERVICE_LINK = re.compile(r"SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")


class SettingsError(Exception):
    """A setting is unknown or makes no sense; the message names it, where it stands and how to mend it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the server can be told. The descriptions are the reference documentation."""

    host: Annotated[str, Meta(description="Address to listen on; 0.0.0.0 is every interface.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="TCP port to listen on; 0 picks a free one.", ge=0, le=65535)] = 8081
    workers: Annotated[
        int,
        Meta(
            description="How many processes answer on the port; each has its own caches and connections to the "
            "database. More than one needs a database that they can share.",
            ge=1,
            le=256,
        ),
    ] = 1
    database_url: Annotated[
        str,
        Meta(
            description="Where schemas are kept: sqlite:///path/to/file, sqlite:// (in memory, lost at exit) or "
            "postgresql://user:password@host/database."
        ),
    ] = "sqlite:///data/registry.db"
    database_wait_seconds: Annotated[
        float,
        Meta(description="How long the start waits for a database that cannot be reached, in seconds.", ge=0, le=600),
    ] = 15.0
    replica_url: Annotated[
        str,
        Meta(
            description="A PostgreSQL that follows the one of database_url: searches and bulk checks, whose answers "
            "may be a moment old, are asked there. Empty: there is none."
        ),
    ] = ""
    database_pool_size: Annotated[
        int,
        Meta(
            description="Connections to the database for reading, and again as many for writing; of each worker.", ge=1
        ),
    ] = 10
    database_statement_seconds: Annotated[
        float, Meta(description="Longest time that PostgreSQL may take for one statement, in seconds.", gt=0)
    ] = 30.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Least level that is logged; every request is one line at info."),
    ] = "info"
    default_compatibility: Annotated[
        CompatibilityLevel,
        Meta(description="Compatibility level where none is set for a subject, its context or the top level."),
    ] = CompatibilityLevel.BACKWARD
    default_compatibility_policy: Annotated[
        CompatibilityPolicy,
        Meta(
            description="How differences are judged where nothing is set: STRICT, LENIENT and LOGICAL as Confluent "
            "does, SOUND by what happens to data."
        ),
    ] = CompatibilityPolicy.STRICT
    comparison_milliseconds: Annotated[
        float,
        Meta(description="CPU time that each direction of comparing two schemas may take; more is refused.", gt=0),
    ] = 100.0
    job_retention_days: Annotated[
        float, Meta(description="How many days a compatibility job is kept after it ended, with its results.", ge=0)
    ] = 7.0
    require_owner: Annotated[bool, Meta(description="Refuse to register a schema whose metadata names no owner.")] = (
        False
    )
    avro_rules: Annotated[
        Literal["1.12", "1.11"],
        Meta(description="Java Avro release whose rules for valid schemas apply; 1.11 is more lenient."),
    ] = "1.12"
    legacy_409_code: Annotated[
        bool,
        Meta(description="Answer an incompatible schema with error_code 409, as servers before 8.0 did, not 40901."),
    ] = False
    max_body_bytes: Annotated[int, Meta(description="Largest request body, in bytes.", ge=1)] = 10 * 1024 * 1024
    max_schema_bytes: Annotated[
        int, Meta(description="Largest schema text, in bytes of UTF-8; a larger one is refused with 42209.", ge=1)
    ] = 10 * 1024 * 1024
    request_timeout_seconds: Annotated[
        float, Meta(description="Longest time that one request may take, in seconds.", gt=0, le=3600)
    ] = 30.0
    max_connections: Annotated[
        int,
        Meta(
            description="Clients' connections that each worker keeps open at once; further ones wait until one closes.",
            ge=1,
        ),
    ] = 10_000
    answer_cache_bytes: Annotated[
        int,
        Meta(description="Memory for finished answers of reads by id and guid, in bytes; 0 keeps none.", ge=0),
    ] = 32 * 1024 * 1024
    value_cache_bytes: Annotated[
        int,
        Meta(
            description="Memory for versions, lists and settings that were read, in bytes; 0 keeps none. None is "
            "answered from there without asking the database first whether it still holds.",
            ge=0,
        ),
    ] = 32 * 1024 * 1024
    redis_url: Annotated[
        str,
        Meta(
            description="Redis in which instances on one database share what they read: redis://host:6379/0, "
            "rediss://, unix:///path or redis+cluster://host:6379; empty is none. Nothing depends on it."
        ),
    ] = ""
    redis_prefix: Annotated[
        str, Meta(description="What each key and channel in Redis begins with, where several registries share it.")
    ] = ""
    kafka_cluster: Annotated[str, Meta(description="Name of the Kafka cluster that /v1/metadata/id answers.")] = ""
    registry_cluster: Annotated[str, Meta(description="Name of this registry that /v1/metadata/id answers.")] = (
        "schema-registry"
    )


FIELDS: Mapping[str, msgspec.structs.FieldInfo] = {field.name: field for field in msgspec.structs.fields(Settings)}


def describe(name: str) -> str:
    """Return the description of a setting."""
    type_ = msgspec.inspect.type_info(FIELDS[name].type)
    schema = type_.extra_json_schema if isinstance(type_, msgspec.inspect.Metadata) else None
    return str((schema or {})["description"])


def load_settings(
    flags: Mapping[str, object], environment: Mapping[str, str], config_file: Path | None = None
) -> Settings:
    """Merge the sources of settings. A flag that is None was not given.

    Without `config_file` the variable SCHEMA_REGISTRY_CONFIG may name one. Raises SettingsError.
    """
    named = environment.get(CONFIG_VARIABLE)
    path = config_file or (Path(named) if named else None)
    values: dict[str, object] = {}
    for source in (
        _of_file(path) if path else {},
        _of_environment(environment),
        {name: (f"--{name.replace('_', '-')}", value) for name, value in flags.items() if value is not None},
    ):
        for name, (origin, value) in source.items():
            values[name] = _read(name, origin, value)
    return Settings(**values)  # type: ignore[arg-type]  # each value was converted to its field's type


def without_password(url: str) -> str:
    """Return a URL as it may be shown: its password and its query's values hidden."""
    place, mark, query = url.partition("?")
    place = re.sub(r"://([^/:@]*):[^/]*@", r"://\1:***@", place)
    return f"{place}{mark}{re.sub('=[^&]*', '=***', query)}"


def _of_file(path: Path) -> dict[str, tuple[str, object]]:
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"The settings file {path} is not TOML: {error}") from None
    return {_known(name, f"{path}"): (f"{path}: {name}", value) for name, value in document.items()}


def _of_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, object]]:
    found: dict[str, tuple[str, object]] = {}
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX)
        if not variable.startswith(PREFIX) or variable in _NO_SETTINGS or _is_service_link(name, value):
            continue
        found[_known(name.lower(), "the environment", shown=variable)] = (variable, value)
    return found


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name)) or (name == "PORT" and "://" in value)


def _known(name: str, place: str, shown: str | None = None) -> str:
    if name in FIELDS:
        return name
    near = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0)[0]
    mend = f"{PREFIX}{near.upper()}" if shown else near
    raise SettingsError(f"Unknown setting {shown or name} in {place}; the nearest one is {mend}")


def _read(name: str, origin: str, value: object) -> Any:  # noqa: ANN401 - of the field's own type
    try:
        return msgspec.convert(value, FIELDS[name].type, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{origin} makes no sense: {error}. {describe(name)}") from None
