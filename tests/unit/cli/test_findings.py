"""Messages of a verbose check and of a refused registration, taken apart."""

from __future__ import annotations

import pytest

from llm_schema_registry.cli.findings import Finding, findings_of, readable

AVRO = (
    "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The new schema has a field without default that is "
    "missing in the old schema (path '/fields/1')', additionalInfo:'total'}"
)
JSON = (
    '{errorType:"REQUIRED_ATTRIBUTE_ADDED", '
    "description:\"The new schema requires a property at path '#/required/a' (total)'}"
)
PROTOBUF = (
    '{errorType:"MESSAGE_REMOVED", description:"The new schema lacks the message at path \'#/A\' that was there"}'
)
TAIL = ("{oldSchemaVersion: 7}", "{oldSchema: '{errorType:\"X\"}'}", "{validateFields: 'false', compatibility: 'FULL'}")


@pytest.mark.parametrize(
    ("message", "finding"),
    [
        (
            AVRO,
            Finding(
                "READER_FIELD_MISSING_DEFAULT_VALUE",
                "/fields/1",
                "The new schema has a field without default that is missing in the old schema (total)",
            ),
        ),
        (
            JSON,
            Finding("REQUIRED_ATTRIBUTE_ADDED", "#/required/a", "The new schema requires a property (total)"),
        ),
        (PROTOBUF, Finding("MESSAGE_REMOVED", "#/A", "The new schema lacks the message that was there")),
        (
            "{errorType:\"TYPE_CHANGED\", description:\"It is of another kind at path '#/properties/it's' now'}",
            Finding("TYPE_CHANGED", "#/properties/it's", "It is of another kind now"),
        ),
        ("The server of someone else", Finding("", "", "The server of someone else")),
        ("{errorType:'ODD', description:'no end", Finding("", "", "{errorType:'ODD', description:'no end")),
    ],
)
def test_a_message_is_taken_apart(message: str, finding: Finding) -> None:
    assert findings_of([message]) == [finding]


def test_lines_about_the_old_schema_are_no_findings() -> None:
    assert [finding.kind for finding in findings_of([PROTOBUF, *TAIL])] == ["MESSAGE_REMOVED"]


def test_a_refusal_is_laid_out_with_a_line_for_each_finding() -> None:
    message = f'Incompatible with subject "s", details: [{", ".join((AVRO, PROTOBUF, *TAIL))}]'
    sentence, first, second = readable(message).splitlines()
    assert sentence == 'Incompatible with subject "s":'
    assert first.split()[:2] == ["READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/1"]
    assert second.split()[:2] == ["MESSAGE_REMOVED", "#/A"]


def test_a_refusal_without_findings_stays_as_it_is() -> None:
    assert readable("Subject is read-only") == "Subject is read-only"


def test_the_end_of_a_json_finding_may_be_its_place() -> None:
    message = "{errorType:\"A\", description:\"Something at path '#/x''}"
    assert findings_of([message]) == [Finding("A", "#/x", "Something")]
