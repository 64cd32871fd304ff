"""What changed since a place in the log, as far as whoever remembers answers must know.

Refuses to know who remembers, and how.
"""

from __future__ import annotations

from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.store.freshness import REBINDING, Mark


@operation(Permission.READ)
async def look_for_rebinding(call: Call, mark: Mark) -> tuple[bool, Mark]:
    """Return whether an id or guid may mean something else than at a place in the log, and the place reached."""
    freshness = call.store.freshness
    reached = await freshness.reach()
    return not freshness.holds(mark, (REBINDING,)), reached


@operation(Permission.READ)
async def wait_for_changes(call: Call, seconds: float) -> None:
    """Wait until another process says that it has changed something, or so long: not every change is told."""
    await call.store.freshness.wait_for_hint(seconds)
