"""Where settings come from, what is refused, what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_schema_registry.model import CompatibilityLevel
from llm_schema_registry.settings import FIELDS, Settings, SettingsError, describe, load_settings, without_password


def test_defaults() -> None:
    assert load_settings({}, {}) == Settings()
    assert (Settings().host, Settings().port) == ("127.0.0.1", 8081)


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text('port = 1\nhost = "file"\nlog_level = "error"\n')
    environment = {"SCHEMA_REGISTRY_PORT": "2", "SCHEMA_REGISTRY_HOST": "environment", "PATH": "/bin"}
    found = load_settings({"port": 3, "host": None}, environment, file)
    assert (found.port, found.host, found.log_level, found.max_body_bytes) == (3, "environment", "error", 10 * 2**20)


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text("require_owner = true")
    assert load_settings({}, {"SCHEMA_REGISTRY_CONFIG": str(file)}).require_owner


def test_texts_become_what_the_setting_is() -> None:
    found = load_settings(
        {},
        {
            "SCHEMA_REGISTRY_REQUIRE_OWNER": "true",
            "SCHEMA_REGISTRY_REQUEST_TIMEOUT_SECONDS": "1.5",
            "SCHEMA_REGISTRY_DEFAULT_COMPATIBILITY": "FULL",
        },
    )
    assert (found.require_owner, found.request_timeout_seconds) == (True, 1.5)
    assert found.default_compatibility is CompatibilityLevel.FULL


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SCHEMA_REGISTRY_DATABASEURL", "x", "SCHEMA_REGISTRY_DATABASE_URL"),
        ("SCHEMA_REGISTRY_HOST_NAME", "x", "SCHEMA_REGISTRY_HOST"),
        ("SCHEMA_REGISTRY_PORT", "x", "SCHEMA_REGISTRY_PORT makes no sense"),
        ("SCHEMA_REGISTRY_PORT", "70000", "<= 65535"),
        ("SCHEMA_REGISTRY_LOG_LEVEL", "loud", "SCHEMA_REGISTRY_LOG_LEVEL"),
        ("SCHEMA_REGISTRY_REQUEST_TIMEOUT_SECONDS", "0", "> 0"),
    ],
)
def test_the_environment_is_refused_by_name(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({}, {variable: value})
    assert variable in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1", "port"),
        ("port = ", "not TOML"),
        ('port = "x"', "port makes no sense"),
        ("[server]\nport=1", "server"),
    ],
)
def test_a_file_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "registry.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"registry\.toml") as caught:
        load_settings({}, {}, file)
    assert says in str(caught.value)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings({}, {}, tmp_path / "absent.toml")


def test_kubernetes_service_links_are_not_settings() -> None:
    links = {
        "SCHEMA_REGISTRY_SERVICE_HOST": "10.0.0.1",
        "SCHEMA_REGISTRY_SERVICE_PORT": "8081",
        "SCHEMA_REGISTRY_SERVICE_PORT_HTTP": "8081",
        "SCHEMA_REGISTRY_PORT": "tcp://10.0.0.1:8081",
        "SCHEMA_REGISTRY_PORT_8081_TCP": "tcp://10.0.0.1:8081",
        "SCHEMA_REGISTRY_PORT_8081_TCP_ADDR": "10.0.0.1",
    }
    assert load_settings({}, links) == Settings()


def test_every_setting_is_described() -> None:
    for name in FIELDS:
        assert describe(name).endswith(".")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///data/registry.db", "sqlite:///data/registry.db"),
        ("sqlite://", "sqlite://"),
        ("postgresql://user:secret@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("postgresql://user:se:c@ret@host/db", "postgresql://user:***@host/db"),
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss+cluster://user:secret@host", "rediss+cluster://user:***@host"),
        ("sqlite:////var/registry.db", "sqlite:////var/registry.db"),
        ("unix:///run/redis?password=secret", "unix:///run/redis?password=***"),
        ("postgresql://host/db?password=secret&sslmode=require", "postgresql://host/db?password=***&sslmode=***"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
