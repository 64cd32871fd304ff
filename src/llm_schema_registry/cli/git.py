"""The text of a file as git has it at a revision.

Refuses to write to a repository, and to let a name be read as an option of git.
"""

from __future__ import annotations

import os
import subprocess

from llm_schema_registry.cli.failure import Failure

_ABSENT = 1


class Revision:
    """A commit of the repository that the working directory is in."""

    def __init__(self, name: str) -> None:
        """Find the commit. Raises Failure when git knows none by this name."""
        self.name = name
        commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if commit is None and not _is_unborn(name):
            raise Failure(f"git knows no revision '{name}'", "A shallow clone may have to fetch it first.")
        self._commit = None if commit is None else commit.decode().strip()

    def read(self, file: str) -> bytes | None:
        """Return what a file held, or None if it did not exist. Raises Failure for one outside of the repository."""
        if self._commit is None:
            return None
        relative = os.path.relpath(file)
        blob = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{self._commit}:./{relative}")
        return None if blob is None else _git("cat-file", "blob", blob.decode().strip())


def _is_unborn(name: str) -> bool:
    """Whether this is the branch of a repository's first commit, before which nothing existed."""
    return name == "HEAD" and _git("symbolic-ref", "--quiet", "HEAD") is not None


def _git(*arguments: str) -> bytes | None:
    """Run git and return its answer, or None for what it quietly does not find."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607  # no shell; the user's own git
    except OSError as error:
        raise Failure(f"cannot run git: {error.strerror}") from None
    if done.returncode == _ABSENT and not done.stderr:
        return None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise Failure(f"git refuses: {reason}")
    return done.stdout
