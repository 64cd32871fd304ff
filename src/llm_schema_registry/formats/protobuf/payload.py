"""The payloads of one message type: read from bytes or ProtoJSON, made plain and restored.

Refuses to say what is wrong with bytes while there is nothing wrong: the runtime reads them, and only where it refuses
or passes over something in silence is a payload walked through.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message

from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_VALUES, Reading
from llm_schema_registry.formats.framing import read_message_indexes
from llm_schema_registry.formats.protobuf.depths import Depths
from llm_schema_registry.formats.protobuf.findings import MAX_PAYLOAD_SLOTS, Enough, Findings
from llm_schema_registry.formats.protobuf.outline import outline
from llm_schema_registry.formats.protobuf.parse import ProtobufSchema
from llm_schema_registry.formats.protobuf.payload_checks import Checks
from llm_schema_registry.formats.protobuf.payload_json import read_message
from llm_schema_registry.formats.protobuf.payload_plain import fill, to_plain
from llm_schema_registry.formats.protobuf.payload_wire import walk
from llm_schema_registry.formats.protobuf.plan import MessagePlan, Plans, reachable
from llm_schema_registry.formats.protobuf.symbols import join
from llm_schema_registry.formats.shape import Shape
from llm_schema_registry.formats.strict_json import read_json
from llm_schema_registry.model import Encoding, Violation, ViolationKind

# Around each message there may be a list or a map, and one inside the last.
_MAX_LEVELS = 2 * MAX_PAYLOAD_DEPTH

_MALFORMED = Violation(ViolationKind.MALFORMED, "", "The payload: expected a message, found other bytes", "a message")


class ProtobufPayloads:
    """Implements `formats.base.Payloads`. Values are the runtime's messages, of a pool that lives as long as this.

    Open enums take every number of 32 bits, numbers that are too large for their field are cut as every Protobuf
    runtime cuts them, and what an Any holds is not looked at in bytes: all three are legal. Message sets, which only
    proto2 has and nobody should, are not read.
    """

    def __init__(self, schema: ProtobufSchema, message: str = "") -> None:
        """Prepare to read a message by its full name, the first of the file if empty. Raises InvalidPayload."""
        pool = _pool(schema)
        self._plans = Plans(pool)
        self._tags = schema.field_tags
        self._plan = _find(self._plans, schema, message)
        self._new = type(self._plan.new())
        self._depths = Depths(pool, self._plan)
        self._checks = Checks(self._plan)
        self._widest = max(len(plan.fields) for plan in reachable(self._plan))

    @cached_property
    def shape(self) -> Shape:
        """The outline of plain values."""
        return outline(self._plan, self._tags)

    def read(self, encoding: Encoding, data: bytes, limit: int = 100) -> Reading:
        """Decode bytes or ProtoJSON; what is missing comes after what is wrong.

        A text that is wrong as JSON is not looked at further.
        """
        if encoding is Encoding.BINARY:
            return self._read_binary(data, limit)
        reading = read_json(data, limit, depth=_MAX_LEVELS, has_nan_as_text=True)
        if reading.violations:
            return Reading(None, reading.violations)
        findings = Findings(limit)
        value = None
        with suppress(Enough):
            message = read_message(self._plan, self._plans, reading.value, findings)
            value = message if self._checks.visit(message, findings) else None
            self._checks.find_missing(message, findings)
        return Reading(value, tuple(findings.violations))

    def _read_binary(self, data: bytes, limit: int) -> Reading:
        # A value takes a byte, a message two: what is small enough cannot hold too many of either.
        is_large = len(data) > MAX_PAYLOAD_VALUES or len(data) * self._widest > 2 * MAX_PAYLOAD_SLOTS
        if is_large and (violations := walk(self._plan, data, limit)):
            return Reading(None, violations)
        try:
            message = self._new.FromString(data)
        except DecodeError:
            return Reading(None, walk(self._plan, data, limit) or (_MALFORMED,))
        has_unknown = self._depths.is_deep(data) or self._has_unknown(message, data)
        if self._checks.is_empty and not has_unknown:
            return Reading(message)
        findings = Findings(limit)
        try:
            is_sound = self._checks.visit(message, findings)
        except Enough:
            is_sound = False
        if is_sound and not has_unknown and message.IsInitialized():
            return Reading(message)
        if has_unknown or not is_sound:
            findings.put_before(walk(self._plan, data, limit))
        with suppress(Enough):
            self._checks.find_missing(message, findings)
        return Reading(message if is_sound else None, tuple(findings.violations))

    def _has_unknown(self, message: Message, data: bytes) -> bool:
        """Whether bytes hold what the runtime does not know; drops it from the message.

        What is written again without the unknown as it was read held none. Otherwise the sizes with and without tell.
        """
        message.DiscardUnknownFields()
        known = message.SerializePartialToString()
        return known != data and len(known) != len(self._new.FromString(data).SerializePartialToString())

    def plain(self, value: object) -> object:
        """Return a message as a dict by the names of its fields, as CEL sees them; enums are numbers."""
        if not isinstance(value, Message):
            raise TypeError(f"a value of this format is a message, not {type(value).__name__}")
        return to_plain(value, self._plan)

    def restore(self, plain: object) -> object:
        """Return the message that a plain value stands for. Raises ValueError."""
        message = self._new()
        try:
            fill(message, self._plan, plain)
        except (TypeError, OverflowError) as error:
            raise ValueError(str(error)) from error
        return message


def _pool(schema: ProtobufSchema) -> DescriptorPool:
    pool = DescriptorPool()
    try:
        for file in schema.symbols.files.values():
            pool.Add(file)
        for name in schema.symbols.files:  # an extension is known once its file is built
            pool.FindFileByName(name)
    except TypeError as error:
        # Names in JSON that collide are a warning to protoc in proto2, and nothing where two fields swap them.
        expected = "a schema that Protobuf's runtime takes"
        text = f"Payloads of the schema cannot be read: expected {expected}, found: {error}"
        raise InvalidPayload(Violation(ViolationKind.BRANCH_UNKNOWN, "", text, expected, str(error))) from None
    return pool


def _find(plans: Plans, schema: ProtobufSchema, message: str) -> MessagePlan:
    if not message:
        roots = schema.layout.roots
        message = roots[0] if roots else ""
    plan = plans.find(message) if message else None
    if plan is None or any(one.descriptor.GetOptions().message_set_wire_format for one in reachable(plan)):
        expected = "a message of the schema, without message sets and not too many types deep"
        text = f"The schema has no message {message!r} that can be read" if message else "The schema has no message"
        raise InvalidPayload(Violation(ViolationKind.BRANCH_UNKNOWN, "", text, expected, message or "none"))
    return plan


def unframe(schema: ProtobufSchema, body: bytes) -> tuple[str, bytes]:
    """Return the full name of the message that the indexes before a payload mean, and the payload.

    Indexes count the messages of the file in the order of its text, then the nested ones, among which entries of maps
    count as protoc makes them: where the map's field stands. Raises InvalidPayload.
    """
    indexes, payload = read_message_indexes(body)
    scope, messages = schema.file.package, schema.file.message_type
    for index in indexes:
        if index >= len(messages) or messages[index].options.map_entry:
            expected = f"the index of one of {len(messages)} messages in {scope or 'the file'}"
            text = f"The payload's frame is broken: expected {expected}, found {index}"
            raise InvalidPayload(Violation(ViolationKind.FRAME_BROKEN, "", text, expected, str(index)))
        scope, messages = join(scope, messages[index].name), messages[index].nested_type
    return scope, payload
