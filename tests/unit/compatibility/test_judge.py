"""Levels, directions, policies and severities, over a format whose differences are easy to see."""

from __future__ import annotations

import pytest

from llm_schema_registry.compatibility import MAX_FINDINGS, Judge, Side, reserved_field_problems, tail
from llm_schema_registry.compatibility.judge import MAX_QUOTED_SCHEMA
from llm_schema_registry.errors import TooComplex
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, Direction, Place, Report, Severity
from unit.compatibility.words import WordFormat

FORMAT = WordFormat()
LEVELS = CompatibilityLevel
POLICIES = CompatibilityPolicy


def side(text: str, version: int = 0, schema_type: str = "WORDS") -> Side:
    return Side(schema_type, text, FORMAT.parse(text), version)


def judge(
    new: str,
    old: str,
    level: CompatibilityLevel = LEVELS.BACKWARD,
    policy: CompatibilityPolicy = POLICIES.STRICT,
    *,
    seconds: float = 10,
    is_thorough: bool = False,
) -> Report:
    return Judge(level, policy, seconds, is_thorough).compare(FORMAT, side(new), side(old, 3))


@pytest.mark.parametrize(
    ("level", "adds", "removes"),
    [
        (LEVELS.NONE, True, True),
        (LEVELS.BACKWARD, True, False),
        (LEVELS.BACKWARD_TRANSITIVE, True, False),
        (LEVELS.FORWARD, False, True),
        (LEVELS.FORWARD_TRANSITIVE, False, True),
        (LEVELS.FULL, False, False),
        (LEVELS.FULL_TRANSITIVE, False, False),
    ],
)
@pytest.mark.parametrize("policy", list(POLICIES))
def test_a_level_is_a_choice_of_directions(
    level: CompatibilityLevel, policy: CompatibilityPolicy, adds: bool, removes: bool
) -> None:
    assert judge("a b", "a", level, policy).is_compatible is adds
    assert judge("a", "a b", level, policy).is_compatible is removes
    assert judge("a", "a", level, policy).is_compatible


def test_the_backward_direction_quotes_the_version_that_it_fails_with() -> None:
    assert judge("a", "a b").messages == (
        "{WORD_REMOVED: The new schema lacks b of the old schema}",
        "{oldSchemaVersion: 3}",
        "{oldSchema: 'a b'}",
    )


def test_a_full_level_quotes_nothing_when_only_the_forward_direction_failed() -> None:
    assert judge("a b", "a", LEVELS.FULL).messages == ("{WORD_REMOVED: The old schema lacks b of the new schema}",)
    forward = judge("a b", "a", LEVELS.FORWARD).messages
    assert forward[1:] == ("{oldSchemaVersion: 3}", "{oldSchema: 'a'}")


def test_the_forward_direction_comes_first() -> None:
    report = judge("a b", "a c", LEVELS.FULL)
    assert [(finding.direction, finding.difference.path) for finding in report.findings] == [
        (Direction.FORWARD, "b"),
        (Direction.BACKWARD, "c"),
    ]
    assert {finding.version for finding in report.findings} == {3}
    assert (report.compared, report.level, report.policy) == ((3,), LEVELS.FULL, POLICIES.STRICT)
    assert judge("a", "a", policy=POLICIES.LENIENT).policy is POLICIES.LENIENT


def test_the_policy_steers_the_comparison_and_sound_compares_strictly() -> None:
    for policy in POLICIES:
        finding = judge("a-b", "ab", policy=policy, is_thorough=True).findings[0]
        native = POLICIES.STRICT if policy is POLICIES.SOUND else policy
        assert finding.difference.info == f"as {native} compares"


def test_a_long_schema_is_cut_where_it_is_quoted() -> None:
    text = "b" * MAX_QUOTED_SCHEMA
    assert judge("a", text).messages[-1] == f"{{oldSchema: '{text}'}}"
    assert judge("a", text + "b").messages[-1] == f"{{oldSchema: '{text}...'}}"


