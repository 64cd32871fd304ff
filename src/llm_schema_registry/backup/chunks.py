"""Rows into chunks and back: where a chunk ends, what its bytes are, and whether they are still the same.

Refuses to know where chunks are kept.

A chunk ends behind a row whose key hashes to a certain value. A later backup thus cuts unchanged stretches of a table
at the same rows, whatever came before them, and finds their chunks under the same digests.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from llm_schema_registry.backup.failure import BackupFailed
from llm_schema_registry.backup.manifest import Chunk
from llm_schema_registry.store.snapshot import Row

ROWS_ON_AVERAGE = 1024  # a power of two
MOST_ROWS = 8 * ROWS_ON_AVERAGE
MOST_BYTES = 4 * 1024 * 1024
"""Of text; one row that is larger is a chunk of its own."""

# As text, so that both databases and all releases of zlib agree on it.
_encode = msgspec.json.Encoder().encode
_rows_of = msgspec.json.Decoder(list[list[str | int | bool | None]]).decode


class Packed(NamedTuple):
    """A chunk and the bytes of its object."""

    chunk: Chunk
    content: bytes


async def pack(rows: AsyncIterator[Row], key_length: int) -> AsyncIterator[Packed]:
    """Yield the chunks of a table's rows, of which the first `key_length` values are the key."""
    lines: list[bytes] = []
    size = 0
    async for row in rows:
        line = _encode(row)
        if lines and size + len(line) > MOST_BYTES:
            yield _packed(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
        if len(lines) == MOST_ROWS or _ends_chunk(row[:key_length]):
            yield _packed(lines)
            lines, size = [], 0
    if lines:
        yield _packed(lines)


def unpack(chunk: Chunk, content: bytes) -> list[Row]:
    """Answer a chunk's rows. Raises BackupFailed when its bytes are not those that were written."""
    reader = zlib.decompressobj(wbits=31)
    try:
        # One byte more than there should be: what unpacks to more than was said is not unpacked.
        text = reader.decompress(content, chunk.text_bytes + 1)
    except zlib.error as error:
        raise BackupFailed(f"{chunk.name} is damaged: {error}") from None
    if len(text) != chunk.text_bytes or hashlib.sha256(text).hexdigest() != chunk.digest:
        raise BackupFailed(f"{chunk.name} is damaged: its content is not what its name says")
    try:
        rows = _rows_of(b"[" + text.removesuffix(b"\n").replace(b"\n", b",") + b"]")
    except msgspec.DecodeError as error:
        raise BackupFailed(f"{chunk.name} is damaged: {error}") from None
    if len(rows) != chunk.rows:
        raise BackupFailed(f"{chunk.name} is damaged: it holds {len(rows)} rows, not {chunk.rows}")
    return [tuple(row) for row in rows]


def _ends_chunk(key: Row) -> bool:
    digest = hashlib.blake2b(_encode(key), digest_size=4).digest()
    return int.from_bytes(digest) % ROWS_ON_AVERAGE == 0


def _packed(lines: list[bytes]) -> Packed:
    text = b"\n".join([*lines, b""])
    # No time in the header: equal rows are equal bytes.
    content = gzip.compress(text, compresslevel=6, mtime=0)
    return Packed(Chunk(hashlib.sha256(text).hexdigest(), len(lines), len(text), len(content)), content)
