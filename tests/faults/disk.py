"""A small disk of its own, which can be filled up to the last byte and freed again.

Refuses to fill a disk that anything else is on.
"""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Self

MIB = 1024 * 1024


class SmallDisk:
    """A file system in memory of this size, mounted until the end of the block. Needs the right to mount."""

    def __init__(self, mebibytes: int) -> None:
        self._size = f"size={mebibytes}m"
        self.place = Path(tempfile.mkdtemp(prefix="lsr-disk-"))
        # As a private PostgreSQL's owner must be able to enter it.
        self.place.chmod(0o755)
        self._filler = self.place / "filler"

    def fill(self) -> None:
        """Take all that is free."""
        with self._filler.open("ab", buffering=0) as filler:
            for chunk in (bytes(MIB), bytes(4096), b"\0"):
                try:
                    while filler.write(chunk) == len(chunk):
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """Give back all that was taken."""
        self._filler.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        _as_root("mount", "-t", "tmpfs", "-o", f"{self._size},mode=0755,uid={os.geteuid()}", "tmpfs", str(self.place))
        return self

    def __exit__(self, *_: object) -> None:
        _as_root("umount", "--lazy", str(self.place))
        self.place.rmdir()


def _as_root(*command: str) -> None:
    subprocess.run([*(() if os.geteuid() == 0 else ("sudo", "-n")), *command], check=True)
