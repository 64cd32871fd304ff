"""The node model that schemas of all drafts are compared in (compatibility-rules 3.2).

Refuses to load schemas (`classic`, `modern`, `loader`) and to compare them (`diff`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from hashlib import blake2b
from typing import Any, Protocol

from llm_schema_registry.formats.json_schema.document import write_sorted
from llm_schema_registry.formats.json_schema.drafts import Draft


class NodeClass(Enum):
    """What a node is. A `type` beside keywords of its class makes no difference."""

    EMPTY = "empty"
    TRUE = "true"
    FALSE = "false"
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    OBJECT = "object"
    ARRAY = "array"
    ENUM = "enum"
    CONST = "const"
    NOT = "not"
    CONDITIONAL = "conditional"
    COMBINED = "combined"
    REF = "reference"


TYPE_CLASSES = {
    "array": NodeClass.ARRAY,
    "boolean": NodeClass.BOOLEAN,
    "integer": NodeClass.NUMBER,
    "null": NodeClass.NULL,
    "number": NodeClass.NUMBER,
    "object": NodeClass.OBJECT,
    "string": NodeClass.STRING,
}


class Node:
    """One schema. Pairs of nodes are remembered by identity, so a node stands for one place in one document.

    `keywords` hold what the class compares, subschemas as nodes:
    - OBJECT `additionalProperties` is absent when anything is allowed, else False or a node; `listDependencies` and
      `schemaDependencies` are told apart.
    - ARRAY `items` is the node of all items, `prefixItems` the tuple; `additionalItems` as `additionalProperties`.
    - ENUM `values` and CONST `value` hold texts made by `value_key`. NOT has `not`.
    - REF `text` is the `$ref`; `target` loads what it leads to.
    `annotations` hold id, title, description and default (a value, not a text). `rest` holds what is only printed.
    """

    __slots__ = (
        "_hop",
        "_printed",
        "annotations",
        "criterion",
        "is_generated",
        "is_type_list",
        "keywords",
        "members",
        "node_class",
        "rest",
        "target",
    )

    def __init__(self, node_class: NodeClass, keywords: dict[str, Any] | None = None) -> None:
        """Make a node without annotations."""
        self.node_class = node_class
        self.keywords: dict[str, Any] = {} if keywords is None else keywords
        self.annotations: dict[str, Any] = {}
        self.rest: dict[str, Any] = {}
        self.criterion = ""
        self.members: list[Node] = []
        self.is_generated = False
        self.is_type_list = False
        self.target: Callable[[], Node | None] | None = None
        self._hop: Node | None = None
        self._printed = ""

    @property
    def is_combined(self) -> bool:
        """Whether this is an allOf, anyOf or oneOf."""
        return self.node_class is NodeClass.COMBINED

    @property
    def is_empty_like(self) -> bool:
        """Whether the node says nothing: `{}`, annotations alone, or true."""
        return self.node_class in {NodeClass.EMPTY, NodeClass.TRUE}

    @property
    def has_default(self) -> bool:
        """Whether the declaration itself has a default; loaders give none to a plain `$ref` (rules 3.6)."""
        return "default" in self.annotations

    @property
    def printed(self) -> str:
        """A digest of the node as text, annotations included; equal members of a combination count once (3.9)."""
        if not self._printed:
            shape = [
                self.node_class.value,
                self.criterion,
                [member.printed for member in self.members],
                {keyword: _printable(value) for keyword, value in self.keywords.items()},
                self.annotations,
                self.rest,
            ]
            self._printed = blake2b(write_sorted(shape).encode(), digest_size=16).hexdigest()
        return self._printed

    def hop(self) -> Node:
        """Return what a `$ref` leads to, one hop only; any other node, or an opaque target, is itself (3.3)."""
        if self._hop is None:
            self._hop = (self.target and self.target()) or self
        return self._hop


class Nodes(Protocol):
    """What a draft's rules need to build a node from its parts."""

    draft: Draft

    def load(self, schema: Any, base: str) -> Node:  # noqa: ANN401 - any JSON value
        """Return the node of a schema."""

    def refer(self, reference: str, base: str) -> Node:
        """Make the node of a `$ref`."""


def combined(criterion: str, members: list[Node]) -> Node:
    """Make an allOf, anyOf or oneOf."""
    node = Node(NodeClass.COMBINED)
    node.criterion = criterion
    node.members = members
    return node


def typed(name: str) -> Node:
    """Make the node of a `type` name."""
    node = Node(TYPE_CLASSES[name], {"integer": True} if name == "integer" else {})
    node.rest["type"] = name
    return node


def value_key(value: object) -> str:
    """Write a JSON value so that equal values have equal texts: key order does not count, 1 is not 1.0."""
    return write_sorted(value)


def _printable(value: object) -> object:
    if isinstance(value, Node):
        return value.printed
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return value
