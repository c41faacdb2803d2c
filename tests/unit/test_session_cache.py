"""What the operator remembers: newest wins, a listing is the truth, a standby forgets, clocks differ."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import FIRST_BOT
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache
from meeting_buddy.domain.causes import Outcome
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import CreateRejection, Facts, LeaveFacts, StreamFacts
from meeting_buddy.domain.plan import DeletePod
from meeting_buddy.resource.session import PLURAL
from tests.support import operator_documents as documents
from tests.support import operator_facts as make
from tests.support.operator_clock import ManualClock


def ended_pod(version: int = 9, ended: bool = True) -> documents.Document:
    """One whose bot has ended, or runs again."""
    found = documents.pod(version=version)
    state = {"terminated": {"exitCode": 1}} if ended else {"running": {}}
    found["status"] = {"phase": "Running", "containerStatuses": [{"name": "bot", "state": state}]}
    return found


class Memory:
    """Cache, queue and what feeds them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cache = SessionCache(self.clock)
        self.queue = KeyedQueue()
        self.events = EventHandler(self.cache, self.queue)

    @property
    def entry(self) -> CacheEntry:
        found = self.cache.get(make.UID)
        assert found is not None
        return found

    def facts(self) -> Facts:
        return make.facts(self.entry.session, *(pod.facts for pod in self.entry.pods.values()))


@pytest.fixture
async def memory() -> Memory:
    return Memory()


async def test_a_watch_that_is_late_does_not_bring_back_what_was_replaced(memory: Memory) -> None:
    memory.cache.upsert_session(documents.session(version=9))
    assert memory.cache.upsert_session(documents.session(version=8)) is None
    assert memory.entry.session is not None
    assert memory.entry.session.resource_version == "9"


@pytest.mark.parametrize("listed_later", [True, False])
async def test_after_etcd_was_restored_a_listing_replaces_unless_something_was_heard_meanwhile(
    memory: Memory, listed_later: bool
) -> None:
    memory.cache.upsert_session(documents.session(version=9000))
    memory.cache.upsert_pod(documents.pod(version=9001))
    began = memory.clock.monotonic() + (1 if listed_later else -1)
    memory.cache.upsert_pod(documents.pod(version=41), began)
    memory.cache.upsert_session(documents.session(version=40), began)
    assert memory.entry.session is not None
    versions = (memory.entry.session.resource_version, *(pod.resource_version for pod in memory.entry.pods.values()))
    assert versions == (("40", "41") if listed_later else ("9000", "9001"))


async def test_a_listing_that_shows_what_is_known_is_no_news(memory: Memory) -> None:
    memory.cache.upsert_session(documents.session())
    memory.cache.upsert_pod(documents.pod())
    memory.clock.advance(5)
    assert memory.cache.upsert_pod(documents.pod(), memory.clock.monotonic()) is None
    assert memory.cache.upsert_session(documents.session(), memory.clock.monotonic()) is None


async def test_the_end_of_a_pod_that_another_one_replaced_is_no_news(memory: Memory) -> None:
    gone, there = documents.pod(version=8), documents.pod(version=7)
    gone["metadata"]["uid"] = "an-earlier-one"
    memory.cache.upsert_session(documents.session())
    memory.cache.upsert_pod(there)
    memory.events.event("pods", "DELETED", gone)
    assert [pod.facts.uid for pod in memory.entry.pods.values()] == [there["metadata"]["uid"]]


@pytest.mark.parametrize("first", [True, False], ids=["seen before the session", "seen after it"])
async def test_a_pod_in_another_namespace_is_nobody_s(memory: Memory, first: bool) -> None:
    pod = documents.pod()
    pod["metadata"]["namespace"] = "elsewhere"
    if first:
        memory.cache.upsert_pod(pod)
    memory.cache.upsert_session(documents.session())
    if not first:
        assert memory.cache.upsert_pod(pod) is None
    assert (memory.entry.namespace, memory.entry.pods) == ("meetings", {})


@pytest.mark.parametrize("known", [True, False], ids=["known", "never heard of"])
async def test_a_listing_that_began_before_something_went_does_not_bring_it_back(memory: Memory, known: bool) -> None:
    if known:
        memory.events.event(PLURAL, "ADDED", documents.session())
        memory.events.event("pods", "ADDED", documents.pod())
    began = memory.clock.monotonic()
    memory.clock.advance(1)
    memory.events.event("pods", "DELETED", documents.pod())
    memory.events.event(PLURAL, "DELETED", documents.session())
    memory.events.upsert_pod(documents.pod(), began)
    memory.events.upsert_session(documents.session(), began)
    assert len(memory.cache) == 0
    memory.clock.advance(1)
    memory.events.upsert_session(documents.session(), memory.clock.monotonic())
    assert len(memory.cache) == 1, "etcd was restored: it is there again"


