"""The OpenAPI 3.1 document, made from the table of endpoints."""

import re
from collections.abc import Iterable
from typing import Final

from memgraph_ha import __version__
from memgraph_ha.api.cluster import Json
from memgraph_ha.api.endpoints import Auth, Endpoint
from memgraph_ha.api.schema import Schema, named
from memgraph_ha.api.schemas import SCHEMAS
from memgraph_ha.api.schemas_predecessor import PREDECESSOR_SCHEMAS

ALL_SCHEMAS: Final[dict[str, Schema]] = {**SCHEMAS, **PREDECESSOR_SCHEMAS}
"""Every named schema."""

_SECURITY: Final[dict[Auth, str]] = {Auth.TOKEN: "token", Auth.BASIC: "memgraph"}

ALWAYS: Final[dict[int, str]] = {
    408: "the request's body did not come in time",
    413: "the request's body is too large",
    500: "a fault of the controller; its log says which",
}
"""Answers that any endpoint may give; their body is an `Error`."""


def openapi_document(endpoints: Iterable[Endpoint]) -> Json:
    """Describe the whole API."""
    paths: dict[str, dict[str, object]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "memgraph-ha",
            "version": __version__,
            "description": (
                "Every controller serves this, whether it leads or not. Reads are open; what changes something needs "
                "the token. Unknown paths are 404, wrong methods 405, both with an `Error`."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": ALL_SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "the controller's API token"},
                "memgraph": {"type": "http", "scheme": "basic", "description": "user and password of Memgraph"},
            },
        },
    }


def _operation(endpoint: Endpoint) -> Json:
    operation: Json = {
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "responses": {str(status): _response(endpoint, status) for status in sorted(every_status(endpoint))},
    }
    if endpoint.doc:
        operation["description"] = endpoint.doc
    if endpoint.parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "description": doc, "schema": {"type": "string"}}
            for name, doc in endpoint.parameters.items()
        ]
    if endpoint.body is not None:
        content = {"application/json": {"schema": endpoint.body}}
        operation["requestBody"] = {"required": "required" in endpoint.body, "content": content}
    if endpoint.auth in _SECURITY:
        needed: Json = {_SECURITY[endpoint.auth]: []}
        operation["security"] = [needed] if endpoint.auth is Auth.TOKEN else [needed, {}]
    return operation


def operation_id(endpoint: Endpoint) -> str:
    """Name an operation, e.g. ``get_api_v1_cluster``."""
    return f"{endpoint.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', endpoint.path.lower()).strip('_') or 'root'}"


def every_status(endpoint: Endpoint) -> set[int]:
    """List every status that an endpoint may answer with."""
    return {*endpoint.answers, *ALWAYS}


def _response(endpoint: Endpoint, status: int) -> Json:
    says, schema = endpoint.answers.get(status) or (ALWAYS[status], named("Error"))
    response: Json = {"description": says}
    if schema is not None:
        response["content"] = {"application/json": {"schema": schema}}
    elif status == 200 and endpoint.media:  # noqa: PLR2004 - HTTP OK
        response["content"] = {endpoint.media: {"schema": {"type": "string"}}}
    return response
