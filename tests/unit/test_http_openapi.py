"""The HTTP API's OpenAPI document: valid, complete, with examples that are what they stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from meeting_buddy.contract.identity import volume_path
from meeting_buddy.contract.transcript import TranscriptLine
from meeting_buddy.http_api import docs_page
from meeting_buddy.http_api.app import build
from meeting_buddy.http_api.documents import SessionRequest
from meeting_buddy.http_api.openapi import operations
from meeting_buddy.http_api.openapi_texts import ANSWERS, ONLY
from meeting_buddy.http_api.problems import KINDS, MEDIA_TYPE

DOCUMENT = build(Mock(), Mock(), Mock()).openapi()
OPERATIONS = {each["operationId"]: each for each in operations(DOCUMENT)}
ELSEWHERE = {"method-not-allowed"}
"""Problems of requests that are none of an operation's."""


def content(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Where, media type and content of an operation's body and answers."""
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", kind, media
    for code, answer in operation["responses"].items():
        for kind, media in answer.get("content", {}).items():
            yield code, kind, media


def examples(media: dict[str, Any]) -> list[Any]:
    return [each["value"] for each in media.get("examples", {}).values()] + [
        media[n] for n in ("example",) if n in media
    ]


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": DOCUMENT["components"]}
    checker = OAS31Validator(whole, format_checker=OAS31Validator.FORMAT_CHECKER)
    return [each.message for each in checker.iter_errors(value)]


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert [str(each) for each in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_who_may_call_it_and_what_comes_of_it(name: str) -> None:
    operation = OPERATIONS[name]
    assert re.fullmatch("[a-z]+[A-Z][A-Za-z]+", name)
    assert operation["summary"]
    assert "security" not in operation  # the document's own holds
    answers = operation["responses"]
    assert {"400", "401", "403", "422", "429", "500", "502", "503", "504"} <= answers.keys()
    assert "WWW-Authenticate" in answers["401"]["headers"]
    assert all("Retry-After" in answers[code]["headers"] for code in ("429", "503", "504"))
    assert not [
        code for code, each in answers.items() if not each["description"] or "Successful" in each["description"]
    ]
    assert name in ANSWERS


def test_the_next_page_is_one_of_the_same_list() -> None:
    listing = OPERATIONS["listSessions"]
    names = {each["name"] for each in listing["parameters"] if each["in"] == "query"}
    given = listing["responses"]["200"]["links"]["next"]["parameters"]
    assert given.pop("cursor") == "$response.body#/next_cursor"
    assert given == {each: f"$request.query.{each}" for each in names - {"cursor"}}


def test_the_one_security_scheme_is_the_bearer_token() -> None:
    assert DOCUMENT["security"] == [{"bearer": []}]
    assert DOCUMENT["components"]["securitySchemes"].keys() == {"bearer"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_example_is_what_it_stands_for(name: str) -> None:
    for where, kind, media in content(OPERATIONS[name]):
        found = examples(media)
        assert found or kind == "application/octet-stream", (where, kind)
        for each in found:
            assert faults(media["schema"], each) == [], (where, each)
            if where == "body":
                SessionRequest.model_validate(each)
            if kind == MEDIA_TYPE:
                assert str(each["status"]) == where
    for parameter in OPERATIONS[name].get("parameters", ()):
        if parameter["name"] != "cursor":  # it is opaque
            assert faults(parameter["schema"], parameter["example"]) == [], parameter


def test_the_example_of_a_transcript_is_a_line_with_all_its_fields() -> None:
    (stream,) = examples(OPERATIONS["followTranscript"]["responses"]["200"]["content"]["text/event-stream"])
    line = json.loads(stream.partition("data: ")[2].partition("\n")[0])
    assert TranscriptLine.model_validate(line).model_dump(mode="json", by_alias=True) == line


def test_the_example_of_a_session_has_its_folder_as_the_operator_names_it() -> None:
    (session,) = examples(OPERATIONS["getSession"]["responses"]["200"]["content"]["application/json"])
    assert session["output_directory"] == volume_path(session["organization_id"], session["session_id"])


def test_the_types_of_problems_are_an_open_set_that_is_written_down() -> None:
    said = {
        each["type"].rpartition(":")[2]
        for operation in OPERATIONS.values()
        for _, kind, media in content(operation)
        if kind == MEDIA_TYPE
        for each in examples(media)
    }
    assert said == KINDS.keys() - ELSEWHERE
    declared = DOCUMENT["components"]["schemas"]["Problem"]["properties"]["type"]
    assert [each.rpartition(":")[2] for each in declared["x-extensible-enum"]] == list(KINDS)
    assert "enum" not in declared
    assert ONLY.keys() <= KINDS.keys()
    assert set().union(*ONLY.values()) <= OPERATIONS.keys()


def test_headers_are_spelled_as_everybody_spells_them() -> None:
    named = {
        each["name"] for operation in OPERATIONS.values() for each in operation["parameters"] if each["in"] == "header"
    }
    assert {"Idempotency-Key", "Last-Event-ID"} <= named
    assert not [each for each in named if each == each.lower()]
    assert OPERATIONS["createSession"]["responses"]["201"]["headers"].keys() == {"Location", "Idempotency-Replayed"}


def test_generated_clients_send_what_was_said_and_nothing_else() -> None:
    """A default in a schema is sent by some generators' clients, and asked for by others'."""
    schemas = [each["schema"] for operation in OPERATIONS.values() for each in operation["parameters"]]
    assert not [each for each in schemas if "default" in each or {"type": "null"} in each.get("anyOf", ())]
    for name, model in DOCUMENT["components"]["schemas"].items():
        if name.endswith("Request"):
            assert not [field for field, each in model["properties"].items() if "default" in each], name
            assert model["additionalProperties"] is False
    status = {"$ref": "#/components/schemas/SessionStatus"}
    assert DOCUMENT["components"]["schemas"]["SessionObject"]["properties"]["status"] == status
    assert status in schemas


def test_a_problem_is_not_saved_as_the_file_that_was_asked_for() -> None:
    path = next(path for path, each in DOCUMENT["paths"].items() if each.get("get") is OPERATIONS["downloadRecording"])
    assert docs_page.curl("GET", path, OPERATIONS["downloadRecording"]).startswith("curl -f -O ")


def test_it_says_of_whom_there_may_be_no_answer() -> None:
    assert "reader of recordings" in OPERATIONS["downloadRecording"]["responses"]["503"]["description"]
    assert "about:blank" in docs_page.render(DOCUMENT), "of 431, and of 503 for too many connections"


def test_only_a_final_file_is_said_to_have_an_etag() -> None:
    assert "final" in DOCUMENT["components"]["headers"]["ETag"]["description"]
