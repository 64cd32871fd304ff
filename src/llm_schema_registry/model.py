"""The values that every layer exchanges: frozen, without behaviour.

Refuses to own rules: what a value means for compatibility, storage or the wire is decided above.
Structs that are documents of Confluent's API (`Metadata`, `Rule`, `RuleSet`, `Config`) carry their wire names, so
that one struct serves the wire, the store and the engines.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

DEFAULT_CONTEXT = "."
GLOBAL_CONTEXT = ".__GLOBAL"
LATEST = -1
MAX_ID = 2**31 - 1
"""The largest id that every client can read."""

Version32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


class CompatibilityLevel(StrEnum):
    """How far a new version may depart from earlier ones; `spec` 1.1 names the pairs each level checks."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


class CompatibilityPolicy(StrEnum):
    """How a difference is judged. STRICT, LENIENT and LOGICAL are Confluent's: LENIENT loosens JSON Schema only,
    LOGICAL adds the checks of tables to those of STRICT. SOUND is the truth about data: compatible means that nothing
    valid under the writer can fail, or change its meaning, under the reader.
    """

    STRICT = "STRICT"
    LENIENT = "LENIENT"
    LOGICAL = "LOGICAL"
    SOUND = "SOUND"


class Mode(StrEnum):
    """What writes a scope takes; never the same thing as a compatibility level."""

    READWRITE = "READWRITE"
    READONLY = "READONLY"
    READONLY_OVERRIDE = "READONLY_OVERRIDE"
    IMPORT = "IMPORT"
    FORWARD = "FORWARD"


class State(StrEnum):
    """Where a version stands in its life. Only ACTIVE is produced so far."""

    ACTIVE = "ACTIVE"


class Subject(msgspec.Struct, frozen=True, order=True):
    """A name inside a context. `Subject(context, "")` is the scope of a whole context (config and mode)."""

    context: str
    name: str

    def __str__(self) -> str:
        """The qualified name: `name` in the default context, `:.ctx:name` elsewhere."""
        return self.name if self.context == DEFAULT_CONTEXT else f":{self.context}:{self.name}"


TOP_LEVEL = Subject(DEFAULT_CONTEXT, "")
EVERYWHERE = Subject(GLOBAL_CONTEXT, "")


class Reference(msgspec.Struct, frozen=True, order=True):
    """A name in a schema's text, bound to a registered version. `version` -1 means latest until it is pinned."""

    name: str
    subject: str
    version: Version32


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tags by path, free properties, and which properties are sensitive."""

    tags: dict[str, list[str]] | None = None
    properties: dict[str, str] | None = None
    sensitive: list[str] | None = None


class RuleKind(StrEnum):
    """Whether a rule changes a payload or checks it."""

    TRANSFORM = "TRANSFORM"
    CONDITION = "CONDITION"


class RuleMode(StrEnum):
    """When a rule runs: between versions, or when a payload is written or read."""

    UPGRADE = "UPGRADE"
    DOWNGRADE = "DOWNGRADE"
    UPDOWN = "UPDOWN"
    WRITE = "WRITE"
    READ = "READ"
    WRITEREAD = "WRITEREAD"


class RulePhase(StrEnum):
    """Where rules are enabled (`enableAt`)."""

    ALL = "ALL"
    CLIENT = "CLIENT"
    GATEWAY = "GATEWAY"
    SERVER = "SERVER"
    NONE = "NONE"


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One data-contract rule. `type` names its executor (CEL, CEL_FIELD, JSONATA, ENCRYPT, ...)."""

    name: str | None = None
    doc: str | None = None
    kind: RuleKind | None = None
    mode: RuleMode | None = None
    type: str | None = None
    tags: list[str] | None = None
    params: dict[str, str] | None = None
    expr: str | None = None
    on_success: str | None = None
    on_failure: str | None = None
    disabled: bool | None = None


