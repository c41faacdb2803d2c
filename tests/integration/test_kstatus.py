"""What tools make of a session in each phase: kstatus, by its own library, and `kubectl wait`.

Flux, Argo CD and Helm go on once a session is Current: one whose start is ahead, and one whose bot is in the meeting.
`kubectl wait --for=condition=Complete` waits for its end.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from meeting_buddy.contract.phases import Phase
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.plan import PatchStatus
from meeting_buddy.domain.times import spelled
from tests.integration.operator_fixtures import crd, operator, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_plays import (
    begun,
    change,
    fails,
    finishes,
    finishing,
    is_killed,
)
from tests.integration.operator_process import PATIENCE, OperatorProcess, Sessions, session
from tests.integration.test_operator_lifecycle import JOINED, last_word
from tests.local.kstatus import library
from tests.support.awaiting import wait_until
from tests.support.report_server import ReportServer
from tests.unit.decide_table import TABLE, Row

EXPECTED = {
    Phase.SCHEDULED: "Current",
    Phase.INITIALIZING: "InProgress",
    Phase.JOINING: "InProgress",
    Phase.ACTIVE: "Current",
    Phase.RECORDING: "Current",
    Phase.LEAVING: "InProgress",
    Phase.COMPLETED: "Current",
    Phase.FAILED: "Failed",
}


def written(row: Row) -> dict[str, Any] | None:
    """The session of a row of the truth table with the status that is written then; `None`: none is."""
    session, plan = row.facts.session, decide(row.facts, lambda: row.at)
    patch = next((dict(action.patch) for action in plan.actions if isinstance(action, PatchStatus)), None)
    if session is None or patch is None:
        return None
    before = session.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    status = {key: value for key, value in {**before, **patch}.items() if value is not None}
    metadata = {"name": session.name, "namespace": session.namespace, "generation": session.generation}
    return {
        "apiVersion": "meetingbuddy.io/v1alpha1",
        "kind": "MeetingSession",
        "metadata": metadata,
        "spec": session.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        "status": status,
    }


def test_every_status_that_the_truth_table_writes_means_to_kstatus_what_its_phase_does() -> None:
    rows = {(group, row.situation): row for group, rows in TABLE.items() for row in rows}
    objects = {name: found for name, row in rows.items() if (found := written(row)) is not None}
    phases = {name: Phase(found["status"]["phase"]) for name, found in objects.items()}
    assert set(phases.values()) == set(Phase)
    judged_as = dict(zip(objects, library.compute(objects.values()), strict=True))
    assert judged_as == {name: EXPECTED[phase] for name, phase in phases.items()}


def judged(sessions: Sessions, name: str) -> tuple[str, str, bool]:
    """A session's phase, its status to kstatus, and whether somebody who waits for its completion goes on."""
    found = sessions.get(name)
    (status,) = library.compute([found])
    wait = sessions.kubectl.run("wait", f"mbs/{name}", "--for=condition=Complete", "--timeout=0s")
    assert wait.returncode == 0 or "condition not met" in wait.stderr, wait.stderr
    return found["status"]["phase"], status, wait.returncode == 0


def test_a_session_that_no_operator_has_seen_is_in_progress(sessions: Sessions) -> None:
    sessions.kubectl.create(session("unseen"))
    found = sessions.get("unseen")
    assert "phase" not in found["status"]
    assert library.compute([found]) == ["InProgress"]


def test_tools_judge_a_session_by_its_phase(operator: OperatorProcess, sessions: Sessions) -> None:
    in_an_hour = spelled(datetime.now(UTC) + timedelta(hours=1))
    sessions.kubectl.apply(
        session("planned", startTime=in_an_hour),
        session("attended"),
    )
    sessions.phase("planned", "Scheduled", seconds=PATIENCE)
    assert judged(sessions, "planned") == ("Scheduled", "Current", False)
    in_every_phase_of_an_attempt(sessions, operator)
    sessions.apply("retried", backoffLimit=1)
    fails(sessions, "retried")
    begun(sessions, "retried", 2)
    assert judged(sessions, "retried") == ("Initializing", "InProgress", False)
    sessions.apply("killed")
    is_killed(sessions, "killed")
    finishing(sessions, "killed")
    assert judged(sessions, "killed") == ("Leaving", "InProgress", False)
    finishes(sessions, "killed", "BotCrashed")
    sessions.phase("killed", "Failed", seconds=PATIENCE)
    assert judged(sessions, "killed") == ("Failed", "Failed", False)
    sessions.kubectl("wait", "mbs/killed", "--for=condition=Failed", "--timeout=0s")
    ended = "--for=jsonpath={.status.completionTime}"
    sessions.kubectl("wait", "mbs/killed", ended, "--timeout=1s")
    assert sessions.kubectl.run("wait", "mbs/retried", ended, "--timeout=1s").returncode == 1


def in_every_phase_of_an_attempt(sessions: Sessions, operator: OperatorProcess) -> None:
    pod = sessions.pod("attended", seconds=PATIENCE)
    sessions.phase("attended", "Initializing", seconds=PATIENCE)
    assert judged(sessions, "attended") == ("Initializing", "InProgress", False)
    sessions.scheduled(pod)
    with ReportServer(sessions.get("attended")["metadata"]["uid"]) as bot:
        sessions.running(pod, ip=bot.address)
        for phase, status, said in (
            ("Joining", "InProgress", {}),
            ("Active", "Current", JOINED),
            ("Recording", "Current", {}),
            ("Leaving", "InProgress", {}),
        ):
            bot.say(phase, **said)
            sessions.phase("attended", phase, seconds=PATIENCE)
            assert judged(sessions, "attended") == (phase, status, False)
            if phase == "Recording":
                a_change_that_nobody_saw_is_in_progress(sessions, operator)
        sessions.ended(pod, last_word(sessions, "attended"))
    sessions.phase("attended", "Completed", seconds=PATIENCE)
    assert judged(sessions, "attended") == ("Completed", "Current", True)


def a_change_that_nobody_saw_is_in_progress(sessions: Sessions, operator: OperatorProcess) -> None:
    operator.pause()
    change(sessions, "attended", ttlSecondsAfterFinished=3600)
    assert judged(sessions, "attended") == ("Recording", "InProgress", False)
    operator.resume()
    generation = sessions.get("attended")["metadata"]["generation"]
    wait_until(lambda: sessions.status("attended")["observedGeneration"] == generation, "it is seen", PATIENCE)
    assert judged(sessions, "attended") == ("Recording", "Current", False)
