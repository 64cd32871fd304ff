"""Filters on subjects and versions as SQL conditions: names by prefix and pattern, facets, visibility, windows.

Refuses to run a statement; what a user wrote reaches the database as a bound parameter only.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
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
# Statements are kept by their shape: building one costs more than answering it.
_SHAPES = 256
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
    parameters = _name_parameters(context, prefix, pattern)
    return _subjects(frozenset(parameters), visibility), parameters


@lru_cache(maxsize=_SHAPES)
def _subjects(named: frozenset[str], visibility: Visibility) -> AnySelect:
    conditions = _name_conditions(subjects.c.context, subjects.c.name, named)
    own = and_(versions.c.context == subjects.c.context, versions.c.subject == subjects.c.name)
    is_active = select(1).where(own, ~versions.c.is_deleted).exists()
    if visibility is Visibility.ACTIVE:
        conditions.append(is_active)
    else:
        conditions.append(select(1).where(own).exists())
    if visibility is Visibility.DELETED:
        conditions.append(~is_active)
    return windowed(select(subjects.c.context, subjects.c.name).where(*conditions).order_by(subjects.c.qualified_name))


def filter_versions(statement: AnySelect, where: VersionFilter) -> tuple[AnySelect, Parameters]:
    """Narrow a selection from versions, schemas and subjects; order it by qualified name, then version."""
    parameters = _name_parameters(where.context, where.prefix, where.pattern)
    if where.subject is not None:
        parameters |= {"subject_context": where.subject.context, "subject_name": where.subject.name}
    if where.schema_ids:
        parameters["schema_ids"] = list(where.schema_ids)
    parameters |= {f"tag_{position}": tag for position, tag in enumerate(where.tags)}
    for position, (key, value) in enumerate(where.properties):
        parameters |= {f"key_{position}": key, f"value_{position}": value}
    if where.rule_type is not None:
        parameters["rule_type"] = where.rule_type
    # Inside one context the order of names is that of qualified names, and the primary key has it.
    is_inside = where.context is not None and (where.after is None or where.after[0].context == where.context)
    if where.after is not None or not is_inside:
        subject, version = where.after or (TOP_LEVEL, 0)
        parameters |= {
            "after_name": subject.name if is_inside else str(subject),
            "after_version": min(version, MAX_VERSION),
        }
    filtered = _filtered(
        statement, tuple(parameters), where.visibility, latest_only=where.latest_only, is_inside=is_inside
    )
    return filtered, parameters


@lru_cache(maxsize=_SHAPES)
def _filtered(
    statement: AnySelect, named: tuple[str, ...], visibility: Visibility, *, latest_only: bool, is_inside: bool
) -> AnySelect:
    own = versions.c
    conditions = _name_conditions(own.context, own.subject, frozenset(named))
    if "subject_name" in named:
        conditions += [own.context == bindparam("subject_context"), own.subject == bindparam("subject_name")]
    if "schema_ids" in named:
        conditions.append(own.schema_id.in_(bindparam("schema_ids", expanding=True)))
    for name in named:
        kind, _, position = name.partition("_")
        if kind == "tag":
            conditions.append(_has(schema_tags, schema_tags.c.tag == bindparam(name)))
        elif kind == "key":
            facet = schema_properties.c
            is_valued = facet.value == bindparam(f"value_{position}")
            conditions.append(_has(schema_properties, facet.key == bindparam(name), is_valued))
    if "rule_type" in named:
        conditions.append(_has(schema_rule_types, schema_rule_types.c.rule_type == bindparam("rule_type")))
    if latest_only:
        conditions.append(_is_newest(visibility))
    order: ColumnElement[str] = own.subject if is_inside else subjects.c.qualified_name
    if "after_name" in named:
        # The first half alone lets a page begin where its index does, the first page at the first name.
        conditions += [
            order >= bindparam("after_name"),
            or_(order > bindparam("after_name"), own.version > bindparam("after_version")),
        ]
    return windowed(statement.where(is_visible(visibility), *conditions).order_by(order, own.version))


def _name_parameters(context: str | None, prefix: str, pattern: str | None) -> Parameters:
    """Name what is asked of names; the names alone decide the conditions."""
    parameters: Parameters = {} if context is None else {"context": context}
    parameters |= prefix_parameters(prefix)
    if pattern is not None:
        like = _like_pattern(pattern)
        parameters |= {"no_match": True} if like is None else {"pattern": like}
    return parameters


def _name_conditions(
    context_column: ColumnElement[str], name_column: ColumnElement[str], named: Collection[str]
) -> list[ColumnElement[bool]]:
    if "no_match" in named:
        return [false()]
    conditions: list[ColumnElement[bool]] = []
    if "context" in named:
        conditions.append(context_column == bindparam("context"))
    conditions += prefix_conditions(name_column, named)
    if "pattern" in named:
        conditions.append(name_column.like(bindparam("pattern"), escape="\\"))
    return conditions


def prefix_parameters(prefix: str) -> Parameters:
    """Name the ends of the range of texts that begin with `prefix`, for `prefix_conditions`."""
    end = _end_of_prefix(prefix)
    named = {"prefix": prefix, "prefix_end": end}
    return {name: text for name, text in named.items() if text}


def prefix_conditions(column: ColumnElement[str], named: Collection[str]) -> list[ColumnElement[bool]]:
    """Ask for texts that begin with a prefix as a range, which an index answers on both dialects."""
    conditions = [column >= bindparam("prefix")] if "prefix" in named else []
    if "prefix_end" in named:
        conditions.append(column < bindparam("prefix_end"))
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
