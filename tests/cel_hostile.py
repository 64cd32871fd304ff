"""Rules and payloads that want to hang, crash or fill the process: run as a program, it answers each in JSON.

Its limits on address space and processor time are what the test relies on: beyond them the process dies.
"""

from __future__ import annotations

import json
import resource
import sys
from datetime import UTC, datetime
from typing import Any

from llm_schema_registry.contracts.cel.reference_data import DataSet
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.rules.run import compile_rules
from llm_schema_registry.errors import InvalidRuleSet
from llm_schema_registry.formats.base import Reading
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind
from llm_schema_registry.model import Encoding, Rule, RuleKind, RuleMode, RuleSet

MEBIBYTE = 1 << 20
MAX_GROWTH = 400 * MEBIBYTE
MAX_SECONDS = 60
A_MILLION = 1_000_000


class AnyJson:
    """Payloads of a schema that allows everything, with one text and one list of texts that rules can be about."""

    def __init__(self) -> None:
        text = Shape(ShapeKind.STRING)
        fields = {
            "t": ShapeField("t", "$.t", text),
            "l": ShapeField("l", "$.l", Shape(ShapeKind.ARRAY, items=text)),
        }
        self.shape = Shape(ShapeKind.RECORD, is_open=True, fields=fields)

    def read(self, encoding: Encoding, data: bytes, limit: int = 100) -> Reading:
        del encoding, limit
        return Reading(json.loads(data))

    def plain(self, value: object) -> object:
        return value

    def restore(self, plain: object) -> object:
        return plain


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


