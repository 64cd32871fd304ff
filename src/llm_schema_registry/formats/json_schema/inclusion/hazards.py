"""The answer of data for a pair of schemas: nothing (proved), documents that break, or where no answer was found.

Refuses to guess: what is not proved is reported, as refused with a witness or as undecided.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from llm_schema_registry.errors import TooComplex
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.json_schema.drafts import Draft
from llm_schema_registry.formats.json_schema.inclusion.effort import MAX_EFFORT, effort_for, size_of
from llm_schema_registry.formats.json_schema.inclusion.evaluate import Evaluator
from llm_schema_registry.formats.json_schema.inclusion.goal import Answer, Goal, Json
from llm_schema_registry.formats.json_schema.inclusion.parts import Meanings, Shape
from llm_schema_registry.formats.json_schema.inclusion.search import Search
from llm_schema_registry.formats.json_schema.inclusion.shapes import Shapes
from llm_schema_registry.formats.json_schema.inclusion.witness import Refusal, Side, as_text
from llm_schema_registry.formats.json_schema.references import Resources
from llm_schema_registry.formats.places import pointer_token
from llm_schema_registry.model import Difference

REFUSED = "DOCUMENT_REFUSED"
UNDECIDED = "DOCUMENT_UNDECIDED"

_MAX_GAPS = 5
# CPU seconds for documents that were found before the time was over.
_TIME_TO_TELL = 0.03
# Each fault that a validator tells of holds a copy of the document.
_MAX_COPIED = 300_000


def hazards(reader: Resources, writer: Resources, budget: Budget) -> list[Difference]:
    """Return the documents of the writer that the reader refuses, one for each place of the reader (20 at most).

    An empty list is a proof. What could be neither proved nor refuted is a difference of its own. Raises TooComplex.
    """
    if _is_same(reader, writer):
        return []
    meanings = Meanings()
    written, of_writer = Shapes(writer, meanings, budget.spend).load()
    read, of_reader = Shapes(reader, meanings, budget.spend).load()
    meanings.settle([*of_writer, *of_reader], budget.spend)
    search = Search(meanings, budget.spend, has_whole=Draft.D4 in {reader.draft, writer.draft})
    judges = (
        _Judge(Side(reader, budget.spend, keeps_uncertain=True), read, search.evaluator),
        _Judge(Side(writer, budget.spend, keeps_uncertain=False), written, search.evaluator),
    )
    try:
        answer = search.run(Goal((written,), (read,)))
    except TooComplex:
        budget.extend(_TIME_TO_TELL)
        found = _witnesses(search.found, *judges)
        if not found:
            raise
        return found
    if answer.is_empty:
        return []
    return _witnesses(answer.values, *judges) or _undecided(answer)


def _is_same(reader: Resources, writer: Resources) -> bool:
    return reader.draft is writer.draft and reader.references == writer.references and reader.text == writer.text


class _Judge(NamedTuple):
    """A side's validator, asked only about documents that it is through with soon."""

    side: Side
    shape: Shape
    evaluator: Evaluator

    def takes(self, value: Json) -> bool:
        return effort_for(self.shape, value, self.evaluator) <= MAX_EFFORT and self.side.takes(value)

    def refusals(self, value: Json) -> list[Refusal]:
        effort = effort_for(self.shape, value, self.evaluator)
        if effort > MAX_EFFORT:
            return []
        return self.side.refusals(value, all_of_them=effort * size_of(value) <= _MAX_COPIED)


def _witnesses(values: Iterable[Json], reader: _Judge, writer: _Judge) -> list[Difference]:
    """One document for each place of the reader; what fails in one way only goes first."""
    refused = []
    # Documents that were held against both sides count, however the time ends for others.
    with suppress(TooComplex):
        for value in values:
            text = as_text(value)
            if text is not None and writer.takes(value) and (refusals := reader.refusals(value)):
                refused.append((text, refusals))
    found: dict[str, Difference] = {}
    for text, refusals in sorted(refused, key=lambda each: len(each[1])):
        for refusal in refusals:
            path = f"{refusal.document}#" + "".join(f"/{pointer_token(token)}" for token in refusal.tokens)
            if path not in found:
                found[path] = Difference(REFUSED, path, refusal.message, text, refusal.message)
                break
    return list(found.values())


def _undecided(answer: Answer) -> list[Difference]:
    places = dict.fromkeys(f"{where.document}#{where}" for where in answer.gaps) or {"#": None}
    return [Difference(UNDECIDED, path) for path in [*places][:_MAX_GAPS]]
