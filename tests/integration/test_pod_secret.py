"""The pod comes first and owns its Secret; an operator that dies between the two is followed by one that heals it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from meeting_buddy.contract.token import fingerprint
from tests.integration.operator_fixtures import crd, operator, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import INSTALLATION, PATIENCE, OperatorProcess, Sessions
from tests.support.awaiting import wait_until

DIGEST = "meetingbuddy.io/assignment-sha256"
KEY = "meetingbuddy.io/control-key"


def secret(sessions: Sessions, name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = sessions.api.find("secrets", name)
    return found


def content(found: dict[str, Any]) -> bytes:
    return base64.b64decode(found["data"]["assignment.json"])


def annotations_of(sessions: Sessions) -> dict[str, str]:
    found: dict[str, str] = sessions.pod("standup")["metadata"]["annotations"]
    return found


def matching_secret(sessions: Sessions, pod: dict[str, Any]) -> dict[str, Any]:
    """The pod's Secret, once there is one with the content that the pod's annotation names."""

    def look() -> dict[str, Any] | None:
        found = secret(sessions, pod["metadata"]["name"])
        digest = annotations_of(sessions)[DIGEST]
        return found if found and hashlib.sha256(content(found)).hexdigest() == digest else None

    return wait_until(look, "the Secret that the pod was made for", PATIENCE)


def died_between(operator: OperatorProcess, sessions: Sessions) -> dict[str, Any]:
    """What an operator leaves that was killed after the pod and before its Secret."""
    sessions.apply("standup")
    pod = sessions.pod("standup")
    matching_secret(sessions, pod)
    operator.kill()
    sessions.api.delete("secrets", pod["metadata"]["name"])
    return pod


def test_the_pod_names_its_assignment_and_its_key(operator: OperatorProcess, sessions: Sessions) -> None:
    sessions.apply("standup")
    pod = sessions.pod("standup")
    found = matching_secret(sessions, pod)
    assert [(each["kind"], each["uid"]) for each in found["metadata"]["ownerReferences"]] == [
        ("Pod", pod["metadata"]["uid"])
    ]
    keys = sessions.api.get("secrets", "meeting-buddy-bot-key")["data"]
    assert pod["metadata"]["annotations"][KEY] == fingerprint(base64.b64decode(keys["control"]))


def test_an_operator_that_died_between_pod_and_secret_is_healed(operator: OperatorProcess, sessions: Sessions) -> None:
    pod = died_between(operator, sessions)
    operator.start()
    found = matching_secret(sessions, pod)
    assert found["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
    assert annotations_of(sessions)[DIGEST] == pod["metadata"]["annotations"][DIGEST], "equal inputs, equal assignment"


def test_it_is_healed_although_the_bot_class_is_another_by_now(operator: OperatorProcess, sessions: Sessions) -> None:
    pod = died_between(operator, sessions)
    changed = json.loads(json.dumps(INSTALLATION))
    changed["botClasses"]["default"]["timeouts"].update(finishSeconds=77, graceSeconds=55)
    operator.installation = changed
    operator.start()
    document = json.loads(content(matching_secret(sessions, pod)))
    assert sessions.pod("standup")["metadata"]["uid"] == pod["metadata"]["uid"]
    assert annotations_of(sessions)[DIGEST] != pod["metadata"]["annotations"][DIGEST]
    assert document["finishSeconds"] == 77
    assert document["graceSeconds"] == pod["spec"]["terminationGracePeriodSeconds"] == 10, "what the pod has"


def test_a_pod_that_has_its_secret_keeps_it_although_the_bot_class_is_another(
    operator: OperatorProcess, sessions: Sessions
) -> None:
    sessions.apply("standup")
    pod = sessions.pod("standup")
    before = matching_secret(sessions, pod)
    operator.kill()
    changed = json.loads(json.dumps(INSTALLATION))
    changed["botClasses"]["default"]["timeouts"]["finishSeconds"] = 77
    operator.installation = changed
    operator.start()
    sessions.apply("later")
    wait_until(lambda: secret(sessions, sessions.pod("later")["metadata"]["name"]), "the operator is at work", PATIENCE)
    after = matching_secret(sessions, pod)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert annotations_of(sessions)[DIGEST] == pod["metadata"]["annotations"][DIGEST]


def test_somebody_elses_secret_of_the_same_name_ends_the_session(operator: OperatorProcess, sessions: Sessions) -> None:
    operator.pause()
    sessions.apply("standup")
    name = f"standup-{sessions.get('standup')['metadata']['uid'][:8]}-1"
    sessions.api.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}})
    operator.resume()
    status = sessions.phase("standup", "Failed")
    assert status["reason"] == "ConfigInvalid"
    assert name in status["message"]


def test_a_secret_that_a_quota_keeps_out_is_asked_for_again(operator: OperatorProcess, sessions: Sessions) -> None:
    refused = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "refused"}}
    sessions.limit("no-secrets", {"count/secrets": "0"}, "secrets", refused)
    sessions.apply("standup")
    pod = sessions.pod("standup")
    wait_until(lambda: "quota" in sessions.status("standup").get("message", ""), "it is told why", PATIENCE)
    assert not sessions.exists("secrets", pod["metadata"]["name"])
    sessions.api.delete("resourcequotas", "no-secrets")
    matching_secret(sessions, pod)
    assert sessions.pod("standup")["metadata"]["uid"] == pod["metadata"]["uid"]