LOOPED = {"l": ["a"] * 9_000, "t": "a" * 100_000, "u": "a" * 100_000, "n": list(range(9_000))}
SMALL = {"l": ["a"] * 10, "t": "a", "n": [1, 2, 3]}
# Name, expression, payload, and the type of the rule.
CASES: list[tuple[str, str, object]] = [
    ("nested macros", "".join(f"message.n.all(x{i}, " for i in range(14)) + "true" + ")" * 14, {"n": [1] * 100}),
    ("two nested macros", "message.n.all(x, message.n.all(y, x == y || true))", {"n": [1] * 9_000}),
    ("list doubling", "['a']" + ".map(x, [x, x])" * 26 + " == []", SMALL),
    ("list doubling in place", "message.l.map(x, [x, x, x, x])" + ".map(x, [x, x, x, x])" * 12 + " == []", LOOPED),
    ("list concatenation", "[message.l]" + ".map(x, x + x)" * 26 + " == []", LOOPED),
    ("text doubling", "['aaaaaaaa']" + ".map(x, x + x)" * 26 + " == []", SMALL),
    ("text doubling of the payload", "[message.t]" + ".map(x, x + x)" * 12 + " == []", LOOPED),
    ("text times list", "message.l.map(x, message.t + x) == []", LOOPED),
    ("text times list, twice", "message.l.map(x, message.l.map(y, message.t + x + y)) == []", LOOPED),
    ("map of maps", "[{'a': 1}]" + ".map(x, {'a': x, 'b': x})" * 26 + " == []", SMALL),
    ("wide format", "'%.999999999f'.format([1.0]) == ''", SMALL),
    ("long format", f"'{'%.100f' * 1000}'.format([]) == ''", SMALL),
    ("format in a loop", "message.l.map(x, '%s%s%s%s'.format([message.t, message.t, message.t, x])) == []", LOOPED),
    ("format doubling", "['a']" + ".map(x, '%s%s'.format([x, x]))" * 26 + " == []", SMALL),
    ("a hundred thousand ors", "||".join(["message.t == 'b'"] * 100_000), SMALL),
    ("ors at the limit", "||".join(["message.t == 'b'"] * 400), SMALL),
    ("parentheses", "(" * 100_000 + "1" + ")" * 100_000, SMALL),
    ("parentheses at the limit", "(" * 4_000 + "1" + ")" * 4_000, SMALL),
    ("a chain of additions", "+".join(["1"] * 4_000), SMALL),
    ("a chain of selections", "message" + ".a" * 4_000, SMALL),
    ("a chain of conditions", "true ? 1 : " * 700 + "2", SMALL),
    ("a list of lists", "[" * 4_000 + "]" * 4_000, SMALL),
    ("a backtracking pattern", "message.t.matches('^(a+)+$')", {"t": "a" * A_MILLION + "!"}),
    ("a pattern of patterns", "message.t.matches('((a{0,100}){0,10})b')", {"t": "a" * A_MILLION}),
    ("a pattern of many patterns", "message.t.matches('((((a{0,100}){0,100}){0,100}){0,100})b')", SMALL),
    ("a pattern in a loop", "message.l.all(x, !message.t.matches('.{0,1000}b'))", LOOPED),
    ("a pattern of the payload", "message.t.matches(message.u)", LOOPED),
    ("a pattern of letters", "message.l.all(x, !message.t.matches('\\\\pL{1,100}b'))", LOOPED),
    ("search in a loop", "message.l.all(x, !message.t.contains('aab'))", LOOPED),
    ("equality in a loop", "message.n.all(x, message.n == message.n)", LOOPED),
    ("membership in a loop", "message.n.all(x, !(x + 10000 in message.n))", LOOPED),
    ("reference data in a loop", "message.l.all(x, !(x in catalog('models')))", LOOPED),
    ("reference data doubled", "[catalog('models')]" + ".map(x, x + x)" * 20 + " == []", SMALL),
    ("wide decimals", "decimals.add(decimal('1e2147483647'), decimal('1e-2147483647')) > 0", SMALL),
    ("wider and wider decimals", "string([decimal('9')]" + ".map(x, decimals.mul(x, x))" * 14 + "[0]) == ''", SMALL),
    ("a decimal from bytes", "decimal(bytes(message.t), 2147483647) > 0", LOOPED),
    ("a rounded decimal", "decimals.round(decimal('1.5'), 2147483647) > 0", SMALL),
    ("a huge number", "message.n > 0", {"n": 2**64}),
    ("half a surrogate", "message.t == 'a'", {"t": "\ud800"}),
    ("a zero byte", "message.t == 'a'", {"t": "a\0b"}),
    ("a zero byte in a key", "has(message.a)", {"a\0b": 1}),
    ("a deep payload", "message.t == message.t", {"t": nested(90)}),
    ("a deep payload that no reader would give", "message.t == message.t", {"t": nested(100_000)}),
    ("a large payload", "message.t == message.u", {"t": "a" * 20 * MEBIBYTE}),
    ("a long list", "message.l.all(x, x == 'a')", {"l": ["a"] * 100_000}),
    ("integer overflow", "9223372036854775807 + message.n[0] > 0", SMALL),
    ("division by zero", "1 / 0 > message.n[0]", SMALL),
    ("a huge duration", "timestamp(9223372036854775807) < now", SMALL),
    ("an endless timestamp", "timestamp(9223372036854775807, 0) < now", SMALL),
]
FIELD_CASES: list[tuple[str, str, object]] = [
    ("a rule on a long list", "value != 'b'", {"l": ["a"] * 100_000}),
    ("a rule on long texts", "!value.matches('.{0,1000}b')", {"l": ["a" * 10_000] * 2_000}),
    ("a rule that looks at the record each time", "value != message.t", {"l": ["a"] * 9_000, "t": "a" * 100_000}),
]


def answer(expression: str, payload: object, rule_type: str) -> dict[str, Any]:
    """Return how a rule ended: refused, or its outcome."""
    rule = Rule(name="r", kind=RuleKind.CONDITION, mode=RuleMode.WRITE, type=rule_type, expr=expression)
    data = {"models": DataSet("models", 1, [{"id": f"model-{number}", "limit": number} for number in range(9_000)])}
    try:
        rules = compile_rules(RuleSet(domain_rules=[rule]), AnyJson(), FieldTags(None), data)
    except InvalidRuleSet as error:
        return {"outcome": "refused", "says": str(error)[:300]}
    run = rules.run(payload, RuleMode.WRITE, datetime(2026, 1, 1, tzinfo=UTC))
    return {"outcome": run.outcomes[0][1].value, "says": " ".join(violation.message for violation in run.violations)}


def main() -> None:
    """Write one line of JSON for each case."""
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: SIM115, PTH123 - a virtual file
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_GROWTH, used + MAX_GROWTH))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    for rule_type, cases in (("CEL", CASES), ("CEL_FIELD", FIELD_CASES)):
        for name, expression, payload in cases:
            sys.stdout.write(json.dumps({"name": name, **answer(expression, payload, rule_type)}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
