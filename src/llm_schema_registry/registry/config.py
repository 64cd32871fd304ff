"""Settings of scopes: reading, merging, inheriting (rest-api 4.5 and section 6).

Refuses to know modes, and what a setting means to registration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from llm_schema_registry.contracts.rules import check_rule_set
from llm_schema_registry.errors import OperationNotPermitted, SubjectConfigNotFound, SubjectNotFound
from llm_schema_registry.model import EVERYWHERE, TOP_LEVEL, CompatibilityLevel, Config, EventType, Mode, Subject
from llm_schema_registry.names import check_subject, parse_subject
from llm_schema_registry.registry.mode import effective_mode
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.store.base import Reader

_RULE_SETS = frozenset({"default_rule_set", "override_rule_set"})
_NEVER_INHERITED = frozenset({"alias"})


def wider_scopes(subject: Subject) -> tuple[Subject, ...]:
    """The scopes that decide what a subject leaves unset: its context, then every context."""
    context = Subject(subject.context, "")
    return tuple(scope for scope in (context, EVERYWHERE) if scope != subject)


async def effective_config(call: Call, reader: Reader, subject: Subject) -> Config:
    """Return the settings in force for a subject, the compatibility level always among them."""
    merged = await reader.find_config(subject) or Config()
    for scope in wider_scopes(subject):
        wider = await reader.find_config(scope)
        if wider is not None:
            merged = _fill(merged, wider)
    return _fill(merged, Config(compatibility_level=call.policy.default_level))


async def follow_alias(reader: Reader, subject: Subject) -> Subject:
    """Return the subject that requests for `subject` act on: its alias target, or itself (rest-api section 7)."""
    config = await reader.find_config(subject)
    return parse_subject(config.alias, subject.context) if config and config.alias else subject


@operation(Permission.READ)
async def get_config(call: Call, scope: Subject, *, defaults_to_global: bool = False) -> Config:
    """Return the settings of a scope; the top level always answers. Raises SubjectConfigNotFound."""
    if defaults_to_global or scope == TOP_LEVEL:
        return await effective_config(call, call.store.reader, scope)
    config = await call.store.reader.find_config(scope)
    if config is None:
        raise SubjectConfigNotFound(scope)
    return config


@operation(Permission.READ)
async def levels_of(call: Call, subjects: Collection[Subject]) -> dict[Subject, CompatibilityLevel]:
    """Return the compatibility level in force for each subject."""
    levels = {}
    for subject in subjects:
        config = await effective_config(call, call.store.reader, subject)
        levels[subject] = config.compatibility_level or call.policy.default_level
    return levels


@operation(Permission.CONFIGURE)
async def put_config(call: Call, scope: Subject, changes: Mapping[str, object]) -> Config:
    """Merge changes into the settings of a scope: an absent member is kept, None clears it.

    `changes` maps field names of `Config` to values. The subject need not exist. Raises InvalidSubject,
    InvalidRuleSet, and OperationNotPermitted when the scope is read-only. Returns the resulting settings.
    """
    if scope != EVERYWHERE:
        check_subject(scope)
    checked = {
        name: check_rule_set(value) if name in _RULE_SETS and value is not None else value  # type: ignore[arg-type]  # the field's type says RuleSet
        for name, value in changes.items()
    }
    async with call.store.transaction(lock=(scope,)) as writer:
        await require_configurable(writer, scope)
        config = msgspec.structs.replace(await writer.find_config(scope) or Config(), **checked)
        if config == Config():
            await writer.delete_config(scope)
        else:
            await writer.put_config(scope, config)
        document = msgspec.json.encode(config).decode()
        await writer.append_event(call.event(EventType.CONFIG_CHANGED, scope, config=document))
    return config


@operation(Permission.CONFIGURE)
async def delete_config(call: Call, scope: Subject) -> Config:
    """Unset the settings of a scope and return them as they were.

    Raises SubjectNotFound when none were set (the top level never raises that), OperationNotPermitted when the scope
    is read-only.
    """
    async with call.store.transaction(lock=(scope,)) as writer:
        await require_configurable(writer, scope)
        config = await writer.find_config(scope)
        if config is None:
            if scope != TOP_LEVEL:
                raise SubjectNotFound(scope)
            return _fill(Config(), Config(compatibility_level=call.policy.default_level))
        await writer.delete_config(scope)
        await writer.append_event(call.event(EventType.CONFIG_DELETED, scope))
    return config


async def require_configurable(reader: Reader, scope: Subject) -> None:
    """Raise OperationNotPermitted when the scope is read-only."""
    if await effective_mode(reader, scope) in {Mode.READONLY, Mode.READONLY_OVERRIDE}:
        raise OperationNotPermitted(f"Subject {scope} is in read-only mode")


def _fill(config: Config, wider: Config) -> Config:
    """Return the config with its unset members taken from a wider scope."""
    missing = {
        name: getattr(wider, name)
        for name in Config.__struct_fields__
        if name not in _NEVER_INHERITED and getattr(config, name) is None
    }
    return msgspec.structs.replace(config, **missing)
