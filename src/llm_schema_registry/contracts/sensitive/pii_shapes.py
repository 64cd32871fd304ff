"""What personal data and secrets look like in text: one row for each shape, with the test that tells it from others.

Refuses to know where a text comes from. Expressions are bounded, begin only where a word begins, and never go back
over what they took (possessive quantifiers), so that searching takes linear time (ADR 0024).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import NamedTuple

import phonenumbers

MAX_CANDIDATES = 20
"""Places of one text that are looked at closely for each shape; the rest of the text is left alone."""


class PiiShape(NamedTuple):
    """One shape. `is_possible` is cheap and false for most text, None for what needs seven digits close together;
    `is_real` judges what the expression found.
    """

    name: str
    is_possible: Callable[[str], bool] | None
    expression: re.Pattern[str]
    is_real: Callable[[re.Match[str]], bool] = lambda _: True

    def find(self, text: str) -> str | None:
        """Return the first such thing in a text, or None."""
        for candidate, found in enumerate(self.expression.finditer(text)):
            if candidate == MAX_CANDIDATES:
                return None
            if self.is_real(found):
                return found[0]
        return None


def may_hold_pii(data: bytes) -> bool:
    """Whether a closer look at texts is worth its time: false for most, never for those that hold a shape.

    `data` are texts in UTF-8, with whatever stands between them in a binary payload.
    Every shape has an `@` behind a word or an address, or the beginning of a key, or else seven digits close together,
    written with what may stand between them; an address of IPv6 has colons.
    """
    return (
        _has_digits(data)
        or _MARKS.search(data) is not None
        or (b"@" in data and (_has_at(data) or _ADDRESS.search(data) is not None))
        or (data.count(b":") >= 2 and _GROUP_OF_IPV6.search(data) is not None)
    )


def _has_digits(data: bytes) -> bool:
    """Whether seven digits stand close together other than inside an id of hexadecimal digits."""
    zeros = data.translate(_DIGITS_TO_ZERO)
    at = zeros.find(_SEVEN_DIGITS)
    for _ in range(_MANY):
        if at < 0:
            return False
        end = at + len(_SEVEN_DIGITS)
        while zeros[end : end + 1] == b"0":
            end += 1
        if not (_IN_AN_ID.fullmatch(data[max(at - 2, 0) : at]) and data[at:end].isdigit()):
            return True
        at = zeros.find(_SEVEN_DIGITS, end)
    return True


def _has_at(data: bytes) -> bool:
    """Whether an @ stands between words, or there are too many to look at each."""
    at = -1
    for _ in range(_MANY):
        at = data.find(b"@", at + 1)
        if at < 0:
            return False
        if at and data[at - 1] in _WORDS and data[at + 1 : at + 2].strip():
            return True
    return True


def find_pii(text: str) -> dict[str, str]:
    """Return the first of each shape that a text holds, by the shape's name."""
    has_digits = _DIGITS.search(text) is not None
    found = {}
    for shape in PII_SHAPES:
        if has_digits if shape.is_possible is None else shape.is_possible(text):
            value = shape.find(text)
            if value is not None:
                found[shape.name] = value
    return found


def _has(*parts: str, least: int = 0) -> Callable[[str], bool]:
    """Return the test whether a text of at least so many characters has one of the parts."""
    return lambda text: len(text) >= least and any(part in text for part in parts)


_SEVEN_DIGITS = b"0000000"
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789 ().-", b"0" * 14)
_IN_AN_ID = re.compile(b"[0-9a-f][a-f]")
_MARKS = re.compile(
    b"-----BEGIN |eyJ|sk-|AIza|A[KS]IA|gh[opsru]_|github_pat_|g(?:lpat-|sk_)|hf_|k_(?:live|test)_|npm_|pypi-|xox"
)
_ADDRESS = re.compile(rb"://[^\s/@?#]{1,200}+@")
# Few of the bytes of a number look like a word before an @. Beyond ASCII every byte may be part of a word.
_WORDS = frozenset(byte for byte in range(256) if byte >= 0x80 or chr(byte).isalnum() or chr(byte) in "_.+%'-")
_MANY = 64
_GROUP_OF_IPV6 = re.compile(b"[23][0-9A-Fa-f]{3}:")
_DIGITS = re.compile(r"[0-9](?:[ ().-]{0,2}+[0-9]){6}")


