"""What a check found, for a person: both schemas side by side, a caret at the place, what breaks and how to mend it.

Refuses to cut anything off a terminal but a source line around its place, and to colour what was not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

from llm_schema_registry.cli.checked import Checked, Problem, Source, evidence, findings_in, new_side
from llm_schema_registry.cli.output import visible
from llm_schema_registry.model import Direction, Severity
from llm_schema_registry.wire.check import CheckBody
from llm_schema_registry.wire.report import FindingBody, PlaceBody, ReportBody

_WORDS = {Severity.BREAKING: "error", Severity.HAZARD: "warning", Severity.INFO: "info"}
_COLOURS = {Severity.BREAKING: "1;31", Severity.HAZARD: "1;33", Severity.INFO: "1;36"}
_BOLD, _DIM, _OLD, _NEW, _GOOD, _BAD = "1", "2", "31", "32", "1;32", "1;31"
_CUT = "..."
_SOURCE_CELLS = 76
"""Width of a source line where no terminal sets one."""
_MIN_CELLS = 24
_FRAME = len("    " + " | ")


class _Cell(NamedTuple):
    text: str
    colour: str = ""


@dataclass(frozen=True)
class Layout:
    """How to write: whether in colours, and for how wide a terminal (None: for a file, in which nothing is cut)."""

    has_colours: bool
    columns: int | None
    is_verbose: bool

    def lines(self, files: Sequence[Checked]) -> Iterator[str]:
        """Write every file: its findings, then its verdict. A file with a problem has no verdict."""
        for checked in files:
            if isinstance(checked.result, Problem):
                continue
            for finding in findings_in(checked.result, is_verbose=self.is_verbose):
                yield from self._finding(checked, finding)
                yield ""
            yield self._verdict(checked, checked.result)

    def _finding(self, checked: Checked, finding: FindingBody) -> Iterator[str]:
        word = self._paint(_WORDS[finding.severity], _COLOURS[finding.severity])
        place = visible(_address(checked.new.name, new_side(finding)))
        yield f"{word}  {self._paint(visible(finding.kind), _BOLD)}  {place}"
        yield f"  {visible(finding.explanation)}"
        yield from self._excerpt(checked, finding)
        for line in evidence(finding):
            yield f"  {visible(line)}"

    def _excerpt(self, checked: Checked, finding: FindingBody) -> Iterator[str]:
        old = checked.earlier.get(finding.version, Source(checked.name_of(finding.version), ""))
        is_backward = finding.direction is Direction.BACKWARD
        wrote, reads = (old, checked.new) if is_backward else (checked.new, old)
        colours = (_OLD, _NEW) if is_backward else (_NEW, _OLD)
        left = self._side("written with", wrote, finding.writer, finding.before, colours[0])
        right = self._side("read with", reads, finding.reader, finding.after, colours[1])
        width = max(cell_len(cell.text) for cell in left)
        for one, other in zip_longest(left, right, fillvalue=_Cell("")):
            gap = " " * (width - cell_len(one.text))
            yield f"    {self._paint(*one)}{gap} | {self._paint(*other)}".rstrip()

    def _side(self, title: str, source: Source, side: PlaceBody | None, value: str, colour: str) -> list[_Cell]:
        head = _Cell(self._clip(visible(f"{title} {_address(source.name, side)}")), _DIM)
        line = _line(source.text, side)
        if line is None or side is None or side.line is None:
            return [head, _Cell(self._clip(visible(value) or "(nothing there)"), colour if value else _DIM)]
        number = f"{side.line} | "
        text, offset = _around(line, side.column or 1, self._cells - len(number))
        return [head, _Cell(number + text), _Cell(" " * (len(number) + offset) + "^", f"1;{colour}")]

    @property
    def _cells(self) -> int:
        """Cells of one side."""
        return _SOURCE_CELLS if self.columns is None else max((self.columns - _FRAME) // 2, _MIN_CELLS)

    def _clip(self, text: str) -> str:
        if self.columns is None or cell_len(text) <= self._cells:
            return text
        return _head(text, self._cells - len(_CUT)) + _CUT

    def _verdict(self, checked: Checked, report: ReportBody) -> str:
        word = self._paint("compatible", _GOOD) if report.is_compatible else self._paint("incompatible", _BAD)
        named = f"{word}: {visible(checked.new.name)}"
        if isinstance(report, CheckBody) and report.is_registered:
            return f"{named}; it is version {report.version} of {visible(report.subject)} already"
        found = findings_in(report, is_verbose=True)
        counts = [
            f"{number} {_WORDS[severity]}{'' if number == 1 else 's'}"
            for severity in Severity
            if (number := sum(finding.severity is severity for finding in found)) or severity is Severity.BREAKING
        ]
        parts = [
            named,
            _compared(checked, report),
            f"level {report.level}",
            f"policy {report.policy}",
            ", ".join(counts),
        ]
        if not report.hazards_complete:
            parts.append("not all warnings were looked for: the schemas are too complex")
        return "; ".join(parts)

    def _paint(self, text: str, colour: str = "") -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.has_colours and colour and text else text


def _compared(checked: Checked, report: ReportBody) -> str:
    if report.compared_versions:
        names = (visible(checked.name_of(version)) for version in report.compared_versions)
        return f"compared with {', '.join(names)}"
    return "compared with nothing" if checked.earlier else "there is nothing to compare it with"


def _address(name: str, side: PlaceBody | None) -> str:
    if side is None:
        return name
    if side.line is not None:
        name += f":{side.line}:{side.column or 1}"
    return f"{name} {side.path}" if side.path else name


def _line(text: str, side: PlaceBody | None) -> str | None:
    """Return the line of a text on which a place is; places count ends of lines only."""
    if side is None or side.line is None:
        return None
    lines = text.split("\n", side.line)
    return lines[side.line - 1].removesuffix("\r") if side.line <= len(lines) and text else None


def _around(line: str, column: int, cells: int) -> tuple[str, int]:
    """Cut a line to a width around a column; return it with the number of cells before that column.

    A long line is never looked at beyond what can be shown.
    """
    before, after = line[: column - 1], line[column - 1 :]
    shown_before = visible(before[-cells:].replace("\t", " "))
    shown_after = visible(after[:cells].replace("\t", " "))
    room = max(cells // 2, cells - cell_len(shown_after))
    if cell_len(shown_before) > room or len(before) > cells:
        shown_before = _CUT + _head(shown_before[::-1], room - len(_CUT))[::-1]
    room = cells - cell_len(shown_before)
    if cell_len(shown_after) > room or len(after) > cells:
        shown_after = _head(shown_after, room - len(_CUT)) + _CUT
    return shown_before + shown_after, cell_len(shown_before)


def _head(text: str, cells: int) -> str:
    """Return as much of the beginning of a text as fits."""
    return chop_cells(text, cells)[0] if text else ""
