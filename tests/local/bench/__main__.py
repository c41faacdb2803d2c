"""``make bench``: the figures of this installation on this machine, each beside its baseline, in one run.

``ONLY=`` picks a section: ``pages``, ``pod``, ``join``, ``sound``, ``text``, ``starved``, ``http``,
``operator`` or ``image``. The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tests.local.bench import (
    http_api,
    image_size,
    meeting_transcripts,
    meetings,
    operator_load,
    pages,
    pods,
    sound,
    starved,
    transcripts,
)
from tests.local.bench.figures import Figure
from tests.local.bench.operator_metrics import wait_until_it_leads
from tests.local.cluster import flow
from tests.local.images import build
from tests.local.images.iteration_time import iteration_time
from tests.local.installation import SESSIONS, install, local_values
from tests.local.installation.install import prepare_namespace
from tests.local.installation.values import bot_class
from tests.local.machine import cli_errors
from tests.local.machine.progress import step
from tests.local.meetings.livekit import LocalMeeting

SECTIONS = ("pages", "pod", "join", "sound", "text", "starved", "http", "operator", "image")


def main() -> int:
    """Exit status 0 when every section could be measured; no figure is judged."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("only", nargs="*", choices=[*SECTIONS, []], help="sections; all without")
    sections = parser.parse_args().only or SECTIONS
    figures: list[Figure] = []
    if "pages" in sections:
        with step("looks at pages"):
            figures += pages.looks()
        with step("speaking marks"):
            figures += pages.speaking()
    if "text" in sections:
        with step("transcripts"):
            figures += transcripts.transcripts()
    if "http" in sections:
        with step("HTTP API"):
            figures += http_api.http_api()
    if "operator" in sections:
        with step("operator"):
            figures += operator_load.operator_load()
    if set(sections) - {"pages", "http", "operator"}:
        figures += _on_the_cluster(sections)
    print()
    print("\n".join(map(str, figures)))
    return 0


def _on_the_cluster(sections: Sequence[str]) -> list[Figure]:
    kubectl = flow.up().kubectl
    meeting = LocalMeeting()
    meeting.start()
    with step("Meeting Buddy"):
        bot = str(build("bot"))
        parked = bot_class(nodeSelector={"meetingbuddy.io/nowhere": "true"})
        prepare_namespace(kubectl, SESSIONS, meeting.certificate_authority)
        install(kubectl, local_values(str(build("operator")), bot, [SESSIONS], parked=parked))
        wait_until_it_leads(kubectl)
    figures: list[Figure] = []
    if "pod" in sections:
        with step("apply → bot pod"):
            figures.append(pods.apply_to_pod(kubectl))
    if "join" in sections:
        with step("apply → in the meeting"):
            figures += meetings.apply_to_meeting(kubectl, meeting, bot)
    if "sound" in sections:
        with step("sound of a recording"):
            figures += sound.recorded_sound(kubectl, meeting)
    if "text" in sections:
        with step("transcripts of meetings"):
            figures += meeting_transcripts.through_meetings(kubectl, meeting)
    if "starved" in sections:
        with step("two bots at once"):
            figures += starved.two_at_once(kubectl, meeting)
    if "image" in sections:
        with step("image iteration time"):
            figures.append(Figure("one-line change → running pod", f"{iteration_time(kubectl):.1f} s", "", "≤ 30 s"))
        with step("image size"):
            figures.append(image_size.of_transcription(bot))
    return figures


if __name__ == "__main__":
    cli_errors.run(main)