async def test_a_spec_is_read_again_when_it_changed_or_etcd_was_restored(memory: Memory) -> None:
    def told(version: int, generation: int, name: str, *, listed: bool = False) -> str:
        document = documents.session(version=version)
        document["metadata"]["generation"] = generation
        document["spec"]["botName"] = name
        memory.cache.upsert_session(document, memory.clock.monotonic() if listed else None)
        memory.clock.advance(1)
        assert memory.entry.session is not None
        return memory.entry.session.spec.bot_name

    assert told(5, 2, "first") == "first"
    assert told(6, 2, "cannot have changed") == "first"
    assert told(7, 3, "second") == "second"
    assert told(8, 3, "restored", listed=True) == "restored"


async def test_a_standby_keeps_nothing_of_a_session_that_is_gone(memory: Memory) -> None:
    for number in range(20):
        session, pod = documents.session(f"uid-{number}"), documents.pod(f"uid-{number}")
        memory.events.event(PLURAL, "ADDED", session)
        memory.events.event("pods", "ADDED", pod)
        order = [("pods", pod), (PLURAL, session)]
        for resource, document in order if number % 2 else reversed(order):
            memory.events.event(resource, "DELETED", document)
    assert (len(memory.cache), len(memory.queue)) == (0, 0)


async def test_a_standby_that_begins_to_lead_looks_at_each_session_and_one_that_stops_forgets_its_keys(
    memory: Memory,
) -> None:
    memory.events.event(PLURAL, "ADDED", documents.session())
    assert len(memory.queue) == 0
    memory.events.start_leading()
    assert len(memory.queue) == 1
    memory.events.event(PLURAL, "DELETED", documents.session())
    assert len(memory.cache) == 1, "while it acts, a worker forgets: it has a stream to stop"
    memory.events.stop_leading()
    assert (len(memory.cache), len(memory.queue)) == (0, 0)


@pytest.mark.parametrize("skew", [-600, 600], ids=["API server's clock is behind", "API server's clock is ahead"])
async def test_a_clock_that_is_ten_minutes_off_fails_no_session_before_its_time(memory: Memory, skew: int) -> None:
    created = memory.clock.now() + timedelta(seconds=skew)
    memory.cache.upsert_session(documents.session())
    memory.cache.upsert_pod(documents.pod(creationTimestamp=created.isoformat()))

    def given_up() -> bool:
        return any(isinstance(action, DeletePod) for action in decide(memory.facts(), memory.clock.now).actions)

    assert not given_up()
    memory.clock.advance(590)
    memory.cache.upsert_pod(documents.pod(version=9, creationTimestamp=created.isoformat()))
    assert not given_up()
    memory.clock.advance(20 + max(0, skew))
    assert given_up()


async def test_an_object_that_cannot_be_read_takes_no_other_along(memory: Memory) -> None:
    broken = documents.session("broken")
    broken["spec"] = "no object"
    memory.events.event(PLURAL, "ADDED", broken)
    memory.events.event("pods", "ADDED", {**documents.pod(), "spec": {}, "status": {"containerStatuses": [{}]}})
    memory.events.event(PLURAL, "ADDED", documents.session())
    assert [entry.uid for entry in memory.cache] == [make.UID]


@pytest.mark.parametrize("step", [timedelta(minutes=11), timedelta(minutes=-30)])
async def test_what_is_remembered_is_as_long_ago_as_before_when_the_clock_is_set(
    memory: Memory, step: timedelta
) -> None:
    memory.cache.upsert_session(documents.session())
    memory.cache.upsert_pod(documents.pod())
    now = memory.clock.now()
    refused = CreateRejection("quota", "exceeded quota", now).after(None)
    memory.cache.upsert_pod(ended_pod())
    memory.entry.note(FIRST_BOT, reported_at=now)
    memory.entry.note(FIRST_BOT, leave=LeaveFacts(False, now), stream=StreamFacts(False, now), rejection=refused)
    memory.entry.respecified_at = now
    memory.clock.advance(5)
    memory.clock.set_ahead = step
    assert memory.clock.now() == now + timedelta(seconds=5) + step
    entry, known = memory.entry, memory.entry.of(FIRST_BOT)
    (pod,) = entry.pods.values()
    assert known.leave is not None
    assert known.stream is not None
    assert known.rejection is not None
    moments = (
        entry.written_at,
        entry.respecified_at,
        pod.facts.first_seen_at,
        pod.facts.bot_ended_seen_at,
        known.reported_at,
        known.leave.tried_at,
        known.stream.lost_since,
        known.rejection.at,
        known.rejection.since,
        known.rejection.first_at["quota"],
    )
    assert moments == (now + step,) * len(moments)
    memory.clock.advance(5)
    memory.clock.now()
    assert memory.entry.written_at == now + step, "once"


