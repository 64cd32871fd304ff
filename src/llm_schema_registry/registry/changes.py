"""What changed since a place in the log, as far as whoever remembers answers must know.

Refuses to know who remembers, and how.
"""

from __future__ import annotations

from llm_schema_registry.model import EventType
from llm_schema_registry.registry.operation import Call, Permission, operation

EVENTS_AT_ONCE = 1000

_UNSETTLING = frozenset(
    {
        EventType.VERSION_DELETED,
        EventType.CONTEXT_DELETED,
        # What was registered last may be lost.
        EventType.COPY_RESTORED,
        # An alias may lead a subject that is asked about into another context.
        EventType.CONFIG_CHANGED,
        EventType.CONFIG_DELETED,
    }
)


@operation(Permission.READ)
async def look_for_rebinding(call: Call, position: int) -> tuple[bool, int]:
    """Return whether an id or guid may mean something else than at a position of the log, and the position reached.

    More than EVENTS_AT_ONCE are not looked at: the answer is yes.
    """
    reader = call.store.reader
    events = await reader.list_events(position, EVENTS_AT_ONCE)
    if len(events) == EVENTS_AT_ONCE:
        return True, await reader.find_log_position()
    return any(event.type in _UNSETTLING for _, event in events), events[-1][0] if events else position
