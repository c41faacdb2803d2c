"""What is left out of a document of another version, and what cannot be."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from meeting_buddy.contract.lenient import UnreadableError, read_leniently
from meeting_buddy.resource.session import MeetingSession, read

Word = Annotated[str, Field(max_length=4)]


class Inner(BaseModel):
    words: dict[Word, Word] = {}


class Document(BaseModel):
    name: str
    inner: Inner = Inner()
    either: Inner | list[int] = []


@pytest.mark.parametrize("value", ["b", "toolong", 3, None, ["[key]"], {"[key]": "x"}])
def test_an_entry_whose_key_cannot_be_read_is_left_out_alone(value: Any) -> None:
    document = {"name": "a", "inner": {"words": {"toolong": value, "good": "b"}}}
    read_document, left_out = read_leniently(Document, document)
    assert read_document.inner.words == {"good": "b"}
    assert set(left_out) == {"inner.words.toolong"}


def test_metadata_of_another_version_costs_neither_the_session_nor_the_rest_of_it() -> None:
    about = {"name": "a", "namespace": "team-a", "uid": "1", "resourceVersion": "7", "generation": 1}
    spec = {"meetingLink": "https://zoom.us/j/1", "metadata": {"x" * 257: "b", "team": "sales"}}
    session, unreadable = read(
        {
            "apiVersion": "meetingbuddy.io/v1alpha1",
            "kind": "MeetingSession",
            "metadata": {**about, "creationTimestamp": "2026-11-23T10:00:00Z"},
            "spec": spec,
        }
    )
    assert isinstance(session, MeetingSession)
    assert session.spec.metadata == {"team": "sales"}
    assert unreadable == (f"spec.metadata.{'x' * 257}",)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"name": 3},
        {"name": "a", "either": "x"},
        {"name": "a", "either": {"words": 3}},
        {"inner": 3},
        {"name": "a", "either": None},
        {"name": "a", "either": "Inner"},
    ],
)
def test_what_cannot_be_left_out_ends_it_in_one_way(document: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        read_leniently(Document, document)
