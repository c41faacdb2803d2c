"""What outlives one try: an API server that is away for long, and refusals that take turns."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import pytest

from meeting_buddy.app import settings
from meeting_buddy.app.operate import operate
from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import FIRST_BOT
from meeting_buddy.contract.token import BotKeys
from meeting_buddy.controller.controller import Controller
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.executor import Executor
from meeting_buddy.controller.observe import Observer
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.report_streams import BotEndpoint, BotReportStreams
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache
from meeting_buddy.domain.facts import CreateRejection, LeaveFacts, ReconcileError, StreamFacts
from meeting_buddy.domain.reconcile_error import MAX_ANNOUNCED, unannounced
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from tests.support import operator_documents as documents
from tests.support import operator_facts as make
from tests.support.awaiting import until
from tests.support.operator_clock import ManualClock
from tests.unit.test_late_watches import INSTALLATION, TABLES

AWAY = KubeError("Pod", "meetings", "standup", 0, "ClientConnectorError", "no answer")
WEBHOOK = KubeError("Secret", "meetings", "standup", 500, "InternalError", "failed calling webhook")
QUOTA = KubeError("Pod", "meetings", "standup", 403, "Forbidden", "exceeded quota: pods")
DENIED = KubeError("Pod", "meetings", "standup", 403, "Forbidden", 'admission webhook "a.b" denied the request: no')
STARTED = {"phase": "Initializing", "attempt": 1, "botPod": make.POD, "scheduledTime": "2026-11-23T10:00:00Z"}


class Operator:
    """All that reconciles a session, before an API server that keeps its status and answers what a test says."""

    def __init__(self, status: dict[str, Any], more_bots: int = 0) -> None:
        self.clock = ManualClock()
        self.document = {**documents.session(backoffLimit=more_bots), "status": status}
        self.api = AsyncMock(spec=KubernetesApi)
        self.api.patch_status.side_effect = self._patch
        self.api.get_session.side_effect = lambda *_: self.document
        self.api.pod_events.return_value = []
        self.api.release_pod.return_value = documents.pod(version=50, finalizers=[])
        self.api.get_pod.side_effect = KubeError("Pod", "meetings", "standup", 404, "NotFound", "not found")
        self.cache, queue, api = SessionCache(self.clock), KeyedQueue(), cast(KubernetesApi, self.api)
        keys = BotKeys(control=b"c" * 32, read=b"r" * 32)
        observer = Observer(api, self.cache, INSTALLATION, TABLES, lambda *_: None, {}, keys, self.clock)
        executor = Executor(api, self.cache, Mock(), TABLES, keys, self.clock, lambda: True, Mock())
        events, unused = EventHandler(self.cache, queue), Mock()
        self.controller = Controller(
            self.cache, queue, events, observer, executor, unused, unused, unused, self.clock, unused
        )
        self.cache.upsert_session(self.document)

    async def _patch(self, _namespace: str, _name: str, _version: str, patch: dict[str, Any]) -> dict[str, Any]:
        status = {key: value for key, value in {**self.document["status"], **patch}.items() if value is not None}
        version = str(int(self.document["metadata"]["resourceVersion"]) + 100)
        metadata = {**self.document["metadata"], "resourceVersion": version}
        self.document = {**self.document, "metadata": metadata, "status": status}
        return self.document

    @property
    def entry(self) -> CacheEntry:
        found = self.cache.get(make.UID)
        assert found is not None
        return found

    @property
    def ended_with(self) -> str | None:
        found: str | None = self.document["status"].get("reason")
        return found

    @property
    def error_events(self) -> int:
        return sum(call.args[2] == "ReconcileError" for call in self.api.create_event.await_args_list)

    async def reconcile(self, times: int = 1) -> None:
        """As a worker does."""
        for _ in range(times):
            try:
                await self.controller._reconcile(make.UID)
            except KubeError as error:
                self.controller._failed(make.UID, error)

    async def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.reconcile()


@pytest.fixture
async def pending() -> Operator:
    """Its pod is made and waits for a node."""
    operator = Operator(STARTED)
    pod = documents.pod()
    operator.cache.upsert_pod(pod)
    operator.entry.note_secret(FIRST_BOT, pod["metadata"]["uid"])
    await operator.reconcile()
    operator.api.get_pod.side_effect = lambda *_: pod
    return operator


async def test_a_pod_that_became_late_while_the_api_server_was_away_gets_its_time_once_more(pending: Operator) -> None:
    answer, patch = pending.api.get_pod.side_effect, pending.api.patch_status.side_effect
    pending.api.get_pod.side_effect = pending.api.patch_status.side_effect = AWAY
    for _ in range(10):
        await pending.wait(300)
    assert pending.entry.has_persistent_error
    pending.api.get_pod.side_effect, pending.api.patch_status.side_effect = answer, patch
    await pending.wait(1)
    back_at = pending.clock.now()
    assert not pending.entry.has_persistent_error
    assert [seen.facts.first_seen_at for seen in pending.entry.pods.values()] == [back_at]
    await pending.wait(599)
    assert pending.ended_with is None
    await pending.wait(2)
    assert pending.ended_with == "Unschedulable", "once: nothing fails any more"


@pytest.mark.parametrize(
    ("fails", "reason"), [("its Secret", "ConfigInvalid"), ("its Events", "Unschedulable")], ids=["Secret", "Events"]
)
async def test_what_fails_while_the_api_server_answers_prolongs_nothing(
    pending: Operator, fails: str, reason: str
) -> None:
    if fails == "its Secret":
        pod = documents.pod(version=9, annotations={identity.ANNOTATION_ASSIGNMENT: "another"})
        pending.api.get_pod.side_effect = lambda *_: pod
        pending.api.secret_exists.return_value = False
        pending.api.annotate_pod.side_effect = WEBHOOK
        pending.entry.secrets_of.clear()
        pending.cache.upsert_pod(pod)
    else:
        pending.api.pod_events.side_effect = WEBHOOK
    for _ in range(6):
        await pending.wait(100)
    await pending.reconcile(6)
    assert pending.ended_with == reason


def test_when_a_report_came_is_remembered_by_this_machine_s_clock() -> None:
    """The bot's own, which the report names, may be far behind."""
    clock, entry = ManualClock(), CacheEntry(make.UID, "meetings", "standup")
    entry.note(FIRST_BOT, stream=StreamFacts(connected=True, lost_since=None))
    clock.advance(3600)
    streams = BotReportStreams(clock, lambda _uid: None, lambda _result: None)
    streams._accept(entry, BotEndpoint("127.0.0.1", FIRST_BOT, "token"), make.joined().to_json())
    assert entry.of(FIRST_BOT).reported_at == make.later(3600)


