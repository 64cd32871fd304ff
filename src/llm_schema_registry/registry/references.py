"""References between schemas: pinning, transitive resolution, and who refers to whom.

Refuses to know what a format does with the texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from llm_schema_registry.errors import InvalidSchema, SubjectNotFound, VersionNotFound
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.model import LATEST, Reference, Subject, Version, VersionKey
from llm_schema_registry.names import parse_subject
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.scopes import settle
from llm_schema_registry.store.base import Page, Reader, Visibility

MAX_REFERENCES = 2_000
MAX_CHARACTERS = 32 * 1024 * 1024
"""Bounds on all texts that one schema reaches, so that a chain or a diamond of references stays cheap."""

_UNNUMBERED = 0


class Resolution(msgspec.Struct, frozen=True):
    """References of one schema: pinned to numbers, and resolved with everything that they need.

    `path` are the references that led to the replacement first, its own last; empty when nothing was replaced.
    """

    pinned: tuple[Reference, ...]
    resolved: tuple[ResolvedReference, ...]
    path: tuple[Reference, ...] = ()


class _Walk:
    """One depth-first walk over a reference graph; iterative, so that no chain is too deep for it."""

    def __init__(self, reader: Reader, visibility: Visibility, replacement: Version | None) -> None:
        self._reader = reader
        self._visibility = visibility
        self._replacement = replacement
        self._path: tuple[Reference, ...] = ()
        # The names whose texts are other than they were, or reach one that is.
        self._rebuilt: set[str] = set()
        self._resolved: dict[str, ResolvedReference] = {}
        self._characters = 0

    async def run(self, context: str, references: Sequence[Reference]) -> Resolution:
        pinned = []
        for reference in references:
            target = await self._load(context, reference, ())
            pinned.append(Reference(reference.name, reference.subject, target.version))
            await self._visit(reference, target)
        direct = {(ref.name, ref.subject, ref.version) for ref in pinned}
        # What is rebuilt would be another version than the one that was pinned; formats tell texts apart by that.
        resolved = tuple(
            msgspec.structs.replace(
                ref,
                is_direct=(ref.name, ref.subject, ref.version) in direct,
                version=_UNNUMBERED if ref.name in self._rebuilt else ref.version,
            )
            for ref in self._resolved.values()
        )
        return Resolution(tuple(pinned), resolved, self._path)

    async def _visit(self, root: Reference, target: Version) -> None:
        # Each stack entry is a reference under way with those of its own references that are still to be seen.
        if root.name in self._resolved:
            return
        stack = [(root, target, list(target.schema.content.references))]
        while stack:
            reference, version, pending = stack[-1]
            if pending:
                child = pending.pop(0)
                chain = tuple(entry[0] for entry in stack)
                # Of two equal names the first wins, also when it is still under way. A name in its own chain stands for
                # another version: a true cycle cannot arise, for what is referred to must be there before.
                if child.name in self._resolved or any(child.name == via.name for via in chain):
                    if child.name in self._rebuilt:
                        self._rebuilt.add(reference.name)
                    continue
                loaded = await self._load(version.subject.context, child, chain)
                stack.append((child, loaded, list(loaded.schema.content.references)))
                continue
            stack.pop()
            self._add(reference, version)
            if stack and reference.name in self._rebuilt:
                self._rebuilt.add(stack[-1][0].name)

    def _add(self, reference: Reference, version: Version) -> None:
        text = version.schema.content.text
        self._characters += len(text)
        if len(self._resolved) >= MAX_REFERENCES or self._characters > MAX_CHARACTERS:
            raise InvalidSchema(
                f"The schema reaches more than {MAX_REFERENCES} references or {MAX_CHARACTERS} characters of "
                "referenced text; split it or refer to less"
            )
        self._resolved[reference.name] = ResolvedReference(
            name=reference.name, subject=reference.subject, version=version.version, text=text
        )

    async def _load(self, context: str, reference: Reference, chain: tuple[Reference, ...]) -> Version:
        subject = parse_subject(reference.subject, context)
        if self._replacement is not None and subject == self._replacement.subject:
            self._path = self._path or (*chain, reference)
            self._rebuilt.add(reference.name)
            return self._replacement
        found = await self._reader.find_version(subject, reference.version, self._visibility)
        if found is None:
            which = "latest" if reference.version == LATEST else reference.version
            via = f" (reached through {' -> '.join(via.name for via in (*chain, reference))})" if chain else ""
            raise InvalidSchema(
                f'No schema reference found for subject "{reference.subject}" and version {which}, which the schema '
                f"calls '{reference.name}'{via}; register it first or correct the reference"
            )
        return found


async def resolve(
    reader: Reader,
    context: str,
    references: Sequence[Reference],
    *,
    are_new: bool = False,
    replacement: Version | None = None,
) -> Resolution:
    """Pin references and gather every text that they need, each after those it depends on.

    `are_new`: the targets must be active (a registration); otherwise soft-deleted ones serve too. Of two equal
    names the first wins. `replacement` stands for every version of its subject that is met on the way. Raises
    InvalidSchema for a target that does not exist (with the chain to it), or too much of everything.
    """
    for reference in references:
        if not reference.name or not reference.subject:
            raise InvalidSchema("A reference needs a name and a subject")
        if reference.version < 1 and reference.version != LATEST:
            raise InvalidSchema(
                f"Reference '{reference.name}' has version {reference.version}; give a number from 1, or -1 for latest"
            )
    visibility = Visibility.ACTIVE if are_new else Visibility.ALL
    return await _Walk(reader, visibility, replacement).run(context, references)


@operation(Permission.READ)
async def list_referrers(
    call: Call, subject: Subject, version: int, *, includes_deleted: bool = False
) -> list[VersionKey]:
    """List the versions that refer to this one, by schema id.

    The target may be soft-deleted. Raises SubjectNotFound or VersionNotFound when it does not exist at all.
    """
    reader = call.store.reader
    subject = (await settle(reader, subject)).subject
    target = await reader.find_version(subject, version, Visibility.ALL)
    if target is None:
        if await reader.list_version_keys(subject, Visibility.ALL, Page(limit=1)):
            raise VersionNotFound(version)
        raise SubjectNotFound(subject)
    visibility = Visibility.ALL if includes_deleted else Visibility.ACTIVE
    return await reader.list_referrers(subject, target.version, visibility)
