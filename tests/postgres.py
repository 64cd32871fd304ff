"""A private PostgreSQL for tests: made, started, asked for databases and removed.

Refuses to use a server that is already there, and to skip when PostgreSQL is not installed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

_USER = "postgres"


class PrivatePostgres:
    """One instance on a socket in its own folder. Its databases order text by a language unless told otherwise.

    Durability is the machine's matter for most tests; without it, databases are made in a tenth of the time. Who tests
    what survives asks for `is_durable`. `settings` are more lines of its configuration, `place` is where its folder is.
    """

    def __init__(self, *settings: str, is_durable: bool = False, place: Path | None = None) -> None:
        self._binaries = _find_binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="lsr-pg-", dir=place))
        self._settings = (
            *("listen_addresses=''", f"unix_socket_directories={self._folder}", "max_connections=200"),
            *(("fsync=on", "synchronous_commit=on") if is_durable else ("fsync=off",)),
            *settings,
        )
        # PostgreSQL refuses to run as root.
        self._owner = _USER if os.geteuid() == 0 else None
        if self._owner:
            owner = pwd.getpwnam(_USER)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        self._data = self._folder / "data"
        self._databases = 0
        self._run(
            "initdb",
            *("--pgdata", str(self._data), "--username", _USER, "--auth", "trust", "--no-sync"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en-US"),
        )
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = " ".join(f"-c {setting}" for setting in self._settings)
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "--wait", "--pgdata", str(self._data), "--log", log, "--options", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server whose process id stands in the data folder; `immediate` leaves the next start to recover."""
        self._run("pg_ctl", "stop", "--wait", "--pgdata", str(self._data), "--mode", mode)

    def is_running(self) -> bool:
        """Tell whether the server runs."""
        try:
            self._run("pg_ctl", "status", "--pgdata", str(self._data))
        except RuntimeError:
            return False
        return True

    @property
    def folder(self) -> Path:
        """The folder of its socket."""
        return self._folder

    @property
    def log(self) -> str:
        """What the server logged."""
        return (self._folder / "log").read_text()

    def create_database(self, template: str = "template0") -> str:
        """Make a database and name it."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.run_tool("createdb", "--template", template, name)
        return name

    def url(self, database: str) -> str:
        """Answer the URL of a database."""
        return f"postgresql:///{database}?host={self._folder}&user={_USER}"

    def run_tool(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's own clients against the server. Raises RuntimeError with what it said."""
        self._run(program, "--host", str(self._folder), "--username", _USER, *arguments)

    def remove(self) -> None:
        """Stop the server, if it runs, and remove all it wrote."""
        if self.is_running():
            self.stop("immediate")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        # pg_ctl's server would keep a pipe open, so what it says goes to a file.
        with (self._folder / "said").open("a+") as said:
            done = subprocess.run(
                command,
                cwd=self._folder,
                user=self._owner,
                group=self._owner,
                extra_groups=[] if self._owner else None,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode:
                said.seek(0)
                raise RuntimeError(f"{program} failed:\n{said.read()}")


def _find_binaries() -> Path:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not installed:
        raise RuntimeError("PostgreSQL's server programs are not installed: run make setup-test")
    return installed[-1].parent
