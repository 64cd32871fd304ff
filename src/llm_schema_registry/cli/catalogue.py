"""`catalogue`: the canonical schemas of an LLM platform, listed and installed on a server.

Refuses to change what an owner has changed, and to judge compatibility: the server does.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from llm_schema_registry.catalogue import RELEASE, SHIPPED, Entry, Module, choose, load, release_of
from llm_schema_registry.cli.failure import Failure, Refused
from llm_schema_registry.cli.findings import INCOMPATIBLE_CODES, readable, told
from llm_schema_registry.cli.output import Output, harmless
from llm_schema_registry.cli.remote import Json, Remote, path
from llm_schema_registry.cli.session import Session, command
from llm_schema_registry.model import Metadata

app = typer.Typer(help="The canonical schemas of an LLM platform.", no_args_is_help=True)

Modules = Annotated[
    list[Module] | None,
    typer.Option("--module", case_sensitive=False, help="Only this module; repeat for more.", show_default=False),
]
From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FOLDER",
        help="Another catalogue than the one that is shipped, in the same form.",
        show_default=False,
    ),
]

_SUBJECT_NOT_FOUND = 40401
_CONFIG_NOT_FOUND = 40408
_SCHEMA_STATUS = frozenset({"409", "422"})
"""The HTTP status of a refusal that is about the schema, so that others may fare better."""


class Action(StrEnum):
    """What became of an entry, or with --dry-run would."""

    INSTALLED = "installed"
    UPGRADED = "upgraded"
    UNCHANGED = "unchanged"
    LEFT_ALONE = "left alone"
    REFUSED = "refused"
    SKIPPED = "skipped"


_WRITES = frozenset({Action.INSTALLED, Action.UPGRADED})
_FAILURES = frozenset({Action.REFUSED, Action.SKIPPED})


class Outcome(msgspec.Struct, kw_only=True):
    """A line of the answer. `version` is the one that others of the catalogue refer to, None while there is none."""

    subject: str
    action: Action
    release: str
    version: int | None = None
    settings: dict[str, str] = {}
    note: str = ""


@command(app, "list", "lsr catalogue list", "lsr catalogue list --module costops")
def list_entries(session: Session, module: Modules = None, folder: From = None) -> None:
    """List the schemas of the catalogue, with the parts that they share; no server is asked."""
    rows = [
        {
            "module": entry.module,
            "subject": entry.subject,
            "type": entry.contract.schema_type,
            "release": entry.contract.release,
            "compatibility": entry.contract.compatibility_level,
            "owner": entry.contract.owner_team,
            "description": entry.contract.description,
        }
        for entry in _chosen(module, folder)
    ]
    session.show(rows, tuple(rows[0]) if rows else (), (tuple(row.values()) for row in rows))


@command(
    app,
    "install",
    "lsr catalogue install",
    "lsr catalogue install --module observatory --module costops",
    "lsr catalogue install --dry-run",
)
def install(
    session: Session,
    module: Modules = None,
    folder: From = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Register the schemas that the server lacks, and the next version of those that an earlier release brought.

    Level and policy of a subject are set where nothing is set yet. What its owner has changed since is left alone.
    """
    installation = _Installation(session.remote, dry_run=dry_run)
    for entry in _chosen(module, folder):
        installation.add(entry)
    outcomes = list(installation.outcomes.values())
    session.show(
        [msgspec.to_builtins(outcome) for outcome in outcomes],
        ("subject", "action", "version", "release", "settings", "note"),
        (
            (
                outcome.subject,
                f"to be {outcome.action}" if dry_run and outcome.action in _WRITES else outcome.action,
                outcome.version,
                outcome.release,
                [f"{name}={value}" for name, value in outcome.settings.items()],
                outcome.note,
            )
            for outcome in outcomes
        ),
    )
    if session.output is Output.TABLE and not any(
        outcome.action in _WRITES or outcome.settings for outcome in outcomes
    ):
        typer.echo("Nothing changed.")
    if failed := [outcome.subject for outcome in outcomes if outcome.action in _FAILURES]:
        raise Failure(
            f"not all of the catalogue is installed: {', '.join(failed)}", "The other schemas are; run it again after."
        )


