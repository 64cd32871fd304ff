"""A consumer that validates before it processes (specification 4.3, flow 1).

Reads one event a line from standard input, each base64 of a payload in Confluent's frame, as `message.value()` of any
Kafka client is. Usage: consumer.py http://127.0.0.1:8081 < events.b64
"""

from __future__ import annotations

import base64
import sys
from collections import Counter
from collections.abc import Callable, Iterable

from llm_schema_registry.client import PayloadValidator


def consume(payloads: Iterable[bytes], validator: PayloadValidator, process: Callable[[object], None]) -> Counter[str]:
    """Process what keeps its contract, drop and report the rest, and count both."""
    counted: Counter[str] = Counter()
    for payload in payloads:
        # The frame names the schema; its contract is fetched once and then known.
        judged = validator.validate(payload)
        if judged.is_valid:
            process(judged.value)
            counted["processed"] += 1
        else:
            counted["dropped"] += 1
        for violation in judged.violations:
            what = violation.rule or violation.kind
            print(f"{violation.level} {what} at '{violation.path}': {violation.message}", file=sys.stderr)
            counted[f"{violation.level} {what}"] += 1
    return counted


def main() -> None:
    payloads = (base64.b64decode(line) for line in sys.stdin.buffer)
    with PayloadValidator(sys.argv[1]) as validator:
        counted = consume(payloads, validator, print)
    for what, count in sorted(counted.items()):
        print(f"{what}: {count}")


if __name__ == "__main__":
    main()
