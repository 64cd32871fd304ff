"""Why a command stops: what is shown on standard error before it ends with exit code 1.

Refuses to print, and to know HTTP.
"""

from __future__ import annotations


class Failure(Exception):
    """A command cannot do its work. `hint` is one line on how to mend it, or empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)

    @property
    def title(self) -> str:
        """What stands before the message."""
        return "error"


class Refused(Failure):
    """The server answered with an error; `code` is its `error_code` (rest-api section 2)."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message, _HINTS.get(code, ""))

    @property
    def title(self) -> str:
        return f"error {self.code}"


_HINTS = {
    401: "Give credentials with --user NAME:PASSWORD or SCHEMA_REGISTRY_USER.",
    40401: "`lsr schema list` shows the subjects, with --deleted the soft-deleted ones too.",
    40402: "`lsr schema versions SUBJECT` shows the versions, with --deleted the soft-deleted ones too.",
    40404: "Add --permanent to delete it for good.",
    40405: "Delete it without --permanent first.",
    40406: "Add --permanent to delete it for good.",
    40407: "Delete it without --permanent first.",
    40408: "Add --effective to see the settings in force.",
    40409: "Add --effective to see the mode in force.",
}
