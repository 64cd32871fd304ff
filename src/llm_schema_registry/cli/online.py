"""Checks by a server: whether a file could be registered under a subject.

Refuses to judge: the server does, with the same gate that a registration passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from llm_schema_registry.cli.checked import Checked, Source, source_of
from llm_schema_registry.cli.failure import Failure
from llm_schema_registry.cli.remote import Remote, path
from llm_schema_registry.cli.schema_file import reference_bodies, type_of
from llm_schema_registry.wire.check import CheckBody


def check_subject(
    remote: Remote,
    subject: str,
    file: str,
    schema_type: str | None,
    references: Sequence[str] | None,
    overrides: Mapping[str, Any],
    *,
    normalize: bool,
    with_texts: bool,
) -> Checked:
    """Ask about a file, and for the texts that its findings are about if they are wanted.

    What `overrides` leaves out is the subject's own. Raises Failure, Refused.
    """
    schema_type, new = type_of(file, schema_type), source_of(file)
    body = {
        "subject": subject,
        "schema_type": schema_type,
        "definition": new.text,
        "references": reference_bodies(references),
        **{name: value for name, value in overrides.items() if value},
    }
    answer = remote.post(path("v1", "compatibility"), body, {"normalize": normalize})
    try:
        report = msgspec.convert(answer, CheckBody)
    except msgspec.ValidationError as error:
        raise Failure(f"the server's report cannot be read: {error}", "Is the server as new as this command?") from None
    about = {finding.version for finding in report.findings}
    earlier = {
        version: Source(
            f"version {version} of {subject}",
            _text(remote, subject, version) if with_texts and version in about else "",
        )
        for version in sorted({*about, *report.compared_versions})
    }
    return Checked(new, schema_type, report, earlier)


def _text(remote: Remote, subject: str, version: int) -> str:
    text: str = remote.get(path("v1", "subjects", subject, "versions", version))["definition"]
    return text
