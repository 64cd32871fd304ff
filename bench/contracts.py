"""`make bench`, third table: what validation costs, in this process and over REST.

In process, one event after the other: decoded as everybody does, and judged by its contract. The consumer that it is
measured against does what consumers do: it decodes an event, prices it in decimals, adds it to its sums, writes it as
JSON and inserts it into a table of a SQLite file, 100 to a transaction that is safe on the disk.
"""

from __future__ import annotations

import base64
import http.client
import json
import sqlite3
import statistics
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from inference import EVENT, RULES, Case, cases, message_class
from llm_schema_registry.client import PayloadValidator
from llm_schema_registry.contracts.contract import PII_PROPERTY, Contract, Terms
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.model import Metadata, RuleSet
from measure import BIN, free_port, running

EVENTS = 20_000
HANDLED = 5_000
COMMIT = 100
_PRICES = (Decimal("0.000003"), Decimal("0.000015"))
TURNS = 5
BATCH = 20_000
BATCH_TURNS = 5
_QUIET = Metadata(properties={PII_PROPERTY: "OFF"})


class Consumer:
    """What a consumer does with an event once it is decoded: a table with a key and two indexes, safe on the disk."""

    def __init__(self, folder: Path) -> None:
        self._table = sqlite3.connect(folder / "events.db")
        self._table.execute("PRAGMA journal_mode = WAL")
        self._table.execute("PRAGMA synchronous = FULL")
        self._table.execute("CREATE TABLE events (id TEXT PRIMARY KEY, model TEXT, tenant TEXT, cost TEXT, body TEXT)")
        self._table.execute("CREATE INDEX by_model ON events (model, id)")
        self._table.execute("CREATE INDEX by_tenant ON events (tenant, id)")
        self._spent: Counter[tuple[object, object]] = Counter()
        self._waiting: list[tuple[object, ...]] = []
        self._count = 0

    def handle(self, event: dict[str, Any]) -> None:
        self._count += 1
        model, tenant = event["request_model"], event["tenant"]
        cost = Decimal(event["input_tokens"]) * _PRICES[0] + Decimal(event["output_tokens"]) * _PRICES[1]
        self._spent[tenant, model] += cost  # type: ignore[assignment]  # a sum of decimals
        event["cost"] = str(cost)
        self._waiting.append((f"{event['event_id']}-{self._count:09}", model, tenant, str(cost), json.dumps(event)))
        if len(self._waiting) == COMMIT:
            with self._table:
                self._table.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", self._waiting)
            self._waiting.clear()


def contract_of(case: Case, rule_set: RuleSet | None, metadata: Metadata | None) -> Contract:
    fmt = FORMATS[case.schema_type]
    return Contract(fmt.payloads(fmt.parse(case.text)), Terms(metadata=metadata, rule_set=rule_set))


def microseconds(work: Callable[[bytes], object], payload: bytes, events: int = EVENTS) -> float:
    """Return what one call takes."""
    started = time.perf_counter()
    for _ in range(events):
        work(payload)
    return (time.perf_counter() - started) / events * 1e6


def medians(works: Sequence[Callable[[bytes], object]], payload: bytes, events: int = EVENTS) -> list[float]:
    """Return what each takes, measured in turns, so that a busy moment is everybody's."""
    turns = [[microseconds(work, payload, events) for work in works] for _ in range(TURNS)]
    return [statistics.median(turn) for turn in zip(*turns, strict=True)]


def print_in_process() -> None:
    """Print what reading and judging an event takes, beside the decoder that everybody uses."""
    titles = ("decode", "structure", "ratio", "10 rules", "PII")
    print(f"{'us an event':12}" + "".join(f"{title:>11}" for title in titles))
    for case in cases():
        works = (
            case.decode,
            judging(case, contract_of(case, None, _QUIET)),
            judging(case, contract_of(case, RULES, _QUIET)),
            judging(case, contract_of(case, None, None)),
        )
        decode, structure, ruled, watched = medians(works, case.payload)
        print(
            f"{case.schema_type:12}{decode:11.2f}{structure:11.2f}{structure / decode:11.2f}{ruled - structure:11.2f}"
            f"{watched - structure:11.2f}"
        )


def judging(case: Case, contract: Contract) -> Callable[[bytes], object]:
    """Return what reads and judges a payload, and gives its value."""
    now = datetime.now(UTC)
    assert contract.check(case.encoding, case.payload, now=now).is_valid
    return lambda payload: contract.check(case.encoding, payload, now=now).native


