"""Sessions on the four platforms, on the cluster: real pods, real recordings, synthetic sites under the real names;
and on a self-hosted kind that only an administrator's table describes, in a real meeting.

The sites are served on the node's address; pods find them by a bot class's hostAliases and trust them by its extraCa.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local.clone import PLATFORM_TABLES
from tests.local.cluster.flow import Cluster
from tests.local.cluster.kubectl import Kubectl
from tests.local.cluster.paths import NODE_ADDRESS, PLATFORM_SITES_PORT
from tests.local.images import build
from tests.local.installation import SESSIONS, http_api, install, local_values
from tests.local.installation.attendance import UNTRANSCRIBED, attending
from tests.local.installation.install import prepare_namespace
from tests.local.installation.values import bot_class
from tests.local.machine.certificates import Authority
from tests.local.machine.lock import exclusive
from tests.local.meetings import packs
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.paths import ADDRESS, HERE, HOST, TLS_PORT
from tests.local.meetings.livekit.people import VOICES
from tests.local.meetings.platform_site import PlatformSite, serve

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

JOINED = "120s"
ENDED = "90s"


@pytest.fixture(scope="module")
def sites(cluster: Cluster) -> Iterator[dict[str, PlatformSite]]:
    """All packs' sites, on the node's address."""
    with exclusive(HERE.lock, "the local meeting"):
        authority = Authority.ensure(HERE.root, "Local meeting: test authority")  # the one that pods trust
    found = {name: PlatformSite(name, authority, NODE_ADDRESS, PLATFORM_SITES_PORT) for name in packs.names()}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = serve(list(found.values()), authority, NODE_ADDRESS, PLATFORM_SITES_PORT)
    runner = asyncio.run_coroutine_threadsafe(serving, loop).result(120)
    yield found
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def values(sites: dict[str, PlatformSite], api: dict[str, Any] | None = None, **tables: str) -> dict[str, Any]:
    hosts = sorted(host for site in sites.values() for host in site.hosts)
    aliases = [{"ip": ADDRESS, "hostnames": [HOST]}, {"ip": NODE_ADDRESS, "hostnames": hosts}]
    # The default class knows the sites, too: it is the one of the documented HTTP call.
    default = bot_class(hostAliases=aliases, transcription={"model": None})  # nobody speaks there
    images = (str(build("operator")), str(build("bot")))
    found = local_values(*images, [SESSIONS], api=api, default=default, platforms=default)
    found["selfHosted"]["hosts"].append({"platform": "Parlour", "host": HOST, "port": TLS_PORT})
    return {**found, "platformTables": tables}


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster, sites: dict[str, PlatformSite]) -> Kubectl:
    """The cluster with Meeting Buddy and a bot class that knows the sites."""
    prepare_namespace(cluster.kubectl, SESSIONS, LocalMeeting().certificate_authority)
    install(cluster.kubectl, values(sites, http_api.serve_it(cluster.kubectl)))
    return cluster.kubectl.in_namespace(SESSIONS)


def apply(kubectl: Kubectl, kind: str, link: str) -> str:
    """Apply a session; its name, which no earlier run had."""
    name = f"e2e-{kind}-{time.time_ns() // 1_000_000_000}"
    kubectl.apply(
        {
            "apiVersion": "meetingbuddy.io/v1alpha1",
            "kind": "MeetingSession",
            "metadata": {"name": name, "namespace": SESSIONS},
            "spec": {"meetingLink": link, "botClassName": "platforms", "backoffLimit": 0},
        }
    )
    return name


def wait(kubectl: Kubectl, name: str, phase: str, seconds: str) -> dict[str, Any]:
    """The session once it is in this phase."""
    kubectl("wait", f"--for=jsonpath={{.status.phase}}={phase}", f"mbs/{name}", f"--timeout={seconds}")
    found: dict[str, Any] = kubectl.json("get", "mbs", name)
    return found


def is_recorded_and_left(kubectl: Kubectl, site: PlatformSite, link: str, name: str) -> None:
    """See a session in a meeting through to its end."""
    wait(kubectl, name, "Recording", JOINED)
    kubectl("wait", "--for=jsonpath={.status.currentParticipants[1].name}", f"mbs/{name}", "--timeout=90s")
    kubectl("patch", "mbs", name, "--type=merge", '--patch={"spec": {"leave": true}}')
    status = wait(kubectl, name, "Completed", ENDED)["status"]
    assert (status["reason"], status["platform"]) == ("LeaveRequested", site.pack.platform)
    assert status["segmentCount"] >= 1
    assert status["totalSizeBytes"] > 0
    assert {each["name"] for each in status["participantHistory"]} == {"Ada Lovelace", "Grace Hopper"}
    secrets = (link.partition("?")[0].rpartition("/")[2], "s3cretPass")
    assert not [secret for secret in secrets if secret in json.dumps(status)]


@pytest.mark.parametrize("platform", [each for each in packs.names() if each != "teams"])  # that one's is below
def test_a_meeting_is_joined_recorded_and_left(platform: str, kubectl: Kubectl, sites: dict[str, PlatformSite]) -> None:
    site = sites[platform]
    link = site.meeting("meeting", media=True)
    is_recorded_and_left(kubectl, site, link, apply(kubectl, platform, link))


def test_the_documented_http_call_sends_a_bot_into_a_teams_meeting(
    kubectl: Kubectl, sites: dict[str, PlatformSite], tmp_path: Path
) -> None:
    http_api.wait_until_served(kubectl)
    link = sites["teams"].meeting("meeting", media=True)
    call = http_api.documented_call().replace("HOST", http_api.SERVICE)
    call = call.replace("https://teams.microsoft.com/l/meetup-join/abc123", link)
    found = f'cacert = "{http_api.authority()}"\nresolve = "{http_api.SERVICE}:443:{http_api.address(kubectl)}"\n'
    (tmp_path / ".curlrc").write_text(found)
    token = kubectl("create", "token", http_api.CALLER).strip()
    session = http_api.answer(kubectl, call, ACCESS_TOKEN=token, CURL_HOME=str(tmp_path))
    assert (session["status"], session["platform"], session["meeting_link"]) == ("initializing", "teams", link)
    objects = kubectl.json("get", "mbs")["items"]
    uid = session["session_id"].removeprefix("mbsess_")
    name = next(each["metadata"]["name"] for each in objects if each["metadata"]["uid"].replace("-", "") == uid)
    is_recorded_and_left(kubectl, sites["teams"], link, name)


def test_a_denial_ends_the_session_as_what_it_is(kubectl: Kubectl, sites: dict[str, PlatformSite]) -> None:
    name = apply(kubectl, "denied", sites["webex"].meeting("denied"))
    status = wait(kubectl, name, "Failed", JOINED)["status"]
    assert status["reason"] == "EntryDenied"
    assert "segmentCount" not in status or status["segmentCount"] == 0


def test_a_table_is_mended_without_a_new_image(kubectl: Kubectl, sites: dict[str, PlatformSite]) -> None:
    site = sites["zoom"]
    shipped = apply(kubectl, "shipped", site.meeting("lobby"))
    kubectl("wait", "--for=jsonpath={.status.tableHash}", f"mbs/{shipped}", f"--timeout={JOINED}")
    built_in = kubectl.json("get", "mbs", shipped)["status"]["tableHash"]
    kubectl("patch", "mbs", shipped, "--type=merge", '--patch={"spec": {"leave": true}}')

    # As if the page's button had changed: nothing finds it any more.
    broken = f"""
