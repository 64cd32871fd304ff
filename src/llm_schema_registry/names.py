"""Text into names: qualified subjects, contexts, version tokens.

Refuses to know whether what is named exists. Rules: rest-api 1.7, 1.8 and section 7.
"""

from __future__ import annotations

from llm_schema_registry.errors import BadRequest, InvalidSubject, InvalidVersion
from llm_schema_registry.model import DEFAULT_CONTEXT, GLOBAL_CONTEXT, LATEST, Subject

MAX_VERSION = 2**31 - 1
MAX_NAME_LENGTH = 1024
WILDCARD_CONTEXT = "*"
_RESERVED = frozenset({"__GLOBAL", "__EMPTY"})


def parse_subject(text: str, context: str = DEFAULT_CONTEXT) -> Subject:
    """Split `:.ctx:name`; an unqualified name belongs to `context`. `:.ctx:` is the scope of a whole context."""
    if not text.startswith(":."):
        return Subject(context, text)
    end = text.find(":", 1)
    if end < 0:
        # `:.ctx` without a closing colon names the context itself.
        return Subject(text[1:], "")
    return Subject(text[1:end], text[end + 1 :])


def parse_context(text: str) -> str:
    """Normalise `ctx`, `.ctx` or `:.ctx:` to `.ctx`. Raises BadRequest for a colon inside."""
    name = text.removeprefix(":").removesuffix(":") if text.startswith(":") else text
    if ":" in name:
        raise BadRequest(f"Context name '{text}' must not contain a colon")
    return name if name.startswith(".") else f".{name}"


def check_subject(subject: Subject) -> None:
    """Refuse a subject that may not be written to. Raises InvalidSubject (rest-api 1.8)."""
    text = str(subject)
    if any(ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F for char in text):
        raise InvalidSubject(f"The specified subject {text!r} is not a valid subject: it holds a control character")
    if subject.name in _RESERVED or subject.context == GLOBAL_CONTEXT:
        raise InvalidSubject(f"The specified subject '{text}' is not a valid subject: the name is reserved")
    if len(text) > MAX_NAME_LENGTH:
        raise InvalidSubject(f"The specified subject is longer than {MAX_NAME_LENGTH} characters")


def parse_version(token: str) -> int:
    """Read a version token: 1 to 2^31-1, or LATEST for `latest` (any case, trimmed) and `-1`. Raises InvalidVersion."""
    trimmed = token.strip()
    if trimmed.lower() == "latest" or trimmed == str(LATEST):
        return LATEST
    if not (trimmed.isascii() and trimmed.isdigit() and len(trimmed) <= 10):
        raise InvalidVersion(token)
    number = int(trimmed)
    if not 1 <= number <= MAX_VERSION:
        raise InvalidVersion(token)
    return number
