"""Filters on subjects and versions as SQL conditions: names by prefix and pattern, facets, visibility, windows.

Refuses to run a statement; what a user wrote reaches the database as a bound parameter only.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)

from llm_schema_registry.model import TOP_LEVEL
from llm_schema_registry.names import MAX_VERSION
from llm_schema_registry.store.base import VersionFilter, Visibility
from llm_schema_registry.store.rows import Parameters
from llm_schema_registry.store.tables import (
    MAX_KEY_BYTES,
    schema_properties,
    schema_rule_types,
    schema_tags,
    schemas,
    subjects,
    versions,
)

AnySelect = Select[*tuple[Any, ...]]
_LAST_CHARACTER = 0x10FFFF
_FIRST_SURROGATE, _BEHIND_SURROGATES = 0xD800, 0xE000


def windowed(statement: AnySelect) -> AnySelect:
    """Cut a list by the parameters `limit` and `offset`."""
    return statement.limit(bindparam("limit", type_=BigInteger)).offset(bindparam("offset", type_=BigInteger))


def is_visible(visibility: Visibility, table: FromClause = versions) -> ColumnElement[bool]:
    """Which rows of `versions` (or an alias of it) a question is about."""
    if visibility is Visibility.ALL:
        return true()
    is_deleted: ColumnElement[bool] = table.c.is_deleted
    return is_deleted if visibility is Visibility.DELETED else ~is_deleted


def select_subjects(
    context: str | None, prefix: str, pattern: str | None, visibility: Visibility
) -> tuple[AnySelect, Parameters]:
    """Select context and name of the subjects that match, by qualified name."""
    parameters: Parameters = {}
    conditions = _name_conditions(subjects.c.context, subjects.c.name, context, prefix, pattern, parameters)
    own = and_(versions.c.context == subjects.c.context, versions.c.subject == subjects.c.name)
    is_active = select(1).where(own, ~versions.c.is_deleted).exists()
    if visibility is Visibility.ACTIVE:
        conditions.append(is_active)
    else:
        conditions.append(select(1).where(own).exists())
    if visibility is Visibility.DELETED:
        conditions.append(~is_active)
    statement = select(subjects.c.context, subjects.c.name).where(*conditions).order_by(subjects.c.qualified_name)
    return windowed(statement), parameters


def filter_versions(statement: AnySelect, where: VersionFilter) -> tuple[AnySelect, Parameters]:
    """Narrow a selection from versions, schemas and subjects; order it by qualified name, then version."""
    parameters: Parameters = {}
    own = versions.c
    conditions = _name_conditions(own.context, own.subject, where.context, where.prefix, where.pattern, parameters)
    if where.subject is not None:
        conditions += [own.context == bindparam("subject_context"), own.subject == bindparam("subject_name")]
        parameters |= {"subject_context": where.subject.context, "subject_name": where.subject.name}
    if where.schema_ids:
        conditions.append(versions.c.schema_id.in_(bindparam("schema_ids", expanding=True)))
        parameters["schema_ids"] = list(where.schema_ids)
    for position, tag in enumerate(where.tags):
        name = f"tag_{position}"
        conditions.append(_has(schema_tags, schema_tags.c.tag == bindparam(name)))
        parameters[name] = tag
    for position, (key, value) in enumerate(where.properties):
        key_name, value_name = f"key_{position}", f"value_{position}"
        facet = schema_properties.c
        conditions.append(
            _has(schema_properties, facet.key == bindparam(key_name), facet.value == bindparam(value_name))
        )
        parameters |= {key_name: key, value_name: value}
    if where.rule_type is not None:
        conditions.append(_has(schema_rule_types, schema_rule_types.c.rule_type == bindparam("rule_type")))
        parameters["rule_type"] = where.rule_type
    if where.latest_only:
        conditions.append(_is_newest(where.visibility))
    # Inside one context the order of names is that of qualified names, and the primary key has it.
    is_inside = where.context is not None and (where.after is None or where.after[0].context == where.context)
    order: ColumnElement[str] = own.subject if is_inside else subjects.c.qualified_name
    if where.after is not None or not is_inside:
        # The first half alone lets a page begin where its index does, the first page at the first name.
        subject, version = where.after or (TOP_LEVEL, 0)
        conditions += [
            order >= bindparam("after_name"),
            or_(order > bindparam("after_name"), own.version > bindparam("after_version")),
        ]
        parameters |= {
            "after_name": subject.name if is_inside else str(subject),
            "after_version": min(version, MAX_VERSION),
        }
    statement = statement.where(is_visible(where.visibility), *conditions)
    return windowed(statement.order_by(order, own.version)), parameters


def _name_conditions(
    context_column: ColumnElement[str],
    name_column: ColumnElement[str],
    context: str | None,
    prefix: str,
    pattern: str | None,
    parameters: Parameters,
) -> list[ColumnElement[bool]]:
    """Translate what is asked of names, and add the parameters this needs."""
    conditions: list[ColumnElement[bool]] = []
    if context is not None:
        conditions.append(context_column == bindparam("context"))
        parameters["context"] = context
    conditions += prefix_conditions(name_column, prefix, parameters)
    if pattern is not None:
        like = _like_pattern(pattern)
        if like is None:
            return [false()]
        conditions.append(name_column.like(bindparam("pattern"), escape="\\"))
        parameters["pattern"] = like
    return conditions


def prefix_conditions(column: ColumnElement[str], prefix: str, parameters: Parameters) -> list[ColumnElement[bool]]:
    """Ask for texts that begin with `prefix` as a range, which an index answers on both dialects."""
    if not prefix:
        return []
    parameters["prefix"] = prefix
    conditions = [column >= bindparam("prefix")]
    end = _end_of_prefix(prefix)
    if end:
        conditions.append(column < bindparam("prefix_end"))
        parameters["prefix_end"] = end
    return conditions


def _end_of_prefix(prefix: str) -> str:
    """Find the smallest text behind all texts that begin so; "" when there is none."""
    trimmed = prefix.rstrip(chr(_LAST_CHARACTER))
    if not trimmed:
        return ""
    code = ord(trimmed[-1]) + 1
    return trimmed[:-1] + chr(_BEHIND_SURROGATES if code == _FIRST_SURROGATE else code)


def _like_pattern(pattern: str) -> str | None:
    """Translate `*` into LIKE's language; None when no name is long enough to match.

    Databases bound the length of patterns, and runs of wildcards cost time without meaning more.
    """
    if len(pattern) - pattern.count("*") > MAX_KEY_BYTES:
        return None
    return re.sub(r"\*+", "%", re.sub(r"([\\%_])", r"\\\1", pattern))


def _has(facet: Table, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    owners = select(facet.c.context, facet.c.schema_id).where(*conditions)
    return tuple_(schemas.c.context, schemas.c.id).in_(owners)


def _is_newest(visibility: Visibility) -> ColumnElement[bool]:
    others = versions.alias()
    newest = (
        select(func.max(others.c.version))
        .where(
            others.c.context == versions.c.context,
            others.c.subject == versions.c.subject,
            is_visible(visibility, others),
        )
        .scalar_subquery()
    )
    return versions.c.version == newest
