"""JUnit's XML, as CI servers read it: a test case for each file.

Refuses to write a character that XML 1.0 does not have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from llm_schema_registry.cli.checked import Checked, Note, Problem, notes_of
from llm_schema_registry.model import Severity

_SUITE = "schema compatibility"
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(files: Sequence[Checked], *, is_verbose: bool) -> str:
    """Write a suite in which an incompatible file fails, and one that could not be checked is an error."""
    failures = sum(not checked.is_compatible and not isinstance(checked.result, Problem) for checked in files)
    errors = sum(isinstance(checked.result, Problem) for checked in files)
    counts = {"name": _SUITE, "tests": str(len(files)), "failures": str(failures), "errors": str(errors)}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", counts)
    for checked in files:
        _add_case(suite, checked, notes_of(checked, is_verbose=is_verbose))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def _add_case(suite: ET.Element, checked: Checked, notes: Sequence[Note]) -> None:
    case = ET.SubElement(suite, "testcase", classname=_SUITE, name=_legal(checked.new.name))
    breaking = [note for note in notes if note.severity is Severity.BREAKING]
    others = [note for note in notes if note.severity is not Severity.BREAKING]
    if breaking:
        first = breaking[0]
        bad = ET.SubElement(
            case,
            "error" if isinstance(checked.result, Problem) else "failure",
            type=first.kind,
            message=_legal(first.sentence),
        )
        bad.text = "\n\n".join(map(_line, breaking))
    if others:
        ET.SubElement(case, "system-out").text = "\n\n".join(map(_line, others))


def _line(note: Note) -> str:
    place = f":{note.place.line}:{note.place.column}" if note.place else ""
    return _legal(f"{note.file}{place}: {note.severity}: {note.kind}: {note.text}")


def _legal(text: str) -> str:
    return _ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
