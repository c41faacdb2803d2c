"""What a watch repeats of this process's own writes does not reach kopf; everything else does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy.app.echo_filter import without_echoes
from meeting_buddy.controller.echoes import _REMEMBERED, Echoes


def event(version: str, kind: str = "MODIFIED", uid: str = "u1", **metadata: object) -> bytes:
    """As the API server spells it: a custom resource's fields in the order of their names."""
    fields = dict(sorted({**metadata, "name": "standup", "resourceVersion": version, "uid": uid}.items()))
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": fields, "spec": {"metadata": {"resourceVersion": "7"}}}
    return json.dumps({"type": kind, "object": body}, separators=(",", ":")).encode() + b"\n"


BOOKMARK = event("7", "BOOKMARK")


async def seen(sent: bytes, echoes: Echoes, cut: int = 10_000) -> bytes:
    """What is left of a watch that arrives in parts."""

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), cut):
            yield sent[start : start + cut]

    return b"".join([part async for part in without_echoes(parts(), partial(echoes.take, "pods"))])


def expecting(*versions: str, resource: str = "pods") -> Echoes:
    echoes = Echoes()
    for each in versions:
        echoes.expect(resource, {"metadata": {"resourceVersion": each, "uid": "u1"}})
    return echoes


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED"])
async def test_what_was_written_here_is_left_out(kind: str) -> None:
    assert await seen(event("6") + event("7", kind) + event("8"), expecting("7")) == event("6") + event("8")


async def test_a_version_is_shown_once() -> None:
    assert await seen(event("7") + event("7"), expecting("7")) == event("7")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(event("7", "DELETED"), id="gone"),
        pytest.param(BOOKMARK, id="a bookmark"),
        pytest.param(b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n', id="an error"),
        pytest.param(b'{"type":"MODIFIED","object":{}}\n', id="no version"),
        pytest.param(b"\xff\x00{\n", id="no event"),
        pytest.param(event("8", labels={"text": '"resourceVersion":"7"'}), id="quoted in a text"),
        pytest.param(event("7", uid="u2"), id="another object: versions repeat after etcd was restored"),
        pytest.param(event("8", uid="u2", annotations={"resourceVersion": "7"}), id="an annotation"),
        pytest.param(event("8", zone={"resourceVersion": "7"}), id="somewhere behind"),
    ],
)
async def test_everything_else_is_read(line: bytes) -> None:
    assert await seen(line, expecting("7")) == line


async def test_an_object_of_another_resource_is_another_one() -> None:
    assert await seen(event("7"), expecting("7", resource="meetingsessions")) == event("7")


async def test_what_is_cut_at_the_end_is_handed_on() -> None:
    assert await seen(event("6") + event("7")[:-20], expecting("7")) == event("6") + event("7")[:-20]


@given(
    st.lists(st.tuples(st.sampled_from(["5", "6", "7", "8"]), st.text(max_size=5)), max_size=8),
    st.sets(st.sampled_from(["5", "6", "7", "8"])),
    st.integers(1, 400),
)
async def test_where_the_network_cuts_changes_nothing(
    events: list[tuple[str, str]], expected: set[str], cut: int
) -> None:
    sent = [(version, event(version, note=note)) for version, note in events]
    left, known = [], set(expected)
    for version, line in sent:
        if version in known:
            known.remove(version)
        else:
            left.append(line)
    assert await seen(b"".join(line for _, line in sent), expecting(*expected), cut) == b"".join(left)


def test_what_is_never_repeated_is_forgotten() -> None:
    echoes = expecting(*map(str, range(_REMEMBERED + 1)))
    assert echoes.take("pods", "0") is None
    assert echoes.take("pods", "1") == "u1"
