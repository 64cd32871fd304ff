"""Checks of files without a server: the same engines, the same pairs and the same verdict as a registration's.

Refuses to open a connection. Earlier versions are files too, or what git has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from llm_schema_registry.cli.checked import Checked, Problem, Source, source_of
from llm_schema_registry.cli.failure import Failure
from llm_schema_registry.cli.git import Revision
from llm_schema_registry.cli.schema_file import STANDARD_INPUT, decode_schema, read_schema, type_of
from llm_schema_registry.compatibility import (
    TRANSITIVE,
    Judge,
    Side,
    check_logical,
    join_reports,
    newest_of_each,
    tail,
    warnings_of,
    with_more,
)
from llm_schema_registry.errors import InvalidSchema, TooComplex
from llm_schema_registry.formats import FORMATS, get_format
from llm_schema_registry.formats.base import Format, ResolvedReference
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, Finding, Place, Report
from llm_schema_registry.registry.engines import spare_collections
from llm_schema_registry.wire.report import ReportBody, report_v1

INVALID = "INVALID_SCHEMA"
TOO_COMPLEX = "TOO_COMPLEX"

# How the parsers of the formats write where a text is wrong: lines and columns, or a JSON Pointer.
_LINE_AND_COLUMN = re.compile(r"line (\d{1,9}),? column (\d{1,9})|\.proto:(\d{1,9}):(\d{1,9}): ")
_POINTER = re.compile(r"'#?(/[^']*)'")

_Earlier = tuple[str, Source]


class Offline:
    """A level and a policy with what every file of a command shares: the type if it was said, and the references."""

    def __init__(
        self,
        level: CompatibilityLevel,
        policy: CompatibilityPolicy,
        schema_type: str | None,
        references: Sequence[str] | None,
    ) -> None:
        """Read the references, each `NAME=FILE`. Raises Failure for what cannot be read."""
        spare_collections()
        self._judge = Judge(level, policy, is_thorough=True)
        self._schema_type = schema_type
        self._references = tuple(_reference(text) for text in references or ())

    def check_files(self, files: Sequence[str]) -> Checked:
        """Compare the first file with the others, which are earlier versions, oldest first. Raises Failure."""
        if sum(file == STANDARD_INPUT for file in files) > 1:
            raise Failure("standard input can be only one of the files")
        named = next((file for file in files if file != STANDARD_INPUT), STANDARD_INPUT)
        types = [type_of(named if file == STANDARD_INPUT else file, self._schema_type) for file in files]
        new, *earlier = [source_of(file) for file in files]
        references = self._references_of(files[0])
        return self._check(new, types[0], [*zip(types[1:], earlier, strict=True)], references, references)

    def check_since(self, file: str, revision: Revision) -> Checked:
        """Compare a file with what it was at a revision; so are its references. Raises Failure."""
        if file == STANDARD_INPUT:
            raise Failure("git has no earlier version of standard input", "Name a file.")
        schema_type = type_of(file, self._schema_type)
        new, references = source_of(file), self._references_of(file)
        old = revision.read(file)
        if old is None:
            return self._check(new, schema_type, [], references, ())
        source = Source(f"{file} at {revision.name}", decode_schema(old, file))
        then = [_at(reference, revision) for reference in references]
        return self._check(new, schema_type, [(schema_type, source)], references, then)

    def _references_of(self, file: str) -> Sequence[ResolvedReference]:
        """The references that a file may name: not itself, nor those after it, which may name it."""
        own = Path(file).resolve()
        for index, reference in enumerate(self._references):
            if Path(reference.subject).resolve() == own:
                return self._references[:index]
        return self._references

    def _check(
        self,
        new: Source,
        schema_type: str,
        earlier: Sequence[_Earlier],
        references: Sequence[ResolvedReference],
        earlier_references: Sequence[ResolvedReference],
    ) -> Checked:
        """Compare with the versions that the level names, newest first, until one fails; the first is version 1.

        As a server's gate does, warn of those before for which the level does not ask.
        """
        fmt = _format(schema_type)
        result: ReportBody | Problem
        try:
            candidate = _side(fmt, new, references)
            previous = [
                _side(_format(earlier_type), source, earlier_references, version)
                for version, (earlier_type, source) in enumerate(earlier, start=1)
            ]
            result = report_v1(self._compare(fmt, candidate, previous[::-1]))
        except _Invalid as invalid:
            result = invalid.problem
        except TooComplex as error:
            result = Problem(TOO_COMPLEX, new.name, str(error), None)
        sources = {version: source for version, (_, source) in enumerate(earlier, start=1)}
        return Checked(new, schema_type, result, sources)

    def _compare(self, fmt: Format, candidate: Side, previous: Sequence[Side]) -> Report:
        level = self._judge.level
        report = Report(is_compatible=True, level=level, policy=self._judge.policy)
        asked, others = (previous, ()) if level in TRANSITIVE else (previous[:1], previous[1:])
        for side in asked if level is not CompatibilityLevel.NONE else ():
            report = join_reports(report, self._judge.compare(fmt, candidate, side))
            if not report.is_compatible:
                break
        if report.compared and others and report.is_compatible:
            report = with_more(report, self._judge.recall(fmt, candidate, asked[0], others))
            report = with_more(report, list(newest_of_each(self._warn(fmt, candidate, side) for side in others)))
        if self._judge.policy is CompatibilityPolicy.LOGICAL:
            report = with_more(report, check_logical(self._judge, fmt, candidate, asked))
        if report.is_compatible:
            return report
        return msgspec.structs.replace(report, messages=(*report.messages, tail(level, validates_fields=False)))

    def _warn(self, fmt: Format, candidate: Side, previous: Side) -> Sequence[Finding]:
        try:
            return warnings_of(self._judge.compare(fmt, candidate, previous))
        except TooComplex:
            return ()


class _Invalid(Exception):
    """A text that is no schema."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def _format(schema_type: str) -> Format:
    try:
        return get_format(FORMATS, schema_type)
    except InvalidSchema as error:
        raise Failure(str(error)) from None


def _side(fmt: Format, source: Source, references: Sequence[ResolvedReference], version: int = 0) -> Side:
    """Parse a text; an earlier version by the rules for what is registered already. Raises _Invalid."""
    try:
        parsed = fmt.parse(source.text, references, is_new=not version)
    except InvalidSchema as error:
        message = str(error)
        raise _Invalid(Problem(INVALID, source.name, message, _place(fmt, source.text, message))) from None
    return Side(fmt.schema_type, source.text, parsed, version)


def _place(fmt: Format, text: str, message: str) -> Place | None:
    """Find the place that a parser's message names."""
    position = _LINE_AND_COLUMN.search(message)
    if position:
        line, column = (int(number) for number in position.groups() if number)
        return Place(line, column)
    pointer = _POINTER.search(message)
    return fmt.locate(text, [pointer[1]]).get(pointer[1]) if pointer else None


def _reference(text: str) -> ResolvedReference:
    """Read `NAME=FILE`; a name may hold `=`."""
    name, _, file = text.rpartition("=")
    if not (name and file):
        raise Failure(f"the reference '{text}' cannot be read", "Give --reference NAME=FILE.")
    return ResolvedReference(name=name, subject=file, version=1, text=read_schema(file))


def _at(reference: ResolvedReference, revision: Revision) -> ResolvedReference:
    """A reference as it was at a revision; one that did not exist or is no file of the repository is as it is."""
    old = revision.read(reference.subject)
    return reference if old is None else msgspec.structs.replace(reference, text=decode_schema(old, reference.subject))
