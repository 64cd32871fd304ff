"""What a schema format is: the two Protocols that a format folder implements, and the row of a kinds table.

Refuses to know any concrete format, where schemas are stored, or which compatibility level is in force.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.logical_type import LogicalType
from llm_schema_registry.formats.shape import Shape
from llm_schema_registry.model import (
    CompatibilityPolicy,
    Detail,
    Difference,
    Encoding,
    EntityTags,
    Place,
    Violation,
)

_PLACEHOLDER = re.compile(r"\{(reader|writer|info|path)\}")


NATIVE = frozenset({CompatibilityPolicy.STRICT, CompatibilityPolicy.LENIENT, CompatibilityPolicy.LOGICAL})
"""The policies that judge as Confluent does; LOGICAL judges natively like STRICT."""

EVERY_POLICY = frozenset(CompatibilityPolicy)
SOUND_ONLY = frozenset({CompatibilityPolicy.SOUND})
NEVER: frozenset[CompatibilityPolicy] = frozenset()

MAX_PAYLOAD_DEPTH = 100
"""Values inside each other in a payload: Protobuf's own limit, and few enough for recursion."""

MAX_PAYLOAD_VALUES = 1_000_000
"""Values in a payload, so that a count of a few bytes cannot ask for gigabytes."""


class Kind(msgspec.Struct, frozen=True):
    """A row of a kinds table: one kind of difference between reader and writer.

    `id` is stable and never renamed. `breaks_under` are the policies under which it refuses a schema; one that only
    SOUND refuses is a hazard under the others. `wording` is our sentence, with the placeholders `{path}`, `{info}`,
    `{reader}` and `{writer}` filled by `sentence`, never by a format string (a `%` or `{` in a user's name must not
    matter). `remedy` says what the author can do about a breaking difference; it is empty for kinds that never break.
    """

    id: str
    breaks_under: frozenset[CompatibilityPolicy]
    wording: str
    remedy: str = ""


class ResolvedReference(msgspec.Struct, frozen=True):
    """A reference with the text it stands for.

    `name` is what the referring text calls it (Avro full name, Protobuf import path, JSON `$ref` URL).
    `is_direct` is false for a reference of a reference.
    """

    name: str
    subject: str
    version: int
    text: str
    is_direct: bool = True


class Parsed(Protocol):
    """A schema that was understood. Immutable; safe to share between threads."""

    @property
    def canonical(self) -> str:
        """The text that is stored: parsed and written again, compact (rest-api section 8, "Stored always").

        Parsing it again with the same references gives an equal canonical text.
        """

    @property
    def normalized(self) -> str:
        """The text stored under `normalize=true` (rest-api section 8, second column)."""

    @property
    def inlined(self) -> str:
        """A text that is equal for two schemas that differ only in whether a part is inline or by reference.

        Used by lookup's second, format-aware test only; never stored.
        """

    @property
    def field_names(self) -> tuple[str, ...]:
        """Top-level field names (compatibility-rules 1.7), for `validateFields`."""

    @property
    def reserved_misuse(self) -> str | None:
        """Why `validateFields` refuses this schema by itself (JSON: a top-level property starting with `$$`)."""

    @property
    def tags(self) -> tuple[EntityTags, ...]:
        """The tags written inside the text (`confluent:tags`), in document order."""

    def with_tags(self, add: Sequence[EntityTags], remove: Sequence[EntityTags]) -> str:
        """Return the canonical text with tags added and removed. A path that does not exist raises InvalidSchema."""

    def render(self, style: str) -> str:
        """Return the text in the `format=` style asked for. An unknown style answers the canonical text."""

    def represent(self, media_type: str, *, pretty: bool) -> bytes:
        """Return the schema in one of `Format.media_types`. Raises KeyError for another one."""


class Reading(NamedTuple):
    """What became of a payload's bytes. With violations the value, if there is one, is not to be relied on."""

    value: object
    violations: tuple[Violation, ...] = ()


class Payloads(Protocol):
    """The payloads of one schema. Immutable; safe to share between threads.

    Nothing that is read makes it raise, hang, recurse without end or take memory out of proportion: sizes, depths and
    counts are bounded, and what goes beyond a bound is a violation.
    """

    @property
    def shape(self) -> Shape:
        """What values look like. A type that contains itself is a circle."""

    def read(self, encoding: Encoding, data: bytes, limit: int = 100) -> Reading:
        """Decode a payload strictly, with up to `limit` violations in the order of the payload.

        Everything has to be exactly as its writer's schema says: no byte left over, no field that it does not know. An
        encoding that the format does not have is a violation too.
        """

    def plain(self, value: object) -> object:
        """Return a value that `read` gave in plain Python: None, bool, int, float, str, bytes, list and dict by field
        name, and for logical types Decimal, datetime (aware unless local), date, time, timedelta and UUID.
        """

    def restore(self, plain: object) -> object:
        """Return the value that a plain one stands for: the opposite of `plain`. Raises ValueError."""


