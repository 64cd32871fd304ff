"""Fill a database with as many versions as asked for, through the store itself: what `full.py` measures capacity on.

Each subject is an Avro record of some 20 fields whose versions differ in one of them, so that no content is shared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from llm_schema_registry.model import Event, EventType, SchemaContent, Subject
from llm_schema_registry.registry.identity import guid_of
from llm_schema_registry.store.sql import SqlStore

VERSIONS_PER_SUBJECT = 100
_FIELDS = [
    {"name": f"attribute_{index}", "type": ["null", "string"], "default": None, "doc": "What was measured here"}
    for index in range(18)
]


def definition(subject: int, version: int) -> str:
    """A schema of about 1.7 KB that is like no other."""
    own = {"name": f"of_version_{version}", "type": "long", "default": 0}
    return json.dumps(
        {"type": "record", "name": f"Event{subject}", "namespace": "bench", "fields": [*_FIELDS, own]},
        separators=(",", ":"),
    )


async def fill(url: str, versions: int) -> None:
    """Write the versions, a subject in each transaction."""
    store = SqlStore.open(url)
    await store.migrate()
    started = time.perf_counter()
    for number in range(versions // VERSIONS_PER_SUBJECT):
        subject = Subject(".", f"bench-{number:05}-value")
        async with store.transaction(lock=[subject]) as writer:
            for version in range(1, VERSIONS_PER_SUBJECT + 1):
                content = SchemaContent("AVRO", definition(number, version))
                schema = await writer.add_schema(subject.context, guid_of(content), content)
                await writer.add_version(subject, version, schema.id, registered_at=0, registered_by="bench")
                await writer.append_event(
                    Event(EventType.VERSION_REGISTERED, subject, "bench", "", 0, version, schema.id, {"type": "AVRO"})
                )
    await store.close()
    seconds = time.perf_counter() - started
    print(f"{versions:,} versions in {seconds:,.0f} s, {versions / seconds:,.0f} a second")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("versions", type=int)
    options = parser.parse_args()
    asyncio.run(fill(options.url, options.versions))
