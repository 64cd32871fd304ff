"""The traps of compatibility-rules 5.3 under SOUND: what the original accepts and loses, or refuses in vain."""

from __future__ import annotations

import pytest

from llm_schema_registry.compatibility import Judge, Side
from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy

from .conftest import reference

P3 = 'syntax = "proto3"; '
N = "message N { int32 x = 1; }"

# Old, new, whether the new one reads the old one's data (BACKWARD), and the other way around (FORWARD).
TRAPS = {
    "P1": (f"{P3}message M {{ int32 a = 1; }}", f"{P3}message M {{ repeated int32 a = 1; }}", False, False),
    "P2": ("message M { optional int32 a = 1; }", "message M { repeated int32 a = 1; }", False, False),
    "P3": (f"{P3}message M {{ int64 a = 1; }}", f"{P3}message M {{ int32 a = 1; }}", False, True),
    "P4": (f"{P3}message M {{ bytes a = 1; }}", f"{P3}message M {{ string a = 1; }}", False, False),
    "P5": (f"{P3}message M {{ int32 a = 1; }}", f"{P3}message M {{ int32 a = 2; }}", False, False),
    "P7": (
        "message M { optional group G = 1 { optional int32 x = 1; } }",
        "message M { optional group G = 1 { optional string x = 1; } }",
        False,
        False,
    ),
    "P8": ("message M { required int32 a = 1; }", f"{P3}message M {{ int32 a = 1; }}", True, False),
    "P9": ("message M { optional string a = 1; }", "message M { required string a = 1; }", False, True),
    "P10": (
        f"{P3}message M {{ E a = 1; }} enum E {{ Z = 0; RED = 1; }}",
        f"{P3}message M {{ F a = 1; }} enum F {{ Z = 0; GREEN = 1; }}",
        False,
        False,
    ),
    "P11": (f"{P3}package a; message M {{ int32 x = 1; }}", f"{P3}package b; message M {{ int32 x = 1; }}", True, True),
    "P12": (f"{P3}message M {{}} {N}", f"{P3}message M {{}}", True, True),
    "P13": (f"{P3}message M {{ N n = 1; }} {N}", f'{P3}import "n.proto"; message M {{ N n = 1; }}', True, True),
    "P14": (
        f"{P3}message M {{ map<string, int32> a = 1; }}",
        f"{P3}message M {{ repeated E a = 1; message E {{ string key = 1; int32 value = 2; }} }}",
        False,
        False,
    ),
    "P15": (f"{P3}message M {{ N a = 1; }} {N}", f"{P3}message M {{ bytes a = 1; }} {N}", False, False),
    "P16": (f"{P3}message M {{ string a = 1; }}", f"{P3}message M {{ oneof o {{ string a = 1; }} }}", True, True),
    "P17": (
        f"{P3}message M {{ string a = 1; string b = 2; }}",
        f"{P3}message M {{ oneof o {{ string a = 1; string b = 2; }} }}",
        False,
        True,
    ),
    "P18": (
        f"{P3}message M {{ oneof o {{ string a = 1; string b = 2; }} }}",
        f"{P3}message M {{ oneof o {{ string a = 1; }} }}",
        True,
        True,
    ),
    "P18 whole": (f"{P3}message M {{ oneof o {{ string a = 1; }} }}", f"{P3}message M {{}}", True, True),
    "P19": (
        "message M { extensions 4; } extend M { optional string a = 4; }",
        "message M { extensions 4; } extend M { optional int32 a = 4; }",
        False,
        False,
    ),
    "P20": (
        "message M { optional int32 a = 1 [default = 5]; }",
        "message M { optional int32 a = 1 [default = 6]; }",
        False,
        False,
    ),
    "P21": (f"{P3}message M {{}}", f"{P3}{N} message M {{}}", True, True),
    "P22": (f"{P3}message M {{ repeated M a = 1; }}", f"{P3}message M {{ M a = 1; }}", False, False),
    "P23": (
        f"{P3}message M {{ N n = 1; }} {N}",
        f"{P3}message M {{ message N {{ string x = 1; }} N n = 1; }} {N}",
        False,
        False,
    ),
    "P23 same": (
        f"{P3}message M {{ N n = 1; }} {N}",
        f"{P3}message M {{ message N {{ int32 x = 1; }} N n = 1; }} {N}",
        True,
        True,
    ),
    "P24": (
        "message M { optional E a = 1; enum E { A = 1; B = 2; } }",
        "message M { optional E a = 1; enum E { A = 1; } }",
        False,
        True,
    ),
}


@pytest.mark.parametrize("name", TRAPS)
def test_trap(fmt: ProtobufFormat, name: str) -> None:
    old, new, backward, forward = TRAPS[name]
    references = (reference("n.proto", P3 + N),)
    previous, candidate = (Side("PROTOBUF", text, fmt.parse(text, references)) for text in (old, new))
    for level, expected in ((CompatibilityLevel.BACKWARD, backward), (CompatibilityLevel.FORWARD, forward)):
        report = Judge(level, CompatibilityPolicy.SOUND, budget_seconds=60, is_thorough=True).compare(
            fmt, candidate, previous
        )
        assert report.is_compatible is expected, report.findings
