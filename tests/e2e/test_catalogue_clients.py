"""The catalogue's events through confluent-kafka-python: each good example is produced and read, rules and all."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import fastavro
import grpc_tools
import pytest
from confluent_kafka.schema_registry import SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.schema_registry.rule_registry import RuleRegistry
from confluent_kafka.schema_registry.rules.cel.cel_executor import CelExecutor
from confluent_kafka.schema_registry.rules.cel.cel_field_executor import CelFieldExecutor
from confluent_kafka.schema_registry.serde import RuleConditionError
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from google.protobuf import json_format
from google.protobuf.message import Message

from cli_command import Cli
from llm_schema_registry.catalogue import Entry, Example, load
from llm_schema_registry.model import ViolationKind
from server_process import running_server

ENTRIES = {entry.subject: entry for entry in load()}
EVENTS = [
    pytest.param(entry, example, id=f"{entry.subject}: {example.name}")
    for entry in ENTRIES.values()
    for example in entry.examples
    if not example.violations
]
BREAKING_A_RULE = [
    pytest.param(entry, example, id=f"{entry.subject}: {example.name}")
    for entry in ENTRIES.values()
    for example in entry.examples
    if {violation.kind for violation in example.violations} == {ViolationKind.RULE_FAILED}
]
INCLUDES = (
    resources.files(grpc_tools).joinpath("_proto"),
    resources.files("llm_schema_registry.formats.protobuf").joinpath("include"),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchemaRegistryClient]:
    """Confluent's client of a server on which the catalogue is installed."""
    with running_server() as server, SchemaRegistryClient({"url": server.url}) as opened:
        assert Cli(tmp_path_factory.mktemp("cli"), server.url).run("catalogue", "install").returncode == 0
        yield opened


@pytest.fixture(scope="module")
def rules() -> Iterator[RuleRegistry]:
    registry = RuleRegistry()
    registry.register_executor(CelExecutor())
    registry.register_executor(CelFieldExecutor())
    yield registry
    registry.clear()


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, type[Message]]:
    """The Python classes of the catalogue's Protobuf messages, by subject."""
    sources, compiled = tmp_path_factory.mktemp("proto"), tmp_path_factory.mktemp("compiled")
    # The path under which others import a file; one that nobody imports may have any.
    imported = {use.subject: use.name for entry in ENTRIES.values() for use in entry.contract.references}
    files = {
        entry.subject: imported.get(entry.subject, f"{entry.subject.replace('.', '/')}.proto")
        for entry in ENTRIES.values()
        if entry.contract.schema_type == "PROTOBUF"
    }
    for subject, name in files.items():
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).write_text(ENTRIES[subject].text)
    paths = [f"--proto_path={path}" for path in (sources, *INCLUDES)]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", *paths, f"--python_out={compiled}", *files.values()], check=True
    )
    found: dict[str, type[Message]] = {}
    # A process has one confluent/meta.proto: the client brings its own.
    importlib.import_module("confluent_kafka.schema_registry.confluent.meta_pb2")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(compiled))
        meta = compiled / "confluent"
        meta.mkdir()
        (meta / "meta_pb2.py").write_text("from confluent_kafka.schema_registry.confluent.meta_pb2 import *\n")
        for subject, name in files.items():
            module = importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
            descriptor = next(iter(module.DESCRIPTOR.message_types_by_name.values()))
            found[subject] = getattr(module, descriptor.name)
    return found


Serde = tuple[Any, Callable[[Any], bytes], Callable[[bytes], Any]]


def serde_of(
    entry: Entry,
    example: Example,
    client: SchemaRegistryClient,
    rules: RuleRegistry,
    messages: dict[str, type[Message]],
) -> Serde:
    """Return the example as a producer would hold it, how it is written, and how it is read."""
    context = SerializationContext(entry.subject, MessageField.VALUE)
    # The topic has the name of the subject.
    conf = {
        "auto.register.schemas": False,
        "use.latest.version": True,
        "subject.name.strategy": lambda ctx, _name: ctx.topic,
    }
    read_conf = {key: value for key, value in conf.items() if key != "auto.register.schemas"}
    write: Any
    read: Any
    if entry.contract.schema_type == "AVRO":
        write = AvroSerializer(client, None, conf=conf, rule_registry=rules)
        read = AvroDeserializer(client, conf=read_conf, rule_registry=rules)
        line = json.dumps(json.loads(bytes(example.payload)))
        value = next(iter(fastavro.json_reader(io.StringIO(line), whole_avro(entry))))
    elif entry.contract.schema_type == "JSON":
        value = json.loads(bytes(example.payload))
        write = JSONSerializer(None, client, conf=conf, rule_registry=rules)
        read = JSONDeserializer(None, schema_registry_client=client, conf=read_conf, rule_registry=rules)
    else:
        message = messages[entry.subject]
        value = json_format.Parse(bytes(example.payload), message())
        conf["reference.subject.name.strategy"] = lambda _ctx, reference: reference
        write = ProtobufSerializer(message, client, conf=conf, rule_registry=rules)
        read = ProtobufDeserializer(message, read_conf, client, rule_registry=rules)
    return value, lambda given: write(given, context), lambda payload: read(payload, context)


def whole_avro(entry: Entry) -> Any:  # noqa: ANN401 - a schema is whatever fastavro makes of it
    """Return the schema with all that it refers to."""
    texts = {
        f"{schema['namespace']}.{schema['name']}": schema
        for other in ENTRIES.values()
        if other.contract.schema_type == "AVRO"
        for schema in [json.loads(other.text)]
    }

    class Texts(fastavro.repository.AbstractSchemaRepository):  # type: ignore[misc]  # fastavro has no types
        def load(self, name: str) -> Any:  # noqa: ANN401 - as above
            return json.loads(json.dumps(texts[name]))

    schema = json.loads(entry.text)
    return fastavro.schema.load_schema(f"{schema['namespace']}.{schema['name']}", repo=Texts())


@pytest.mark.parametrize(("entry", "example"), EVENTS)
def test_a_good_example_is_produced_and_read(
    entry: Entry,
    example: Example,
    client: SchemaRegistryClient,
    rules: RuleRegistry,
    messages: dict[str, type[Message]],
) -> None:
    value, write, read = serde_of(entry, example, client, rules, messages)
    payload = write(value)
    assert int.from_bytes(payload[1:5]) == client.get_latest_version(entry.subject).schema_id
    assert read(payload) == value


@pytest.mark.parametrize(("entry", "example"), BREAKING_A_RULE)
def test_an_example_that_breaks_a_rule_is_not_produced(
    entry: Entry,
    example: Example,
    client: SchemaRegistryClient,
    rules: RuleRegistry,
    messages: dict[str, type[Message]],
) -> None:
    value, write, _ = serde_of(entry, example, client, rules, messages)
    with pytest.raises(SerializationError) as refused:
        write(value)
    broken = refused.value.__cause__
    assert isinstance(broken, RuleConditionError)
    names = {violation.rule for violation in example.violations}
    assert str(broken) in {rule.doc for rule in entry.contract.rule_set.domain_rules or () if rule.name in names}


def test_references_are_those_of_the_catalogue(client: SchemaRegistryClient) -> None:
    found = client.get_latest_version("telemetry.inference.request").schema.references
    assert found == [
        SchemaReference("llm.Envelope", "llm.envelope", 1),
        SchemaReference("llm.TraceContext", "llm.trace_context", 1),
        SchemaReference("llm.Resource", "llm.resource", 1),
    ]
