"""Rules and payloads that want to hang, crash or fill the process: each is answered, by a process that lives."""

from __future__ import annotations

import json
import subprocess
import sys

import cel_hostile

PASSING = {"a deep payload"}
FAILING = {"ors at the limit", "a backtracking pattern", "a zero byte"}


def test_each_is_answered_within_the_process_s_limits() -> None:
    """The process dies when one takes more memory or time than it may."""
    command = [sys.executable, cel_hostile.__file__]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert list(answers) == [case[0] for case in cel_hostile.CASES + cel_hostile.FIELD_CASES]
    for name, answer in answers.items():
        expected = {"passed"} if name in PASSING else {"failed"} if name in FAILING else {"refused", "error"}
        assert answer["outcome"] in expected, answer
        assert bool(answer["says"]) is (name not in PASSING)
