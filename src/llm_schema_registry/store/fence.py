"""The fence: a database that is older than what its servers have acknowledged never gives out an id again.

Refuses to open a database, to commit, and to bring back what was lost. What it raises is a count of ids: contexts, new
ones too, go on behind every id that the lost part of the log can have given out.

A file of SQLite keeps beside it how far it came (`PositionFile`). PostgreSQL remembers in the database where that
database lives (`ServerIdentity`); a copy finds itself elsewhere.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy import BigInteger, ColumnElement, Text, case, cast, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert  # SQLite compiles it to the same words

from llm_schema_registry.errors import StoreFailed
from llm_schema_registry.model import MAX_ID, TOP_LEVEL, EventType
from llm_schema_registry.store.engine import file_of, is_postgresql
from llm_schema_registry.store.rows import Run, json_of
from llm_schema_registry.store.tables import contexts, counters, events, homes

UNKNOWN_JUMP = 1_000_000
"""By how much ids are raised when nobody knows how much was lost."""

_SLACK = 1000
"""What may be missing in the position file: commits whose processes died before they wrote it."""

_LARGEST_JUMP = 2**30
"""More would use up the ids of most registries, so that a person decides."""

_LAST = counters.c.last
_FIRST_ID = select(_LAST).where(counters.c.name == "first_id").scalar_subquery()
_STANDING = select(
    select(_LAST).where(counters.c.name == "events").scalar_subquery(),
    # Contexts begin behind `first_id`. An import with an id of its own may skip many, for one event.
    select(cast(func.sum(contexts.c.last_id) - func.count() * func.coalesce(_FIRST_ID, 0), BigInteger))
    .select_from(contexts)
    .scalar_subquery(),
)


class Standing(NamedTuple):
    """How far a database came: the position of its log, and how many ids its contexts gave out or skipped."""

    position: int
    ids: int


class Fence(Protocol):
    """What a store asks when it opens a database, when it connects anew, and when it has committed."""

    async def check(self, run: Run) -> str:
        """Raise the ids of an older copy inside the caller's transaction, and answer what to warn of; "" for nothing.

        The tables are up to date and nobody else writes. Raises StoreFailed when the ids would not suffice.
        """

    async def is_home(self, run: Run) -> bool:
        """Answer whether a new connection leads to the database that was checked; what it was, `check` tells."""

    async def measure(self, run: Run) -> Standing | None:
        """Answer how far the transaction goes, for `keep` after its commit; None where nothing is kept."""

    def keep(self, standing: Standing | None) -> None:
        """Remember what was committed."""

    def close(self) -> None:
        """Give back what is open."""


class NoFence:
    """For a database in memory, of which there are no copies. It keeps nothing and has nothing open."""

    async def check(self, run: Run) -> str:
        """See `Fence.check`."""
        return ""

    async def is_home(self, run: Run) -> bool:
        """See `Fence.is_home`."""
        return True

    async def measure(self, run: Run) -> Standing | None:
        """See `Fence.measure`."""
        return None

    def keep(self, standing: Standing | None) -> None:
        """See `Fence.keep`."""

    def close(self) -> None:
        """See `Fence.close`."""


class PositionFile:
    """The file `<database>-position` beside a file of SQLite: two numbers of fixed width, rewritten by every commit.

    It is not synced: after a loss of power it may lag, but the database may not, and only a database that is behind
    its file is an older copy.
    """

    _KIND = "file"
    _WIDTH = 20

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-position")
        self._file: int | None = None

    async def check(self, run: Run) -> str:
        """See `Fence.check`."""
        standing = await measure(run)
        kept = self._read()
        has_kept = bool(await run(select(homes.c.kind).where(homes.c.kind == self._KIND), {}))
        warning = ""
        if kept is None and has_kept:
            warning = await raise_ids(run, UNKNOWN_JUMP, f"{self._path.name} is missing beside the database")
        elif kept is not None and (lost := max(kept.position - standing.position, kept.ids - standing.ids)) > 0:
            warning = await raise_ids(
                run,
                lost + _SLACK,
                f"the database is at position {standing.position}, but {self._path.name} says that it was at "
                f"{kept.position}",
            )
        if not has_kept:
            await run(insert(homes), {"kind": self._KIND, "identity": ""})
        self._create(await measure(run))
        return warning

    async def is_home(self, run: Run) -> bool:
        """See `Fence.is_home`."""
        return True

    async def measure(self, run: Run) -> Standing:
        """See `Fence.measure`."""
        return await measure(run)

    def keep(self, standing: Standing | None) -> None:
        """See `Fence.keep`."""
        if standing is None:
            return
        # The commit stands whatever becomes of the file.
        with suppress(OSError):
            os.pwrite(self._open(), self._line(standing), 0)

    def close(self) -> None:
        """See `Fence.close`."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _create(self, standing: Standing) -> None:
        """Write the file so that it is there after a loss of power; one that was removed is made anew."""
        self.close()
        os.pwrite(self._open(), self._line(standing), 0)
        os.fsync(self._open())
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _open(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        return self._file

    def _read(self) -> Standing | None:
        try:
            position, ids = self._path.read_text("ascii").split()
            return Standing(int(position), int(ids))
        except (FileNotFoundError, ValueError):
            return None

    def _line(self, standing: Standing) -> bytes:
        return f"{standing.position:0{self._WIDTH}} {standing.ids:0{self._WIDTH}}\n".encode()


class ServerIdentity:
    """Where a database of PostgreSQL lives: cluster, database, the table of contexts, timeline.

    A dump that is loaded elsewhere, or over the tables, changes one of the first three; a recovery to a point in time
    and the promotion of a replica begin a new timeline.
    """

    _KIND = "server"
    # A part that the server does not have, or does not tell this user, is unknown and never differs.
    _PARTS = (
        ("system", "pg_control_system()", "(SELECT system_identifier::text FROM pg_control_system())"),
        ("database", "", "(SELECT oid::text FROM pg_database WHERE datname = current_database())"),
        ("contexts", "", "'contexts'::regclass::oid::text"),
        ("timeline", "pg_walfile_name(pg_lsn)", "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"),
    )

    async def check(self, run: Run) -> str:
        """See `Fence.check`."""
        now, remembered = await self._look(run)
        if remembered is not None and _text(now) == remembered:
            return ""
        warning = ""
        if remembered is not None:
            before = dict(part.split("=", 1) for part in remembered.split())
            if changed := _changed(before, now):
                warning = await raise_ids(run, UNKNOWN_JUMP, f"the database is not where it was: {', '.join(changed)}")
            now = before | now
        put = upsert(homes)
        await run(
            put.on_conflict_do_update(index_elements=["kind"], set_={"identity": put.excluded.identity}),
            {"kind": self._KIND, "identity": _text(now)},
        )
        return warning

    async def is_home(self, run: Run) -> bool:
        """See `Fence.is_home`."""
        now, remembered = await self._look(run)
        return remembered is not None and not _changed(dict(part.split("=", 1) for part in remembered.split()), now)

    async def measure(self, run: Run) -> Standing | None:
        """See `Fence.measure`."""
        return None

    def keep(self, standing: Standing | None) -> None:
        """See `Fence.keep`."""

    def close(self) -> None:
        """See `Fence.close`."""

    async def _look(self, run: Run) -> tuple[dict[str, str], str | None]:
        """Answer what the database is, and what it remembers to be."""
        now = {}
        for name, function, expression in self._PARTS:
            if part := await self._ask(run, function, expression):
                now[name] = part
        remembered = await run(select(homes.c.identity).where(homes.c.kind == self._KIND), {})
        return now, remembered[0][0] if remembered else None

    async def _ask(self, run: Run, function: str, expression: str) -> str:
        if function:
            # Asked first: a refusal would end the transaction.
            may = func.has_function_privilege(func.to_regprocedure(function), "execute")
            if not (await run(select(may), {}))[0][0]:
                return ""
        return str((await run(select(literal_column(expression, Text)), {}))[0][0])


def _text(identity: dict[str, str]) -> str:
    return " ".join(f"{name}={part}" for name, part in identity.items())


def _changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Answer what differs. A person who empties what is remembered says that all of it does."""
    if not before:
        return ["it was told to forget that place"]
    return [f"{name} was {before[name]}, is {now[name]}" for name in now if before.get(name, now[name]) != now[name]]


async def measure(run: Run) -> Standing:
    """Answer how far the transaction's database came."""
    position, ids = (await run(_STANDING, {}))[0]
    return Standing(position, ids)


async def raise_ids(run: Run, jump: int, reason: str) -> str:
    """Put `jump` ids and positions behind what every context gave out, tell the log, and answer what was done.

    A context that has fewer ids left gives out no more. Raises StoreFailed when the jump would use up most of all ids.
    """
    if jump > _LARGEST_JUMP:
        raise StoreFailed(
            f"This is an older copy: {reason}. Going on behind the lost ids would skip {jump} of {MAX_ID}; bring back "
            "a newer copy, or see docs/howto/back-up-and-restore.md on how to go on with this one"
        )
    await run(update(contexts).values(last_id=_raised(contexts.c.last_id, jump)), {})
    await run(update(counters).where(counters.c.name == "first_id").values(last=_raised(_LAST, jump)), {})
    counted = update(counters).where(counters.c.name == "events").values(last=_LAST + jump + 1).returning(_LAST)
    position = (await run(counted, {}))[0][0]
    await run(
        insert(events),
        {
            "position": position,
            "type": EventType.COPY_RESTORED.value,
            "context": TOP_LEVEL.context,
            "subject": TOP_LEVEL.name,
            "actor": "",
            "request_id": "",
            "at": time.time_ns() // 1_000_000,
            "details": json_of({"reason": reason, "skippedIds": str(jump)}),
        },
    )
    return f"This is an older copy: {reason}. {jump} ids are skipped in every context"


def _raised(last: ColumnElement[int], jump: int) -> ColumnElement[int]:
    return case((last + jump <= MAX_ID, last + jump), (last <= MAX_ID, MAX_ID), else_=last)


def open_fence(url: str) -> Fence:
    """Answer the fence of the database that a store's URL names."""
    file = file_of(url)
    if file is not None:
        return PositionFile(file.absolute())
    return ServerIdentity() if is_postgresql(url) else NoFence()