platform: Zoom
tableHash: "{built_in}"
elements:
  join button: {{replace: [{{css: '#moved', source: 'test, 2026-11-26'}}]}}
timeouts: {{join: 8}}
"""
    install(kubectl, values(sites, Zoom=broken))
    failed = wait(kubectl, apply(kubectl, "broken", site.meeting("meeting")), "Failed", JOINED)["status"]
    assert failed["reason"] == "JoinTimeout"
    assert failed["tableHash"] != built_in

    fixed = broken.replace("replace: [", "prepend: [{css: button.preview-join-button, source: 'seen 2026-11-26'}, ")
    fixed = fixed.replace("timeouts: {join: 8}\n", "")  # nobody waits for a failure any more
    install(kubectl, values(sites, Zoom=fixed))
    name = apply(kubectl, "fixed", site.meeting("meeting"))
    joined = wait(kubectl, name, "Recording", JOINED)["status"]
    assert joined["tableHash"] not in (built_in, failed["tableHash"])
    kubectl("patch", "mbs", name, "--type=merge", '--patch={"spec": {"leave": true}}')
    wait(kubectl, name, "Completed", ENDED)
    install(kubectl, values(sites))


def test_a_self_hosted_kind_is_added_by_a_table_alone(
    kubectl: Kubectl, sites: dict[str, PlatformSite], meeting: LocalMeeting
) -> None:
    room = meeting.room(f"e2e-kind-{time.time_ns() // 1_000_000_000}")
    with attending(kubectl, room, people=(), platform="Parlour", transcription=UNTRANSCRIBED) as session:
        session.watch.wait_for(("Failed",), 90)
    assert session.status["reason"] == "PlatformNotAvailable"
    assert "no platform table of Parlour; this installation has GoogleMeet, LiveKit, " in session.status["message"]

    table = (PLATFORM_TABLES / "livekit.yaml").read_text()
    table = table.replace("platform: LiveKit", "platform: Parlour").replace("httpName: livekit", "httpName: parlour")
    install(kubectl, values(sites, Parlour=table))
    room = meeting.room(f"{room.name}-table")
    with attending(kubectl, room, people=VOICES, platform="Parlour", transcription=UNTRANSCRIBED) as session:
        session.recording()
        session.people.wait_until_spoken(4)
        session.completed()
    assert session.status["platform"] == "Parlour"
    assert session.status["totalSizeBytes"] > 0
    install(kubectl, values(sites))
