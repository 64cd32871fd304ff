"""What a new version of a subject would do to those that refer to it, directly or through others.

Refuses to change anything, and to judge by itself: each dependant is compared by the gate, at its own subject's
settings.
"""

from __future__ import annotations

from collections import deque

from llm_schema_registry.checks import Dependant, Impact, Outcome
from llm_schema_registry.errors import InvalidSchema, TooComplex
from llm_schema_registry.model import LATEST, Schema, SchemaContent, Subject, Submission, Version
from llm_schema_registry.registry.candidate import Candidate, parse_stored, taken_for_candidate, understand
from llm_schema_registry.registry.gate import compare_with
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.references import Resolution, resolve
from llm_schema_registry.registry.scopes import load_scopes, settle
from llm_schema_registry.store.base import Reader, Visibility

MAX_DEPENDANTS = 1_000
MAX_SUBJECTS = 10_000
"""Subjects that are followed; some of them turn out not to depend on the candidate's."""


@operation(Permission.READ)
async def check_impact(
    call: Call, subject: Subject, submission: Submission, *, normalize: bool = False, of_all_versions: bool = False
) -> Impact:
    """Say what registering a schema would do to its subject's dependants. Raises InvalidSchema, SchemaTooLarge."""
    reader = call.store.reader
    scopes = await settle(reader, subject)
    config = scopes.config(call.policy.default_level)
    candidate = await understand(call, reader, scopes.subject, submission, config, normalize=normalize)
    return await impact(call, scopes.subject, candidate, of_all_versions=of_all_versions)


async def impact(
    call: Call,
    subject: Subject,
    candidate: Candidate,
    *,
    limit: int = MAX_DEPENDANTS,
    of_all_versions: bool = False,
) -> Impact:
    """Put a candidate in the place of its subject's versions wherever they are referred to, and look what happens.

    A dependant is the latest version of a subject (`of_all_versions`: any active one) that reaches the candidate's
    subject. It is rebuilt with the candidate there, however long the way, and compared to itself as it is now, at its
    own subject's level and policy: as if all between were pinned anew and registered. Nearer dependants come first;
    more than `limit` are not looked at, which the answer says.
    """
    reader = call.store.reader
    content = SchemaContent(candidate.schema_type, candidate.text, candidate.references)
    # It has no number yet; nothing that is registered can be taken for it.
    replacement = Version(subject, 0, Schema(subject.context, 0, "", content), False, 0, "")
    subjects, is_complete = await _list_dependants(reader, subject)
    found: list[Dependant] = []
    for dependant in subjects:
        if of_all_versions:
            versions = await reader.list_versions(dependant)
        else:
            latest = await reader.find_version(dependant, LATEST)
            versions = [latest] if latest else []
        for version in versions:
            judged = await _judge(call, reader, version, replacement)
            if judged is None:
                continue
            if len(found) == limit:
                return Impact(subject, tuple(found), is_complete=False)
            found.append(judged)
    return Impact(subject, tuple(found), is_complete)


async def _list_dependants(reader: Reader, subject: Subject) -> tuple[list[Subject], bool]:
    """The subjects with any version that may reach a subject, nearest first, and whether these are all."""
    seen = {subject: None}
    waiting = deque([subject])
    while waiting:
        # Versions between may be soft-deleted: what refers to them still reads them.
        for key in await reader.list_referrers(waiting.popleft(), None, Visibility.ALL):
            if key.subject in seen:
                continue
            if len(seen) > MAX_SUBJECTS:
                return list(seen)[1:], False
            seen[key.subject] = None
            waiting.append(key.subject)
    return list(seen)[1:], True


async def _judge(call: Call, reader: Reader, version: Version, replacement: Version) -> Dependant | None:
    """Compare a version as it would be with what it is; None when it does not reach the replaced subject."""
    resolution = Resolution((), ())
    try:
        resolution = await resolve(
            reader, version.subject.context, version.schema.content.references, replacement=replacement
        )
        if not resolution.path:
            return None
        content = version.schema.content
        rebuilt = await call.engines.parse(content.schema_type, content.text, resolution.resolved)
    except InvalidSchema as error:
        outcome, problem = Outcome.INVALID, str(error)
        try:
            await parse_stored(call, reader, version)
        except InvalidSchema as present:
            outcome, problem = Outcome.UNDECIDED, f"It cannot be read as it is: {present}"
        return Dependant(version.subject, version.version, resolution.path, outcome, None, problem)
    config = (await load_scopes(reader, version.subject)).config(call.policy.default_level)
    candidate = taken_for_candidate(version, rebuilt)
    try:
        report = await compare_with(call, reader, candidate, config, (version,), version)
    except TooComplex as error:
        return Dependant(version.subject, version.version, resolution.path, Outcome.UNDECIDED, error.report, str(error))
    outcome = Outcome.OK if report.is_compatible else Outcome.INCOMPATIBLE
    return Dependant(version.subject, version.version, resolution.path, outcome, report)
