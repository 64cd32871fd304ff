"""Schemas that others published: each is registered, read back, found and registered again without a loss."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from graphlib import TopologicalSorter
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import grpc_tools
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from llm_schema_registry.store.sql import SqlStore
from registry_client import Registry

BUILT_IN = ("google/protobuf/", "google/type/")
# drone-ci.json refers to a document that its package does not carry.
KUBERNETES = "kubernetes-definitions.json"
_IMPORT = re.compile(r'^import\s+(?:public\s+|weak\s+)?"([^"]+)"', re.MULTILINE)


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    """A registry over a fresh store."""
    store = SqlStore.open("sqlite://")
    await store.migrate()
    opened = Registry(store)
    yield opened
    await opened.close()
    await store.close()


def proto_files() -> dict[str, str]:
    """Return the texts of googleapis-common-protos and of protoc's own files, by import path."""
    own = Path(str(resources.files(grpc_tools).joinpath("_proto")))
    found = {str(path.relative_to(own)): path.read_text() for path in own.rglob("*.proto")}
    published = importlib.metadata.files("googleapis-common-protos") or ()
    found |= {str(path): path.read_text() for path in published if path.suffix == ".proto"}
    return found


def dependencies_first(files: Mapping[str, str]) -> Iterator[str]:
    """Yield import paths, each after those that it imports."""
    return TopologicalSorter({name: _IMPORT.findall(text) for name, text in files.items()}).static_order()


def json_schemas() -> dict[str, str]:
    """Return the texts that check-jsonschema and jsonschema-specifications carry, by their place."""
    found = {}
    for package, folder in (("check_jsonschema", "builtin_schemas"), ("jsonschema_specifications", "schemas")):
        root = Path(str(resources.files(package))) / folder
        for path in sorted(root.rglob("*")):
            if path.suffix in {".json", ""} and path.is_file() and "licenses" not in path.parts:
                found[f"{package}/{path.relative_to(root)}"] = path.read_text()
    return found


def compiled(folder: Path, files: Mapping[str, str]) -> dict[str, FileDescriptorProto]:
    """Compile files by the real protoc, in a folder of their own."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    output = folder / "descriptors"
    options = (f"--proto_path={folder}", f"--descriptor_set_out={output}", "--retain_options")
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *files], check=True)
    return {file.name: without_empty_options(file) for file in FileDescriptorSet.FromString(output.read_bytes()).file}


def without_empty_options(file: FileDescriptorProto) -> FileDescriptorProto:
    """Take off what protoc notes of an `rpc` that ends with `{}` instead of `;`: both say the same."""
    for service in file.service:
        for method in service.method:
            if not method.options.ByteSize():
                method.ClearField("options")
    return file


async def assert_found_again(registry: Registry, subject: str, body: dict[str, object], schema_id: int) -> None:
    """Require that lookup and a second registration answer the first registration."""
    found = await registry.post(f"/subjects/{subject}", body)
    again = await registry.post(f"/subjects/{subject}/versions", body)
    assert (found["id"], found["version"]) == (again["id"], again["version"]) == (schema_id, 1)


async def test_protobuf_files_of_google(registry: Registry, tmp_path: Path) -> None:
    files = proto_files()
    texts: dict[str, str] = {}
    descriptors: dict[str, FileDescriptorProto] = {}
    references = 0
    for name in dependencies_first(files):
        imports = [path for path in _IMPORT.findall(files[name]) if not path.startswith(BUILT_IN)]
        body: dict[str, object] = {
            "schema": files[name],
            "schemaType": "PROTOBUF",
            "references": [{"name": path, "subject": path, "version": 1} for path in imports],
        }
        references += len(imports)
        subject = quote(name, safe="")
        schema_id = (await registry.post(f"/subjects/{subject}/versions", body))["id"]
        await assert_found_again(registry, subject, body, schema_id)
        texts[name] = (await registry.get(f"/schemas/ids/{schema_id}"))["schema"]
        serialized = (await registry.get(f"/schemas/ids/{schema_id}?format=serialized"))["schema"]
        descriptors[name] = without_empty_options(FileDescriptorProto.FromString(base64.b64decode(serialized)))
        descriptors[name].name = name
    original = compiled(tmp_path / "original", files)
    assert compiled(tmp_path / "text", texts) == original
    assert descriptors == original
    print(f"{len(files)} Protobuf files with {references} references")
    assert len(files) >= 75


async def test_json_schemas_of_others(registry: Registry) -> None:
    files = json_schemas()
    # No rule for draft 3 is known here: its own metaschema, which is not one of draft 7, is refused in words.
    draft3 = files.pop("jsonschema_specifications/draft3/metaschema.json")
    assert "draft 7" in await registry.refuse_registration(42201, "draft3", draft3, schemaType="JSON")
    defined = set(re.findall(rf"{KUBERNETES}#/definitions/([\w.]+)", "".join(files.values())))
    stand_in = json.dumps({"definitions": {name: {"type": "object"} for name in sorted(defined)}})
    await registry.register(KUBERNETES, stand_in, schemaType="JSON")
    for name, text in files.items():
        body: dict[str, object] = {"schema": text, "schemaType": "JSON"}
        if f"{KUBERNETES}#" in text:
            body["references"] = [{"name": KUBERNETES, "subject": KUBERNETES, "version": 1}]
        subject = quote(name, safe="")
        schema_id = (await registry.post(f"/subjects/{subject}/versions", body))["id"]
        await assert_found_again(registry, subject, body, schema_id)
        stored = (await registry.get(f"/schemas/ids/{schema_id}"))["schema"]
        assert json.loads(stored) == json.loads(text)
        assert await registry.text(f"/schemas/ids/{schema_id}/schema") == stored
    print(f"{len(files)} JSON Schemas, {sum(map(len, files.values()))} characters")
    assert len(files) >= 45
