"""The registry as the CLI speaks to it: one server, JSON in and out, over HTTP.

Refuses to know what the routes mean, and to try a request again that may have reached the server.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlsplit

from llm_schema_registry import __version__
from llm_schema_registry.cli.failure import Failure, Refused
from llm_schema_registry.settings import without_password

if TYPE_CHECKING:
    import httpx

Json: TypeAlias = Any
"""What a route answers."""
Query: TypeAlias = Mapping[str, str | int | bool | Sequence[str] | None]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
CONNECT_PAUSES_SECONDS = (0.1, 0.3)
"""How long to wait before each further attempt to connect."""
PAGE_ROWS = 1000

_URL_FORM = "Give --url as http://HOST:PORT."
_ANOTHER_SERVER = "Start one with `llm-schema-registry serve`, or name another with --url or SCHEMA_REGISTRY_URL."


def path(*segments: str | int) -> str:
    """Write a path of segments that may hold anything, `/` and `..` too."""
    return "".join(f"/{_quote(str(segment))}" for segment in segments)


class Remote:
    """A server at a base URL, which may hold credentials.

    Every method raises Refused for an error answer and Failure when none came. `report` is where the report on the
    schema of the last request can be read, None when its answer named none.
    """

    def __init__(self, url: str, credentials: tuple[str, str] | None = None) -> None:
        """Name a server without speaking to it. Raises Failure for what is no HTTP URL."""
        try:
            parts = urlsplit(url)
            is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable:
            # What cannot be read is not shown: it may hold a password.
            raise Failure("the URL of the registry is no HTTP URL", _URL_FORM)
        self._url = url.rstrip("/")
        self._shown_url = without_password(self._url)
        self._uses_tls = parts.scheme == "https"
        self._credentials = credentials
        self.report: str | None = None

    def get(self, target: str, query: Query | None = None) -> Json:
        return self._ask("GET", target, query)

    def post(self, target: str, body: object, query: Query | None = None) -> Json:
        return self._ask("POST", target, query, body)

    def put(self, target: str, body: object, query: Query | None = None) -> Json:
        return self._ask("PUT", target, query, body)

    def delete(self, target: str, query: Query | None = None) -> Json:
        return self._ask("DELETE", target, query)

    def judge(self, target: str, content: bytes, media_type: str, query: Query) -> list[Json]:
        """Post payloads to be validated, and return what became of each; being refused is such an answer."""
        response = self._send("POST", target, query, content=content, media_type=media_type)
        lines = [json.loads(line) for line in response.content.splitlines()]
        if all(isinstance(line, dict) and ("valid" in line or "index" in line) for line in lines):
            return lines
        raise _refusal(response)

    def pages(self, target: str, query: Query) -> Iterator[Json]:
        """Yield every item of a list that is answered in pages, following `next`."""
        cursor: str | None = None
        while True:
            page = self.get(target, {"limit": PAGE_ROWS, **query, "cursor": cursor})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx  # noqa: PLC0415  # costs more than all else that `--help` needs

        return httpx.Client(
            auth=self._credentials,
            # Without TLS there is nothing to verify, and loading certificates is a tenth of a command's time.
            verify=self._uses_tls,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            headers={"accept": "application/json", "user-agent": f"lsr/{__version__}"},
        )

    def _ask(self, method: str, target: str, query: Query | None, body: object = None) -> Json:
        response = self._send(method, target, query, body)
        self.report = response.links.get("describedby", {}).get("url")
        if not response.is_success:
            raise _refusal(response)
        try:
            return response.json()
        except ValueError:
            raise Failure(
                f"{self._shown_url} answered something that is not JSON", "Does --url name a schema registry?"
            ) from None

    def _send(
        self,
        method: str,
        target: str,
        query: Query | None,
        body: object = None,
        *,
        content: bytes | None = None,
        media_type: str = "application/json",
    ) -> httpx.Response:
        import httpx  # noqa: PLC0415  # costs more than all else that `--help` needs

        client = self._client
        given = {name: value for name, value in (query or {}).items() if value not in (None, "", False)}
        try:
            request = client.build_request(method, self._url + target, params=given, json=body, content=content)
            if content is not None:
                request.headers["content-type"] = media_type
        except httpx.InvalidURL as error:
            raise Failure(f"{self._shown_url} cannot be used: {error}", _URL_FORM) from None
        pauses = iter(CONNECT_PAUSES_SECONDS)
        while True:
            try:
                return client.send(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                pause = next(pauses, None)
                if pause is None:
                    raise Failure(f"cannot connect to {self._shown_url}: {error}", _ANOTHER_SERVER) from None
                time.sleep(pause)
            except httpx.TimeoutException:
                raise Failure(f"{self._shown_url} did not answer within {ANSWER_SECONDS:.0f} seconds") from None
            except httpx.HTTPError as error:
                raise Failure(f"the exchange with {self._shown_url} broke: {error}") from None


def _quote(segment: str) -> str:
    # A client may resolve "." and ".." as directories unless their dots are written as escapes.
    return quote(segment, safe="") if segment.strip(".") else segment.replace(".", "%2E")


def _refusal(response: httpx.Response) -> Refused:
    """Read an error answer; one that is not the registry's (a proxy's, say) keeps its HTTP status."""
    try:
        body = json.loads(response.content)
        return Refused(int(body["error_code"]), str(body["message"]))
    except (ValueError, LookupError, TypeError):
        return Refused(response.status_code, response.reason_phrase or "The server gave no reason.")
