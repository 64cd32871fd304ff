"""Schemas of 2019-09 and 2020-12 as nodes: one partial node a keyword, folded in hash order (rules 3.2.2).

Refuses the earlier drafts and following references. Order and quirks of folding are those of the engine whose verdicts
clients rely on; each is named in the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llm_schema_registry.formats.json_schema.nodes import Node, NodeClass, Nodes, combined, typed, value_key

_MERGEABLE = frozenset({NodeClass.STRING, NodeClass.NUMBER, NodeClass.OBJECT, NodeClass.ARRAY})
_PLAIN = {
    "minLength": NodeClass.STRING,
    "maxLength": NodeClass.STRING,
    "pattern": NodeClass.STRING,
    "minimum": NodeClass.NUMBER,
    "maximum": NodeClass.NUMBER,
    "exclusiveMinimum": NodeClass.NUMBER,
    "exclusiveMaximum": NodeClass.NUMBER,
    "multipleOf": NodeClass.NUMBER,
    "minItems": NodeClass.ARRAY,
    "maxItems": NodeClass.ARRAY,
    "uniqueItems": NodeClass.ARRAY,
    "required": NodeClass.OBJECT,
    "minProperties": NodeClass.OBJECT,
    "maxProperties": NodeClass.OBJECT,
    "propertyNames": NodeClass.OBJECT,
}
# What the loader upstream knows although it makes no partial of its own.
_SILENT = frozenset(
    {
        "$anchor",
        "$defs",
        "$dynamicAnchor",
        "$id",
        "$schema",
        "$vocabulary",
        "default",
        "deprecated",
        "description",
        "else",
        "maxContains",
        "minContains",
        "then",
        "title",
    }
)
_LATE = ("properties", "patternProperties", "unevaluatedItems", "unevaluatedProperties")
_LOST = ("unevaluatedProperties", "unevaluatedItems", "minContains", "maxContains")


def load_modern(loader: Nodes, schema: dict[str, Any], base: str) -> Node:
    """Build the node of a schema object; `schema` holds the bridged `$defs` when it is a document."""
    # An empty `properties` or `patternProperties` is no partial at all; `false` is one.
    late = [word for word in _LATE if word in schema and (schema[word] or word.startswith("unevaluated"))]
    folded: Node | None = None
    for keyword in [*(keyword for keyword in hash_order(list(schema)) if keyword not in _LATE), *late]:
        partial = _PARTIALS.get(keyword)
        if partial is not None:
            part = partial(loader, schema, keyword, base)
            folded = part if folded is None else _fold(folded, part)
    node = Node(NodeClass.EMPTY) if folded is None else _unwrap(folded)
    unknown = {keyword: value for keyword, value in schema.items() if keyword not in _KNOWN}
    if node.node_class in {NodeClass.OBJECT, NodeClass.ARRAY} and (unknown or schema.get("$defs")):
        for keyword in _LOST:
            node.keywords.pop(keyword, None)
    node.rest.update(unknown)
    for keyword in ("title", "description", "default"):
        if schema.get(keyword) is not None:
            node.annotations[keyword] = schema[keyword]
    if node.node_class is NodeClass.REF:
        node.annotations.pop("default", None)
    return node


def hash_order(keys: list[str]) -> list[str]:
    """Sort keys as a Java HashMap iterates them (compatibility-rules, Appendix B)."""
    size = 16
    while len(keys) > size * 3 // 4:
        size *= 2
    return sorted(keys, key=lambda key: _spread(key) % size)


def _spread(key: str) -> int:
    value = 0
    units = key.encode("utf-16-be")
    for high, low in zip(units[::2], units[1::2], strict=True):
        value = (31 * value + high * 256 + low) & 0xFFFFFFFF
    return value ^ (value >> 16)


def _fold(left: Node, right: Node) -> Node:
    """Join what was folded so far with the next partial, by the four rules of 3.2.2."""
    if left.node_class is right.node_class and left.node_class in _MERGEABLE:
        return _merge(left, right)
    for listed, plain in ((left, right), (right, left)):
        if listed.is_type_list and plain.node_class in _MERGEABLE:
            member = next((member for member in listed.members if member.node_class is plain.node_class), None)
            if member is not None:
                _merge(member, plain)
                return listed
    parts = list(_parts_of(left))
    for part in _parts_of(right):
        same = next((known for known in parts if known.node_class is part.node_class in _MERGEABLE), None)
        if same is None:
            parts.append(part)
        else:
            _merge(same, part)
    node = combined("allOf", parts)
    node.is_generated = True
    return node


def _merge(into: Node, other: Node) -> Node:
    # Keywords never collide: each of them stands once in a schema object.
    into.keywords.update(other.keywords)
    into.rest.update(other.rest)
    return into


def _parts_of(node: Node) -> list[Node]:
    return node.members if node.is_generated else [node]


def _unwrap(node: Node) -> Node:
    if not node.is_generated or len(node.members) > 1:
        return node
    return node.members[0] if node.members else Node(NodeClass.EMPTY)


_Partial = Callable[[Nodes, dict[str, Any], str, str], Node]


def _plain(_: Nodes, schema: dict[str, Any], keyword: str, __: str) -> Node:
    return Node(_PLAIN[keyword], {keyword: schema[keyword]})


def _type(_: Nodes, schema: dict[str, Any], keyword: str, __: str) -> Node:
    listed = schema[keyword]
    if not isinstance(listed, list):
        return typed(listed)
    node = combined("anyOf", [typed(name) for name in listed])
    node.is_type_list = True
    return node


def _combined(loader: Nodes, schema: dict[str, Any], keyword: str, base: str) -> Node:
    members: list[Node] = []
    for part in schema[keyword]:
        # A member that became a generated allOf is replaced by its parts, whatever the criterion.
        members.extend(_parts_of(loader.load(part, base)))
    return combined(keyword, members)


def _not(loader: Nodes, schema: dict[str, Any], keyword: str, base: str) -> Node:
    return Node(NodeClass.NOT, {"not": loader.load(schema[keyword], base)})


def _enum(_: Nodes, schema: dict[str, Any], keyword: str, __: str) -> Node:
    return Node(NodeClass.ENUM, {"values": [value_key(value) for value in schema[keyword]]})


def _const(_: Nodes, schema: dict[str, Any], keyword: str, __: str) -> Node:
    return Node(NodeClass.CONST, {"value": value_key(schema[keyword])})


def _ref(loader: Nodes, schema: dict[str, Any], keyword: str, base: str) -> Node:
    return loader.refer(schema[keyword], base)


def _condition(_: Nodes, schema: dict[str, Any], __: str, ___: str) -> Node:
    return Node(NodeClass.CONDITIONAL, {word: schema[word] for word in ("if", "then", "else") if word in schema})


def _silent_all_of(_: Nodes, __: dict[str, Any], ___: str, ____: str) -> Node:
    node = combined("allOf", [])
    node.is_generated = True
    return node


def _named(loader: Nodes, schema: dict[str, Any], keyword: str, base: str) -> Node:
    """`properties`, `patternProperties`, `dependentSchemas`: names with subschemas."""
    word = "schemaDependencies" if keyword == "dependentSchemas" else keyword
    parts = {name: loader.load(part, base) for name, part in schema[keyword].items()}
    return Node(NodeClass.OBJECT, {word: parts})


def _dependent_required(_: Nodes, schema: dict[str, Any], keyword: str, __: str) -> Node:
    lists = {name: part for name, part in schema[keyword].items() if part}
    return Node(NodeClass.OBJECT, {"listDependencies": lists})


def _additional_properties(loader: Nodes, schema: dict[str, Any], keyword: str, base: str) -> Node:
    value = schema[keyword]
    keywords = {} if value is True else {keyword: value is not False and loader.load(value, base)}
    return Node(NodeClass.OBJECT, keywords)


def _unevaluated(loader: Nodes, schema: dict[str, Any], keyword: str, base: str) -> Node:
    node_class = NodeClass.ARRAY if keyword == "unevaluatedItems" else NodeClass.OBJECT
    return Node(node_class, {keyword: loader.load(schema[keyword], base)})


def _items(loader: Nodes, schema: dict[str, Any], keyword: str, base: str) -> Node:
    value = schema[keyword]
    if value is True:
        return Node(NodeClass.ARRAY)
    if value is False:
        return Node(NodeClass.ARRAY, {"additionalItems": False})
    word = "additionalItems" if schema.get("prefixItems") else "items"
    return Node(NodeClass.ARRAY, {word: loader.load(value, base)})


def _prefix_items(loader: Nodes, schema: dict[str, Any], keyword: str, base: str) -> Node:
    return Node(NodeClass.ARRAY, {keyword: [loader.load(item, base) for item in schema[keyword]]})


def _contains(_: Nodes, schema: dict[str, Any], keyword: str, __: str) -> Node:
    keywords = {keyword: schema[keyword], "minContains": schema.get("minContains", 1)}
    if "maxContains" in schema:
        keywords["maxContains"] = schema["maxContains"]
    return Node(NodeClass.ARRAY, keywords)


_PARTIALS: dict[str, _Partial] = {
    **dict.fromkeys(_PLAIN, _plain),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _combined),
    **dict.fromkeys(("format", "readOnly", "writeOnly"), _silent_all_of),
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas"), _named),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), _unevaluated),
    **dict.fromkeys(("$ref", "$dynamicRef"), _ref),
    "additionalProperties": _additional_properties,
    "const": _const,
    "contains": _contains,
    "dependentRequired": _dependent_required,
    "enum": _enum,
    "if": _condition,
    "items": _items,
    "not": _not,
    "prefixItems": _prefix_items,
    "type": _type,
}
_KNOWN = _PARTIALS.keys() | _SILENT
