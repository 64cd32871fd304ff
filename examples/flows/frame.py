"""Frames Avro events as Confluent's serializers do, one a line as base64, for examples that have no Kafka.

Usage: frame.py SCHEMA_FILE SCHEMA_ID < events.ndjson > events.b64
"""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path

import fastavro


def main() -> None:
    schema = fastavro.parse_schema(json.loads(Path(sys.argv[1]).read_text()))
    head = b"\0" + int(sys.argv[2]).to_bytes(4)
    for line in sys.stdin:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, json.loads(line))
        print(base64.b64encode(head + body.getvalue()).decode())


if __name__ == "__main__":
    main()
