"""What policy LOGICAL asks beyond the native checks: is this a table, and may tables of earlier versions become it?

Refuses to replace the native checks, and to pick the versions. Rules: compatibility-rules 1.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from llm_schema_registry.compatibility import logical_kinds
from llm_schema_registry.compatibility.brief import bounded
from llm_schema_registry.compatibility.judge import BACKWARD, FORWARD, Judge, Side, with_places
from llm_schema_registry.compatibility.logical_rules import BOTH, At, Problem, Table, compare, validate
from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.base import Format, printable, sentence
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.logical_type import LogicalType
from llm_schema_registry.model import CompatibilityLevel, Detail, Difference, Direction, Finding, Severity

_TABLES = {Table.FLINK: "Flink", Table.ICEBERG: "Iceberg"}
_ALLOWANCE = "compatibilityPolicy STRICT does not ask for tables."
# What mends a table that old readers keep is to leave it; how they would have to change is beyond the author's reach.
_FORWARD_REMEDY = (
    "Leave '{path}' as the old schema has it, or ask for a level at which tables of old schemas take no new rows, "
    "such as BACKWARD."
)
_SHOWN = 200


def check_logical(judge: Judge, fmt: Format, candidate: Side, previous: Sequence[Side]) -> tuple[Finding, ...]:
    """Return what forbids a candidate under policy LOGICAL; every finding breaks.

    `previous` are the versions that the level names, newest first; all are compared, those that are no table or of
    another format are passed over. At level NONE the candidate is looked at alone. The judge's CPU time is for the
    candidate, and for each direction of each pair. Raises TooComplex.
    """
    try:
        table = fmt.logical(candidate.parsed)
    except InvalidSchema as error:
        problem = Problem(logical_kinds.NOT_A_TABLE, At(writer=None), BOTH, "", "", str(error))
        return _findings(judge, fmt, [problem], candidate, candidate, Direction.BACKWARD)
    problems = validate(table, Budget(judge.budget_seconds))
    found = list(_findings(judge, fmt, problems, candidate, candidate, Direction.BACKWARD))
    for side in previous if judge.level is not CompatibilityLevel.NONE else ():
        earlier = _table_of(fmt, side)
        if earlier is None:
            continue
        if judge.level in FORWARD:
            problems = compare(earlier, table, Budget(judge.budget_seconds))
            found += _findings(judge, fmt, problems, side, candidate, Direction.FORWARD)
        if judge.level in BACKWARD:
            problems = compare(table, earlier, Budget(judge.budget_seconds))
            found += _findings(judge, fmt, problems, candidate, side, Direction.BACKWARD)
    return bounded(found)


def _table_of(fmt: Format, side: Side) -> LogicalType | None:
    if side.schema_type != fmt.schema_type:
        return None
    try:
        return fmt.logical(side.parsed)
    except InvalidSchema:
        return None


def _findings(
    judge: Judge, fmt: Format, problems: Sequence[Problem], reader: Side, writer: Side, direction: Direction
) -> tuple[Finding, ...]:
    version = writer.version if direction is Direction.BACKWARD else reader.version
    findings = bounded([_finding(problem, direction, version) for problem in problems])
    return tuple(with_places(fmt, findings, reader, writer) if findings else findings)


def _finding(problem: Problem, direction: Direction, version: int) -> Finding:
    kind = logical_kinds.KINDS[problem.kind]
    names = ("new", "old") if direction is Direction.BACKWARD else ("old", "new")
    difference = Difference(problem.kind, problem.at.path, _shorten(problem.info))
    description = sentence(kind, difference, *names)
    tables = " and ".join(_TABLES[table] for table in problem.tables)
    return Finding(
        difference=difference,
        severity=Severity.BREAKING,
        direction=direction,
        version=version,
        detail=Detail(
            reader_path=problem.at.reader,
            writer_path=problem.at.writer,
            before=_shorten(problem.before),
            after=_shorten(problem.after),
            explanation=f"{description}. This is a rule for tables of {tables}.",
            remedy=f"{_remedy(difference, direction)} {_ALLOWANCE}",
        ),
        message=_message(problem, description),
    )


def _remedy(difference: Difference, direction: Direction) -> str:
    kind = logical_kinds.KINDS[difference.kind]
    template = kind.remedy if direction is Direction.BACKWARD else _FORWARD_REMEDY
    return sentence(msgspec.structs.replace(kind, wording=template), difference, "", "")


def _message(problem: Problem, description: str) -> str:
    """Write a problem as Confluent's later releases do: like a native one, with the tables that it is about."""
    line = printable(description)
    return f'{{errorType:"{problem.kind}", category:"{", ".join(problem.tables)}", description:"{line}"}}'


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
