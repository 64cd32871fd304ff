"""GitLab's Code Quality report: an array of issues (docs.gitlab.com, "Code Quality report format").

Refuses to number what is the same: an issue keeps its fingerprint when it moves to another line.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from llm_schema_registry.cli.annotations.fingerprints import with_fingerprints
from llm_schema_registry.cli.checked import Checked, notes_of
from llm_schema_registry.model import Severity

_SEVERITIES = {Severity.BREAKING: "critical", Severity.HAZARD: "minor", Severity.INFO: "info"}


def write_gitlab(files: Sequence[Checked], *, is_verbose: bool) -> str:
    """Write an issue for each finding and problem; without a place it stands at the first line."""
    notes = [note for checked in files for note in notes_of(checked, is_verbose=is_verbose)]
    issues = [
        {
            "description": note.text,
            "check_name": note.kind,
            "fingerprint": fingerprint,
            "severity": _SEVERITIES[note.severity],
            "location": {"path": note.file, "lines": {"begin": note.place.line if note.place else 1}},
        }
        for note, fingerprint in with_fingerprints(notes)
    ]
    return json.dumps(issues, indent=2, ensure_ascii=False)
