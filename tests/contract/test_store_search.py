"""The store's contract on names, lists, pages, filters and references, on every kind of database."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from llm_schema_registry.model import Metadata, Reference, Rule, RuleSet, SchemaContent, Subject, Version, VersionKey
from llm_schema_registry.store.base import EVERYTHING, Page, VersionFilter, Visibility
from llm_schema_registry.store.sql import SqlStore
from store_rows import content, delete, guid_of, named, register, soft_delete

# Each pair or group is one name under some folding, trimming or normalisation, and several by code point.
NAMES = [
    *("a", "A", "b", "B", "ab", "aB", "Z", "z"),
    *("é", "e\u0301", "É", "ß", "ss", "\u0131", "i", "\u0130", "I"),
    *(" ", "a ", " a", "a\t", "a\u00a0", "a\u200b"),
    *("%", "_", "a%", "a_", "a_b", "axb", "a%b", "a\\b", "a\\", "\\", "[a]", "a?", "'", '"', "a'b", "--", ";"),
    *("\U0001f980", "\uffff", "\ue000", "\ud7ff", "\U0010ffff", "\U0010ffff\U0010ffffx", "日本", "topic-value"),
    *("10", "9", "a-b", "a.b", "a/b", "NULL", "\x7f"),
]


async def found(store: SqlStore, where: VersionFilter, page: Page = EVERYTHING) -> list[tuple[str, int]]:
    return [(str(version.subject), version.version) for version in await store.reader.search_versions(where, page)]


def names_of(subjects: Sequence[Subject]) -> list[str]:
    return [subject.name for subject in subjects]


async def fill(store: SqlStore) -> None:
    """Register every name in the default context, and some in two others."""
    async with store.transaction(lock=[named(name) for name in NAMES]) as writer:
        schema = await writer.add_schema(".", guid_of("x"), content("x"))
        for name in NAMES:
            await writer.add_version(named(name), 1, schema.id, registered_at=1, registered_by="")
    for context in (".é", ".A"):
        for name in ("a", "B"):
            await register(store, named(name, context), "x")


async def test_names_differ_by_code_point(store: SqlStore) -> None:
    for name in NAMES:
        assert (await register(store, named(name), "x")).version == 1, name
    for name in NAMES:
        version = await store.reader.find_version(named(name), 1)
        assert version is not None
        assert version.subject.name == name
    for context in (".é", ".e\u0301", ".E", ".e", ".e "):
        assert (await register(store, named("s", context), "x")).schema_id == 1
    assert await store.reader.list_contexts() == [".", ".E", ".e", ".e ", ".e\u0301", ".é"]


async def test_subjects_are_listed_by_qualified_name_in_code_points(store: SqlStore) -> None:
    await fill(store)
    everything = await store.reader.list_subjects()
    assert [str(subject) for subject in everything] == sorted([*NAMES, ":.é:a", ":.é:B", ":.A:a", ":.A:B"])
    assert names_of(await store.reader.list_subjects(".")) == sorted(NAMES)
    assert names_of(await store.reader.list_subjects(".A")) == ["B", "a"]
    pages = [await store.reader.list_subjects(page=Page(offset, 7)) for offset in range(0, len(everything) + 7, 7)]
    assert [subject for page in pages for subject in page] == everything
    assert pages[-1] == []


PREFIXES = ["a", "A", "a%", "a_", "a\\", "%", "\\", "é", "e", " ", "\ud7ff", "\U0010ffff", "\uffff", "'"]


async def test_a_prefix_is_taken_by_its_letters(store: SqlStore) -> None:
    await fill(store)
    for prefix in PREFIXES:
        expected = sorted(name for name in NAMES if name.startswith(prefix))
        assert expected
        assert names_of(await store.reader.list_subjects(".", prefix)) == expected, prefix
        assert [name for name, _ in await found(store, VersionFilter(context=".", prefix=prefix))] == expected, prefix
    assert await store.reader.list_subjects(prefix="nothing") == []


PATTERNS = [
    "*",
    "a*",
    "*b",
    "a*b",
    "*a*",
    "a%b",
    "a_b",
    "a\\b",
    "%",
    "_",
    "*_*",
    "*%*",
    "[a]",
    "a?",
    "",
    "**",
    "A*",
    "é*",
    "*\\",
]


async def test_a_pattern_knows_one_wildcard(store: SqlStore) -> None:
    await fill(store)
    for pattern in PATTERNS:
        as_glob = "".join(char if char == "*" else f"[{char}]" for char in pattern)
        expected = sorted(name for name in NAMES if fnmatchcase(name, as_glob))
        assert names_of(await store.reader.list_subjects(".", pattern=pattern)) == expected, pattern
        assert [name for name, _ in await found(store, VersionFilter(context=".", pattern=pattern))] == expected, (
            pattern
        )


async def test_hostile_patterns_are_answered(store: SqlStore) -> None:
    await register(store, named("a" * 1000), "x")
    for pattern in ("*a" * 1500 + "b", "*" * 60_000 + "b", "%" * 60_000, "*a*" * 400 + "*b", "_" * 2600, "\\" * 2600):
        assert await store.reader.list_subjects(pattern=pattern) == []
    assert len(await store.reader.list_subjects(pattern="*" * 60_000)) == 1
    assert len(await store.reader.list_subjects(pattern="*a" * 500)) == 1


async def test_a_subject_is_deleted_when_all_its_versions_are(store: SqlStore) -> None:
    for name in ("active", "mixed", "deleted"):
        await register(store, named(name), "x")
        await register(store, named(name), "y")
    await soft_delete(store, named("mixed"), 2)
    await soft_delete(store, named("deleted"), 1, 2)
    assert names_of(await store.reader.list_subjects()) == ["active", "mixed"]
    assert names_of(await store.reader.list_subjects(visibility=Visibility.ALL)) == ["active", "deleted", "mixed"]
    assert names_of(await store.reader.list_subjects(visibility=Visibility.DELETED)) == ["deleted"]
    assert await store.reader.list_subjects(prefix="d") == []
    assert names_of(await store.reader.list_subjects(prefix="d", visibility=Visibility.DELETED)) == ["deleted"]
    await delete(store, named("deleted"), 1, 2)
    assert await store.reader.list_subjects(visibility=Visibility.DELETED) == []


async def fill_for_filters(store: SqlStore) -> None:
    """Register subjects `a` (1 to 3, of which 3 is deleted), `b`, and `a` in another context."""
    tagged = Metadata(tags={"f": ["PII", "x y"]}, properties={"tags": "chat, prompt ,,", "owner": "team"})
    ruled = RuleSet(
        migration_rules=[Rule(type="JSONATA")],
        domain_rules=[Rule(type="CEL"), Rule()],
        encoding_rules=[Rule(type="ENCRYPT")],
    )
    await register(store, named("a"), content("plain"))
    await register(store, named("a"), content("tagged", metadata=tagged))
    await register(store, named("a"), content("ruled", metadata=Metadata(properties={"owner": "me"}), rule_set=ruled))
    await register(store, named("b"), content("tagged", metadata=tagged))
    await register(store, named("a", ".c"), content("tagged", metadata=tagged, rule_set=RuleSet()))
    await soft_delete(store, named("a"), 3)


FILTERS: list[tuple[VersionFilter, list[tuple[str, int]]]] = [
    (VersionFilter(), [(":.c:a", 1), ("a", 1), ("a", 2), ("b", 1)]),
    (VersionFilter(context="."), [("a", 1), ("a", 2), ("b", 1)]),
    (VersionFilter(context=".c"), [(":.c:a", 1)]),
    (VersionFilter(context=".none"), []),
    (VersionFilter(subject=named("a")), [("a", 1), ("a", 2)]),
    (VersionFilter(subject=named("a"), context=".c"), []),
    (VersionFilter(subject=named("")), []),
    (VersionFilter(prefix="a"), [(":.c:a", 1), ("a", 1), ("a", 2)]),
    (VersionFilter(pattern="*b*"), [("b", 1)]),
    (VersionFilter(schema_ids=(1, 3, 9)), [(":.c:a", 1), ("a", 1)]),
    (VersionFilter(schema_ids=(2,), context="."), [("a", 2), ("b", 1)]),
    (VersionFilter(tags=("PII",)), [(":.c:a", 1), ("a", 2), ("b", 1)]),
    (VersionFilter(tags=("PII", "chat", "prompt", "x y"), context="."), [("a", 2), ("b", 1)]),
    (VersionFilter(tags=("PII", "other")), []),
    (VersionFilter(tags=("pii",)), []),
    (VersionFilter(tags=("",)), []),
    (VersionFilter(properties=(("owner", "team"),)), [(":.c:a", 1), ("a", 2), ("b", 1)]),
    (VersionFilter(properties=(("owner", "team"), ("tags", "chat, prompt ,,")), context=".c"), [(":.c:a", 1)]),
    (VersionFilter(properties=(("owner", "team"), ("owner", "me"))), []),
    (VersionFilter(properties=(("team", "owner"),)), []),
    (VersionFilter(rule_type="CEL"), []),
    (VersionFilter(rule_type="CEL", visibility=Visibility.ALL), [("a", 3)]),
    (VersionFilter(rule_type="JSONATA", visibility=Visibility.DELETED), [("a", 3)]),
    (VersionFilter(rule_type="ENCRYPT", visibility=Visibility.ALL), [("a", 3)]),
    (VersionFilter(visibility=Visibility.DELETED), [("a", 3)]),
    (VersionFilter(latest_only=True), [(":.c:a", 1), ("a", 2), ("b", 1)]),
    (VersionFilter(latest_only=True, visibility=Visibility.ALL), [(":.c:a", 1), ("a", 3), ("b", 1)]),
    (VersionFilter(latest_only=True, visibility=Visibility.DELETED), [("a", 3)]),
    (VersionFilter(latest_only=True, schema_ids=(1,)), [(":.c:a", 1)]),
    (VersionFilter(after=(named("a", ".c"), 1)), [("a", 1), ("a", 2), ("b", 1)]),
    (VersionFilter(after=(named("a"), 1)), [("a", 2), ("b", 1)]),
    (VersionFilter(after=(named("a"), 10**30)), [("b", 1)]),
    (VersionFilter(after=(named("b"), 1)), []),
    (VersionFilter(after=(named("aa"), 0), context="."), [("b", 1)]),
    (VersionFilter(after=(named("a"), 1), context="."), [("a", 2), ("b", 1)]),
    (VersionFilter(after=(named("z", ".b"), 9), context=".c"), [(":.c:a", 1)]),
    (VersionFilter(after=(named("0", ".d"), 1), context=".c"), []),
    (VersionFilter(after=(named("zz", ".c"), 1), context="."), [("a", 1), ("a", 2), ("b", 1)]),
    (VersionFilter(after=(named("a"), 1), prefix="a", latest_only=True), [("a", 2)]),
    (VersionFilter(tags=("' OR 1=1 --",)), []),
    (VersionFilter(pattern="' OR ''='"), []),
]


async def test_filters_are_joined_by_and(store: SqlStore) -> None:
    await fill_for_filters(store)
    for where, expected in FILTERS:
        assert await found(store, where) == expected, where
        assert await found(store, where, Page(1, 1)) == expected[1:2], where


async def test_pages_that_continue_behind_a_version_miss_and_repeat_nothing(store: SqlStore) -> None:
    await fill(store)
    for name in ("a", "b", "\U0010ffff"):
        for text in ("y", "z"):
            await register(store, named(name), text)
    whole = await store.reader.search_versions(VersionFilter())
    walked: list[Version] = []
    page = await store.reader.search_versions(VersionFilter(), Page(limit=5))
    while page:
        walked += page
        behind = VersionFilter(after=(page[-1].subject, page[-1].version))
        page = await store.reader.search_versions(behind, Page(limit=5))
    assert walked == whole
    assert len(whole) == len(NAMES) + 4 + 6


async def test_referrers_are_found_across_contexts(store: SqlStore) -> None:
    target = named("t", ".c")

    def referring(text: str, *subjects: str, version: int = 1) -> SchemaContent:
        return content(text, [Reference(f"r{index}", name, version) for index, name in enumerate(subjects)])

    rows = [
        (named("far"), referring("1", ":.c:t")),
        (named("near", ".c"), referring("2", "t")),
        (named("twice", ".c"), referring("3", "t", ":.c:t", "u")),
        (named("case", ".c"), referring("4", "T")),
        (named("other"), referring("5", "t")),
        (named("later", ".c"), referring("6", "t", version=2)),
        (named("Far"), referring("1", ":.c:t")),
        (named("back", ".d"), referring("7", ":.:t")),
    ]
    keys = {str(subject): await register(store, subject, body) for subject, body in rows}
    by_id_and_name = [keys[":.c:near"], keys["Far"], keys["far"], keys[":.c:twice"]]
    assert await store.reader.list_referrers(target, 1) == by_id_and_name
    assert await store.reader.list_referrers(target, 2) == [keys[":.c:later"]]
    assert await store.reader.list_referrers(target, 3) == []
    assert await store.reader.list_referrers(named("t"), 1) == [keys[":.d:back"], keys["other"]]

    await soft_delete(store, named("far"), 1)
    assert keys["far"] not in await store.reader.list_referrers(target, 1)
    deleted = VersionKey(named("far"), 1, 1, True)
    assert await store.reader.list_referrers(target, 1, Visibility.DELETED) == [deleted]
    assert deleted in await store.reader.list_referrers(target, 1, Visibility.ALL)
    await delete(store, named("far"), 1)
    assert await store.reader.list_referrers(target, 1, Visibility.ALL) == [
        keys[":.c:near"],
        keys["Far"],
        keys[":.c:twice"],
    ]
