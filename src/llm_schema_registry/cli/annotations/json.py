"""The reports as JSON, whole: what a program of one's own reads.

Refuses to leave anything out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from llm_schema_registry.cli.checked import Checked, Problem


def write_json(files: Sequence[Checked], *, is_verbose: bool) -> str:
    """Write `{"files": [...]}`; `earlier` names what the version numbers of a report stand for.

    Every finding is written, infos too.
    """
    return json.dumps({"files": [_file(checked) for checked in files]}, indent=2, ensure_ascii=False)


def _file(checked: Checked) -> dict[str, Any]:
    problem = checked.result if isinstance(checked.result, Problem) else None
    return {
        "file": checked.new.name,
        "schema_type": checked.schema_type,
        "is_compatible": checked.is_compatible,
        "earlier": {str(version): source.name for version, source in checked.earlier.items()},
        "report": msgspec.to_builtins(checked.result) if problem is None else None,
        "error": None
        if problem is None
        else {
            "kind": problem.kind,
            "file": problem.file,
            "message": problem.message,
            "line": problem.place.line if problem.place else None,
            "column": problem.place.column if problem.place else None,
        },
    }
