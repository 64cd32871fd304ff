"""SARIF 2.1.0 (OASIS), as code scanning services take it.

Refuses to say where a repository begins: paths are those of the command, relative to where it ran.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from llm_schema_registry import __version__
from llm_schema_registry.cli.annotations.fingerprints import with_fingerprints
from llm_schema_registry.cli.checked import Checked, Note, Problem, notes_of
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import sentence
from llm_schema_registry.model import Difference, Place, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_FINGERPRINT = "schemaDifference/v1"
_LEVELS = {Severity.BREAKING: "error", Severity.HAZARD: "warning", Severity.INFO: "note"}


def write_sarif(files: Sequence[Checked], *, is_verbose: bool) -> str:
    """Write one run with a result for each finding and problem, and a rule for each kind among them."""
    types: dict[str, str] = {}
    notes: list[Note] = []
    for checked in files:
        for note in notes_of(checked, is_verbose=is_verbose):
            notes.append(note)
            types.setdefault(note.kind, checked.schema_type)
    rules = list(types)
    run = {
        "tool": {
            "driver": {
                "name": "llm-schema-registry",
                "version": __version__,
                "rules": [_rule(kind, schema_type) for kind, schema_type in types.items()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": all(not isinstance(checked.result, Problem) for checked in files)}],
        "results": [_result(note, mark, rules.index(note.kind)) for note, mark in with_fingerprints(notes)],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(kind: str, schema_type: str) -> dict[str, Any]:
    """Describe a kind. One that no table has (a file that is no schema, a newer server's) is described by its name."""
    name = kind.replace("_", " ").capitalize()
    row = FORMATS[schema_type].kinds.get(kind) if schema_type in FORMATS else None
    full = sentence(row, Difference(kind, "PATH", "INFO"), "reader", "writer") if row else name
    help_text = (row.remedy if row else "") or full
    return {
        "id": kind,
        "shortDescription": {"text": name},
        "fullDescription": {"text": full},
        "help": {"text": help_text},
    }


def _result(note: Note, fingerprint: str, rule: int) -> dict[str, Any]:
    return {
        "ruleId": note.kind,
        "ruleIndex": rule,
        "level": _LEVELS[note.severity],
        "message": {"text": note.text},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": _uri(note.file)}, "region": _region(note.place)}}
        ],
        "partialFingerprints": {_FINGERPRINT: fingerprint},
    }


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix(), errors="surrogateescape")


def _region(place: Place | None) -> dict[str, int]:
    """A service shows no result that has no line."""
    return {"startLine": 1} if place is None else {"startLine": place.line, "startColumn": place.column}
