"""Rules for strings, numbers, enum and const, and for single bounds (compatibility-rules 3.8).

Refuses to look inside other schemas.
"""

from __future__ import annotations

from decimal import Decimal

from llm_schema_registry.formats.json_schema.nodes import Node, NodeClass
from llm_schema_registry.formats.json_schema.outcome import Outcome

_CLIP = 60


def compare_scalars(original: Node, update: Node, outcome: Outcome) -> None:
    """Compare two nodes of one class; classes without own rules have no differences."""
    if original.node_class is NodeClass.STRING:
        _compare_strings(original, update, outcome)
    elif original.node_class is NodeClass.NUMBER:
        _compare_numbers(original, update, outcome)
    elif original.node_class is NodeClass.ENUM:
        _compare_enums(original.keywords["values"], update.keywords["values"], outcome)
    elif original.node_class is NodeClass.CONST and original.keywords["value"] != update.keywords["value"]:
        old, new = original.keywords["value"], update.keywords["value"]
        outcome.add("ENUM_ARRAY_CHANGED", "const", _against(new, old))


def compare_bound(original: Node, update: Node, keyword: str, prefix: str, outcome: Outcome) -> None:
    """Compare a keyword that is a count."""
    old, new = original.keywords.get(keyword), update.keywords.get(keyword)
    if old is None or new is None:
        _report_presence(old, new, keyword, prefix, outcome)
    elif old != new:
        word = "INCREASED" if new > old else "DECREASED"
        outcome.add(f"{prefix}_{word}", keyword, _against(new, old))


def clip(text: str) -> str:
    """Cut a text for a message."""
    return text if len(text) <= _CLIP else f"{text[:_CLIP]}..."


def _against(new: object, old: object) -> str:
    return f"{clip(str(new))} against {clip(str(old))}"


def _report_presence(old: object, new: object, keyword: str, prefix: str, outcome: Outcome) -> None:
    """Report a keyword that comes or goes."""
    if new is not None:
        outcome.add(f"{prefix}_ADDED", keyword)
    elif old is not None:
        outcome.add(f"{prefix}_REMOVED", keyword)


def _compare_strings(original: Node, update: Node, outcome: Outcome) -> None:
    compare_bound(original, update, "maxLength", "MAX_LENGTH", outcome)
    compare_bound(original, update, "minLength", "MIN_LENGTH", outcome)
    old, new = original.keywords.get("pattern"), update.keywords.get("pattern")
    if old is None or new is None:
        _report_presence(old, new, "pattern", "PATTERN", outcome)
    elif old != new:
        outcome.add("PATTERN_CHANGED", "pattern", _against(new, old))


def _compare_numbers(original: Node, update: Node, outcome: Outcome) -> None:
    _compare_limit(original, update, "maximum", "MAXIMUM", outcome)
    _compare_limit(original, update, "minimum", "MINIMUM", outcome)
    _compare_exclusive_maximum(original, update, outcome)
    _compare_limit(original, update, "exclusiveMinimum", "EXCLUSIVE_MINIMUM", outcome)
    old, new = original.keywords.get("multipleOf"), update.keywords.get("multipleOf")
    if old is None or new is None:
        _report_presence(old, new, "multipleOf", "MULTIPLE_OF", outcome)
    else:
        _compare_multiples(old, new, outcome)
    was_integer, is_integer = "integer" in original.keywords, "integer" in update.keywords
    if was_integer is not is_integer:
        outcome.add("TYPE_EXTENDED" if was_integer else "TYPE_NARROWED")


def _compare_limit(original: Node, update: Node, keyword: str, prefix: str, outcome: Outcome) -> None:
    """Compare a limit as IEEE doubles: values that collapse to one double show no difference."""
    old, new = original.keywords.get(keyword), update.keywords.get(keyword)
    if old is None or new is None:
        _report_presence(old, new, keyword, prefix, outcome)
    elif _double(new) != _double(old):
        word = "INCREASED" if _double(new) > _double(old) else "DECREASED"
        outcome.add(f"{prefix}_{word}", keyword, _against(new, old))


def _compare_exclusive_maximum(original: Node, update: Node, outcome: Outcome) -> None:
    """Compare as clients see it: beside a new `maximum`, that is what the old limit is held against (3.8).

    Without one the engine upstream fails; here the limits themselves decide.
    """
    old, new = original.keywords.get("exclusiveMaximum"), update.keywords.get("exclusiveMaximum")
    maximum = update.keywords.get("maximum")
    did_not_grow = old is not None and new is not None and _double(new) <= _double(old)
    if not did_not_grow or maximum is None:
        _compare_limit(original, update, "exclusiveMaximum", "EXCLUSIVE_MAXIMUM", outcome)
    elif old is not None and str(old) != str(new) and _double(old) > _double(maximum):
        outcome.add("EXCLUSIVE_MAXIMUM_DECREASED", "exclusiveMaximum", _against(new, old))


def _compare_multiples(old: int | Decimal, new: int | Decimal, outcome: Outcome) -> None:
    is_expanded, is_reduced = _is_multiple(new, old), _is_multiple(old, new)
    if not (is_expanded and is_reduced):
        word = "EXPANDED" if is_expanded else "REDUCED" if is_reduced else "CHANGED"
        outcome.add(f"MULTIPLE_OF_{word}", "multipleOf", _against(new, old))


def _is_multiple(number: int | Decimal, of: int | Decimal) -> bool:
    """Whether the quotient is whole, in exact decimals; exponents of any size cost nothing."""
    digits, exponent = _scaled(number)
    divisor, divisor_exponent = _scaled(of)
    shift = exponent - divisor_exponent
    if shift >= 0:
        return digits * pow(10, shift, divisor) % divisor == 0
    # More zeros are asked for than the digits can have.
    return -shift <= len(str(digits)) and digits % (divisor * 10**-shift) == 0


def _scaled(number: int | Decimal) -> tuple[int, int]:
    _, digits, exponent = Decimal(number).as_tuple()
    return int("".join(map(str, digits))), int(exponent)


def _double(number: int | Decimal) -> float:
    return float(str(number))


def _compare_enums(old: list[str], new: list[str], outcome: Outcome) -> None:
    olds, news = set(old), set(new)
    removed = [value for value in old if value not in news]
    added = [value for value in new if value not in olds]
    if added and removed:
        outcome.add("ENUM_ARRAY_CHANGED", "enum", f"without {clip(removed[0])}")
    elif added:
        outcome.add("ENUM_ARRAY_EXTENDED", "enum", f"with {clip(added[0])}")
    elif removed:
        outcome.add("ENUM_ARRAY_NARROWED", "enum", f"without {clip(removed[0])}")
