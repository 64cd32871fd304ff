"""A private PostgreSQL for tests: made, started, asked for databases and removed.

Refuses to use a server that is already there, and to skip when PostgreSQL is not installed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

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
        self.run(
            "initdb",
            *("--pgdata", str(self._data), "--username", _USER, "--auth", "trust", "--no-sync"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en-US"),
        )
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = " ".join(f"-c {setting}" for setting in self._settings)
        log = str(self._folder / "log")
        self.run("pg_ctl", "start", "--wait", "--pgdata", str(self._data), "--log", log, "--options", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server whose process id stands in the data folder; `immediate` leaves the next start to recover."""
        self.run("pg_ctl", "stop", "--wait", "--pgdata", str(self._data), "--mode", mode)

    def is_running(self) -> bool:
        """Tell whether the server runs."""
        try:
            self.run("pg_ctl", "status", "--pgdata", str(self._data))
        except RuntimeError:
            return False
        return True

    @property
    def log(self) -> str:
        """What the server logged."""
        return (self._folder / "log").read_text()

    @property
    def sockets(self) -> Path:
        """The folder of its socket."""
        return self._folder

    def program(self, name: str) -> str:
        """Answer the path of one of PostgreSQL's programs."""
        return str(self._binaries / name)

    def folder(self, name: str) -> Path:
        """Make a folder that the server may write."""
        made = self._folder / name
        made.mkdir()
        self._give(made)
        return made

    def keep_data(self) -> Path:
        """Copy the data of the stopped server and answer where."""
        return shutil.copytree(self._data, self._folder / "kept")

    def recover_data(self, kept: Path, **settings: str) -> None:
        """Put earlier data in place of the stopped server's, recover them as the settings say, and start."""
        shutil.rmtree(self._data)
        kept.rename(self._data)
        (self._data / "recovery.signal").touch()
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self._give(self._data)
        self.start()

    def _give(self, folder: Path) -> None:
        if self._owner:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, self._owner, self._owner)
        folder.chmod(0o700)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no process of the server run during the block."""
        postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def create_database(self, template: str = "template0") -> str:
        """Make a database and name it."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.run("createdb", *self.connection, "--template", template, name)
        return name

    @property
    def connection(self) -> tuple[str, ...]:
        """The options by which a program finds the server."""
        return "--host", str(self._folder), "--username", _USER

    def url(self, database: str) -> str:
        """Answer the URL of a database."""
        return f"postgresql:///{database}?host={self._folder}&user={_USER}"

    def remove(self) -> None:
        """Stop the server, if it runs, and remove all it wrote."""
        if self.is_running():
            self.stop("immediate")
        shutil.rmtree(self._folder)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as the server's owner. Raises RuntimeError."""
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
