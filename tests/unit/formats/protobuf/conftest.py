"""What the Protobuf tests share: one format, so one set of protoc workers, and the files of installed packages."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.protobuf import ProtobufFormat

SAMPLES = Path(__file__).parents[3] / "data" / "protobuf"
_IMPORT = re.compile(r'^import\s+(?:public\s+|weak\s+|option\s+)?"([^"]+)"', re.MULTILINE)


def package_roots() -> dict[str, Path]:
    """Return where installed packages keep .proto files, by the prefix of their import paths."""
    tools = importlib.util.find_spec("grpc_tools")
    api = importlib.util.find_spec("google.api")
    assert tools is not None
    assert api is not None
    assert tools.submodule_search_locations
    assert api.submodule_search_locations
    return {
        "google/protobuf": Path(tools.submodule_search_locations[0], "_proto"),
        "google": Path(api.submodule_search_locations[0]).parents[1],
    }


def package_files() -> list[str]:
    return [
        str(path.relative_to(root))
        for prefix, root in package_roots().items()
        for path in sorted((root / prefix).rglob("*.proto"))
    ]


def read_package_file(name: str) -> str:
    roots = package_roots()
    root = roots["google/protobuf"] if name.startswith("google/protobuf/") else roots["google"]
    return (root / name).read_text()


def references_of(name: str, seen: set[str] | None = None) -> list[ResolvedReference]:
    """Return a package file's imports, transitive ones too, dependencies first."""
    seen = set() if seen is None else seen
    found: list[ResolvedReference] = []
    for imported in _IMPORT.findall(read_package_file(name)):
        if imported not in seen:
            seen.add(imported)
            found += references_of(imported, seen)
            found.append(ResolvedReference(imported, imported, 1, read_package_file(imported)))
    return found


@pytest.fixture(scope="session")
def fmt() -> ProtobufFormat:
    return ProtobufFormat()


def reference(name: str, text: str, version: int = 1, *, is_direct: bool = True) -> ResolvedReference:
    """Make a reference whose subject is called as the file."""
    return ResolvedReference(name, name, version, text, is_direct)
