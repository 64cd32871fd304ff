"""All that a store's public Reader can tell, as one value, to compare two databases."""

from __future__ import annotations

from typing import Any

from llm_schema_registry.documents import DocumentKind
from llm_schema_registry.model import Event, Subject
from llm_schema_registry.store.base import Reader, VersionFilter, Visibility


async def everything(reader: Reader) -> dict[str, Any]:
    """Ask every listing and every question about each thing that a listing names; the log is `events_of`'s."""
    contexts = await reader.list_contexts()
    told: dict[str, Any] = {
        "contexts": contexts,
        "configs": await reader.list_configs(),
        "modes": {context: await reader.list_modes(context) for context in contexts},
        "largest ids": {context: await reader.find_max_schema_id(context) for context in contexts},
        "jobs": (jobs := await reader.list_jobs()),
        "results": {job.id: await reader.list_job_results(job.id) for job in jobs},
        "unfinished": await reader.count_unfinished_jobs(),
        "documents": [await reader.list_documents(kind) for kind in DocumentKind],
        "samples": await reader.list_samples(),
    }
    subjects = await reader.list_subjects(visibility=Visibility.ALL)
    for visibility in Visibility:
        told[f"subjects {visibility.value}"] = await reader.list_subjects(visibility=visibility)
        told[f"versions {visibility.value}"] = await reader.search_versions(VersionFilter(visibility=visibility))
    for subject in subjects:
        versions = await reader.list_versions(subject, Visibility.ALL)
        told[f"subject {subject}"] = (
            versions,
            await reader.list_version_keys(subject, Visibility.ALL),
            await reader.list_settings(subject),
            await reader.list_referrers(subject, None, Visibility.ALL),
        )
        for version in versions:
            schema = version.schema
            told[f"schema {schema.context} {schema.id}"] = (
                await reader.find_schema(schema.context, schema.id),
                await reader.list_schemas_by_guid(schema.guid),
                await reader.list_versions_of_schema(schema.context, schema.id, Visibility.ALL),
            )
    for name, where in {
        "tag": VersionFilter(tags=("pii",)),
        "property": VersionFilter(properties=(("team", "data"),)),
        "rule": VersionFilter(rule_type="CEL"),
    }.items():
        told[f"by {name}"] = await reader.search_versions(where)
    return told


async def events_of(reader: Reader) -> list[tuple[int, Event]]:
    """The whole log."""
    return await reader.list_events(limit=1_000_000)


async def ids_of(reader: Reader, subject: Subject) -> dict[int, str]:
    """The text behind each id that a subject's versions have."""
    versions = await reader.list_versions(subject, Visibility.ALL)
    return {version.schema.id: version.schema.content.text for version in versions}
