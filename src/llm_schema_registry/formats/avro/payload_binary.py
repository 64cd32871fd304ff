"""Avro's binary encoding into values, strictly: a schema compiled once into functions that read bytes.

Refuses to resolve to another schema, and to know what an encoded value means (`payload_logical`).

One function for each type, called with the payload, an offset, the bounds and the containers around. It returns
the value and the offset behind it, or raises Flawed. A function that can tell where the next value begins says so, and
its container reads on. The path is put together on the way up, so that it costs nothing where nothing is wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from llm_schema_registry.formats.avro.payload_compile import Compiler
from llm_schema_registry.formats.avro.payload_fault import Bounds, Fault, Flawed, Unfit
from llm_schema_registry.formats.avro.payload_logical import Conversion
from llm_schema_registry.formats.avro.spot import Places
from llm_schema_registry.formats.avro.tree import Type, Union
from llm_schema_registry.formats.base import MAX_PAYLOAD_VALUES, Reading
from llm_schema_registry.model import ViolationKind

Read: TypeAlias = Callable[[bytes, int, Bounds, int], tuple[Any, int]]

# As Java reads them: a number may be padded, but never be longer.
_MAX_INT_BYTES = 5
_MAX_LONG_BYTES = 10
_SMALL = 0x80
_LONG_OR_NEGATIVE = 0x81
_BOOLEANS = (False, True)
# Nulls, empty records and fixed of no bytes take no bytes: a count of few bytes could ask for any number of them. What
# else there is takes a byte each, though records around it may add to its number.
_FREE_VALUES = 100_000
_VALUES_PER_BYTE = 8


class BinaryReader:
    """Reads payloads of one schema; `places` are those of its text. Immutable; safe to share between threads."""

    def __init__(self, root: Type, places: Places) -> None:
        self._read = _BinaryCompiler(places).compile(root)

    def read(self, data: bytes, limit: int) -> Reading:
        """Read a payload wholly, with up to `limit` violations."""
        bounds = Bounds(limit, min(MAX_PAYLOAD_VALUES, _FREE_VALUES + _VALUES_PER_BYTE * len(data)))
        try:
            value, end = self._read(data, 0, bounds, 0)
            faults: list[Fault] = []
        except Flawed as flawed:
            value, faults = flawed.value, flawed.faults
            end = len(data) if flawed.at is None else flawed.at
        if end < len(data):
            faults.append(
                Fault(ViolationKind.TRAILING_BYTES, "the end of the payload", f"{len(data) - end} more bytes")
            )
        return Reading(value, tuple(fault.violation() for fault in faults[:limit]))


class _BinaryCompiler(Compiler[Read]):
    def record(self, fields: dict[str, Read], place: str | None) -> Read:
        def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
            bounds.enter(len(fields), depth, place)
            depth += 1
            record: dict[str, object] = {}
            faults: list[Fault] = []
            for name, read_field in fields.items():
                try:
                    record[name], at = read_field(data, at, bounds, depth)
                except Flawed as flawed:
                    record[name], at = flawed.absorb(name, faults, bounds.faults)
            if faults:
                raise Flawed(faults, record, at)
            return record, at

        return read

    def union(self, schema: Union, branches: list[Read], place: str | None) -> Read:
        readers = tuple(branches)
        first_unknown = min(2 * len(readers), _SMALL)

        def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
            try:
                byte = data[at]
            except IndexError:
                raise _truncated("the index of a branch", place) from None
            if byte < first_unknown and not byte & 1:
                return readers[byte >> 1](data, at + 1, bounds, depth)
            index, at = _number(data, at, "the index of a branch", place)
            if not 0 <= index < len(readers):
                expected = f"the index of one of {len(readers)} branches"
                raise _stop(ViolationKind.BRANCH_UNKNOWN, expected, str(index), place)
            return readers[index](data, at, bounds, depth)

        return read

    def array(self, read_item: Read, place: str | None) -> Read:
        def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
            items: list[object] = []
            faults: list[Fault] = []
            count, end, at = _block(data, at, bounds, depth, place)
            while count:
                for _ in range(count):
                    try:
                        item, at = read_item(data, at, bounds, depth + 1)
                    except Flawed as flawed:
                        item, at = flawed.absorb(str(len(items)), faults, bounds.faults)
                    items.append(item)
                _check_end(at, end, faults, place)
                count, end, at = _block(data, at, bounds, depth, place)
            if faults:
                raise Flawed(faults, items, at)
            return items, at

        return read

    def map(self, read_value: Read, place: str | None) -> Read:
        read_key = _string(place)

        def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
            entries: dict[str, object] = {}
            faults: list[Fault] = []
            count, end, at = _block(data, at, bounds, depth, place)
            while count:
                for _ in range(count):
                    try:
                        key, at = read_key(data, at, bounds, depth)
                    except Flawed as flawed:
                        key, at = flawed.absorb(None, faults, bounds.faults)
                    if key in entries:
                        # A reader would lose one of the two.
                        repeated = Fault(ViolationKind.FIELD_REPEATED, "each key once", "it again", place)
                        Flawed([repeated], None, at).absorb(key, faults, bounds.faults)
                    try:
                        entries[key], at = read_value(data, at, bounds, depth + 1)
                    except Flawed as flawed:
                        entries[key], at = flawed.absorb(key, faults, bounds.faults)
                _check_end(at, end, faults, place)
                count, end, at = _block(data, at, bounds, depth, place)
            if faults:
                raise Flawed(faults, entries, at)
            return entries, at

        return read

    def enum(self, symbols: tuple[str, ...], place: str | None) -> Read:
        def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
            index, at = _number(data, at, "the index of a symbol", place)
            if not 0 <= index < len(symbols):
                expected = f"the index of one of {len(symbols)} symbols"
                raise Flawed([Fault(ViolationKind.SYMBOL_UNKNOWN, expected, str(index), place)], None, at)
            return symbols[index], at

        return read

    def fixed(self, size: int, place: str | None) -> Read:
        def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
            end = at + size
            if end > len(data):
                raise _truncated(f"{size} bytes", place)
            return data[at:end], end

        return read

    def primitive(self, name: str, place: str | None) -> Read:
        return _PRIMITIVES[name](place)

    def meant(self, read: Read, convert: Conversion, place: str | None) -> Read:
        def read_meaning(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
            raw, at = read(data, at, bounds, depth)
            try:
                return convert(raw), at
            except Unfit as unfit:
                raise Flawed([Fault(unfit.kind, unfit.expected, unfit.found, place)], None, at) from None

        return read_meaning


def _block(data: bytes, at: int, bounds: Bounds, depth: int, place: str | None) -> tuple[int, int | None, int]:
    """Read what stands before the items of a block: return their count, where they end if it says so, and the offset.

    A negative count is followed by the bytes that the items take.
    """
    count, at = _number(data, at, "the count of a block", place)
    end = None
    if count < 0:
        count = -count
        size, at = _number(data, at, "the size of a block", place)
        end = at + size
    bounds.enter(count, depth, place)
    return count, end, at


def _check_end(at: int, end: int | None, faults: list[Fault], place: str | None) -> None:
    """See that a block ended where it said: a reader that skips it goes on there."""
    if end is not None and end != at:
        wrong = Fault(ViolationKind.MALFORMED, "a block of the size that it says", f"one of {at - end:+} bytes", place)
        raise Flawed([*faults, wrong])


def _stop(kind: ViolationKind, expected: str, found: str, place: str | None) -> Flawed:
    """Build the fault after which nothing can be read."""
    return Flawed([Fault(kind, expected, found, place)])


def _truncated(expected: str, place: str | None) -> Flawed:
    return _stop(ViolationKind.TRUNCATED, expected, "the end of the payload", place)


def _null(place: str | None) -> Read:
    def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
        return None, at

    return read


def _boolean(place: str | None) -> Read:
    def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
        try:
            return _BOOLEANS[data[at]], at + 1
        except IndexError:
            if at == len(data):
                raise _truncated("a boolean", place) from None
            fault = Fault(ViolationKind.MALFORMED, "the byte 0 or 1", str(data[at]), place)
            raise Flawed([fault], None, at + 1) from None

    return read


def _int(place: str | None) -> Read:
    def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
        if at < len(data) and (byte := data[at]) < _SMALL:
            return (byte >> 1) ^ -(byte & 1), at + 1
        start = at
        number, at = _number(data, at, "an int", place)
        if not -(2**31) <= number < 2**31:
            fault = Fault(ViolationKind.OUT_OF_RANGE, "an int of 32 bits", str(number), place)
            raise Flawed([fault], None, at)
        if at - start > _MAX_INT_BYTES:
            fault = Fault(ViolationKind.MALFORMED, f"an int of at most {_MAX_INT_BYTES} bytes", str(at - start), place)
            raise Flawed([fault], number, at)
        return number, at

    return read


def _long(place: str | None) -> Read:
    def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
        if at < len(data) and (byte := data[at]) < _SMALL:
            return (byte >> 1) ^ -(byte & 1), at + 1
        return _number(data, at, "a long", place)

    return read


def _floating(layout: struct.Struct, place: str | None) -> Read:
    unpack, size = layout.unpack_from, layout.size

    def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
        try:
            return unpack(data, at)[0], at + size
        except struct.error:
            raise _truncated(f"{size} bytes", place) from None

    return read


def _bytes(place: str | None) -> Read:
    def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
        size, at = _number(data, at, "a length", place)
        end = at + size
        if size < 0:
            raise _stop(ViolationKind.MALFORMED, "a length of 0 or more", str(size), place)
        if end > len(data):
            raise _truncated(f"{size} bytes", place)
        return data[at:end], end

    return read


def _string(place: str | None) -> Read:
    read_bytes = _bytes(place)

    def read(data: bytes, at: int, bounds: Bounds, depth: int) -> tuple[Any, int]:
        if at < len(data) and not (byte := data[at]) & _LONG_OR_NEGATIVE and (end := at + 1 + (byte >> 1)) <= len(data):
            # A short text, as most are: without another call.
            raw, at = data[at + 1 : end], end
        else:
            raw, at = read_bytes(data, at, bounds, depth)
        try:
            return raw.decode(), at
        except UnicodeDecodeError as error:
            fault = Fault(ViolationKind.INVALID_TEXT, "text in UTF-8", f"the byte 0x{raw[error.start]:02x}", place)
            raise Flawed([fault], raw.decode(errors="replace"), at) from None

    return read


def _number(data: bytes, at: int, what: str, place: str | None) -> tuple[int, int]:
    """Read a whole number: seven bits to a byte, lowest first, signs zigzag."""
    try:
        byte = data[at]
        if byte < _SMALL:
            return (byte >> 1) ^ -(byte & 1), at + 1
        number = byte & 0x7F
        for shift in range(7, 7 * _MAX_LONG_BYTES, 7):
            at += 1
            byte = data[at]
            number |= (byte & 0x7F) << shift
            if byte < _SMALL and number < 2**64:
                return (number >> 1) ^ -(number & 1), at + 1
    except IndexError:
        raise _truncated(what, place) from None
    raise _stop(ViolationKind.MALFORMED, f"{what} of 64 bits", "a longer number", place)


_PRIMITIVES: Mapping[str, Callable[[str | None], Read]] = MappingProxyType(
    {
        "null": _null,
        "boolean": _boolean,
        "int": _int,
        "long": _long,
        "float": partial(_floating, struct.Struct("<f")),
        "double": partial(_floating, struct.Struct("<d")),
        "bytes": _bytes,
        "string": _string,
    }
)
