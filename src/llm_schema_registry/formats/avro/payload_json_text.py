"""A payload's bytes as JSON, strictly: bounded, no member named twice unnoticed, no number that JSON has not.

Refuses to know a schema.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Never, cast

from llm_schema_registry.formats.avro.payload_fault import Fault, Flawed
from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_VALUES
from llm_schema_registry.model import ViolationKind


class Repeating(dict[str, object]):
    """An object that names some of its members more than once."""

    repeated: tuple[str, ...]


def parse(data: bytes) -> object:
    """Read JSON in UTF-8. Raises Flawed."""
    # Every value but the first follows one of these; those inside strings only make the estimate larger.
    if sum(map(data.count, (b",", b"[", b"{", b":"))) > 2 * MAX_PAYLOAD_VALUES:
        raise _stop(ViolationKind.TOO_LARGE, f"at most {MAX_PAYLOAD_VALUES} values", "more")
    try:
        return cast("object", _DECODER.decode(data.decode()))
    except UnicodeDecodeError as error:
        found = f"the byte 0x{data[error.start]:02x} at offset {error.start}"
        raise _stop(ViolationKind.INVALID_TEXT, "text in UTF-8", found) from None
    except json.JSONDecodeError as error:
        found = f"{error.msg} at line {error.lineno} column {error.colno}"
        raise _stop(ViolationKind.MALFORMED, "JSON", found) from None
    except ValueError:
        # Python's own bound on numbers, whose conversion takes more than linear time.
        raise _stop(ViolationKind.TOO_LARGE, "numbers of at most 4300 digits", "a longer one") from None
    except RecursionError:
        raise _stop(ViolationKind.TOO_DEEP, f"at most {MAX_PAYLOAD_DEPTH} levels", "many more") from None


def _stop(kind: ViolationKind, expected: str, found: str, hint: str = "") -> Flawed:
    """Build the fault after which there is nothing to look at."""
    return Flawed([Fault(kind, expected, found, hint=hint)])


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeating = Repeating(members)
    times = Counter(name for name, _ in pairs)
    repeating.repeated = tuple(name for name in times if times[name] > 1)
    return repeating


def _refuse_constant(text: str) -> Never:
    raise _stop(ViolationKind.MALFORMED, "JSON", text, f'write it as a string: "{text}"')


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
