"""Pairs of schemas made to take time or memory: the thread is done soon after its budget, and the answer is short."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from llm_schema_registry.compatibility import MAX_CHARACTERS, Judge, Side
from llm_schema_registry.errors import TooComplex
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, Report

BUDGET_SECONDS = 0.1
# Both directions, explaining, one step that nothing interrupts, on a slow machine: a bound for what would hang.
MOST_SECONDS = 5.0

Document = dict[str, object]
Twice = Callable[[Document], Document]
DEEP = 60


def compare(
    schema_type: str,
    reader: str,
    writer: str,
    policy: str,
    *,
    is_thorough: bool = False,
    seconds: float = BUDGET_SECONDS,
) -> Report | None:
    """Compare within the budget; None for too complex."""
    fmt = FORMATS[schema_type]
    candidate, previous = (Side(schema_type, text, fmt.parse(text), 1) for text in (reader, writer))
    judge = Judge(CompatibilityLevel.FULL, CompatibilityPolicy(policy), seconds, is_thorough)
    spent = Budget(MOST_SECONDS + 2 * seconds)
    try:
        return judge.compare(fmt, candidate, previous)
    except TooComplex:
        return None
    finally:
        assert spent.seconds_left > 0


def doubling(twice: Twice, leaf: Document) -> Document:
    """Definitions each of which applies the next one twice to the same value."""
    definitions: Document = {f"d{n}": twice({"$ref": f"#/definitions/d{n + 1}"}) for n in range(DEEP)}
    return {"$ref": "#/definitions/d0", "definitions": {**definitions, f"d{DEEP}": leaf}}


def doubling_beside(twice: Twice) -> str:
    """A document that breaks in one place, with a property beside it that validators never come to the end of."""
    inner = doubling(twice, {"type": "integer"})
    document = {"properties": {"z": {"type": "integer"}, "q": {"$ref": "#/definitions/d0"}}, "required": ["z", "q"]}
    return json.dumps({**document, "definitions": inner["definitions"]})


DOUBLINGS: dict[str, Twice] = {
    "allOf": lambda next_: {"allOf": [next_, next_]},
    "anyOf": lambda next_: {"anyOf": [{"allOf": [next_, {"maximum": 9}]}, {"allOf": [next_, {"minimum": -5}]}]},
    "oneOf": lambda next_: {"oneOf": [{"allOf": [next_, {"maximum": 3}]}, {"allOf": [next_, {"minimum": 4}]}]},
    "not": lambda next_: {"not": {"allOf": [{"not": next_}, {"not": {"allOf": [next_, {}]}}]}},
    "if": lambda next_: {"if": next_, "then": next_, "else": next_},
    "items": lambda next_: {"allOf": [{"items": next_}, {"items": next_}]},
    "names": lambda next_: {"allOf": [{"additionalProperties": next_}, {"patternProperties": {"a": next_}}]},
}
Z_IS_TEXT = json.dumps({"properties": {"z": {"type": "string"}}, "required": ["z"]})


@pytest.mark.parametrize("policy", ["STRICT", "SOUND"])
@pytest.mark.parametrize("name", DOUBLINGS)
def test_no_validator_is_given_what_takes_it_forever(name: str, policy: str) -> None:
    twice = DOUBLINGS[name]
    compare("JSON", json.dumps(doubling(twice, {"maximum": 5})), json.dumps(doubling(twice, {"maximum": 6})), policy)
    compare("JSON", json.dumps(doubling(twice, {"maximum": 5})), '{"type":"integer"}', policy)
    report = compare("JSON", Z_IS_TEXT, doubling_beside(twice), policy)
    assert report is None or not report.is_compatible


LETTERS = "".join(map(chr, range(0x100, 0x100 + 4_000)))
PATTERNS = {
    "a long class, copied": (f"[{LETTERS}]{{999}}", "^a"),
    "a long name, copied": (f"(?<{'a' * 100_000}>x){{900}}", "^a"),
    "copies of copies": ("^(a{1000}){1000}$", "^((a{1,100}){1,100}){1,100}$"),
    "large classes": ("^\\p{L}{1,500}\\p{N}*$", "^[a-z]{1,500}$"),
    "a megabyte": ("(a|b)" * 200_000, "(a|b)" * 199_999),
    "many groups": ("(" * 900 + "a" + ")" * 900, "(" * 900 + "b" + ")" * 900),
    "states that double": ("^(a|b)*a(a|b){30}$", "^(a|b)*b(a|b){31}$"),
}


@pytest.mark.parametrize("policy", ["STRICT", "SOUND"])
@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_are_compiled_in_bounds(name: str, policy: str) -> None:
    texts = [json.dumps({"type": "string", "pattern": pattern}) for pattern in PATTERNS[name]]
    report = compare("JSON", *texts, policy)
    assert report is None or not report.is_compatible or policy == "STRICT"


def test_many_patterns_are_not_compiled_at_once() -> None:
    large = {f"a{n}": {"pattern": f"^\\p{{L}}{{1,{30 + n % 20}}}{n}$"} for n in range(1_000)}
    reader, writer = ({"properties": {**large, "z": {"type": word}}} for word in ("string", "integer"))
    report = compare("JSON", json.dumps(reader), json.dumps(writer), "SOUND")
    assert report is None or not report.is_compatible


def test_many_words_are_held_against_a_pattern() -> None:
    words = json.dumps({"enum": [f"s{n}" for n in range(1, 100_001)]})
    report = compare("JSON", words, '{"type":"string","pattern":"^s[0-9]*$"}', "SOUND")
    assert report is None or not report.is_compatible


def named(schema_type: str, word: str) -> str:
    """A schema whose differences from its twin have long names or values."""
    if schema_type == "AVRO":
        symbols = json.dumps([f"{word}{n}" for n in range(3_000)])
        uses = ",".join(f'{{"name":"u{n}","type":"E"}}' for n in range(1_000))
        enum = f'{{"type":"enum","name":"E","symbols":{symbols}}}'
        return f'{{"type":"record","name":"R","fields":[{{"name":"d","type":{enum}}},{uses}]}}'
    if schema_type == "PROTOBUF":
        fields = "".join(f"{word} x{n} = {n};" for n in range(1, 1_000))
        return f'syntax = "proto3"; message {"M" * 60_000} {{ {fields} }}'
    names = [f"{'x' * 10_000}{n}" for n in range(300)]
    return json.dumps({"properties": {name: {"type": word, "const": word * 100} for name in names}, "required": names})


@pytest.mark.parametrize("policy", ["STRICT", "SOUND"])
@pytest.mark.parametrize(
    ("schema_type", "words"),
    [("AVRO", ("s", "t")), ("PROTOBUF", ("int32", "string")), ("JSON", ("string", "integer"))],
)
def test_a_report_is_short_and_keeps_its_verdict(schema_type: str, words: tuple[str, str], policy: str) -> None:
    reader, writer = (named(schema_type, word) for word in words)
    report = compare(schema_type, reader, writer, policy, is_thorough=True, seconds=20)
    assert report is not None
    assert not report.is_compatible
    # Each direction has its findings, and they overrun by one at most.
    assert sum(map(len, report.messages)) < MAX_CHARACTERS
    assert len(str(report.findings)) < 3 * MAX_CHARACTERS


def test_large_values_are_cut() -> None:
    reader, writer = (json.dumps({"const": letter * 1_000_000}) for letter in "ab")
    report = compare("JSON", reader, writer, "SOUND", is_thorough=True)
    assert report is not None
    assert not report.is_compatible
    assert len(str(report.findings)) < 100_000


def fields(count: int, word: str) -> str:
    return "".join(f"{word} f{n} = {n + 20_000};" for n in range(count))


PROTOBUF = {
    "reserved and used numbers": ("".join(f"reserved {n + 20_000};" for n in range(15_000)), fields(15_000, "int32")),
    "a oneof": (f"oneof o {{ {fields(15_000, 'int32')} }}", f"oneof o {{ {fields(15_000, 'int64')} }}"),
    "fields": (fields(15_000, "int32"), fields(15_000, "string")),
    "an enum": (
        "enum E { A = 0; } E e = 1;",
        f"enum E {{ {''.join(f'A{n} = {n};' for n in range(50_000))} }} E e = 1;",
    ),
}


@pytest.mark.parametrize("policy", ["STRICT", "SOUND"])
@pytest.mark.parametrize("name", PROTOBUF)
def test_large_messages_are_compared_in_bounds(name: str, policy: str) -> None:
    reader, writer = (f'syntax = "proto3"; message M {{ {body} }}' for body in PROTOBUF[name])
    report = compare("PROTOBUF", reader, writer, policy)
    assert report is None or not report.is_compatible or policy == "STRICT"


@pytest.mark.parametrize("policy", ["STRICT", "SOUND"])
def test_not_every_fault_of_a_large_document_is_told(policy: str) -> None:
    reader, writer = (json.dumps({"required": [f"{letter}{n}" for n in range(3_000)]}) for letter in "ab")
    report = compare("JSON", reader, writer, policy)
    assert report is None or not report.is_compatible or policy == "STRICT"
