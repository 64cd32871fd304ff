"""Makes the CEL rules of a rule set ready to run, or says what is wrong with one, where, and how to mend it.

Refuses to run a rule. Rules of other types (JSONATA, ENCRYPT, ...) are left to the clients that know them, and so are
those that use Confluent's variants, which this executor lacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from llm_schema_registry.contracts.cel.ast import Tree
from llm_schema_registry.contracts.cel.cost import (
    SMALLEST_PAYLOAD,
    Estimate,
    costs_by_bits,
    largest_payload,
)
from llm_schema_registry.contracts.cel.engine import Environment, NotCompiled, NotEvaluated, Program
from llm_schema_registry.contracts.cel.functions import COMPARISONS, FUNCTIONS
from llm_schema_registry.contracts.cel.reference_data import CATALOG_FUNCTIONS, DataSet, catalog_functions
from llm_schema_registry.contracts.cel.types import Declared, declare, type_name
from llm_schema_registry.contracts.fields import FieldPaths, FieldTags
from llm_schema_registry.contracts.rules.wording import Wording, did_you_mean
from llm_schema_registry.errors import InvalidRuleSet
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind, walk_shapes
from llm_schema_registry.model import Rule, RuleKind, RuleMode, ValidationLevel

MAX_LENGTH = 8_192
"""Characters of an expression; the engine would take 100,000 and a third of a second."""

PRIMITIVES = frozenset(
    {
        ShapeKind.STRING,
        ShapeKind.BYTES,
        ShapeKind.INT,
        ShapeKind.LONG,
        ShapeKind.FLOAT,
        ShapeKind.DOUBLE,
        ShapeKind.BOOLEAN,
        ShapeKind.NULL,
    }
)
"""The kinds of fields that Confluent's CEL_FIELD looks at."""

