"""The server with its transactions' locks removed: the negative control of the tests of concurrency, nothing else."""

from __future__ import annotations

from typing import Any

from llm_schema_registry.cli import main
from llm_schema_registry.store.sql import SqlStore

_with_locks = SqlStore.transaction


def _without_locks(store: SqlStore, **_locks: object) -> Any:  # noqa: ANN401 - what the original answers
    return _with_locks(store)


SqlStore.transaction = _without_locks  # type: ignore[assignment, method-assign]  # the experiment is this patch

if __name__ == "__main__":
    main()
