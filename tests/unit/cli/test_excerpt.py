"""What a person sees of a report: sentences, both texts side by side, carets, and nothing that steers a terminal."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from cli_command import COLOUR
from report_server import Peer, finding, place

OLD = '{\n  "fields": [\n\t{"name": "id"}]}\n'
NEW = '{\n  "fields": [\n    {"name": "id"},\n    {"name": "total", "type": "int"}]}\n'


def total(**stated: object) -> dict[str, object]:
    usual = {
        "kind": "FIELD_ADDED",
        "reader": place("/fields/1", 4, 5),
        "writer": place("/fields", 3, 2),
        "before": "nothing",
        "after": '{"name": "total"}',
        "sample": '{"id": "a"}',
        "outcome": "the field total is missing",
        "explanation": "The field total has no default.",
        "remedy": 'Give "total" a default.',
        "message": "{errorType:'FIELD_ADDED'}",
    }
    return finding(**{**usual, **stated})


def test_a_finding_is_shown_whole(peer: Peer) -> None:
    peer.cli.write("new.avsc", NEW)
    peer.answers(total(), finding(severity="info"), texts={1: OLD})
    done = peer.check()
    assert (done.returncode, done.stderr) == (100, "")
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "error  FIELD_ADDED  new.avsc:4:5 /fields/1",
        "  The field total has no default.",
        "    written with version 1 of orders:3:2 /fields | read with new.avsc:4:5 /fields/1",
    ]
    border = lines[2].index("|")
    old, new = ([line[:border].rstrip(), line[border:]] for line in lines[3:5])
    assert old == ['    3 |  {"name": "id"}]}', '| 4 |     {"name": "total", "type": "int"}]}']
    assert new == ["         ^", "|         ^"]
    assert lines[5:] == [
        '  valid with the old schema: {"id": "a"}',
        "  the new schema says: the field total is missing",
        '  fix: Give "total" a default.',
        "",
        "incompatible: new.avsc; compared with version 1 of orders; level BACKWARD; policy STRICT; 1 error, 1 info",
    ]


def test_in_the_forward_direction_the_new_schema_writes(peer: Peer) -> None:
    peer.cli.write("new.avsc", NEW)
    stated = {"direction": "FORWARD", "reader": place("/fields", 3, 2), "writer": place("/fields/1", 4, 5)}
    peer.answers(total(**stated), texts={1: OLD}, level="FORWARD")
    lines = peer.lines()
    assert lines[0] == "error  FIELD_ADDED  new.avsc:4:5 /fields/1"
    assert "written with new.avsc:4:5 /fields/1" in lines[2]
    assert "read with version 1 of orders:3:2 /fields" in lines[2]
    assert '  valid with the new schema: {"id": "a"}' in lines
    assert "  the old schema says: the field total is missing" in lines


def test_without_a_line_the_values_are_shown(peer: Peer) -> None:
    peer.answers(
        finding(kind="A", reader=None, writer=place("#/a"), before='"a\nb"'),
        finding(kind="B", severity="hazard", reader=place("", 9, 1), writer=place("", 1, None), after="now"),
        texts={1: ""},
    )
    lines = peer.lines()
    assert lines[0] == "error  A  new.avsc"
    assert lines[2].split(" | ") == ["    written with version 1 of orders #/a", "read with new.avsc"]
    assert [cell.strip() for cell in lines[3].split(" | ")] == ['"a\\u000ab"', "(nothing there)"]
    start = lines.index("warning  B  new.avsc:9:1")
    assert lines[start + 2].split(" | ") == ["    written with version 1 of orders:1:1", "read with new.avsc:9:1"]
    assert [cell.strip() for cell in lines[start + 3].split(" | ")] == ["(nothing there)", "now"]


def test_infos_are_shown_when_they_are_asked_for(peer: Peer) -> None:
    peer.answers(finding(kind="DOC", severity="info", explanation="Another doc."), texts={1: OLD})
    counts = "level BACKWARD; policy STRICT; 0 errors, 1 info"
    assert peer.lines() == [f"compatible: new.avsc; compared with version 1 of orders; {counts}"]
    assert peer.lines("--verbose")[0] == "info  DOC  new.avsc"


def test_what_breaks_without_a_place_is_a_sentence(peer: Peer) -> None:
    changed = '{errorType:"SCHEMA_TYPE_CHANGED", description:"It is JSON now"}'
    messages = [changed, "Something else", "{oldSchema: ''}"]
    peer.answers(is_compatible=False, messages=messages, texts={1: OLD})
    lines = peer.lines()
    assert lines[:2] == ["error  SCHEMA_TYPE_CHANGED  new.avsc", "  It is JSON now"]
    assert "error  INCOMPATIBLE  new.avsc" in lines
    assert lines[-1].endswith("; 2 errors")
    peer.answers(is_compatible=False, messages=messages, compared_versions=[])
    assert "there is nothing to compare it with" in peer.lines()[-1]


def test_warnings_that_were_not_looked_for_are_said_to_be_missing(peer: Peer) -> None:
    peer.answers(hazards_complete=False)
    assert peer.lines()[-1].endswith("; not all warnings were looked for: the schemas are too complex")


@pytest.mark.parametrize("column", [1, 2, 30, 60, 75, 76, 77, 78, 500, 9_970, 10_000])
def test_a_long_line_is_cut_around_its_place(peer: Peer, column: int) -> None:
    line = "".join(chr(ord("a") + index % 26) for index in range(10_000))
    peer.cli.write("new.avsc", line)
    peer.answers(finding(reader=place("", 1, column)), texts={1: ""})
    _, _, head, source, caret, *_ = peer.lines()
    border = head.index(" | ") + 3
    shown, marked = source[border:].removeprefix("1 | "), caret[border:].removeprefix("    ")
    assert len(shown) <= 76
    assert shown[marked.index("^")] == line[column - 1]
    assert shown.strip(".") in line
    assert (shown.startswith("..."), shown.endswith("...")) == (column > 37, column < 9_960)


def test_a_caret_stands_under_what_takes_two_cells(peer: Peer) -> None:
    peer.cli.write("new.avsc", '"漢字": "é", "x"')
    peer.answers(finding(reader=place("", 1, 12)), texts={1: ""})
    _, _, _, source, caret, *_ = peer.lines()
    assert cell_len(source[: source.index('"x"')]) == caret.index("^")


def test_what_takes_no_cell_makes_no_line_endless(peer: Peer) -> None:
    peer.cli.write("new.avsc", '"a' + "\u0301" * 5000 + '", "b"')
    peer.answers(finding(reader=place("", 1, 5006)), texts={1: ""})
    _, _, _, source, caret, *_ = peer.lines()
    assert len(source) < 300
    assert source.split(" | ")[-1].startswith("...")
    assert source.endswith('"b"')
    assert cell_len(source[: -len('"b"')]) == caret.index("^")


def test_nothing_of_a_user_steers_the_terminal(peer: Peer) -> None:
    evil = "\x1b[31m\r\x9b2J\x00\u0085"
    peer.cli.write("new.avsc", f'"a{evil}", "b"')
    names = ("kind", "before", "after", "sample", "outcome", "explanation", "remedy")
    peer.answers(
        finding(**dict.fromkeys(names, evil), reader=place(f"/{evil}", 1, 3), writer=place(f"/{evil}")),
        messages=[f"x{evil}"],
        texts={1: evil},
    )
    for arguments in (
        (),
        *(("--error-format", name) for name in ("json", "github-actions", "gitlab", "junit", "sarif")),
    ):
        shown = peer.check(*arguments).stdout
        assert not set("\x1b\r\x9b\x00\u0085") & set(shown)
    text = peer.check().stdout
    assert '"a\\u001b[31m\\u000d\\u009b2J\\u0000\\u0085", "b"' in text


def test_colours_are_for_terminals_and_those_who_ask(peer: Peer) -> None:
    peer.answers(finding(), texts={1: ""})
    asked = ("check", "--subject", "orders", "new.avsc")
    assert COLOUR.search(peer.check("--color", "always", NO_COLOR="1").stdout)
    assert "\x1b" not in peer.check().stdout
    code, shown = peer.cli.on_terminal(*asked)
    assert (code, bool(COLOUR.search(shown))) == (100, True)
    for arguments, environment in (((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"}), (("--color", "never"), {})):
        code, shown = peer.cli.on_terminal(*asked, *arguments, **environment)
        assert (code, "\x1b[" in shown) == (100, False)
    plain = peer.check("--color", "never").stdout
    assert peer.check("--color", "always").stdout != plain


def test_a_terminal_is_not_written_past_its_edge(peer: Peer) -> None:
    peer.cli.write("new.avsc", f'"{"a" * 400}" "b"')
    peer.answers(finding(reader=place("/x" * 60, 1, 404), before="b" * 150), finding(after="c" * 150), texts={1: ""})
    _, shown = peer.cli.on_terminal("check", "--subject", "orders", "new.avsc", NO_COLOR="1", COLUMNS="100")
    lines = [line.rstrip("\r") for line in shown.split("\n")]
    excerpt = [line for line in lines if line.startswith("    ")]
    assert max(map(len, excerpt)) <= 100
    assert sum("b" * 40 + "..." in line for line in excerpt) == 1
    # For a file nothing of the values is cut.
    assert any("b" * 150 in line for line in peer.lines())