def print_consumers(port: int) -> None:
    """Print what a consumer takes for an event, with a bare decoder, with Confluent's deserializer, and validating."""
    titles = ("bare", "validated", "overhead", "Confluent's", "ours", "overhead")
    print(f"\n{'us an event':12}" + "".join(f"{title:>13}" for title in titles))
    url = f"http://127.0.0.1:{port}"
    for case in cases():
        framed = frame(_register(port, f"consumed-{case.schema_type}", case, None, _QUIET), case)
        contract = contract_of(case, None, _QUIET)
        with PayloadValidator(url) as validator, SchemaRegistryClient({"url": url}) as client, ExitStack() as stack:

            def consuming(decode: Callable[[bytes], Any], stack: ExitStack = stack) -> Callable[[bytes], None]:
                consumer = Consumer(Path(stack.enter_context(tempfile.TemporaryDirectory())))

                def consume(payload: bytes) -> None:
                    event = decode(payload)
                    consumer.handle(event if isinstance(event, dict) else _fields(event))

                return consume

            bare, validated = medians(
                [consuming(case.decode), consuming(judging(case, contract))], case.payload, HANDLED
            )
            works = [confluents(case, client), lambda payload, ours=validator: ours.validate(payload).native]
            theirs, ours = medians([consuming(work) for work in works], framed, HANDLED)
        print(
            f"{case.schema_type:12}{bare:13.1f}{validated:13.1f}{validated / bare - 1:13.1%}"
            f"{theirs:13.1f}{ours:13.1f}{ours / theirs - 1:13.1%}"
        )


def confluents(case: Case, client: SchemaRegistryClient) -> Callable[[bytes], object]:
    """Return Confluent's deserializer for a case. Of JSON it validates too, unless it is told not to."""
    context = SerializationContext("topic", MessageField.VALUE)
    if case.schema_type == "AVRO":
        read: Any = AvroDeserializer(client)
    elif case.schema_type == "JSON":
        read = JSONDeserializer(None, schema_registry_client=client, conf={"validate": False})
    else:
        read = ProtobufDeserializer(message_class(), {"use.deprecated.format": False}, client)
    return lambda payload: read(payload, context)


def frame(schema_id: int, case: Case) -> bytes:
    """Put a payload into Confluent's frame; of Protobuf the first message is meant."""
    indexes = b"\0" if case.schema_type == "PROTOBUF" else b""
    return b"\0" + schema_id.to_bytes(4) + indexes + case.payload


def _fields(message: object) -> dict[str, object]:
    """Read a message as a consumer does, field by field."""
    return {name: getattr(message, name) for name in EVENT if name not in {"stop_sequences", "attributes"}} | {
        "stop_sequences": list(message.stop_sequences),  # type: ignore[attr-defined]  # a class of run time
        "attributes": dict(message.attributes),  # type: ignore[attr-defined]  # as above
    }


def print_over_rest(port: int) -> None:
    """Print how many events one worker judges a second in batches of lines, all that is on by default included."""
    print(f"\n{'REST, NDJSON':24}{'events/s':>10}{'MiB/s':>8}{'us/event':>10}")
    for case in cases():
        for name, rule_set in (("structure", None), ("10 rules", RULES)):
            subject = f"{case.schema_type}-{name}".replace(" ", "-")
            _register(port, subject, case, rule_set)
            line = case.payload if case.schema_type == "JSON" else base64.b64encode(case.payload)
            body = (line + b"\n") * BATCH
            query = f"encoding={case.encoding}"
            rates = [
                _batch(port, f"/v1/subjects/{subject}/versions/1/validate?{query}", body) for _ in range(BATCH_TURNS)
            ]
            rate = statistics.median(rates)
            print(f"{case.schema_type + ', ' + name:24}{rate:10,.0f}{rate * len(line) / 2**20:8.1f}{1e6 / rate:10.1f}")


def _register(port: int, subject: str, case: Case, rule_set: RuleSet | None, metadata: Metadata | None = None) -> int:
    rules = [
        {"name": rule.name, "kind": rule.kind, "type": rule.type, "expr": rule.expr}
        for rule in (rule_set.domain_rules if rule_set else None) or ()
    ]
    body = {"schema": case.text, "schemaType": case.schema_type, "ruleSet": {"domainRules": rules}}
    if metadata is not None:
        body["metadata"] = {"properties": metadata.properties}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/subjects/{subject}/versions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    schema_id: int = json.loads(urllib.request.urlopen(request, timeout=10).read())["id"]
    return schema_id


def _batch(port: int, path: str, body: bytes) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = time.perf_counter()
    connection.request("POST", path, body, {"content-type": "application/x-ndjson"})
    answer = connection.getresponse().read()
    seconds = time.perf_counter() - started
    connection.close()
    assert answer.count(b'"valid":true') == BATCH, answer[:300]
    return BATCH / seconds


def main() -> None:
    print_in_process()
    port = free_port()
    serve = [str(BIN / "llm-schema-registry"), "serve", "--port", str(port), "--log-level", "warning"]
    with running([*serve, "--database-url", "sqlite://"], port, "/subjects"):
        print_consumers(port)
        print_over_rest(port)


if __name__ == "__main__":
    main()