MESSAGE, FIELD = "CEL", "CEL_FIELD"
_PAYLOAD_VARIABLES = frozenset({"message", "event", "value"})
_MESSAGE_VARIABLES = {"message": "dyn", "event": "dyn", "now": "timestamp"}
_FIELD_VARIABLES = {
    "value": "dyn",
    "fullName": "string",
    "name": "string",
    "typeName": "string",
    "tags": "strings",
    "message": "dyn",
    "event": "dyn",
    "now": "timestamp",
}
_MODES = {
    RuleMode.WRITE: frozenset({RuleMode.WRITE}),
    RuleMode.READ: frozenset({RuleMode.READ}),
    RuleMode.WRITEREAD: frozenset({RuleMode.WRITE, RuleMode.READ}),
}
_PAYLOAD = re.compile(r"\b(?:message|event)\b")
_NOW = re.compile(r"\bnow\b")
_NOT_A_RANGE = re.compile(r"expression of type '(.*)' cannot be the range of a comprehension")
_VARIANT = re.compile(r"\bvariants?\s*[.(]")
_NOT_LINE = re.compile(r"[^\n]")


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule that can be run. `level` is its own, None when it names none.

    `paths` lead to the fields of one that `is_on_fields` (CEL_FIELD). `costs` are the nanoseconds that one evaluation
    can take, by the bits of the length of what it is given. `source` is what the body was loaded from, and `reads` the
    fields that it looks at, None for the whole payload.
    """

    rule: Rule
    name: str
    kind: RuleKind
    modes: frozenset[RuleMode]
    level: ValidationLevel | None
    guard: Program | None
    body: Program
    paths: FieldPaths
    is_on_fields: bool
    estimates: tuple[Estimate, ...]
    costs: tuple[float, ...]
    data_sets: frozenset[str]
    needs_message: bool
    needs_now: bool
    source: bytes
    reads: frozenset[str] | None


class _Part(NamedTuple):
    """A guard, or what stands behind it."""

    program: Program
    estimate: Estimate
    data_sets: set[str]
    source: bytes
    reads: frozenset[str] | None


class RuleCompiler:
    """Compiles the rules of one version of a schema."""

    def __init__(self, shape: Shape, tags: FieldTags, data: Mapping[str, DataSet]) -> None:
        self._shape = shape
        self._tags = tags
        self._data = data
        self._sizes = {name: found.size for name, found in data.items()}
        self._functions = (*FUNCTIONS, *catalog_functions(data))
        self._python = frozenset(function.name for function in self._functions)
        self._declared: Declared = declare(shape)
        self._checking = (*self._functions, *COMPARISONS, *self._declared.functions)
        # The way to fields leads through the whole schema, and rules may be many.
        self._nowhere = FieldPaths(shape, lambda _field: False)
        self._paths_by_tags: dict[frozenset[str], FieldPaths] = {}
        self._kinds: dict[int, set[str]] = {}
        self._checkers: dict[tuple[tuple[str, str], ...], Environment] = {}
        self._wording = Wording(
            self._declared.records, (*_FIELD_VARIABLES, *(function.name for function in self._checking))
        )
        self.messages = Environment(self._declared.pool, _MESSAGE_VARIABLES, self._functions)
        self.fields = Environment(self._declared.pool, _FIELD_VARIABLES, self._functions)

    def compile(self, place: str, rule: Rule) -> CompiledRule | None:
        """Return a rule ready to run, None when it is not one of CEL. Raises InvalidRuleSet."""
        kind_of_rule, source = (rule.type or "").upper(), rule.expr
        if kind_of_rule not in {MESSAGE, FIELD} or not source or _VARIANT.search(source):
            return None
        place = f"{place} ('{rule.name}')"
        if len(source) > MAX_LENGTH:
            raise InvalidRuleSet(f"{place}: expr has {len(source)} characters; at most {MAX_LENGTH} are allowed")
        is_on_fields = kind_of_rule == FIELD
        paths = self._paths(rule) if is_on_fields else self._nowhere
        guard_source, separator, body_source = source.partition(";")
        if not separator:
            guard_source, body_source = "", source
        if not body_source.strip():
            raise InvalidRuleSet(f"{place}: expr has nothing behind its guard and ';'")
        checker = self._checker(paths if is_on_fields else None, has_guard=bool(guard_source.strip()))
        environment = self.fields if is_on_fields else self.messages
        # What stands before an expression becomes blank, so that places are those in the whole.
        blank = _NOT_LINE.sub(" ", guard_source + separator)
        body = self._part(place, source, blank + body_source, checker, environment)
        parts = [body]
        if guard_source.strip():
            parts.insert(0, self._part(place, source, guard_source, checker, environment))
        estimates = [part.estimate for part in parts]
        if not largest_payload(estimates):
            raise InvalidRuleSet(
                f"{place}: expr could take more than a second, or build more than 16 MiB, for a payload of "
                f"{SMALLEST_PAYLOAD} bytes; loops in loops, chains of 'map' and looking through reference data in a "
                "loop do that ('catalogHas' finds a key at once)"
            )
        return CompiledRule(
            rule=rule,
            name=rule.name or "",
            kind=rule.kind or RuleKind.TRANSFORM,
            modes=_MODES.get(rule.mode or RuleMode.WRITEREAD, frozenset()),
            level=_level(place, rule),
            guard=parts[0].program if len(parts) > 1 else None,
            body=body.program,
            paths=paths,
            is_on_fields=is_on_fields,
            estimates=tuple(estimates),
            costs=costs_by_bits(estimates) if is_on_fields else (),
            data_sets=frozenset(name for part in parts for name in part.data_sets),
            needs_message=_PAYLOAD.search(source) is not None,
            needs_now=_NOW.search(source) is not None,
            source=body.source,
            reads=body.reads,
        )

    def _paths(self, rule: Rule) -> FieldPaths:
        wanted = frozenset(rule.tags or ())
        if wanted not in self._paths_by_tags:
            self._paths_by_tags[wanted] = FieldPaths(
                self._shape, lambda field: not wanted or not wanted.isdisjoint(self._tags.of(field))
            )
        return self._paths_by_tags[wanted]

    def _checker(self, paths: FieldPaths | None, *, has_guard: bool) -> Environment:
        if paths is None:
            value = self._declared.value
            return self._environment({**_MESSAGE_VARIABLES, "message": value, "event": value})
        if id(paths) not in self._kinds:
            self._kinds[id(paths)] = {type_name(leaf) for field in paths.wanted for leaf in _leaves(field)}
        kinds = self._kinds[id(paths)]
        # A guard may choose between types by their names, which the checker does not follow.
        is_of_one_type = len(kinds) == 1 and not has_guard
        return self._environment({**_FIELD_VARIABLES, "value": min(kinds) if is_of_one_type else "dyn"})

    def _environment(self, variables: dict[str, str]) -> Environment:
        key = tuple(variables.items())
        if key not in self._checkers:
            self._checkers[key] = Environment(self._declared.pool, variables, self._checking)
        return self._checkers[key]

    def _part(self, place: str, source: str, text: str, checker: Environment, environment: Environment) -> _Part:
        try:
            tree = Tree(self._checked(text, checker))
            estimate = Estimate(tree, _PAYLOAD_VARIABLES, self._python, self._sizes)
        except NotCompiled as error:
            raise InvalidRuleSet(f"{place}: {self._wording.explain(source, error.problem)}") from None
        except ValueError as error:
            raise InvalidRuleSet(f"{place}: expr can not be used: {error}") from None
        for pattern in estimate.patterns:
            self._check_pattern(place, pattern)
        names, reads, runnable = self._data_sets(place, tree), tree.fields_read(), tree.runnable()
        return _Part(environment.load(runnable), estimate, names, runnable, reads)

    def _checked(self, text: str, checker: Environment) -> bytes:
        try:
            return checker.check(text)
        except NotCompiled as error:
            found = _NOT_A_RANGE.search(error.problem.text)
            if found is None or found[1] not in self._declared.records:
                raise
            # Rules may go over the fields of a record as over a map's keys, which the checker does not know.
            return self._environment(_MESSAGE_VARIABLES).check(text)

    def _check_pattern(self, place: str, pattern: str) -> None:
        program = self.messages.compile("''.matches(message)")
        try:
            program.evaluate(self.messages.bind({"message": pattern}))
        except NotEvaluated as error:
            raise InvalidRuleSet(f"{place}: {error}; the syntax is RE2's, without look-around") from None

    def _data_sets(self, place: str, tree: Tree) -> set[str]:
        """Return the names of the sets of reference data that are written in an expression."""
        called = (node.call_expr for node in tree.nodes() if node.call_expr.function in CATALOG_FUNCTIONS)
        names = {call.args[0].const_expr.string_value for call in called if call.args[0].HasField("const_expr")}
        for name in sorted(names - set(self._data)):
            mend = did_you_mean(name, self._data)
            raise InvalidRuleSet(f"{place}: there is no set of reference data named '{name}'{mend}")
        return names


def _leaves(field: ShapeField) -> list[Shape]:
    """Return the types of a field, or of what its lists and maps hold, that CEL_FIELD looks at."""
    return [shape for shape in walk_shapes(field.shape, into_fields=False) if shape.kind in PRIMITIVES]


def _level(place: str, rule: Rule) -> ValidationLevel | None:
    given = (rule.params or {}).get("level")
    if given is None:
        return None
    try:
        return ValidationLevel(given.upper())
    except ValueError:
        raise InvalidRuleSet(f"{place}: params.level is '{given}'; allowed are STRICT, WARN, MONITOR") from None
