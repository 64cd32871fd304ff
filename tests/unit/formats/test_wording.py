from __future__ import annotations

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats import FORMATS, get_format
from llm_schema_registry.formats.base import NATIVE, Kind, breaks, sentence
from llm_schema_registry.model import CompatibilityPolicy, Difference

KIND = Kind("K", NATIVE - {CompatibilityPolicy.LENIENT}, "{reader} at {path} lacks {info} of {writer}")


def test_a_wording_is_filled() -> None:
    assert sentence(KIND, Difference("K", "/a", "b"), "new", "old") == "new at /a lacks b of old"


def test_what_a_user_named_is_never_a_placeholder() -> None:
    filled = sentence(KIND, Difference("K", "/{info}", "{path}%s{writer}"), "new", "old")
    assert filled == "new at /{info} lacks {path}%s{writer} of old"


def test_a_policy_picks_the_column() -> None:
    assert breaks(KIND, CompatibilityPolicy.STRICT)
    assert breaks(KIND, CompatibilityPolicy.LOGICAL)
    assert not breaks(KIND, CompatibilityPolicy.LENIENT)
    assert not breaks(KIND, CompatibilityPolicy.SOUND)


def test_an_unknown_schema_type_names_the_known_ones() -> None:
    with pytest.raises(InvalidSchema, match="known are AVRO, JSON, PROTOBUF"):
        get_format(FORMATS, "XML")


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_breaking_kind_has_a_remedy(name: str) -> None:
    for kind in FORMATS[name].kinds.values():
        assert not kind.breaks_under or kind.remedy, kind.id
