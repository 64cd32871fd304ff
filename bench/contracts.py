"""`make bench`, third table: what validation costs, in this process and over REST.

In process, one event after the other: decoded as everybody does, and judged by its contract. The consumer that it is
measured against does what consumers do: it decodes an event, prices it, adds it to its sums, writes it as JSON and
inserts it into a table of a SQLite file, 500 to a transaction.
"""

from __future__ import annotations

import base64
import http.client
import json
import sqlite3
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from inference import EVENT, RULES, Case, cases
from llm_schema_registry.contracts.contract import PII_PROPERTY, Contract, Terms
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.model import Metadata, RuleSet
from measure import BIN, free_port, running

EVENTS = 20_000
TURNS = 5
BATCH = 20_000
BATCH_TURNS = 5
_QUIET = Metadata(properties={PII_PROPERTY: "OFF"})


class Consumer:
    """What a consumer does with an event once it is decoded."""

    def __init__(self, folder: Path) -> None:
        self._table = sqlite3.connect(folder / "events.db")
        self._table.execute("PRAGMA journal_mode = WAL")
        self._table.execute("CREATE TABLE events (id TEXT, model TEXT, cost REAL, body TEXT)")
        self._tokens: Counter[str] = Counter()
        self._waiting: list[tuple[object, ...]] = []

    def handle(self, event: dict[str, object]) -> None:
        cost = event["input_tokens"] * 0.000003 + event["output_tokens"] * 0.000015  # type: ignore[operator]  # numbers
        self._tokens[event["request_model"]] += event["output_tokens"]  # type: ignore[index,operator]  # a text, a number
        self._waiting.append((event["event_id"], event["request_model"], cost, json.dumps(event)))
        if len(self._waiting) == 500:
            with self._table:
                self._table.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", self._waiting)
            self._waiting.clear()


def contract_of(case: Case, rule_set: RuleSet | None, metadata: Metadata | None) -> Contract:
    fmt = FORMATS[case.schema_type]
    return Contract(fmt.payloads(fmt.parse(case.text)), Terms(metadata=metadata, rule_set=rule_set))


def microseconds(work: Callable[[bytes], object], payload: bytes) -> float:
    """Return what one call takes, the median of several turns."""
    turns = []
    for _ in range(TURNS):
        started = time.perf_counter()
        for _ in range(EVENTS):
            work(payload)
        turns.append((time.perf_counter() - started) / EVENTS * 1e6)
    return statistics.median(turns)


def print_in_process() -> None:
    print(
        f"{'us an event':12}{'decode':>9}{'structure':>11}{'ratio':>7}{'10 rules':>10}{'PII':>8}{'consumer':>10}{'validated':>11}{'overhead':>10}"
    )
    now = datetime.now(UTC)
    for case in cases():
        structure = contract_of(case, None, _QUIET)
        ruled = contract_of(case, RULES, _QUIET)
        watchful = contract_of(case, None, None)
        assert structure.check(case.encoding, case.payload, now=now).violations == ()
        assert len(ruled.check(case.encoding, case.payload, now=now).outcomes) == 10

        def judged(contract: Contract, case: Case = case) -> Callable[[bytes], object]:
            return lambda payload: contract.check(case.encoding, payload, now=now)

        decode = microseconds(case.decode, case.payload)
        plain = microseconds(judged(structure), case.payload)
        rules = microseconds(judged(ruled), case.payload) - plain
        pii = microseconds(judged(watchful), case.payload) - plain
        with tempfile.TemporaryDirectory() as folder:
            consumer = Consumer(Path(folder))
            as_record = consumer.handle if case.schema_type != "PROTOBUF" else None

            def handle_decoded(payload: bytes, case: Case = case, consumer: Consumer = consumer) -> None:
                event = case.decode(payload)
                consumer.handle(event if as_record else _fields(event))

            def handle_validated(
                payload: bytes, case: Case = case, consumer: Consumer = consumer, contract: Contract = structure
            ) -> None:
                consumer.handle(contract.check(case.encoding, payload, now=now).value)  # type: ignore[arg-type]  # a record

            turns = [
                (microseconds(handle_decoded, case.payload), microseconds(handle_validated, case.payload))
                for _ in range(3)
            ]
        bare, validated = (statistics.median(each) for each in zip(*turns, strict=True))
        print(
            f"{case.schema_type:12}{decode:9.2f}{plain:11.2f}{plain / decode:7.2f}{rules:10.2f}{pii:8.2f}"
            f"{bare:10.1f}{validated:11.1f}{validated / bare - 1:10.1%}"
        )


def _fields(message: object) -> dict[str, object]:
    """Read a message as a consumer does, field by field."""
    return {name: getattr(message, name) for name in EVENT if name not in {"stop_sequences", "attributes"}} | {
        "stop_sequences": list(message.stop_sequences),  # type: ignore[attr-defined]  # a class of run time
        "attributes": dict(message.attributes),  # type: ignore[attr-defined]  # as above
    }


def print_over_rest() -> None:
    """Print how many events one worker judges a second in batches of lines."""
    print(f"\n{'REST, NDJSON':24}{'events/s':>10}{'MiB/s':>8}{'us/event':>10}")
    port = free_port()
    serve = [str(BIN / "llm-schema-registry"), "serve", "--port", str(port), "--log-level", "warning"]
    with running([*serve, "--database-url", "sqlite://"], port, "/subjects"):
        for case in cases():
            for name, rule_set in (("structure", None), ("10 rules", RULES)):
                subject = f"{case.schema_type}-{name}".replace(" ", "-")
                _register(port, subject, case, rule_set)
                line = case.payload if case.schema_type == "JSON" else base64.b64encode(case.payload)
                body = (line + b"\n") * BATCH
                query = f"encoding={case.encoding}"
                rates = [
                    _batch(port, f"/v1/subjects/{subject}/versions/1/validate?{query}", body)
                    for _ in range(BATCH_TURNS)
                ]
                rate = statistics.median(rates)
                print(
                    f"{case.schema_type + ', ' + name:24}{rate:10,.0f}{rate * len(line) / 2**20:8.1f}{1e6 / rate:10.1f}"
                )


def _register(port: int, subject: str, case: Case, rule_set: RuleSet | None) -> None:
    rules = [
        {"name": rule.name, "kind": rule.kind, "type": rule.type, "expr": rule.expr}
        for rule in (rule_set.domain_rules if rule_set else None) or ()
    ]
    body = {"schema": case.text, "schemaType": case.schema_type, "ruleSet": {"domainRules": rules}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/subjects/{subject}/versions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).read()


def _batch(port: int, path: str, body: bytes) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = time.perf_counter()
    connection.request("POST", path, body, {"content-type": "application/x-ndjson"})
    answer = connection.getresponse().read()
    seconds = time.perf_counter() - started
    connection.close()
    assert answer.count(b'"valid":true') == BATCH, answer[:300]
    return BATCH / seconds


if __name__ == "__main__":
    sys.setswitchinterval(0.005)
    print_in_process()
    print_over_rest()
