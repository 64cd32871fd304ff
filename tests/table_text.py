"""Writes neutral types as one line, as SQL would."""

from __future__ import annotations

from llm_schema_registry.formats.logical_type import ListOf, LogicalType, MapOf, Row, Slot


def table_text(part: LogicalType) -> str:
    if isinstance(part, Row):
        columns = (
            f"{name} {slot_text(column.slot)}{' DEFAULT' if column.has_default else ''}"
            for name, column in part.columns.items()
        )
        return f"{part}<{', '.join(columns)}>"
    if isinstance(part, ListOf):
        return f"LIST<{slot_text(part.element)}>"
    if isinstance(part, MapOf):
        return f"MAP<{slot_text(part.key)}, {slot_text(part.value)}>"
    return str(part)


def slot_text(slot: Slot) -> str:
    return table_text(slot.type) if slot.is_nullable else f"{table_text(slot.type)} NOT NULL"


def places(part: LogicalType, path: str = "") -> dict[str, str | None]:
    """Return where columns stand in the schema's text, by path."""
    if isinstance(part, Row):
        found: dict[str, str | None] = {}
        for name, column in part.columns.items():
            found[f"{path}.{name}"] = column.place
            found |= places(column.slot.type, f"{path}.{name}")
        return found
    if isinstance(part, ListOf):
        return places(part.element.type, f"{path}[]")
    if isinstance(part, MapOf):
        return places(part.value.type, f"{path}{{}}")
    return {}