def test_another_schema_type_is_the_only_problem() -> None:
    report = Judge(LEVELS.FULL).compare(FORMAT, side("a"), side("b", 3, "OTHER"))
    assert report.is_compatible is False
    assert len(report.messages) == 1
    assert "The new schema is WORDS, but the old one is OTHER" in report.messages[0]
    assert Judge(LEVELS.NONE).compare(FORMAT, side("a"), side("b", 3, "OTHER")) == Report(True, level=LEVELS.NONE)


def test_what_only_sound_refuses_is_a_hazard_elsewhere() -> None:
    for policy in POLICIES:
        report = judge("A", "a", policy=policy)
        (finding,) = report.findings
        assert finding.severity is (Severity.BREAKING if policy is POLICIES.SOUND else Severity.HAZARD)
        assert report.is_compatible is (policy is not POLICIES.SOUND)
        assert bool(report.messages) is (policy is POLICIES.SOUND)
        assert (finding.difference.sample, finding.difference.outcome) == ("a", "reads A")


def test_a_hazard_of_a_known_difference_only_adds_its_sample() -> None:
    (finding,) = judge("a", "a b").findings
    assert finding.severity is Severity.BREAKING
    assert (finding.difference.info, finding.difference.sample, finding.difference.outcome) == ("gone", "b", "fails")


def test_infos_and_hazards_places_are_for_thorough_reports() -> None:
    assert judge("a b", "a").findings == ()
    assert judge("x A", "x a").findings[0].reader_place is None
    hazard, info = judge("x A b", "x a", is_thorough=True).findings[::-1]
    assert (info.severity, info.reader_place, info.writer_place) == (Severity.INFO, Place(1, 5), None)
    assert (hazard.severity, hazard.reader_place, hazard.writer_place) == (Severity.HAZARD, Place(1, 3), Place(1, 3))


def test_what_breaks_has_its_place_in_every_report() -> None:
    (finding,) = judge("a", "a b").findings
    assert (finding.reader_place, finding.writer_place) == (None, Place(1, 3))


def test_what_is_taken_up_again_is_told_with_its_place_unless_the_latest_is_of_another_format() -> None:
    earlier = [side("a gone", 2), side("lost", 1, "OTHER")]
    for policy in POLICIES:
        found = Judge(LEVELS.BACKWARD, policy).recall(FORMAT, side("a lost gone"), side("a", 3), earlier)
        (finding,) = found
        assert (finding.difference.kind, finding.difference.path) == ("WORD_REUSED", "gone")
        assert (finding.direction, finding.version) == (Direction.BACKWARD, 3)
        assert finding.breaks is (policy is POLICIES.SOUND)
        assert finding.message == "{WORD_REUSED: The new schema takes up gone again}"
        assert finding.reader_place == (Place(1, 8) if policy is POLICIES.SOUND else None)
    other = Judge(LEVELS.BACKWARD).recall(FORMAT, side("a gone"), side("a", 3, "OTHER"), earlier)
    assert other == ()


def test_remembering_that_takes_too_long_blocks_only_where_it_is_the_verdict() -> None:
    asked = (FORMAT, side("a gone"), side("a", 3), [side("forgets", 2)])
    assert Judge(LEVELS.BACKWARD, POLICIES.STRICT, 0.01).recall(*asked) == ()
    with pytest.raises(TooComplex):
        Judge(LEVELS.BACKWARD, POLICIES.SOUND, 0.01).recall(*asked)


def test_a_remedy_names_what_would_allow_the_change() -> None:
    def remedies(report: Report) -> list[str]:
        return [finding.detail.remedy for finding in report.findings if finding.breaks]

    assert remedies(judge("a", "a b")) == ["Keep it."]
    assert remedies(judge("a-b", "ab")) == [
        "Join. No data is at risk: compatibilityPolicy SOUND allows it. compatibilityPolicy LENIENT allows it."
    ]
    assert remedies(judge("a-b", "ab", policy=POLICIES.LOGICAL)) == [
        "Join. No data is at risk: compatibilityPolicy SOUND allows it."
    ]
    assert remedies(judge("a-b", "ab", policy=POLICIES.LENIENT)) == []
    assert remedies(judge("a-b C", "ab c")) == ["Join. compatibilityPolicy LENIENT allows it."]
    assert remedies(judge("a", "a b", LEVELS.FULL)) == ["Keep it. Level FORWARD does not ask for this direction."]
    assert remedies(judge("a b", "a", LEVELS.FULL_TRANSITIVE)) == [
        "Keep it. Level BACKWARD_TRANSITIVE does not ask for this direction."
    ]
    assert remedies(judge("a b", "a c", LEVELS.FULL)) == ["Keep it.", "Keep it."]
    assert remedies(judge("A", "a", policy=POLICIES.SOUND)) == ["Keep its case."]


