"""Payload validation under `/v1`: one payload, or one a line, streamed.

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

import msgspec

from llm_schema_registry.errors import (
    BadRequest,
    InvalidConstraint,
    InvalidPayload,
    InvalidRuleSet,
    InvalidSchema,
    InvalidVersion,
    RegistryError,
    RouteNotFound,
    SchemaNotFound,
    SubjectNotFound,
    VersionNotFound,
)
from llm_schema_registry.model import Encoding, RuleMode, Violation, ViolationKind
from llm_schema_registry.names import parse_subject, parse_version
from llm_schema_registry.registry import validation
from llm_schema_registry.registry.validation import MAX_PAYLOAD_BYTES, Question, Validator
from llm_schema_registry.rest.request import CONFLUENT_MEDIA_TYPES, Query, Request, Response, json_answer
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.wire.contracts import ValidationBody, line_of, validation_body

LINES = "application/x-ndjson"
BYTES = "application/octet-stream"

MAX_LINE_BYTES = 4 * MAX_PAYLOAD_BYTES
"""A line may be longer than a payload: base64, and escapes."""

_MAX_LIMIT = 1_000
_FRAMED = "framed"
# What is judged at one go: enough to pay for a thread, and little enough for others to have their turn.
_BATCH_BYTES = 64 * 1024
_BATCH_LINES = 256

Opened = Callable[[Request, Question], Awaitable[Validator]]


async def _of_version(request: Request, question: Question) -> Validator:
    version = parse_version(request.path("version"))
    return await validation.validate_version(request.call, request.subject(), version, question)


async def _of_schema(request: Request, question: Question) -> Validator:
    named = request.text("subject")
    subject = parse_subject(named, request.context) if named else None
    return await validation.validate_schema(
        request.call, request.path_int("id"), question, context=request.context, subject=subject
    )


async def _framed(request: Request, question: Question) -> Validator:
    return await validation.validate_framed(request.call, question, context=request.context)


def _handler(opened: Opened, *, is_framed: bool = False) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        question = _question(request, is_framed=is_framed)
        validator = await opened(request, question)
        if request.content_type == LINES:
            lines = _lines(request.body_chunks(LINES))
            return Response(media_type=LINES, stream=_answers(validator, question, lines))
        payload = await request.raw_body(BYTES, *CONFLUENT_MEDIA_TYPES)
        [judged] = await validator.check([payload])
        body = validation_body(*judged)
        return json_answer(body, 200 if body.valid else InvalidPayload.code // 100)

    return handle


def _question(request: Request, *, is_framed: bool) -> Question:
    encoding = _FRAMED if is_framed else request.text("encoding")
    if not encoding:
        encoding = Encoding.BINARY if request.content_type == BYTES else Encoding.JSON
    return Question(
        encoding=None if encoding == _FRAMED else Encoding(encoding),
        mode=RuleMode(request.text("mode", RuleMode.WRITE)),
        message="" if is_framed else request.text("message"),
        limit=request.rows(100, _MAX_LIMIT),
    )


async def _answers(validator: Validator, question: Question, lines: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
    """Yield a line of JSON for each payload. What ends the whole batch is told in a last line, as a refusal."""
    index = 0
    try:
        async for batch in lines:
            payloads = batch if question.encoding is Encoding.JSON else [_decoded(line) for line in batch]
            judged = await validator.check(payloads)
            yield b"".join(line_of(index + place, *each) for place, each in enumerate(judged))
            index += len(batch)
    except RegistryError as error:
        yield msgspec.json.encode({"error_code": error.code, "message": str(error), "index": index}) + b"\n"


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Cut a body into lines, some at a time, without their ends; empty ones are left out. Raises BadRequest."""
    # A line that comes in many small pieces is put together once, not at each of them.
    rest: list[bytes] = []
    size = 0
    async for chunk in chunks:
        whole, end, begun = chunk.rpartition(b"\n")
        if end:
            for batch in _batches(b"".join((*rest, whole)).split(b"\n")):
                yield batch
            rest, size = [], 0
        rest.append(begun)
        size += len(begun)
        if size > MAX_LINE_BYTES:
            raise BadRequest(f"A line is longer than {MAX_LINE_BYTES} bytes")
    for batch in _batches([b"".join(rest)]):
        yield batch


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if not line or line.isspace():
            continue
        batch.append(line)
        size += len(line)
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_LINES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _decoded(line: bytes) -> bytes | Violation:
    """Decode a line of base64, which may stand in quotes as JSON's texts do."""
    text = line.strip()
    if len(text) > 1 and text[:1] == text[-1:] == b'"':
        text = text[1:-1]
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        message = f"The line is not base64: {error}"
        return Violation(ViolationKind.INVALID_BASE64, "", message, expected="base64 of the payload")


_QUERY = (
    Query(
        "mode",
        "string",
        RuleMode.WRITE,
        "Which rules run: those for writing or for reading.",
        choices=(RuleMode.WRITE, RuleMode.READ),
    ),
    Query("limit", "integer", 100, f"Violations to tell of one payload, at most {_MAX_LIMIT}.", example=10),
)
_OF_SCHEMA = (
    Query(
        "encoding",
        "string",
        None,
        "How payloads are encoded: `json`, `binary` or `framed` (Confluent's frame). By default `binary` for a body of "
        "bytes, else `json`. In lines, binary payloads are base64.",
        choices=(*Encoding, _FRAMED),
        example=Encoding.JSON,
    ),
    Query("message", "string", "", "The full name of a Protobuf message; by default the first."),
    *_QUERY,
)
_TAKES = ("application/json", BYTES, LINES)
_ANSWERS = (*CONFLUENT_MEDIA_TYPES, LINES)
_ERRORS = (BadRequest, InvalidConstraint, InvalidPayload, InvalidRuleSet, InvalidSchema, RouteNotFound)

ROUTES = (
    Route(
        "POST",
        "/v1/validate",
        _handler(_framed, is_framed=True),
        "Validate a payload, or one a line, each in the frame that names its schema.",
        "validation",
        query=_QUERY,
        answer=ValidationBody,
        takes=_TAKES,
        media_types=_ANSWERS,
        errors=_ERRORS,
    ),
    Route(
        "POST",
        "/v1/subjects/{subject}/versions/{version}/validate",
        _handler(_of_version),
        "Validate a payload, or one a line, against a version's structure, constraints and rules.",
        "validation",
        query=_OF_SCHEMA,
        answer=ValidationBody,
        takes=_TAKES,
        media_types=_ANSWERS,
        errors=(*_ERRORS, InvalidVersion, SubjectNotFound, VersionNotFound),
    ),
    Route(
        "POST",
        "/v1/schemas/ids/{id}/validate",
        _handler(_of_schema),
        "Validate a payload, or one a line, against a schema's structure, constraints and rules.",
        "validation",
        query=(Query("subject", "string", "", "A subject that uses the schema; it picks the context."), *_OF_SCHEMA),
        answer=ValidationBody,
        takes=_TAKES,
        media_types=_ANSWERS,
        errors=(*_ERRORS, SchemaNotFound),
    ),
)
