"""What a late watch must not decide: the spec that a planned bot gets, and that a session has no bot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from unittest import mock
from unittest.mock import AsyncMock, Mock

import pytest

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import FIRST_BOT, PodId, Role
from meeting_buddy.contract.token import BotKeys
from meeting_buddy.controller import observe
from meeting_buddy.controller.executor import Executor, NotLeaderError, Progress
from meeting_buddy.controller.observe import Observer
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import CreateRejection, ReconcileError
from meeting_buddy.domain.plan import CreatePod, CreateSecret, PatchStatus, Plan, ReadLatePod
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.resource.installation import Installation
from tests.support import operator_documents as documents
from tests.support import operator_facts as make
from tests.support.operator_clock import ManualClock
from tests.support.platform_tables import platform_table

START, END = "2026-11-23T11:00:00Z", "2026-11-23T11:05:00Z"
DUE, MISSED, OVER = 3540, 4500, 3900
AHEAD = {"phase": "Scheduled", "scheduledTime": "2026-11-23T10:00:00Z"}
WAITS = {"phase": "Initializing", "scheduledTime": "2026-11-23T10:00:00Z"}
INSTALLATION = Installation.model_validate(
    {
        "botClasses": {"default": {"image": "registry.example/bot:1"}},
        "selfHosted": {"hosts": [{"platform": "LiveKit", "host": "meet.example.org"}]},
    }
)
TABLES: dict[Any, Any] = {"LiveKit": platform_table("livekit")}
GONE = KubeError("Pod", "meetings", "standup", 404, "NotFound", "not found")
REFUSED = KubeError("Pod", "meetings", "standup", 403, "Forbidden", "no")


def stored(status: dict[str, Any], version: int = 7, **spec: Any) -> dict[str, Any]:
    return {**documents.session(version=version, **spec), "status": status}


class Operator:
    """Observer and executor before an API server that answers what the test says."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.clock = ManualClock()
        self.cache = SessionCache(self.clock)
        self.api = AsyncMock(spec=KubernetesApi)
        self.api.get_session.return_value = known
        self.api.get_pod.side_effect = GONE
        self.api.create_pod.return_value = documents.pod()
        api = cast(KubernetesApi, self.api)
        keys = BotKeys(control=b"c" * 32, read=b"r" * 32)
        self.observer = Observer(api, self.cache, INSTALLATION, TABLES, lambda *_: None, {}, keys, self.clock)
        self.executor = Executor(api, self.cache, Mock(), TABLES, keys, self.clock, lambda: True, Mock())
        self.cache.upsert_session(known)

    @property
    def entry(self) -> CacheEntry:
        found = self.cache.get(make.UID)
        assert found is not None
        return found

    async def plan(self, seconds: float) -> Plan:
        """What is decided so many seconds after NOW."""
        self.clock.advance(seconds - (self.clock.monotonic() - 1000))
        facts, _ = await self.observer.observe(self.entry)
        return decide(facts, self.clock.now)

    async def create(self) -> Progress:
        """Carry out the plan's CreatePod."""
        facts, _ = await self.observer.observe(self.entry)
        return await self.executor.execute(self.entry, facts, CreatePod(FIRST_BOT, "LiveKit"))


def ending_of(plan: Plan) -> tuple[Any, Any]:
    """Phase and reason that a plan writes, if it does."""
    patch = next((action.patch for action in plan.actions if isinstance(action, PatchStatus)), {})
    return patch.get("phase"), patch.get("reason")


# The spec of a planned bot


async def test_the_pod_of_a_planned_session_that_is_as_it_was_is_made() -> None:
    operator = Operator(stored(AHEAD, startTime=START))
    assert await operator.create() is Progress.NEXT
    assert (operator.api.get_session.await_count, operator.api.create_pod.await_count) == (1, 1)


@pytest.mark.parametrize("status", [{}, {"observedGeneration": -1}], ids=["new", "as the API server stores it"])
async def test_a_new_session_is_not_read(status: dict[str, Any]) -> None:
    operator = Operator(stored(status))
    assert await operator.create() is Progress.NEXT
    assert (operator.api.get_session.await_count, operator.api.create_pod.await_count) == (0, 1)


async def test_a_session_that_waited_for_a_quota_is_read_again() -> None:
    """Its link may still be changed."""
    operator = Operator(stored(WAITS))
    assert await operator.create() is Progress.NEXT
    assert (operator.api.get_session.await_count, operator.api.create_pod.await_count) == (1, 1)


