"""A format of our own for suites of the judge: a schema is a list of words, and a document is one word of it.

What differs is easy to see here: a word that the reader lacks is refused by every policy; one that it writes in
another case is read as another word, which only SOUND refuses; one that it spells with a hyphen only LENIENT allows.
A word that comes back after it was gone is told by SOUND too.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from llm_schema_registry.formats.base import (
    EVERY_POLICY,
    NATIVE,
    NEVER,
    SOUND_ONLY,
    Kind,
    Parsed,
    ResolvedReference,
    sentence,
)
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.model import CompatibilityPolicy, Detail, Difference, EntityTags, Place

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.id: kind
        for kind in (
            Kind("WORD_ADDED", NEVER, "The {reader} schema adds {path}"),
            Kind("WORD_REMOVED", EVERY_POLICY, "The {reader} schema lacks {path} of the {writer} schema", "Keep it."),
            Kind("WORD_RENAMED", SOUND_ONLY, "The {reader} schema reads {path} as {info}", "Keep its case."),
            Kind("WORD_REUSED", SOUND_ONLY, "The {reader} schema takes up {path} again", "Find a word that is new."),
            Kind("WORD_HYPHENATED", NATIVE - {CompatibilityPolicy.LENIENT}, "The {reader} hyphenates {path}", "Join."),
        )
    }
)


class Words:
    """A parsed list."""

    reserved_misuse = None
    tags: tuple[EntityTags, ...] = ()

    def __init__(self, text: str) -> None:
        self.canonical = self.normalized = self.inlined = text
        self.words = text.split()
        self.field_names = tuple(self.words)

    def with_tags(self, add: Sequence[EntityTags], remove: Sequence[EntityTags]) -> str:
        return self.canonical

    def render(self, style: str) -> str:
        return self.canonical

    def represent(self, media_type: str, *, pretty: bool) -> bytes:
        return self.canonical.encode()


class WordFormat:
    """The format. `loops` is a word that takes all the time there is, `doubts` one whose hazards do,
    `riddle` one that is hard to explain, `forgets` one that takes for ever to be remembered.
    """

    schema_type = "WORDS"
    media_types = ("text/plain",)
    kinds = KINDS
    remembers = True

    def parse(self, text: str, references: Sequence[ResolvedReference] = (), *, is_new: bool = True) -> Words:
        return Words(text)

    def diff(self, reader: Parsed, writer: Parsed, policy: CompatibilityPolicy, budget: Budget) -> Sequence[Difference]:
        assert policy in NATIVE
        known = {word.lower() for word in reader.field_names}
        found = []
        for word in writer.field_names:
            while word == "loops":
                budget.spend(100)
            if word.lower() in known:
                continue
            is_hyphenated = any(other.replace("-", "") == word for other in known)
            hyphenated = Difference("WORD_HYPHENATED", word, f"as {policy} compares")
            found.append(hyphenated if is_hyphenated else Difference("WORD_REMOVED", word, "gone"))
        former = {word.lower() for word in writer.field_names}
        found += [Difference("WORD_ADDED", word) for word in reader.field_names if word.lower() not in former]
        return found

    def hazards(self, reader: Parsed, writer: Parsed, budget: Budget) -> Sequence[Difference]:
        found: list[Difference] = []
        for word in writer.field_names:
            while word == "doubts":
                budget.spend(100)
            found += [
                Difference("WORD_RENAMED", word, other, word, f"reads {other}")
                for other in reader.field_names
                if other.lower() == word.lower() and other != word
            ]
        lost = [word for word in writer.field_names if word.lower() not in {w.lower() for w in reader.field_names}]
        found += [
            Difference("WORD_REMOVED", word, "gone", word, "fails")
            for word in lost
            if not any(other.replace("-", "") == word for other in reader.field_names)
        ]
        return found

    def reused(
        self, candidate: Parsed, latest: Parsed, earlier: Sequence[Parsed], budget: Budget
    ) -> Sequence[Difference]:
        former = {word for words in earlier for word in words.field_names}
        while "forgets" in former:
            budget.spend(100)
        again = [word for word in candidate.field_names if word in former and word not in latest.field_names]
        return [Difference("WORD_REUSED", word) for word in again]

    def explain(self, difference: Difference, reader: Parsed, writer: Parsed) -> Detail:
        started = time.thread_time()
        while difference.path == "riddle" and time.thread_time() < started + 0.02:
            pass
        kind = KINDS[difference.kind]
        in_reader = difference.info or difference.path
        in_writer = difference.path if difference.path in writer.field_names else None
        return Detail(
            reader_path=in_reader if in_reader in reader.field_names else None,
            writer_path=in_writer,
            before=in_writer or "",
            after=difference.info,
            explanation=sentence(kind, difference, "reader", "writer"),
            remedy=kind.remedy,
        )

    def describe(self, difference: Difference, reader_name: str, writer_name: str) -> str:
        return f"{{{difference.kind}: {sentence(KINDS[difference.kind], difference, reader_name, writer_name)}}}"

    def locate(self, text: str, paths: Collection[str]) -> Mapping[str, Place]:
        return {path: Place(1, text.index(path) + 1) for path in paths if path in text}