_FILE_ENDINGS = frozenset(
    {"avif", "bmp", "css", "gif", "html", "jpeg", "jpg", "js", "json", "pdf", "png", "py", "svg", "ts", "txt", "webp"}
    | {"xml", "yaml", "yml"}
)


def _is_email(found: re.Match[str]) -> bool:
    local, _, domain = found[0].rpartition("@")
    ending = domain.rpartition(".")[2]
    # `git@host:path` is where code comes from; `icon@2x.png` is a file.
    return ending.isalpha() and len(ending) >= 2 and ending.lower() not in _FILE_ENDINGS and local != "git"


def _is_phone(found: re.Match[str]) -> bool:
    number = found[0].strip()
    if number.startswith("00"):
        number = f"+{number[2:]}"
    region = None if number.startswith("+") else "US"
    while number:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            return False
        number = number.rpartition(" ")[0]  # another number may follow
    return False


def _is_card(found: re.Match[str]) -> bool:
    digits = re.sub(r"[ -]", "", found[0])
    return _CARD_NUMBER.fullmatch(digits) is not None and len(set(digits)) > 1 and _luhn(digits) % 10 == 0


_CARD_NUMBER = re.compile(
    r"4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|35[0-9]{14}|3(?:0[0-5]|[68][0-9])[0-9]{11}"
    r"|6(?:011|5[0-9]{2}|4[4-9][0-9]|2[0-9]{2})[0-9]{12}"
)


def _luhn(digits: str) -> int:
    doubled = "0246813579"
    return sum(int(doubled[int(d)]) if place % 2 else int(d) for place, d in enumerate(reversed(digits)))


_IBAN_COUNTRIES = """
15 NO, 16 BE, 18 DK FI FK FO GL NL SD, 19 MK SI, 20 AT BA EE KZ LT LU MN XK, 21 CH HR LI LV, 22 BG BH CR DE GB GE IE ME
RS, 23 AE GI IL IQ OM SO TL, 24 AD CZ ES MD PK RO SA SE SK TN VG, 25 LY PT ST, 26 IS TR, 27 BI DJ FR GR IT MC MR SM, 28
AL AZ BY CY DO GT HU LB NI PL SV, 29 BR EG PS QA UA, 30 JO KW MU YE, 31 MT SC, 32 LC, 33 RU
"""
_IBAN_LENGTHS = {
    country: int(group.split()[0]) for group in _IBAN_COUNTRIES.split(",") for country in group.split()[1:]
}
"""Characters of an account number by country, from SWIFT's registry of 2025."""


def _is_iban(found: re.Match[str]) -> bool:
    account = found[0].replace(" ", "")
    # A word in capitals may follow an account that is written in groups.
    account = account[: _IBAN_LENGTHS.get(account[:2], 0)]
    if not account or len(account) != _IBAN_LENGTHS[account[:2]]:
        return False
    return int("".join(str(int(char, 36)) for char in account[4:] + account[:4])) % 97 == 1


def _is_public_ipv4(found: re.Match[str]) -> bool:
    before = found.string[max(found.start() - 10, 0) : found.start()].lower().rstrip(" :=v")
    try:
        # Addresses inside a network, of examples and of the own machine tell of nobody.
        return ipaddress.IPv4Address(found[0]).is_global and not before.endswith(("ersion", "release", "build"))
    except ValueError:
        return False


