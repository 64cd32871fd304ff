"""Named sets of values that rules can look things up in: models, currencies, regions.

Refuses to know where sets are stored, and which version of one a rule set uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from llm_schema_registry.contracts.cel.engine import Function
from llm_schema_registry.errors import InvalidDocument
from llm_schema_registry.model import RuleSet

MAX_ENTRIES = 10_000
"""As many as an expression may look at one by one."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 8
CATALOG_FUNCTIONS = frozenset({"catalog", "catalogHas"})
"""The functions whose first argument is the name of a set."""

_MAX_INTEGER = 2**63 - 1
_KEYS = ("id", "name")
_CALL = re.compile(r"""\bcatalog(?:Has)?\(\s*[rR]?(["'])([^"'\\]{1,255})\1""")


class DataSet:
    """A set of reference data, checked. Immutable.

    `entries` are JSON values, all texts or objects; `size` is their length as JSON, in bytes. `keys` are what
    `catalogHas` finds: a text itself, an object's `id` when that is a text, else its `name`.
    """

    __slots__ = ("entries", "keys", "name", "size", "version")

    def __init__(self, name: str, version: int, entries: Sequence[object]) -> None:
        """Raise InvalidDocument when there are too many entries, or one is something else."""
        if len(entries) > MAX_ENTRIES:
            raise InvalidDocument(f"Set '{name}' has {len(entries)} entries; at most {MAX_ENTRIES} are allowed")
        for index, entry in enumerate(entries):
            if not isinstance(entry, str | dict):
                raise InvalidDocument(f"Entry {index} of set '{name}' must be a text or an object")
            _check(entry, f"Entry {index} of set '{name}'", MAX_DEPTH)
        try:
            text = msgspec.json.encode(entries)
        except UnicodeEncodeError:
            raise InvalidDocument(f"Set '{name}' holds a text that is not valid Unicode") from None
        if b"\\u0000" in text:
            raise InvalidDocument(f"Set '{name}' holds a zero byte, at which the rule engine ends a text")
        self.size = len(text)
        if self.size > MAX_BYTES:
            raise InvalidDocument(f"Set '{name}' has {self.size} bytes as JSON; at most {MAX_BYTES} are allowed")
        self.name = name
        self.version = version
        self.entries = list(entries)
        self.keys = frozenset(key for entry in entries if (key := _key(entry)) is not None)


def read_data_set(name: str, version: int, body: str) -> DataSet:
    """Read a set from the JSON text of its entries. Raises InvalidDocument."""
    try:
        entries = msgspec.json.decode(body, type=list[Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidDocument(f"The entries of set '{name}' are no list of JSON values: {error}") from None
    return DataSet(name, version, entries)


def names_of_data(rule_set: RuleSet | None) -> frozenset[str]:
    """Return the names of the sets that rules mean by a literal, and perhaps some that only look like one."""
    rules = (rule_set and rule_set.domain_rules) or ()
    return frozenset(found[2] for rule in rules for found in _CALL.finditer(rule.expr or ""))


def catalog_functions(data: Mapping[str, DataSet]) -> tuple[Function, ...]:
    """Return `catalog(name)`, the entries of a set, and `catalogHas(name, key)`, which looks at no entry."""

    def find(name: str) -> DataSet:
        if name not in data:
            raise ValueError(f"there is no set of reference data named '{name}'")
        return data[name]

    return (
        Function("catalog", ("string",), "list", lambda name: find(name).entries),
        Function("catalogHas", ("string", "dyn"), "bool", lambda name, key: _has(find(name), key)),
    )


def _has(found: DataSet, key: object) -> bool:
    return isinstance(key, str) and key in found.keys


def _key(entry: object) -> str | None:
    if isinstance(entry, str):
        return entry
    values = (entry.get(name) for name in _KEYS) if isinstance(entry, dict) else ()
    return next((value for value in values if isinstance(value, str)), None)


def _check(value: object, place: str, depth: int) -> None:
    if depth == 0:
        raise InvalidDocument(f"{place} is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for part in value.values():
            _check(part, place, depth - 1)
    elif isinstance(value, list):
        for part in value:
            _check(part, place, depth - 1)
    elif isinstance(value, int) and abs(value) > _MAX_INTEGER:
        raise InvalidDocument(f"{place} holds a number beyond 64 bits")
