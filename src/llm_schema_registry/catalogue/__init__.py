"""The canonical schemas of an LLM platform: the files that the package ships, read into values.

Refuses to parse a schema, to judge a payload, and to know a server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TypeVar

import msgspec

from llm_schema_registry.model import (
    CompatibilityLevel,
    CompatibilityPolicy,
    Metadata,
    RuleSet,
    ViolationKind,
)

SHIPPED: Traversable = resources.files(__name__).joinpath("schemas")
"""The folder of the catalogue that this package brings."""

RELEASE = "catalogue.release"
"""The property of a version's metadata that tells which release of the catalogue its content came with."""

SHARED = "shared"
"""The module of the parts that others refer to; installed with who needs them."""

_CONTRACT_FILE = "contract.json"
_EXAMPLES_FILE = "examples.json"
_SCHEMA_STEM = "schema."

T = TypeVar("T")


class Module(StrEnum):
    """The parts of the platform that events are for (FR-6)."""

    OBSERVATORY = "observatory"
    SENTINEL = "sentinel"
    COSTOPS = "costops"
    ANALYTICS = "analytics"
    GOVERNANCE = "governance"


class Use(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reference: what the text calls it, and the subject of the catalogue that it is. It has no version yet."""

    name: str
    subject: str


class Contract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said about a schema beside its text: `contract.json`.

    `release` is the release of the catalogue, `MAJOR.MINOR.PATCH`, in which text or contract changed last.
    """

    schema_type: str
    release: str
    owner_team: str
    description: str
    compatibility_level: CompatibilityLevel
    compatibility_policy: CompatibilityPolicy
    documentation_url: str | None = None
    tags: tuple[str, ...] = ()
    references: tuple[Use, ...] = ()
    metadata: Metadata = Metadata()
    rule_set: RuleSet = RuleSet()


class Expected(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A violation that an example must give; `rule` names the rule of a RULE_FAILED."""

    kind: ViolationKind
    path: str
    rule: str = ""


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payload in the JSON encoding of its format, and what is wrong with it: nothing, if it is a good one."""

    name: str
    payload: msgspec.Raw
    violations: tuple[Expected, ...] = ()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A schema of the catalogue. `module` is a Module, or SHARED."""

    module: str
    subject: str
    text: str
    contract: Contract
    examples: tuple[Example, ...]


def load(folder: Traversable = SHIPPED) -> tuple[Entry, ...]:
    """Read a catalogue, `MODULE/SUBJECT/{schema.*, contract.json, examples.json}`; references come before their users.

    Raises ValueError, which names the file, for what is not well formed, and OSError for what cannot be read.
    """
    waiting = list(_read_modules(folder))
    known = {entry.subject for entry in waiting}
    placed: dict[str, Entry] = {}
    while waiting:
        ready = next((entry for entry in waiting if _used(entry) <= placed.keys()), None)
        if ready is None:
            missing = set().union(*map(_used, waiting)) - known
            raise ValueError(
                f"references to what the catalogue does not have: {', '.join(sorted(missing))}"
                if missing
                else f"references in a circle among {', '.join(entry.subject for entry in waiting)}"
            )
        waiting.remove(ready)
        placed[ready.subject] = ready
    return tuple(placed.values())


def choose(entries: Sequence[Entry], modules: Collection[str]) -> tuple[Entry, ...]:
    """Return the entries of some modules with all that they refer to, in their order."""
    wanted: set[str] = set()
    for entry in reversed(entries):
        if entry.module in modules or entry.subject in wanted:
            wanted.add(entry.subject)
            wanted |= _used(entry)
    return tuple(entry for entry in entries if entry.subject in wanted)


def release_of(text: str) -> tuple[int, ...]:
    """Return a release in the order of releases. Raises ValueError for what is none."""
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{text!r} is no release, which is MAJOR.MINOR.PATCH")
    return tuple(int(part) for part in parts)


def _used(entry: Entry) -> set[str]:
    return {use.subject for use in entry.contract.references}


def _read_modules(folder: Traversable) -> Iterator[Entry]:
    for module in (SHARED, *Module):
        place = folder.joinpath(module)
        if place.is_dir():
            for subject in sorted(place.iterdir(), key=lambda found: found.name):
                yield _read_entry(module, subject)


def _read_entry(module: str, place: Traversable) -> Entry:
    texts = [file for file in place.iterdir() if file.name.startswith(_SCHEMA_STEM)]
    if len(texts) != 1:
        raise ValueError(f"{place.name} has {len(texts)} files {_SCHEMA_STEM}*; a schema has one")
    contract = _decode(place.joinpath(_CONTRACT_FILE), Contract)
    release_of(contract.release)
    return Entry(
        module=module,
        subject=place.name,
        text=texts[0].read_text("utf-8"),
        contract=contract,
        examples=_decode(place.joinpath(_EXAMPLES_FILE), tuple[Example, ...]),
    )


def _decode(file: Traversable, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: {error}") from None
