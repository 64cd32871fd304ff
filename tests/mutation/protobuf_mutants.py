"""Runs mutmut's mutants of the Protobuf engines against their tests, each in a fork of one warm process.

mutmut makes the mutants; its own runner is not used, because its forks fail for reasons of their own and count every
mutant as killed. Here a fork without a mutant, the control, must pass before any verdict counts. See protobuf.md.
"""

from __future__ import annotations

import ast
import importlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

MODULES = ("diff", "hazards", "misreading")
SECONDS = 30
SIDES = 2


def names_of_mutants(folder: Path) -> list[str]:
    """Return the names by which a mutated module chooses a mutant."""
    found = []
    for module in MODULES:
        tree = ast.parse((folder / f"{module}.py").read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        package = f"llm_schema_registry.formats.protobuf.{module}"
        found += [
            f"{package}.{name}" for name in sorted(names) if name.rpartition("_")[2].isdigit() and "__mutmut_" in name
        ]
    return found


def checks() -> list[Callable[[], object]]:
    """Return the tests of the engines as calls, with a format that compiles each text once for all forks."""
    from llm_schema_registry.formats.protobuf import ProtobufFormat, ProtobufSchema  # noqa: PLC0415 # mutated, by path

    class CachingFormat(ProtobufFormat):
        def __init__(self) -> None:
            super().__init__()
            self._schemas: dict[object, ProtobufSchema] = {}

        def parse(self, text: str, references: Sequence[Any] = (), *, is_new: bool = True) -> ProtobufSchema:
            key = (text, tuple((one.name, one.text, one.version, one.is_direct) for one in references))
            if key not in self._schemas:
                self._schemas[key] = super().parse(text, references, is_new=is_new)
            return self._schemas[key]

    fmt = CachingFormat()
    hazards = importlib.import_module("unit.formats.protobuf.test_hazards")
    diff = importlib.import_module("unit.formats.protobuf.test_diff")
    calls: list[Callable[[], object]] = [lambda row=row: hazards.test_row(fmt, row) for row in hazards.ROWS]
    calls += [lambda case=case: diff.test_cases(fmt, case) for case in diff.CASES]
    parametrized = {"test_row", "test_cases"}
    for module in (diff, hazards):
        for name, function in vars(module).items():
            if name.startswith("test_") and name not in parametrized:
                arguments = (fmt,) if function.__code__.co_argcount else ()
                calls.append(lambda function=function, arguments=arguments: function(*arguments))
    return calls


def survives(mutant: str, calls: Sequence[Callable[[], object]]) -> bool:
    """Whether all tests pass in a fork with a mutant in force; one that takes too long does not survive."""
    child = os.fork()
    if child == 0:
        os.environ["MUTANT_UNDER_TEST"] = mutant
        signal.alarm(SECONDS)
        code = 0
        try:
            for call in calls:
                call()
        except BaseException:  # noqa: BLE001 # whatever stops a test kills the mutant
            code = 1
        os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def main() -> None:
    """Take the folder `mutants` that mutmut made, and if two numbers follow, every n-th mutant from the k-th on."""
    folder = Path(sys.argv[1])
    every, first = (int(argument) for argument in sys.argv[2:4]) if len(sys.argv) > SIDES else (1, 0)
    os.chdir(folder)
    sys.path[:0] = [str(folder / "src"), str(folder / "tests")]
    os.environ["MUTANT_UNDER_TEST"] = ""
    calls = checks()
    for call in calls:
        call()
    if not survives("", calls):
        sys.exit("the control without a mutant fails: no verdict would mean anything")
    seen = Counter[str]()
    began = time.monotonic()
    for mutant in names_of_mutants(folder / "src/llm_schema_registry/formats/protobuf")[first::every]:
        is_alive = survives(mutant, calls)
        module = mutant.split(".")[3]
        seen[f"{module} {'survived' if is_alive else 'killed'}"] += 1
        if is_alive:
            print(mutant, flush=True)
    print(dict(sorted(seen.items())), f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
