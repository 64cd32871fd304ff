"""Rules for objects and arrays: what is declared, and what the content model says about the rest (rules 3.5 - 3.7).

Refuses scalars and combinations.
"""

from __future__ import annotations

from typing import Any

from llm_schema_registry.formats.json_schema.nodes import Node, NodeClass
from llm_schema_registry.formats.json_schema.outcome import Outcome
from llm_schema_registry.formats.json_schema.scalar import compare_bound
from llm_schema_registry.formats.json_schema.walk import Run, Walk


def compare_objects(run: Run, original: Node, update: Node, outcome: Outcome) -> Walk:
    """Apply the rules of 3.6 in their order; names go alphabetically (3.12)."""
    _compare_required(original, update, outcome)
    yield from _compare_properties(run, original, update, outcome)
    yield from _compare_dependencies(run, original, update, outcome)
    yield from _compare_rest(original, update, "additionalProperties", "ADDITIONAL_PROPERTIES", outcome)
    yield from _compare_unevaluated(original, update, "unevaluatedProperties", "UNEVALUATED_PROPERTIES", outcome)
    compare_bound(original, update, "maxProperties", "MAX_PROPERTIES", outcome)
    compare_bound(original, update, "minProperties", "MIN_PROPERTIES", outcome)


def compare_arrays(run: Run, original: Node, update: Node, outcome: Outcome) -> Walk:
    """Apply the rules of 3.7 in their order."""
    old, new = original.keywords.get("items"), update.keywords.get("items")
    if old is not None and new is not None:
        outcome.include((yield old, new), "items")
    elif old is not new:
        outcome.add("SCHEMA_ADDED" if old is None else "SCHEMA_REMOVED", "items")
    yield from _compare_tuples(run, original, update, outcome)
    yield from _compare_rest(original, update, "additionalItems", "ADDITIONAL_ITEMS", outcome)
    yield from _compare_unevaluated(original, update, "unevaluatedItems", "UNEVALUATED_ITEMS", outcome)
    compare_bound(original, update, "maxItems", "MAX_ITEMS", outcome)
    compare_bound(original, update, "minItems", "MIN_ITEMS", outcome)
    was_unique, is_unique = (node.keywords.get("uniqueItems", False) for node in (original, update))
    if was_unique is not is_unique:
        outcome.add("UNIQUE_ITEMS_REMOVED" if was_unique else "UNIQUE_ITEMS_ADDED", "uniqueItems")
    compare_bound(original, update, "maxContains", "MAX_CONTAINS", outcome)
    compare_bound(original, update, "minContains", "MIN_CONTAINS", outcome)


def _compare_required(original: Node, update: Node, outcome: Outcome) -> None:
    """Compare names declared on both sides only (3.6 step 1)."""
    old, new = (set(node.keywords.get("required", ())) for node in (original, update))
    declared, redeclared = (node.keywords.get("properties", {}) for node in (original, update))
    for name in sorted(old ^ new):
        if name in declared and name in redeclared:
            path = f"required/{name}"
            if name in old:
                outcome.add("REQUIRED_ATTRIBUTE_REMOVED", path)
            elif redeclared[name].has_default:
                outcome.add("REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED", path)
            else:
                outcome.add("REQUIRED_ATTRIBUTE_ADDED", path)


