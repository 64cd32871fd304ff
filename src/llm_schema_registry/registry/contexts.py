"""Contexts: name spaces with ids of their own (rest-api 4.8 and section 7).

Refuses to know what is inside them.
"""

from __future__ import annotations

from llm_schema_registry.errors import ContextNotEmpty
from llm_schema_registry.model import DEFAULT_CONTEXT, EventType, Subject
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.scopes import load_scopes, wider_scopes
from llm_schema_registry.store.base import EVERYTHING, Page, Visibility


@operation(Permission.READ)
async def list_contexts(call: Call, *, prefix: str = "", page: Page = EVERYTHING) -> list[str]:
    """List the contexts by name, the default one first."""
    return await call.store.reader.list_contexts(prefix, page)


@operation(Permission.DELETE)
async def delete_context(call: Call, context: str) -> None:
    """Forget an empty context with its settings; one that is not there is forgotten already.

    Raises ContextNotEmpty while any subject, deleted or not, is left, OperationNotPermitted in a read-only context.
    """
    scope = Subject(context, "")
    async with call.store.transaction(lock=(scope,), share=wider_scopes(scope)) as writer:
        (await load_scopes(writer, scope)).require_writable()
        if await writer.list_subjects(context, visibility=Visibility.ALL, page=Page(limit=1)):
            raise ContextNotEmpty(context)
        has_settings = bool(await writer.list_configs(context) or await writer.list_modes(context))
        is_listed = context != DEFAULT_CONTEXT and context in await writer.list_contexts(context)
        if not has_settings and not is_listed:
            return
        await writer.delete_context(context)
        await writer.append_event(call.event(EventType.CONTEXT_DELETED, scope))