@pytest.mark.parametrize("read_again", [False, True], ids=["by a watch", "read again after a write that conflicted"])
@pytest.mark.parametrize(
    ("spec", "changed"),
    [
        ({}, True),
        ({"startTime": "2026-11-23T09:00:00Z"}, True),
        ({"startTime": "2026-11-30T10:00:00Z", "endTime": "2026-11-30T11:00:00Z", "leave": True}, False),
    ],
    ids=["taken away", "moved back", "another field"],
)
async def test_when_a_start_is_changed_is_remembered(
    memory: Memory, spec: dict[str, Any], changed: bool, read_again: bool
) -> None:
    memory.cache.upsert_pod(documents.pod())
    memory.cache.upsert_session(documents.session(startTime="2026-11-30T10:00:00Z"))
    assert memory.entry.respecified_at is None, "nobody knows for how long it is so"
    memory.clock.advance(60)
    document = documents.session(version=8, **spec)
    document["metadata"]["generation"] = 2
    if read_again:
        memory.entry.session = None
    memory.cache.upsert_session(document)
    then = make.later(60) if changed else None
    assert memory.entry.respecified_at == then
    memory.clock.advance(60)
    memory.cache.upsert_session({**document, "metadata": {**document["metadata"], "resourceVersion": "9"}})
    assert memory.entry.respecified_at == then


async def test_when_a_bot_was_first_seen_to_have_ended_is_remembered(memory: Memory) -> None:
    def seen_at() -> datetime | None:
        (found,) = memory.entry.pods.values()
        return found.facts.bot_ended_seen_at

    memory.cache.upsert_pod(documents.pod())
    assert seen_at() is None
    memory.clock.advance(60)
    memory.cache.upsert_pod(ended_pod(9))
    memory.clock.advance(60)
    memory.cache.upsert_pod(ended_pod(10))
    assert seen_at() == make.later(60)
    memory.cache.upsert_pod(ended_pod(11, ended=False))
    assert seen_at() is None, "it was restarted"
    memory.cache.upsert_pod(ended_pod(12))
    assert seen_at() == make.later(120)


async def test_a_step_of_the_clock_that_a_pod_s_news_finds_moves_that_pod_as_well(memory: Memory) -> None:
    memory.cache.upsert_session(documents.session())
    memory.cache.upsert_pod(documents.pod())
    memory.clock.set_ahead = timedelta(hours=1)
    memory.cache.upsert_pod(ended_pod())
    (pod,) = memory.entry.pods.values()
    assert pod.facts.first_seen_at == make.later(3600)


async def test_a_clock_that_is_set_slowly_moves_nothing(memory: Memory) -> None:
    memory.cache.upsert_session(documents.session())
    before = memory.entry.written_at
    for _ in range(20):
        memory.clock.advance(60)
        memory.clock.set_ahead += timedelta(seconds=0.5)
        memory.clock.now()
    assert memory.entry.written_at == before


async def test_a_pod_that_is_heard_of_first_does_not_name_the_session(memory: Memory) -> None:
    """It has lost its owner, and its own name is cut where the session's is long."""
    document = documents.session()
    document["metadata"]["name"] = name = "a-meeting-with-a-name-of-just-about-fifty-letters1"
    pod = documents.pod(name=identity.pod_name(name, make.UID, 1), ownerReferences=[])
    pod["metadata"]["labels"][identity.LABEL_SESSION_UID] = make.UID
    memory.cache.upsert_pod(pod)
    assert memory.entry.name != name
    memory.cache.upsert_session(document)
    assert memory.entry.name == name


async def test_a_session_that_is_to_be_read_again_is_known_after_the_lease_was_lost(memory: Memory) -> None:
    memory.events.start_leading()
    memory.events.event(PLURAL, "ADDED", documents.session())
    memory.entry.session = None  # as after a write that conflicted
    memory.events.stop_leading()
    memory.events.start_leading()
    assert memory.entry.session is None
    assert len(memory.queue) == 1


async def test_each_session_is_looked_at_when_the_clock_is_set(memory: Memory) -> None:
    memory.events.start_leading()
    memory.cache.upsert_session(documents.session())
    memory.clock.on_step(lambda _step: memory.events.look_at_all())
    memory.clock.set_ahead = timedelta(hours=-1)
    memory.clock.now()
    assert len(memory.queue) == 1


