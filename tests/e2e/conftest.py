"""Fixtures of the end-to-end tests: a server process for all of them, a topic for each, compiled messages."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import grpc_tools
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient

from server_process import ServerProcess, running_server

PROTOS = Path(__file__).parent / "protos"
INCLUDES = (
    resources.files(grpc_tools).joinpath("_proto"),
    resources.files("llm_schema_registry.formats.protobuf").joinpath("include"),
)


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """A server that tests share; whoever changes what is global starts one of their own."""
    with running_server() as process:
        yield process


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic named after the test."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())


@pytest.fixture
def client(server: ServerProcess) -> Iterator[SchemaRegistryClient]:
    """Confluent's Python client, with empty caches."""
    with SchemaRegistryClient({"url": server.url}) as opened:
        yield opened


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Python modules of the messages, and in `shop.desc` their descriptors with all imports."""
    folder = tmp_path_factory.mktemp("compiled")
    paths = [f"--proto_path={path}" for path in (PROTOS, *INCLUDES)]
    outputs = [f"--python_out={folder}", f"--descriptor_set_out={folder / 'shop.desc'}", "--include_imports"]
    files = [str(path.relative_to(PROTOS)) for path in sorted(PROTOS.rglob("*.proto"))]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *paths, *outputs, *files], check=True)
    # A process has one confluent/meta.proto: the client brings its own.
    meta = folder / "confluent"
    meta.mkdir()
    (meta / "meta_pb2.py").write_text("from confluent_kafka.schema_registry.confluent.meta_pb2 import *\n")
    return folder
