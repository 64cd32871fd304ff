"""From documents to nodes: one node for each schema object, references followed on demand.

Refuses to know what the keywords of a draft mean: `classic` and `modern` do.
"""

from __future__ import annotations

from typing import Any

from llm_schema_registry.formats.json_schema.classic import load_classic
from llm_schema_registry.formats.json_schema.modern import load_modern
from llm_schema_registry.formats.json_schema.nodes import Node, NodeClass
from llm_schema_registry.formats.json_schema.references import Resources, with_bridged_definitions


class Loader:
    """Loads the nodes of one side of a comparison. Recursion is bounded by the depth of one document."""

    def __init__(self, resources: Resources) -> None:
        """Load from these documents; the root's draft holds for all of them."""
        self.draft = resources.draft
        self._resources = resources
        self._nodes: dict[int, Node] = {}
        self._true = Node(NodeClass.TRUE)
        self._false = Node(NodeClass.FALSE)

    @property
    def root(self) -> Node:
        """The node of the document itself."""
        return self.load(*self._resources.root)

    def load(self, schema: Any, base: str) -> Node:  # noqa: ANN401 - any JSON value
        """Return the node of a schema; all references to one schema share one node."""
        if isinstance(schema, bool):
            return self._true if schema else self._false
        node = self._nodes.get(id(schema))
        if node is None:
            inside = self._resources.base_of(schema, base)
            if self.draft.is_modern:
                is_document = self._resources.is_document(schema)
                node = load_modern(self, with_bridged_definitions(schema) if is_document else schema, inside)
            else:
                node = load_classic(self, schema, inside)
            self._nodes[id(schema)] = node
        return node

    def refer(self, reference: str, base: str) -> Node:
        """Make the node of a `$ref`."""
        node = Node(NodeClass.REF, {"text": reference})
        node.target = lambda: self._follow(reference, base)
        return node

    def _follow(self, reference: str, base: str) -> Node | None:
        place = self._resources.find(reference, base)
        return None if place is None else self.load(*place)
