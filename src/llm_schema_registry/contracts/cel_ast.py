"""Reads a checked expression: its nodes and which of them are scalars.

Refuses to judge it. What is read is cel.expr.CheckedExpr, a message whose definition is stable and public; only the
parts that are looked at are declared here.
"""

from __future__ import annotations

from typing import Protocol, cast

from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

_SCALARS = frozenset({"null", "primitive", "wrapper", "well_known"})
_TEXTUAL = frozenset({5, 6})
_ANY_TYPE = 1
# message: field, number, type (a scalar's or a message's), R when repeated.
_MESSAGES = """
CheckedExpr: types 3 TypesEntry R, expr 4 Expr
TypesEntry: key 1 int64, value 2 Type
Type: dyn 1 bytes, null 2 int32, primitive 3 int32, wrapper 4 int32, well_known 5 int32
Expr: id 2 int64, const_expr 3 Constant, ident_expr 4 Ident, select_expr 5 Select, call_expr 6 Call, \
list_expr 7 List, struct_expr 8 Struct, comprehension_expr 9 Comprehension
Constant: string_value 6 string, bytes_value 7 bytes
Ident: name 1 string
Select: operand 1 Expr, field 2 string
Call: target 1 Expr, function 2 string, args 3 Expr R
List: elements 1 Expr R
Struct: entries 2 Entry R
Entry: field_key 2 string, map_key 3 Expr, value 4 Expr
Comprehension: iter_var 1 string, iter_range 2 Expr, accu_var 3 string, accu_init 4 Expr, loop_condition 5 Expr, \
loop_step 6 Expr, result 7 Expr, iter_var2 8 string
"""
_TYPES = {
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}


class Node(Protocol):
    """A node of an expression; exactly one of the members that end in `_expr` is set."""

    id: int


class _Checked(Message):
    """The members of CheckedExpr, for the type checker."""

    types: list[_TypeOf]
    expr: Node


class _TypeOf(Protocol):
    key: int
    value: Message


class Tree:
    """An expression as a tree of `cel.expr.Expr`. Raises ValueError when it is nested too deep to be read."""

    def __init__(self, serialized: bytes) -> None:
        try:
            checked = cast("_Checked", _Checked_class.FromString(Any.FromString(serialized).value))
        except DecodeError:
            raise ValueError("it is nested too deep") from None
        self.root = checked.expr
        self._scalars = {entry.key for entry in checked.types if _is_scalar(entry.value)}

    def is_scalar(self, node: Node) -> bool:
        """Whether a node's values all are small: a number, a truth value, an instant, null."""
        return node.id in self._scalars


def _is_scalar(kind: Message) -> bool:
    for name in _SCALARS:
        if kind.HasField(name):
            value = getattr(kind, name)
            return value != _ANY_TYPE if name == "well_known" else value not in _TEXTUAL or name == "null"
    return False


def _checked_class() -> type[Message]:
    file = FileDescriptorProto(name="checked.proto", package="checked", syntax="proto2")
    for line in _MESSAGES.strip().split("\n"):
        name, _, fields = line.partition(": ")
        message = file.message_type.add(name=name)
        for declared in fields.split(", "):
            field, number, kind, *repeated = declared.split()
            added = message.field.add(name=field, number=int(number))
            added.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
            if kind in _TYPES:
                added.type = _TYPES[kind]
            else:
                added.type, added.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".checked.{kind}"
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("checked.CheckedExpr"))


_Checked_class = _checked_class()
