"""Settings of scopes: reading, merging, inheriting (rest-api 4.5 and section 6).

Refuses to know modes, and what a setting means to registration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from llm_schema_registry.contracts.rules import check_rule_set
from llm_schema_registry.errors import SubjectConfigNotFound, SubjectNotFound
from llm_schema_registry.model import EVERYWHERE, TOP_LEVEL, CompatibilityLevel, Config, EventType, Subject
from llm_schema_registry.names import check_subject
from llm_schema_registry.registry.operation import Call, Permission, operation
from llm_schema_registry.registry.scopes import load_scopes

_RULE_SETS = frozenset({"default_rule_set", "override_rule_set"})


@operation(Permission.READ)
async def get_config(call: Call, scope: Subject, *, defaults_to_global: bool = False) -> Config:
    """Return the settings of a scope; the top level always answers. Raises SubjectConfigNotFound."""
    if defaults_to_global or scope == TOP_LEVEL:
        return (await load_scopes(call.store.reader, scope)).config(call.policy.default_level)
    config = await call.store.reader.find_config(scope)
    if config is None:
        raise SubjectConfigNotFound(scope)
    return config


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
    checked = {
        name: check_rule_set(value) if name in _RULE_SETS and value is not None else value  # type: ignore[arg-type]  # the field's type says RuleSet
        for name, value in changes.items()
    }
    async with call.store.transaction(lock=(scope,)) as writer:
        (await load_scopes(writer, scope)).require_writable()
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
        (await load_scopes(writer, scope)).require_writable()
        config = await writer.find_config(scope)
        if config is None:
            if scope != TOP_LEVEL:
                raise SubjectNotFound(scope)
            return Config(compatibility_level=call.policy.default_level)
        await writer.delete_config(scope)
        await writer.append_event(call.event(EventType.CONFIG_DELETED, scope))
    return config
