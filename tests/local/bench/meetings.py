"""From apply to the meeting, and what a whole session costs the API server."""

from __future__ import annotations

import statistics
import time
from collections import Counter

from meeting_buddy.kube.api import DRY_RUN
from tests.local.bench.figures import Figure, seconds
from tests.local.bench.operator_metrics import samples
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import SESSIONS
from tests.local.installation.attendance import attending, unshown
from tests.local.machine import progress
from tests.local.meetings.livekit import LocalMeeting

ROUNDS = 3
_WRITES = ("POST", "PUT", "PATCH")  # the finished pod's delete is not counted


def apply_to_meeting(kubectl: Kubectl, meeting: LocalMeeting, bot_image: str) -> list[Figure]:
    """Join a local meeting ``ROUNDS`` times and leave; the image is on the node already."""
    baseline = [_bare_pod(kubectl, bot_image) for _ in range(ROUNDS)]
    joined, written = [], []
    for number in range(ROUNDS):
        progress.tell(f"meeting {number + 1} of {ROUNDS}")
        before = _written(kubectl)
        joined.append(_attend(kubectl, meeting))
        written.append(_written(kubectl) - before)
    events = statistics.median(sum(n for what, n in each.items() if what == "Event") for each in written)
    writes = statistics.median(sum(n for what, n in each.items() if what not in ("Event", "Lease")) for each in written)
    return [
        Figure(
            "apply → in the meeting",
            seconds(joined),
            f"bare pod ready: {seconds(baseline)}",
            "≤ 8 s median",
        ),
        Figure("writes per session", f"{writes:.0f}, and {events:.0f} events", "", "≤ 9, events ≤ 6"),
    ]


def _attend(kubectl: Kubectl, meeting: LocalMeeting) -> float:
    room = meeting.room(f"bench-{time.monotonic_ns() // 1_000_000}")
    # People go as soon as the bot is there, perhaps before it saw anybody.
    limits = {"everyoneLeftSeconds": 5, "nobodyCameSeconds": 5}
    with attending(kubectl, room, show=unshown, limits=limits) as attendance:
        taken = attendance.joined()
        attendance.completed()
    kubectl("delete", "mbs", room.name, f"--namespace={SESSIONS}")
    return taken


def _bare_pod(kubectl: Kubectl, image: str) -> float:
    name = f"bench-bare-{time.monotonic_ns() // 1_000_000}"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SESSIONS},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "sleeper",
                    "image": image,
                    "command": ["sleep", "60"],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
    began = time.monotonic()
    kubectl.apply(pod)
    kubectl("wait", f"pod/{name}", f"--namespace={SESSIONS}", "--for=condition=Ready", "--timeout=60s")
    taken = time.monotonic() - began
    kubectl("delete", "pod", name, f"--namespace={SESSIONS}", "--wait=false")
    return taken


def _written(kubectl: Kubectl) -> Counter[str]:
    """Successful writes of the operator by kind, as its own metrics count them."""
    found: Counter[str] = Counter()
    for labels, value in samples(kubectl, "meetingbuddy_api_requests_total"):
        if labels["verb"] in _WRITES and labels["code"].startswith("2") and not labels["resource"].endswith(DRY_RUN):
            found[labels["resource"]] += int(value)
    return found
