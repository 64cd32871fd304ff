"""An event, and rules that are compiled against its schema and run on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from llm_schema_registry.contracts.cel.reference_data import DataSet
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.rules.run import Rules, compile_rules
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import Payloads
from llm_schema_registry.model import (
    Encoding,
    Rule,
    RuleKind,
    RuleMode,
    RuleSet,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USAGE = {"type": "record", "name": "Usage", "fields": [{"name": "input", "type": "int"}]}
INFERENCE = {
    "type": "record",
    "name": "acme.Inference",
    "fields": [
        {"name": "model", "type": "string", "confluent:tags": ["NAME"]},
        {"name": "ok", "type": "boolean"},
        {"name": "tokens", "type": "int"},
        {"name": "cost", "type": "double"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "labels", "type": {"type": "array", "items": "string"}, "confluent:tags": ["PII"]},
        {"name": "counts", "type": {"type": "map", "values": "long"}, "confluent:tags": ["COUNT"]},
        {"name": "usage", "type": USAGE},
        {"name": "items", "type": {"type": "array", "items": "Usage"}},
    ],
}
EVENT: dict[str, Any] = {
    "model": "gpt",
    "ok": True,
    "tokens": 3,
    "cost": 0.5,
    "at": 0,
    "amount": "\u0001\u0000",
    "labels": ["a", "b"],
    "counts": {"x": 1, "y/z": 2},
    "usage": {"input": 1},
    "items": [{"input": 2}, {"input": 3}],
}
MODELS = DataSet("models", 1, [{"id": "gpt", "name": "other"}, {"name": "named"}, {"id": 3}, "plain"])
CURRENCIES = DataSet("currencies", 7, ["eur", "usd"])
SETS = {"models": MODELS, "currencies": CURRENCIES}


@lru_cache
def payloads(schema_type: str = "AVRO", text: str = json.dumps(INFERENCE)) -> Payloads:
    return FORMATS[schema_type].payloads(FORMATS[schema_type].parse(text))


def read(value: object, of: Payloads | None = None) -> Any:  # noqa: ANN401 - a value of any format
    reading = (of or payloads()).read(Encoding.JSON, json.dumps(value).encode())
    assert reading.violations == ()
    return reading.value


def rule(expr: str | None, **members: Any) -> Rule:  # noqa: ANN401 - members are of several types
    return Rule(
        **{"name": "r", "kind": RuleKind.CONDITION, "mode": RuleMode.WRITEREAD, "type": "CEL", "expr": expr, **members}
    )


def compiled(*rules: Rule, of: Payloads | None = None, **members: Any) -> Rules:  # noqa: ANN401 - as above
    return compile_rules(RuleSet(domain_rules=list(rules), **members), of or payloads(), FieldTags(None), SETS)


def outcome(given: Rule, value: object = None) -> str:
    run = compiled(given).run(read(EVENT) if value is None else value, RuleMode.WRITE, NOW)
    return run.outcomes[0][1]
