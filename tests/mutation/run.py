"""Tries mutants of the engines against their tests, and prints by module how many die.

mutmut makes the mutants; its own runner is not used: it counted mutants as killed whose tests all pass. Here the
tests are collected once, and each mutant gets a fork in which it takes the place of its function. Before any verdict
counts, all tests pass without a mutant, once in this process and once in such a fork. A test is only asked about the
functions that it calls. What survives is listed with the reason in the page of each format.

    python tests/mutation/run.py [--sample 150] [--jobs 2] [avro protobuf parity inclusion/search judge]
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import functools
import gc
import inspect
import mmap
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import hypothesis
import mutmut.mutation.trampoline
import pytest
from hypothesis import Phase
from mutmut.mutation.file_mutation import mutate_file_contents

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "llm_schema_registry"
MEMORY = 4 * 1024**3
SEED = 0


@dataclasses.dataclass(frozen=True)
class Target:
    """Modules to mutate, by folder, and the tests that should notice."""

    folder: str
    modules: str
    tests: str
    without: str = ""


_JSON = "formats/json_schema"
TARGETS = {
    "avro": Target(
        "formats/avro",
        "diff hazards branches values logical samples",
        "formats/avro",
        without="test_parse test_render test_document",
    ),
    "protobuf": Target(
        "formats/protobuf", "diff hazards misreading", "formats/protobuf/test_diff.py formats/protobuf/test_hazards.py"
    ),
    "parity": Target(
        _JSON,
        "diff content combined scalar outcome classic modern",
        " ".join(f"{_JSON}/test_{name}.py" for name in ("combined", "diff", "modern", "outcome", "scalar")),
        without="2000] test_every_kind",
    ),
    "inclusion": Target(
        f"{_JSON}/inclusion",
        "search objects arrays scalars choices parts shapes goal regular language evaluate witness hazards",
        f"{_JSON}/test_inclusion.py {_JSON}/test_inclusion_limits.py",
        # Slow, or bound by the clock rather than by the answer.
        without="test_the_truth_of_the_table test_every_keyword test_a_bomb test_a_large_schema test_a_tagged_union",
    ),
    "judge": Target("compatibility", "judge several allowances", "compatibility"),
}


@dataclasses.dataclass
class Mutant:
    """A function and what may stand in its place."""

    name: str
    function: FunctionType
    original: FunctionType
    mutated: FunctionType

    def come_into_force(self) -> None:
        """Replace the function where it is, so that also those who imported it have the mutant."""
        self.function.__code__ = self.mutated.__code__
        self.function.__defaults__ = self.mutated.__defaults__
        self.function.__kwdefaults__ = self.mutated.__kwdefaults__

    def __str__(self) -> str:
        """The lines that the mutant changes."""
        lines = (inspect.getsource(each).splitlines()[1:] for each in (self.original, self.mutated))
        changed = [line for line in difflib.ndiff(*lines) if line[0] in "-+"]
        return "\n    ".join([self.name, *changed])


class Functions:
    """The mutated functions of the modules that were imported, gathered in the place of mutmut's trampolines."""

    def __init__(self) -> None:
        self.found: list[tuple[FunctionType, dict[str, Any]]] = []

    def gather(self, versions: dict[str, Any], is_classmethod: bool = False) -> Callable[[FunctionType], FunctionType]:
        def keep(function: FunctionType) -> FunctionType:
            self.found.append((function, versions))
            return function

        return keep

    def mutants(self, module: str) -> list[Mutant]:
        return [
            Mutant(
                f"{module}.{name}", function, *(getattr(it, "__func__", it) for it in (versions["_mutmut_orig"], one))
            )
            for function, versions in self.found
            for name, one in versions.items()
            if function.__module__ == module and name != "_mutmut_orig"
        ]


