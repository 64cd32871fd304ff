"""What tells whether a note of today is one of yesterday.

Refuses to count lines: an edit elsewhere in the file makes no new note.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from llm_schema_registry.cli.checked import Note


def with_fingerprints(notes: Iterable[Note]) -> Iterator[tuple[Note, str]]:
    """Yield each note with a fingerprint that no other one of the same report has."""
    seen: Counter[tuple[str, ...]] = Counter()
    for note in notes:
        # Several earlier versions may break in the same way at the same place.
        seen[note.identity] += 1
        identity = "\0".join((*note.identity, str(seen[note.identity])))
        yield note, hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:32]
