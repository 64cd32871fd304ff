"""Entries of a cache that others can write to: a value sealed to its key, and to a place in one database's log.

Refuses to open what is damaged, cut, moved to another key, of another log or of another release.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from llm_schema_registry.store.freshness import Mark

_FORMAT = b"\1"
_POSITION_BYTES, _SEAL_BYTES = 8, 16
_HEAD_BYTES = len(_FORMAT) + _POSITION_BYTES
OVERHEAD_BYTES = _HEAD_BYTES + _SEAL_BYTES
"""How much longer an entry is than its payload."""

Witness = Callable[[int], bytes | None]
"""Tells what stands at a position of the log, as `Freshness.witness` does."""


def seal(key: bytes, mark: Mark, payload: bytes) -> bytes:
    """Make an entry: format, position, seal, payload. Only who knows what stands in the log there can make the seal."""
    head = _FORMAT + mark.position.to_bytes(_POSITION_BYTES)
    digest = hashlib.blake2b(key=mark.witness, digest_size=_SEAL_BYTES)
    for part in (head, len(key).to_bytes(4), key, payload):
        digest.update(part)
    return b"".join((head, digest.digest(), payload))


def is_readable(entry: bytes, witness: Witness) -> bool:
    """Whether the log is known at the entry's position; otherwise nothing can be said about it."""
    return witness(_position_of(entry)) is not None


def unseal(key: bytes, entry: bytes, witness: Witness) -> tuple[Mark, bytes] | None:
    """Open an entry: where in the log its payload was read, and the payload. None when it is not what was sealed."""
    position = _position_of(entry)
    known = witness(position)
    if known is None:
        return None
    mark, payload = Mark(position, known), entry[OVERHEAD_BYTES:]
    return (mark, payload) if hmac.compare_digest(entry, seal(key, mark, payload)) else None


def _position_of(entry: bytes) -> int:
    return int.from_bytes(entry[len(_FORMAT) : _HEAD_BYTES])