def test_what_takes_too_long_is_told_with_what_was_decided() -> None:
    with pytest.raises(TooComplex, match="more than 10 ms of CPU time") as caught:
        judge("a b", "a loops", LEVELS.FULL, seconds=0.01)
    report = caught.value.report
    assert report is not None
    assert [finding.difference.path for finding in report.findings] == ["b"]
    assert report.compared == ()


def test_hazards_that_take_too_long_never_block_except_where_they_are_the_verdict() -> None:
    report = judge("a doubts", "a doubts", seconds=0.01)
    assert (report.is_compatible, report.are_hazards_complete) == (True, False)
    assert judge("a", "a").are_hazards_complete
    for level in (LEVELS.FORWARD, LEVELS.FULL):
        assert not judge("a doubts", "a doubts", level, seconds=0.01).are_hazards_complete
    with pytest.raises(TooComplex):
        judge("a doubts", "a doubts", policy=POLICIES.SOUND, seconds=0.01)


def test_what_is_not_known_of_data_is_not_advised() -> None:
    (finding,) = judge("a-b doubts", "ab doubts", seconds=0.01).findings
    assert finding.detail.remedy == "Join. compatibilityPolicy LENIENT allows it."


def test_explaining_has_its_time_too() -> None:
    riddle, plain = judge("a", "a riddle b", seconds=0.04).findings
    assert (riddle.detail.writer_path, riddle.detail.before) == ("riddle", "riddle")
    assert (plain.detail.writer_path, plain.detail.before, plain.detail.after) == (None, "", "")
    assert plain.detail.explanation == "The reader schema lacks b of the writer schema"
    assert plain.detail.remedy == "Keep it."
    assert plain.breaks


def test_findings_are_cut_but_not_the_verdict() -> None:
    words = [f"w{number}" for number in range(MAX_FINDINGS + 5)]
    report = judge("a", " ".join(words))
    assert len(report.findings) == MAX_FINDINGS
    assert not report.is_compatible
    among_infos = judge(" ".join(["a", *words]), "a b", LEVELS.FULL, is_thorough=True)
    assert [finding.difference.path for finding in among_infos.findings if finding.breaks][-1] == "b"
    assert len(among_infos.findings) == 2 * MAX_FINDINGS


def test_of_too_many_findings_those_that_break_stay_in_their_order() -> None:
    words = [f"w{number}" for number in range(MAX_FINDINGS)]
    hyphenated = " ".join(word.replace("w", "w-") for word in words)
    report = judge(hyphenated, " ".join([*words, "b", "c"]), policy=POLICIES.LENIENT, is_thorough=True)
    paths = [finding.difference.path for finding in report.findings]
    assert paths == [*words[:-2], "b", "c"]


def test_reserved_fields_stay_reserved_and_unused() -> None:
    removed, conflict = reserved_field_problems(FORMAT.parse("a b"), ["b", "c"], ["c", "d"])
    assert "RESERVED_FIELD_REMOVED" in removed
    assert "'d'" in removed
    assert "FIELD_CONFLICTS_WITH_RESERVED_FIELD" in conflict
    assert "'b'" in conflict
    assert reserved_field_problems(FORMAT.parse("a b"), ["c"], ["c"]) == []


def test_the_tail_names_the_settings() -> None:
    assert tail(LEVELS.FULL, validates_fields=True) == "{validateFields: 'true', compatibility: 'FULL'}"
