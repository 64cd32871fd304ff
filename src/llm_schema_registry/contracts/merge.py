"""How metadata and rule sets of several scopes become one (rest-api section 10).

Refuses to know where the parts come from.
"""

from __future__ import annotations

from collections.abc import Iterable

from llm_schema_registry.model import Metadata, Rule, RuleSet

VERSION_PROPERTY = "confluent:version"
"""Property under which an explicitly numbered version carries its number."""


def merge_metadata(*parts: Metadata | None) -> Metadata | None:
    """Merge from weakest to strongest: tags and sensitive names are united, a later property wins.

    The result is canonical (paths, keys, tags sorted, no empty member), so that equal metadata has equal identity.
    Nothing at all gives None.
    """
    tags: dict[str, set[str]] = {}
    properties: dict[str, str] = {}
    sensitive: set[str] = set()
    for part in parts:
        if part is None:
            continue
        for path, names in (part.tags or {}).items():
            tags.setdefault(path, set()).update(names)
        properties.update(part.properties or {})
        sensitive.update(part.sensitive or ())
    merged = Metadata(
        tags={path: sorted(names) for path, names in sorted(tags.items()) if names} or None,
        properties=dict(sorted(properties.items())) or None,
        sensitive=sorted(sensitive) or None,
    )
    return None if merged == Metadata() else merged


def merge_rule_sets(*parts: RuleSet | None) -> RuleSet | None:
    """Merge from weakest to strongest: a later rule replaces an earlier one of the same name, in its place."""
    present = [part for part in parts if part is not None]
    merged = RuleSet(
        migration_rules=_merge_rules(part.migration_rules for part in present),
        domain_rules=_merge_rules(part.domain_rules for part in present),
        encoding_rules=_merge_rules(part.encoding_rules for part in present),
        enable_at=next((part.enable_at for part in reversed(present) if part.enable_at is not None), None),
    )
    return None if merged == RuleSet() else merged


def amend_rule_set(base: RuleSet | None, added: RuleSet | None, removed: Iterable[str]) -> RuleSet:
    """Return the rule set with rules merged in by name, then some removed by name."""
    merged = merge_rule_sets(base, added) or RuleSet()
    names = set(removed)

    def kept(rules: list[Rule] | None) -> list[Rule] | None:
        return [rule for rule in rules or () if rule.name not in names] or None

    return RuleSet(
        migration_rules=kept(merged.migration_rules),
        domain_rules=kept(merged.domain_rules),
        encoding_rules=kept(merged.encoding_rules),
        enable_at=merged.enable_at,
    )


def property_of(metadata: Metadata | None, key: str) -> str | None:
    """Return one property, or None."""
    return None if metadata is None or metadata.properties is None else metadata.properties.get(key)


def with_properties(metadata: Metadata | None, **properties: str | None) -> Metadata | None:
    """Return the metadata with properties set, or removed where the value is None. Keys may hold any characters."""
    current = dict((metadata.properties if metadata else None) or {})
    for key, value in properties.items():
        if value is None:
            current.pop(key, None)
        else:
            current[key] = value
    base = metadata or Metadata()
    return merge_metadata(Metadata(tags=base.tags, properties=current, sensitive=base.sensitive))


def without_number(metadata: Metadata | None) -> Metadata | None:
    """Return the metadata without the number of an explicitly numbered version."""
    return with_properties(metadata, **{VERSION_PROPERTY: None})


def _merge_rules(lists: Iterable[list[Rule] | None]) -> list[Rule] | None:
    by_name: dict[str | None, Rule] = {}
    for rules in lists:
        for rule in rules or ():
            by_name[rule.name] = rule
    return list(by_name.values()) or None
