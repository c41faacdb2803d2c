"""``make demo``: from nothing to a recorded meeting on this machine.

Says what it will install, brings up the local cluster, installs the chart, starts a meeting in which people speak,
applies a MeetingSession, follows it and its transcript to Completed and shows what is on the volume. Safe to run again:
everything that still runs is adopted, and each run is a session and a meeting room of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime

import yaml

from tests.local.cluster import commands, flow
from tests.local.cluster.kubectl import Kubectl
from tests.local.demo import result
from tests.local.images import build
from tests.local.installation import SESSIONS, http_api, install, local_values
from tests.local.installation.attendance import attending, session
from tests.local.installation.install import prepare_namespace
from tests.local.installation.transcript import Line
from tests.local.machine import cli_errors, packages
from tests.local.machine.progress import step
from tests.local.meetings.livekit import LocalMeeting

_METADATA = {"purpose": "demo"}


def main() -> int:
    """Exit status 0 when the session is Completed, what was said is in recording and transcript, lines came live."""
    parser = argparse.ArgumentParser(prog="make demo", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--seconds", type=float, default=40.0, help="how long people talk (default: 40)")
    return _demo(parser.parse_args().seconds)


def _demo(seconds: float) -> int:
    began = time.monotonic()
    _heading("This machine")
    packages.ensure()
    _heading("A Kubernetes of your own")
    kubectl = flow.up().kubectl
    _heading("A meeting, by LiveKit")
    meeting = LocalMeeting()
    meeting.start()
    _heading("Meeting Buddy")
    _install(kubectl, meeting)
    room = meeting.room(f"demo-{datetime.now(UTC):%H%M%S}")
    _heading("The session")
    print(_indented(yaml.safe_dump(session(room, metadata=_METADATA), sort_keys=False)))
    with attending(kubectl, room, show=_show, metadata=_METADATA) as attendance:
        attendance.recording()
        with attendance.transcript(_say) as live:
            attendance.people.wait_until_spoken(seconds)
            attendance.completed()
    _heading("What is on the volume")
    good = result.show(attendance)
    if not live.lines:
        print("\n  No line of the transcript came while the meeting went on.")
        good = False
    _heading("The same over HTTP")
    good &= _shown_over_http(kubectl, attendance.status["sessionId"])
    _heading("Look around")
    print(_LOOK_AROUND.format(shell=commands.for_a_shell(), name=room.name, namespace=SESSIONS))
    print(f"  {time.monotonic() - began:.0f} s in all")
    return 0 if good else 1


def _install(kubectl: Kubectl, meeting: LocalMeeting) -> None:
    with step("operator image") as line:
        line.note = operator = str(build("operator"))
    with step("bot image") as line:
        line.note = bot = str(build("bot"))
    with step("helm install"):
        prepare_namespace(kubectl, SESSIONS, meeting.certificate_authority)
        install(kubectl, local_values(operator, bot, [SESSIONS], api=http_api.serve_it(kubectl)))
        http_api.wait_until_served(kubectl)


def _shown_over_http(kubectl: Kubectl, session_id: str) -> bool:
    """Print files and session as the HTTP API tells them, and the lines that ask for them; whether it did."""
    line = http_api.curl(kubectl, f"/sessions/{session_id}/recordings")
    print(f"  {line}\n")
    files = http_api.answer(kubectl, line)["recordings"]
    print("".join(f"    {each['name']:<24}{each['size_bytes']:>12,} bytes  {each['media_type']}\n" for each in files))
    line = http_api.curl(kubectl, f"/sessions/{session_id}")
    print(f"  {line}\n")
    answer = http_api.answer(kubectl, line)
    print(_indented(json.dumps(answer, indent=2)))
    return bool(answer["status"] == "completed" and "recording" in {each["kind"] for each in files})


def _heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def _show(seconds: float, line: str) -> None:
    print(f"  {seconds:6.1f} s  {line}", flush=True)


def _say(line: Line) -> None:
    """A line of the transcript, as it comes; a name that became known late is a second line of the same words."""
    print(f"              {line['speaker'] or 'Unknown speaker'}: {line['text']}", flush=True)


_LOOK_AROUND = """\
  {shell}

  kubectl get mbs -n {namespace} -o wide               all sessions
  kubectl describe mbs {name} -n {namespace}    conditions and events
  kubectl logs -n {namespace} -l app.kubernetes.io/component=bot -c bot
  kubectl explain mbs.spec

  make cluster-down                               remove the cluster, the meeting and the recordings
"""


if __name__ == "__main__":
    cli_errors.run(main)
