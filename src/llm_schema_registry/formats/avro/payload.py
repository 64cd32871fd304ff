"""The payloads of an Avro schema.

Refuses to own an encoding, and what values look like: see the modules beside.
"""

from __future__ import annotations

from llm_schema_registry.formats.avro.payload_binary import BinaryReader
from llm_schema_registry.formats.avro.payload_json import JsonReader
from llm_schema_registry.formats.avro.payload_shape import outline
from llm_schema_registry.formats.avro.spot import Places
from llm_schema_registry.formats.avro.tree import Type
from llm_schema_registry.formats.base import Reading
from llm_schema_registry.model import Encoding


class AvroPayloads:
    """Reads both encodings; values are plain from the start.

    A union's value is that of its branch, an enum's its symbol; logical types have theirs, timestamps of nanoseconds
    cut to microseconds. Paths of violations lead through the value in the binary encoding, and in the JSON encoding
    through the text, where a union's value stands under the name of its branch.
    """

    def __init__(self, root: Type, places: Places) -> None:
        self.shape = outline(root, places)
        self._binary = BinaryReader(root, places)
        self._json = JsonReader(root, places)

    def read(self, encoding: Encoding, data: bytes, limit: int = 100) -> Reading:
        reader = self._binary if encoding is Encoding.BINARY else self._json
        return reader.read(data, limit)

    def plain(self, value: object) -> object:
        return value

    def restore(self, plain: object) -> object:
        return plain
