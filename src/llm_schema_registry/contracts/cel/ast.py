"""Reads a checked expression: its nodes, and which of them stand for something small.

Refuses to judge it. What is read is cel.expr.CheckedExpr, a message whose definition is public and stable; only the
parts that are looked at are declared here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Protocol, cast

from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

DECIMAL = "confluent.type.Decimal"
EQUAL, DIFFERENT = "@decimal_equal", "@decimal_different"
"""Functions that no source can name: what `==` and `!=` mean for decimals, which the engine compares field by field."""

_ANY = 1
_PAYLOAD = frozenset({"message", "event"})
_TEXTS = frozenset({5, 6})
# message: field number type, with R when repeated.
_MESSAGES = """
ParsedExpr: expr 2 Expr
CheckedExpr: type_map 3 TypeMapEntry R, expr 4 Expr
TypeMapEntry: key 1 int64, value 2 Type
Type: null 2 int32, primitive 3 int32, wrapper 4 int32, well_known 5 int32, list_type 6 bytes, map_type 7 bytes,\
 message_type 9 string
Expr: id 2 int64, const_expr 3 Constant, ident_expr 4 Ident, select_expr 5 Select, call_expr 6 Call,\
 list_expr 7 List, struct_expr 8 Struct, comprehension_expr 9 Comprehension
Constant: string_value 6 string, bytes_value 7 bytes
Ident: name 1 string
Select: operand 1 Expr, field 2 string
Call: target 1 Expr, function 2 string, args 3 Expr R
List: elements 1 Expr R
Struct: entries 2 Entry R
Entry: field_key 2 string, map_key 3 Expr, value 4 Expr
Comprehension: iter_var 1 string, iter_range 2 Expr, accu_var 3 string, accu_init 4 Expr, loop_condition 5 Expr,\
 loop_step 6 Expr, result 7 Expr, iter_var2 8 string
"""
_ON_DECIMALS = {"_==_": EQUAL, "_!=_": DIFFERENT}
_SCALARS = {
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}


class Kind(Enum):
    """A number, a truth value, an instant or null; a text or bytes; a list or a map; a decimal; or nothing is known."""

    SCALAR = auto()
    TEXT = auto()
    CONTAINER = auto()
    DECIMAL = auto()
    ANY = auto()


class Node(Protocol):
    """A node of an expression. Exactly one of the members that end in `_expr` is set."""

    id: int
    const_expr: Constant
    ident_expr: Ident
    select_expr: Select
    call_expr: Call
    list_expr: List
    struct_expr: Struct
    comprehension_expr: Comprehension

    def HasField(self, field_name: str, /) -> bool:  # noqa: N802 - Protobuf's name
        """Whether a member is set."""


class Constant(Protocol):
    string_value: str
    bytes_value: bytes


class Ident(Protocol):
    name: str


class Select(Protocol):
    operand: Node
    field: str


class Call(Protocol):
    target: Node
    function: str
    args: Sequence[Node]

    def HasField(self, field_name: str, /) -> bool:  # noqa: N802 - Protobuf's name
        """Whether a member is set."""


class List(Protocol):
    elements: Sequence[Node]


class Struct(Protocol):
    entries: Sequence[Entry]


class Entry(Protocol):
    field_key: str
    map_key: Node
    value: Node

    def HasField(self, field_name: str, /) -> bool:  # noqa: N802 - Protobuf's name
        """Whether a member is set."""


class Comprehension(Protocol):
    """What `all`, `exists`, `exists_one`, `map` and `filter` stand for: a fold of a list or of a map's keys."""

    iter_var: str
    iter_range: Node
    accu_var: str
    accu_init: Node
    loop_condition: Node
    loop_step: Node
    result: Node


class _Type(Protocol):
    null: int
    primitive: int
    wrapper: int
    well_known: int
    message_type: str

    def HasField(self, field_name: str, /) -> bool:  # noqa: N802 - Protobuf's name
        """Whether a member is set."""


class _TypeMapEntry(Protocol):
    key: int
    value: _Type


class _Parsed(Protocol):
    expr: Node


class _Checked(Protocol):
    type_map: Sequence[_TypeMapEntry]
    expr: Node


