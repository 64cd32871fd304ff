"""The raw text of a schema, in the media type that the caller likes best (FR-3.4).

Refuses to know which formats there are.
"""

from __future__ import annotations

from llm_schema_registry.errors import NotAcceptable
from llm_schema_registry.model import Schema
from llm_schema_registry.registry import schemas
from llm_schema_registry.rest.request import CONFLUENT_MEDIA_TYPES, Query, Request, Response, text_answer

SCHEMA_MEDIA_TYPES = (*CONFLUENT_MEDIA_TYPES, *schemas.NATIVE_MEDIA_TYPES)
PRETTY = Query("pretty", "boolean", False, "Whether to lay the schema out for people instead of compactly.")


async def answer_schema_text(request: Request, schema: Schema, *, cache_control: str | None = None) -> Response:
    """Answer a schema's text: as stored or in a `format`, or in a native media type of its format.

    Raises NotAcceptable when the caller takes none of what this schema can be written in.
    """
    native = schemas.native_media_types(request.call, schema)
    media_type = request.accepts(*CONFLUENT_MEDIA_TYPES, *native)
    if media_type is None:
        raise NotAcceptable
    pretty = request.flag("pretty")
    style = request.text("format")
    if media_type in native or (pretty and not style):
        chosen = media_type if media_type in native else native[0]
        body: bytes | str = await schemas.represent(request.call, schema, chosen, pretty=pretty)
    else:
        body = await schemas.render(request.call, schema, style)
    answer = text_answer(body, media_type=media_type, cache_control=cache_control)
    answer.headers["vary"] = "Accept"
    return answer
