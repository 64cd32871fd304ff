"""The inference event that the benchmarks of contracts use, in three formats, with ten rules.

Refuses to measure.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import fastavro
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from llm_schema_registry.formats import FORMATS
from llm_schema_registry.model import Encoding, Rule, RuleKind, RuleSet

_TEXTS = (
    "event_id",
    "trace_id",
    "span_id",
    "service",
    "environment",
    "region",
    "operation",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "finish_reason",
    "conversation_id",
    "agent_name",
    "tenant",
)
_NUMBERS = ("max_tokens", "seed", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "occurred_at")
_REALS = ("temperature", "top_p", "time_to_first_token", "duration", "cost_amount")

EVENT: dict[str, Any] = {
    **{name: f"{name}-4bf92f3577b34da6" for name in _TEXTS},
    **{name: 1_000 + place for place, name in enumerate(_NUMBERS)},
    **{name: 0.25 + place for place, name in enumerate(_REALS)},
    "stream": True,
    "stop_sequences": ["END", "STOP"],
    "attributes": {"team": "search", "experiment": "b"},
}

AVRO = {
    "type": "record",
    "name": "InferenceEvent",
    "namespace": "telemetry",
    "fields": [
        *({"name": name, "type": "string"} for name in _TEXTS[:10]),
        *({"name": name, "type": ["null", "string"], "default": None} for name in _TEXTS[10:]),
        *({"name": name, "type": "long"} for name in _NUMBERS),
        *({"name": name, "type": "double"} for name in _REALS),
        {"name": "stream", "type": "boolean"},
        {"name": "stop_sequences", "type": {"type": "array", "items": "string"}},
        {"name": "attributes", "type": {"type": "map", "values": "string"}},
    ],
}
JSON = {
    "type": "object",
    "properties": {
        **{name: {"type": "string", "maxLength": 200} for name in _TEXTS},
        **{name: {"type": "integer", "minimum": 0} for name in _NUMBERS},
        **{name: {"type": "number", "minimum": 0} for name in _REALS},
        "stream": {"type": "boolean"},
        "stop_sequences": {"type": "array", "items": {"type": "string"}},
        "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": [*_TEXTS[:10], *_NUMBERS],
    "additionalProperties": False,
}
PROTOBUF = "\n".join(
    [
        'syntax = "proto3";',
        "package telemetry;",
        "message InferenceEvent {",
        *(f"  string {name} = {place};" for place, name in enumerate(_TEXTS, 1)),
        *(f"  int64 {name} = {place};" for place, name in enumerate(_NUMBERS, 21)),
        *(f"  double {name} = {place};" for place, name in enumerate(_REALS, 31)),
        "  bool stream = 41;",
        "  repeated string stop_sequences = 42;",
        "  map<string, string> attributes = 43;",
        "}",
    ]
)

_EXPRESSIONS = (
    "message.input_tokens >= 0",
    "message.output_tokens >= 0",
    "message.cached_tokens >= 0 && message.cached_tokens <= message.input_tokens + 100000",
    "message.duration >= message.time_to_first_token - 100.0",
    "message.cost_amount >= 0.0",
    "message.operation != ''",
    "size(message.trace_id) > 8",
    "message.provider.startsWith('provider')",
    "!message.stream || size(message.stop_sequences) < 10",
    "message.request_model.matches('^[a-z0-9_.:-]+$')",
)
RULES = RuleSet(
    domain_rules=[
        Rule(name=f"rule_{place}", kind=RuleKind.CONDITION, type="CEL", expr=expression)
        for place, expression in enumerate(_EXPRESSIONS)
    ]
)


class Case(NamedTuple):
    """A format: the schema's text, the event encoded, and the decoder that everybody uses."""

    schema_type: str
    text: str
    encoding: Encoding
    payload: bytes
    decode: Callable[[bytes], object]


def cases() -> list[Case]:
    """Return the event in each format."""
    schema = fastavro.parse_schema(AVRO)
    written = io.BytesIO()
    fastavro.schemaless_writer(written, schema, EVENT)
    message = message_class()
    return [
        Case(
            "AVRO",
            json.dumps(AVRO),
            Encoding.BINARY,
            written.getvalue(),
            lambda payload: fastavro.schemaless_reader(io.BytesIO(payload), schema, None),
        ),
        Case(
            "PROTOBUF",
            PROTOBUF,
            Encoding.BINARY,
            json_format.ParseDict(EVENT, message()).SerializeToString(),
            message.FromString,
        ),
        Case("JSON", json.dumps(JSON), Encoding.JSON, json.dumps(EVENT).encode(), json.loads),
    ]


def message_class() -> Any:  # noqa: ANN401  # a class that exists only at run time
    parsed = FORMATS["PROTOBUF"].parse(PROTOBUF)
    file = descriptor_pb2.FileDescriptorProto.FromString(parsed.represent("application/x-protobuf", pretty=False))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("telemetry.InferenceEvent"))
