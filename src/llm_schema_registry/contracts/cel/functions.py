"""The functions that rules have beyond CEL's own: Confluent's checks of texts, `format`, and numbers of mixed types.

Refuses to know the engine, decimals (`decimals`) and sets of reference data. A new function is a row here.
"""

from __future__ import annotations

import operator
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from ipaddress import IPv4Address, IPv6Address
from itertools import permutations
from urllib.parse import urlsplit

from llm_schema_registry.contracts.cel.decimals import DECIMAL_FUNCTIONS
from llm_schema_registry.contracts.cel.engine import Function
from llm_schema_registry.contracts.cel.printf import format_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_LABEL = 63
_MAX_HOST = 253
_MAX_LOCAL_PART = 64
_MAX_ADDRESS = 254
_UNITS = {0: 1_000_000, 3: 1_000, 6: 1}
_NANOSECONDS = 9


def _is_hostname(text: str) -> bool:
    """Whether a text is a host's name: labels of letters, digits and inner hyphens, the last not only of digits."""
    labels = text.removesuffix(".").split(".")
    return (
        0 < len(text) <= _MAX_HOST
        and all(
            0 < len(label) <= _MAX_LABEL
            and label.isascii()
            and label.replace("-", "").isalnum()
            and not (label.startswith("-") or label.endswith("-"))
            for label in labels
        )
        and not labels[-1].isdigit()
    )


def _is_email(text: str) -> bool:
    """Whether a text is an address without a display name, its domain a host's name."""
    if len(text) > _MAX_ADDRESS or parseaddr(text)[1] != text:
        return False
    local, at, domain = text.partition("@")
    return bool(at) and len(local) <= _MAX_LOCAL_PART and _is_hostname(domain)


def _is_uri(text: str) -> bool:
    """Whether a text is a URL with a scheme, an authority and a path."""
    parts = urlsplit(text)
    return bool(parts.scheme and parts.netloc and parts.path)


def _is_uri_reference(text: str) -> bool:
    """Whether a text is a URL or a part of one; a fragment needs the scheme and the path before it."""
    parts = urlsplit(text)
    return bool(not parts.fragment or (parts.scheme and parts.path))


def _is_uuid(text: str) -> bool:
    """Whether a text is a UUID in one of its usual spellings."""
    return _is_made(uuid.UUID, text)


def _is_ipv4(value: str | bytes) -> bool:
    """Whether a text, or 4 bytes, is an address of IPv4."""
    return _is_made(IPv4Address, value if isinstance(value, str) else bytes(value))


def _is_ipv6(value: str | bytes) -> bool:
    """Whether a text, or 16 bytes, is an address of IPv6."""
    return _is_made(IPv6Address, value if isinstance(value, str) else bytes(value))


def _instant(value: int, precision: int) -> datetime:
    """Return an instant from its distance to 1970: in seconds (precision 0), milli-, micro- or nanoseconds (3, 6, 9).

    What is finer than a microsecond is cut off downwards.
    """
    if precision == _NANOSECONDS:
        return _EPOCH + timedelta(microseconds=value // 1000)
    if precision not in _UNITS:
        raise ValueError(f"unknown precision {precision}: 0 is seconds, 3 milli-, 6 micro-, 9 nanoseconds")
    return _EPOCH + timedelta(microseconds=value * _UNITS[precision])


def _is_made(make: Callable[[str | bytes], object] | Callable[[str], object], value: str | bytes) -> bool:
    try:
        make(value)  # type: ignore[arg-type] # each maker is called with what its checker takes
    except ValueError:
        return False
    return True


def _both_ways(name: str, parameters: tuple[str, ...], result: str, call: Callable[..., object]) -> list[Function]:
    """Return a function that can also be called on its first argument, as Confluent's executor allows for all."""
    return [Function(name, parameters, result, call, is_member) for is_member in (False, True)]


# What Confluent's executor takes, which is not quite what the formats of JSON Schema mean (`text_formats`).
_TEXT_CHECKS: dict[str, Callable[..., bool]] = {
    "isHostname": _is_hostname,
    "isEmail": _is_email,
    "isUri": _is_uri,
    "isUriRef": _is_uri_reference,
    "isUuid": _is_uuid,
    "isIpv4": _is_ipv4,
    "isIpv6": _is_ipv6,
}
_ARITHMETIC: dict[str, Callable[..., object]] = {
    "_+_": operator.add,
    "_-_": operator.sub,
    "_*_": operator.mul,
    "_/_": operator.truediv,
}
_COMPARED: dict[str, Callable[..., object]] = {
    "_<_": operator.lt,
    "_<=_": operator.le,
    "_>_": operator.gt,
    "_>=_": operator.ge,
    "_==_": operator.eq,
    "_!=_": operator.ne,
}
_WITHOUT_SIGN = (("int", "uint"), ("uint", "int"))
_WITH_FRACTION = (("int", "double"), ("double", "int"))

FUNCTIONS: tuple[Function, ...] = (
    *(row for name, call in _TEXT_CHECKS.items() for row in _both_ways(name, ("string",), "bool", call)),
    *(row for name in ("isIpv4", "isIpv6") for row in _both_ways(name, ("bytes",), "bool", _TEXT_CHECKS[name])),
    *_both_ways("format", ("string", "list"), "string", format_text),
    Function("timestamp", ("int", "int"), "timestamp", _instant),
    # The standard knows no arithmetic between types of numbers; Confluent's executor for Python does.
    *(Function(name, pair, "double", call) for name, call in _ARITHMETIC.items() for pair in _WITH_FRACTION),
    *(Function(name, pair, "int", _ARITHMETIC[name]) for name in ("_+_", "_-_", "_*_") for pair in _WITHOUT_SIGN),
    *DECIMAL_FUNCTIONS,
)

COMPARISONS: tuple[Function, ...] = tuple(
    Function(name, pair, "bool", call)
    for name, call in _COMPARED.items()
    for pair in permutations(("int", "uint", "double"), 2)
)
"""What the engine compares by itself, though its checker refuses numbers of different types: for checking only."""
