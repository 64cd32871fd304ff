"""The messages whose ProtoJSON is not an object of their fields (protobuf.dev/programming-guides/json).

Refuses to compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ANY = "google.protobuf.Any"

JSON_FORMS: Mapping[str, bool | int | float | str | list[int] | dict[str, int]] = MappingProxyType(
    {
        ANY: {},
        "google.protobuf.BoolValue": True,
        "google.protobuf.BytesValue": "YQ==",
        "google.protobuf.DoubleValue": 1.0,
        "google.protobuf.Duration": "1s",
        "google.protobuf.FieldMask": "a",
        "google.protobuf.FloatValue": 1.0,
        "google.protobuf.Int32Value": 1,
        "google.protobuf.Int64Value": "1",
        "google.protobuf.ListValue": [1],
        "google.protobuf.StringValue": "a",
        "google.protobuf.Struct": {"a": 1},
        "google.protobuf.Timestamp": "1970-01-01T00:00:01Z",
        "google.protobuf.UInt32Value": 1,
        "google.protobuf.UInt64Value": "1",
        "google.protobuf.Value": 1,
    }
)
"""A value of each, as ProtoJSON writes it."""