async def test_a_session_that_was_changed_while_it_waited_for_a_quota_is_looked_at_again() -> None:
    operator = Operator(stored(WAITS))
    operator.api.get_session.return_value = stored(WAITS, 8, botName="Another")
    assert await operator.create() is Progress.OBSERVE_AGAIN
    operator.api.create_pod.assert_not_awaited()
    assert operator.entry.session is not None
    assert operator.entry.session.spec.bot_name == "Another"


@pytest.mark.parametrize("version", [8, 6], ids=["newer", "of an etcd that was restored"])
async def test_a_planned_session_that_was_changed_is_looked_at_again(version: int) -> None:
    operator = Operator(stored(AHEAD, startTime=START))
    operator.api.get_session.return_value = stored(AHEAD, version, startTime="2026-11-23T12:00:00Z")
    await operator.plan(DUE)
    assert await operator.create() is Progress.OBSERVE_AGAIN
    operator.api.create_pod.assert_not_awaited()
    found = await operator.plan(DUE)
    assert not any(isinstance(action, CreatePod) for action in found.actions)
    assert found.requeue_at == make.later(DUE + 3600)


async def test_what_the_watch_said_meanwhile_is_newer_than_what_was_read() -> None:
    operator = Operator(stored(AHEAD, startTime=START))

    async def read(*_: str) -> dict[str, Any]:
        second = stored(AHEAD, 8, startTime=START, botName="Second")
        third = stored(AHEAD, 9, startTime=START, botName="Third")
        second["metadata"]["generation"], third["metadata"]["generation"] = 2, 3
        operator.cache.upsert_session(third)
        return second

    operator.api.get_session = read
    assert await operator.create() is Progress.OBSERVE_AGAIN
    assert operator.entry.session is not None
    assert operator.entry.session.spec.bot_name == "Third"


async def test_a_planned_session_that_is_being_deleted_gets_no_pod() -> None:
    operator = Operator(stored(AHEAD, startTime=START))
    leaving = stored(AHEAD, 8, startTime=START)
    leaving["metadata"]["deletionTimestamp"] = START
    operator.api.get_session.return_value = leaving
    assert await operator.create() is Progress.OBSERVE_AGAIN
    operator.api.create_pod.assert_not_awaited()
    assert (await operator.plan(DUE)).actions == ()


@pytest.mark.parametrize("another", [False, True], ids=["none", "another of its name"])
async def test_a_planned_session_that_is_gone_gets_no_pod(another: bool) -> None:
    operator = Operator(stored(AHEAD, startTime=START))
    if another:
        operator.api.get_session.return_value = documents.session("another")
    else:
        operator.api.get_session.side_effect = GONE
    assert await operator.create() is Progress.OBSERVE_AGAIN
    operator.api.create_pod.assert_not_awaited()
    assert operator.entry.gone
    assert (await operator.plan(DUE)).actions == ()
    assert operator.api.get_session.await_count == 1


async def test_no_pod_is_made_while_the_api_server_does_not_say_what_it_is_for() -> None:
    operator = Operator(stored(AHEAD, startTime=START))
    operator.api.get_session.side_effect = REFUSED
    with pytest.raises(KubeError):
        await operator.create()
    operator.api.create_pod.assert_not_awaited()


# Whether there is a bot

BY_TIME = pytest.mark.parametrize(
    ("status", "times", "seconds", "ending"),
    [
        (WAITS, {"startTime": START}, MISSED, ("Failed", "Missed")),
        (AHEAD, {"startTime": START}, MISSED, ("Failed", "Missed")),
        (WAITS, {"startTime": START, "endTime": END}, OVER, ("Failed", "Missed")),
        (WAITS, {"endTime": END}, OVER, ("Completed", "EndTimeReached")),
    ],
    ids=["its start was long ago", "it is still planned", "it ended before it was too late", "it ended"],
)


@BY_TIME
async def test_a_session_ends_by_its_times_once_it_is_said_that_it_has_no_pod(
    status: dict[str, Any], times: dict[str, Any], seconds: int, ending: tuple[str, str]
) -> None:
    operator = Operator(stored(status, **times))
    await operator.plan(seconds - 1)
    operator.api.get_pod.assert_not_awaited()
    assert ending_of(await operator.plan(seconds)) == ending
    operator.api.get_pod.assert_awaited_once_with("meetings", make.POD)


