"""The Python on the page about existing clients is run against a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from server_process import running_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "use-existing-clients.md"


def test_the_python_runs_as_it_stands() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert "http://127.0.0.1:8081" in code
    with running_server() as server:
        local = code.replace("http://127.0.0.1:8081", server.url)
        done = subprocess.run([sys.executable, "-c", local], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
