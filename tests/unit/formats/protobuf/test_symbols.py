"""Names printed short must mean what they meant: trees of messages whose names hide one another in every way."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.formats.protobuf.equality import is_same_file

from .conftest import reference

NAMES = ("a", "b", "c")
PACKAGES = ("", "a", "b", "a.b", "b.a", "a.b.c", "c.c")
Tree = dict[str, "Tree"]

trees: st.SearchStrategy[Tree] = st.recursive(
    st.just({}), lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=3), max_leaves=8
)


def full_names(tree: Tree, scope: str) -> list[str]:
    found = []
    for name, inner in tree.items():
        here = f"{scope}.{name}" if scope else name
        found += [here, *full_names(inner, here)]
    return found


def text_of(package: str, tree: Tree, targets: list[str], header: str = "") -> str:
    """Write a file whose every message has a field of every target type, all names absolute."""
    fields = "".join(f"optional .{target} f{index} = {index + 1};" for index, target in enumerate(targets))

    def body(inner: Tree) -> str:
        return "".join(f"message {name} {{ {fields} {body(below)} }}" for name, below in inner.items())

    services = "".join(f"rpc r{index} (.{target}) returns (.{target});" for index, target in enumerate(targets))
    services += "".join(
        f"rpc {name} (.{target}) returns (.{target});" for name, target in zip(NAMES, targets, strict=False)
    )
    return f"{f'package {package};' if package else ''} {header} {body(tree)} service S {{ {services} }}"


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PACKAGES), trees, st.sampled_from(PACKAGES), trees)
def test_short_names_mean_the_same(
    fmt: ProtobufFormat, package: str, tree: Tree, other_package: str, other_tree: Tree
) -> None:
    own, imported = full_names(tree, package), full_names(other_tree, other_package)
    packages = {".".join(name.split(".")[: end + 1]) for name in (package, other_package) for end in range(3)}
    if set(own) & set(imported) or packages & {*own, *imported}:
        return  # protoc refuses a name that is declared twice
    references = [reference("other.proto", text_of(other_package, other_tree, []).partition("service")[0])]
    text = text_of(package, tree, [*own, *imported], 'import "other.proto";')
    schema = fmt.parse(text, references)
    again = fmt.parse(schema.canonical, references)
    assert again.canonical == schema.canonical
    assert is_same_file(schema.file, again.file)
    assert is_same_file(schema.file, fmt.parse(schema.normalized, references).file)


def test_what_is_not_a_type_hides_types_from_methods_and_extensions(fmt: ProtobufFormat) -> None:
    text = """
        syntax = "proto2"; package b.a; import "other.proto";
        message Get { optional Get Get = 1; optional .a a = 2; oneof Late { int32 x = 3; }
            extend .b.a.Late { optional int32 e = 100; } message N { extend .b.a.Late { optional int32 Late = 101; } }
            extend .Value { optional int32 f = 100; } enum E { Value = 0; } }
        message Late { extensions 100 to 200; }
        extend .Late { optional int32 Late2 = 100; }
        service S { rpc Get(.b.a.Get) returns (.a); rpc Late(Get2) returns (Get2); }
        message Get2 {}
    """
    references = [
        reference("other.proto", "message a {} message Late { extensions 100; } message Value { extensions 100; }")
    ]
    schema = fmt.parse(text, references)
    again = fmt.parse(schema.canonical, references)
    assert is_same_file(schema.file, again.file)
    assert again.canonical == schema.canonical