@dataclasses.dataclass
class Trial:
    """The loop of pytest: tries each mutant against the tests that were collected."""

    target: Target
    functions: Functions
    sample: int
    jobs: int

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.config.pluginmanager.unregister(name="terminalreporter")
        self._items = session.items
        self._kills = memoryview(mmap.mmap(-1, 8 * len(session.items))).cast("Q")
        self._seconds: list[float] = []
        self._callers: dict[CodeType, list[int]] = defaultdict(list)
        self._rehearse(session)
        gc.freeze()  # what the forks share stays shared
        if os.waitpid(self._fork(None, range(len(self._items))), 0)[1]:
            pytest.exit("the control without a mutant dies: no verdict would mean anything", returncode=1)
        for module in self.target.modules.split():
            self._try_module(module)
        return True

    def _rehearse(self, session: pytest.Session) -> None:
        """Run all tests without a mutant, and learn which functions each of them calls."""
        codes = {function.__code__ for function, _ in self.functions.found}
        called: set[CodeType] = set()
        caches = [each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)]
        caches = [each for each in caches if each.__module__.startswith("llm_schema_registry")]

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_code in codes:
                called.add(frame.f_code)

        for index, item in enumerate(self._items):
            called.clear()
            began = time.process_time()
            sys.setprofile(note)
            _run(self._items[index : index + 2])
            sys.setprofile(None)
            # What a test finds remembered it does not call.
            for cache in caches:
                cache.cache_clear()
            self._seconds.append(time.process_time() - began)
            for code in called:
                self._callers[code].append(index)
            if session.testsfailed:
                pytest.exit(f"{item.nodeid} fails without a mutant", returncode=1)

    def _fork(self, mutant: Mutant | None, indexes: Sequence[int]) -> int:
        """Run tests in a process of its own, with a mutant in force; it ends with 0 when all pass."""
        child = os.fork()
        if child:
            return child
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        if mutant:
            mutant.come_into_force()
        for place, index in enumerate(indexes):
            signal.setitimer(signal.ITIMER_PROF, 1 + 4 * self._seconds[index])
            try:
                _run([self._items[each] for each in indexes[place : place + 2]])
                is_dead = self._items[index].session.testsfailed > 0
            except BaseException:  # noqa: BLE001 # whatever stops a test kills the mutant
                is_dead = True
            if is_dead:
                self._kills[index] += 1
                os._exit(1)
        os._exit(0)

    def _try_module(self, module: str) -> None:
        name = ".".join(["llm_schema_registry", *self.target.folder.split("/"), module])
        mutants = self.functions.mutants(name)
        if self.sample and len(mutants) > self.sample:
            mutants = random.Random(SEED).sample(mutants, self.sample)
        dead = endless = 0
        began = time.monotonic()
        for mutant, status in self._statuses(mutants):
            dead += status != 0
            endless += os.WIFSIGNALED(status)
            if not status:
                print(mutant, flush=True)
        share = 100 * dead / max(1, len(mutants))
        print(
            f"{name}: {len(mutants)} mutants, {dead} killed ({endless} by time), {len(mutants) - dead} survived,"
            f" {share:.1f} % killed, {time.monotonic() - began:.0f} s",
            flush=True,
        )

    def _statuses(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, int]]:
        running: dict[int, Mutant] = {}
        for mutant in mutants:
            if len(running) == self.jobs:
                child, status = os.wait()
                yield running.pop(child), status
            # What killed often or is quick is asked first.
            callers = sorted(
                self._callers[mutant.function.__code__], key=lambda index: (-self._kills[index], self._seconds[index])
            )
            running[self._fork(mutant, callers)] = mutant
        while running:
            child, status = os.wait()
            yield running.pop(child), status


def _run(items: Sequence[pytest.Item]) -> None:
    """Run the first test; the next one says which fixtures stay."""
    item, *following = items
    item.ihook.pytest_runtest_protocol(item=item, nextitem=following[0] if following else None)


def _write_mutants(target: Target, tree: Path) -> None:
    """Put a copy of the sources in which all mutants stand beside their functions first on the path."""
    shutil.copytree(PACKAGE, tree / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for module in target.modules.split():
        path = f"{target.folder}/{module}.py"
        mutated = mutate_file_contents(path, (PACKAGE / path).read_text(encoding="utf-8"))
        (tree / PACKAGE.name / path).write_text(mutated.code, encoding="utf-8")
    sys.path.insert(0, str(tree))


def _compile_once() -> None:
    """Let all forks share what the Protobuf compiler, a process of its own, answered."""
    from llm_schema_registry.formats.protobuf import ProtobufFormat  # noqa: PLC0415 # of the tree with the mutants

    parse = ProtobufFormat.parse
    parsed: dict[Any, Any] = {}

    def parse_once(self: ProtobufFormat, text: str, references: Sequence[Any] = (), *, is_new: bool = True) -> Any:  # noqa: ANN401 # as the method
        key = (text, tuple(references), is_new)
        if key not in parsed:
            parsed[key] = parse(self, text, references, is_new=is_new)
        return parsed[key]

    ProtobufFormat.parse = parse_once  # type: ignore[method-assign]


def _try_target(name: str, sample: int, jobs: int) -> int:
    name, _, module = name.partition("/")
    target = dataclasses.replace(TARGETS[name], modules=module or TARGETS[name].modules)
    functions = Functions()
    mutmut.mutation.trampoline.wrap_in_trampoline = functions.gather
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, phases=(Phase.generate,)
    )
    hypothesis.settings.load_profile("mutants")
    with tempfile.TemporaryDirectory() as folder:
        _write_mutants(target, Path(folder))
        if name == "protobuf":
            _compile_once()
        options = ["-q", "-s", "--tb=no", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"]
        paths = [str(ROOT / "tests" / "unit" / path) for path in target.tests.split()]
        ignored = ["-k", " and ".join(f"not {part}" for part in target.without.split())] if target.without else []
        return pytest.main([*options, *ignored, *paths], plugins=[Trial(target, functions, sample, jobs)])


def main() -> None:
    """Try each target in a process of its own, as each imports the modules anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--sample", type=int, default=0, help="at most so many mutants a module, chosen by chance")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    names = arguments.targets or [*TARGETS]
    if len(names) == 1:
        sys.exit(_try_target(names[0], arguments.sample, arguments.jobs))
    rest = ["--sample", str(arguments.sample), "--jobs", str(arguments.jobs)]
    sys.exit(max(subprocess.run([sys.executable, __file__, name, *rest], check=False).returncode for name in names))


if __name__ == "__main__":
    main()