@BY_TIME
async def test_a_pod_that_the_watch_did_not_show_is_found(
    status: dict[str, Any], times: dict[str, Any], seconds: int, ending: tuple[str, str]
) -> None:
    operator = Operator(stored(status, **times))
    running = documents.pod()
    running["metadata"]["creationTimestamp"] = END
    running["spec"] = {"nodeName": "node1"}
    state = [{"name": "bot", "state": {"running": {}}, "ready": True}]
    running["status"] = {"phase": "Running", "podIP": "10.0.0.9", "containerStatuses": state}
    operator.api.get_pod.side_effect = None
    operator.api.get_pod.return_value = running
    found = ending_of(await operator.plan(seconds))
    assert found != ending
    assert found == ("Active", None)
    assert set(operator.entry.pods) == {make.POD}


@BY_TIME
async def test_no_session_ends_by_its_times_while_the_api_server_does_not_say(
    status: dict[str, Any], times: dict[str, Any], seconds: int, ending: tuple[str, str]
) -> None:
    operator = Operator(stored(status, **times))
    operator.api.get_pod.side_effect = REFUSED
    with pytest.raises(KubeError):
        await operator.plan(seconds)
    operator.entry.error = ReconcileError("Forbidden", "no", 3, make.NOW)
    found = await operator.plan(seconds)
    assert ending_of(found) not in (ending, ("Failed", "ConfigInvalid"))
    assert not any(isinstance(action, CreatePod) for action in found.actions)


async def test_what_becomes_too_late_while_the_api_server_answers_is_asked_about_as_well() -> None:
    operator = Operator(stored({**WAITS, "attempt": 2, "nextAttemptTime": END}, endTime=END))
    asked: list[str] = []

    async def slowly(_: str, name: str) -> dict[str, Any]:
        operator.clock.advance(1)
        asked.append(name)
        raise GONE

    operator.api.get_pod = slowly
    assert ending_of(await operator.plan(OVER - 1)) == ("Completed", "EndTimeReached")
    assert asked == [make.POD, make.SECOND]


RUNS: dict[str, Any] = {
    "spec": {"nodeName": "node1"},
    "status": {
        "phase": "Running",
        "podIP": "10.0.0.9",
        "containerStatuses": [{"name": "bot", "state": {"running": {}}, "ready": True}],
    },
}
BY_WORD = pytest.mark.parametrize(
    ("status", "spec", "ending"),
    [
        (WAITS, {"leave": True}, ("Completed", "LeaveRequested")),
        ({**WAITS, "leaveRequestedAt": START}, {}, ("Completed", "LeaveRequested")),
        (WAITS, {"meetingLink": "https://other.example.org/rooms/a"}, ("Failed", "HostNotAllowed")),
        (WAITS, {"botClassName": "removed"}, ("Failed", "ConfigInvalid")),
        ({}, {"botClassName": "removed"}, ("Failed", "ConfigInvalid")),
    ],
    ids=["leave", "leave, set back", "another link", "its class is gone", "its class is gone, and nothing is written"],
)


@BY_WORD
async def test_a_session_that_gets_no_bot_ends_once_it_is_said_that_it_has_no_pod(
    status: dict[str, Any], spec: dict[str, Any], ending: tuple[str, str]
) -> None:
    operator = Operator(stored(status, **spec))
    assert ending_of(await operator.plan(1)) == ending
    operator.api.get_pod.assert_awaited_once_with("meetings", make.POD)


@BY_WORD
async def test_a_pod_of_an_operator_that_died_before_its_status_is_found(
    status: dict[str, Any], spec: dict[str, Any], ending: tuple[str, str]
) -> None:
    operator = Operator(stored(status, **spec))
    operator.api.get_pod.side_effect = None
    operator.api.get_pod.return_value = documents.pod() | RUNS
    assert ending_of(await operator.plan(1)) == ("Active", None)


async def test_whether_a_session_may_have_a_bot_is_not_asked_once_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "validate", Mock(side_effect=AssertionError))
    named = Operator(stored({**WAITS, "attempt": 1, "botPod": make.POD}))
    await named.plan(1)
    seen = Operator(stored(WAITS))
    seen.cache.upsert_pod(documents.pod())
    await seen.plan(1)


