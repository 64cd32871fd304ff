"""Questions and changes to the tables of named documents and of samples.

Refuses to know what a document says.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import BigInteger, and_, bindparam, delete, func, insert, select, tuple_

from llm_schema_registry.documents import Document, DocumentKind, Sample
from llm_schema_registry.model import LATEST, Subject
from llm_schema_registry.store.rows import Asker, Parameters, Run, json_of, refuse_unstorable
from llm_schema_registry.store.tables import documents, samples

_sample_of = msgspec.json.Decoder(Sample).decode

_DOCUMENT = (
    documents.c.kind,
    documents.c.name,
    documents.c.version,
    documents.c.body,
    documents.c.changed_at,
    documents.c.changed_by,
)
_OF_DOCUMENT = and_(documents.c.kind == bindparam("of_kind"), documents.c.name == bindparam("of_name"))
_FIND_DOCUMENT = select(*_DOCUMENT).where(_OF_DOCUMENT, documents.c.version == bindparam("of_version"))
_FIND_LATEST = select(*_DOCUMENT).where(_OF_DOCUMENT).order_by(documents.c.version.desc()).limit(1)
_newer = documents.alias("newer")
_LIST_LATEST = (
    select(*_DOCUMENT)
    .where(
        documents.c.kind == bindparam("of_kind"),
        ~select(1)
        .where(
            _newer.c.kind == documents.c.kind,
            _newer.c.name == documents.c.name,
            _newer.c.version > documents.c.version,
        )
        .exists(),
    )
    .order_by(documents.c.name)
)
_COUNT_DOCUMENTS = select(func.count(documents.c.name.distinct())).where(documents.c.kind == bindparam("of_kind"))
_ADD_DOCUMENT = insert(documents)
_PRUNE_DOCUMENT = delete(documents).where(_OF_DOCUMENT, documents.c.version <= bindparam("up_to", type_=BigInteger))
_DELETE_DOCUMENT = delete(documents).where(_OF_DOCUMENT).returning(documents.c.version)

_AGE = (samples.c.at, samples.c.id)
_LIMIT = bindparam("limit", type_=BigInteger)
_ADD_SAMPLE = insert(samples)
_NEWEST = select(samples.c.body).order_by(samples.c.at.desc(), samples.c.id.desc()).limit(_LIMIT)
_OLDER = _NEWEST.where(tuple_(*_AGE) < tuple_(bindparam("after_at", type_=BigInteger), bindparam("after_id")))
_OF_SUBJECT = and_(samples.c.context == bindparam("of_context"), samples.c.subject == bindparam("of_subject"))
_KEPT = select(samples.c.id).order_by(samples.c.at.desc(), samples.c.id.desc())
_PRUNE_SAMPLES = delete(samples).where(
    (samples.c.at < bindparam("before"))
    | samples.c.id.in_(_KEPT.limit(2**62).offset(bindparam("keep", type_=BigInteger)))
)


class SqlDocumentReader(Asker):
    """The questions of `base.Reader` about documents and samples."""

    async def find_document(self, kind: DocumentKind, name: str, version: int = LATEST) -> Document | None:
        if version == LATEST:
            rows = await self._ask(_FIND_LATEST, of_kind=kind.value, of_name=name)
        else:
            rows = await self._ask(_FIND_DOCUMENT, of_kind=kind.value, of_name=name, of_version=version)
        return Document(DocumentKind(rows[0][0]), *rows[0][1:]) if rows else None

    async def list_documents(self, kind: DocumentKind) -> list[Document]:
        rows = await self._ask(_LIST_LATEST, of_kind=kind.value)
        return [Document(DocumentKind(row[0]), *row[1:]) for row in rows]

    async def count_documents(self, kind: DocumentKind) -> int:
        [[count]] = await self._ask(_COUNT_DOCUMENTS, of_kind=kind.value)
        return int(count)

    async def list_samples(
        self, subject: Subject | None = None, after: tuple[int, str] | None = None, limit: int = 100
    ) -> list[Sample]:
        statement = _NEWEST if after is None else _OLDER
        parameters: Parameters = {"limit": limit}
        if after is not None:
            parameters |= {"after_at": after[0], "after_id": after[1]}
        if subject is not None:
            statement = statement.where(_OF_SUBJECT)
            parameters |= {"of_context": subject.context, "of_subject": subject.name}
        return [_sample_of(body) for [body] in await self._ask(statement, **parameters)]


class SqlDocumentWriter(SqlDocumentReader):
    """The changes of `base.Writer` to documents and samples, made through `run` on the transaction's connection."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._run = run

    async def add_document(self, document: Document, keep: int) -> None:
        row: Parameters = {
            "kind": document.kind.value,
            "name": document.name,
            "version": document.version,
            "body": document.body,
            "changed_at": document.changed_at,
            "changed_by": document.changed_by,
        }
        refuse_unstorable([row])
        await self._run(_ADD_DOCUMENT, row)
        up_to = document.version - keep
        await self._run(_PRUNE_DOCUMENT, {"of_kind": document.kind.value, "of_name": document.name, "up_to": up_to})

    async def delete_document(self, kind: DocumentKind, name: str) -> bool:
        return bool(await self._ask(_DELETE_DOCUMENT, of_kind=kind.value, of_name=name))

    async def add_samples(self, kept: list[Sample], before: int, keep: int) -> None:
        rows: list[Parameters] = [
            {
                "id": sample.id,
                "at": sample.at,
                "context": sample.subject.context,
                "subject": sample.subject.name,
                "body": json_of(sample),
            }
            for sample in kept
        ]
        refuse_unstorable(rows)
        await self._run(_ADD_SAMPLE, rows)
        await self._run(_PRUNE_SAMPLES, {"before": before, "keep": keep})