async def test_a_write_is_progress_and_what_is_only_heard_is_none(memory: Memory) -> None:
    memory.cache.upsert_session(documents.session(version=7))
    memory.cache.upsert_pod(documents.pod(version=8))
    assert not memory.entry.progressed
    memory.cache.wrote_session(documents.session(version=9))
    assert memory.entry.progressed
    memory.entry.progressed = False
    memory.cache.wrote_pod(make.UID, documents.pod(version=10, finalizers=[]))
    assert memory.entry.progressed


@pytest.mark.parametrize("shown_first", [True, False])
async def test_what_a_watch_shows_before_the_answer_to_its_write_is_that_write(
    memory: Memory, shown_first: bool
) -> None:
    memory.events.start_leading()
    memory.cache.upsert_session(documents.session(version=7))
    memory.entry.writing = True
    if shown_first:
        memory.events.event(PLURAL, "MODIFIED", documents.session(version=9))
        memory.events.event("pods", "ADDED", documents.pod(version=8))
    memory.cache.wrote_pod(make.UID, documents.pod(version=8))
    memory.cache.wrote_session(documents.session(version=9))
    assert memory.entry.progressed
    assert (memory.entry.overheard, len(memory.queue)) == (set(), 0)


async def test_what_others_write_meanwhile_is_no_answer_to_a_write(memory: Memory) -> None:
    memory.events.start_leading()
    memory.cache.upsert_session(documents.session(version=7))
    memory.entry.writing = True
    memory.events.event(PLURAL, "MODIFIED", documents.session(version=9))
    memory.events.event(PLURAL, "MODIFIED", documents.session(version=10))
    memory.cache.wrote_session(documents.session(version=9))
    assert memory.entry.overheard == {(PLURAL, "10")}
    memory.entry.writing = False
    memory.events.event(PLURAL, "MODIFIED", documents.session(version=11))
    assert len(memory.queue) == 1


async def test_that_a_pod_got_its_node_at_once_waits_for_the_next_write_and_anything_else_is_looked_at(
    memory: Memory,
) -> None:
    def bound(version: int, **status: Any) -> documents.Document:
        found = documents.pod(version=version)
        found["spec"]["nodeName"] = "node-1"
        found["status"] |= {"conditions": [{"type": "PodScheduled", "status": "True"}], **status}
        return found

    memory.cache.upsert_pod(documents.pod(version=8))
    assert memory.cache.upsert_pod(bound(9)) is None
    assert memory.facts().pods[0].node == "node-1"
    assert memory.cache.upsert_pod(bound(10, phase="Running")) == make.UID

    refused = documents.pod(version=11)
    refused["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    assert memory.cache.upsert_pod(refused) == make.UID
    assert memory.cache.upsert_pod(bound(12)) == make.UID


async def test_what_is_known_of_a_pods_bot_is_not_about_the_next_pod_of_its_name(memory: Memory) -> None:
    memory.cache.upsert_session(documents.session())
    memory.cache.upsert_pod(documents.pod(version=9))
    given_up = Outcome(Reason.BOT_CRASHED, "it did not start")
    memory.entry.note(FIRST_BOT, report=make.joined(), followed=True, given_up=given_up)
    memory.cache.upsert_pod(documents.pod(version=10))
    assert memory.entry.of(FIRST_BOT).given_up == given_up
    memory.cache.remove_pod(make.UID, make.POD, documents.pod(version=11))
    another = documents.pod(version=12)
    another["metadata"]["uid"] = "pod-9"
    memory.cache.upsert_pod(another)
    known = memory.entry.of(FIRST_BOT)
    assert (known.report, known.followed, known.given_up) == (None, False, None)
    memory.entry.note(FIRST_BOT, report=make.joined())
    copied = documents.pod(version=13)
    copied["metadata"] |= {"uid": "pod-copy", "name": f"copy{make.POD[make.POD.index('-') :]}"}
    memory.cache.upsert_pod(copied)
    assert memory.entry.of(FIRST_BOT).report is not None, "another one has another name"


async def test_a_replica_that_acts_again_does_not_go_by_what_it_read_before_others_did(memory: Memory) -> None:
    memory.cache.upsert_session(documents.session())
    memory.entry.note(FIRST_BOT, report=make.joined(), followed=True)
    memory.entry.forget_work()
    assert (memory.entry.of(FIRST_BOT).report, memory.entry.of(FIRST_BOT).followed) == (None, False)