class Tree:
    """A checked expression. `root` is its outermost node.

    Raises ValueError when it is nested too deep to be read; the engine's own limit is a little higher.
    """

    def __init__(self, serialized: bytes) -> None:
        try:
            checked = cast("_Checked", _CHECKED.FromString(Any.FromString(serialized).value))
        except DecodeError:
            raise ValueError("it is nested too deep") from None
        self.root = checked.expr
        self._kinds = {entry.key: _kind(entry.value) for entry in checked.type_map}

    def runnable(self) -> bytes:
        """Return the expression without its types, for `Environment.load`.

        Decimals are compared by their number, and `event` is called `message`, so that it is converted once.
        """
        nodes = list(self.nodes())
        is_event = all(node.comprehension_expr.iter_var != "event" for node in nodes)
        for node in nodes:
            call = node.call_expr
            if call.function in _ON_DECIMALS and all(self.kind(arg) is Kind.DECIMAL for arg in call.args):
                call.function = _ON_DECIMALS[call.function]
            if is_event and node.ident_expr.name == "event":
                node.ident_expr.name = "message"
        return _runnable(_PARSED(expr=self.root))

    def fields_read(self) -> frozenset[str] | None:
        """Return the fields of `message` that are all that is looked at of it; None when it is looked at as a whole.

        It counts as a whole, too, where a loop calls its variable so.
        """
        of_whole = 0
        fields = []
        for node in self.nodes():
            if node.ident_expr.name in _PAYLOAD or node.comprehension_expr.iter_var in _PAYLOAD:
                of_whole += 1
            elif node.HasField("select_expr") and node.select_expr.operand.ident_expr.name in _PAYLOAD:
                fields.append(node.select_expr.field)
        # Each field that is read has its own mention of the message inside.
        return frozenset(fields) if of_whole == len(fields) else None

    def nodes(self) -> Iterator[Node]:
        """Yield every node, outer ones first."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(parts(node))

    def kind(self, node: Node) -> Kind:
        """Return what is known about a node's values."""
        return self._kinds.get(node.id, Kind.ANY)


def parts(node: Node) -> list[Node]:
    """Return the nodes right inside a node, in the order of the source."""
    if node.HasField("select_expr"):
        return [node.select_expr.operand]
    if node.HasField("call_expr"):
        call = node.call_expr
        return [call.target, *call.args] if call.HasField("target") else list(call.args)
    if node.HasField("list_expr"):
        return list(node.list_expr.elements)
    if node.HasField("struct_expr"):
        entries = node.struct_expr.entries
        keys = [entry.map_key for entry in entries if entry.HasField("map_key")]
        return [*keys, *(entry.value for entry in entries)]
    if node.HasField("comprehension_expr"):
        loop = node.comprehension_expr
        return [loop.iter_range, loop.accu_init, loop.loop_condition, loop.loop_step, loop.result]
    return []


def conjunction(expressions: Sequence[bytes]) -> bytes:
    """Return what is true when all of some runnable expressions are, and else false or without a value."""
    roots = [cast("_Parsed", _PARSED.FromString(Any.FromString(each).value)).expr for each in expressions]
    while len(roots) > 1:
        # In pairs, so that many expressions do not stand deep inside each other.
        pairs = zip(roots[::2], roots[1::2], strict=False)
        joined = [cast("Node", _NODE(call_expr=_CALL(function="_&&_", args=pair))) for pair in pairs]
        roots = [*joined, *roots[len(joined) * 2 :]]
    waiting = [roots[0]]
    number = 0
    while waiting:
        node = waiting.pop()
        number += 1
        node.id = number
        waiting.extend(parts(node))
    return _runnable(_PARSED(expr=roots[0]))


def _runnable(parsed: Message) -> bytes:
    return Any(type_url="type.googleapis.com/cel.expr.ParsedExpr", value=parsed.SerializeToString()).SerializeToString()


def _kind(declared: _Type) -> Kind:
    if declared.primitive in _TEXTS or declared.wrapper in _TEXTS:
        return Kind.TEXT
    if declared.HasField("list_type") or declared.HasField("map_type"):
        return Kind.CONTAINER
    if any(declared.HasField(name) for name in ("null", "primitive", "wrapper")) or declared.well_known > _ANY:
        return Kind.SCALAR
    return Kind.DECIMAL if declared.message_type == DECIMAL else Kind.ANY


def _classes() -> list[type[Message]]:
    file = FileDescriptorProto(name="checked.proto", package="checked", syntax="proto2")
    for line in _MESSAGES.strip().split("\n"):
        name, _, fields = line.partition(": ")
        message = file.message_type.add(name=name)
        for declared in fields.split(", "):
            field, number, kind, *repeated = declared.split()
            added = message.field.add(name=field, number=int(number))
            added.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
            if kind in _SCALARS:
                added.type = _SCALARS[kind]
            else:
                added.type, added.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".checked.{kind}"
    pool = DescriptorPool()
    pool.Add(file)
    names = ("CheckedExpr", "ParsedExpr", "Expr", "Call")
    return [GetMessageClass(pool.FindMessageTypeByName(f"checked.{name}")) for name in names]


_CHECKED, _PARSED, _NODE, _CALL = _classes()
