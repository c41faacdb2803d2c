"""The OpenAPI 3.1 document: what FastAPI tells of the routes, made fit for people, generated clients and checkers."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from meeting_buddy import __version__
from meeting_buddy.http_api.openapi_texts import (
    ANSWERS,
    BODIES,
    CONDITIONS,
    DESCRIPTION,
    HEADERS,
    LINKS,
    ONLY,
    PARAMETERS,
    SAID,
    headers_of,
)
from meeting_buddy.http_api.problems import KINDS, MEDIA_TYPE, ProblemError

_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_STATUS: Final = {"$ref": "#/components/schemas/SessionStatus"}
_FAULT: Final = "A fault of this server, which its log names."
_SPELLED: Final = {"last-event-id": "Last-Event-ID"}


def describe(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The document of these routes."""
    found = get_openapi(
        title="Meeting Buddy",
        version=__version__,
        summary="Bots that attend online meetings, record and transcribe them.",
        description=DESCRIPTION,
        routes=routes,
        tags=[{"name": "sessions", "description": "A session is one bot in one meeting."}],
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    )
    parts = found["components"]
    bearer = {"type": "http", "scheme": "bearer", "description": "A Kubernetes token of your own."}
    parts["securitySchemes"] = {"bearer": bearer}
    parts["headers"] = HEADERS
    found["security"] = [{"bearer": []}]
    for name in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(name, None)
    for each in parts["schemas"]["Problem"]["properties"].values():
        _never_null(each)
    for name, schema in parts["schemas"].items():
        if name.endswith("Request"):
            for each in schema["properties"].values():
                _default_in_words(each)
    _name_status(parts["schemas"])
    for operation in operations(found):
        _complete(operation)
    return found


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All operations of a document."""
    for path in document["paths"].values():
        yield from path.values()


def _complete(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    for parameter in operation.get("parameters", ()):
        _complete_parameter(parameter)
    if name in CONDITIONS:
        operation["parameters"] += CONDITIONS[name]
    for media in operation.get("requestBody", {}).get("content", {}).values():
        media.pop("example", None)
        media["examples"] = BODIES
    answers = operation["responses"]
    answers.setdefault("500", {"description": _FAULT})
    operation["responses"] = dict(sorted(answers.items()))
    for code, answer in answers.items():
        if code >= "400":
            answer["content"] = {MEDIA_TYPE: {"schema": _PROBLEM, "examples": _problems(name, code)}}
        elif name in ANSWERS and code != "304":
            _complete_success(name, answer)
        if found := headers_of(name, code):
            answer["headers"] = {each: {"$ref": f"#/components/headers/{each}"} for each in found}


def _complete_success(operation: str, answer: dict[str, Any]) -> None:
    meaning, example = ANSWERS[operation]
    answer["description"] = meaning or answer["description"]
    for media in answer.get("content", {}).values():
        if example is not None:
            media["example"] = example
    if operation in LINKS:
        answer["links"] = LINKS[operation]


def _complete_parameter(parameter: dict[str, Any]) -> None:
    if parameter["in"] == "header":  # FastAPI has small letters only
        name = parameter["name"]
        parameter["name"] = _SPELLED.get(name, "-".join(part.capitalize() for part in name.split("-")))
    schema = parameter["schema"]
    _never_null(schema)
    _default_in_words(schema)
    if parameter["name"] == "status":
        parameter["schema"] = schema = dict(_STATUS)
    if "description" in parameter and "description" in schema:
        parameter["description"] = schema.pop("description")
    more = dict(PARAMETERS.get(parameter["name"], {}))
    if "example" in more:
        parameter["example"] = more.pop("example")
    schema.update(more)


def _name_status(schemas: dict[str, Any]) -> None:
    """One enumeration of that name for clients, not one for each place."""
    fields = schemas["SessionObject"]["properties"]
    schemas["SessionStatus"] = {**fields["status"], "title": "SessionStatus"}
    fields["status"] = dict(_STATUS)


def _default_in_words(schema: dict[str, Any]) -> None:
    """Generated clients would send each default, or want it to be said; what is left out gets the server's own."""
    default = schema.pop("default", None)
    if default is not None and default not in ("", [], {}):
        words = [schema.get("description", ""), f"Default: {json.dumps(default, ensure_ascii=False)}."]
        schema["description"] = " ".join(words).strip()


def _never_null(schema: dict[str, Any]) -> None:
    """What may be left out, yet is never ``null``: neither parameters nor a problem's fields are."""
    others = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(others) == 1:
        del schema["anyOf"]
        schema.update(others[0])


def _problems(operation: str, code: str) -> dict[str, Any]:
    """An example of each type of problem that an operation may have with a status."""
    return {
        kind: {"summary": title, "value": SAID.get(kind, ProblemError(kind, title)).document()}
        for kind, (status, title) in KINDS.items()
        if str(status) == code and operation in ONLY.get(kind, (operation,))
    }
