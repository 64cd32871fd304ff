"""Write `openapi.yaml` from the route table.

Refuses to decide what it says: that is `rest.openapi`'s.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from llm_schema_registry.rest.openapi import Document, build_document
from llm_schema_registry.rest.table import build_routes

TARGET = Path(__file__).resolve().parents[1] / "openapi.yaml"
HEADER = "# Generated from the route table by `make gen`; do not edit.\n"


class _Plain(yaml.SafeDumper):
    """Writes each value where it stands: no anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def render(document: Document) -> str:
    """Lay a document out for people, in its own order."""
    text: str = yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return HEADER + text


if __name__ == "__main__":
    TARGET.write_text(render(build_document(build_routes())), encoding="utf-8")
