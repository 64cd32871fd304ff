"""Write the reference pages that code is the source of: settings, error codes, kinds of differences, events.

`render()` gives every page's text by its path, so that a test can hold the committed pages to it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from llm_schema_registry import errors, model
from llm_schema_registry.compatibility.logical_kinds import KINDS as LOGICAL_KINDS
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import breaks
from llm_schema_registry.model import CompatibilityPolicy
from llm_schema_registry.settings import FIELDS, PREFIX, describe

PAGES = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTICE = "<!-- Written by `make gen`; edit the code instead. -->"


def render() -> Mapping[Path, str]:
    """Return the text of each page by its path."""
    pages = {"settings.md": _settings(), "errors.md": _errors(), "kinds.md": _kinds(), "events.md": _events()}
    return {PAGES / name: text for name, text in pages.items()}


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(head), line(["---"] * len(head)), *(line(row) for row in rows)]


def _page(title: str, intro: str, *parts: list[str]) -> str:
    return "\n".join([f"# {title}", "", NOTICE, "", intro, *(line for part in parts for line in ["", *part]), ""])


def _settings() -> str:
    rows = [
        (f"`--{name.replace('_', '-')}`", f"`{PREFIX}{name.upper()}`", f"`{field.default}`", describe(name))
        for name, field in FIELDS.items()
    ]
    intro = (
        "A flag wins over the environment, that over the TOML file (`--config FILE`, keys as in the flag with `_` for "
        "`-`), that over the default. An unknown key refuses to start and names the nearest known one."
    )
    return _page("Settings", intro, _table(("Flag", "Environment", "Default", "What"), rows))


def _errors() -> str:
    classes = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.RegistryError) and "code" in vars(value)
    ]
    rows = [
        (f"`{cls.code}`", str(cls.code)[:3], cls.__name__) for cls in sorted(classes, key=lambda cls: str(cls.code))
    ]
    intro = 'Every refusal is `{"error_code": CODE, "message": TEXT}`; the HTTP status is the first three digits.'
    return _page("Error codes", intro, _table(("Code", "HTTP", "Name"), rows))


def _kinds() -> str:
    tables = {fmt.schema_type: fmt.kinds for fmt in FORMATS.values()} | {"Tables, under LOGICAL alone": LOGICAL_KINDS}
    parts = []
    for title, kinds in tables.items():
        rows = [
            (
                f"`{kind.id}`",
                *("breaks" if breaks(kind, policy) else "fine" for policy in CompatibilityPolicy),
                kind.wording.replace("{path}", "PATH").replace("{info}", "INFO"),
                kind.remedy,
            )
            for kind in kinds.values()
        ]
        parts.append([f"## {title}", "", *_table(("Kind", *CompatibilityPolicy, "Says", "Remedy"), rows)])
    intro = (
        "What a comparison of a reader with a writer can find, and which policies it breaks compatibility under. What "
        "only SOUND refuses is reported as a hazard under the others."
    )
    return _page("Kinds of differences", intro, *parts)


def _events() -> str:
    intro = "What the event log can tell; each is written in the transaction that made the change."
    return _page("Events", intro, _table(("Event",), [(f"`{event}`",) for event in model.EventType]))


if __name__ == "__main__":
    PAGES.mkdir(parents=True, exist_ok=True)
    for path, text in render().items():
        path.write_text(text)
