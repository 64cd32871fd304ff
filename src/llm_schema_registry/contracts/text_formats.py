"""What text may look like: patterns that are searched in linear time, and formats by name.

Refuses Python's `re`, whose time on a hostile pattern is exponential.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jsonschema_rs

MAX_PATTERN = 1_000
"""Characters of a pattern."""

Test = Callable[[str], bool]

_LINEAR = jsonschema_rs.RegexOptions(size_limit=256 * 1024)

_STANDARD = (
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uuid",
)
"""Formats of JSON Schema 2020-12, section 7.3 of its validation vocabulary."""

_PATTERNS = {
    "base64": r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    "decimal": r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$",
    "e164": r"^\+[1-9][0-9]{6,14}$",
    "semver": (
        r"^(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)"
        r"(?:-(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
        r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$"
    ),
    "sha256": r"^[0-9a-f]{64}$",
    "span-id": r"^(?:0{0,15}[1-9a-f][0-9a-f]*)$",
    "trace-id": r"^(?:0{0,31}[1-9a-f][0-9a-f]*)$",
}
_LENGTHS = {"span-id": 16, "trace-id": 32}
"""W3C Trace Context: so many hex digits, not all of them zero."""

_CODES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF "
    "CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD "
    "HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD "
    "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN "
    "PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD "
    "TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG XAU XCD XCG XOF XPD XPF XPT XXX YER ZAR ZMW "
    "ZWG"
)

CURRENCIES = frozenset(_CODES.split())
"""ISO 4217's codes in use at the beginning of 2026."""


def searcher(pattern: str) -> Test:
    """Return the test whether a pattern is found in a text, in linear time.

    Patterns are those of ECMA 262 that need no going back: neither look-around nor back-references. They match
    anywhere in the text unless they say `^` and `$`. Raises ValueError.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"it is longer than {MAX_PATTERN} characters")
    try:
        validator = jsonschema_rs.Draft7Validator({"pattern": pattern}, offline=True, pattern_options=_LINEAR)
    except (jsonschema_rs.ValidationError, ValueError):
        raise ValueError("it is no regular expression that can be searched in linear time") from None
    return _of_any_text(validator.is_valid)


def _standard_format(name: str) -> Test:
    schema = {"format": name}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True, offline=True)
    return _of_any_text(validator.is_valid)


def _of_any_text(is_valid: Callable[[object], bool]) -> Test:
    def test(text: str) -> bool:
        try:
            return is_valid(text)
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
            return False

    return test


def _pattern_format(name: str, pattern: str) -> Test:
    is_found, length = searcher(pattern), _LENGTHS.get(name)
    return is_found if length is None else lambda text: len(text) == length and is_found(text)


TEXT_FORMATS: Mapping[str, Test] = {
    **{name: _standard_format(name) for name in _STANDARD},
    **{name: _pattern_format(name, pattern) for name, pattern in _PATTERNS.items()},
    "currency": CURRENCIES.__contains__,
}
"""Every format by name, with its test."""
