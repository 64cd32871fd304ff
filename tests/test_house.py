"""The house rules that no linter knows: sizes, names, one place for each thing, nothing of this machine in the tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import llm_schema_registry
from llm_schema_registry import errors
from llm_schema_registry.formats import FORMATS

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "llm_schema_registry"
MAX_LINES = 500
BANNED_NAMES = {"manager", "helper", "util", "utils", "common", "misc", "controller", "impl", "abstract"}

MODULES = sorted(SOURCE.rglob("*.py"))


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name]


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=str)
def test_a_file_has_at_most_500_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_says_what_it_owns(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if tree.body:
        assert ast.get_docstring(tree), "a module begins with what it owns"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_banned_word_names_a_thing(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {path.stem} | {
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    words = {word for name in names for word in re.findall(r"[A-Z]?[a-z]+", name)}
    assert not {word.lower() for word in words} & BANNED_NAMES


def test_only_the_format_folders_and_confluents_default_name_a_format() -> None:
    literals = {fmt for fmt in FORMATS if fmt != "JSON"}
    allowed = {SOURCE / "wire" / "confluent.py"}
    for path in MODULES:
        if path in allowed or SOURCE / "formats" in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in literals:
                pytest.fail(f"{path}:{node.lineno} names the format {node.value}")


def test_every_error_has_a_code_of_its_own() -> None:
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.RegistryError) and "code" in vars(value)
    ]
    codes = [cls.code for cls in classes]
    generic = {400, 404, 405, 406, 413, 415, 422, 500, 503}
    assert sorted(code for code in codes if code not in generic) == sorted(
        {code for code in codes if code not in generic}
    )


def test_no_tracked_text_names_this_machine_or_a_package_host() -> None:
    hosts = ("files.pythonhosted" + ".org", "pypi" + ".org/simple", "registry.npmjs" + ".org", " --index" + "-url")
    machine = re.compile(r"""(?:^|["' =(])/(?:work|root|home)/[a-z.]""", re.MULTILINE)
    for path in tracked_files():
        if path.suffix == ".gz" or not path.exists():
            continue
        text = path.read_text(errors="replace")
        assert not any(host in text for host in hosts), path
        assert not machine.search(text), path


def test_the_public_names_are_pinned() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", llm_schema_registry.__version__)


def test_arrows_point_down() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