def record(operator: Operator) -> None:
    """The session's bot is in the meeting, and is followed."""
    bot = {"name": "bot", "ready": True, "state": {"running": {}}}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T10:00:20Z"}
    running = {"phase": "Running", "podIP": "10.0.0.9", "conditions": [ready], "containerStatuses": [bot]}
    operator.cache.upsert_pod({**documents.pod(), "status": running})
    operator.entry.note(FIRST_BOT, stream=StreamFacts(connected=True, lost_since=None), report=make.joined())


async def test_a_bot_that_answers_no_request_to_leave_gets_sigterm_in_time_and_nothing_fails_meanwhile() -> None:
    operator = Operator({**STARTED, "phase": "Recording", "joinTimestamp": "2026-11-23T10:00:20Z"})
    operator.document["metadata"] |= {"generation": 2, "resourceVersion": "8"}
    operator.document["spec"]["leave"] = True
    operator.cache.upsert_session(operator.document)
    record(operator)
    streams = cast(Mock, operator.controller._executor._streams)
    answered = [2, 7, 9, 14, 16, 19]  # seconds; after each of these the streams wake a worker
    for second in range(20):
        operator.clock.advance(1)
        if second in answered:
            operator.entry.note(FIRST_BOT, leave=LeaveFacts(acknowledged=False, tried_at=operator.clock.now()))
        await operator.reconcile()
        assert operator.entry.error is None
        operator.api.delete_pod.assert_not_awaited()
    await operator.wait(1)
    assert streams.request_leave.call_count > 3
    operator.api.delete_pod.assert_awaited_once()


