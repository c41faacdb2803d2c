"""One HTTP call starts a bot, which attends a real meeting; its events are followed to the end, over TLS."""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.local.clone import REPOSITORY
from tests.local.cluster.flow import Cluster
from tests.local.cluster.kubectl import Kubectl
from tests.local.images import build
from tests.local.installation import SESSIONS, http_api, install, local_values
from tests.local.installation.install import prepare_namespace
from tests.local.machine import direct
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.people import EVERYBODY
from tests.support.awaiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PATH = "/v1/meeting-buddy/sessions"
SECONDS = 120.0
"""For one event to come, on a loaded machine."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API as a program of the namespace's calls it."""

    address: str
    token: str

    def open(
        self, method: str, path: str, body: dict[str, Any] | None = None, more: dict[str, str] | None = None
    ) -> Any:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Host": http_api.SERVICE,
            **(more or {}),
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"https://{self.address}{path}", data, headers, method=method)
        context = ssl.create_default_context(cafile=str(http_api.authority()))
        context.check_hostname = False  # the service's address is asked, for whom nobody has a certificate
        return direct.opener(urllib.request.HTTPSHandler(context=context)).open(request, timeout=SECONDS)

    def part(self, path: str, first: int, last: int) -> bytes | None:
        """Bytes of a file; `None`: they cannot be had now."""
        try:
            with self.open("GET", path, more={"Range": f"bytes={first}-{last}"}) as answer:
                assert answer.status == 206
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as error:
            if error.status != 503:
                raise
            return None

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        with self.open(method, path, body) as answer:
            found: dict[str, Any] = json.loads(answer.read() or "{}")
            return found


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster, meeting: LocalMeeting) -> Kubectl:
    prepare_namespace(cluster.kubectl, SESSIONS, meeting.certificate_authority)
    api = http_api.serve_it(cluster.kubectl)
    install(cluster.kubectl, local_values(str(build("operator")), str(build("bot")), [SESSIONS], api=api))
    http_api.wait_until_served(cluster.kubectl)
    return cluster.kubectl


@pytest.fixture(scope="module")
def api(kubectl: Kubectl) -> Api:
    return Api(
        http_api.address(kubectl), kubectl("create", "token", http_api.CALLER, f"--namespace={SESSIONS}").strip()
    )


@pytest.fixture
def forwarded(kubectl: Kubectl) -> Iterator[str]:
    """`localhost:PORT`, from which kubectl leads to the API as it would from anybody's machine.

    For one test: it ends with the kubelet, which may die between two.
    """
    argv = kubectl.argv("port-forward", "--namespace=meeting-buddy", f"service/{http_api.SERVICE}", ":https")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as forwarding:
        assert forwarding.stdout is not None
        port = re.search(r":(\d+) ->", forwarding.stdout.readline())
        assert port is not None
        yield f"localhost:{port[1]}"
        forwarding.terminate()


def examples() -> list[Any]:
    """The README's callers, by their languages."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    return [pytest.param(text, id=language) for language, text in blocks if "https://HOST/" in text]


RUN = {
    "sh": ["sh", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}


@pytest.mark.parametrize("example", examples())
def test_the_readmes_callers_start_a_session(
    api: Api, forwarded: str, example: str, request: pytest.FixtureRequest
) -> None:
    run = RUN[request.node.callspec.id]
    trust = dict.fromkeys(("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), str(http_api.authority()))
    done = subprocess.run(
        [*run, example.replace("HOST", forwarded)],
        env={**os.environ, **trust, "ACCESS_TOKEN": api.token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = re.search(r"mbsess_[0-9a-f]{32}", done.stdout)
    assert found, done
    session = api("GET", f"{PATH}/{found[0]}")
    assert (session["platform"], session["bot_name"]) == ("teams", "Meeting Buddy")
    api("DELETE", f"{PATH}/{found[0]}")


def documents(stream: Any, kind: str) -> Iterator[dict[str, Any]]:
    """What the events of this kind say, until the stream ends."""
    found = ""
    for raw in stream:
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        if name == "event":
            found = value
        elif name == "data" and found == kind:
            yield json.loads(value)


def test_a_call_starts_a_bot_whose_events_and_transcript_are_followed(api: Api, meeting: LocalMeeting) -> None:
    room = meeting.room(f"e2e-http-{time.time_ns() // 1_000_000_000}")
    with room.people():
        session = api(
            "POST",
            PATH,
            {
                "meeting_link": room.link,
                "platform": "livekit",
                "recording": {"video": "none"},
                "metadata": {"purpose": "test"},
            },
        )
        assert session["status"] == "initializing"
        assert session["user_id"] == f"system:serviceaccount:{SESSIONS}:{http_api.CALLER}"
        one = f"{PATH}/{session['session_id']}"
        assert api("GET", one)["session_id"] == session["session_id"]
        seen: list[str] = []
        with api.open("GET", f"{one}/events") as events:
            for status in (each["status"] for each in documents(events, "session")):
                seen.append(status)
                if status == "recording" and "recording" not in seen[:-1]:
                    with api.open("GET", f"{one}/transcript") as transcript:
                        line = next(each for each in documents(transcript, "line") if each["speaker"])
                    api("POST", f"{one}/leave")
        assert list(dict.fromkeys(seen))[-1] == "completed", seen
        assert {"recording", "completed"} <= set(seen)
    ended = api("GET", one)
    assert (ended["status"], ended["error_code"], ended["metadata"]) == ("completed", None, {"purpose": "test"})
    assert ended["audio_file_count"] == 1
    assert line["speaker"] in {person.name for person in EVERYBODY}
    assert line["text"]
    listed = api("GET", f"{PATH}?status=completed&limit=500")
    assert session["session_id"] in {each["session_id"] for each in listed["sessions"]}

    # The bot is gone; what it left comes from the volume.
    with api.open("GET", f"{one}/transcript") as transcript:
        assert line["text"] in [each["text"] for each in documents(transcript, "line")]
    stored = api("GET", f"{one}/recordings")
    assert stored["verified"]
    recording = stored["recordings"][0]
    assert (recording["kind"], recording["final"]) == ("recording", True)
    assert {"transcript.vtt", "events.jsonl"} <= {each["name"] for each in stored["recordings"]}
    content = b"".join(
        api.part(recording["url"], first, first + 99_999) or b"" for first in range(0, recording["size_bytes"], 100_000)
    )
    assert hashlib.sha256(content).hexdigest() == recording["sha256"]


def test_a_download_goes_on_when_the_reader_was_killed(api: Api, kubectl: Kubectl) -> None:
    listed = api("GET", f"{PATH}?status=completed&limit=500")["sessions"]
    session = next(each for each in listed if each["metadata"] == {"purpose": "test"})
    recording = api("GET", f"{PATH}/{session['session_id']}/recordings")["recordings"][0]
    half = recording["size_bytes"] // 2
    first = api.part(recording["url"], 0, half - 1)
    kubectl("delete", "pod", "--selector=app.kubernetes.io/component=reader", f"--namespace={SESSIONS}", "--now")
    rest = wait_until(lambda: api.part(recording["url"], half, recording["size_bytes"]), "a reader answers", SECONDS)
    assert first is not None
    assert hashlib.sha256(first + rest).hexdigest() == recording["sha256"]
