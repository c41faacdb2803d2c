"""Where a session's bot is: node and address, together, and never at the price of a write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import PodFacts, SessionFacts
from meeting_buddy.domain.plan import PatchStatus
from meeting_buddy.resource.session import MeetingSessionStatus
from tests.support import operator_facts as make
from tests.support.operator_facts import NOW, later


def patch(session: SessionFacts, *pods: PodFacts, seconds: int = 0) -> dict[str, Any] | None:
    """The status patch that is due after ``seconds``, if one is."""
    plan = decide(make.facts(session, *pods, written_at=NOW), lambda: later(seconds))
    return next((dict(action.patch) for action in plan.actions if isinstance(action, PatchStatus)), None)


def after(session: SessionFacts, change: dict[str, Any] | None) -> SessionFacts:
    document = session.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return replace(session, status=MeetingSessionStatus.model_validate({**document, **(change or {})}))


def accepted() -> SessionFacts:
    """A session whose pod was just made."""
    session = make.session()
    return after(session, patch(session))


def place(change: dict[str, Any] | None) -> tuple[Any, Any]:
    assert change is not None
    return change.get("node"), change.get("botAddress")


ADDRESSES = ["10.0.0.9", "fd00:10:244::9"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_node_and_address_come_with_the_write_that_a_started_bot_costs_anyhow(address: str) -> None:
    started = patch(accepted(), replace(make.RUNNING_POD, ip=address))
    assert started is not None
    assert started["phase"] == "Joining"
    assert place(started) == ("node1", address)


def test_an_address_alone_costs_no_write_at_once() -> None:
    assert patch(accepted(), make.STARTING_POD) is None
    assert place(patch(accepted(), make.STARTING_POD, seconds=61)) == ("node1", "10.0.0.9")


def test_a_node_waits_for_the_address() -> None:
    """Also where something else is written meanwhile."""
    scheduled = make.pod(ip=None)
    assert patch(accepted(), scheduled) is None
    leaving = replace(accepted(), spec=make.spec(leave=True))
    assert place(patch(leaving, scheduled)) == (None, None)


def test_the_end_names_the_node_of_a_pod_that_never_had_an_address() -> None:
    mounting = make.pod(ip=None, bot=make.waiting("ContainerCreating"))
    session = accepted()
    plan = decide(make.facts(session, mounting, warnings=(), written_at=NOW), lambda: later(601))
    (change,) = (dict(action.patch) for action in plan.actions if isinstance(action, PatchStatus))
    assert change["phase"] == "Failed"
    assert place(change) == ("node1", None)


def test_both_stay_when_the_pod_is_gone() -> None:
    session = after(accepted(), patch(accepted(), make.RUNNING_POD))
    for pods in ((), (make.terminated(make.ended(make.last_word("MeetingEnded")), "Succeeded", ip=None, node=None),)):
        ended = patch(session, *pods)
        assert ended is not None
        assert ended["phase"] in ("Completed", "Failed")
        assert ended.keys().isdisjoint({"node", "botAddress"})
        status = after(session, ended).status
        assert (status.bot_pod, status.node, status.bot_address) == (make.POD, "node1", "10.0.0.9")


def test_a_new_address_comes_with_the_next_write() -> None:
    """As when the kubelet had to make the pod's network again before its containers started."""
    session = after(accepted(), patch(accepted(), make.STARTING_POD, seconds=61))
    assert place(patch(session, replace(make.RUNNING_POD, ip="10.0.0.10"))) == (None, "10.0.0.10")
