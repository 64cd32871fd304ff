"""What is in force for a subject: its own settings, those of its context, those of every context (rest-api section 6).

Refuses to change settings, and to know what they mean to an operation.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from llm_schema_registry.errors import OperationNotPermitted
from llm_schema_registry.model import EVERYWHERE, CompatibilityLevel, Config, Mode, Subject
from llm_schema_registry.names import parse_subject
from llm_schema_registry.store.base import Reader, ScopeSettings

_NEVER_INHERITED = frozenset({"alias"})


@dataclass(frozen=True, slots=True)
class Scopes:
    """The settings that decide for a subject, from its own to the widest."""

    subject: Subject
    settings: tuple[ScopeSettings, ...]

    @property
    def mode(self) -> Mode:
        """The mode in force: the first that is set, or READWRITE."""
        return next((scope.mode for scope in self.settings if scope.mode is not None), Mode.READWRITE)

    def config(self, default_level: CompatibilityLevel) -> Config:
        """The settings in force, the compatibility level always among them."""
        merged = self.settings[0].config or Config()
        for wider in self.settings[1:]:
            if wider.config is not None:
                merged = fill(merged, wider.config)
        return fill(merged, Config(compatibility_level=default_level))

    def require_writable(self) -> Mode:
        """Return the mode in force. Raises OperationNotPermitted when it is read-only."""
        if self.mode in {Mode.READONLY, Mode.READONLY_OVERRIDE}:
            raise OperationNotPermitted(f"Subject {self.subject} is in read-only mode")
        return self.mode


def wider_scopes(subject: Subject) -> tuple[Subject, ...]:
    """The scopes whose settings also decide for a subject. A transaction that relies on them shares them."""
    return Subject(subject.context, ""), EVERYWHERE


async def load_scopes(reader: Reader, subject: Subject) -> Scopes:
    """Read what decides for exactly this subject or scope."""
    return Scopes(subject, await reader.list_settings(subject))


async def settle(reader: Reader, subject: Subject) -> Scopes:
    """Read what decides for the subject that requests for `subject` act on: its alias target, or itself (section 7)."""
    scopes = await load_scopes(reader, subject)
    own = scopes.settings[0].config
    if own is None or not own.alias:
        return scopes
    return await load_scopes(reader, parse_subject(own.alias, subject.context))


def fill(config: Config, wider: Config) -> Config:
    """Return the settings with unset members taken from a wider scope."""
    missing = {
        name: getattr(wider, name)
        for name in Config.__struct_fields__
        if name not in _NEVER_INHERITED and getattr(config, name) is None
    }
    return msgspec.structs.replace(config, **missing)