class _Installation:
    """The way of entries onto a server, one after another; those that others refer to come first."""

    def __init__(self, remote: Remote, *, dry_run: bool) -> None:
        self._remote = remote
        self._is_dry = dry_run
        self.outcomes: dict[str, Outcome] = {}

    def add(self, entry: Entry) -> None:
        """Bring one entry, unless the server has it already; what became of it is the last of `outcomes`."""
        outcome = self._judge(entry, self._versions(entry.subject))
        self.outcomes[entry.subject] = outcome
        if outcome.action not in _WRITES:
            if outcome.action is Action.UNCHANGED:
                outcome.settings = self._settle(entry)
            return
        lacking = [use.subject for use in entry.contract.references if self.outcomes[use.subject].action in _FAILURES]
        if lacking:
            outcome.action, outcome.note = Action.SKIPPED, f"needs {', '.join(lacking)}"
            return
        # The settings first: an upgrade is judged by them.
        outcome.settings = self._settle(entry)
        if not self._is_dry:
            self._register(entry, outcome)

    def _judge(self, entry: Entry, versions: Sequence[Json]) -> Outcome:
        """Decide what to do by the releases that the subject's versions say they came with.

        A release brings a subject one version. A later one that says the same was made from it by somebody else, since
        metadata is inherited.
        """
        contract = entry.contract
        outcome = Outcome(subject=entry.subject, action=Action.INSTALLED, release=contract.release)
        present = [row for row in versions if not row["deleted"]]
        if not present:
            return outcome
        latest = present[-1]
        release = _release(latest)
        first = next(row for row in versions if _release(row) == release)
        same = next((row for row in present if _release(row) == contract.release), None)
        outcome.version = (same or latest)["version"]
        if latest is same:
            outcome.action = Action.UNCHANGED
        elif latest is first and _is_earlier(release, contract.release):
            outcome.action = Action.UPGRADED
        else:
            outcome.action = Action.LEFT_ALONE
            source = f"came with release {release}" if latest is first and release else "is its owner's"
            outcome.note = f"version {latest['version']} {source}"
        return outcome

    def _versions(self, subject: str) -> list[Json]:
        try:
            return list(self._remote.pages(path("v1", "subjects", subject, "versions"), {"deleted": True}))
        except Refused as refused:
            if refused.code != _SUBJECT_NOT_FOUND:
                raise
            return []

    def _settle(self, entry: Entry) -> dict[str, str]:
        """Set what the subject's settings leave open, and return it."""
        wanted = {
            "compatibility": entry.contract.compatibility_level.value,
            "compatibilityPolicy": entry.contract.compatibility_policy.value,
        }
        target = path("config", entry.subject)
        try:
            present = self._remote.get(target)
        except Refused as refused:
            if refused.code != _CONFIG_NOT_FOUND:
                raise
            present = {}
        if "compatibilityLevel" in present:
            del wanted["compatibility"]
        if "compatibilityPolicy" in present:
            del wanted["compatibilityPolicy"]
        if wanted and not self._is_dry:
            self._remote.put(target, wanted)
        return wanted

    def _register(self, entry: Entry, outcome: Outcome) -> None:
        try:
            answer = self._remote.post(path("v1", "subjects", entry.subject, "versions"), self._body(entry))
        except Refused as refused:
            if str(refused.code)[:3] not in _SCHEMA_STATUS:
                raise
            outcome.action, outcome.note = Action.REFUSED, f"error {refused.code}"
            why = str(refused)
            if refused.code in INCOMPATIBLE_CODES:
                why = "\n".join(told(self._remote)) or readable(why)
            typer.echo(harmless(f"{entry.subject}: {why}"), err=True)
            return
        outcome.version = answer["version"]

    def _body(self, entry: Entry) -> dict[str, Any]:
        contract = entry.contract
        properties = {**(contract.metadata.properties or {}), RELEASE: contract.release}
        return {
            "definition": entry.text,
            "schema_type": contract.schema_type,
            "references": [
                {"name": use.name, "subject": use.subject, "version": self.outcomes[use.subject].version}
                for use in contract.references
            ],
            "owner_team": contract.owner_team,
            "description": contract.description,
            "tags": contract.tags,
            "documentation_url": contract.documentation_url,
            "metadata": msgspec.to_builtins(Metadata(contract.metadata.tags, properties, contract.metadata.sensitive)),
            "rule_set": msgspec.to_builtins(contract.rule_set),
        }


def _chosen(modules: Sequence[Module] | None, folder: Path | None) -> Sequence[Entry]:
    try:
        entries = load(SHIPPED if folder is None else folder)
    except (ValueError, OSError) as error:
        raise Failure(f"the catalogue cannot be read: {error}") from None
    if not entries:
        raise Failure(
            f"{folder} holds no catalogue", "It has a folder for each module, and in it one for each subject."
        )
    return choose(entries, modules) if modules else entries


def _release(row: Json) -> str | None:
    properties = (row["metadata"] or {}).get("properties") or {}
    release: str | None = properties.get(RELEASE)
    return release


def _is_earlier(release: str | None, other: str) -> bool:
    try:
        return release is not None and release_of(release) < release_of(other)
    except ValueError:
        return False
