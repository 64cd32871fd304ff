"""Bodies and connections that no client sends: each is refused in words, none costs the process or its memory."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from llm_schema_registry.rest.routing import Route
from llm_schema_registry.rest.table import build_routes
from server_process import ServerProcess, running_server

BODIES = 2_000
MIB = 1 << 20
DEADLINE_SECONDS = 60

# PUT /mode and the like change what is global, but none of these bodies gets that far.
WRITES = [route for route in build_routes() if route.body is not None]
PLACES = {"subject": "s", "version": "1", "id": "1", "guid": "x", "context": ".c", "data_set": "d", "policy": "p"}

VALID = json.dumps({"schema": '{"type": "record", "name": "R", "fields": []}', "schemaType": "AVRO", "references": []})
JSON_TYPE = {"content-type": "application/json"}

Sent = tuple[bytes, dict[str, str]]


@pytest.fixture(scope="module")
def hostile_server() -> Iterator[ServerProcess]:
    """A server of this module's own."""
    with running_server() as server:
        yield server


def address(route: Route) -> str:
    """Return a path of a route."""
    return route.path.format_map(PLACES)


def truncated(random_: random.Random) -> Sent:
    return VALID[: random_.randrange(1, len(VALID) - 1)].encode(), JSON_TYPE


def of_another_type(random_: random.Random) -> Sent:
    return random_.choice((b"1", b'"text"', b"[]", b"true", b"-0.5", b"[{}]", b"null", b"", b" \n")), JSON_TYPE


def with_members_of_another_type(random_: random.Random) -> Sent:
    # Each route knows at least one of these members; the types are wrong for all of them.
    names = (
        "schema",
        "schemaType",
        "compatibility",
        "alias",
        "mode",
        "newVersion",
        "name",
        "resourceId",
        "resourceName",
    )
    value = random_.choice(({"a": 1}, [[1]], 1.5, [{}]))
    return json.dumps(dict.fromkeys(names, value)).encode(), JSON_TYPE


def nested(random_: random.Random) -> Sent:
    depth = random_.choice((101, 1_000, 100_000))
    opening, closing = random_.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
    ending = random_.choice(("1" + closing * depth, ""))
    return ('{"schema":' + opening * depth + ending + "}").encode(), JSON_TYPE


def with_nul(random_: random.Random) -> Sent:
    return VALID.replace("R", random_.choice(("\\u0000", "\x00", "a\\u0000b"))).encode(), JSON_TYPE


def with_half_a_surrogate_pair(random_: random.Random) -> Sent:
    return VALID.replace(
        "R", random_.choice(("\\ud800", "\\udfff", "\\ud800\\ud800", "\\udc00\\ud800"))
    ).encode(), JSON_TYPE


def not_utf8(random_: random.Random) -> Sent:
    broken = random_.choice((b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82"))
    return VALID.encode().replace(b"R", broken), JSON_TYPE


def with_a_huge_number(random_: random.Random) -> Sent:
    number = random_.choice(("9" * 100_000, "1e999999999", "-" + "9" * 400, "1" + "0" * 40, "9223372036854775808"))
    return (
        f'{{"version":{number},"newVersion":{number},"compatibility":{number},"mode":{number},"name":{number}}}'.encode(),
        JSON_TYPE,
    )


def with_a_name_twice(_: random.Random) -> Sent:
    # The last one counts, and it is wrong on every route.
    names = ("schema", "compatibility", "mode", "newVersion")
    members = ",".join(f'"{name}":{json.dumps(value)}' for value in ("BACKWARD", [7]) for name in names)
    return f"{{{members}}}".encode(), JSON_TYPE


def of_another_content_type(random_: random.Random) -> Sent:
    types = (
        "text/plain",
        "text/html",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    )
    return VALID.encode(), {"content-type": random_.choice(types)}


def compressed(random_: random.Random) -> Sent:
    encoding = random_.choice(("gzip", "deflate", "br", "gzip, gzip"))
    return gzip.compress(VALID.encode() if random_.random() < 0.9 else b"0" * MIB), {
        **JSON_TYPE,
        "content-encoding": encoding,
    }


def noise(random_: random.Random) -> Sent:
    return b"{" + random_.randbytes(random_.randrange(1, 2_000)), JSON_TYPE


def with_constants_that_json_lacks(random_: random.Random) -> Sent:
    return (
        f'{{"schema": {random_.choice(("NaN", "Infinity", "undefined", "None", "0x10", "01", "+1"))}}}'.encode(),
        JSON_TYPE,
    )


MAKERS: tuple[Callable[[random.Random], Sent], ...] = (
    truncated,
    of_another_type,
    with_members_of_another_type,
    nested,
    with_nul,
    with_half_a_surrogate_pair,
    not_utf8,
    with_a_huge_number,
    with_a_name_twice,
    of_another_content_type,
    compressed,
    noise,
    with_constants_that_json_lacks,
)


def assert_refused(response: httpx.Response, named: str) -> int:
    """Require a two-key refusal of the 400s and return its code."""
    body = response.json()
    assert 400 <= response.status_code < 500, (named, response.text[:500])
    assert set(body) == {"error_code", "message"}, (named, response.text[:500])
    assert str(body["error_code"]).startswith(str(response.status_code))
    assert len(response.content) < 10_000, (named, response.text[:500])
    return int(body["error_code"])


def resident_mib(server: ServerProcess) -> float:
    """Return the memory of a server and the processes that it started."""
    process = psutil.Process(server.process.pid)
    return float(sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))) / MIB


async def ask_in_turns(url: str, asked: list[tuple[str, str, str, Sent]]) -> Counter[int]:
    """Send everything from eight clients and count the codes of the refusals."""
    codes: Counter[int] = Counter()
    left = iter(asked)

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=DEADLINE_SECONDS) as client:
            for named, method, path, (body, headers) in left:
                response = await client.request(method, path, content=body, headers=headers)
                codes[assert_refused(response, f"{named} at {method} {path}")] += 1

    await asyncio.gather(*(ask() for _ in range(8)))
    return codes


async def test_2000_malformed_bodies_over_every_write_route(hostile_server: ServerProcess) -> None:
    random_ = random.Random(7)
    asked = [
        (make.__name__, route.method, address(route), make(random_))
        for make, route in itertools.islice(itertools.cycle(itertools.product(MAKERS, WRITES)), BODIES)
    ]
    # The first round fills caches and starts what starts on demand.
    await ask_in_turns(hostile_server.url, asked[: len(MAKERS) * len(WRITES)])
    before = resident_mib(hostile_server)
    codes = await ask_in_turns(hostile_server.url, asked)
    after = resident_mib(hostile_server)
    large = b'{"schema":"' + b"a" * (50 * MIB) + b'"}'
    for route in WRITES:
        sent = ("50 MiB", route.method, address(route), (large, JSON_TYPE))
        codes += await ask_in_turns(hostile_server.url, [sent])
    finally_ = resident_mib(hostile_server)
    print(f"{codes.total()} bodies over {len(WRITES)} routes: {dict(sorted(codes.items()))}")
    print(f"resident MiB: {before:.0f} before, {after:.0f} after, {finally_:.0f} after those of 50 MiB")
    assert codes.total() == BODIES + len(WRITES)
    assert finally_ < before + 64
    async with httpx.AsyncClient(base_url=hostile_server.url) as client:
        assert (await client.get("/subjects")).json() == []