async def test_a_session_that_is_over_is_not_asked_about() -> None:
    ended = {**AHEAD, "phase": "Failed", "reason": "Missed", "completionTime": START}
    operator = Operator(stored(ended, startTime=START))
    await operator.plan(2 * MISSED)
    operator.api.get_pod.assert_not_awaited()


# What was refused before a start was moved


@pytest.mark.parametrize(("at", "kept"), [(0, False), (DUE, True)], ids=["before it was due", "since"])
async def test_a_refusal_counts_from_when_the_pod_was_due(at: int, kept: bool) -> None:
    operator = Operator(stored(WAITS, startTime=START))
    operator.entry.note(FIRST_BOT, rejection=CreateRejection("quota", "exceeded quota", make.later(at)))
    await operator.plan(DUE + 1)
    assert (operator.entry.of(FIRST_BOT).rejection is not None) == kept


async def test_a_refusal_of_a_finisher_before_the_time_of_an_attempt_that_never_came_is_kept() -> None:
    ended = {"phase": "Leaving", "reason": "EndTimeReached", "attempt": 2, "nextAttemptTime": START}
    operator = Operator(stored(ended))
    finisher = PodId(2, Role.FINISHER)
    operator.entry.note(finisher, rejection=CreateRejection("quota", "exceeded quota", make.NOW))
    await operator.plan(1)
    assert operator.entry.of(finisher).rejection is not None


async def test_a_refusal_of_a_pod_s_secret_is_kept() -> None:
    operator = Operator(stored(AHEAD, startTime=START))
    operator.cache.upsert_pod(documents.pod())
    operator.entry.note(FIRST_BOT, rejection=CreateRejection("quota", "exceeded quota", make.NOW))
    await operator.plan(1)
    assert operator.entry.of(FIRST_BOT).rejection is not None


# A Lease that is lost in the middle of an action


@pytest.mark.parametrize(
    ("action", "lost_in", "unwritten"),
    [
        (CreatePod(FIRST_BOT, "LiveKit"), "get_session", "create_pod"),
        (CreatePod(FIRST_BOT, "LiveKit"), "create_pod", "create_secret"),
        (CreateSecret(FIRST_BOT, "LiveKit"), "secret_exists", "annotate_pod"),
        (CreateSecret(FIRST_BOT, "LiveKit"), "annotate_pod", "create_secret"),
    ],
)
async def test_whoever_loses_the_lease_writes_nothing_more(
    action: CreatePod | CreateSecret, lost_in: str, unwritten: str
) -> None:
    operator, held = Operator(stored(WAITS)), True
    pod = documents.pod(annotations={identity.ANNOTATION_ASSIGNMENT: "another"})
    if isinstance(action, CreateSecret):
        operator.cache.upsert_pod(pod)
    operator.api.secret_exists.return_value = False
    operator.api.annotate_pod.return_value = pod
    operator.executor._leads = lambda: held

    def lose(*_: object) -> Any:
        nonlocal held
        held = False
        return mock.DEFAULT

    getattr(operator.api, lost_in).side_effect = lose
    facts, _ = await operator.observer.observe(operator.entry)
    with pytest.raises(NotLeaderError):
        await operator.executor.execute(operator.entry, facts, action)
    getattr(operator.api, lost_in).assert_awaited_once()
    getattr(operator.api, unwritten).assert_not_awaited()


# Whether a pod has its Secret


@pytest.mark.parametrize("gone", ["bot class", "platform table"])
@pytest.mark.parametrize("there", [True, False])
async def test_a_pod_that_has_its_secret_needs_no_class_and_no_table(gone: str, there: bool) -> None:
    """An upgrade took away what the pod was made with, and this process did not see its Secret being made."""
    operator = Operator(stored({**WAITS, "attempt": 1, "botPod": make.POD}))
    operator.cache.upsert_pod(documents.pod())
    operator.api.secret_exists.return_value = there
    facts, _ = await operator.observer.observe(operator.entry)
    platform: Any = "LiveKit"
    if gone == "bot class":
        facts = replace(facts, installation=replace(facts.installation, bot_class=None))
    else:
        platform = "Zoom"
    found = await operator.executor.execute(operator.entry, facts, CreateSecret(FIRST_BOT, platform))
    (manifest,) = operator.api.secret_exists.await_args.args
    assert (manifest["kind"], manifest["metadata"]) == ("Secret", {"name": make.POD, "namespace": "meetings"})
    assert "data" not in manifest
    operator.api.create_secret.assert_not_awaited()
    rejection = operator.entry.of(FIRST_BOT).rejection
    assert found is (Progress.NEXT if there else Progress.OBSERVE_AGAIN)
    assert (None if rejection is None else rejection.kind) == (None if there else "invalid")
    assert operator.entry.secrets_of == ({f"pod-of-{make.UID}"} if there else set())


