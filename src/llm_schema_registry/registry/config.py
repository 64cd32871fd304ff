"""Settings of scopes: reading, merging, inheriting (rest-api 4.5 and section 6).

Refuses to know modes, and what a setting means to registration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from llm_schema_registry.contracts.merge import merge_metadata
from llm_schema_registry.contracts.rules.check import check_rule_set
from llm_schema_registry.errors import SubjectConfigNotFound, SubjectNotFound
from llm_schema_registry.model import (
    EVERYWHERE,
    TOP_LEVEL,
    CompatibilityLevel,
    Config,
    EventType,
    Metadata,
    RuleSet,
    Subject,
)
from llm_schema_registry.names import check_subject
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.scopes import Scopes, load_scopes, wider_scopes
from llm_schema_registry.store.base import Writer


@operation(Permission.READ)
async def get_config(call: Call, scope: Subject, *, defaults_to_global: bool = False) -> Config:
    """Return the settings of a scope; the top level always answers. Raises SubjectConfigNotFound."""
    scopes = await load_scopes(call.store.reader, scope)
    if defaults_to_global:
        return scopes.config(call.policy.default_level)
    return _own_config(call, scopes, SubjectConfigNotFound(scope))


@operation(Permission.READ)
async def levels_of(call: Call, subjects: Collection[Subject]) -> dict[Subject, CompatibilityLevel]:
    """Return the compatibility level in force for each subject."""
    levels = {}
    for subject in subjects:
        config = (await load_scopes(call.store.reader, subject)).config(call.policy.default_level)
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
    checked = {name: _checked(value) for name, value in changes.items()}
    async with call.store.transaction(lock=(scope,), share=wider_scopes(scope)) as writer:
        (await load_scopes(writer, scope)).require_writable()
        return await change_config(call, writer, scope, checked)


@operation(Permission.CONFIGURE)
async def delete_config(call: Call, scope: Subject) -> Config:
    """Unset the settings of a scope and return them as they were.

    Raises SubjectNotFound when none were set (the top level never raises that), OperationNotPermitted when the scope
    is read-only.
    """
    async with call.store.transaction(lock=(scope,), share=wider_scopes(scope)) as writer:
        scopes = await load_scopes(writer, scope)
        scopes.require_writable()
        config = _own_config(call, scopes, SubjectNotFound(scope))
        await unset_config(call, writer, scope)
    return config


async def change_config(call: Call, writer: Writer, scope: Subject, changes: Mapping[str, object]) -> Config:
    """Merge changes into the settings of a scope, in a transaction that locks it; tell only of real changes."""
    before = await writer.find_config(scope) or Config()
    config = msgspec.structs.replace(before, **changes)
    if config == before:
        return config
    if config == Config():
        await writer.delete_config(scope)
        await writer.append_event(call.event(EventType.CONFIG_DELETED, scope))
    else:
        await writer.put_config(scope, config)
        document = msgspec.json.encode(config).decode()
        await writer.append_event(call.event(EventType.CONFIG_CHANGED, scope, config=document))
    return config


async def unset_config(call: Call, writer: Writer, scope: Subject) -> None:
    """Unset the settings of a scope, if it has any, in a transaction that locks it."""
    await change_config(call, writer, scope, dict.fromkeys(Config.__struct_fields__))


def _own_config(call: Call, scopes: Scopes, absent: Exception) -> Config:
    """Return what a scope itself has set; the top level always has a compatibility level."""
    own = scopes.settings[0].config
    if scopes.subject == TOP_LEVEL:
        level = scopes.config(call.policy.default_level).compatibility_level
        return msgspec.structs.replace(own or Config(), compatibility_level=level)
    if own is None:
        raise absent
    return own


def _checked(value: object) -> object:
    """Return a setting as it is stored: documents without empty members, or None when nothing is left of them."""
    if isinstance(value, RuleSet):
        rule_set = check_rule_set(value)
        return None if rule_set == RuleSet() else rule_set
    return merge_metadata(value) if isinstance(value, Metadata) else value