def _is_public_ipv6(found: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv6Address(found[0])
    except ValueError:
        return False
    return address.is_global and address in _GLOBAL_UNICAST


_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


def _is_random(found: re.Match[str]) -> bool:
    """Whether a token with a short prefix looks drawn by lot, not like words with hyphens."""
    token = found[0]
    drawn = token.rpartition("-")[2]
    is_mixed = token != token.lower() and token != token.upper() and any(char.isdigit() for char in token)
    return is_mixed or (len(drawn) >= 32 and any(char.isdigit() for char in drawn))


_KEY_BEGINNINGS = (
    *("AIza", "AKIA", "ASIA", "ghp_", "gho_", "ghr_", "ghs_", "ghu_", "github_pat_", "glpat-", "gsk_", "hf_"),
    *("k_live_", "k_test_", "npm_", "pypi-", "xox"),
)

_WORD = r"(?<![\w+./#$€£-])"
"""Where a number begins that stands for itself, not inside a path, an amount, an id or an address."""

_END = r"(?![\w-])(?![.,:/=][0-9])"

PII_SHAPES: tuple[PiiShape, ...] = (
    PiiShape(
        "an e-mail address",
        _has("@"),
        re.compile(r"(?<![\w.+%'-])[\w.+%'-]{1,64}+@[^\W_][\w-]{0,62}+(?:\.[^\W_][\w-]{0,62}+){1,8}+(?!:\w)"),
        _is_email,
    ),
    PiiShape(
        "a phone number",
        None,
        re.compile(
            rf"{_WORD}(?:\+[1-9]|00[1-9][0-9]{{0,2}}[ -])(?:[ ().-]{{0,2}}+[0-9]){{7,14}}+{_END}"
            rf"|{_WORD}(?:\+?1[ .-])?+(?:\([0-9]{{3}}\) ?+|[0-9]{{3}}[.-])[0-9]{{3}}[.-][0-9]{{4}}{_END}"
        ),
        _is_phone,
    ),
    PiiShape(
        "a number called a phone number",
        None,
        re.compile(
            r"(?i)(?<![a-z])(?:(?:tele|cell|mobile )?phone|tel|mobile|fax|whatsapp)(?:[ _]?(?:number|no|nr))?(?![a-z])"
            r"[^\w\n+(]{0,5}+[+(]?+[0-9](?:[ ().-]{0,2}+[0-9]){8,13}+(?![\w-])"
        ),
    ),
    PiiShape(
        "a payment card number",
        None,
        re.compile(
            rf"{_WORD}(?:[0-9]{{13,16}}+|[0-9]{{4}}(?:[ -][0-9]{{4}}){{3}}+"
            rf"|3[0-9]{{3}}[ -][0-9]{{6}}[ -][0-9]{{4,5}}+){_END}"
        ),
        _is_card,
    ),
    PiiShape(
        "a bank account number (IBAN)",
        None,
        re.compile(r"(?<![\w-])[A-Z]{2}[0-9]{2}(?: ?+[A-Z0-9]{4}){2,7}+(?: ?+[A-Z0-9]{1,3}+)?+(?![\w-])"),
        _is_iban,
    ),
    PiiShape(
        "a US social security number",
        None,
        re.compile(rf"{_WORD}(?!000|666|9)[0-9]{{3}}-(?!00)[0-9]{{2}}-(?!0000)[0-9]{{4}}{_END}"),
    ),
    PiiShape(
        "an IP address",
        lambda text: text.count(".") >= 3,
        re.compile(r"(?<![\w.-])[0-9]{1,3}+(?:\.[0-9]{1,3}+){3}(?![\w-])(?!\.[0-9])"),
        _is_public_ipv4,
    ),
    PiiShape(
        "an IPv6 address",
        lambda text: text.count(":") >= 2,
        re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}+){2,7}+(?![\w:])"),
        _is_public_ipv6,
    ),
    PiiShape(
        "a private key",
        _has("-----BEGIN ", least=20),
        re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12}+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    ),
    PiiShape(
        "a JSON Web Token",
        _has("eyJ", least=20),
        re.compile(r"(?<![\w.-])eyJ[\w-]{8,4096}+\.eyJ[\w-]{8,8192}+\.[\w-]{8,2048}+"),
    ),
    PiiShape(
        "an API key",
        _has(*_KEY_BEGINNINGS, least=20),
        re.compile(
            r"(?<![\w-])(?:A[KS]IA[A-Z0-9]{16}|AIza[\w-]{35}|gh[opsur]_[A-Za-z0-9]{36,255}+|github_pat_\w{22,255}+"
            r"|glpat-[\w-]{20,64}+|xox[abeoprs]-[A-Za-z0-9-]{10,255}+|hf_[A-Za-z0-9]{34}|gsk_[A-Za-z0-9]{40,64}+"
            r"|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,255}+|[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}+)(?![\w-])"
        ),
    ),
    PiiShape(
        "an API key of a model provider",
        _has("sk-", least=20),
        re.compile(r"(?<![\w-])sk-[\w-]{20,255}+(?![\w-])"),
        _is_random,
    ),
    PiiShape(
        "a password in an address",
        _has("://"),
        re.compile(r"(?<![\w+.-])[a-z][a-z0-9+.-]{1,20}+://[^\s/:@?#]{0,64}+:[^\s/:@?#]{1,128}+@"),
    ),
)
"""Every shape that is looked for."""
