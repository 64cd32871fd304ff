"""Named documents that contracts refer to: sets of reference data, and governance policies (FR-5.3, FR-6.2).

Refuses to judge a payload or a schema by them.
"""

from __future__ import annotations

import msgspec

from llm_schema_registry.contracts.cel.reference_data import read_data_set
from llm_schema_registry.contracts.sensitive.policies import read_policy
from llm_schema_registry.documents import Document, DocumentKind
from llm_schema_registry.errors import DocumentNotFound, InvalidDocument
from llm_schema_registry.model import EVERYWHERE, LATEST, EventType
from llm_schema_registry.registry.operation import Call, Permission, operation

MAX_DOCUMENTS = 1_000
KEPT_VERSIONS = 20
"""Documents of a kind, and how many versions of each stay readable."""


@operation(Permission.CONFIGURE)
async def put_document(call: Call, kind: DocumentKind, name: str, body: str) -> Document:
    """Write a document and return its newest version; the same again changes nothing.

    Raises InvalidDocument when it is not well formed, or when there are too many documents.
    """
    # What would not be understood later is refused now.
    canonical = _canonical(kind, name, body)
    async with call.store.transaction(lock=(EVERYWHERE,)) as writer:
        latest = await writer.find_document(kind, name)
        if latest is not None and latest.body == canonical:
            return latest
        if latest is None and await writer.count_documents(kind) >= MAX_DOCUMENTS:
            raise InvalidDocument(f"There are {MAX_DOCUMENTS} documents of the kind {kind} already; remove one first")
        version = 1 if latest is None else latest.version + 1
        document = Document(kind, name, version, canonical, call.clock(), call.actor.name)
        await writer.add_document(document, KEPT_VERSIONS)
        await writer.append_event(
            call.event(EventType.DOCUMENT_CHANGED, EVERYWHERE, kind=kind, name=name, version_of_document=str(version))
        )
    return document


@operation(Permission.CONFIGURE)
async def delete_document(call: Call, kind: DocumentKind, name: str) -> None:
    """Remove a document with all its versions. Raises DocumentNotFound."""
    async with call.store.transaction(lock=(EVERYWHERE,)) as writer:
        if not await writer.delete_document(kind, name):
            raise DocumentNotFound(kind, name)
        await writer.append_event(call.event(EventType.DOCUMENT_DELETED, EVERYWHERE, kind=kind, name=name))


@operation(Permission.READ)
async def get_document(call: Call, kind: DocumentKind, name: str, version: int = LATEST) -> Document:
    """Return one version of a document. Raises DocumentNotFound."""
    found = await call.store.reader.find_document(kind, name, version)
    if found is None:
        raise DocumentNotFound(kind, name, version)
    return found


@operation(Permission.READ)
async def list_documents(call: Call, kind: DocumentKind) -> list[Document]:
    """List the newest version of every document of a kind, by name."""
    return await call.store.reader.list_documents(kind)


def _canonical(kind: DocumentKind, name: str, body: str) -> str:
    """Write a document in the one way, without its name. Raises InvalidDocument."""
    if kind is DocumentKind.REFERENCE_DATA:
        return msgspec.json.encode(read_data_set(name, 1, body).entries).decode()
    members = msgspec.to_builtins(read_policy(name, body))
    del members["name"]
    return msgspec.json.encode(members).decode()
