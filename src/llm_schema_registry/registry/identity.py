"""The guid of a content: the same in every context and on every server (rest-api 5.1).

Refuses to know ids, which are given out per context.
"""

from __future__ import annotations

import uuid
from hashlib import md5

import msgspec

from llm_schema_registry.model import SchemaContent


def guid_of(content: SchemaContent) -> str:
    """Return the guid: the MD5, written as a UUID, of one JSON line.

    The line is `[schemaType, text, [[name, subject, version], ...], metadata, ruleSet]` in UTF-8, compact, keys
    sorted, absent metadata or rule set as null. It is documented with test vectors and never changes.
    """
    line = msgspec.json.encode(
        [
            content.schema_type,
            content.text,
            [[ref.name, ref.subject, ref.version] for ref in content.references],
            content.metadata,
            content.rule_set,
        ],
        order="sorted",
    )
    return str(uuid.UUID(bytes=md5(line, usedforsecurity=False).digest()))
