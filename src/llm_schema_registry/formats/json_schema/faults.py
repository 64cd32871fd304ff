"""Why a value is not what a schema asks for: every fault with its place in both, found in bounded time.

Refuses to be asked first: a compiled validator says whether there are faults at all, and this is a hundred times
slower. It is here because compiled validators list faults without bound, in time or in memory. Each schema is held
against each part of the value once, whatever ways lead there; single keywords are left to the compiled validators.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from llm_schema_registry.formats.json_schema.drafts import Draft
from llm_schema_registry.formats.json_schema.leaves import Leaves, is_base64
from llm_schema_registry.formats.json_schema.rewrite import At
from llm_schema_registry.formats.json_schema.wording import listed, shown, violation
from llm_schema_registry.formats.places import pointer_token, token_name
from llm_schema_registry.model import Violation, ViolationKind

MAX_STEPS = 50_000
"""Schemas held against values, and tens of names against patterns, before the search ends."""

_Found = list[Violation]
_Json = Any  # any JSON value


class _TooMuchError(Exception):
    """The search took too many steps."""


class Faults:
    """Finds faults of values under one schema. Safe to share between threads."""

    def __init__(self, draft: Draft, documents: Sequence[_Json], names: Sequence[str]) -> None:
        """Take a schema and its references as `rewrite` writes them, and what the references are called."""
        self.draft = draft
        self.documents = documents
        self.names = names
        self.leaves = Leaves(draft)

    def find(self, value: _Json, limit: int) -> tuple[list[Violation], bool]:
        """Return up to `limit` faults, at least one, in the order of the value, and whether the search came to its end.

        If it did not, these are the ones that it was certain of until then.
        """
        search = _Search(self, max(limit, 1))
        try:
            found, is_whole = search.faults(At(self.documents[0]), value, ""), True
        except (_TooMuchError, RecursionError):
            found, is_whole = list(dict.fromkeys(search.certain))[:limit], False
        order = _Order(value)
        return sorted(found, key=lambda fault: order.of(fault.path)), is_whole


class _Search:
    def __init__(self, faults: Faults, limit: int) -> None:
        self._faults = faults
        self._draft = faults.draft
        self._leaves = faults.leaves
        self._limit = limit
        self._known: dict[tuple[int, str], _Found] = {}
        self._evaluated: dict[tuple[int, str, bool], set[str | int]] = {}
        self._steps = 0
        self._trials = 0
        self.certain: _Found = []
        self._rules = [rule for rule in _RULES if rule.is_known(self._draft)]

    def faults(self, at: At, value: _Json, path: str) -> _Found:
        """Return the faults of a value that stands at a path, at most the limit."""
        at = self._landed(at)
        if isinstance(at.schema, bool):
            if at.schema:
                return []
            return [self._fault(ViolationKind.VALUE_NOT_ALLOWED, path, at, "", "nothing here", shown(value))]
        key = (id(at.schema), path)
        if key not in self._known:
            # What leads back to itself for the same value adds nothing.
            self._known[key] = []
            self._known[key] = self._search(at, value, path)
        return self._known[key]

    def _landed(self, at: At) -> At:
        """Follow a schema that is nothing but a reference; a circle of these asks for nothing."""
        seen: set[int] = set()
        target = self._target(at)
        while target is not None and (len(at.schema) == 1 or not self._draft.is_modern):
            self._spend(1)
            if id(at.schema) in seen:
                return At(True)
            seen.add(id(at.schema))
            at, target = target, self._target(target)
        return at

    def _target(self, at: At) -> At | None:
        return at.target(self._faults.documents)

    def _search(self, at: At, value: _Json, path: str) -> _Found:
        self._spend(1)
        # In order, and each once: a schema may be reached in several ways.
        found: dict[Violation, None] = {}
        target = self._target(at)
        if target is not None:
            found.update(dict.fromkeys(self.faults(target, value, path)))
        elif "$ref" in at.schema:
            found.update(dict.fromkeys(self._metaschema(at, value, path)))
            if not self._draft.is_modern:
                return list(found)
        for keyword, kind, expected, told in self._leaves.faults(at.schema, value):
            found[self._fault(kind, path, at, keyword, expected, told)] = None
        for rule in self._rules:
            if len(found) >= self._limit:
                break
            if rule.keyword in at.schema and (rule.takes is None or isinstance(value, rule.takes)):
                for faults in rule.apply(self, at, value, path):
                    found.update(dict.fromkeys(faults))
                    if len(found) >= self._limit:
                        break
        return list(found)[: self._limit]

    def _metaschema(self, at: At, value: _Json, path: str) -> Iterator[Violation]:
        address = at.schema["$ref"]
        if not self._leaves.matches_metaschema(address, value):
            expected = f"what {address} allows"
            yield self._fault(ViolationKind.COMBINATION_FAILED, path, at, "$ref", expected, shown(value))

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise _TooMuchError

    def _fault(self, kind: ViolationKind, path: str, at: At, keyword: str, expected: str, found: str) -> Violation:
        place = at.place(self._faults.names)
        fault = violation(kind, path, f"{place}/{keyword}" if keyword else place, expected, found)
        if not self._trials:
            self.certain.append(fault)
        return fault

    def _tried(self, at: At, value: _Json, path: str) -> _Found:
        """Return faults under a schema that the value may do without."""
        self._trials += 1
        found = self.faults(at, value, path)
        self._trials -= 1
        return found

    def _is_valid(self, at: At, value: _Json, path: str) -> bool:
        return not self._tried(at, value, path)

    # Keywords. Each yields the faults of one part after the other.

    def pattern(self, at: At, value: str, path: str) -> Iterator[_Found]:
        pattern = at.schema["pattern"]
        if not self._leaves.is_match(pattern, value):
            expected = f"a match of {shown(pattern)}"
            yield [self._fault(ViolationKind.PATTERN_MISMATCH, path, at, "pattern", expected, shown(value))]

    def content_encoding(self, at: At, value: str, path: str) -> Iterator[_Found]:
        if at.schema["contentEncoding"] == "base64" and not is_base64(value):
            kind = ViolationKind.INVALID_BASE64
            yield [self._fault(kind, path, at, "contentEncoding", "base64 with its padding", shown(value))]

    def required(self, at: At, value: dict[str, _Json], path: str) -> Iterator[_Found]:
        names = at.schema["required"]
        yield from self._missing(at, "required", names if isinstance(names, list) else [], value, path)

    def _missing(
        self, at: At, keyword: str, names: Collection[str], value: dict[str, _Json], path: str, because: str = ""
    ) -> Iterator[_Found]:
        for name in names:
            if name not in value:
                place = f"{path}/{pointer_token(name)}"
                expected = f"a value{because}"
                yield [self._fault(ViolationKind.FIELD_MISSING, place, at, keyword, expected, "nothing")]

    def dependent_required(self, at: At, value: dict[str, _Json], path: str) -> Iterator[_Found]:
        for name, names in at.schema["dependentRequired"].items():
            if name in value:
                keyword = f"dependentRequired/{pointer_token(name)}"
                yield from self._missing(at, keyword, names, value, path, f", because {shown(name)} is there")

    def dependencies(self, at: At, value: dict[str, _Json], path: str) -> Iterator[_Found]:
        for name, part in at.schema["dependencies"].items():
            if name in value and isinstance(part, list):
                keyword = f"dependencies/{pointer_token(name)}"
                yield from self._missing(at, keyword, part, value, path, f", because {shown(name)} is there")
            elif name in value:
                yield self.faults(at.down("dependencies", name), value, path)

    def dependent_schemas(self, at: At, value: dict[str, _Json], path: str) -> Iterator[_Found]:
        for name in at.schema["dependentSchemas"]:
            if name in value:
                yield self.faults(at.down("dependentSchemas", name), value, path)

    def properties(self, at: At, value: dict[str, _Json], path: str) -> Iterator[_Found]:
        for name in at.schema["properties"]:
            if name in value:
                yield self.faults(at.down("properties", name), value[name], f"{path}/{pointer_token(name)}")

    def pattern_properties(self, at: At, value: dict[str, _Json], path: str) -> Iterator[_Found]:
        for pattern in at.schema["patternProperties"]:
            below = at.down("patternProperties", pattern)
            for name in self._matching(pattern, value):
                yield self.faults(below, value[name], f"{path}/{pointer_token(name)}")

    def _matching(self, pattern: str, names: Collection[str]) -> list[str]:
        self._spend(1 + len(names) // 10)
        return [name for name in names if self._leaves.is_match(pattern, name)]

    def additional_properties(self, at: At, value: dict[str, _Json], path: str) -> Iterator[_Found]:
        known = set(at.schema.get("properties", ()))
        for pattern in at.schema.get("patternProperties", ()):
            known.update(self._matching(pattern, value))
        yield from self._others(at, "additionalProperties", value, path, known)

    def unevaluated_properties(self, at: At, value: dict[str, _Json], path: str) -> Iterator[_Found]:
        known = self._evaluated_by(at, value, path, is_top=True)
        yield from self._others(at, "unevaluatedProperties", value, path, known)

    def _others(
        self, at: At, keyword: str, value: dict[str, _Json], path: str, known: Collection[str | int]
    ) -> Iterator[_Found]:
        below = at.down(keyword)
        for name, item in value.items():
            place = f"{path}/{pointer_token(name)}"
            if name in known:
                continue
            if below.schema is False:
                expected = "no other fields than the schema's"
                yield [self._fault(ViolationKind.FIELD_UNKNOWN, place, at, keyword, expected, shown(item))]
            else:
                yield self.faults(below, item, place)

    def property_names(self, at: At, value: dict[str, _Json], path: str) -> Iterator[_Found]:
        below = at.down("propertyNames")
        for name in value:
            place = f"{path}/{pointer_token(name)}"
            # The name stands where its value does, so that it needs a path of its own.
            for fault in self._tried(below, name, f"#{place}")[:1]:
                kind = ViolationKind.FIELD_UNKNOWN
                yield [self._fault(kind, place, at, "propertyNames", f"a name with {fault.expected}", shown(name))]

    def prefix_items(self, at: At, value: list[_Json], path: str) -> Iterator[_Found]:
        for index in range(min(len(at.schema["prefixItems"]), len(value))):
            yield self.faults(at.down("prefixItems", index), value[index], f"{path}/{index}")

    def items(self, at: At, value: list[_Json], path: str) -> Iterator[_Found]:
        items = at.schema["items"]
        if isinstance(items, list):
            for index in range(min(len(items), len(value))):
                yield self.faults(at.down("items", index), value[index], f"{path}/{index}")
        else:
            start = len(at.schema.get("prefixItems", ())) if self._draft.knows("prefixItems") else 0
            yield from self._rest(at.down("items"), value, path, range(start, len(value)))

    def additional_items(self, at: At, value: list[_Json], path: str) -> Iterator[_Found]:
        items = at.schema.get("items")
        if isinstance(items, list):
            yield from self._rest(at.down("additionalItems"), value, path, range(len(items), len(value)))

    def unevaluated_items(self, at: At, value: list[_Json], path: str) -> Iterator[_Found]:
        known = self._evaluated_by(at, value, path, is_top=True)
        indexes = [index for index in range(len(value)) if index not in known]
        yield from self._rest(at.down("unevaluatedItems"), value, path, indexes)

    def _rest(self, below: At, value: list[_Json], path: str, indexes: Collection[int]) -> Iterator[_Found]:
        for index in indexes:
            yield self.faults(below, value[index], f"{path}/{index}")

    def contains(self, at: At, value: list[_Json], path: str) -> Iterator[_Found]:
        below = at.down("contains")
        count = sum(self._is_valid(below, item, f"{path}/{index}") for index, item in enumerate(value))
        least = at.schema.get("minContains", 1) if self._draft.is_modern else 1
        most = at.schema.get("maxContains") if self._draft.is_modern else None
        if count < least:
            keyword = "minContains" if "minContains" in at.schema and self._draft.is_modern else "contains"
            expected = f"at least {least} items of a kind"
        elif most is not None and count > most:
            keyword, expected = "maxContains", f"at most {most} items of a kind"
        else:
            return
        yield [self._fault(ViolationKind.LENGTH_OUT_OF_RANGE, path, at, keyword, expected, f"{count}")]

    def all_of(self, at: At, value: _Json, path: str) -> Iterator[_Found]:
        for index in range(len(at.schema["allOf"])):
            yield self.faults(at.down("allOf", index), value, path)

    def any_of(self, at: At, value: _Json, path: str) -> Iterator[_Found]:
        branches = [self._tried(branch, value, path) for branch in self._branches(at, "anyOf")]
        if all(branches):
            yield self._nearest(at, "anyOf", "at least one", branches, path)

    def one_of(self, at: At, value: _Json, path: str) -> Iterator[_Found]:
        branches = [self._tried(branch, value, path) for branch in self._branches(at, "oneOf")]
        fitting = [str(index) for index, faults in enumerate(branches) if not faults]
        if len(fitting) > 1:
            found = f"a match of {listed(fitting)}"
            expected = f"exactly one of {len(branches)} branches"
            yield [self._fault(ViolationKind.COMBINATION_FAILED, path, at, "oneOf", expected, found)]
        elif not fitting:
            yield self._nearest(at, "oneOf", "exactly one", branches, path)

    def _branches(self, at: At, keyword: str) -> list[At]:
        return [at.down(keyword, index) for index in range(len(at.schema[keyword]))]

    def _nearest(self, at: At, keyword: str, count: str, branches: list[_Found], path: str) -> _Found:
        """Return the faults of the only branch that takes values of this type, or one fault that tells the nearest."""
        typed = [faults for faults in branches if not any(_is_of_type(fault, path) for fault in faults)]
        if len(typed) == 1:
            return typed[0]
        nearest = min(typed or branches, key=len)
        expected = f"{count} of {len(branches)} branches"
        reason = nearest[0]
        found = f"none; branch {branches.index(nearest)} asks for {reason.expected} at '{reason.path}'"
        return [self._fault(ViolationKind.COMBINATION_FAILED, path, at, keyword, expected, found)]

    def negation(self, at: At, value: _Json, path: str) -> Iterator[_Found]:
        if self._is_valid(at.down("not"), value, path):
            expected = "what the schema under not refuses"
            yield [self._fault(ViolationKind.COMBINATION_FAILED, path, at, "not", expected, shown(value))]

    def condition(self, at: At, value: _Json, path: str) -> Iterator[_Found]:
        keyword = "then" if self._is_valid(at.down("if"), value, path) else "else"
        if keyword in at.schema:
            yield self.faults(at.down(keyword), value, path)

    # What is evaluated, for unevaluatedProperties and unevaluatedItems.

    def _evaluated_by(self, at: At, value: _Json, path: str, *, is_top: bool = False) -> set[str | int]:
        """Return the names or indexes that a schema which the value satisfies has looked at."""
        if isinstance(at.schema, bool):
            return set()
        key = (id(at.schema), path, is_top)
        if key not in self._evaluated:
            self._spend(1)
            self._evaluated[key] = set()
            found = self._own_names(at, value, is_top) if isinstance(value, dict) else set()
            if isinstance(value, list):
                found = self._own_indexes(at, value, path, is_top)
            for part in self._in_place(at, value, path):
                if self._is_valid(part, value, path):
                    found |= self._evaluated_by(part, value, path)
            self._evaluated[key] = found
        return self._evaluated[key]

    def _own_names(self, at: At, value: dict[str, _Json], is_top: bool) -> set[str | int]:
        schema = at.schema
        if "additionalProperties" in schema or ("unevaluatedProperties" in schema and not is_top):
            return set(value)
        found: set[str | int] = {name for name in schema.get("properties", ()) if name in value}
        for pattern in schema.get("patternProperties", ()):
            found.update(self._matching(pattern, value))
        return found

    def _own_indexes(self, at: At, value: list[_Json], path: str, is_top: bool) -> set[str | int]:
        schema = at.schema
        if "items" in schema or ("unevaluatedItems" in schema and not is_top):
            return set(range(len(value)))
        found: set[str | int] = set(
            range(len(schema.get("prefixItems", ()))) if self._draft.knows("prefixItems") else ()
        )
        if "contains" in schema:
            below = at.down("contains")
            found.update(i for i, item in enumerate(value) if self._is_valid(below, item, f"{path}/{i}"))
        return found

    def _in_place(self, at: At, value: _Json, path: str) -> Iterator[At]:
        """Yield the schemas that look at the same value and count where they are satisfied."""
        target = self._target(at)
        if target is not None:
            yield target
        for keyword in ("allOf", "anyOf", "oneOf"):
            if keyword in at.schema:
                yield from self._branches(at, keyword)
        if "if" in at.schema:
            is_met = self._is_valid(at.down("if"), value, path)
            for keyword in ("if", "then") if is_met else ("else",):
                if keyword in at.schema:
                    yield at.down(keyword)
        for keyword in ("dependentSchemas", "dependencies"):
            for name, part in at.schema.get(keyword, {}).items():
                if isinstance(value, dict) and name in value and not isinstance(part, list):
                    yield at.down(keyword, name)


class _Rule(NamedTuple):
    """How a keyword is searched, and the type of values that it is about."""

    keyword: str
    apply: Callable[[_Search, At, Any, str], Iterator[_Found]]
    takes: type | None = None

    def is_known(self, draft: Draft) -> bool:
        return draft.knows(self.keyword) and (self.keyword != "dependentRequired" or draft.is_modern)


class _Order:
    """The order of paths in a value: outer ones first, then as the members stand; what is missing comes last."""

    def __init__(self, root: _Json) -> None:
        self._root = root
        self._places: dict[int, dict[str, int]] = {}

    def of(self, path: str) -> tuple[int, ...]:
        """Return a key to sort by."""
        places = []
        value = self._root
        for token in path.split("/")[1:]:
            if isinstance(value, list):
                places.append(int(token))
                value = value[int(token)]
            else:
                name = token_name(token)
                known = self._places.get(id(value))
                if known is None:
                    known = self._places[id(value)] = {key: place for place, key in enumerate(value)}
                places.append(known.get(name, len(known)))
                value = value.get(name)
        return tuple(places)


def _is_of_type(fault: Violation, path: str) -> bool:
    return fault.kind is ViolationKind.TYPE_MISMATCH and fault.path == path


_RULES = (
    _Rule("pattern", _Search.pattern, str),
    _Rule("contentEncoding", _Search.content_encoding, str),
    _Rule("required", _Search.required, dict),
    _Rule("dependentRequired", _Search.dependent_required, dict),
    _Rule("properties", _Search.properties, dict),
    _Rule("patternProperties", _Search.pattern_properties, dict),
    _Rule("additionalProperties", _Search.additional_properties, dict),
    _Rule("propertyNames", _Search.property_names, dict),
    _Rule("dependencies", _Search.dependencies, dict),
    _Rule("dependentSchemas", _Search.dependent_schemas, dict),
    _Rule("prefixItems", _Search.prefix_items, list),
    _Rule("items", _Search.items, list),
    _Rule("additionalItems", _Search.additional_items, list),
    _Rule("contains", _Search.contains, list),
    _Rule("allOf", _Search.all_of),
    _Rule("anyOf", _Search.any_of),
    _Rule("oneOf", _Search.one_of),
    _Rule("not", _Search.negation),
    _Rule("if", _Search.condition),
    _Rule("unevaluatedProperties", _Search.unevaluated_properties, dict),
    _Rule("unevaluatedItems", _Search.unevaluated_items, list),
)
