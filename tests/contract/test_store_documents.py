"""Named documents and samples of violations, on every kind of store."""

from __future__ import annotations

from llm_schema_registry.documents import Document, DocumentKind, Sample
from llm_schema_registry.model import Encoding, Violation, ViolationKind
from llm_schema_registry.store.sql import SqlStore
from store_rows import NOW, named

DATA, POLICY = DocumentKind.REFERENCE_DATA, DocumentKind.POLICY


def document(name: str, version: int, kind: DocumentKind = DATA) -> Document:
    return Document(kind, name, version, f'["{name} {version}"]', NOW + version, "someone")


async def put(store: SqlStore, *written: Document, keep: int = 10) -> None:
    async with store.transaction() as writer:
        for each in written:
            await writer.add_document(each, keep)


async def test_the_newest_version_of_a_document_is_the_one_in_force(store: SqlStore) -> None:
    await put(store, document("b", 1), document("b", 2), document("a", 1), document("b", 1, POLICY))
    assert await store.reader.find_document(DATA, "b") == document("b", 2)
    assert await store.reader.find_document(DATA, "b", 1) == document("b", 1)
    assert await store.reader.find_document(DATA, "b", 3) is None
    assert await store.reader.find_document(DATA, "c") is None
    assert await store.reader.find_document(DATA, "\0") is None
    assert await store.reader.list_documents(DATA) == [document("a", 1), document("b", 2)]
    assert await store.reader.list_documents(POLICY) == [document("b", 1, POLICY)]
    assert await store.reader.count_documents(DATA) == 2


async def test_old_versions_of_a_document_are_removed(store: SqlStore) -> None:
    await put(store, document("a", 1), *(document("b", number) for number in range(1, 6)), keep=2)
    kept = [number for number in range(1, 6) if await store.reader.find_document(DATA, "b", number)]
    assert kept == [4, 5]
    assert await store.reader.find_document(DATA, "a", 1) == document("a", 1)


async def test_a_document_is_removed_with_all_its_versions(store: SqlStore) -> None:
    await put(store, document("a", 1), document("a", 2), document("b", 1))
    async with store.transaction() as writer:
        assert await writer.delete_document(DATA, "a")
        assert not await writer.delete_document(DATA, "a")
        assert not await writer.delete_document(POLICY, "b")
    assert await store.reader.list_documents(DATA) == [document("b", 1)]


def sample(number: int, subject: str = "s") -> Sample:
    violation = Violation(ViolationKind.TYPE_MISMATCH, "/a", "It is a text", "int", "string")
    return Sample(f"{number}", NOW + number, named(subject), None, 7, Encoding.BINARY, (violation,), "{}")


async def test_samples_are_listed_newest_first_and_page_by_page(store: SqlStore) -> None:
    async with store.transaction() as writer:
        await writer.add_samples([sample(2), sample(1), sample(3, "t"), sample(4)], 0, 10)
    newest = await store.reader.list_samples(limit=2)
    assert newest == [sample(4), sample(3, "t")]
    assert await store.reader.list_samples(after=(newest[1].at, newest[1].id)) == [sample(2), sample(1)]
    assert await store.reader.list_samples(named("s")) == [sample(4), sample(2), sample(1)]
    assert await store.reader.list_samples(named("s"), (NOW + 4, "4"), 1) == [sample(2)]
    assert await store.reader.list_samples(named("s", ".x")) == []


async def test_old_and_surplus_samples_are_removed(store: SqlStore) -> None:
    async def add(number: int, before: int = 0, kept: int = 100) -> str:
        async with store.transaction() as writer:
            await writer.add_samples([sample(number)], before, kept)
        return "".join(each.id for each in await store.reader.list_samples())

    for number in (3, 1, 2, 5, 4):
        await add(number)
    assert await add(6, kept=4) == "6543"
    assert await add(7, before=NOW + 5) == "765"
