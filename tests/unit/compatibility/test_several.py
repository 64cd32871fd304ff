"""Reports on several versions as one, over findings that a judge made."""

from __future__ import annotations

from llm_schema_registry.compatibility import (
    MAX_FINDINGS,
    Judge,
    Side,
    join_reports,
    newest_of_each,
    warnings_of,
    with_more,
)
from llm_schema_registry.model import CompatibilityLevel, CompatibilityPolicy, Report, Severity
from unit.compatibility.words import WordFormat

FORMAT = WordFormat()


def judge(
    new: str, old: str, version: int = 1, level: CompatibilityLevel = CompatibilityLevel.BACKWARD, seconds: float = 10
) -> Report:
    sides = Side("WORDS", new, FORMAT.parse(new)), Side("WORDS", old, FORMAT.parse(old), version)
    return Judge(level, CompatibilityPolicy.STRICT, seconds).compare(FORMAT, *sides)


def paths(report: Report) -> list[str]:
    return [finding.difference.path for finding in report.findings]


def test_two_reports_are_one_after_the_other() -> None:
    first, second = judge("a", "a b", 2), judge("a", "a c", 1)
    joined = join_reports(first, second)
    assert joined.messages == (*first.messages, *second.messages)
    assert paths(joined) == ["b", "c"]
    assert joined.compared == (2, 1)
    assert (joined.level, joined.policy) == (CompatibilityLevel.BACKWARD, CompatibilityPolicy.STRICT)


def test_one_that_fails_or_is_not_complete_is_enough() -> None:
    good, bad = judge("a", "a"), judge("a", "b")
    doubtful = judge("a doubts", "a doubts", seconds=0.01)
    assert join_reports(good, good).is_compatible is True
    assert join_reports(good, good).are_hazards_complete is True
    for one, other in ((good, bad), (bad, good), (bad, bad)):
        assert join_reports(one, other).is_compatible is False
    for one, other in ((good, doubtful), (doubtful, good), (doubtful, doubtful)):
        assert join_reports(one, other).are_hazards_complete is False


def test_findings_of_another_check_come_behind_and_break_too() -> None:
    good, hazard, bad = judge("a", "a"), judge("A", "a"), judge("a", "a b c")
    with_bad = with_more(hazard, bad.findings)
    assert with_bad.is_compatible is False
    assert with_bad.messages == bad.messages[:2]
    assert paths(with_bad) == ["a", "b", "c"]
    assert with_bad.compared == hazard.compared
    assert with_more(good, hazard.findings).is_compatible is True
    assert with_more(good, hazard.findings).messages == ()
    both = with_more(bad, hazard.findings)
    assert both.is_compatible is False
    assert both.messages == bad.messages


def test_a_report_holds_no_more_findings_than_there_is_room_for() -> None:
    many = judge("a", " ".join(f"w{number}" for number in range(MAX_FINDINGS - 1)))
    more = judge("a", "b c")
    assert paths(join_reports(many, more))[-1] == "b"
    assert paths(with_more(many, more.findings))[-1] == "b"
    assert len(join_reports(many, more).findings) == len(with_more(many, more.findings).findings) == MAX_FINDINGS


def test_what_breaks_with_a_version_that_is_not_asked_about_is_a_hazard() -> None:
    report = judge("a B", "a b c d")
    assert [(found.difference.path, found.severity) for found in warnings_of(report)] == [
        ("c", Severity.HAZARD),
        ("d", Severity.HAZARD),
    ]


def test_of_what_several_versions_share_the_newest_is_kept() -> None:
    full = CompatibilityLevel.FULL
    reports = [judge("a", "a b", 3), judge("a", "a c b", 2), judge("a b", "a", 1, full), judge("a-b", "ab", 1)]
    kept = [(found.difference.path, found.version) for found in newest_of_each([report.findings for report in reports])]
    assert kept == [("b", 3), ("b", 1), ("ab", 1)]
