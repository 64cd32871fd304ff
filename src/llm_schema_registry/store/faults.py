"""What drivers raise, into the registry's errors.

Refuses to know who asked, and to try again.
"""

from __future__ import annotations

import sqlite3

import asyncpg

from llm_schema_registry.errors import RegistryError, StoreFailed, StoreUnavailable, TimedOut
from llm_schema_registry.store.sqlite import is_busy

# lock_not_available, query_canceled, deadlock_detected, serialization_failure
_LATE = frozenset({"55P03", "57014", "40P01", "40001"})
# Classes of PostgreSQL's states: connection exceptions, insufficient resources (disk full among them).
_AWAY_CLASSES = frozenset({"08", "53"})
# admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout, idle_in_transaction_session_timeout, and
# read_only_sql_transaction and object_not_in_prerequisite_state: another server is the primary by now, or this one
# still recovers and answers questions already.
_AWAY = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25006", "55000"})


def translate(error: BaseException) -> RegistryError:
    """Return the registry's error for one of a driver: StoreUnavailable for what waiting may heal."""
    state = getattr(error, "sqlstate", None) or ""
    if state in _LATE or (isinstance(error, sqlite3.Error) and is_busy(error)):
        return TimedOut("The store is busy: a lock could not be had in time; try again")
    if isinstance(error, TimeoutError):
        return TimedOut("The store did not answer in time; try again")
    if (
        state in _AWAY
        or state[:2] in _AWAY_CLASSES
        or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
        or isinstance(error, OSError)
        or (isinstance(error, asyncpg.InterfaceError) and "closed" in str(error))
    ):
        return StoreUnavailable(f"The database was lost or cannot work now; try again soon: {error}")
    return StoreFailed(f"The store failed: {error}")
