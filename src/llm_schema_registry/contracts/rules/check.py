"""Which rule sets are well formed (rest-api section 10, code 42210).

Refuses to judge expressions: an executor's language is checked where it is run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from llm_schema_registry.errors import InvalidRuleSet
from llm_schema_registry.model import Rule, RuleKind, RuleMode, RuleSet

MAX_NAME_LENGTH = 256
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_MIGRATION = frozenset({RuleMode.UPGRADE, RuleMode.DOWNGRADE, RuleMode.UPDOWN})
_DATA = frozenset({RuleMode.WRITE, RuleMode.READ, RuleMode.WRITEREAD})
_PAIRED = frozenset({RuleMode.UPDOWN, RuleMode.WRITEREAD})


def check_rule_set(rule_set: RuleSet) -> RuleSet:
    """Return the rule set in the one way to write it, or raise InvalidRuleSet.

    Defaults are written out (kind TRANSFORM, mode WRITEREAD), tags sorted and empty members dropped, so that equal
    rules have equal identity. The message names the list, the rule and the mend.
    """
    names: set[str] = set()
    return RuleSet(
        migration_rules=_check_list("migrationRules", rule_set.migration_rules, _MIGRATION, names),
        domain_rules=_check_list("domainRules", rule_set.domain_rules, _DATA, names),
        encoding_rules=_check_list("encodingRules", rule_set.encoding_rules, _DATA, names),
        enable_at=rule_set.enable_at,
    )


def _check_list(
    list_name: str, rules: Sequence[Rule] | None, modes: frozenset[RuleMode], names: set[str]
) -> list[Rule] | None:
    if not rules:
        return None
    return [_check_rule(f"{list_name}[{index}]", rule, modes, names) for index, rule in enumerate(rules)]


def _check_rule(place: str, rule: Rule, modes: frozenset[RuleMode], names: set[str]) -> Rule:
    if not rule.name:
        raise InvalidRuleSet(f"{place}: a rule needs a name")
    if len(rule.name) > MAX_NAME_LENGTH or not _NAME.fullmatch(rule.name):
        raise InvalidRuleSet(
            f"{place}: the name {rule.name!r} must start with a letter or '_', continue with letters, digits, '_' or "
            f"'-', and have at most {MAX_NAME_LENGTH} characters"
        )
    if rule.name in names:
        raise InvalidRuleSet(f"{place}: the name '{rule.name}' is used twice; names are unique across the rule set")
    names.add(rule.name)
    if not rule.type:
        raise InvalidRuleSet(f"{place} ('{rule.name}'): a rule needs a type, such as CEL")
    mode = rule.mode or RuleMode.WRITEREAD
    if mode not in modes:
        allowed = ", ".join(sorted(modes))
        raise InvalidRuleSet(f"{place} ('{rule.name}'): mode {mode} is not allowed here; allowed are {allowed}")
    for member, action in (("onSuccess", rule.on_success), ("onFailure", rule.on_failure)):
        if action and "," in action and (mode not in _PAIRED or action.count(",") > 1):
            raise InvalidRuleSet(
                f"{place} ('{rule.name}'): {member} may hold a pair of actions only with mode WRITEREAD or UPDOWN"
            )
    return Rule(
        name=rule.name,
        doc=rule.doc or None,
        kind=rule.kind or RuleKind.TRANSFORM,
        mode=mode,
        type=rule.type,
        tags=sorted(set(rule.tags or ())) or None,
        params=rule.params or None,
        expr=rule.expr or None,
        on_success=rule.on_success or None,
        on_failure=rule.on_failure or None,
        disabled=rule.disabled,
    )
