"""/openapi.json, made from the same list of endpoints that the routes are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from livereduce import status

STATUS = status.STATUS.json_schema(mode="serialization", ref_template="#/components/schemas/{model}")


def _query(name: str, text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": dict(schema)}


FORMATS = ("json", "npy", "npz", "csv", "nxs")
"""npy is one array; npz all arrays of one version, with the description as JSON in ``about``."""
WORKSPACE_PARAMETERS = (
    {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}},
    _query("spectrum", 'Workspace indices like "0,5", "sum" or "counts"; default: all there are', {"type": "string"}),
    _query("image", "A picture of all spectra, neighbours averaged", {"type": "string"}),
    _query("format", "Form of the answer", {"enum": list(FORMATS), "default": "json"}),
    _query("part", "Array wanted as npy: x, y, e (sum_x, sum_y, sum_e, counts)", {"type": "string", "default": "y"}),
)
WORKSPACE_RESPONSES = {
    "202": "These spectra are not in the snapshot; they come with the next step",
    "304": "Not changed since the version in If-None-Match",
    "400": "A parameter makes no sense",
    "404": "No such workspace or spectrum",
    "409": "The spectra have different bins, so there is no sum",
    "413": "Too many values for text",
    "503": "The snapshot is damaged or being replaced",
}
PLOT_PARAMETERS = ({"name": "name", "in": "path", "required": True, "schema": {"type": "string"}},)
PLOT_RESPONSES = {"404": "No such plot"}
PLOTLY_RESPONSES = {"404": "No plotly package is installed"}
LINES = (_query("lines", "How many lines", {"type": "integer", "default": 200, "minimum": 1, "maximum": 10000}),)
READY_RESPONSES = {"503": "Starting, stopping, or without a source"}
ACTION_RESPONSES = {"401": "No bearer token", "403": "Not the token"}
ACTIONS = {
    "restart": "Begin again: read the run from its start",
    "clear": "Forget the accumulation and begin with the data that come now",
    "rollback": "Go back to the scripts as they were before the last save",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing the server answers."""

    path: str
    summary: str
    handler: Callable[[Request], Any]
    method: str = "GET"
    media: str = "application/json"
    parameters: tuple[dict[str, Any], ...] = ()
    responses: Mapping[str, str] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A name for the operation: ``get_api_status``."""
        words = "".join(c if c.isalnum() else " " for c in self.path).split()
        return "_".join([self.method.lower(), *(words or ["page"])])


def describe(endpoints: list[Endpoint], version: str) -> dict[str, Any]:
    """Give the OpenAPI 3.1 description of the endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    components: dict[str, Any] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "livereduce", "version": version, "license": {"name": "MIT", "identifier": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint, components: dict[str, Any]) -> dict[str, Any]:
    schema = dict(endpoint.schema)
    components.update(schema.pop("$defs", {}))
    good = "202" if endpoint.method == "POST" else "200"
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [dict(parameter) for parameter in endpoint.parameters],
        "responses": {
            good: {"description": "Done" if good == "202" else "OK", "content": {endpoint.media: {"schema": schema}}},
            **{code: {"description": text} for code, text in endpoint.responses.items()},
        },
    }
    if endpoint.method == "POST":
        operation["security"] = [{"token": []}]
    return operation