def _compare_properties(run: Run, original: Node, update: Node, outcome: Outcome) -> Walk:
    old, new = (node.keywords.get("properties", {}) for node in (original, update))
    required = set(update.keywords.get("required", ()))
    run.spend((len(old) + len(new)) // 4)
    for name in sorted({*old, *new}):
        path = f"properties/{name}"
        if name in old and name in new:
            outcome.include((yield old[name], new[name]), path)
        elif name in old:
            yield from _remove(old[name], update, _covering_property(run, update, name), path, "PROPERTY", outcome)
        else:
            kind = _added_kind(new[name], is_required=name in required)
            if _is_open(original):
                if new[name].is_empty_like:
                    kind = "PROPERTY_WITH_EMPTY_SCHEMA"
                outcome.add(f"{kind}_ADDED_TO_OPEN_CONTENT_MODEL", path)
            else:
                yield from _cover(_covering_property(run, original, name), new[name], path, "PROPERTY", outcome)
                outcome.add(f"{kind}_ADDED_TO_UNOPEN_CONTENT_MODEL", path)


def _added_kind(declaration: Node, *, is_required: bool) -> str:
    if not is_required:
        return "OPTIONAL_PROPERTY"
    return "REQUIRED_PROPERTY_WITH_DEFAULT" if declaration.has_default else "REQUIRED_PROPERTY"


def _compare_tuples(run: Run, original: Node, update: Node, outcome: Outcome) -> Walk:
    old, new = (node.keywords.get("prefixItems", []) for node in (original, update))
    run.spend((len(old) + len(new)) // 4)
    for index in range(max(len(old), len(new))):
        path = f"items/{index}"
        if index < len(old) and index < len(new):
            outcome.include((yield old[index], new[index]), path)
        elif index < len(old):
            yield from _remove(old[index], update, _covering_rest(update), path, "ITEM", outcome)
        elif _is_open(original):
            kind = "ITEM_WITH_EMPTY_SCHEMA" if new[index].is_empty_like else "ITEM"
            outcome.add(f"{kind}_ADDED_TO_OPEN_CONTENT_MODEL", path)
        else:
            cover = _covering_rest(original)
            yield from _cover(cover, new[index], path, "ITEM", outcome)
            if cover is None:
                outcome.add("ITEM_ADDED_TO_CLOSED_CONTENT_MODEL", path)


def _remove(old: Node, update: Node, cover: Node | None, path: str, model: str, outcome: Outcome) -> Walk:
    """Report a declaration that is gone, by the content model of the update."""
    if _is_open(update):
        outcome.add(f"{model}_REMOVED_FROM_OPEN_CONTENT_MODEL", path)
    elif cover is not None:
        found = yield old, cover
        outcome.include(found, path)
        word = "IS" if found.is_compatible else "NOT"
        outcome.add(f"{model}_REMOVED_{word}_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", path)
    else:
        word = "WITH_FALSE_" if old.node_class is NodeClass.FALSE else ""
        outcome.add(f"{model}_{word}REMOVED_FROM_CLOSED_CONTENT_MODEL", path)


def _cover(cover: Node | None, new: Node, path: str, model: str, outcome: Outcome) -> Walk:
    """Report whether a new declaration takes what the original's schema for undeclared parts allowed."""
    if cover is not None:
        found = yield cover, new
        outcome.include(found, path)
        word = "IS" if found.is_compatible else "NOT"
        outcome.add(f"{model}_ADDED_{word}_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", path)


def _is_open(node: Node) -> bool:
    """Whether anything undeclared is allowed (3.5)."""
    rest, unevaluated = _REST_KEYWORDS[node.node_class]
    is_evaluated = unevaluated not in node.keywords or node.keywords[unevaluated].is_empty_like
    return rest not in node.keywords and not node.keywords.get("patternProperties") and is_evaluated


def _covering_property(run: Run, node: Node, name: str) -> Node | None:
    """Return the schema that holds for an undeclared name in a model that is not open (3.5)."""
    for pattern, schema in node.keywords.get("patternProperties", {}).items():
        if run.patterns.is_match(pattern, name, run.spend):
            return schema  # type: ignore[no-any-return]  # keywords hold values of many types
    return _covering_rest(node)


def _covering_rest(node: Node) -> Node | None:
    rest, unevaluated = _REST_KEYWORDS[node.node_class]
    if rest in node.keywords:
        return node.keywords[rest] or None
    schema: Node | None = node.keywords.get(unevaluated)
    if schema is None or schema.node_class is NodeClass.FALSE or schema.is_empty_like:
        return None
    return schema


_REST_KEYWORDS = {
    NodeClass.OBJECT: ("additionalProperties", "unevaluatedProperties"),
    NodeClass.ARRAY: ("additionalItems", "unevaluatedItems"),
}


def _compare_rest(original: Node, update: Node, keyword: str, prefix: str, outcome: Outcome) -> Walk:
    """Compare what holds for undeclared parts: absent (anything), false, or a schema (3.6 step 4)."""
    old, new = original.keywords.get(keyword), update.keywords.get(keyword)
    if (old is False) is not (new is False):
        outcome.add(f"{prefix}_ADDED" if old is False else f"{prefix}_REMOVED", keyword)
    elif old is None and new is not None:
        outcome.add(f"{prefix}_NARROWED", keyword)
    elif old is not None and new is None:
        outcome.add(f"{prefix}_EXTENDED", keyword)
    elif old and new:
        outcome.include((yield old, new), keyword)


def _compare_unevaluated(original: Node, update: Node, keyword: str, prefix: str, outcome: Outcome) -> Walk:
    """Compare the schemas for unevaluated parts (3.6 step 5)."""
    old: Node | None = original.keywords.get(keyword)
    new: Node | None = update.keywords.get(keyword)
    if old is None or new is None:
        present = old or new
        if present is not None:
            is_false = present.node_class is NodeClass.FALSE
            words = ("REMOVED", "NARROWED") if old is None else ("ADDED", "EXTENDED")
            outcome.add(f"{prefix}_{words[0] if is_false else words[1]}", keyword)
        return
    was_false, is_false = old.node_class is NodeClass.FALSE, new.node_class is NodeClass.FALSE
    if was_false is not is_false:
        outcome.add(f"{prefix}_ADDED" if was_false else f"{prefix}_REMOVED", keyword)
    elif old.is_empty_like is not new.is_empty_like:
        outcome.add(f"{prefix}_NARROWED" if old.is_empty_like else f"{prefix}_EXTENDED", keyword)
    else:
        outcome.include((yield old, new), keyword)


def _compare_dependencies(run: Run, original: Node, update: Node, outcome: Outcome) -> Walk:
    """Compare list dependencies, then schema dependencies (3.6 step 3)."""
    old: dict[str, Any] = original.keywords.get("listDependencies", {})
    new: dict[str, Any] = update.keywords.get("listDependencies", {})
    for name in sorted({*old, *new}):
        word = _list_change(old.get(name), new.get(name))
        if word:
            outcome.add(f"DEPENDENCY_ARRAY_{word}", f"dependencies/{name}")
    old = original.keywords.get("schemaDependencies", {})
    new = update.keywords.get("schemaDependencies", {})
    run.spend((len(old) + len(new)) // 4)
    for name in sorted({*old, *new}):
        path = f"dependencies/{name}"
        if name in old and name in new:
            outcome.include((yield old[name], new[name]), path)
        else:
            outcome.add("DEPENDENCY_SCHEMA_REMOVED" if name in old else "DEPENDENCY_SCHEMA_ADDED", path)


def _list_change(old: list[str] | None, new: list[str] | None) -> str:
    if old is None or new is None:
        return "ADDED" if old is None else "REMOVED"
    before, after = set(old), set(new)
    if before == after:
        return ""
    if before < after:
        return "EXTENDED"
    return "NARROWED" if after < before else "CHANGED"