class Format(Protocol):
    """A schema format: a name, how to parse, how to compare, how to say what was found.

    All functions are synchronous and may take long; callers keep them off the event loop. All are bounded in input
    size, depth and time and raise nothing but `errors.InvalidSchema` on bad input.
    """

    @property
    def schema_type(self) -> str:
        """The name on the wire, e.g. `AVRO`."""

    @property
    def media_types(self) -> tuple[str, ...]:
        """Native media types that `Parsed.represent` can answer; the first is preferred."""

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Every kind of difference that `diff` and `hazards` can emit, by id."""

    @property
    def remembers(self) -> bool:
        """Whether `reused` can find anything, so that versions before the latest are worth loading for it."""

    def parse(self, text: str, references: Sequence[ResolvedReference] = (), *, is_new: bool = True) -> Parsed:
        """Understand a schema or raise InvalidSchema naming the place and the mend.

        `references` are transitive and topological: each comes after those it depends on; of two equal names the
        first wins. `is_new=False` drops the checks that apply to new schemas only (compatibility-rules 2.8).
        """

    def diff(self, reader: Parsed, writer: Parsed, policy: CompatibilityPolicy, budget: Budget) -> Sequence[Difference]:
        """Return all differences found when `reader` reads data of `writer`, allowed ones included, in the order of
        compatibility-rules: the answer of Confluent's engines. The policy, one of NATIVE, matters only where a verdict
        on a part steers the comparison (JSON unions). Raises TooComplex.
        """

    def hazards(self, reader: Parsed, writer: Parsed, budget: Budget) -> Sequence[Difference]:
        """Return every way known in which something valid under `writer` fails, or changes its meaning, when `reader`
        reads it: the answer of data. What `diff` finds and SOUND refuses by its kind is not repeated. If neither finds
        anything that SOUND refuses, that is a proof; what cannot be proved is a difference itself. Raises TooComplex.
        """

    def reused(
        self, candidate: Parsed, latest: Parsed, earlier: Sequence[Parsed], budget: Budget
    ) -> Sequence[Difference]:
        """Return what a candidate takes up again that versions before the latest one used for something else: harm to
        their data, whatever level is in force. `earlier` are newest first. Raises TooComplex.
        """

    def explain(self, difference: Difference, reader: Parsed, writer: Parsed) -> Detail:
        """Say where a difference between these two stands in their texts, what stood there, and how to mend it."""

    def locate(self, text: str, paths: Collection[str]) -> Mapping[str, Place]:
        """Find the places of `Detail` paths in a text that `parse` takes; paths not found are left out."""

    def describe(self, difference: Difference, reader_name: str, writer_name: str) -> str:
        """Return the one-line pseudo-object of compatibility-rules 1.8 for a difference."""

    def logical(self, parsed: Parsed) -> LogicalType:
        """Return the schema as a table (compatibility-rules 1.5). Raises InvalidSchema when it cannot be one: a type
        that contains itself or has no counterpart in SQL, or nesting that is too deep.
        """

    def messages(self, parsed: Parsed) -> Sequence[str]:
        """Return what payloads can be of: the full names of Protobuf's messages, the first one's first; of a format
        with one type only the empty name.
        """

    def payloads(self, parsed: Parsed, message: str = "") -> Payloads:
        """Prepare to read payloads of a schema. `message` is the full name of a Protobuf message, the first if empty;
        other formats have one type only. Raises InvalidPayload when the schema has no such message.
        """

    def unframe(self, parsed: Parsed, body: bytes) -> tuple[str, Encoding, bytes]:
        """Take apart what stands behind the schema's id in a framed payload: message, encoding and payload itself.

        Raises InvalidPayload.
        """


def breaks(kind: Kind, policy: CompatibilityPolicy) -> bool:
    """Whether a kind of difference breaks compatibility under a policy."""
    return policy in kind.breaks_under


def printable(text: str) -> str:
    """Spell out what would break a line or steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def sentence(kind: Kind, difference: Difference, reader_name: str, writer_name: str) -> str:
    """Fill a kind's wording, once: what a user named is never read as a placeholder."""
    values = {"reader": reader_name, "writer": writer_name, "info": difference.info, "path": difference.path}
    return _PLACEHOLDER.sub(lambda match: values[match[1]], kind.wording)
