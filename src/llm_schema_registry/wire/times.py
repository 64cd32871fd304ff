"""Times as answers write them.

Refuses to read one.
"""

from __future__ import annotations

from datetime import UTC, datetime


def utc(milliseconds: int) -> datetime:
    """Return the time that is so many milliseconds after the beginning of 1970, aware, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
