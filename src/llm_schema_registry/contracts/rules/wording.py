"""Says in a rule author's words what the checker of expressions found wrong, and how to mend it.

Refuses to check an expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice

from llm_schema_registry.contracts.cel.engine import Problem
from llm_schema_registry.formats.shape import Shape

_MAX_NAMES = 1_000
_UNKNOWN_FIELD = re.compile(r"undefined field '(.*)' not found in struct '(.*)'")
_UNKNOWN_NAME = re.compile(r"undeclared reference to '(.*?)' \(in container ''\)")
_NO_OVERLOAD = re.compile(r"found no matching overload for '(.*?)' applied to '(.*)'", re.DOTALL)
_TYPE_WORDS = (
    (re.compile(r"wrapper\((\w+)\)"), r"\1"),
    (re.compile(r"google\.protobuf\.(Timestamp|Duration)"), lambda match: match[1].lower()),
    (re.compile(r"confluent\.type\.Decimal"), "decimal"),
    (re.compile(r"record\.(\w+)_\d+"), r"\1"),
    (re.compile(r"\bnull_type\b"), "null"),
)


class Wording:
    """The words for one schema's rules: by the checker's names of types, its records, and the names that rules know."""

    def __init__(self, records: Mapping[str, Shape], names: Iterable[str]) -> None:
        self._records = records
        self._names = sorted(set(names))

    def explain(self, source: str, problem: Problem) -> str:
        """Say what is wrong with a source, with its line and a caret below the place."""
        if not problem.line:
            return f"expr can not be used: {problem.text}"
        lines = source.split("\n")
        line = lines[problem.line - 1] if problem.line <= len(lines) else ""
        text = self._worded(problem.text)
        pointer = f"{' ' * (problem.column - 1)}^"
        return f"line {problem.line}, column {problem.column}: {text}\n  {line}\n  {pointer}"

    def _worded(self, text: str) -> str:
        if found := _UNKNOWN_FIELD.search(text):
            record = self._records.get(found[2])
            known = list(record.fields) if record is not None else []
            return f"{_types(found[2])} has no field '{found[1]}'{did_you_mean(found[1], known)}"
        if found := _UNKNOWN_NAME.search(text):
            return f"there is no variable or function '{found[1]}' here{did_you_mean(found[1], self._names)}"
        if found := _NO_OVERLOAD.search(text):
            operator = found[1].replace("_", "").replace("@", "") if found[1][:1] in "_@!-" else found[1]
            mend = "; compare decimals with decimals.eq" if "Decimal" in found[2] and operator in {"==", "!="} else ""
            return f"'{operator}' can not be applied to {_types(found[2])}{mend}"
        return _types(text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question for the known name that is closest to one, empty when none is close."""
    close = get_close_matches(name, list(islice(known, _MAX_NAMES)), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _types(text: str) -> str:
    for pattern, word in _TYPE_WORDS:
        text = pattern.sub(word, text)
    return text
