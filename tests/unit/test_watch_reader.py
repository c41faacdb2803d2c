"""A watch's events are taken from its lines, but for what repeats own writes; kopf reads bookmarks and the rest."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy.app.watch_reader import without_events
from meeting_buddy.controller.echoes import _REMEMBERED, Echoes
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.session_cache import SessionCache
from tests.support.operator_clock import ManualClock


def event(version: str, kind: str = "MODIFIED", uid: str = "u1", **metadata: object) -> bytes:
    """As the API server spells it: a custom resource's fields in the order of their names."""
    fields = dict(sorted({**metadata, "name": "standup", "resourceVersion": version, "uid": uid}.items()))
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": fields, "spec": {"metadata": {"resourceVersion": "7"}}}
    return json.dumps({"type": kind, "object": body}, separators=(",", ":")).encode() + b"\n"


BOOKMARK = event("7", "BOOKMARK")


@dataclass
class Read:
    """What became of a watch."""

    taken: list[tuple[str, str]] = field(default_factory=list)
    """Types and versions of the events."""
    left: list[dict[str, Any]] = field(default_factory=list)
    """Lines for kopf."""
    raw: bytes = b""

    @property
    def version(self) -> str | None:
        """From which kopf would open the watch again."""
        known = [each["object"]["metadata"]["resourceVersion"] for each in self.left if each["type"] == "BOOKMARK"]
        return known[-1] if known else None


async def read(sent: bytes, echoes: Echoes, cut: int = 10_000) -> Read:
    """A watch that arrives in parts."""
    found = Read()

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), cut):
            yield sent[start : start + cut]

    def take(kind: str, document: dict[str, Any]) -> None:
        found.taken.append((kind, document["metadata"]["resourceVersion"]))

    found.raw = b"".join([part async for part in without_events(parts(), partial(echoes.take, "pods"), take)])
    with suppress(ValueError):
        found.left = [json.loads(line) for line in found.raw.splitlines()]
    return found


def expecting(*versions: str, resource: str = "pods") -> Echoes:
    echoes = Echoes()
    for each in versions:
        echoes.expect(resource, {"metadata": {"resourceVersion": each, "uid": "u1"}})
    return echoes


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
async def test_events_are_taken_and_kopf_is_told_how_far_the_watch_has_come(kind: str) -> None:
    found = await read(event("6", kind) + event("7", kind), Echoes())
    assert found.taken == [(kind, "6"), (kind, "7")]
    assert found.left == [{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}}]


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED"])
async def test_what_was_written_here_is_left_out(kind: str) -> None:
    found = await read(event("6") + event("7", kind), expecting("7"))
    assert found.taken == [("MODIFIED", "6")]
    assert found.version == "7"


async def test_a_version_is_shown_once() -> None:
    assert (await read(event("7") + event("7"), expecting("7"))).taken == [("MODIFIED", "7")]


@pytest.mark.parametrize(
    ("line", "version"),
    [
        pytest.param(event("7", "DELETED"), "7", id="gone"),
        pytest.param(event("8", labels={"text": '"resourceVersion":"7"'}), "8", id="quoted in a text"),
        pytest.param(event("7", uid="u2"), "7", id="another object: versions repeat after etcd was restored"),
        pytest.param(event("8", uid="u2", annotations={"resourceVersion": "7"}), "8", id="an annotation"),
        pytest.param(event("8", zone={"resourceVersion": "7"}), "8", id="somewhere behind"),
    ],
)
async def test_everything_else_is_taken(line: bytes, version: str) -> None:
    assert [each for _, each in (await read(line, expecting("7"))).taken] == [version]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(BOOKMARK, id="a bookmark"),
        pytest.param(b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n', id="an error"),
        pytest.param(b'{"type":"MODIFIED","object":{}}\n', id="no version"),
        pytest.param(b'{"type":"ADDED","object":[]}\n', id="no object"),
        pytest.param(b'{"type":["ADDED"],"object":{"metadata":{"resourceVersion":"7"}}}\n', id="no type"),
        pytest.param(b'{"type":"ADDED","object":{"metadata":{"resourceVersion":""}}}\n', id="an empty version"),
        pytest.param(b'{"type":"ADDED"\n', id="half an event"),
        pytest.param(b"\xff\x00{\n", id="no event"),
    ],
)
async def test_what_is_no_event_is_left_to_kopf(line: bytes) -> None:
    found = await read(event("6") + line, expecting("7"))
    assert found.raw == line
    assert found.taken == [("MODIFIED", "6")]


async def test_a_bookmark_of_the_api_server_keeps_its_place() -> None:
    found = await read(event("6") + BOOKMARK + event("8"), Echoes())
    assert [each["object"]["metadata"]["resourceVersion"] for each in found.left] == ["7", "8"]


async def test_an_object_of_another_resource_is_another_one() -> None:
    assert (await read(event("7"), expecting("7", resource="meetingsessions"))).taken == [("MODIFIED", "7")]


async def test_what_is_cut_at_the_end_is_handed_on() -> None:
    found = await read(event("6") + event("7")[:-20], expecting("7"))
    assert found.taken == [("MODIFIED", "6")]
    assert found.raw.endswith(event("7")[:-20])


async def test_the_last_line_needs_no_end() -> None:
    found = await read(event("6") + event("7").rstrip(b"\n"), Echoes())
    assert found.taken == [("MODIFIED", "6"), ("MODIFIED", "7")]
    assert found.version == "7"


@given(
    st.lists(st.tuples(st.sampled_from(["5", "6", "7", "8"]), st.text(max_size=5)), max_size=8),
    st.sets(st.sampled_from(["5", "6", "7", "8"])),
    st.integers(1, 400),
)
async def test_where_the_network_cuts_changes_nothing(
    events: list[tuple[str, str]], expected: set[str], cut: int
) -> None:
    left, known = [], set(expected)
    for version, _ in events:
        if version in known:
            known.remove(version)
        else:
            left.append(("MODIFIED", version))
    sent = b"".join(event(version, note=note) for version, note in events)
    found = await read(sent, expecting(*expected), cut)
    assert found.taken == left
    assert found.version == (events[-1][0] if events else None)


@pytest.mark.parametrize("resource", ["pods", "meetingsessions"])
@pytest.mark.parametrize("kind", ["MODIFIED", "DELETED"])
def test_an_event_that_makes_no_sense_is_told_and_ends_no_watch(
    resource: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    events = EventHandler(SessionCache(ManualClock()), KeyedQueue())
    events.event(resource, kind, {"metadata": ["no", "object"]})
    assert [each.message for each in caplog.records] == ["an event was not taken in"]


def test_what_is_never_repeated_is_forgotten() -> None:
    echoes = expecting(*map(str, range(_REMEMBERED + 1)))
    assert echoes.take("pods", "0") is None
    assert echoes.take("pods", "1") == "u1"
