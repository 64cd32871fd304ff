"""The CEL engine behind one door: expressions are checked, compiled, bound to values and evaluated.

Refuses to know rules and schemas, and to bound what an expression costs (`cel.cost`). The only file that names an
engine; its two ways to tell an error, a value and an exception, become one here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from cel_expr_python import cel
from google.protobuf.descriptor_pool import DescriptorPool

_TYPES = {
    "dyn": cel.Type.DYN,
    "null": cel.Type.NULL,
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "uint": cel.Type.UINT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "bytes": cel.Type.BYTES,
    "timestamp": cel.Type.TIMESTAMP,
    "duration": cel.Type.DURATION,
    "list": cel.Type.List(cel.Type.DYN),
    "strings": cel.Type.List(cel.Type.STRING),
}
_PROBLEM = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")


class Function(NamedTuple):
    """An overload that the language lacks. Types are names of `_TYPES` or full names of Protobuf messages.

    `call` may raise anything: the expression then has no value. Operators have the checker's names (`_+_`).
    """

    name: str
    parameters: tuple[str, ...]
    result: str
    call: Callable[..., object]
    is_member: bool = False


class Problem(NamedTuple):
    """What is wrong with an expression. Both places count from 1, columns in characters; 0 when it has no place."""

    line: int
    column: int
    text: str


class NotCompiled(Exception):
    """An expression is not valid."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.text)


class NotEvaluated(Exception):
    """An expression has no value for the values it was given."""


class Binding:
    """Values by variable, converted once, when an expression first asks for them."""

    __slots__ = ("activation",)

    def __init__(self, activation: cel.Activation) -> None:
        self.activation = activation


class Program:
    """An expression that can be evaluated, any number of times and by any thread."""

    __slots__ = ("_expression",)

    def __init__(self, expression: cel.Expression) -> None:
        self._expression = expression

    def evaluate(self, binding: Binding) -> object:
        """Return the value in plain Python: bytes are a bytearray, messages a Protobuf message. Raises NotEvaluated."""
        try:
            result = self._expression.eval(binding.activation)
            value = result.value()
            if value is True or value is False:
                return value
            if result.type() != cel.Type.ERROR:
                return result.plain_value()
        except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
            raise NotEvaluated(_reason(str(error))) from None
        raise NotEvaluated(_reason(str(value)))


class Environment:
    """The variables, functions and message types that expressions may use."""

    def __init__(self, pool: DescriptorPool, variables: Mapping[str, str], functions: Iterable[Function]) -> None:
        overloads: dict[str, list[cel.Overload]] = {}
        for function in functions:
            overloads.setdefault(function.name, []).append(_overload(function))
        self._env = cel.NewEnv(
            descriptor_pool=pool,
            variables={name: _type(kind) for name, kind in variables.items()},
            extensions=[cel.CelExtension("registry", [cel.FunctionDecl(*item) for item in overloads.items()])],
        )

    def check(self, source: str) -> bytes:
        """Return the checked expression as Protobuf (an Any with a cel.expr.CheckedExpr), or raise NotCompiled."""
        serialized: bytes = self._compile(source, is_checked=True).serialize()
        return serialized

    def compile(self, source: str) -> Program:
        """Return an unchecked expression ready to run. Raises NotCompiled."""
        return Program(self._compile(source, is_checked=False))

    def load(self, parsed: bytes) -> Program:
        """Return an expression ready to run, its types left to the values it will get.

        What is given is an Any with a cel.expr.ParsedExpr of what `check` accepted.
        """
        return Program(self._env.deserialize(parsed))

    def bind(self, values: Mapping[str, object]) -> Binding:
        """Take the variables' values: plain Python, and Protobuf messages."""
        return Binding(self._env.Activation(values))

    def _compile(self, source: str, *, is_checked: bool) -> cel.Expression:
        try:
            return self._env.compile(source, disable_check=not is_checked)
        except (RuntimeError, ValueError, TypeError) as error:
            raise NotCompiled(_problem(str(error))) from None


def _overload(function: Function) -> cel.Overload:
    given = ", ".join(function.parameters)
    return cel.Overload(
        f"{'.' if function.is_member else ''}{function.name}({given})",
        _type(function.result),
        [_type(kind) for kind in function.parameters],
        function.is_member,
        _whole(function.call) if function.result == "string" else function.call,
    )


def _whole(call: Callable[..., object]) -> Callable[..., object]:
    def checked(*values: object) -> object:
        text = call(*values)
        if isinstance(text, str) and "\0" in text:
            raise ValueError("the engine would end the text at its zero byte")
        return text

    return checked


def _type(name: str) -> cel.Type:
    return _TYPES.get(name) or cel.Type(name)


def _problem(text: str) -> Problem:
    """Return the first of the engine's complaints; those after it are often about the same mistake."""
    found = _PROBLEM.search(text)
    if found is None:
        return Problem(0, 0, _reason(text))
    return Problem(int(found[1]), int(found[2]), found[3].removesuffix(" [INVALID_ARGUMENT]"))


def _reason(text: str) -> str:
    """Return the engine's words without its status codes, on one line."""
    return " ".join(_STATUS.sub("", text).split())
