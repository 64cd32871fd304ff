"""Payloads of JSON Schemas against a second opinion: the same verdict, and every fault in a place that is there."""

from __future__ import annotations

import json
import os
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.formats.json_schema.faults import Faults
from llm_schema_registry.formats.json_schema.rewrite import rewritten
from llm_schema_registry.model import Encoding
from property.json_pairs import ADDRESSES, PURE, Json, Maker, documents

FORMAT = JsonSchemaFormat()
SCHEMAS = int(os.environ.get("SCHEMAS", "150"))
DOCUMENTS = documents()


def without_formats(schema: Json) -> Json:
    """The second opinion does not check formats, and takes time without bound for some patterns."""
    if isinstance(schema, dict):
        return {name: without_formats(value) for name, value in schema.items() if name != "format"}
    return [without_formats(item) for item in schema] if isinstance(schema, list) else schema


def turns_in_place(root: Json, draft: int) -> bool:
    """Whether a schema leads back to itself for the same value, which means nothing that opinions could share."""
    open_ones: list[int] = []

    def turns(schema: Json) -> bool:
        if not isinstance(schema, dict):
            return False
        if id(schema) in open_ones:
            return True
        open_ones.append(id(schema))
        parts = []
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            parts.append(root if name == "#" else root["$defs" if draft >= 19 else "definitions"][name])
        if draft >= 19 or "$ref" not in schema:
            parts += [part for word in ("allOf", "anyOf", "oneOf") for part in schema.get(word, ())]
            parts += [schema[word] for word in ("not", "if", "then", "else") if word in schema]
            parts += [part for word in ("dependentSchemas", "dependencies") for part in schema.get(word, {}).values()]
        found = any(turns(part) for part in parts)
        open_ones.pop()
        return found

    def anywhere(schema: Json) -> bool:
        if isinstance(schema, list):
            return any(anywhere(item) for item in schema)
        return isinstance(schema, dict) and (turns(schema) or any(anywhere(part) for part in schema.values()))

    return anywhere(root)


def holder(value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """What holds the last part of a path. Raises where the path leads nowhere."""
    for token in path.split("/")[1:-1]:
        name = token.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


@settings(max_examples=SCHEMAS, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.integers(0, 2**48))
def test_both_opinions_are_the_same(seed: int) -> None:
    random = Random(seed)
    draft = random.choice(tuple(ADDRESSES))
    schema = json.loads(json.dumps(without_formats(Maker(random, draft).document()), default=float))
    try:
        parsed = FORMAT.parse(json.dumps(schema))
    except InvalidSchema:
        return
    payloads = FORMAT.payloads(parsed)
    faults = Faults(parsed.resources.draft, rewritten(parsed.resources), ())
    second = PURE[draft](schema)
    # On circles it ends the stack, and by its legacy rules an empty schema evaluates nothing.
    told = json.dumps(schema)
    is_sane = not turns_in_place(schema, draft)
    is_trusted = '"$ref"' not in told and (draft != 19 or "unevaluated" not in told)
    for document in random.sample(DOCUMENTS, 25):
        text = json.dumps(document, default=float)
        value = json.loads(text)
        reading = payloads.read(Encoding.JSON, text.encode())
        is_valid = not reading.violations
        if is_trusted:
            assert second.is_valid(value) is is_valid, (schema, text, reading.violations)
        found, is_whole = faults.find(value, 100)
        assert is_whole
        assert not is_sane or (not found) is is_valid, (schema, text, found)
        for fault in reading.violations:
            assert isinstance(holder(value, fault.path), dict | list) or not fault.path
            assert len(fault.expected) <= 100 >= len(fault.found)
    assert payloads.shape is payloads.shape
