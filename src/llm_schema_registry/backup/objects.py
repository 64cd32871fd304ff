"""Objects by name, in a folder or an S3-compatible store: the few ways in which backups use them.

Refuses to know what is in an object. Names are made by this package; none comes from what was read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from llm_schema_registry.backup.failure import BackupFailed

KNOWN_TARGETS = "a folder, and s3://bucket/prefix"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class Listed(NamedTuple):
    """An object that is there."""

    name: str
    size: int
    modified: datetime


class Objects:
    """The objects below a place. Raises BackupFailed when the place cannot be reached or refuses."""

    def __init__(self, place: str, *, is_new: bool = False) -> None:
        """Open a place; `is_new` makes a folder that is not there. Credentials are those of the AWS_ variables."""
        with _translated():
            self._store: LocalStore | S3Store = _open(place, is_new)

    def find(self, prefix: str) -> list[Listed]:
        """Answer the objects whose names begin with `prefix` + "/", by name."""
        with _translated():
            found = [
                Listed(item["path"], item["size"], item["last_modified"])
                for items in self._store.list(prefix)
                for item in items
            ]
        return sorted(found)

    def read(self, name: str) -> bytes:
        """Answer an object's bytes."""
        with _translated():
            return bytes(self._store.get(name).bytes())

    def write(self, name: str, content: bytes) -> None:
        """Write an object whole, over one that is there."""
        with _translated():
            self._store.put(name, content, use_multipart=False)

    def remove(self, names: list[str]) -> None:
        """Remove objects."""
        with _translated():
            self._store.delete(names)

    def settle(self) -> None:
        """Return when what was written survives a loss of power; an object store promises it by its answer."""
        if isinstance(self._store, LocalStore):
            os.sync()


def _open(place: str, is_new: bool) -> LocalStore | S3Store:
    if "://" not in place:
        folder = Path(place).absolute()
        if not is_new and not folder.is_dir():
            raise BackupFailed(f"There is no folder {place}")
        return LocalStore(folder, mkdir=is_new)
    url = urlsplit(place)
    if url.scheme != "s3" or not url.hostname or url.query or url.fragment or url.username:
        raise BackupFailed(f"Backups are kept in {KNOWN_TARGETS}; {url.scheme}:// is not such a place")
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
    return S3Store(
        url.netloc,
        prefix=url.path.strip("/") or None,
        client_options={"allow_http": endpoint.startswith("http://")},
        # A store that is not there shall be told within a minute.
        retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=60)},
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BackupFailed(f"An object is missing: {_first_line(error)}") from error
    except (BaseError, OSError, ValueError) as error:
        raise BackupFailed(f"The backup's place cannot be used: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