async def test_a_pod_that_started_unseen_is_not_given_up() -> None:
    """The watch of pods is late by more than the pod took to start."""
    name = identity.pod_name("standup", make.UID, 1)
    operator = Operator(stored({**WAITS, "attempt": 1, "botPod": name}))
    operator.cache.upsert_pod(documents.pod())
    operator.entry.note_secret(FIRST_BOT, operator.entry.pods[name].facts.uid)
    late = await operator.plan(601)
    assert late.actions == (ReadLatePod(FIRST_BOT, None),)
    running = documents.pod(version=9)
    running["spec"]["nodeName"] = "node1"
    state = {"running": {"startedAt": "2026-11-23T10:05:00Z"}}
    running["status"] = {"phase": "Running", "containerStatuses": [{"name": "bot", "state": state, "ready": False}]}
    operator.api.get_pod.side_effect = None
    operator.api.get_pod.return_value = running
    operator.api.pod_events.return_value = []
    facts, _ = await operator.observer.observe(operator.entry)
    await operator.executor.execute(operator.entry, facts, late.actions[0])
    again = await operator.plan(601)
    assert ending_of(again) == ("Joining", None)


async def test_a_later_pod_has_the_volume_of_the_first_one() -> None:
    """The bot class has another claim by now."""
    operator = Operator(stored({**WAITS, "attempt": 2}))
    first = documents.pod()
    first["spec"]["volumes"] = [{"name": "recordings", "persistentVolumeClaim": {"claimName": "recordings-old"}}]
    state = {"terminated": {"exitCode": 1, "reason": "Error"}}
    first["status"] = {"phase": "Failed", "containerStatuses": [{"name": "bot", "state": state, "ready": False}]}
    operator.cache.upsert_pod(first)
    facts, _ = await operator.observer.observe(operator.entry)
    await operator.executor.execute(operator.entry, facts, CreatePod(PodId(2), "LiveKit"))
    (made,) = operator.api.create_pod.await_args.args
    claims = [each["persistentVolumeClaim"] for each in made["spec"]["volumes"] if "persistentVolumeClaim" in each]
    assert claims == [{"claimName": "recordings-old"}]


def former(attempt: int, claim: str = "recordings-old") -> dict[str, Any]:
    """The pod of a bot that crashed."""
    found = documents.pod(
        name=identity.pod_name("standup", make.UID, attempt),
        labels=identity.pod_labels(make.UID, PodId(attempt)),
    )
    found["spec"]["volumes"] = [{"name": "recordings", "persistentVolumeClaim": {"claimName": claim}}]
    state = {"terminated": {"exitCode": 1, "reason": "Error"}}
    found["status"] = {"phase": "Failed", "containerStatuses": [{"name": "bot", "state": state, "ready": False}]}
    return found


@pytest.mark.parametrize(
    ("there", "asked"),
    [([1], [3, 2, 1]), ([1, 3], [3]), ([], [3, 2, 1])],
    ids=["the first alone", "the last tells", "none is left"],
)
async def test_earlier_pods_that_no_watch_showed_are_asked_until_one_tells_the_volume(
    there: list[int], asked: list[int]
) -> None:
    operator = Operator(stored({**WAITS, "attempt": 4}))
    known = {identity.pod_name("standup", make.UID, each): former(each) for each in there}
    names: list[str] = []

    async def read(_: str, name: str) -> dict[str, Any]:
        names.append(name)
        if name not in known:
            raise GONE
        return known[name]

    operator.api.get_pod = read
    facts, _ = await operator.observer.observe(operator.entry)
    assert names == [identity.pod_name("standup", make.UID, each) for each in asked]
    assert facts.claim == ("recordings-old" if there else None)


# A pod that lost its labels, so that no watch shows it

