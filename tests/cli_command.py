"""The command line as a user runs it: in this process for speed, installed, or on a terminal of its own.

Refuses to hand the environment of the test to the command.
"""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest

import llm_schema_registry
from llm_schema_registry.cli import main

COMMAND = Path(sys.executable).parent / "lsr"
SOURCES = Path(llm_schema_registry.__file__).parents[1]
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]")
Json: TypeAlias = Any


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


class Cli:
    """Runs the command in a folder.

    `run` calls the entry point in this process, since starting an interpreter takes longer than a command;
    `start` and `on_terminal` start the installed command.
    """

    def __init__(self, folder: Path, url: str = "http://127.0.0.1:1") -> None:
        self.url = url
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "SCHEMA_REGISTRY_URL": url,
            "PYTHONPATH": str(SOURCES),
        }

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        streams = [io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8") for text in (stdin, "", "")]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name in os.environ:
                patch.delenv(name)
            for name, value in {**self.environment, **environment}.items():
                patch.setenv(name, value)
            for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
                patch.setattr(sys, name, stream)
            patch.setattr(sys, "argv", [str(COMMAND), *arguments])
            with pytest.raises(SystemExit) as end:
                main()
            stdout, stderr = (stream.seek(0) or stream.read() for stream in streams[1:])
        return Done(int(end.value.code or 0), stdout, stderr)

    def start(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str, stdin: str = "") -> Json:
        done = self.run(*arguments, "--output", "json", stdin=stdin)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def refusal(self, *arguments: str, stdin: str = "", **environment: str) -> str:
        """Run what must fail; only standard error may speak."""
        done = self.run(*arguments, stdin=stdin, **environment)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    def on_terminal(self, *arguments: str, typed: str = "", **environment: str) -> tuple[int, str]:
        """Run on a terminal of its own; return the exit code and all that was shown."""
        mine, its = pty.openpty()
        with subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env={**self.environment, "TERM": "xterm", **environment},
            stdin=its,
            stdout=its,
            stderr=its,
        ) as process:
            os.close(its)
            os.write(mine, typed.encode())
            shown = b""
            while True:
                try:
                    chunk = os.read(mine, 65536)
                except OSError:  # Linux: the other end is closed
                    break
                if not chunk:
                    break
                shown += chunk
            code = process.wait(timeout=30)
        os.close(mine)
        return code, shown.decode()

    def write(self, name: str, text: str) -> str:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)
        return name

    def git(self, *arguments: str) -> None:
        """Run git in the folder, as someone who has no settings."""
        author = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *author, *arguments], cwd=self.folder, env=self.environment, check=True)