async def test_a_process_that_waits_for_its_keys_ends_when_it_is_told_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The kubelet would kill it after its grace period."""
    named = {"clusters": {"server": "http://127.0.0.1:9"}, "contexts": {"cluster": "c", "user": "c"}, "users": {}}
    config: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "current-context": "c"}
    for kind, entry in named.items():
        config[kind] = [{"name": "c", kind.removesuffix("s"): entry}]
    (tmp_path / "config").write_text(json.dumps(config))
    installation = tmp_path / "installation"
    installation.write_text(INSTALLATION.model_dump_json(by_alias=True))
    flags = ["--namespace=meetings", f"--kubeconfig={tmp_path / 'config'}", "--host=127.0.0.1", "--port=0"]
    flags += [f"--installation={installation}", f"--tables={tmp_path}"]
    task = asyncio.create_task(operate(settings.parse(flags, {})))
    try:
        await until(lambda: task.done() or "the bot keys are not available yet" in caplog.messages)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await asyncio.shield(task)
    finally:
        task.cancel()


# A write of the status whose answer is lost


@pytest.mark.parametrize("status", [0, 504])
@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("watched", [True, False], ids=["the watch shows it", "it conflicts"])
async def test_what_an_unanswered_write_did_is_told_once(status: int, *, arrived: bool, watched: bool) -> None:
    operator = Operator({**STARTED, "phase": "Joining"})
    record(operator)
    transition = cast(Mock, operator.controller._executor._telemetry).transition
    before, lost = operator.document, KubeError("MeetingSession", "meetings", "standup", status, "", "")

    async def write(*arguments: Any) -> dict[str, Any]:
        operator.api.patch_status.side_effect = after
        if arrived:
            await operator._patch(*arguments)
        raise lost

    async def after(*arguments: Any) -> dict[str, Any]:
        if arguments[2] != operator.document["metadata"]["resourceVersion"]:
            raise KubeError("MeetingSession", "meetings", "standup", 409, "Conflict", "")
        return await operator._patch(*arguments)

    def told() -> list[str]:
        return [call.args[2] for call in operator.api.create_event.await_args_list]

    operator.api.patch_status.side_effect = write
    await operator.reconcile()
    assert (told(), transition.call_count) == ([], 0)
    assert (operator.document is before) is not arrived
    operator.clock.advance(5)  # times that it would write now are others
    if watched:
        operator.cache.upsert_session(operator.document)
    await operator.reconcile(3)
    assert (told(), transition.call_count) == (["Joined", "RecordingStarted"], 1)
    assert operator.entry.unanswered is None


async def test_a_session_that_somebody_else_changed_tells_of_no_write() -> None:
    operator = Operator({**STARTED, "phase": "Joining"})
    record(operator)
    operator.api.patch_status.side_effect = AWAY
    await operator.reconcile()
    changed = {**operator.document, "metadata": {**operator.document["metadata"], "resourceVersion": "9"}}
    operator.cache.upsert_session(changed)
    await operator.reconcile()
    operator.api.create_event.assert_not_awaited()
    assert operator.entry.unanswered is not None
    operator.entry.forget_work()
    assert operator.entry.unanswered is None


# Refusals that take turns


def refusing(every: int) -> tuple[Operator, Callable[[], None]]:
    """A session whose pod a quota keeps out, and each so many tries a webhook."""
    operator, tries = Operator({}, more_bots=2), 0

    async def refuse(*_: object) -> dict[str, Any]:
        nonlocal tries
        tries += 1
        raise DENIED if tries % every == 0 else QUOTA

    def take() -> None:
        operator.api.create_pod.side_effect = None
        operator.api.create_pod.return_value = documents.pod()

    operator.api.create_pod.side_effect = refuse
    return operator, take


@pytest.mark.parametrize("every", [2, 40, 80])
async def test_a_session_ends_although_the_refusal_of_its_pod_changes_now_and_then(every: int) -> None:
    operator, _ = refusing(every)
    for _ in range(200):
        await operator.wait(11)
        if operator.ended_with is not None:
            break
    assert operator.ended_with in ("QuotaExceeded", "ConfigInvalid")
    assert operator.clock.now() <= make.later(1850)


async def test_refusals_that_take_turns_are_told_by_one_event_each() -> None:
    operator, _ = refusing(2)
    for _ in range(40):
        await operator.wait(11)
    assert operator.error_events == 2


async def test_each_kind_of_refusal_keeps_its_first_time_until_the_pod_is_made() -> None:
    operator, take = refusing(3)
    first: dict[str, datetime] = {}
    for _ in range(9):
        await operator.wait(11)
        rejection = operator.entry.of(FIRST_BOT).rejection
        assert rejection is not None
        assert rejection.since == first.setdefault(rejection.kind, operator.clock.now())
    assert first.keys() == {"quota", "forbidden"}
    take()
    await operator.wait(11)
    assert operator.entry.of(FIRST_BOT).rejection is None
    assert operator.entry.announced_errors == set()


async def test_what_a_proxy_answers_instead_of_the_api_server_is_tried_again() -> None:
    operator = Operator({}, more_bots=2)
    operator.api.create_pod.side_effect = KubeError("Pod", "meetings", "standup", 400, "", "<html>Bad request</html>")
    await operator.reconcile(3)
    assert (operator.ended_with, operator.entry.of(FIRST_BOT).rejection) == (None, None)
    assert operator.entry.has_persistent_error
    operator.api.create_pod.side_effect = None
    operator.api.create_pod.return_value = documents.pod()
    await operator.wait(60)
    assert operator.entry.error is None
    assert make.POD in operator.entry.pods


def test_a_first_refusal_has_the_time_at_which_it_came() -> None:
    quota = CreateRejection("quota", "exceeded quota", make.NOW).after(None)
    denied = CreateRejection("forbidden", "denied", make.later(700)).after(quota)
    again = CreateRejection("quota", "exceeded quota", make.later(710)).after(denied)
    assert [each.since for each in (quota, denied, again)] == [make.NOW, make.later(700), make.NOW]


@pytest.mark.parametrize(("known", "told"), [(0, True), (MAX_ANNOUNCED - 1, True), (MAX_ANNOUNCED, False)])
def test_the_causes_that_events_speak_of_are_bounded(known: int, told: bool) -> None:
    error = ReconcileError("Another", "no", 3, make.NOW)
    announced = frozenset(f"Cause{number}" for number in range(known))
    facts = make.facts(make.session(), error=error, announced_errors=announced)
    assert (unannounced(facts) is error) is told