class RuleSet(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The rules of a schema, by the moment at which they run."""

    migration_rules: list[Rule] | None = None
    domain_rules: list[Rule] | None = None
    encoding_rules: list[Rule] | None = None
    enable_at: RulePhase | None = None


class SchemaContent(msgspec.Struct, frozen=True):
    """What gives a schema its identity: equal contents of one context share one id (rest-api 5.1)."""

    schema_type: str
    text: str
    references: tuple[Reference, ...] = ()
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None


class Schema(msgspec.Struct, frozen=True):
    """A stored content. `id` is unique in its context; `guid` is the same for the same content everywhere."""

    context: str
    id: int
    guid: str
    content: SchemaContent


class Version(msgspec.Struct, frozen=True):
    """A schema under a subject. `registered_at` is in milliseconds since the epoch, UTC."""

    subject: Subject
    version: int
    schema: Schema
    is_deleted: bool
    registered_at: int
    registered_by: str
    state: State = State.ACTIVE


class VersionKey(msgspec.Struct, frozen=True, order=True):
    """Which version, without its content."""

    subject: Subject
    version: int
    schema_id: int
    is_deleted: bool = False


class ValidationLevel(StrEnum):
    """What a violation means (FR-5.4): the payload is refused, passes with a note, or passes and is counted."""

    STRICT = "STRICT"
    WARN = "WARN"
    MONITOR = "MONITOR"


class Config(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The settings of one scope; `None` means unset here, so a wider scope or the default decides."""

    compatibility_level: CompatibilityLevel | None = None
    alias: str | None = None
    alias_for_deks: str | None = None
    normalize: bool | None = None
    validate_fields: bool | None = None
    validate_new_schemas: bool | None = None
    validate_rules: bool | None = None
    compatibility_policy: CompatibilityPolicy | None = None
    compatibility_group: str | None = None
    default_metadata: Metadata | None = None
    override_metadata: Metadata | None = None
    default_rule_set: RuleSet | None = None
    override_rule_set: RuleSet | None = None
    validation_level: ValidationLevel | None = None


class Submission(msgspec.Struct, frozen=True):
    """What a caller hands in for registration, lookup or a check, before it is parsed."""

    schema_type: str
    text: str
    references: tuple[Reference, ...] = ()
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None
    version: int | None = None
    id: int | None = None
    tags_to_add: tuple[EntityTags, ...] = ()
    tags_to_remove: tuple[EntityTags, ...] = ()
    propagates_tags: bool = False


class EntityKind(StrEnum):
    """What an inline tag hangs on."""

    RECORD = "sr_record"
    FIELD = "sr_field"


class EntityTags(msgspec.Struct, frozen=True):
    """Tags on a record or field of a schema; `path` is the dotted path of names from the root type."""

    path: str
    kind: EntityKind
    tags: tuple[str, ...]


class Difference(msgspec.Struct, frozen=True):
    """A fact found by comparing reader and writer. `kind` is a row of the format's kinds table.

    `path` is written in the format's own path syntax (compatibility-rules 1.8); `info` is what the kind's wording
    adds (a field name, the missing symbols, two type names). `sample` is a document or value that is valid for the
    writer, as JSON text, and `outcome` what the reader makes of it; both are empty when none is known.
    """

    kind: str
    path: str
    info: str = ""
    sample: str = ""
    outcome: str = ""


class Severity(StrEnum):
    """What a finding means under the policy in force: it refuses the schema, it harms data unrefused, or neither."""

    BREAKING = "breaking"
    HAZARD = "hazard"
    INFO = "info"


class Direction(StrEnum):
    """Which side reads: the candidate reads earlier data (BACKWARD), or an earlier version reads the candidate's."""

    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"


class Place(msgspec.Struct, frozen=True, order=True):
    """A position in a schema's text; both count from 1, columns in characters."""

    line: int
    column: int


class Detail(msgspec.Struct, frozen=True):
    """What a person needs to understand and mend a difference.

    The paths lead into the texts of the two schemas: JSON Pointers (RFC 6901; empty is the root), or for a language
    that is not JSON the dotted names of messages and fields. A path is None where that side has no such place.
    `before` is what stands in the writer there, `after` in the reader; empty for nothing.
    """

    reader_path: str | None
    writer_path: str | None
    before: str
    after: str
    explanation: str
    remedy: str


class Finding(msgspec.Struct, frozen=True):
    """A difference from one earlier version, with its judgement under the policy that was asked.

    `message` is Confluent's one-line string; `version` is the earlier version's number, 0 for a file.
    """

    difference: Difference
    severity: Severity
    direction: Direction
    version: int
    detail: Detail
    message: str
    reader_place: Place | None = None
    writer_place: Place | None = None

    @property
    def breaks(self) -> bool:
        """Whether this finding alone makes the schema incompatible."""
        return self.severity is Severity.BREAKING


class Report(msgspec.Struct, frozen=True):
    """The answer to "may I register this?".

    `messages` are Confluent's strings, tail included. `findings` are in the order of comparison, each version's
    breaking ones and hazards, and for a thorough report everything else that differs. `compared` are the versions that
    were looked at, in that order; a transitive check ends with the first that fails. `are_hazards_complete` is false
    when the time for a pair ended before all its hazards were looked for. `id` is what it can be read again by; empty
    when it was not kept.
    """

    is_compatible: bool
    messages: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    compared: tuple[int, ...] = ()
    level: CompatibilityLevel = CompatibilityLevel.NONE
    policy: CompatibilityPolicy = CompatibilityPolicy.STRICT
    are_hazards_complete: bool = True
    id: str = ""


class Encoding(StrEnum):
    """How a payload is written down: as text in the JSON of its format (a document, Avro's JSON encoding, ProtoJSON),
    or in the format's binary encoding.
    """

    JSON = "json"
    BINARY = "binary"


class ViolationSource(StrEnum):
    """Which part of a contract was broken."""

    STRUCTURE = "STRUCTURE"
    CONSTRAINT = "CONSTRAINT"
    RULE = "RULE"
    SENSITIVITY = "SENSITIVITY"


class ViolationKind(StrEnum):
    """What is wrong with a payload, the same words for every format."""

    MALFORMED = "MALFORMED"
    TRUNCATED = "TRUNCATED"
    TRAILING_BYTES = "TRAILING_BYTES"
    TOO_LARGE = "TOO_LARGE"
    TOO_DEEP = "TOO_DEEP"
    FRAME_BROKEN = "FRAME_BROKEN"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    FIELD_MISSING = "FIELD_MISSING"
    FIELD_UNKNOWN = "FIELD_UNKNOWN"
    FIELD_REPEATED = "FIELD_REPEATED"
    BRANCH_UNKNOWN = "BRANCH_UNKNOWN"
    SYMBOL_UNKNOWN = "SYMBOL_UNKNOWN"
    VALUE_NOT_ALLOWED = "VALUE_NOT_ALLOWED"
    NOT_NULLABLE = "NOT_NULLABLE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    NOT_PRECISE = "NOT_PRECISE"
    LENGTH_OUT_OF_RANGE = "LENGTH_OUT_OF_RANGE"
    PATTERN_MISMATCH = "PATTERN_MISMATCH"
    FORMAT_MISMATCH = "FORMAT_MISMATCH"
    INVALID_TEXT = "INVALID_TEXT"
    INVALID_BASE64 = "INVALID_BASE64"
    ITEMS_NOT_UNIQUE = "ITEMS_NOT_UNIQUE"
    COMBINATION_FAILED = "COMBINATION_FAILED"
    RULE_FAILED = "RULE_FAILED"
    RULE_ERROR = "RULE_ERROR"
    NOT_PROTECTED = "NOT_PROTECTED"
    PII_FOUND = "PII_FOUND"


class Violation(msgspec.Struct, frozen=True):
    """One way in which a payload breaks its contract.

    `path` is a JSON Pointer (RFC 6901) into the payload as its format's JSON would show it, empty for the whole.
    `schema_path` says which part of the schema asks for it, written as in `Detail`; of a rule it is empty, and `rule`
    is its name. `expected` and `found` are short; `message` is one sentence that says it all.
    """

    kind: ViolationKind
    path: str
    message: str
    expected: str = ""
    found: str = ""
    schema_path: str = ""
    source: ViolationSource = ViolationSource.STRUCTURE
    rule: str = ""
    level: ValidationLevel = ValidationLevel.STRICT


class Actor(msgspec.Struct, frozen=True):
    """Who calls. Unauthenticated callers are `anonymous`."""

    name: str


ANONYMOUS = Actor("anonymous")


class EventType(StrEnum):
    """Every change the log can tell of."""

    VERSION_REGISTERED = "VERSION_REGISTERED"
    VERSION_SOFT_DELETED = "VERSION_SOFT_DELETED"
    VERSION_DELETED = "VERSION_DELETED"
    CONFIG_CHANGED = "CONFIG_CHANGED"
    CONFIG_DELETED = "CONFIG_DELETED"
    MODE_CHANGED = "MODE_CHANGED"
    MODE_DELETED = "MODE_DELETED"
    CONTEXT_DELETED = "CONTEXT_DELETED"
    COPY_RESTORED = "COPY_RESTORED"
    DOCUMENT_CHANGED = "DOCUMENT_CHANGED"
    DOCUMENT_DELETED = "DOCUMENT_DELETED"


class Event(msgspec.Struct, frozen=True):
    """One change, appended in the transaction that made it. `at` is in milliseconds since the epoch, UTC."""

    type: EventType
    subject: Subject
    actor: str
    request_id: str
    at: int
    version: int | None = None
    schema_id: int | None = None
    details: dict[str, str] = {}