LABELS = identity.pod_labels(make.UID, FIRST_BOT)
UNLABELLED: dict[str, str] = {"team": "a"}
MISLABELLED = {**LABELS, identity.LABEL_COMPONENT: "web", identity.LABEL_ATTEMPT: "2"}
HAS_POD = {**WAITS, "attempt": 1, "botPod": make.POD}
LOSS = pytest.mark.parametrize(
    ("labels", "put_back"),
    [
        (UNLABELLED, LABELS),
        (MISLABELLED, {each: LABELS[each] for each in (identity.LABEL_COMPONENT, identity.LABEL_ATTEMPT)}),
    ],
    ids=["lost", "changed"],
)


@LOSS
async def test_labels_of_a_pod_that_is_read_by_its_name_are_put_back(
    labels: dict[str, str], put_back: dict[str, str]
) -> None:
    operator = Operator(stored(HAS_POD))
    operator.api.get_pod.side_effect = None
    operator.api.get_pod.return_value = documents.pod(labels=labels) | RUNS
    operator.api.label_pod.return_value = documents.pod(version=9) | RUNS
    assert ending_of(await operator.plan(1)) == ("Active", None)
    operator.api.label_pod.assert_awaited_once_with("meetings", make.POD, f"pod-of-{make.UID}", put_back)
    assert operator.entry.pods[make.POD].resource_version == "9"


@LOSS
async def test_labels_of_a_pod_that_is_found_when_it_would_be_made_are_put_back(
    labels: dict[str, str], put_back: dict[str, str]
) -> None:
    operator = Operator(stored({}))
    operator.api.create_pod.side_effect = KubeError("Pod", "meetings", make.POD, 409, "AlreadyExists", "exists")
    operator.api.get_pod.side_effect = None
    operator.api.get_pod.return_value = documents.pod(labels=labels)
    operator.api.label_pod.return_value = documents.pod(version=9)
    assert await operator.create() is Progress.OBSERVE_AGAIN
    operator.api.label_pod.assert_awaited_once_with("meetings", make.POD, f"pod-of-{make.UID}", put_back)
    assert operator.entry.pods[make.POD].facts.id == FIRST_BOT


async def test_a_pod_whose_labels_cannot_be_put_back_counts_all_the_same() -> None:
    operator = Operator(stored(HAS_POD))
    operator.api.get_pod.side_effect = None
    operator.api.get_pod.return_value = documents.pod(labels=MISLABELLED) | RUNS
    operator.api.label_pod.side_effect = REFUSED
    assert ending_of(await operator.plan(1)) == ("Active", None)
    assert operator.entry.pods[make.POD].facts.id == FIRST_BOT


async def test_a_pod_that_goes_before_its_labels_are_put_back_is_gone() -> None:
    operator = Operator(stored(HAS_POD))
    operator.api.get_pod.side_effect = None
    operator.api.get_pod.return_value = documents.pod(labels=UNLABELLED)
    operator.api.label_pod.side_effect = GONE
    await operator.plan(1)
    assert not operator.entry.pods


OTHER_UID = f"{make.UID[:8]}-another"
OTHER_OWNER = {"kind": "MeetingSession", "name": "standup", "uid": OTHER_UID, "controller": True}


@pytest.mark.parametrize("owners", [[], [OTHER_OWNER]], ids=["orphan", "another session's"])
async def test_no_labels_are_put_on_another_sessions_pod(owners: list[dict[str, Any]]) -> None:
    operator = Operator(stored(HAS_POD))
    operator.api.get_pod.side_effect = None
    labels = {identity.LABEL_SESSION_UID: make.UID}
    operator.api.get_pod.return_value = documents.pod(labels=labels, ownerReferences=owners)
    await operator.plan(1)
    operator.api.label_pod.assert_not_awaited()


# A status that somebody emptied


async def test_the_latest_pod_of_a_session_whose_status_was_emptied_is_its_current_one() -> None:
    operator = Operator(stored({}, leave=True))
    labels = identity.pod_labels(make.UID, PodId(2))
    operator.cache.upsert_pod(documents.pod(name=make.SECOND, labels=labels) | RUNS)
    found = await operator.plan(1)
    operator.api.get_pod.assert_not_awaited()
    assert ending_of(found) == ("Active", None)
    facts, _ = await operator.observer.observe(operator.entry)
    assert facts.current == PodId(2, Role.BOT)
