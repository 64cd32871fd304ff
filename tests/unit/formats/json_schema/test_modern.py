"""The order in which keywords of modern drafts are folded."""

from __future__ import annotations

from itertools import pairwise

from llm_schema_registry.formats.json_schema.modern import hash_order

# compatibility-rules, Appendix B: keywords by bucket for up to 12 keys.
BUCKETS = [
    ["exclusiveMaximum", "multipleOf", "minItems", "dependentRequired"],
    ["allOf", "maxItems", "writeOnly"],
    ["oneOf", "not", "contains"],
    ["const", "dependentSchemas"],
    ["propertyNames"],
    ["minLength", "uniqueItems", "prefixItems"],
    ["pattern", "format"],
    ["anyOf", "maximum"],
    ["readOnly"],
    ["maxProperties", "additionalProperties"],
    ["type", "exclusiveMinimum"],
    ["$ref", "minimum", "items", "if"],
    ["enum", "maxLength", "required"],
    ["minProperties"],
]


def test_the_order_is_the_one_of_the_rules() -> None:
    for bucket, following in pairwise(BUCKETS):
        for keyword in bucket:
            for later in following:
                assert hash_order([later, keyword]) == [keyword, later]
        assert hash_order(bucket) == bucket
        assert hash_order(bucket[::-1]) == bucket[::-1]


def test_more_keys_make_a_larger_table() -> None:
    fillers = [f"x{index}" for index in range(13)]
    keys = ["type", "minLength", *fillers]
    assert set(hash_order(keys)) == set(keys)
    assert hash_order([*keys, *(f"y{index}" for index in range(40))]) != hash_order(keys)


def test_a_table_of_twelve_keys_has_not_grown() -> None:
    keys = [keyword for bucket in BUCKETS for keyword in bucket][:12]
    assert hash_order(keys[::-1]) == [keyword for bucket in BUCKETS for keyword in bucket[::-1] if keyword in keys]
