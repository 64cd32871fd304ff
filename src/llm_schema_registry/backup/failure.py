"""Why a backup or a restore ends.

Refuses to know exit codes.
"""

from __future__ import annotations


class BackupFailed(Exception):
    """The message says what is wrong and, where there is a way, how to mend it."""
