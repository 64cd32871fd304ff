"""Contexts: name spaces with ids of their own (rest-api 4.8 and section 7).

Refuses to know what is inside them.
"""

from __future__ import annotations

from llm_schema_registry.errors import ContextNotEmpty
from llm_schema_registry.model import EventType, Subject
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.store.base import EVERYTHING, Page, Visibility


@operation(Permission.READ)
async def list_contexts(call: Call, *, prefix: str = "", page: Page = EVERYTHING) -> list[str]:
    """List the contexts by name, the default one first."""
    return await call.store.reader.list_contexts(prefix, page)


@operation(Permission.DELETE)
async def delete_context(call: Call, context: str) -> None:
    """Forget an empty context with its settings. Raises ContextNotEmpty while any subject, deleted or not, is left."""
    scope = Subject(context, "")
    async with call.store.transaction(lock=(scope,)) as writer:
        if await writer.list_subjects(context, visibility=Visibility.ALL, page=Page(limit=1)):
            raise ContextNotEmpty(context)
        await writer.delete_context(context)
        await writer.append_event(call.event(EventType.CONTEXT_DELETED, scope))
