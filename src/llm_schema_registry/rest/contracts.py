"""What contracts refer to, under `/v1`: reference data, policies, whole contracts, and samples of what broke them.

Refuses to decide anything: a handler reads a request, calls one use case and writes the answer.
"""

from __future__ import annotations

import msgspec

from llm_schema_registry.documents import DocumentKind
from llm_schema_registry.errors import BadRequest, DocumentNotFound, InvalidDocument, InvalidSchema, SchemaNotFound
from llm_schema_registry.model import LATEST
from llm_schema_registry.names import parse_subject
from llm_schema_registry.registry import documents, samples, validation
from llm_schema_registry.registry.contracts import Governed
from llm_schema_registry.rest.jobs import CURSOR_PAGING, DEFAULT_ROWS, MAX_ROWS, read_cursor
from llm_schema_registry.rest.request import Query, Request, Response, empty_answer, json_answer
from llm_schema_registry.rest.routing import Route
from llm_schema_registry.wire.contracts import (
    ContractBody,
    DataSetBody,
    DataSetRequest,
    PolicyBody,
    PolicyRequest,
    ReferencedText,
    SamplePage,
    contract_body,
    data_set_body,
    policy_body,
    sample_body,
)

_DATA, _POLICY = DocumentKind.REFERENCE_DATA, DocumentKind.POLICY


async def list_data(request: Request) -> Response:
    found = await documents.list_documents(request.call, _DATA)
    return json_answer([data_set_body(document, with_entries=False) for document in found])


async def get_data(request: Request) -> Response:
    version = request.integer("version", LATEST)
    return json_answer(
        data_set_body(await documents.get_document(request.call, _DATA, request.path("data_set"), version))
    )


async def put_data(request: Request) -> Response:
    body = await request.body(DataSetRequest)
    text = msgspec.json.encode(body.entries).decode()
    document = await documents.put_document(request.call, _DATA, request.path("data_set"), text)
    return json_answer(data_set_body(document, with_entries=False))


async def delete_data(request: Request) -> Response:
    await documents.delete_document(request.call, _DATA, request.path("data_set"))
    return empty_answer()


async def list_policies(request: Request) -> Response:
    return json_answer([policy_body(document) for document in await documents.list_documents(request.call, _POLICY)])


async def get_policy(request: Request) -> Response:
    return json_answer(policy_body(await documents.get_document(request.call, _POLICY, request.path("policy"))))


async def put_policy(request: Request) -> Response:
    body = await request.body(PolicyRequest)
    text = msgspec.json.encode(body).decode()
    return json_answer(policy_body(await documents.put_document(request.call, _POLICY, request.path("policy"), text)))


async def delete_policy(request: Request) -> Response:
    await documents.delete_document(request.call, _POLICY, request.path("policy"))
    return empty_answer()


async def get_contract(request: Request) -> Response:
    named = request.text("subject")
    return _contract(
        await validation.govern_schema(
            request.call,
            request.path_int("id"),
            context=request.context,
            subject=parse_subject(named, request.context) if named else None,
        )
    )


async def get_contract_by_guid(request: Request) -> Response:
    return _contract(await validation.govern_guid(request.call, request.path("guid")))


def _contract(governed: Governed) -> Response:
    references = [
        ReferencedText(
            name=each.name, subject=each.subject, version=each.version, definition=each.text, is_direct=each.is_direct
        )
        for each in governed.references
    ]
    return json_answer(
        contract_body(governed.schema, governed.subject, references, governed.level, governed.policies, governed.data)
    )


async def list_samples(request: Request) -> Response:
    limit = request.rows(DEFAULT_ROWS, MAX_ROWS)
    cursor, named = request.text("cursor"), request.text("subject")
    found = await samples.list_samples(
        request.call,
        parse_subject(named, request.context) if named else None,
        read_cursor(cursor) if cursor else None,
        limit + 1,
    )
    last = found[limit - 1] if len(found) > limit else None
    following = None if last is None else f"{last.at}.{last.id}"
    return json_answer(SamplePage([sample_body(sample) for sample in found[:limit]], following))


_SUBJECT = Query("subject", "string", "", "Only what is about this subject.", example="telemetry.inference-event")

ROUTES = (
    Route(
        "GET",
        "/v1/reference-data",
        list_data,
        "List the sets of reference data, without their entries.",
        "contracts",
        answer=list[DataSetBody],
    ),
    Route(
        "GET",
        "/v1/reference-data/{data_set}",
        get_data,
        "Return a set of reference data.",
        "contracts",
        query=(Query("version", "integer", LATEST, "A version that is still kept; -1 is the newest.", example=-1),),
        answer=DataSetBody,
        errors=(DocumentNotFound,),
    ),
    Route(
        "PUT",
        "/v1/reference-data/{data_set}",
        put_data,
        'Write a set of reference data, which rules name as `catalog("name")`; it gets a new version if it changed.',
        "contracts",
        body=DataSetRequest,
        example={"entries": ["gpt-5", "claude-5"]},
        answer=DataSetBody,
        errors=(InvalidDocument,),
    ),
    Route(
        "DELETE",
        "/v1/reference-data/{data_set}",
        delete_data,
        "Remove a set of reference data with all its versions.",
        "contracts",
        status=204,
        errors=(DocumentNotFound,),
    ),
    Route(
        "GET",
        "/v1/policies",
        list_policies,
        "List the governance policies.",
        "contracts",
        answer=list[PolicyBody],
    ),
    Route(
        "GET",
        "/v1/policies/{policy}",
        get_policy,
        "Return a governance policy.",
        "contracts",
        answer=PolicyBody,
        errors=(DocumentNotFound,),
    ),
    Route(
        "PUT",
        "/v1/policies/{policy}",
        put_policy,
        "Demand that tagged fields are protected in every schema of some subjects; versions as for data.",
        "contracts",
        body=PolicyRequest,
        example={"subject_prefix": "security.", "tag": "PII", "requirement": "MASKED"},
        answer=PolicyBody,
        errors=(InvalidDocument,),
    ),
    Route(
        "DELETE",
        "/v1/policies/{policy}",
        delete_policy,
        "Remove a governance policy with all its versions.",
        "contracts",
        status=204,
        errors=(DocumentNotFound,),
    ),
    Route(
        "GET",
        "/v1/schemas/ids/{id}/contract",
        get_contract,
        "Return all that a client needs to validate payloads of a schema by itself.",
        "contracts",
        query=(Query("subject", "string", "", "A subject that uses the schema; it picks context and settings."),),
        answer=ContractBody,
        errors=(InvalidSchema, SchemaNotFound),
    ),
    Route(
        "GET",
        "/v1/schemas/guids/{guid}/contract",
        get_contract_by_guid,
        "Return all that a client needs to validate payloads of a schema by itself.",
        "contracts",
        answer=ContractBody,
        errors=(InvalidSchema, SchemaNotFound),
    ),
    Route(
        "GET",
        "/v1/violations",
        list_samples,
        "List samples of payloads that broke their contracts, newest first, sensitive fields masked.",
        "contracts",
        query=(_SUBJECT, *CURSOR_PAGING),
        answer=SamplePage,
        errors=(BadRequest,),
    ),
)
