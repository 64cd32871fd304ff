"""Schemas of drafts 4, 6 and 7 as nodes (compatibility-rules 3.2.1).

Refuses the modern drafts and following references.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from llm_schema_registry.formats.json_schema.drafts import Draft
from llm_schema_registry.formats.json_schema.nodes import (
    Node,
    NodeClass,
    Nodes,
    combined,
    typed,
    value_key,
)

_KEYWORDS = {
    NodeClass.ARRAY: ("items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"),
    NodeClass.OBJECT: (
        "properties",
        "required",
        "minProperties",
        "maxProperties",
        "dependencies",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
    ),
    NodeClass.NUMBER: ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    NodeClass.STRING: ("minLength", "maxLength", "pattern", "format"),
}
_CONDITION = ("if", "then", "else")
_ANNOTATIONS = ("title", "description", "default")
_COMMON = frozenset({"$ref", "type", "enum", "const", "not", "allOf", "anyOf", "oneOf", *_ANNOTATIONS}).union(
    *_KEYWORDS.values()
)
_USED = {
    Draft.D4: _COMMON - {"const", "contains", "propertyNames"},
    Draft.D6: _COMMON,
    Draft.D7: _COMMON.union(_CONDITION),
}
_USED_BESIDE_REF = frozenset({"$ref", "title", "description"})


def load_classic(loader: Nodes, schema: dict[str, Any], base: str) -> Node:
    """Build the node of a schema object: its parts, or an allOf of them, with the annotations on the outside."""
    if "$ref" in schema:
        node = loader.refer(schema["$ref"], base)
        rest = {keyword: value for keyword, value in schema.items() if keyword not in _USED_BESIDE_REF}
    else:
        used = _USED[loader.draft]
        known = {keyword: value for keyword, value in schema.items() if keyword in used}
        rest = {keyword: value for keyword, value in schema.items() if keyword not in used}
        parts = _parts(loader, known, base)
        node = combined("allOf", parts) if len(parts) > 1 else parts[0] if parts else Node(NodeClass.EMPTY)
    _annotate(node, loader.draft, schema)
    node.rest.update(rest)
    if node.node_class is NodeClass.REF:
        node.annotations.pop("default", None)
    if node.node_class is NodeClass.ARRAY:
        for keyword in ("minContains", "maxContains"):
            if keyword in schema and _is_number(schema[keyword]):
                node.keywords[keyword] = schema[keyword]
    return node


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _annotate(node: Node, draft: Draft, schema: dict[str, Any]) -> None:
    named = schema.get(draft.id_keyword)
    if isinstance(named, str):
        node.annotations["id"] = named
    for keyword in _ANNOTATIONS:
        if keyword in schema:
            node.annotations[keyword] = schema[keyword]


def _parts(loader: Nodes, schema: dict[str, Any], base: str) -> list[Node]:
    """The type part first, then the others; upstream's order is not stable."""
    listed = schema.get("type")
    names = listed if isinstance(listed, list) else [] if listed is None else [listed]
    members = []
    for name in names:
        member = typed(name)
        member.keywords.update(_take(loader, member.node_class, schema, base))
        members.append(member)
    parts = [combined("anyOf", members)] if isinstance(listed, list) else members
    if "enum" in schema:
        parts.append(Node(NodeClass.ENUM, {"values": [value_key(value) for value in schema["enum"]]}))
    for criterion in ("allOf", "anyOf", "oneOf"):
        if criterion in schema:
            parts.append(combined(criterion, [loader.load(member, base) for member in schema[criterion]]))
    if "not" in schema:
        parts.append(Node(NodeClass.NOT, {"not": loader.load(schema["not"], base)}))
    if "const" in schema:
        parts.append(Node(NodeClass.CONST, {"value": value_key(schema["const"])}))
    taken = {member.node_class for member in members}
    for node_class, keywords in _KEYWORDS.items():
        if node_class not in taken and not schema.keys().isdisjoint(keywords):
            parts.append(Node(node_class, _take(loader, node_class, schema, base)))
    if not schema.keys().isdisjoint(_CONDITION):
        parts.append(Node(NodeClass.CONDITIONAL, {word: schema[word] for word in _CONDITION if word in schema}))
    return parts


def _take(loader: Nodes, node_class: NodeClass, schema: dict[str, Any], base: str) -> dict[str, Any]:
    """Collect the keywords of a class."""
    keywords = {key: schema[key] for key in _KEYWORDS.get(node_class, ()) if key in schema}
    shape = _SHAPES.get(node_class)
    if shape is not None:
        shape(loader, keywords, base)
    elif loader.draft is Draft.D4:
        # Booleans in draft 4, and not compared.
        for keyword in ("exclusiveMinimum", "exclusiveMaximum"):
            if keyword in keywords:
                keywords[f"{keyword}Flag"] = keywords.pop(keyword)
    return keywords


def _shape_object(loader: Nodes, keywords: dict[str, Any], base: str) -> None:
    for keyword in ("properties", "patternProperties"):
        if keyword in keywords:
            keywords[keyword] = {name: loader.load(part, base) for name, part in keywords[keyword].items()}
    dependencies = keywords.pop("dependencies", {})
    # Empty lists count as absent (3.6).
    keywords["listDependencies"] = {
        name: part for name, part in dependencies.items() if isinstance(part, list) and part
    }
    keywords["schemaDependencies"] = {
        name: loader.load(part, base) for name, part in dependencies.items() if not isinstance(part, list)
    }
    _shape_rest(loader, keywords, "additionalProperties", base)


def _shape_array(loader: Nodes, keywords: dict[str, Any], base: str) -> None:
    items = keywords.pop("items", None)
    if isinstance(items, list):
        keywords["prefixItems"] = [loader.load(item, base) for item in items]
    elif items is not None:
        keywords["items"] = loader.load(items, base)
        if keywords.get("additionalItems") is False:
            del keywords["additionalItems"]
    _shape_rest(loader, keywords, "additionalItems", base)


def _shape_rest(loader: Nodes, keywords: dict[str, Any], keyword: str, base: str) -> None:
    rest = keywords.pop(keyword, True)
    if rest is not True:
        keywords[keyword] = False if rest is False else loader.load(rest, base)


_SHAPES: dict[NodeClass, Callable[[Nodes, dict[str, Any], str], None]] = {
    NodeClass.OBJECT: _shape_object,
    NodeClass.ARRAY: _shape_array,
}
